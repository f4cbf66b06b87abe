//! A kernel that says what it was given, for fuzzing: whatever comes, requests end and nothing panics.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use charon_core::kernel::{ScriptedKernel, SpiRange};
use charon_types::id::EspSpi;
use charon_types::kernel_op::SaKey;
use charon_types::proposal::Protocol;

use crate::socket::Exchange;
use crate::wire::{self, KeyWriter, Message};
use crate::{leftovers, policy, sa};

/// Asks about an SA, reads what is said of it, and removes leftovers, on a socket that says this to process 1.
pub fn listen_to(said: &[u8]) {
    let mut exchange = Exchange::of_process(ScriptedKernel(said), 1);
    let destination = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let key = SaKey { destination, protocol: Protocol::Esp, spi: EspSpi(NonZeroU32::MIN) };
    if let Ok(answer) = exchange.ask(sa::name(wire::GET, key))
        && let Some(message) = Message::parse(&answer)
    {
        let _ = (sa::counters(&message), sa::use_limit(&message), policy::index(&message));
        let _ = sa::other_ports(&message, 4500, 4501).finish(2, 1);
    }
    leftovers::remove(&mut exchange, SpiRange { min: 0xc000_0000, max: 0xcfff_ffff });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Writer;

    #[test]
    fn whatever_is_said_and_wherever_it_ends_is_survived() {
        let mut said = Vec::new();
        for (sequence, kind) in [(1, wire::GET), (1, wire::SPDDUMP), (0, wire::SPDDUMP), (0, wire::DUMP)] {
            let mut message = Writer::message(kind, wire::SATYPE_ESP);
            message.host(wire::X_ADDRESS_DST, IpAddr::V4(Ipv4Addr::LOCALHOST));
            message.extension(wire::X_SA, &[0; 12]).extension(wire::X_LIFETIME_HARD, &[0; 28]);
            message.extension(wire::X_POLICY, &[0; 12]);
            let message = message.finish(sequence, 1);
            said.extend(u16::try_from(message.len()).unwrap().to_le_bytes());
            said.extend(message.iter());
        }
        for cut in 0..=said.len() {
            listen_to(&said[..cut]);
            let mut bent = said.clone();
            if let Some(octet) = bent.get_mut(cut) {
                *octet ^= 0xff;
            }
            listen_to(&bent);
        }
    }
}
