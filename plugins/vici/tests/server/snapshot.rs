//! Recorded SAs as the snapshots that an engine would make of them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use charon_types::algorithm::{EncryptionId, Esn, IntegrityId, KeMethod, PrfId};
use charon_types::endpoint::Path;
use charon_types::id::{EspSpi, IfId, IkeSpi, Mark, Reqid, Role, UniqueId};
use charon_types::identity::Identity;
use charon_types::kernel_op::{Encap, Mode, SaUsage};
use charon_types::proposal::{ChildSuite, IkeSuite, Protocol};
use charon_types::selector::{SelectorPattern, TrafficSelector};
use charon_types::services::ServiceNames;
use charon_types::snapshot::{
    ChildSaSnapshot, ChildSaState, IkeSaSnapshot, IkeSaState, InstalledSa, NatConditions,
};
use charon_types::tag::IfIds;
use vici::Section;

pub(crate) fn ike_sa(name: &str, sa: Section<'_>) -> IkeSaSnapshot {
    let text = |key: &str| sa.text(key).unwrap_or_default();
    let endpoint =
        |host: &str, port: &str| SocketAddr::new(text(host).parse().unwrap(), text(port).parse().unwrap());
    let yes = |key: &str| sa.text(key) == Some("yes");
    let tasks = |key: &str| match sa.list(key) {
        Some(list) => list.texts().map(|task| &*Box::leak(task.to_owned().into_boxed_str())).collect(),
        None => Vec::new(),
    };
    let addresses = |key: &str| -> Vec<IpAddr> {
        sa.list(key)
            .map_or_else(Vec::new, |list| list.texts().map(|address| address.parse().unwrap()).collect())
    };
    IkeSaSnapshot {
        name: name.into(),
        unique_id: UniqueId(text("uniqueid").parse().unwrap()),
        state: named(IKE_STATES, |state| state.name(), text("state")),
        path: Path {
            local: endpoint("local-host", "local-port"),
            remote: endpoint("remote-host", "remote-port"),
        },
        local_id: Identity::parse(text("local-id")).unwrap(),
        remote_id: Identity::parse(text("remote-id")).unwrap(),
        role: if yes("initiator") { Role::Initiator } else { Role::Responder },
        spi_initiator: ike_spi(text("initiator-spi")),
        spi_responder: ike_spi(text("responder-spi")),
        nat: NatConditions { local: yes("nat-local"), remote: yes("nat-remote"), fake: yes("nat-fake") },
        suite: sa.text("encr-alg").map(|encryption| IkeSuite {
            encryption: by_text(EncryptionId::NAMED, encryption),
            key_bits: sa.text("encr-keysize").map(|bits| bits.parse().unwrap()),
            integrity: sa.text("integ-alg").map(|name| by_text(IntegrityId::NAMED, name)),
            prf: by_text(PrfId::NAMED, text("prf-alg")),
            ke: by_text(KeMethod::NAMED, text("dh-group")),
        }),
        established: seconds(sa, "established"),
        rekey_in: sa.text("rekey-time").map(|time| time.parse().unwrap()),
        reauth_in: sa.text("reauth-time").map(|time| time.parse().unwrap()),
        local_vips: addresses("local-vips"),
        remote_vips: addresses("remote-vips"),
        if_ids: IfIds::default(),
        tasks_queued: tasks("tasks-queued"),
        tasks_active: tasks("tasks-active"),
        tasks_passive: tasks("tasks-passive"),
        children: sa.section("child-sas").map_or_else(Vec::new, |children| {
            children.sections().map(|(_, child)| child_sa(child)).collect()
        }),
    }
}

