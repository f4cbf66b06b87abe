//! What a script is told: strongSwan's PLUTO_* variables, once for each pair of selectors.

use std::net::IpAddr;

use charon_types::connection::Toggle;
use charon_types::event::Change;
use charon_types::id::Mark;
use charon_types::kernel_op::Encap;
use charon_types::proposal::Protocol;
use charon_types::selector::TrafficSelector;
use charon_types::snapshot::{ChildSaSnapshot, IkeSaSnapshot};

/// The variables of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Environment(pub(crate) Vec<(String, String)>);

/// What happened.
pub(crate) struct Told<'a> {
    pub(crate) change: Change,
    pub(crate) sa: &'a IkeSaSnapshot,
    pub(crate) child: &'a ChildSaSnapshot,
    pub(crate) interface: &'a str,
    pub(crate) hostaccess: Toggle,
}

/// The runs that tell it.
pub(crate) fn invocations(told: &Told<'_>) -> Vec<Environment> {
    let child = told.child;
    let pairs = child.local_ts.iter().flat_map(|local| child.remote_ts.iter().map(move |peer| (local, peer)));
    let fitting = pairs.filter(|(local, peer)| {
        let protocols = local.protocol == peer.protocol || local.protocol == 0 || peer.protocol == 0;
        local.start.is_ipv4() == peer.start.is_ipv4() && protocols
    });
    fitting.map(|(local, peer)| one(told, local, peer)).collect()
}

fn one(told: &Told<'_>, local: &TrafficSelector, peer: &TrafficSelector) -> Environment {
    let Told { change, sa, child, interface, hostaccess } = told;
    let mut variables = Vec::new();
    let mut push = |name: &str, value: String| variables.push((format!("PLUTO_{name}"), value));
    push("VERSION", "1.1".to_owned());
    push("VERB", verb(*change, sa, local));
    push("CONNECTION", child.name.to_string());
    push("INTERFACE", if interface.is_empty() { "unknown".to_owned() } else { (*interface).to_owned() });
    if let Some(reqid) = child.reqid {
        push("REQID", reqid.to_string());
    }
    let installed = child.installed.as_ref();
    let protocol = installed.map_or(Protocol::Esp, |installed| installed.suite.protocol);
    push("PROTO", protocol.to_string().to_lowercase());
    push("UNIQUEID", sa.unique_id.to_string());
    push("ME", sa.path.local.ip().to_string());
    push("MY_ID", sa.local_id.to_string());
    push("MY_CLIENT", client(local));
    push("MY_PORT", port(local).to_string());
    push("MY_PROTOCOL", local.protocol.to_string());
    push("PEER", sa.path.remote.ip().to_string());
    push("PEER_ID", sa.remote_id.to_string());
    push("PEER_CLIENT", client(peer));
    push("PEER_PORT", port(peer).to_string());
    push("PEER_PROTOCOL", peer.protocol.to_string());
    for (side, addresses) in [("MY", &sa.local_vips), ("PEER", &sa.remote_vips)] {
        if let Some(first) = addresses.first() {
            push(&format!("{side}_SOURCEIP"), first.to_string());
        }
        for family in [4, 6] {
            let of_family = addresses.iter().filter(|address| address.is_ipv4() == (family == 4));
            for (number, address) in (1..).zip(of_family) {
                push(&format!("{side}_SOURCEIP{family}_{number}"), address.to_string());
            }
        }
    }
    if let Some(installed) = installed {
        for (name, mark) in [("MARK_IN", installed.mark_in), ("MARK_OUT", installed.mark_out)] {
            if mark != Mark::default() {
                push(name, format!("{}/0x{:08x}", mark.value, mark.mask));
            }
        }
        for (name, id) in [("IF_ID_IN", installed.if_id_in), ("IF_ID_OUT", installed.if_id_out)] {
            if id.0 != 0 {
                push(name, id.0.to_string());
            }
        }
        if installed.encap == Encap::Udp {
            push("UDP_ENC", sa.path.remote.port().to_string());
        }
    }
    if hostaccess.is_enabled() {
        push("HOST_ACCESS", "1".to_owned());
    }
    Environment(variables)
}

/// `up-host` if our side is this host alone, else `up-client`; with the family of the outer addresses.
fn verb(change: Change, sa: &IkeSaSnapshot, local: &TrafficSelector) -> String {
    let me = sa.path.local.ip();
    let change = match change {
        Change::Up => "up",
        Change::Down => "down",
    };
    let who = if local.is_host() && local.start == me { "host" } else { "client" };
    let family = match me {
        IpAddr::V4(_) => "",
        IpAddr::V6(_) => "-v6",
    };
    format!("{change}-{who}{family}")
}

fn client(selector: &TrafficSelector) -> String {
    let (network, prefix) = selector.covering_subnet();
    format!("{network}/{prefix}")
}

/// 0 for any. Of ICMP, the type.
fn port(selector: &TrafficSelector) -> u16 {
    if selector.is_any_port() || selector.is_opaque() { 0 } else { selector.port_start }
}

#[cfg(test)]
mod tests;
