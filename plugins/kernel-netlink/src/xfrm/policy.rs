//! Policies: `struct xfrm_userpolicy_info` and its attributes.

use std::net::IpAddr;

use charon_types::kernel_op::{KernelError, KernelSelector, Mode, Policy, PolicyAction, PolicyDirection};
use nix::net::if_::if_nametoindex;

use super::state::{mark, mode_number, protocol_number};
use super::wire::{self, Writer, XfrmWriter, family};

const ACTION_ALLOW: u8 = 0;
const ACTION_BLOCK: u8 = 1;

pub(crate) const fn direction(direction: PolicyDirection) -> u8 {
    match direction {
        PolicyDirection::In => 0,
        PolicyDirection::Out => 1,
        PolicyDirection::Forward => 2,
    }
}

/// The message that adds a policy (`NEWPOLICY`) or replaces one (`UPDPOLICY`). `tag` is the index that a new one gets, but for
/// the direction in its lowest bits.
pub(crate) fn add(policy: &Policy, kind: u16, tag: u32) -> Result<Writer, KernelError> {
    let mut message = Writer::message(kind, wire::F_ACK);
    let fits = KernelSelector::between(&policy.source, &policy.destination);
    if fits.source.0.is_ipv4() != fits.destination.0.is_ipv4() {
        return Err(KernelError::Unsupported("a policy between two address families"));
    }
    selector(&mut message, &fits, interface(policy)?);
    for _ in 0..4 {
        message.u64(wire::INFINITE);
    }
    message.zeros(4 * 8 + 32);
    let way = direction(policy.direction);
    let action = if policy.action == PolicyAction::Drop { ACTION_BLOCK } else { ACTION_ALLOW };
    message.u32(policy.effective_priority()).u32(tag | u32::from(way)).u8(way).u8(action).zeros(2 + 4);
    if let PolicyAction::Protect { .. } = policy.action {
        template(&mut message, policy);
    }
    mark(&mut message, policy.mark);
    if policy.if_id.0 != 0 {
        message.attribute(wire::A_IF_ID, &policy.if_id.0.to_ne_bytes());
    }
    Ok(message)
}

/// The message that deletes a policy.
pub(crate) fn delete(policy: &Policy) -> Result<Writer, KernelError> {
    let mut message = Writer::message(wire::DELPOLICY, wire::F_ACK);
    selector(&mut message, &KernelSelector::between(&policy.source, &policy.destination), interface(policy)?);
    message.u32(0).u8(direction(policy.direction)).zeros(3);
    mark(&mut message, policy.mark);
    if policy.if_id.0 != 0 {
        message.attribute(wire::A_IF_ID, &policy.if_id.0.to_ne_bytes());
    }
    Ok(message)
}

/// `struct xfrm_selector`
pub(crate) fn selector(message: &mut Writer, selector: &KernelSelector, interface: Option<u32>) {
    let (source, destination) = (selector.source, selector.destination);
    message.address(destination.0).address(source.0);
    for ports in [selector.destination_port, selector.source_port] {
        message.be16(ports.port).be16(ports.mask);
    }
    message.u16(family(source.0)).u8(destination.1).u8(source.1).u8(selector.protocol).zeros(3);
    message.u32(interface.unwrap_or(0)).u32(0);
}

/// `struct xfrm_user_tmpl`: which SA protects the packets.
fn template(message: &mut Writer, policy: &Policy) {
    let PolicyAction::Protect { source, destination, protocol, mode, reqid, spi } = policy.action else {
        return;
    };
    let mut value = Writer::new();
    let outer = mode != Mode::Transport;
    // In transport mode the packet's own addresses are those of the SA.
    let address = |value: &mut Writer, address: IpAddr| {
        if outer {
            value.address(address);
        } else {
            value.zeros(16);
        }
    };
    address(&mut value, destination);
    value.be32(spi.map_or(0, |spi| spi.get())).u8(protocol_number(protocol)).zeros(3);
    value.u16(family(source)).zeros(2);
    address(&mut value, source);
    value.u32(reqid.0.get()).u8(mode_number(mode)).u8(0).u8(0).zeros(1);
    // Any algorithm: the reqid decides.
    value.u32(u32::MAX).u32(u32::MAX).u32(u32::MAX);
    message.attribute(wire::A_TMPL, value.as_bytes());
}

fn interface(policy: &Policy) -> Result<Option<u32>, KernelError> {
    let Some(name) = policy.interface.as_deref() else { return Ok(None) };
    let index = if_nametoindex(name);
    index
        .map(Some)
        .map_err(|errno| KernelError::Os { what: "find the interface of a policy", errno: errno as i32 })
}
