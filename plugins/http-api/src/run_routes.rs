//! `/run/vrrp*`: what the virtual routers are doing.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use charon_types::connection::Toggle;
use charon_types::vrouter::{VrouterAuth, VrouterSnapshot, VrouterState};
use serde::Serialize;

/// An entry of `/run/vrrp`
#[derive(Serialize)]
pub(crate) struct Brief {
    virtual_ip: Ipv4Addr,
    group: u8,
    interface: String,
    priority: u8,
    preempt: bool,
    state: &'static str,
}

/// `/run/vrrp/{group}/{interface}`
#[derive(Serialize)]
pub(crate) struct Detail {
    virtual_ip: Ipv4Addr,
    group: u8,
    interface: String,
    /// Name of the macvlan, or the one it would have.
    vif: String,
    priority: u8,
    preempt: bool,
    state: &'static str,
    /// On the wire.
    auth_type: u8,
    interface_hwaddress: String,
    /// Seconds.
    advert_interval: u64,
    /// Seconds.
    masterdown_interval: f64,
    /// Seconds.
    skew_time: f64,
}

/// All of them, or those of one group.
pub(crate) fn list(snapshots: &[VrouterSnapshot], group: Option<u8>) -> Vec<Brief> {
    let wanted = |brief: &Brief| group.is_none_or(|group| brief.group == group);
    snapshots.iter().filter_map(brief).filter(wanted).collect()
}

/// One of them.
pub(crate) fn one(
    snapshots: &[VrouterSnapshot],
    group: u8,
    interface: &str,
    link_address: fn(&str) -> Option<String>,
) -> Option<Detail> {
    let wanted = |snapshot: &&VrouterSnapshot| {
        snapshot.config.vrid.get() == group && snapshot.config.interface == interface
    };
    snapshots.iter().filter(wanted).find_map(|snapshot| detail(snapshot, link_address))
}

fn brief(snapshot: &VrouterSnapshot) -> Option<Brief> {
    Some(Brief {
        virtual_ip: virtual_ip(snapshot)?,
        group: snapshot.config.vrid.get(),
        interface: snapshot.config.interface.clone(),
        priority: snapshot.effective_priority,
        preempt: snapshot.config.preempt == Toggle::Enabled,
        state: state(snapshot.state),
    })
}

fn detail(snapshot: &VrouterSnapshot, link_address: fn(&str) -> Option<String>) -> Option<Detail> {
    let Brief { virtual_ip, group, interface, priority, preempt, state } = brief(snapshot)?;
    let config = &snapshot.config;
    Some(Detail {
        virtual_ip,
        group,
        vif: config.vmac_name.clone().unwrap_or_else(|| format!("standby{group}")),
        priority,
        preempt,
        state,
        auth_type: match config.auth {
            VrouterAuth::None | VrouterAuth::Hmac => 0,
            VrouterAuth::Simple => 1,
            VrouterAuth::P0 => 250,
            VrouterAuth::P1 => 251,
        },
        interface_hwaddress: match config.vmac {
            Toggle::Enabled => format!("00:00:5E:00:01:{group:02X}"),
            Toggle::Disabled => link_address(&interface).unwrap_or_else(|| "00:00:00:00:00:00".to_owned()),
        },
        interface,
        advert_interval: config.advert_interval.as_secs(),
        masterdown_interval: snapshot.down_interval.as_secs_f64(),
        skew_time: snapshot.skew_time.as_secs_f64(),
    })
}

/// rVRRPd knows one IPv4 address for each router, so a router of IPv6 is none that its clients could understand.
fn virtual_ip(snapshot: &VrouterSnapshot) -> Option<Ipv4Addr> {
    match snapshot.config.addresses.first()?.address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

const fn state(state: VrouterState) -> &'static str {
    match state {
        VrouterState::Init => "Init",
        VrouterState::Backup => "Backup",
        VrouterState::Active => "Master",
    }
}