pub(crate) fn child_sa(sa: Section<'_>) -> ChildSaSnapshot {
    let text = |key: &str| sa.text(key).unwrap_or_default();
    ChildSaSnapshot {
        name: text("name").into(),
        unique_id: UniqueId(text("uniqueid").parse().unwrap()),
        reqid: text("reqid").parse().ok().map(Reqid),
        state: named(CHILD_STATES, |state| state.name(), text("state")),
        mode: Mode::Tunnel,
        installed: sa.text("protocol").map(|_| installed(sa)),
        local_ts: selectors(sa, "local-ts"),
        remote_ts: selectors(sa, "remote-ts"),
    }
}

fn installed(sa: Section<'_>) -> InstalledSa {
    let number = |key: &str| sa.text(key).map_or(0, |number| number.parse().unwrap());
    let spi = |key: &str| EspSpi::from_be_bytes(hex(sa.text(key).unwrap()).to_be_bytes()).unwrap();
    let usage = |direction: &str| SaUsage {
        bytes: number(&format!("bytes-{direction}")),
        packets: number(&format!("packets-{direction}")),
        idle: seconds(sa, &format!("use-{direction}")),
    };
    InstalledSa {
        suite: ChildSuite {
            protocol: Protocol::Esp,
            encryption: sa.text("encr-alg").map(|name| by_text(EncryptionId::NAMED, name)),
            key_bits: sa.text("encr-keysize").map(|bits| bits.parse().unwrap()),
            integrity: sa.text("integ-alg").map(|name| by_text(IntegrityId::NAMED, name)),
            ke: sa.text("dh-group").map(|name| by_text(KeMethod::NAMED, name)),
            esn: if sa.text("esn").is_some() { Esn::Enabled } else { Esn::Disabled },
        },
        encap: if sa.text("encap").is_some() { Encap::Udp } else { Encap::None },
        spi_in: spi("spi-in"),
        spi_out: spi("spi-out"),
        mark_in: Mark::default(),
        mark_out: Mark::default(),
        if_id_in: IfId::default(),
        if_id_out: IfId::default(),
        usage_in: usage("in"),
        usage_out: usage("out"),
        rekey_in: sa.text("rekey-time").map(|time| time.parse().unwrap()),
        life_in: sa.text("life-time").map(|time| time.parse().unwrap()),
        age: seconds(sa, "install-time").unwrap_or_default(),
    }
}

fn selectors(sa: Section<'_>, key: &str) -> Vec<TrafficSelector> {
    let read = |text| match SelectorPattern::parse(text, &ServiceNames::builtin()).unwrap() {
        SelectorPattern::Fixed(selector) => selector,
        SelectorPattern::Dynamic { .. } => panic!("an SA has no dynamic selectors"),
    };
    sa.list(key).map_or_else(Vec::new, |list| list.texts().map(read).collect())
}

fn seconds(sa: Section<'_>, key: &str) -> Option<Duration> {
    sa.text(key).map(|seconds| Duration::from_secs(seconds.parse().unwrap()))
}

fn ike_spi(text: &str) -> Option<IkeSpi> {
    IkeSpi::from_be_bytes(u64::from_str_radix(text, 16).unwrap().to_be_bytes())
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text, 16).unwrap()
}

fn by_text<T: Copy + ToString>(all: &[T], text: &str) -> T {
    named(all, |item| item.to_string(), text)
}

fn named<T: Copy, N: AsRef<str>>(all: &[T], name: impl Fn(T) -> N, text: &str) -> T {
    *all.iter().find(|item| name(**item).as_ref() == text).unwrap_or_else(|| panic!("unknown name '{text}'"))
}

const IKE_STATES: &[IkeSaState] = &[
    IkeSaState::Created,
    IkeSaState::Connecting,
    IkeSaState::Established,
    IkeSaState::Rekeying,
    IkeSaState::Rekeyed,
    IkeSaState::Deleting,
    IkeSaState::Destroying,
];
const CHILD_STATES: &[ChildSaState] = &[
    ChildSaState::Created,
    ChildSaState::Installing,
    ChildSaState::Installed,
    ChildSaState::Rekeying,
    ChildSaState::Rekeyed,
    ChildSaState::Deleting,
    ChildSaState::Deleted,
];
