//! Case 40: no truncation and no single wrong bit of an advertisement makes a router panic or change its role.

use std::time::Duration;

use charon_types::Secret;
use vrrp_proto::config::Authentication;
use vrrp_proto::{RouterConfig, State, Version};

use crate::bench::{Dut, Packet, config, config_v6};

fn cases() -> Vec<(RouterConfig, Packet)> {
    let simple = Authentication::Simple(Secret::copy_from(b"secret12"));
    let signed = Packet { middle: [1, 1], auth_data: b"secret12".to_vec(), ..Packet::v2(150) };
    vec![
        (config(Version::V2), Packet::v2(150)),
        (config(Version::V2), Packet::v2(0)),
        (RouterConfig { authentication: simple, ..config(Version::V2) }, signed),
        (config(Version::V3), Packet::v3(150)),
        (config(Version::V3), Packet { pseudo_header: true, ..Packet::v3(150) }),
        (config_v6(), Packet::v6(150)),
    ]
}

#[test]
fn truncations_and_flipped_bits_change_nothing() {
    for (config, packet) in cases() {
        let octets = packet.octets();
        for mut dut in [Dut::up(config.clone()), Dut::active(config.clone())] {
            let state = dut.router.state();
            for len in 0..octets.len() {
                dut.ignores_raw(&packet, &octets[..len]);
                dut.advance(Duration::ZERO);
                keep(&mut dut, &packet, state);
            }
            for bit in 0..octets.len() * 8 {
                let mut flipped = octets.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                dut.ignores_raw(&packet, &flipped);
                keep(&mut dut, &packet, state);
            }
        }
    }
}

/// A Backup hears a whole advertisement, so that it stays one.
fn keep(dut: &mut Dut, packet: &Packet, state: State) {
    assert_eq!(dut.router.state(), state);
    if state == State::Backup {
        dut.hear(&Packet { priority: 150, ..packet.clone() }).unwrap();
    }
}
