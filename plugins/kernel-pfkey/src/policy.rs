//! Messages about policies (Linux: `SADB_X_SPD*`).

use charon_types::id::{IfId, Mark};
use charon_types::kernel_op::{
    KernelError, KernelSelector, Mode, Policy, PolicyAction, PolicyDirection, PortMask,
};
use charon_types::proposal::Protocol;

use crate::sa::mode_number;
use crate::wire::{self, KeyWriter, Message, Writer};

const TYPE_DISCARD: u16 = 0;
const TYPE_NONE: u16 = 1;
const TYPE_IPSEC: u16 = 2;
const LEVEL_UNIQUE: u8 = 3;
pub(crate) const PROTOCOL_ANY: u8 = 255;
const IPPROTO_ESP: u16 = 50;
const IPPROTO_AH: u16 = 51;
/// Largest reqid that a policy can name; above it the kernel makes up its own.
const REQID_MAX: u32 = 0x3fff;

/// Less than the step of a class or of a prefix, and not what a port takes away.
const MARK: u32 = 2;

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

/// Number, direction and priority of a policy that the kernel lists.
pub(crate) fn identity(message: &Message<'_>) -> Option<(u32, u8, u32)> {
    let mut value = message.find(wire::X_POLICY)?;
    let (_kind, direction, _) = (value.u16()?, value.u8()?, value.u8()?);
    Some((value.u32()?, direction, value.u32()?))
}

/// Deletes the policy with that number.
pub(crate) fn delete_by_number(number: u32, direction: u8) -> Writer {
    let mut message = Writer::message(wire::SPDDELETE2, wire::SATYPE_UNSPEC);
    let mut value = Writer::new();
    value.u16(TYPE_IPSEC).u8(direction).u8(0).u32(number).u32(0);
    message.extension(wire::X_POLICY, value.as_bytes());
    message
}

/// The priority that says whose a policy is: in front of the computed one by what a policy for one interface would be, which
/// there is none of here. A fixed priority stays.
pub(crate) fn marked_priority(policy: &Policy) -> u32 {
    if policy.priority != 0 { policy.priority } else { policy.effective_priority() - MARK }
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
    let mut value = Writer::new();
    value.u16(kind).u8(direction).u8(0).u32(0).u32(marked_priority(policy));
    let PolicyAction::Protect { source, destination, protocol, mode, reqid, .. } = policy.action else {
        return Ok(value);
    };
    if reqid.0.get() > REQID_MAX {
        return Err(KernelError::Unsupported("a reqid above 16383"));
    }
    let mut addresses = Writer::new();
    if mode != Mode::Transport {
        addresses.socket_address(source, 0).socket_address(destination, 0);
    }
    let len = u16::try_from(16 + addresses.as_bytes().len()).expect("two addresses are some octets long");
    let number = if protocol == Protocol::Ah { IPPROTO_AH } else { IPPROTO_ESP };
    value.u16(len).u16(number).u8(mode_number(mode)).u8(LEVEL_UNIQUE).u16(0);
    value.u32(reqid.0.get()).u32(0).bytes(addresses.as_bytes());
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::num::NonZeroU32;

    use charon_types::id::Reqid;
    use charon_types::kernel_op::PolicyClass;
    use charon_types::selector::TrafficSelector;

    use super::*;

    fn request_len(source: IpAddr, destination: IpAddr) -> u16 {
        let policy = Policy {
            direction: PolicyDirection::Out,
            source: TrafficSelector::ANY_IPV4,
            destination: TrafficSelector::ANY_IPV4,
            action: PolicyAction::Protect {
                source,
                destination,
                protocol: Protocol::Esp,
                mode: Mode::Tunnel,
                reqid: Reqid(NonZeroU32::MIN),
                spi: None,
            },
            class: PolicyClass::Regular,
            priority: 0,
            mark: Mark::default(),
            if_id: IfId::default(),
            interface: None,
        };
        let message = message(&policy, wire::SPDADD).unwrap().finish(1, 1);
        let mut value = Message::parse(&message).unwrap().find(wire::X_POLICY).unwrap();
        value.bytes(12);
        value.u16().unwrap()
    }

    #[test]
    fn the_ends_of_a_tunnel_stand_behind_each_other_as_the_kernel_counts_them() {
        assert_eq!(request_len([192, 0, 2, 1].into(), [192, 0, 2, 2].into()), 16 + 2 * 16);
        let (one, other) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        assert_eq!(request_len(one, other), 16 + 2 * 28);
    }
}
