//! The configuration payload of IKE_AUTH (RFC 7296 §2.19, §3.15): virtual addresses and what goes with them.
//!
//! The initiator asks for the addresses that `vips` names; the responder lends from `pools`. An address that cannot be had is
//! INTERNAL_ADDRESS_FAILURE, a connection with pools whose client asks for nothing FAILED_CP_REQUIRED: either way the IKE_SA
//! comes up without a child.

use std::net::IpAddr;

use charon_types::config_attribute::{AttributeKind, ConfigAttribute};
use charon_types::connection::Connection;

use crate::env::LeaseRequest;
use crate::failure::{Failure, Refusal};
use crate::output::{AddressOp, OpId, Output};
use crate::sa::{Cx, Sa};
use crate::wire::{Config, ConfigKind, Message, Payload};

/// Most addresses that one peer is lent: one or two are usual.
const ADDRESSES_MAX: usize = 16;

/// Most attributes of a reply that are kept.
const RECEIVED_MAX: usize = 64;

/// The initiator's request, if it wants anything.
pub(crate) fn request(connection: &Connection) -> Option<Payload> {
    let vips = &connection.ike.vips;
    if vips.is_empty() {
        return None;
    }
    let mut attributes: Vec<_> = vips.iter().map(|vip| asked(*vip)).collect();
    for (family, kind) in [
        (IpAddr::is_ipv4 as fn(&IpAddr) -> bool, AttributeKind::INTERNAL_IP4_DNS),
        (IpAddr::is_ipv6, AttributeKind::INTERNAL_IP6_DNS),
    ] {
        if vips.iter().any(family) {
            attributes.push(ConfigAttribute::empty(kind));
        }
    }
    Some(Payload::Config(Config { kind: ConfigKind::REQUEST, attributes }))
}

fn asked(vip: IpAddr) -> ConfigAttribute {
    match vip {
        IpAddr::V4(any) if any.is_unspecified() => {
            ConfigAttribute::empty(AttributeKind::INTERNAL_IP4_ADDRESS)
        }
        IpAddr::V6(any) if any.is_unspecified() => {
            ConfigAttribute::empty(AttributeKind::INTERNAL_IP6_ADDRESS)
        }
        vip => ConfigAttribute::internal_address(vip),
    }
}

/// What the responder makes of the initiator's request: its reply, or why there is no child. Leases are kept with the
/// IKE_SA.
pub(crate) fn respond(
    sa: &mut Sa,
    cx: Cx<'_>,
    connection: &Connection,
    request: &Message,
) -> Result<Option<Payload>, Failure> {
    let pools = &connection.ike.pools;
    let asked: Vec<IpAddr> = request
        .config()
        .filter(|config| config.kind == ConfigKind::REQUEST)
        .map_or_else(Vec::new, |config| addresses(&config.attributes));
    if asked.is_empty() {
        if pools.is_empty() {
            return Ok(None);
        }
        tracing::info!(target: "IKE", "the peer asks for no virtual IP, sending FAILED_CP_REQUIRED");
        return Err(Refusal::AddressRequired.into());
    }
    for wanted in asked {
        let shown = if wanted.is_unspecified() { any(wanted) } else { wanted.to_string() };
        tracing::info!(target: "IKE", "peer requested virtual IP {shown}");
        let lease = cx.env.pools.lend(&LeaseRequest {
            pools,
            identity: &sa.remote_id,
            peer: sa.path.remote.ip(),
            wanted,
        });
        match lease {
            Some(lease) => {
                tracing::info!(target: "IKE", "assigning virtual IP {} to peer '{}'", lease.address, sa.remote_id);
                sa.assignment.leases.push(lease);
            }
            None => {
                tracing::info!(target: "IKE", "no virtual IP found for {shown} requested by '{}'", sa.remote_id)
            }
        }
    }
    if sa.assignment.leases.is_empty() {
        tracing::info!(target: "IKE", "no virtual IP found, sending INTERNAL_ADDRESS_FAILURE");
        return Err(Refusal::NoAddress.into());
    }
    let leases = &sa.assignment.leases;
    let mut attributes: Vec<_> =
        leases.iter().map(|lease| ConfigAttribute::internal_address(lease.address)).collect();
    attributes.extend(cx.env.pools.attributes(leases));
    Ok(Some(Payload::Config(Config { kind: ConfigKind::REPLY, attributes })))
}

/// Addresses asked for or given.
fn addresses(attributes: &[ConfigAttribute]) -> Vec<IpAddr> {
    attributes.iter().filter_map(ConfigAttribute::as_internal_address).take(ADDRESSES_MAX).collect()
}

fn any(family: IpAddr) -> String {
    if family.is_ipv4() { "%any".to_owned() } else { "%any6".to_owned() }
}

/// What the initiator makes of the responder's reply: the batch that puts its addresses on the interface, if there is
/// anything to put there.
pub(crate) fn accept(sa: &mut Sa, connection: &Connection, answer: &Message) -> Option<OpId> {
    if connection.ike.vips.is_empty() {
        return None;
    }
    let reply = answer.config().filter(|config| config.kind == ConfigKind::REPLY)?;
    let mut given = addresses(&reply.attributes);
    given.retain(|address| !address.is_unspecified() && !address.is_multicast() && !address.is_loopback());
    given.truncate(connection.ike.vips.len());
    let is_address = |attribute: &&ConfigAttribute| {
        matches!(attribute.kind, AttributeKind::INTERNAL_IP4_ADDRESS | AttributeKind::INTERNAL_IP6_ADDRESS)
    };
    sa.assignment.received = reply
        .attributes
        .iter()
        .filter(|attribute| !is_address(attribute))
        .take(RECEIVED_MAX)
        .cloned()
        .collect();
    if given.is_empty() {
        // Servers that only the tunnel leads to are of no use without an address in it.
        sa.assignment.received.clear();
        return None;
    }
    given.iter().for_each(|address| tracing::info!(target: "IKE", "installing new virtual IP {address}"));
    let op = sa.next_op();
    // The addresses first: the answers to them are taken in their order.
    let servers = sa.assignment.name_servers().map(AddressOp::UseNameServer);
    let ops = given.iter().copied().map(AddressOp::Install).chain(servers).collect();
    sa.assignment.local = given;
    sa.output(Output::Addresses { op, beside: sa.path.local.ip(), ops });
    Some(op)
}

/// The initiator's addresses are on the interface, or some are not.
pub(crate) fn installed(sa: &mut Sa, results: &[Result<(), charon_types::kernel_op::KernelError>]) {
    let mut results = results.iter();
    sa.assignment.local.retain(|address| match results.next() {
        Some(Err(error)) => {
            tracing::error!(target: "IKE", "installing virtual IP {address} failed: {error}");
            false
        }
        Some(Ok(())) | None => true,
    });
}

/// Whether a child may be built: the addresses that we asked for are there, some of them at least.
pub(crate) fn check(sa: &Sa, connection: &Connection) -> Result<(), Failure> {
    if connection.ike.vips.is_empty() || !sa.assignment.local.is_empty() {
        return Ok(());
    }
    tracing::info!(target: "IKE", "no virtual IP received, no CHILD_SA built");
    Err(Refusal::NoAddress.into())
}
