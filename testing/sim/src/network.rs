//! A network that loses, delays, reorders and repeats, perhaps with a NAT in front of A. Hosts come and go at addresses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use charon_types::endpoint::Path;
use charon_types::id::{IkeSpi, MessageId, Role};
use ikev2_proto::wire::{ExchangeType, Header, Message, MessageKind, NotifyType, Payload, PayloadType};

use crate::Side;
use crate::chance::Chance;
use crate::scenario::{Nat, Scenario, Temper};

/// Address of A as B sees it, with a NAT between.
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
/// Datagrams kept for repetition.
const KEPT_MAX: usize = 4096;

/// Addresses that a host may have had; it never comes back to one.
const ADDRESSES_MAX: u8 = 30;

/// The address of a host after it has moved that often.
#[must_use]
pub fn address(side: Side, moves: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, 1 + side.index() + 8 * moves.min(ADDRESSES_MAX)).into()
}

/// Whose address it is or was, as the others see it.
#[must_use]
pub fn owner(address: IpAddr) -> Option<Side> {
    match address {
        IpAddr::V4(known) if known.octets()[..3] == [192, 0, 2] => {
            let place = known.octets()[3].checked_sub(1)? % 8;
            Side::ALL.get(usize::from(place)).copied()
        }
        _ => (address == OUTSIDE).then_some(Side::A),
    }
}

/// See the module.
pub struct Network {
    scenario: Scenario,
    chance: Chance,
    healed: bool,
    /// Who is cut off and until when; nobody named: everybody.
    cuts: Vec<(Option<Side>, Instant)>,
    /// What the NAT in front of A knows: from where inside to which port outside.
    mappings: Vec<(SocketAddr, u16)>,
    next_port: u16,
    /// Where hosts are now.
    addresses: Vec<(Side, IpAddr)>,
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
            cuts: Vec::new(),
            mappings: Vec::new(),
            next_port: 10_000,
            addresses: Vec::new(),
            kept: Vec::new(),
            said: HashMap::new(),
            count: 0,
            violations: Vec::new(),
        }
    }

    /// From now on nothing goes wrong.
    pub fn heal(&mut self) {
        self.healed = true;
        self.cuts.clear();
    }

    /// Nothing gets through until then, to and from that host or at all.
    pub fn cut(&mut self, side: Option<Side>, until: Instant) {
        self.cuts.push((side, until));
    }

    /// The NAT forgets all of A's ports.
    pub fn rebind(&mut self) {
        self.mappings.clear();
    }

    /// Where a host is from now on.
    pub fn settle_at(&mut self, side: Side, addresses: &[IpAddr]) {
        self.addresses.retain(|(who, _)| *who != side);
        self.addresses.extend(addresses.iter().map(|address| (side, *address)));
    }

    /// Whether a host is there.
    #[must_use]
    pub fn is_at(&self, side: Side, address: IpAddr) -> bool {
        self.addresses.contains(&(side, address))
    }

    /// A keepalive leaves a host: its NAT remembers it.
    pub fn keep_alive(&mut self, side: Side, path: Path) {
        if side == Side::A && self.scenario.nat == Nat::BeforeA && self.is_at(side, path.local.ip()) {
            self.outside_port(path.local);
        }
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
        let to = owner(sent.path.remote.ip());
        let severed = |(side, until): &(Option<Side>, Instant)| {
            now < *until && side.is_none_or(|side| side == sent.from || Some(side) == to)
        };
        if lost || self.cuts.iter().any(severed) {
            return Vec::new();
        }
        let twice = !self.healed && self.chance.percent(self.scenario.duplicate_percent);
        (0..=u8::from(twice)).filter_map(|_| self.carry(now, &sent)).collect()
    }

    /// Carries a datagram, whoever made it.
    pub fn carry(&mut self, now: Instant, sent: &Sent) -> Option<Flight> {
        let jitter = if self.healed { Duration::ZERO } else { self.scenario.jitter };
        let at = now + self.scenario.delay + self.chance.duration(jitter);
        if !self.is_at(sent.from, sent.path.local.ip()) {
            return None;
        }
        let path = self.translate(sent)?;
        Some(Flight { at, to: owner(path.local.ip())?, path, octets: sent.octets.clone() })
    }

    /// The path as the receiver sees it; `None` if nobody is there.
    fn translate(&mut self, sent: &Sent) -> Option<Path> {
        let mut seen = Path { local: sent.path.remote, remote: sent.path.local };
        if self.scenario.nat == Nat::BeforeA {
            if sent.from == Side::A {
                seen.remote = SocketAddr::new(OUTSIDE, self.outside_port(sent.path.local));
            } else if owner(sent.path.remote.ip()) == Some(Side::A) {
                let port = sent.path.remote.port();
                let known = self.mappings.iter().find(|(_, outside)| *outside == port);
                seen.local = known.filter(|_| sent.path.remote.ip() == OUTSIDE)?.0;
            }
        }
        owner(seen.local.ip()).is_some_and(|side| self.is_at(side, seen.local.ip())).then_some(seen)
    }

    fn outside_port(&mut self, inside: SocketAddr) -> u16 {
        if let Some((_, port)) = self.mappings.iter().find(|(known, _)| *known == inside) {
            return *port;
        }
        self.next_port += 1;
        self.mappings.push((inside, self.next_port));
        self.next_port
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
        // An IPv4 and a UDP header go around it. A forged answer to IKE_SA_INIT may tell that the peer takes no fragments.
        let deceived = header.exchange == ExchangeType::IKE_AUTH && self.scenario.temper >= Temper::Hostile;
        if is_encrypted(&header)
            && !deceived
            && sent.octets.len() + 28 > usize::from(self.scenario.fragment_size)
        {
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
