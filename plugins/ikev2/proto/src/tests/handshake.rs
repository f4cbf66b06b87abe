//! From nothing to a tunnel.

use std::time::Duration;

use charon_types::connection::AuthMethod;
use charon_types::id::UniqueId;
use charon_types::kernel_op::{Direction, Encap};
use charon_types::snapshot::IkeSaState;

use super::pair::{Pair, Seen, Side};
use super::world::{World, auth, connection};
use crate::output::CommandSuccess;

pub(super) const A_NETS: (&str, &str) = ("10.1.0.0/16", "10.2.0.0/16");
pub(super) const B_NETS: (&str, &str) = ("10.2.0.0/16", "10.1.0.0/16");

/// Two hosts that share a key.
pub(super) fn psk_pair() -> Pair {
    let (moon, sun) = ("moon.example.org", "sun.example.org");
    let psk = |name| auth(AuthMethod::Psk, Some(name));
    let mut a = World::new(connection("gw", psk(moon), psk(sun), A_NETS));
    let mut b = World::new(connection("gw", psk(sun), psk(moon), B_NETS));
    a.share(moon, sun, b"a shared secret");
    b.share(sun, moon, b"a shared secret");
    Pair::new(a, b)
}

pub(super) const SOON: Duration = Duration::from_secs(2);

#[test]
fn hosts_with_a_shared_key_establish_a_tunnel() {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    assert_eq!(
        pair.a.events,
        [
            Seen::Established,
            Seen::ChildInstalled,
            Seen::Done(1, Ok(CommandSuccess::ChildInstalled(UniqueId(1)))),
        ]
    );
    assert_eq!(pair.b.events, [Seen::Established, Seen::ChildInstalled]);
    assert_eq!(pair.sent.len(), 4, "two exchanges");
    for side in [Side::A, Side::B] {
        let snapshot = pair.snapshot(side);
        assert_eq!(snapshot.state, IkeSaState::Established);
        assert_eq!(snapshot.children.len(), 1);
        assert_eq!(snapshot.nat.any(), false);
    }
    assert_keys_agree(&pair);
}

/// What one side sends with, the other receives with.
pub(super) fn assert_keys_agree(pair: &Pair) {
    assert_eq!(pair.a.kernel.sas.len(), 2);
    assert_eq!(pair.b.kernel.sas.len(), 2);
    for sa in &pair.a.kernel.sas {
        let twin =
            pair.b.kernel.sas.iter().find(|twin| twin.spi == sa.spi).expect("the same SPI on both sides");
        assert_ne!(twin.direction, sa.direction);
        assert_eq!(twin.encryption, sa.encryption);
        assert_eq!(twin.integrity, sa.integrity);
        assert_eq!((&twin.source_ts, &twin.destination_ts), (&sa.source_ts, &sa.destination_ts));
        assert_eq!((twin.encap, twin.mode, twin.esn), (sa.encap, sa.mode, sa.esn));
    }
    let inbound = pair.a.kernel.sas.iter().find(|sa| sa.direction == Direction::Inbound).unwrap();
    assert_eq!(inbound.encap == Encap::Udp, inbound.destination.port() == 4500);
}
