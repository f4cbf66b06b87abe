//! Messages about policies (Linux: `SADB_X_SPD*`).

use charon_core::kernel::{KernelSelector, PortMask};
use charon_types::id::{IfId, Mark};
use charon_types::kernel_op::{KernelError, Mode, Policy, PolicyAction, PolicyDirection};
use charon_types::proposal::Protocol;

use crate::sa::mode_number;
use crate::wire::{self, Message, Writer};

const TYPE_DISCARD: u16 = 0;
const TYPE_NONE: u16 = 1;
const TYPE_IPSEC: u16 = 2;
const LEVEL_UNIQUE: u8 = 3;
const PROTOCOL_ANY: u8 = 255;
const IPPROTO_ESP: u16 = 50;
const IPPROTO_AH: u16 = 51;
/// Largest reqid that a policy can name; above it the kernel makes up its own.
const REQID_MAX: u32 = 0x3fff;

/// Adds (`SPDADD`), replaces (`SPDUPDATE`) or deletes (`SPDDELETE`) a policy.
pub(crate) fn message(policy: &Policy, kind: u8) -> Result<Writer, KernelError> {
    let selector = check(policy)?;
    let mut message = Writer::message(kind, wire::SATYPE_UNSPEC);
    message.extension(wire::X_POLICY, body(policy)?.as_bytes());
    let protocol = if selector.protocol == 0 { PROTOCOL_ANY } else { selector.protocol };
    message.address(wire::X_ADDRESS_SRC, selector.source, protocol, selector.source_port.port);
    message.address(wire::X_ADDRESS_DST, selector.destination, protocol, selector.destination_port.port);
    Ok(message)
}

/// The kernel's number of a policy, by which acquires name it.
pub(crate) fn index(message: &Message<'_>) -> Option<u32> {
    let mut value = message.find(wire::X_POLICY)?;
    value.bytes(4)?;
    value.u32()
}

/// What PF_KEY has no words for.
fn check(policy: &Policy) -> Result<KernelSelector, KernelError> {
    let unless = |fine: bool, what| if fine { Ok(()) } else { Err(KernelError::Unsupported(what)) };
    unless(policy.mark == Mark::default(), "a mark")?;
    unless(policy.if_id == IfId::default(), "an interface id")?;
    unless(policy.interface.is_none(), "a policy for one interface")?;
    let selector = KernelSelector::between(&policy.source, &policy.destination);
    unless(
        selector.source.0.is_ipv4() == selector.destination.0.is_ipv4(),
        "a policy between two address families",
    )?;
    // A port is compared as a whole, and 0 stands for any.
    let whole = |port: PortMask| port.mask == 0 || (port.mask == u16::MAX && port.port != 0);
    unless(whole(selector.source_port) && whole(selector.destination_port), "a range of ports")?;
    Ok(selector)
}

/// `struct sadb_x_policy`, and behind it `sadb_x_ipsecrequest` with the addresses of a tunnel.
fn body(policy: &Policy) -> Result<Writer, KernelError> {
    let kind = match policy.action {
        PolicyAction::Protect { .. } => TYPE_IPSEC,
        PolicyAction::Pass => TYPE_NONE,
        PolicyAction::Drop => TYPE_DISCARD,
    };
    let direction = match policy.direction {
        PolicyDirection::In => 1,
        PolicyDirection::Out => 2,
        PolicyDirection::Forward => 3,
    };
    let mut value = Writer::value();
    value.u16(kind).u8(direction).u8(0).u32(0).u32(policy.effective_priority());
    let PolicyAction::Protect { source, destination, protocol, mode, reqid, .. } = policy.action else {
        return Ok(value);
    };
    if reqid.0.get() > REQID_MAX {
        return Err(KernelError::Unsupported("a reqid above 16383"));
    }
    let mut addresses = Writer::value();
    if mode != Mode::Transport {
        addresses.socket_address(source, 0).socket_address(destination, 0);
    }
    let len = u16::try_from(16 + addresses.as_bytes().len()).expect("two addresses are some octets long");
    let number = if protocol == Protocol::Ah { IPPROTO_AH } else { IPPROTO_ESP };
    value.u16(len).u16(number).u8(mode_number(mode)).u8(LEVEL_UNIQUE).u16(0);
    value.u32(reqid.0.get()).u32(0).bytes(addresses.as_bytes());
    Ok(value)
}
