use charon_types::id::{IfId, Mark, Reqid};
use charon_types::kernel_op::{PolicyClass, PolicyDirection};
use charon_types::proposal::Protocol;
use charon_types::selector::TrafficSelector;
use std::num::NonZeroU32;

use super::*;
use crate::xfrm::wire::Messages;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn policy() -> Policy {
    Policy {
        direction: PolicyDirection::Out,
        source: TrafficSelector::subnet("10.1.0.0".parse().unwrap(), 16),
        destination: TrafficSelector::subnet("10.2.0.0".parse().unwrap(), 16),
        class: PolicyClass::default(),
        priority: 0,
        action: PolicyAction::Protect {
            source: "192.0.2.1".parse().unwrap(),
            destination: "192.0.2.2".parse().unwrap(),
            protocol: Protocol::Esp,
            mode: Mode::Tunnel,
            reqid: Reqid(NonZeroU32::new(7).unwrap()),
            spi: None,
        },
        mark: Mark::default(),
        if_id: IfId::default(),
        interface: None,
    }
}

fn resident() -> Resident {
    Resident {
        source: "192.0.2.1".parse().unwrap(),
        destination: "192.0.2.2".parse().unwrap(),
        protocol: 50,
        mode: 1,
        reqid: 7,
        encap: Encap::None,
    }
}

#[test]
fn the_request_names_the_policy_and_both_pairs_of_hosts() {
    let (source, destination) = (at("198.51.100.1:4500"), at("192.0.2.2:4500"));
    let datagram = resident().migrate(&policy(), source, destination, Encap::Udp).finish(1);
    let payload = Messages::new(&datagram).next().unwrap().payload.to_vec();
    assert_eq!(payload[..4], [10, 2, 0, 0], "the selector begins with where packets go");
    assert_eq!(payload[60], 1, "outbound");
    let attributes = Attributes::new(&payload[64..]);
    let moving = attributes.find(wire::A_MIGRATE).unwrap();
    assert_eq!(moving.len(), 76);
    let hosts: Vec<_> = moving[..64].chunks(16).map(|address| address[..4].to_vec()).collect();
    assert_eq!(hosts, [[192, 0, 2, 2], [192, 0, 2, 1], [192, 0, 2, 2], [198, 51, 100, 1]]);
    assert_eq!(moving[64..68], [50, 1, 0, 0]);
    assert_eq!(moving[68..72], 7_u32.to_ne_bytes());
    assert_eq!(moving[72..], [2_u16.to_ne_bytes(), 2_u16.to_ne_bytes()].concat());
    assert_eq!(attributes.find(wire::A_ENCAP).unwrap()[2..4], 4500_u16.to_be_bytes());
}

#[test]
fn only_an_sa_that_the_kernel_would_find_by_the_policy_moves_with_it() {
    let (source, destination) = (at("198.51.100.1:4500"), at("192.0.2.2:4500"));
    let moves = |sa: Resident, policy: &Policy| sa.moves_with(policy, source, destination, Encap::Udp);
    assert!(moves(resident(), &policy()));
    assert!(!moves(Resident { reqid: 8, ..resident() }, &policy()));
    assert!(!moves(Resident { mode: 0, ..resident() }, &policy()));
    assert!(!moves(Resident { source: "192.0.2.3".parse().unwrap(), ..resident() }, &policy()));
    assert!(!moves(resident(), &Policy { mark: Mark { value: 1, mask: 1 }, ..policy() }));
    assert!(!moves(resident(), &Policy { if_id: IfId(3), ..policy() }));
    assert!(!moves(resident(), &Policy { action: PolicyAction::Drop, ..policy() }));
    let encapsulated = Resident { encap: Encap::Udp, ..resident() };
    assert!(!encapsulated.moves_with(&policy(), source, destination, Encap::None), "none can be taken away");
    let here = (at("192.0.2.1:4501"), at("192.0.2.2:4500"));
    assert!(!encapsulated.moves_with(&policy(), here.0, here.1, Encap::Udp), "ports move by themselves");
}
