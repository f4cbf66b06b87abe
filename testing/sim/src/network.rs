//! A network that loses, delays, reorders and repeats, perhaps with a NAT in front of A.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use charon_types::endpoint::Path;
use charon_types::id::{IkeSpi, MessageId, Role};
use ikev2_proto::wire::{ExchangeType, Header, Message, MessageKind, NotifyType, Payload, PayloadType};

use crate::Side;
use crate::chance::Chance;
use crate::scenario::{Nat, Scenario};

/// Address of A as B sees it, with a NAT between.
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
/// Datagrams kept for repetition.
const KEPT_MAX: usize = 4096;

/// Own address of a host.
#[must_use]
pub fn address(side: Side) -> IpAddr {
    match side {
        Side::A => Ipv4Addr::new(192, 0, 2, 1).into(),
        Side::B => Ipv4Addr::new(192, 0, 2, 2).into(),
    }
}

/// See the module.
pub struct Network {
    scenario: Scenario,
    chance: Chance,
    healed: bool,
    cut_until: Option<Instant>,
    /// The NAT adds this to A's ports.
    port_shift: u16,
    kept: Vec<Sent>,
    said: HashMap<Saying, Vec<u8>>,
    count: usize,
    violations: Vec<String>,
}

/// A datagram as sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Who sent it.
    pub from: Side,
    /// As the sender saw it.
    pub path: Path,
    /// Without non-ESP marker.
    pub octets: Vec<u8>,
}

/// A datagram on its way.
#[derive(Clone, Debug)]
pub struct Flight {
    /// When it arrives.
    pub at: Instant,
    /// Who receives it.
    pub to: Side,
    /// As the receiver sees it.
    pub path: Path,
    /// Without non-ESP marker.
    pub octets: Vec<u8>,
}

/// What must be said in the same words whenever it is said again.
type Saying = (Side, IkeSpi, Option<IkeSpi>, ExchangeType, Role, MessageKind, MessageId, u16);

impl Network {
    /// Nothing on its way.
    #[must_use]
    pub fn new(scenario: Scenario, chance: Chance) -> Self {
        Self {
            scenario,
            chance,
            healed: false,
            cut_until: None,
            port_shift: 10_000,
            kept: Vec::new(),
            said: HashMap::new(),
            count: 0,
            violations: Vec::new(),
        }
    }

    /// From now on nothing goes wrong.
    pub const fn heal(&mut self) {
        self.healed = true;
        self.cut_until = None;
    }

    /// Nothing gets through until then.
    pub const fn cut(&mut self, until: Instant) {
        self.cut_until = Some(until);
    }

    /// The NAT forgets A's ports and gives it others.
    pub const fn rebind(&mut self) {
        self.port_shift += 100;
    }

    /// Datagrams sent by the hosts.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Datagrams sent before, to send again.
    #[must_use]
    pub fn kept(&self) -> &[Sent] {
        &self.kept
    }

    /// What should not have been sent.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// A host sends.
    pub fn send(&mut self, now: Instant, sent: Sent) -> Vec<Flight> {
        self.count += 1;
        self.examine(&sent);
        if self.kept.len() < KEPT_MAX {
            self.kept.push(sent.clone());
        }
        let lost = !self.healed && self.chance.percent(self.scenario.loss_percent);
        if lost || self.cut_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        let twice = !self.healed && self.chance.percent(self.scenario.duplicate_percent);
        (0..=u8::from(twice)).filter_map(|_| self.carry(now, &sent)).collect()
    }

    /// Carries a datagram, whoever made it.
    pub fn carry(&mut self, now: Instant, sent: &Sent) -> Option<Flight> {
        let jitter = if self.healed { Duration::ZERO } else { self.scenario.jitter };
        let at = now + self.scenario.delay + self.chance.duration(jitter);
        let path = self.translate(sent)?;
        Some(Flight { at, to: sent.from.other(), path, octets: sent.octets.clone() })
    }

    /// The path as the receiver sees it; `None` if nobody is there.
    fn translate(&self, sent: &Sent) -> Option<Path> {
        let mut seen = Path { local: sent.path.remote, remote: sent.path.local };
        match (self.scenario.nat, sent.from) {
            (Nat::None, _) => {}
            (Nat::BeforeA, Side::A) => {
                seen.remote = SocketAddr::new(OUTSIDE, sent.path.local.port() + self.port_shift);
            }
            (Nat::BeforeA, Side::B) => {
                if sent.path.remote.ip() != OUTSIDE {
                    return None;
                }
                let port = sent.path.remote.port().checked_sub(self.port_shift)?;
                seen.local = SocketAddr::new(address(Side::A), port);
            }
        }
        (seen.local.ip() == address(sent.from.other())).then_some(seen)
    }

    /// Nothing but IKE_SA_INIT goes in clear, and whatever is said again is said in the same words.
    fn examine(&mut self, sent: &Sent) {
        let header = match Header::parse(&sent.octets) {
            Ok(header) => header,
            Err(error) => {
                return self.violations.push(format!("{:?} sent a malformed message: {error}", sent.from));
            }
        };
        let fragment = match header.next_payload {
            PayloadType::SK => 0,
            PayloadType::SKF => {
                sent.octets.get(32..34).map_or(0, |number| u16::from_be_bytes([number[0], number[1]]))
            }
            _ if speaks_of_version(&sent.octets) => return,
            _ if header.exchange == ExchangeType::IKE_SA_INIT => 0,
            _ => {
                let what = format!("{:?} sent {} in clear", sent.from, header.exchange);
                return self.violations.push(what);
            }
        };
        // An IPv4 and a UDP header go around it.
        if is_encrypted(&header) && sent.octets.len() + 28 > usize::from(self.scenario.fragment_size) {
            let what = format!("{:?} sent {} octets, more than a fragment", sent.from, sent.octets.len());
            self.violations.push(what);
        }
        // Before the responder has state, cookies and other key exchange methods change the message.
        if header.spi_responder.is_none() {
            return;
        }
        let saying = (
            sent.from,
            header.spi_initiator,
            header.spi_responder,
            header.exchange,
            header.sender,
            header.kind,
            header.message_id,
            fragment,
        );
        let known = self.said.entry(saying).or_insert_with(|| sent.octets.clone());
        if *known != sent.octets {
            let what = format!(
                "{:?} said {} {:?} {} in two ways",
                sent.from, header.exchange, header.kind, header.message_id
            );
            self.violations.push(what);
        }
    }
}

fn is_encrypted(header: &Header) -> bool {
    matches!(header.next_payload, PayloadType::SK | PayloadType::SKF)
}

/// Whether it is what a request of a later major version hears (RFC 7296 §2.5).
fn speaks_of_version(octets: &[u8]) -> bool {
    Message::parse(octets).is_ok_and(|message| {
        message.header.kind == MessageKind::Response
            && matches!(&message.payloads[..], [Payload::Notify(notify)]
                if notify.kind == NotifyType::INVALID_MAJOR_VERSION)
    })
}
