//! Between the configuration of the daemon and that of the protocol.

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::Toggle;
use charon_types::vrouter::{
    Track, Tracked, VirtualAddress, Vrouter, VrouterAuth, VrouterChecksum, VrouterFault, VrouterReason,
    VrouterState, VrrpVersion,
};
use vrrp_proto::config::{
    Accept, AddressListCheck, AnnounceSchedule, AntiReplay, Authentication, ChecksumMode, Compatibility,
    HmacConfig, HmacKey, HmacMode, OnHigherPriority, OnLowerPriority, Peer, Preemption, Transport,
};
use vrrp_proto::tracking::{Sense, TrackRule};
use vrrp_proto::{ConfigError, Interval, Priority, Reason, RouterConfig, State, Version, Vrid};

/// The one key that can be configured.
const HMAC_KEY_ID: NonZeroU8 = NonZeroU8::MIN;

/// The protocol's definition.
pub(crate) fn router_config(vrouter: &Vrouter) -> Result<RouterConfig, VrouterFault> {
    let vrid = Vrid::new(vrouter.vrid.get()).ok_or_else(|| VrouterFault::new("vrid", "must be 1 to 255"))?;
    let advert_interval = Interval::from_duration(vrouter.advert_interval)
        .ok_or_else(|| VrouterFault::new("advert_interval", "must be a multiple of 10ms"))?;
    let version = match vrouter.version {
        VrrpVersion::V2 => Version::V2,
        VrrpVersion::V3 => Version::V3,
    };
    let plain = |all: &[VirtualAddress]| all.iter().map(|held| held.address).collect::<Vec<_>>();
    Ok(RouterConfig {
        name: Arc::clone(&vrouter.name),
        interface: vrouter.interface.as_str().into(),
        vrid,
        version,
        addresses: plain(&vrouter.addresses),
        excluded: plain(&vrouter.excluded),
        priority: Priority(vrouter.priority),
        advert_interval,
        preemption: match vrouter.preempt {
            Toggle::Enabled => Preemption::After(vrouter.preempt_delay),
            Toggle::Disabled => Preemption::Never,
        },
        accept: if vrouter.accept.is_enabled() { Accept::Yes } else { Accept::No },
        authentication: authentication(vrouter),
        checksum: match vrouter.checksum {
            VrouterChecksum::Auto => ChecksumMode::Auto,
            VrouterChecksum::Rfc9568 => ChecksumMode::Rfc9568,
            VrouterChecksum::Pseudo => ChecksumMode::Pseudo,
        },
        transport: transport(&vrouter.peers),
        announce: AnnounceSchedule {
            repeat: vrouter.garp.repeat,
            delay: vrouter.garp.delay,
            refresh: vrouter.garp.refresh,
            refresh_repeat: vrouter.garp.refresh_repeat,
            lower_priority_repeat: vrouter.garp.lower_priority_repeat,
            lower_priority_delay: vrouter.garp.lower_priority_delay,
        },
        down_timer_adverts: vrouter.down_adverts,
        on_lower_priority: match vrouter.lower_priority_advert {
            Toggle::Enabled => OnLowerPriority::Assert,
            Toggle::Disabled => OnLowerPriority::Ignore,
        },
        on_higher_priority: match vrouter.higher_priority_advert {
            Toggle::Enabled => OnHigherPriority::AdvertThenYield,
            Toggle::Disabled => OnHigherPriority::Yield,
        },
        address_list: AddressListCheck::Count,
        compatibility: match vrouter.rvrrpd_compat {
            Toggle::Enabled => Compatibility::Rvrrpd,
            Toggle::Disabled => Compatibility::Strict,
        },
    })
}

fn transport(peers: &[IpAddr]) -> Transport {
    if peers.is_empty() {
        return Transport::Multicast;
    }
    Transport::Unicast {
        peers: peers.iter().map(|address| Peer { address: *address, ttl: 0..=255 }).collect(),
    }
}

fn authentication(vrouter: &Vrouter) -> Authentication {
    let Some(secret) = vrouter.secret.clone() else { return Authentication::None };
    match vrouter.auth {
        VrouterAuth::None => Authentication::None,
        VrouterAuth::Simple => Authentication::Simple(secret),
        VrouterAuth::P0 => Authentication::P0(secret),
        VrouterAuth::P1 => Authentication::P1(secret),
        VrouterAuth::Hmac => Authentication::Hmac(HmacConfig {
            keys: vec![HmacKey { id: HMAC_KEY_ID, key: secret }],
            active_key: HMAC_KEY_ID,
            anti_replay: AntiReplay::Time { window: hmac_window(vrouter.advert_interval) },
            mode: HmacMode::Enforce,
        }),
    }
}

/// keepalived's default.
fn hmac_window(advert_interval: Duration) -> Duration {
    advert_interval.saturating_mul(3).max(Duration::from_secs(5))
}

/// Which key the protocol complains of.
pub(crate) fn fault(error: &ConfigError) -> VrouterFault {
    match error {
        ConfigError::NoHmac => VrouterFault::new("auth", "nothing that is loaded has HMAC-SHA-256"),
        ConfigError::HmacKeyLen { .. } => VrouterFault::new("secret", "hmac needs 32 to 64 octets"),
        ConfigError::NoAuthenticationInVersion3 => VrouterFault::new("auth", "version 3 has none but hmac"),
        ConfigError::Interval { .. } => VrouterFault::new("advert_interval", "does not fit the version"),
        ConfigError::Version2IsIpv4Only => VrouterFault::new("version", "2 knows no IPv6"),
        ConfigError::PeerFamily | ConfigError::NoPeer => {
            VrouterFault::new("peers", "must be of the family of the addresses")
        }
        ConfigError::DownTimerAdverts { .. } => VrouterFault::new("down_adverts", "must be 1 to 100"),
        ConfigError::PriorityZero => VrouterFault::new("priority", "must be 1 to 255"),
        _ => VrouterFault::new("addresses", "cannot be those of a virtual router"),
    }
}

pub(crate) fn track_rule(track: &Track) -> TrackRule {
    // A file's number counts as it stands unless a weight multiplies it.
    let weight = match (&track.what, track.weight) {
        (Tracked::File(_), 0) => 1,
        (_, weight) => i32::from(weight),
    };
    TrackRule { weight, sense: if track.inverted.is_enabled() { Sense::Reverse } else { Sense::Direct } }
}

pub(crate) const fn state(state: State) -> VrouterState {
    match state {
        State::Initialize => VrouterState::Init,
        State::Backup => VrouterState::Backup,
        State::Active => VrouterState::Active,
    }
}

pub(crate) const fn reason(reason: Reason) -> VrouterReason {
    match reason {
        Reason::Owner => VrouterReason::Owner,
        Reason::NoResponse => VrouterReason::NoResponse,
        Reason::ActiveLeft => VrouterReason::ActiveLeft,
        Reason::Preempted => VrouterReason::Preempted,
        Reason::HigherPriority { by, priority } => VrouterReason::HigherPriority { by, priority: priority.0 },
        Reason::Stopped => VrouterReason::Stopped,
        Reason::InterfaceDown => VrouterReason::InterfaceDown,
        Reason::NoPrimaryAddress => VrouterReason::NoPrimaryAddress,
        Reason::TrackedFault => VrouterReason::Tracked,
        Reason::Group => VrouterReason::Group,
        Reason::Reconfigured => VrouterReason::Reconfigured,
        _ => VrouterReason::Startup,
    }
}
