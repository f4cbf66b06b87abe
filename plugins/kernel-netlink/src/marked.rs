//! Addresses, routes and rules with a mark of whose they are, so that a successor can tell.

use std::net::IpAddr;

use charon_core::service::kernel_links::{LinkAddress, LinkRoute, Readiness, RouteKind};
use charon_core::service::kernel_net::{Family, InterfaceIndex};
use charon_types::kernel_op::KernelError;
use charon_types::vrouter::{VirtualAddress, VirtualRule};
use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol, CacheInfo,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol, RouteScope,
    RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::{Handle, IpVersion};

use crate::error::refused;
use crate::route;

/// Table of the routes to the host's own addresses.
const TABLE_LOCAL: u32 = 255;
const TABLE_MAIN: u32 = 254;

pub(crate) async fn addresses(handle: &Handle) -> Result<Vec<LinkAddress>, KernelError> {
    let all = handle.address().get().execute().try_collect::<Vec<_>>().await;
    let all = all.map_err(|error| refused("list the addresses", &error))?;
    Ok(all.iter().filter_map(read).collect())
}

pub(crate) fn read(message: &AddressMessage) -> Option<LinkAddress> {
    let unusable = AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed;
    let (mut local, mut plain, mut protocol) = (None, None, 0);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => plain = Some(*address),
            AddressAttribute::Protocol(mark) => protocol = u8::from(*mark),
            _ => {}
        }
    }
    Some(LinkAddress {
        index: InterfaceIndex(message.header.index),
        held: VirtualAddress { address: local.or(plain)?, prefix: message.header.prefix_len },
        protocol,
        readiness: if message.header.flags.intersects(unusable) {
            Readiness::Tentative
        } else {
            Readiness::Ready
        },
    })
}

pub(crate) async fn add_address(
    handle: &Handle,
    index: InterfaceIndex,
    held: VirtualAddress,
    protocol: u8,
) -> Result<(), KernelError> {
    let mut request = handle.address().add(index.0, held.address, held.prefix);
    let message = request.message_mut();
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::from(protocol)));
    if held.address.is_ipv6() {
        message.header.flags |= AddressHeaderFlags::Nodad;
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        if held.prefix == 128 {
            // Not to be chosen as a source address, as it may go any time.
            let mut lifetimes = CacheInfo::default();
            lifetimes.ifa_preferred = 0;
            lifetimes.ifa_valid = u32::MAX;
            message.attributes.push(AddressAttribute::CacheInfo(lifetimes));
        }
    }
    request.execute().await.map_err(|error| refused("add an address", &error))
}

/// `None` if the table is the local one.
fn destination_of(message: &RouteMessage) -> Option<VirtualAddress> {
    if route::table_of(message) == TABLE_LOCAL {
        return None;
    }
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(IpAddr::V4(*address)),
        RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    });
    let unspecified = match message.header.address_family {
        AddressFamily::Inet => IpAddr::from([0; 4]),
        _ => IpAddr::from([0; 16]),
    };
    Some(VirtualAddress {
        address: address.unwrap_or(unspecified),
        prefix: message.header.destination_prefix_length,
    })
}

pub(crate) async fn destinations(
    handle: &Handle,
    family: Family,
) -> Result<Vec<VirtualAddress>, KernelError> {
    Ok(route::list(handle, kernel_family(family)).await?.iter().filter_map(destination_of).collect())
}

pub(crate) async fn add_route(handle: &Handle, route: LinkRoute) -> Result<(), KernelError> {
    let done = handle.route().add(route_message(&route)).replace().execute().await;
    done.map_err(|error| refused("add a route", &error))
}

pub(crate) async fn remove_route(handle: &Handle, route: LinkRoute) -> Result<(), KernelError> {
    let done = handle.route().del(route_message(&route)).execute().await;
    done.map_err(|error| refused("remove a route", &error))
}

pub(crate) async fn flush_routes(handle: &Handle, protocol: u8) -> Result<(), KernelError> {
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        for route in route::list(handle, family).await? {
            if u8::from(route.header.protocol) == protocol {
                let done = handle.route().del(route).execute().await;
                tolerate_absent(done.map_err(|error| refused("flush routes", &error)))?;
            }
        }
    }
    Ok(())
}

