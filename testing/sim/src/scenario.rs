//! What a seed stands for, before anything happens: connections, network, temper of the kernels.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::{
    AuthConfig, AuthMethod, ChildConfig, Childless, Connection, IkeConfig, IkeVersion, SendCert, Toggle,
    Unique,
};
use charon_types::identity::Identity;
use charon_types::kernel_op::Mode;
use charon_types::lifetime::{ChildLifetime, IkeLifetime, Limit};
use charon_types::proposal::{Proposal, Protocol};

use crate::Side;
use crate::chance::Chance;

/// Children of each connection.
const CHILDREN: u8 = 3;
const IKE_PROPOSALS: [&[&str]; 4] = [
    &["aes256gcm16-prfsha256-x25519"],
    &["aes256-sha256-prfsha256-x25519"],
    &["aes256gcm16-prfsha256-ecp256-x25519", "aes256-sha256-prfsha256-x25519"],
    &["aes256gcm16-prfsha256-x25519-ecp256"],
];
const ESP_PROPOSALS: [&[&str]; 4] = [
    &["aes256gcm16"],
    &["aes256gcm16-x25519"],
    &["aes256-sha256-esn"],
    &["aes256gcm16-ecp256-x25519", "aes256gcm16"],
];

/// See the module.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Datagrams lost, percent.
    pub loss_percent: u64,
    /// Datagrams delivered twice, percent.
    pub duplicate_percent: u64,
    /// Least time that a datagram takes.
    pub delay: Duration,
    /// Up to that much more: reorders.
    pub jitter: Duration,
    /// Whether A sits behind a NAT.
    pub nat: Nat,
    /// Up to that long kernels and jobs take.
    pub latency: Duration,
    /// How many things are done.
    pub steps: u64,
    /// What may be done beside commands.
    pub temper: Temper,
    /// Size of fragments, as an IP packet.
    pub fragment_size: u16,
    /// Whether each host has the new IKE_SA first when it reauthenticates, by place.
    pub make_before_break: Vec<Toggle>,
    /// Of each host, by place: to whom.
    pub connections: Vec<Vec<(Side, Arc<Connection>)>>,
}

/// Whether there is a NAT in front of A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// None.
    None,
    /// In front of A.
    BeforeA,
}

/// What the world does to the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Temper {
    /// Nothing goes wrong, nothing is terminated: every command must succeed.
    Gentle,
    /// Commands, reloads and moves only.
    Calm,
    /// Partitions, forged and repeated datagrams, too.
    Hostile,
    /// Reboots and failing kernels as well.
    Broken,
}

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn draw(chance: &mut Chance) -> Self {
        let mut one_of = |values: &[u64]| *chance.pick(values).expect("values are given");
        let loss_percent = one_of(&[0, 0, 5, 20, 40]);
        let duplicate_percent = one_of(&[0, 10, 30]);
        let delay = Duration::from_millis(one_of(&[1, 20, 200]));
        let jitter = Duration::from_millis(one_of(&[0, 50, 3000]));
        let latency = Duration::from_millis(one_of(&[0, 5, 300]));
        let nat = if one_of(&[0, 0, 1]) == 1 { Nat::BeforeA } else { Nat::None };
        let temper =
            [Temper::Calm, Temper::Hostile, Temper::Broken][usize::try_from(one_of(&[0, 1, 2])).unwrap_or(0)];
        let fragment_size = if one_of(&[0, 1]) == 0 { 1280 } else { 200 };
        let hosts = usize::try_from(one_of(&[2, 2, 2, 2, 3, 4, 5])).unwrap_or(2);
        let mesh = one_of(&[0, 1]) == 1;
        let steps = 3 + chance.below(20);
        let sides = &Side::ALL[..hosts];
        let mut connections = vec![Vec::new(); hosts];
        for (at, one) in sides.iter().copied().enumerate() {
            for other in sides[at + 1..].iter().copied() {
                if mesh || [one, other].contains(&Side::B) {
                    let shared = Shared::draw(chance, temper, hosts);
                    for (own, peer) in [(one, other), (other, one)] {
                        let connection = Arc::new(shared.connection(own, peer, chance));
                        connections[own.place()].push((peer, connection));
                    }
                }
            }
        }
        let make_before_break = sides.iter().map(|_| Toggle::from(chance.percent(50))).collect();
        Self {
            loss_percent: if temper == Temper::Gentle { 0 } else { loss_percent },
            duplicate_percent,
            delay,
            jitter,
            nat,
            latency,
            steps,
            temper,
            fragment_size,
            make_before_break,
            connections,
        }
    }

    /// Its hosts.
    #[must_use]
    pub fn sides(&self) -> &'static [Side] {
        &Side::ALL[..self.connections.len()]
    }
}

/// What both sides have in common.
struct Shared {
    temper: Temper,
    mode: Mode,
    encap: Toggle,
    mobike: Toggle,
    unique: Unique,
    lifetimes: Lifetimes,
    ike_proposals: &'static [&'static str],
    esp_proposals: &'static [&'static str],
}

