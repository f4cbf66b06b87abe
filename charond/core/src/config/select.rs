//! Which connection fits a peer: by addresses first, then by identities.

use std::net::IpAddr;
use std::sync::Arc;

use charon_types::Identity;
use charon_types::connection::Connection;
use charon_types::endpoint::{EndpointPattern, Path, Specificity};

/// How closely a list of patterns describes an address; an empty list is `%any`.
fn closeness(patterns: &[EndpointPattern], address: IpAddr) -> Option<Specificity> {
    if patterns.is_empty() {
        return Some(Specificity::ANY);
    }
    patterns.iter().filter_map(|pattern| pattern.matches(address)).max()
}

/// How closely a connection's addresses describe the path.
fn path_closeness(connection: &Connection, path: &Path) -> Option<u32> {
    let local = closeness(&connection.ike.local_addrs, path.local.ip())?;
    let remote = closeness(&connection.ike.remote_addrs, path.remote.ip())?;
    Some(u32::from(local.value()) + u32::from(remote.value()))
}

/// Connections whose addresses fit the path, the closest first; equals in the order loaded.
#[must_use]
pub fn ike_candidates(connections: &[Arc<Connection>], path: &Path) -> Vec<Arc<Connection>> {
    let mut matches: Vec<_> = connections
        .iter()
        .filter_map(|connection| Some((path_closeness(connection, path)?, connection)))
        .collect();
    matches.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    matches.into_iter().map(|(_, connection)| Arc::clone(connection)).collect()
}

/// Connections whose addresses and identities fit, the closest first: identities weigh more than addresses. `local` is the
/// identity that the peer asked for, if it did.
#[must_use]
pub fn peer_candidates(
    connections: &[Arc<Connection>],
    path: &Path,
    local: Option<&Identity>,
    remote: &Identity,
) -> Vec<Arc<Connection>> {
    let fits = |identity: &Identity, pattern: Option<&Identity>| match pattern {
        None => Some(identity.matches(&Identity::Any)),
        Some(pattern) => Some(identity.matches(pattern)).filter(Option::is_some),
    };
    let mut matches: Vec<_> = connections
        .iter()
        .filter_map(|connection| {
            let addresses = path_closeness(connection, path)?;
            let ours = connection.local.first().and_then(|auth| auth.id.as_ref());
            let local = match (local, ours) {
                (None, _) | (Some(_), None) => None,
                (Some(asked), Some(ours)) => fits(asked, Some(ours))?,
            };
            let remote = fits(remote, connection.remote.first().and_then(|auth| auth.id.as_ref()))?;
            Some(((remote, local, addresses), connection))
        })
        .collect();
    matches.sort_by(|(a, _), (b, _)| b.cmp(a));
    matches.into_iter().map(|(_, connection)| Arc::clone(connection)).collect()
}
