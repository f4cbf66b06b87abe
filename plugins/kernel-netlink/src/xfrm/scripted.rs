//! A kernel that says what it was given, for fuzzing: whatever comes, requests end and nothing panics.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::SystemTime;

use charon_core::kernel::{ScriptedKernel, SpiRange};
use charon_types::id::{EspSpi, Mark};
use charon_types::kernel_op::{Encap, SaKey};
use charon_types::proposal::Protocol;

use super::migrate::Resident;
use super::pipeline::Pipeline;
use super::wire::XfrmWriter;
use super::{leftovers, state, wire};

/// Asks about SAs, reads what is said of them, and removes leftovers, on a socket that says this.
pub fn listen_to(said: &[u8]) {
    let mut pipeline = Pipeline::new(ScriptedKernel(said));
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let spi = EspSpi(NonZeroU32::MIN);
    let question = || {
        let key = SaKey { destination: here, protocol: Protocol::Esp, spi };
        state::name(wire::GETSA, key, Mark::default())
    };
    for answer in pipeline.run(vec![question(), question(), question()]).into_iter().flatten() {
        let there = SocketAddr::new(here, 4500);
        let _ = state::spi(&answer);
        let _ = state::usage(&answer, SystemTime::UNIX_EPOCH);
        let _ = Resident::read(&answer).map(|resident| resident.neighbours().finish(1));
        let _ = state::moved(&answer, there, there, Encap::Udp).map(|request| request.finish(1));
    }
    leftovers::remove(&mut pipeline, SpiRange { min: 0xc000_0000, max: 0xcfff_ffff });
}

#[cfg(test)]
mod tests {
    use super::super::wire::Writer;
    use super::*;

    #[test]
    fn whatever_is_said_and_wherever_it_ends_is_survived() {
        let mut said = Vec::new();
        for (sequence, kind, len) in [(1, wire::NEWSA, 400), (2, wire::NEWSA, 224), (3, wire::NLMSG_ERROR, 4)]
        {
            let mut message = Writer::message(kind, 0);
            message.zeros(len);
            let message = message.finish(sequence);
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
