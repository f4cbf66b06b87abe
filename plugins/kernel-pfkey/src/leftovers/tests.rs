use std::collections::VecDeque;
use std::io;

use charon_types::id::Reqid;
use charon_types::kernel_op::Mode;
use charon_types::proposal::Protocol;

use super::*;
use crate::wire::KeyWriter;

const SPIS: SpiRange = SpiRange { min: 0xc000_0000, max: 0xcfff_ffff };

/// A kernel that lists what it was given and agrees to everything else.
#[derive(Default)]
struct Listing {
    policies: Vec<Writer>,
    sas: Vec<Writer>,
    answers: VecDeque<Vec<u8>>,
    deleted: Vec<(u8, u32)>,
}

impl Transport for Listing {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let asked = Message::parse(message).unwrap();
        let listed = match (asked.kind, asked.satype) {
            (wire::SPDDUMP, _) => std::mem::take(&mut self.policies),
            (wire::DUMP, wire::SATYPE_ESP) => std::mem::take(&mut self.sas),
            (wire::DUMP, _) => Vec::new(),
            _ => {
                let number = policy::identity(&asked).map(|(number, ..)| number).or_else(|| sa::spi(&asked));
                self.deleted.push((asked.kind, number.unwrap()));
                self.answers.push_back(message.to_vec());
                return Ok(());
            }
        };
        if listed.is_empty() {
            let mut nothing = message.to_vec();
            nothing[2] = u8::try_from(ENOENT).unwrap();
            self.answers.push_back(nothing);
        }
        let last = listed.len();
        for (number, one) in listed.into_iter().enumerate() {
            let number = if number + 1 == last { 0 } else { u32::try_from(number + 1).unwrap() };
            let mut one = one.finish(number, asked.pid).to_vec();
            one[1] = asked.kind;
            self.answers.push_back(one);
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let answer = self.answers.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        buffer[..answer.len()].copy_from_slice(&answer);
        Ok(answer.len())
    }
}

fn known(spi: u32, state: u8, use_limit: u64) -> Writer {
    let mut message = Writer::message(wire::DUMP, wire::SATYPE_ESP);
    let mut value = Writer::new();
    value.be32(spi).u8(32).u8(state).zeros(6);
    message.extension(wire::X_SA, value.as_bytes());
    let mut hard = Writer::new();
    hard.u32(0).u64(0).u64(0).u64(use_limit);
    message.extension(wire::X_LIFETIME_HARD, hard.as_bytes());
    message.host(wire::X_ADDRESS_DST, [192, 0, 2, 2].into());
    message
}

fn policy(class: PolicyClass, priority: u32, destination: TrafficSelector) -> Policy {
    Policy {
        direction: PolicyDirection::Out,
        source: TrafficSelector::subnet([10, 1, 0, 0].into(), 16),
        destination,
        action: PolicyAction::Protect {
            source: [192, 0, 2, 1].into(),
            destination: [192, 0, 2, 2].into(),
            protocol: Protocol::Esp,
            mode: Mode::Tunnel,
            reqid: Reqid(NonZeroU32::MIN),
            spi: None,
        },
        class,
        priority,
        mark: Mark::default(),
        if_id: IfId::default(),
        interface: None,
    }
}

/// A policy as we install it, listed under that number; `more` is added to its priority.
fn installed(wanted: &Policy, number: u32, more: u32) -> Writer {
    let ours = policy::message(wanted, wire::SPDADD).unwrap().finish(0, 0);
    let ours = Message::parse(&ours).unwrap();
    let mut listed = Writer::message(wire::SPDDUMP, wire::SATYPE_UNSPEC);
    for (kind, value) in ours.extensions() {
        let mut value = value.to_vec();
        if kind == wire::X_POLICY {
            let priority = u32::from_ne_bytes(value[8..12].try_into().unwrap()) + more;
            value[4..8].copy_from_slice(&number.to_ne_bytes());
            value[8..12].copy_from_slice(&priority.to_ne_bytes());
        }
        listed.extension(kind, &value);
    }
    listed
}

#[test]
fn what_bears_our_marks_goes_and_what_is_others_stays() {
    let net = TrafficSelector::subnet([10, 2, 0, 0].into(), 16);
    let web = net.with_ports(6, 80, 80);
    let kernel = Listing {
        sas: vec![
            known(0x1111_1111, 1, USE_LIMIT_MARK),
            known(0x2222_2222, 1, 0),
            known(0xc000_0001, 0, 0),
            known(0xc000_0002, 1, 0),
            known(0x3333_3333, 0, 0),
        ],
        policies: vec![
            installed(&policy(PolicyClass::Regular, 0, net), 1, 0),
            installed(&policy(PolicyClass::Trap, 0, web), 2, 0),
            installed(&policy(PolicyClass::Shunt, 0, net), 3, 0),
            // As strongSwan would install them; one with a fixed priority; one behind all.
            installed(&policy(PolicyClass::Regular, 0, net), 4, 2),
            installed(&policy(PolicyClass::Trap, 0, web), 5, 2),
            installed(&policy(PolicyClass::Regular, 7, net), 6, 0),
            installed(&policy(PolicyClass::Regular, 0x8000_0000, net), 7, 0),
        ],
        ..Listing::default()
    };
    let mut exchange = Exchange::new(kernel);
    assert_eq!(remove(&mut exchange, SPIS), Removed { sas: 2, policies: 3 });
    let deleted = &exchange.into_transport().deleted;
    let expected = [
        (wire::SPDDELETE2, 1),
        (wire::SPDDELETE2, 2),
        (wire::SPDDELETE2, 3),
        (wire::DELETE, 0x1111_1111),
        (wire::DELETE, 0xc000_0001),
    ];
    assert_eq!(*deleted, expected);
}

#[test]
fn an_empty_kernel_has_nothing_to_remove() {
    assert_eq!(remove(&mut Exchange::new(Listing::default()), SPIS), Removed::default());
}
