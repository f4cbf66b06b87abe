//! NAT detection notifies (RFC 7296 §2.23): what we announce, and what the peer's tell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use charon_types::connection::Connection;
use charon_types::endpoint::Path;
use charon_types::kernel_op::EncapSupport;
use charon_types::snapshot::NatConditions;

use crate::natd;
use crate::sa::{Cx, Sa};
use crate::wire::{Message, NotifyType, Payload};

/// Most source hashes of a peer that are looked at: one per address that it may have.
const SOURCES_MAX: usize = 32;

/// Our notifies. To have ESP encapsulated where no NAT is, the source hash is one that cannot match.
pub(crate) fn announce(sa: &Sa, cx: Cx<'_>, connection: &Connection) -> Vec<Payload> {
    announce_at(sa, cx, connection, sa.path)
}

/// As [`announce`], for another path.
pub(crate) fn announce_at(sa: &Sa, cx: Cx<'_>, connection: &Connection, path: Path) -> Vec<Payload> {
    let source = if fakes(cx, connection) { unspecified(path.local) } else { path.local };
    let source = hash(sa, cx, source).map(|data| Payload::notify(NotifyType::NAT_DETECTION_SOURCE_IP, data));
    let destination =
        hash(sa, cx, path.remote).map(|data| Payload::notify(NotifyType::NAT_DETECTION_DESTINATION_IP, data));
    source.into_iter().chain(destination).collect()
}

/// What the peer's notifies say of the path.
pub(crate) fn examine(sa: &Sa, cx: Cx<'_>, message: &Message) -> NatConditions {
    examine_at(sa, cx, message, sa.path)
}

/// As [`examine`], for another path.
pub(crate) fn examine_at(sa: &Sa, cx: Cx<'_>, message: &Message, path: Path) -> NatConditions {
    let mut conditions = NatConditions::default();
    let of_kind = |kind| message.notifies().filter(move |notify| notify.kind == kind);
    let mut sources = of_kind(NotifyType::NAT_DETECTION_SOURCE_IP).take(SOURCES_MAX).peekable();
    let destination = of_kind(NotifyType::NAT_DETECTION_DESTINATION_IP).next();
    // The hashes are over the SPIs as the peer's message has them.
    let spis = (message.header.spi_initiator, message.header.spi_responder);
    let expected = |endpoint| natd::hash(cx.env.crypto, spis.0, spis.1, endpoint);
    let (Some(_), Some(destination)) = (sources.peek(), destination) else { return conditions };
    if let Some(source) = expected(path.remote) {
        conditions.remote = !sources.any(|notify| notify.data == source);
    }
    if let Some(ours) = expected(path.local) {
        conditions.local = destination.data != ours;
    }
    if conditions.local {
        tracing::info!(target: "IKE", "local host is behind NAT, sending keep alives");
    }
    if conditions.remote {
        tracing::info!(target: "IKE", "remote host is behind NAT");
    }
    let faked = sa.connection.as_ref().is_some_and(|connection| fakes(cx, connection));
    if faked && !conditions.any() {
        tracing::info!(target: "IKE", "faking NAT situation to enforce UDP encapsulation");
        conditions.fake = true;
    }
    conditions
}

fn fakes(cx: Cx<'_>, connection: &Connection) -> bool {
    connection.ike.encap.is_enabled() || cx.env.kernel.encapsulation == EncapSupport::UdpOnly
}

fn hash(sa: &Sa, cx: Cx<'_>, endpoint: SocketAddr) -> Option<Vec<u8>> {
    let initiator = sa.spi_initiator()?;
    let responder = match sa.role {
        // The first message knows no responder SPI, and repeats of it keep to that.
        charon_types::id::Role::Initiator if sa.keys.is_none() => None,
        charon_types::id::Role::Initiator => sa.spi_responder(),
        charon_types::id::Role::Responder => sa.spi_responder(),
    };
    natd::hash(cx.env.crypto, initiator, responder, endpoint)
}

const fn unspecified(endpoint: SocketAddr) -> SocketAddr {
    let address = match endpoint {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(address, 0)
}
