//! Who is connected, across shards: by number, by connection, by pair of identities. Touched when IKE_SAs are created, established
//! and closed, never on a packet's path.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use charon_types::endpoint::Path;
use charon_types::{Identity, IkeSpi, UniqueId};
use parking_lot::RwLock;

/// An IKE_SA as the index knows it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Its number.
    pub(crate) unique_id: UniqueId,
    /// Our SPI, which names its shard.
    pub(crate) spi: IkeSpi,
    /// Name of its connection, once known.
    pub(crate) connection: Option<Arc<str>>,
    /// The identities, once established.
    pub(crate) identities: Option<(Identity, Identity)>,
    /// Where it talks; as of the last change recorded here.
    pub(crate) path: Path,
}

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<UniqueId, Peer>,
    by_connection: HashMap<Arc<str>, Vec<UniqueId>>,
    by_identities: HashMap<(Identity, Identity), Vec<UniqueId>>,
}

impl Peers {
    /// Adds an IKE_SA, or replaces what was known of it.
    pub(crate) fn insert(&self, peer: Peer) {
        let mut inner = self.inner.write();
        inner.forget(peer.unique_id);
        if let Some(connection) = &peer.connection {
            inner.by_connection.entry(Arc::clone(connection)).or_default().push(peer.unique_id);
        }
        if let Some(identities) = &peer.identities {
            inner.by_identities.entry(identities.clone()).or_default().push(peer.unique_id);
        }
        inner.by_id.insert(peer.unique_id, peer);
    }

    /// An IKE_SA goes on at other addresses.
    pub(crate) fn relocate(&self, unique_id: UniqueId, path: Path) {
        if let Some(peer) = self.inner.write().by_id.get_mut(&unique_id) {
            peer.path = path;
        }
    }

    /// Forgets an IKE_SA.
    pub(crate) fn remove(&self, unique_id: UniqueId) {
        self.inner.write().forget(unique_id);
    }

    /// The IKE_SA of that number.
    #[must_use]
    pub(crate) fn by_id(&self, unique_id: UniqueId) -> Option<Peer> {
        self.inner.read().by_id.get(&unique_id).cloned()
    }

    /// IKE_SAs of that connection, the oldest first.
    #[must_use]
    pub(crate) fn of_connection(&self, name: &str) -> Vec<Peer> {
        let inner = self.inner.read();
        inner.by_connection.get(name).map_or_else(Vec::new, |ids| inner.peers(ids))
    }

    /// Established IKE_SAs between that pair of identities with a peer whose address is of the same family, the oldest first: a
    /// peer may have one of each.
    #[must_use]
    pub(crate) fn between(&self, local: &Identity, remote: &Identity, peer: IpAddr) -> Vec<Peer> {
        let inner = self.inner.read();
        let ids = inner.by_identities.get(&(local.clone(), remote.clone()));
        let mut peers = ids.map_or_else(Vec::new, |ids| inner.peers(ids));
        peers.retain(|other| other.path.remote.is_ipv4() == peer.is_ipv4());
        peers
    }

    /// Number of IKE_SAs.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.inner.read().by_id.len()
    }
}

impl Inner {
    fn peers(&self, ids: &[UniqueId]) -> Vec<Peer> {
        ids.iter().filter_map(|id| self.by_id.get(id).cloned()).collect()
    }

    fn forget(&mut self, unique_id: UniqueId) {
        let Some(peer) = self.by_id.remove(&unique_id) else { return };
        if let Some(connection) = peer.connection {
            take_out(&mut self.by_connection, &connection, unique_id);
        }
        if let Some(identities) = peer.identities {
            take_out(&mut self.by_identities, &identities, unique_id);
        }
    }
}

/// Removes an id from a list in a map, and the list with its last id.
fn take_out<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Vec<UniqueId>>, key: &K, unique_id: UniqueId) {
    if let Some(ids) = map.get_mut(key) {
        ids.retain(|id| *id != unique_id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn peer(number: u32, address: &str) -> Peer {
        let identities = Some((Identity::parse("moon").unwrap(), Identity::parse("sun").unwrap()));
        let remote = SocketAddr::new(address.parse().unwrap(), 500);
        Peer {
            unique_id: UniqueId(number),
            spi: IkeSpi::from_be_bytes([1; 8]).unwrap(),
            connection: None,
            identities,
            path: Path { local: remote, remote },
        }
    }

    #[test]
    fn a_peer_may_have_an_ike_sa_of_each_family() {
        let peers = Peers::default();
        peers.insert(peer(1, "192.0.2.1"));
        peers.insert(peer(2, "2001:db8::1"));
        peers.insert(peer(3, "192.0.2.3"));
        let (moon, sun) = peer(0, "::").identities.unwrap();
        let of = |address: &str| {
            let found = peers.between(&moon, &sun, address.parse().unwrap());
            found.iter().map(|peer| peer.unique_id.0).collect::<Vec<_>>()
        };
        assert_eq!(of("192.0.2.9"), [1, 3]);
        assert_eq!(of("2001:db8::9"), [2]);
    }
}
