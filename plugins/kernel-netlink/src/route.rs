//! Routes.

use std::net::IpAddr;
use std::num::NonZeroU32;

use charon_core::service::kernel_net::Route;
use charon_types::kernel_op::KernelError;
use futures_util::TryStreamExt;
use netlink_packet_route::route::{
    RouteAttribute, RouteMessage, RouteMetric, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, route::RouteHeader};
use rtnetlink::Handle;

use crate::error::refused;

/// What TCP is told of paths through tunnels (`mtu`, `mss`), octets; `None` is the kernel's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteMetrics {
    /// Largest packet.
    pub mtu: Option<NonZeroU32>,
    /// Largest segment that is announced.
    pub mss: Option<NonZeroU32>,
}

impl RouteMetrics {
    fn attribute(self) -> Option<RouteAttribute> {
        let mtu = self.mtu.map(|mtu| RouteMetric::Mtu(mtu.get()));
        let mss = self.mss.map(|mss| RouteMetric::Advmss(mss.get()));
        let metrics: Vec<_> = mtu.into_iter().chain(mss).collect();
        (!metrics.is_empty()).then_some(RouteAttribute::Metrics(metrics))
    }
}

pub(crate) async fn add(handle: &Handle, route: Route, metrics: RouteMetrics) -> Result<(), KernelError> {
    let mut message = message(&route);
    message.attributes.extend(metrics.attribute());
    let done = handle.route().add(message).replace().execute().await;
    done.map_err(|error| refused("add a route", &error))
}

pub(crate) async fn remove(handle: &Handle, route: Route) -> Result<(), KernelError> {
    let done = handle.route().del(message(&route)).execute().await;
    done.map_err(|error| refused("remove a route", &error))
}

pub(crate) async fn flush(handle: &Handle, table: u32) -> Result<(), KernelError> {
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        for route in list(handle, family).await? {
            if table_of(&route) != table {
                continue;
            }
            // One that went by itself meanwhile is gone, too.
            match handle.route().del(route).execute().await.map_err(|error| refused("flush a table", &error))
            {
                Ok(()) | Err(KernelError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// All routes of a family, of every table.
pub(crate) async fn list(handle: &Handle, family: AddressFamily) -> Result<Vec<RouteMessage>, KernelError> {
    let mut request = RouteMessage::default();
    request.header.address_family = family;
    let routes = handle.route().get(request).execute().try_collect().await;
    routes.map_err(|error| refused("list the routes", &error))
}

/// The table of a route.
pub(crate) fn table_of(route: &RouteMessage) -> u32 {
    let wide = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    wide.unwrap_or_else(|| route.header.table.into())
}

fn message(route: &Route) -> RouteMessage {
    let (destination, prefix) = route.destination;
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: match destination {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        },
        destination_prefix_length: prefix,
        // Tables above 255 do not fit the header.
        table: u8::try_from(route.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
        protocol: RouteProtocol::Static,
        scope: RouteScope::Universe,
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    message.attributes.push(RouteAttribute::Table(route.table));
    if prefix > 0 {
        message.attributes.push(RouteAttribute::Destination(destination.into()));
    }
    message.attributes.push(RouteAttribute::Oif(route.interface.0));
    message.attributes.extend(route.gateway.map(|gateway| RouteAttribute::Gateway(gateway.into())));
    message.attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(source.into())));
    message
}
