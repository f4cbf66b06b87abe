//! How packets leave, our own tunnel routes aside.
//!
//! The kernel is asked first, as it knows rules, metrics and multipath. Only if its answer comes from our own table, which
//! leads into the tunnel, all other routes are listed and the longest prefix is taken.

use std::cmp::Reverse;
use std::net::IpAddr;

use charon_core::service::kernel_net::{InterfaceAddress, InterfaceIndex, NextHop};
use charon_types::kernel_op::KernelError;
use charon_types::selector::TrafficSelector;
use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType};
use rtnetlink::Handle;

use crate::error::{errno, refused};
use crate::interfaces::Interfaces;
use crate::{address, route};

/// Table of the routes to the host's own addresses.
const TABLE_LOCAL: u32 = 255;

const ENETUNREACH: i32 = 101;
const EHOSTUNREACH: i32 = 113;
const EINVAL: i32 = 22;
const EACCES: i32 = 13;

pub(crate) async fn find(
    handle: &Handle,
    own_table: u32,
    remote: IpAddr,
    source: Option<IpAddr>,
) -> Result<NextHop, KernelError> {
    let answer = ask(handle, remote, source).await?;
    match answer {
        Some(answer) if route::table_of(&answer) != own_table => {
            let sources = address::list(handle, &Interfaces::default()).await?;
            from_route(&answer, remote, source, &sources).ok_or(KernelError::Unreachable(remote))
        }
        _ => search(handle, own_table, remote, source).await,
    }
}

/// The kernel's own answer; `None` if no route leads there.
async fn ask(
    handle: &Handle,
    remote: IpAddr,
    source: Option<IpAddr>,
) -> Result<Option<RouteMessage>, KernelError> {
    let mut request = RouteMessage::default();
    request.header.address_family = family(remote);
    request.header.destination_prefix_length = width(remote);
    // Else the kernel claims the main table, whichever it was.
    request.header.flags = RouteFlags::LookupTable;
    request.attributes.push(RouteAttribute::Destination(remote.into()));
    if let Some(source) = source {
        request.header.source_prefix_length = width(source);
        request.attributes.push(RouteAttribute::Source(source.into()));
    }
    match handle.route().get(request).execute().try_next().await {
        Ok(answer) => Ok(answer),
        // EINVAL: the source is no address of ours.
        Err(error) if matches!(errno(&error), Some(ENETUNREACH | EHOSTUNREACH | EACCES | EINVAL)) => Ok(None),
        Err(error) => Err(refused("look up a route", &error)),
    }
}

async fn search(
    handle: &Handle,
    own_table: u32,
    remote: IpAddr,
    source: Option<IpAddr>,
) -> Result<NextHop, KernelError> {
    let sources = address::list(handle, &Interfaces::default()).await?;
    let mut routes = route::list(handle, family(remote)).await?;
    routes.retain(|candidate| {
        let table = route::table_of(candidate);
        table != own_table
            && table != TABLE_LOCAL
            && candidate.header.kind == RouteType::Unicast
            && leads_to(candidate, remote)
    });
    routes.sort_by_key(|candidate| (Reverse(candidate.header.destination_prefix_length), metric(candidate)));
    let mut hops = routes.iter().filter_map(|candidate| from_route(candidate, remote, source, &sources));
    hops.next().ok_or(KernelError::Unreachable(remote))
}

/// The hop by that route, if it has an interface and a source that suits.
fn from_route(
    route: &RouteMessage,
    remote: IpAddr,
    wanted: Option<IpAddr>,
    sources: &[InterfaceAddress],
) -> Option<NextHop> {
    let mut gateway = None;
    let mut interface = None;
    let mut preferred = None;
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Gateway(address) => gateway = plain(address),
            RouteAttribute::Oif(index) => interface = Some(InterfaceIndex(*index)),
            RouteAttribute::PrefSource(address) => preferred = plain(address),
            RouteAttribute::MultiPath(hops) => {
                let first = hops.first()?;
                interface = Some(InterfaceIndex(first.interface_index));
                gateway = gateway.or_else(|| {
                    first.attributes.iter().find_map(|attribute| match attribute {
                        RouteAttribute::Gateway(address) => plain(address),
                        _ => None,
                    })
                });
            }
            _ => {}
        }
    }
    let interface = interface?;
    let of_host = || sources.iter().filter(|held| held.address.is_ipv4() == remote.is_ipv4());
    let source = match wanted {
        Some(wanted) => of_host().find(|held| held.address == wanted).map(|held| held.address)?,
        None => preferred.or_else(|| {
            // The address whose network holds the next hop; else any of the interface; else any that others can answer.
            let next = gateway.unwrap_or(remote);
            let network = |held: &InterfaceAddress| {
                TrafficSelector::subnet(held.address, held.prefix).contains_address(next)
            };
            let of_link = || of_host().filter(|held| held.index == interface);
            let mut ranked = of_link()
                .filter(|held| network(held))
                .chain(of_link())
                .chain(of_host().filter(|held| !held.address.is_loopback()));
            ranked.next().map(|held| held.address)
        })?,
    };
    Some(NextHop { source, gateway, interface })
}

fn leads_to(route: &RouteMessage, remote: IpAddr) -> bool {
    let destination = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(address) => plain(address),
        _ => None,
    });
    let prefix = route.header.destination_prefix_length;
    match destination {
        Some(destination) => TrafficSelector::subnet(destination, prefix).contains_address(remote),
        None => prefix == 0,
    }
}

fn metric(route: &RouteMessage) -> u32 {
    let metric = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Priority(metric) => Some(*metric),
        _ => None,
    });
    metric.unwrap_or(0)
}

const fn plain(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

const fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}