/// How often what is due to time is due.
#[derive(Clone, Copy)]
enum Lifetimes {
    /// Nothing is.
    None,
    /// At least so many seconds lie between.
    Least(u64),
}

impl Lifetimes {
    fn draw(chance: &mut Chance, hosts: usize) -> Self {
        match chance.below(3) {
            0 => Self::None,
            // Many IKE_SAs that are rekeyed all the time would never be at rest together.
            _ => Self::Least(if hosts == 2 { 80 } else { 400 }),
        }
    }

    fn of_ike(self, chance: &mut Chance) -> IkeLifetime {
        let Self::Least(least) = self else { return IkeLifetime::default() };
        let mut time = |percent| match chance.percent(percent) {
            true => Duration::from_secs(least + chance.below(300)),
            false => Duration::ZERO,
        };
        let (rekey_time, reauth_time) = (time(70), time(40));
        let over_time = Duration::from_secs(5 + chance.below(60));
        IkeLifetime { rekey_time, reauth_time, over_time, rand_time: over_time }
    }

    fn of_child(self, chance: &mut Chance) -> ChildLifetime {
        let Self::Least(least) = self else { return ChildLifetime::default() };
        if chance.percent(50) {
            return ChildLifetime::default();
        }
        let rekey = least + chance.below(300);
        let over = 5 + chance.below(30);
        let time = Limit { rekey, life: rekey + over, jitter: over };
        ChildLifetime { time, ..ChildLifetime::default() }
    }
}

impl Shared {
    fn draw(chance: &mut Chance, temper: Temper, hosts: usize) -> Self {
        let mode = if chance.percent(80) { Mode::Tunnel } else { Mode::Transport };
        let encap = Toggle::from(chance.percent(20));
        // What replaces or refuses is not gentle.
        let uniques: &[Unique] = match temper {
            Temper::Gentle => &[Unique::Never],
            _ => &[Unique::Never, Unique::No, Unique::Replace, Unique::Keep],
        };
        Self {
            temper,
            mode,
            encap,
            mobike: Toggle::from(chance.percent(50)),
            lifetimes: Lifetimes::draw(chance, hosts),
            unique: *chance.pick(uniques).expect("there are some"),
            ike_proposals: chance.pick(&IKE_PROPOSALS).expect("there are some"),
            esp_proposals: chance.pick(&ESP_PROPOSALS).expect("there are some"),
        }
    }

    fn connection(&self, side: Side, peer: Side, chance: &mut Chance) -> Connection {
        // In a third of all histories the sides are configured differently, and mostly compatibly.
        let ike = if self.temper != Temper::Gentle && chance.percent(33) {
            chance.pick(&IKE_PROPOSALS).expect("there are some")
        } else {
            self.ike_proposals
        };
        Connection {
            ike: IkeConfig {
                version: IkeVersion::V2,
                proposals: proposals(Protocol::Ike, ike),
                encap: self.encap,
                mobike: self.mobike,
                dpd_delay: Duration::from_secs(15 + chance.below(45)),
                childless: if chance.percent(50) { Childless::Allow } else { Childless::Prefer },
                send_certreq: Toggle::Disabled,
                send_cert: SendCert::Never,
                unique: self.unique,
                lifetime: self.lifetimes.of_ike(chance),
                ..IkeConfig::default()
            },
            local: vec![auth(&name(side))],
            remote: vec![auth(&name(peer))],
            children: (0..CHILDREN)
                .map(|number| Arc::new(self.child([side, peer], number, self.lifetimes.of_child(chance))))
                .collect(),
            ..Connection::new(format!("to-{peer:?}"))
        }
    }

    fn child(&self, [side, peer]: [Side; 2], number: u8, lifetime: ChildLifetime) -> ChildConfig {
        // Between each two hosts networks of their own.
        let net = |here: Side, there: Side| {
            let (here, there) = (here.index() + 1, there.index() + 1);
            format!("10.{here}.{}.0/24", 10 * there + number).parse().expect("a subnet")
        };
        let (local_ts, remote_ts) = match self.mode {
            Mode::Transport => ("dynamic".parse(), "dynamic".parse()),
            _ => (Ok(net(side, peer)), Ok(net(peer, side))),
        };
        ChildConfig {
            proposals: proposals(Protocol::Esp, self.esp_proposals),
            local_ts: vec![local_ts.expect("a selector")],
            remote_ts: vec![remote_ts.expect("a selector")],
            mode: self.mode,
            lifetime,
            ..ChildConfig::new(format!("net{number}"))
        }
    }
}

/// The identity of a host.
#[must_use]
pub fn name(side: Side) -> String {
    format!("{side:?}.example.org").to_lowercase()
}

fn auth(name: &str) -> AuthConfig {
    let id = Some(Identity::parse(name).expect("a name"));
    AuthConfig { method: AuthMethod::Psk, id, ..AuthConfig::default() }
}

fn proposals(protocol: Protocol, texts: &[&str]) -> Vec<Proposal> {
    texts.iter().map(|text| Proposal::parse(protocol, text).expect("a proposal")).collect()
}
