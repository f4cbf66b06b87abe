//! Names of hosts in connections, resolved: so that a peer is recognised by its address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use charon_types::connection::Connection;
use charon_types::endpoint::EndpointPattern;

/// Addresses of names, as last resolved. Immutable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedNames(HashMap<String, Vec<IpAddr>>);

impl ResolvedNames {
    /// The addresses of a name; none if it was not resolved.
    #[must_use]
    pub fn addresses(&self, name: &str) -> &[IpAddr] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The names that the endpoints of connections consist of, each once, in order.
    #[must_use]
    pub fn wanted(connections: &[Arc<Connection>]) -> Vec<String> {
        let endpoints = |connection: &Arc<Connection>| {
            let ike = &connection.ike;
            let names = ike.local_addrs.iter().chain(&ike.remote_addrs).filter_map(|pattern| match pattern {
                EndpointPattern::Name(name) => Some(name.clone()),
                _ => None,
            });
            names.collect::<Vec<_>>()
        };
        let mut names: Vec<String> = connections.iter().flat_map(endpoints).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl FromIterator<(String, Vec<IpAddr>)> for ResolvedNames {
    fn from_iter<I: IntoIterator<Item = (String, Vec<IpAddr>)>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}