fn route_message(route: &LinkRoute) -> RouteMessage {
    let mut message = RouteMessage::default();
    let blackhole = route.kind == RouteKind::Blackhole;
    let ipv4 = route.destination.address.is_ipv4();
    message.header = RouteHeader {
        address_family: if ipv4 { AddressFamily::Inet } else { AddressFamily::Inet6 },
        destination_prefix_length: route.destination.prefix,
        // Tables above 255 do not fit the header.
        table: u8::try_from(route.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
        protocol: RouteProtocol::from(route.protocol),
        scope: if route.gateway.is_none() && ipv4 && !blackhole {
            RouteScope::Link
        } else {
            RouteScope::Universe
        },
        kind: if blackhole { RouteType::BlackHole } else { RouteType::Unicast },
        ..RouteHeader::default()
    };
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Table(route.table));
    if route.destination.prefix > 0 {
        attributes.push(RouteAttribute::Destination(route.destination.address.into()));
    }
    attributes.extend(route.interface.map(|index| RouteAttribute::Oif(index.0)));
    attributes.extend(route.gateway.map(|gateway| RouteAttribute::Gateway(gateway.into())));
    attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(source.into())));
    attributes.extend(Some(route.metric).filter(|metric| *metric != 0).map(RouteAttribute::Priority));
    attributes.extend(
        Some(route.mtu)
            .filter(|mtu| *mtu != 0)
            .map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])),
    );
    message
}

pub(crate) async fn add_rule(
    handle: &Handle,
    family: Family,
    rule: VirtualRule,
    protocol: u8,
) -> Result<(), KernelError> {
    let mut request = handle.rule().add();
    *request.message_mut() = rule_message(family, rule, protocol);
    match request.execute().await.map_err(|error| refused("add a routing rule", &error)) {
        Err(KernelError::Exists) => Ok(()),
        other => other,
    }
}

pub(crate) async fn remove_rule(
    handle: &Handle,
    family: Family,
    rule: VirtualRule,
    protocol: u8,
) -> Result<(), KernelError> {
    let done = handle.rule().del(rule_message(family, rule, protocol)).execute().await;
    done.map_err(|error| refused("remove a routing rule", &error))
}

pub(crate) async fn flush_rules(handle: &Handle, protocol: u8) -> Result<(), KernelError> {
    for version in [IpVersion::V4, IpVersion::V6] {
        let rules = handle.rule().get(version).execute().try_collect::<Vec<_>>().await;
        for rule in rules.map_err(|error| refused("list the routing rules", &error))? {
            let ours = rule.attributes.contains(&RuleAttribute::Protocol(RouteProtocol::from(protocol)));
            if ours {
                let done = handle.rule().del(rule).execute().await;
                tolerate_absent(done.map_err(|error| refused("flush routing rules", &error)))?;
            }
        }
    }
    Ok(())
}

fn rule_message(family: Family, rule: VirtualRule, protocol: u8) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = kernel_family(family);
    message.header.action = RuleAction::ToTable;
    let table = if rule.table == 0 { TABLE_MAIN } else { rule.table };
    // Tables above 255 do not fit the header.
    message.header.table = u8::try_from(table).unwrap_or(0);
    message.attributes.push(RuleAttribute::Table(table));
    message.attributes.push(RuleAttribute::Protocol(RouteProtocol::from(protocol)));
    if rule.priority != 0 {
        message.attributes.push(RuleAttribute::Priority(rule.priority));
    }
    if let Some(from) = rule.from {
        message.header.src_len = from.prefix;
        message.attributes.push(RuleAttribute::Source(from.address));
    }
    if let Some(to) = rule.to {
        message.header.dst_len = to.prefix;
        message.attributes.push(RuleAttribute::Destination(to.address));
    }
    message
}

/// One that went by itself meanwhile is gone, too.
fn tolerate_absent(done: Result<(), KernelError>) -> Result<(), KernelError> {
    match done {
        Err(KernelError::NotFound) => Ok(()),
        other => other,
    }
}

const fn kernel_family(family: Family) -> AddressFamily {
    match family {
        Family::Ipv4 => AddressFamily::Inet,
        Family::Ipv6 => AddressFamily::Inet6,
    }
}
