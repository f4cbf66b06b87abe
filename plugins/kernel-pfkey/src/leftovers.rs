//! What a killed predecessor left: found by the marks that we put on SAs and policies, and removed.
//!
//! PF_KEY has no field for that, so two are used that change nothing. An SA has a hard limit of use time, which we set to a century; a
//! policy's priority is a little before the one that its selectors give it, as if it were for one interface, which PF_KEY cannot say.
//! Policies with a fixed priority bear no mark. An SPI that was reserved and not used is of our range and without keys.

use std::num::NonZeroU32;

use charon_core::kernel::{Removed, SpiRange, Transport};
use charon_types::id::{EspSpi, IfId, Mark};
use charon_types::kernel_op::{Policy, PolicyAction, PolicyClass, PolicyDirection, SaKey};
use charon_types::selector::TrafficSelector;
use tracing::warn;

use crate::policy::{self, marked_priority};
use crate::sa::{self, USE_LIMIT_MARK, protocol_of};
use crate::socket::Exchange;
use crate::wire::{self, KeyReader, Message, Writer};

const ESRCH: i32 = 3;
const ENOENT: i32 = 2;
const STATE_LARVAL: u8 = 0;
/// Priority that the port masks of both sides can take away at most, and the step in which they do.
const PORTS_MAX: u32 = 128;
const PORT_BIT: u32 = 4;

/// Removes all that is ours.
pub(crate) fn remove<T: Transport>(exchange: &mut Exchange<T>, spis: SpiRange) -> Removed {
    let policies = listed(exchange, wire::SPDDUMP, wire::SATYPE_UNSPEC);
    let requests = policies.iter().filter_map(|policy| policy_of_ours(&Message::parse(policy)?)).collect();
    let policies = gone(exchange, requests);
    let mut sas = 0;
    for satype in [wire::SATYPE_ESP, wire::SATYPE_AH] {
        let known = listed(exchange, wire::DUMP, satype);
        let keys = known.iter().filter_map(|sa| sa_of_ours(&Message::parse(sa)?, spis));
        let requests = keys.map(|key| sa::name(wire::DELETE, key)).collect();
        sas += gone(exchange, requests);
    }
    Removed { sas, policies }
}

fn listed<T: Transport>(exchange: &mut Exchange<T>, kind: u8, satype: u8) -> Vec<Vec<u8>> {
    exchange.dump(kind, satype).unwrap_or_else(|errno| {
        let error = std::io::Error::from_raw_os_error(errno);
        warn!(target: "KNL", "listing what the kernel has installed failed: {error}");
        Vec::new()
    })
}

fn gone<T: Transport>(exchange: &mut Exchange<T>, requests: Vec<Writer>) -> usize {
    let mut removed = 0;
    for request in requests {
        match exchange.ask(request) {
            Ok(_) => removed += 1,
            // It went by itself meanwhile.
            Err(ESRCH | ENOENT) => {}
            Err(errno) => {
                let error = std::io::Error::from_raw_os_error(errno);
                warn!(target: "KNL", "removing a leftover failed: {error}");
            }
        }
    }
    removed
}

fn sa_of_ours(message: &Message<'_>, spis: SpiRange) -> Option<SaKey> {
    let mut sa = message.find(wire::X_SA)?;
    let (spi, _window, state) = (sa.be32()?, sa.u8()?, sa.u8()?);
    let reserved = state == STATE_LARVAL && spis.contains(spi);
    if !reserved && sa::use_limit(message) != Some(USE_LIMIT_MARK) {
        return None;
    }
    Some(SaKey {
        destination: sa::address(message, wire::X_ADDRESS_DST)?,
        protocol: protocol_of(message.satype)?,
        spi: EspSpi(NonZeroU32::new(spi)?),
    })
}

fn policy_of_ours(message: &Message<'_>) -> Option<Writer> {
    let (id, direction, priority) = policy::identity(message)?;
    let source = selector(message, wire::X_ADDRESS_SRC)?;
    let destination = selector(message, wire::X_ADDRESS_DST)?;
    let classes = [PolicyClass::Shunt, PolicyClass::Regular, PolicyClass::Trap, PolicyClass::Fallback];
    let marked = classes.into_iter().any(|class| {
        let without_ports = Policy {
            direction: PolicyDirection::Out,
            source,
            destination,
            action: PolicyAction::Drop,
            class,
            priority: 0,
            mark: Mark::default(),
            if_id: IfId::default(),
            interface: None,
        };
        let for_ports = marked_priority(&without_ports).checked_sub(priority);
        for_ports.is_some_and(|less| less <= PORTS_MAX && less.is_multiple_of(PORT_BIT))
    });
    marked.then(|| policy::delete_by_number(id, direction))
}

/// An address of a policy with prefix and protocol; its ports do not matter here.
fn selector(message: &Message<'_>, kind: u16) -> Option<TrafficSelector> {
    let mut value = message.find(kind)?;
    let (protocol, prefix) = (value.u8()?, value.u8()?);
    value.bytes(2)?;
    let address = value.socket_address()?.ip();
    let width = if address.is_ipv4() { 32 } else { 128 };
    let network = TrafficSelector::subnet(address, prefix.min(width));
    Some(network.with_ports(if protocol == policy::PROTOCOL_ANY { 0 } else { protocol }, 0, u16::MAX))
}

#[cfg(test)]
mod tests;
