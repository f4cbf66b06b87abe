//! What a seed stands for, before anything happens: connections, network, temper of the kernels.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::{
    Action, AuthConfig, AuthMethod, ChildConfig, Childless, Connection, Fragmentation, IkeConfig, IkeVersion,
    Revocation, SendCert, Toggle, Unique,
};
use charon_types::id::{IfId, Mark};
use charon_types::identity::Identity;
use charon_types::kernel_op::{Mode, SaOptions};
use charon_types::lifetime::{ChildLifetime, IkeLifetime};
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
    /// Of A and of B.
    pub connections: [Arc<Connection>; 2],
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Nothing goes wrong, nothing is terminated: every command must succeed.
    Gentle,
    /// Commands only.
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
        let steps = 3 + chance.below(20);
        let shared = Shared::draw(chance, temper);
        let connections = [Side::A, Side::B].map(|side| Arc::new(shared.connection(side, chance)));
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
            connections,
        }
    }
}

/// What both sides have in common.
struct Shared {
    temper: Temper,
    mode: Mode,
    encap: Toggle,
    unique: Unique,
    ike_proposals: &'static [&'static str],
    esp_proposals: &'static [&'static str],
}

impl Shared {
    fn draw(chance: &mut Chance, temper: Temper) -> Self {
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
            unique: *chance.pick(uniques).expect("there are some"),
            ike_proposals: chance.pick(&IKE_PROPOSALS).expect("there are some"),
            esp_proposals: chance.pick(&ESP_PROPOSALS).expect("there are some"),
        }
    }

    fn connection(&self, side: Side, chance: &mut Chance) -> Connection {
        // In a third of all histories the sides are configured differently, and mostly compatibly.
        let ike = if self.temper != Temper::Gentle && chance.percent(33) {
            chance.pick(&IKE_PROPOSALS).expect("there are some")
        } else {
            self.ike_proposals
        };
        let names = ["a.example.org", "b.example.org"];
        let (own, other) = match side {
            Side::A => (names[0], names[1]),
            Side::B => (names[1], names[0]),
        };
        Connection {
            vrouter: None,
            name: "conn".into(),
            ike: IkeConfig {
                version: IkeVersion::V2,
                local_addrs: Vec::new(),
                remote_addrs: Vec::new(),
                local_port: 500,
                remote_port: 500,
                proposals: proposals(Protocol::Ike, ike),
                encap: self.encap,
                mobike: Toggle::Disabled,
                dpd_delay: Duration::from_secs(15 + chance.below(45)),
                dpd_timeout: Duration::ZERO,
                fragmentation: Fragmentation::Yes,
                childless: if chance.percent(50) { Childless::Allow } else { Childless::Prefer },
                send_certreq: Toggle::Disabled,
                send_cert: SendCert::Never,
                keyingtries: 1,
                unique: self.unique,
                dscp: 0,
                lifetime: IkeLifetime {
                    rekey_time: Duration::ZERO,
                    reauth_time: Duration::ZERO,
                    over_time: Duration::ZERO,
                    rand_time: Duration::ZERO,
                },
                vips: Vec::new(),
                pools: Vec::new(),
            },
            local: vec![auth(own)],
            remote: vec![auth(other)],
            children: (0..CHILDREN).map(|number| Arc::new(self.child(side, number))).collect(),
        }
    }

    fn child(&self, side: Side, number: u8) -> ChildConfig {
        let net = |site: u8| format!("10.{site}.{number}.0/24").parse().expect("a subnet");
        let (local_ts, remote_ts) = match (self.mode, side) {
            (Mode::Transport, _) => ("dynamic".parse(), "dynamic".parse()),
            (_, Side::A) => (Ok(net(1)), Ok(net(2))),
            (_, Side::B) => (Ok(net(2)), Ok(net(1))),
        };
        ChildConfig {
            name: format!("net{number}").into(),
            proposals: proposals(Protocol::Esp, self.esp_proposals),
            local_ts: vec![local_ts.expect("a selector")],
            remote_ts: vec![remote_ts.expect("a selector")],
            mode: self.mode,
            lifetime: ChildLifetime::default(),
            start_action: Action::default(),
            close_action: Action::default(),
            dpd_action: Action::default(),
            inactivity: Duration::ZERO,
            reqid: 0,
            priority: 0,
            interface: None,
            mark_in: Mark::default(),
            mark_out: Mark::default(),
            mark_in_sa: Toggle::Disabled,
            if_id_in: IfId::default(),
            if_id_out: IfId::default(),
            replay_window: None,
            policies: Toggle::Enabled,
            updown: None,
            hostaccess: Toggle::Disabled,
            sa_options: SaOptions::default(),
            set_mark_in: Mark::default(),
            set_mark_out: Mark::default(),
        }
    }
}

fn auth(name: &str) -> AuthConfig {
    AuthConfig {
        method: AuthMethod::Psk,
        id: Some(Identity::parse(name).expect("a name")),
        certs: Vec::new(),
        cacerts: Vec::new(),
        revocation: Revocation::Relaxed,
        order: Vec::new(),
    }
}

fn proposals(protocol: Protocol, texts: &[&str]) -> Vec<Proposal> {
    texts.iter().map(|text| Proposal::parse(protocol, text).expect("a proposal")).collect()
}
