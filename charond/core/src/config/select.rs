//! Which connection fits a peer: by addresses first, then by identities.

use std::net::IpAddr;
use std::sync::Arc;

use charon_types::Identity;
use charon_types::connection::Connection;
use charon_types::endpoint::{EndpointPattern, Path, Specificity};

use super::names::ResolvedNames;

/// How closely a list of patterns describes an address; an empty list is `%any`. A name is its addresses.
fn closeness(patterns: &[EndpointPattern], names: &ResolvedNames, address: IpAddr) -> Option<Specificity> {
    if patterns.is_empty() {
        return Some(Specificity::ANY);
    }
    let matching = patterns.iter().filter_map(|pattern| match pattern {
        EndpointPattern::Name(name) => {
            names.addresses(name).iter().find_map(|&own| EndpointPattern::Address(own).matches(address))
        }
        pattern => pattern.matches(address),
    });
    matching.max()
}

/// How closely a connection's addresses describe the path.
fn path_closeness(connection: &Connection, names: &ResolvedNames, path: &Path) -> Option<u32> {
    let local = closeness(&connection.ike.local_addrs, names, path.local.ip())?;
    let remote = closeness(&connection.ike.remote_addrs, names, path.remote.ip())?;
    Some(u32::from(local.value()) + u32::from(remote.value()))
}

/// Connections whose addresses fit the path, the closest first; equals in the order loaded.
#[must_use]
pub fn ike_candidates(
    connections: &[Arc<Connection>],
    names: &ResolvedNames,
    path: &Path,
) -> Vec<Arc<Connection>> {
    let mut matches: Vec<_> = connections
        .iter()
        .filter_map(|connection| Some((path_closeness(connection, names, path)?, connection)))
        .collect();
    matches.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    matches.into_iter().map(|(_, connection)| Arc::clone(connection)).collect()
}

/// Connections whose addresses and identities fit, the closest first: identities weigh more than addresses. `local` is the
/// identity that the peer asked for, if it did.
#[must_use]
pub fn peer_candidates(
    connections: &[Arc<Connection>],
    names: &ResolvedNames,
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
            let addresses = path_closeness(connection, names, path)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_describes_its_addresses_as_closely_as_they_do_themselves() {
        let (ours, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 9]));
        let names: ResolvedNames =
            std::iter::once(("moon.example.org".to_owned(), vec![other, ours])).collect();
        let patterns = ["%any", "moon.example.org", "sun.example.org"].map(EndpointPattern::parse);
        assert_eq!(closeness(&patterns, &names, ours), Some(Specificity::EXACT));
        assert_eq!(closeness(&patterns[1..], &names, [192, 0, 2, 2].into()), None);
        assert_eq!(closeness(&patterns, &ResolvedNames::default(), ours), Some(Specificity::ANY));
    }
}
