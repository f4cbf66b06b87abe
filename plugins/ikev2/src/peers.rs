//! Who is connected, across shards: by number, by connection, by pair of identities. Touched when IKE_SAs are created, established
//! and closed, never on a packet's path.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use charon_types::connection::Connection;
use charon_types::endpoint::Path;
use charon_types::{Identity, IkeSpi, UniqueId};
use ikev2_proto::uniqueness::Origin;
use parking_lot::RwLock;

/// An IKE_SA as the index knows it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Its number.
    pub(crate) unique_id: UniqueId,
    /// Our SPI, which names its shard.
    pub(crate) spi: IkeSpi,
    /// Name of its connection, once one fits.
    pub(crate) name: Option<Arc<str>>,
    /// Its connection as it was when it was established, once known; none when another IKE_SA took its place.
    pub(crate) connection: Option<Arc<Connection>>,
    /// The identities, once established.
    pub(crate) identities: Option<(Identity, Identity)>,
    /// How it came to be, once established; an heir came as its first ancestor did.
    pub(crate) origin: Option<Origin>,
    /// Where it talks; as of the last change recorded here.
    pub(crate) path: Path,
}

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    inner: RwLock<Inner>,
}

/// Trees throughout: a table that grows would hold everybody up for milliseconds beside 100,000 IKE_SAs.
#[derive(Debug, Default)]
struct Inner {
    by_id: BTreeMap<UniqueId, Box<Peer>>,
    by_name: BTreeSet<(Arc<str>, UniqueId)>,
    /// By a hash of the identities, which few others share.
    by_identities: BTreeSet<(u64, UniqueId)>,
    hasher: RandomState,
}

impl Peers {
    /// Adds an IKE_SA, or replaces what was known of it.
    pub(crate) fn insert(&self, peer: Peer) {
        self.inner.write().add(peer);
    }

    /// An IKE_SA is established. If it may end others, returns those between its identities: of two that are established at once,
    /// the later one learns of the other.
    #[must_use]
    pub(crate) fn establish(&self, peer: Peer, may_end_others: bool) -> Vec<Peer> {
        let mut inner = self.inner.write();
        let others = match &peer.identities {
            Some((local, remote)) if may_end_others => {
                inner.near(local, remote, peer.path.remote.ip()).cloned().collect()
            }
            _ => Vec::new(),
        };
        inner.add(peer);
        others
    }

    /// An IKE_SA is that of another connection than was thought.
    pub(crate) fn rename(&self, unique_id: UniqueId, name: &Arc<str>) {
        let mut inner = self.inner.write();
        let Inner { by_id, by_name, .. } = &mut *inner;
        let Some(peer) = by_id.get_mut(&unique_id) else { return };
        if let Some(old) = peer.name.replace(Arc::clone(name)) {
            by_name.remove(&(old, unique_id));
        }
        by_name.insert((Arc::clone(name), unique_id));
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
        self.inner.read().by_id.get(&unique_id).map(|peer| Peer::clone(peer))
    }

    /// Our SPIs of all IKE_SAs of connections of that name, those that were replaced and those not yet established among them,
    /// the oldest first.
    #[must_use]
    pub(crate) fn spis_of_name(&self, name: &str) -> Vec<IkeSpi> {
        let inner = self.inner.read();
        inner.named(&name.into()).map(|peer| peer.spi).collect()
    }

    /// IKE_SAs of that connection, the oldest first.
    #[must_use]
    pub(crate) fn of_connection(&self, name: &str) -> Vec<Peer> {
        let inner = self.inner.read();
        inner.named(&name.into()).filter(|peer| peer.connection.is_some()).cloned().collect()
    }

    /// The oldest IKE_SA of that connection as it is now. One that was made, or is being made, before the connection changed
    /// may talk to somebody else.
    #[must_use]
    pub(crate) fn oldest_of_connection(&self, connection: &Connection) -> Option<Peer> {
        let inner = self.inner.read();
        let mut peers = inner.named(&connection.name);
        peers.find(|peer| peer.connection.as_deref().is_some_and(|its| is_same(its, connection))).cloned()
    }

    /// Established IKE_SAs between that pair of identities with a peer whose address is of the same family, the oldest first: a
    /// peer may have one of each.
    #[must_use]
    pub(crate) fn between(&self, local: &Identity, remote: &Identity, peer: IpAddr) -> Vec<Peer> {
        self.inner.read().near(local, remote, peer).cloned().collect()
    }

    /// Whether there is one of these but that of the number given. They may be many: everybody may have the same identity.
    #[must_use]
    pub(crate) fn is_connected(
        &self,
        local: &Identity,
        remote: &Identity,
        peer: IpAddr,
        but: UniqueId,
    ) -> bool {
        self.inner.read().near(local, remote, peer).any(|peer| peer.unique_id != but)
    }

    /// What an established IKE_SA is by now: itself, or its heir.
    #[must_use]
    pub(crate) fn current(&self, peer: &Peer) -> Option<Peer> {
        let inner = self.inner.read();
        let (local, remote) = peer.identities.as_ref()?;
        inner.between(local, remote).find(|known| known.origin == peer.origin).cloned()
    }

    /// Number of IKE_SAs.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.inner.read().by_id.len()
    }
}

/// Whether both lead to the same peer in the same way, whatever their children are.
fn is_same(one: &Connection, other: &Connection) -> bool {
    std::ptr::eq(one, other)
        || (&one.ike, &one.local, &one.remote) == (&other.ike, &other.local, &other.remote)
}

impl Inner {
    /// Those of that name, the oldest first.
    fn named<'a>(&'a self, name: &'a Arc<str>) -> impl Iterator<Item = &'a Peer> {
        let all = (Arc::clone(name), UniqueId(0))..=(Arc::clone(name), UniqueId(u32::MAX));
        self.by_name.range(all).filter_map(|(_, id)| self.by_id.get(id)).map(|peer| &**peer)
    }

    /// Those between these identities, the oldest first.
    fn between<'a>(&'a self, local: &'a Identity, remote: &'a Identity) -> impl Iterator<Item = &'a Peer> {
        let hash = self.hash(local, remote);
        let ids = self.by_identities.range((hash, UniqueId(0))..=(hash, UniqueId(u32::MAX)));
        let peers = ids.filter_map(|(_, id)| self.by_id.get(id)).map(|peer| &**peer);
        peers.filter(move |peer| {
            peer.identities.as_ref().is_some_and(|(ours, theirs)| (ours, theirs) == (local, remote))
        })
    }

    fn hash(&self, local: &Identity, remote: &Identity) -> u64 {
        self.hasher.hash_one((local, remote))
    }

    /// Those of them whose peer has an address of that family.
    fn near<'a>(
        &'a self,
        local: &'a Identity,
        remote: &'a Identity,
        peer: IpAddr,
    ) -> impl Iterator<Item = &'a Peer> {
        self.between(local, remote).filter(move |other| other.path.remote.is_ipv4() == peer.is_ipv4())
    }

    fn add(&mut self, peer: Peer) {
        let (unique_id, name, hash) = (peer.unique_id, peer.name.clone(), self.hash_of(&peer));
        let former = match self.by_id.get_mut(&unique_id) {
            Some(held) => Some(std::mem::replace(&mut **held, peer)),
            None => {
                self.by_id.insert(unique_id, Box::new(peer));
                None
            }
        };
        let former_hash = former.as_ref().and_then(|peer| self.hash_of(peer));
        let former_name = former.and_then(|peer| peer.name);
        if former_name != name {
            former_name.map(|name| self.by_name.remove(&(name, unique_id)));
            self.by_name.extend(name.map(|name| (name, unique_id)));
        }
        if former_hash != hash {
            former_hash.map(|hash| self.by_identities.remove(&(hash, unique_id)));
            self.by_identities.extend(hash.map(|hash| (hash, unique_id)));
        }
    }

    fn hash_of(&self, peer: &Peer) -> Option<u64> {
        peer.identities.as_ref().map(|(local, remote)| self.hash(local, remote))
    }

    fn forget(&mut self, unique_id: UniqueId) {
        let Some(peer) = self.by_id.remove(&unique_id) else { return };
        if let Some(hash) = self.hash_of(&peer) {
            self.by_identities.remove(&(hash, unique_id));
        }
        if let Some(name) = peer.name {
            self.by_name.remove(&(name, unique_id));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use charon_types::connection::IkeConfig;
    use charon_types::endpoint::EndpointPattern;
    use charon_types::id::Role;
    use ikev2_proto::output::InitialContact;

    use super::*;

    fn peer(number: u32, address: &str) -> Peer {
        let identities = Some((Identity::parse("moon").unwrap(), Identity::parse("sun").unwrap()));
        let remote = SocketAddr::new(address.parse().unwrap(), 500);
        Peer {
            unique_id: UniqueId(number),
            spi: IkeSpi::from_be_bytes([1; 8]).unwrap(),
            name: None,
            connection: None,
            identities,
            origin: None,
            path: Path { local: remote, remote },
        }
    }

    fn of(connection: &Arc<Connection>, peer: Peer) -> Peer {
        Peer { name: Some(Arc::clone(&connection.name)), connection: Some(Arc::clone(connection)), ..peer }
    }

    fn connection(remote: &str) -> Arc<Connection> {
        let remote_addrs = vec![EndpointPattern::Address(remote.parse().unwrap())];
        let ike = IkeConfig { remote_addrs, ..IkeConfig::default() };
        Arc::new(Connection { ike, ..Connection::new("roadwarriors") })
    }

    #[test]
    fn those_of_a_connection_are_told_the_oldest_first_and_leave_one_by_one() {
        let (peers, connection) = (Peers::default(), connection("192.0.2.1"));
        for number in [3, 1, 2] {
            peers.insert(of(&connection, peer(number, "192.0.2.1")));
        }
        let known =
            || peers.of_connection("roadwarriors").iter().map(|peer| peer.unique_id.0).collect::<Vec<_>>();
        assert_eq!(known(), [1, 2, 3]);
        peers.remove(UniqueId(2));
        assert_eq!(known(), [1, 3]);
        peers.remove(UniqueId(1));
        peers.remove(UniqueId(3));
        assert!(known().is_empty() && peers.inner.read().by_name.is_empty());
    }

    #[test]
    fn whoever_is_told_of_again_is_found_by_what_was_said_last() {
        let peers = Peers::default();
        let (moon, sun) = (Identity::parse("moon").unwrap(), Identity::parse("sun").unwrap());
        let between = |remote: &Identity| peers.between(&moon, remote, [192, 0, 2, 1].into()).len();
        peers.insert(Peer { identities: None, ..peer(1, "192.0.2.1") });
        assert_eq!(between(&sun), 0);
        peers.insert(Peer { name: Some("gw".into()), ..peer(1, "192.0.2.1") });
        assert_eq!((between(&sun), peers.spis_of_name("gw").len()), (1, 1));
        let others = Some((moon.clone(), Identity::parse("venus").unwrap()));
        peers.insert(Peer { name: Some("rw".into()), identities: others, ..peer(1, "192.0.2.1") });
        assert_eq!((between(&sun), between(&Identity::parse("venus").unwrap())), (0, 1));
        assert_eq!((peers.spis_of_name("gw").len(), peers.spis_of_name("rw").len(), peers.len()), (0, 1, 1));
        peers.insert(Peer { identities: None, ..peer(1, "192.0.2.1") });
        let inner = peers.inner.read();
        assert!(inner.by_name.is_empty() && inner.by_identities.is_empty());
    }

    #[test]
    fn by_name_those_are_found_that_were_replaced_and_that_are_not_yet_established() {
        let (peers, connection) = (Peers::default(), connection("192.0.2.1"));
        let name = &connection.name;
        let with_spi = |number| {
            let spi = IkeSpi::from_be_bytes(u64::from(number).to_be_bytes()).unwrap();
            Peer { spi, ..peer(number, "192.0.2.1") }
        };
        let found = |name: &str| peers.spis_of_name(name).iter().map(|spi| spi.0.get()).collect::<Vec<_>>();
        peers.insert(of(&connection, with_spi(3)));
        peers.insert(Peer { name: Some(Arc::clone(name)), ..with_spi(1) });
        peers.insert(with_spi(2));
        assert_eq!(found(name), [1, 3]);
        assert_eq!(peers.of_connection(name).len(), 1, "none joins it");
        assert_eq!(peers.oldest_of_connection(&connection).map(|peer| peer.unique_id.0), Some(3));
        peers.rename(UniqueId(2), name);
        peers.rename(UniqueId(1), &"others".into());
        assert_eq!((found(name), found("others")), (vec![2, 3], vec![1]));
        (1..=3).for_each(|number| peers.remove(UniqueId(number)));
        assert!(peers.inner.read().by_name.is_empty());
    }

    #[test]
    fn whoever_begins_after_a_reload_does_not_join_what_the_former_connection_made() {
        let (peers, former, now) = (Peers::default(), connection("192.0.2.1"), connection("192.0.2.2"));
        peers.insert(of(&former, peer(1, "192.0.2.1")));
        assert!(peers.oldest_of_connection(&now).is_none(), "it may never be answered");
        peers.insert(of(&now, peer(2, "192.0.2.2")));
        let found = |connection| peers.oldest_of_connection(connection).map(|peer| peer.unique_id.0);
        assert_eq!((found(&now), found(&former)), (Some(2), Some(1)));
        // Loaded again as it was, or with other children.
        let again = Connection { children: Vec::new(), ..Connection::clone(&now) };
        assert_eq!(found(&again), Some(2));
        peers.remove(UniqueId(2));
        assert_eq!(found(&now), None);
    }

    #[test]
    fn of_two_that_are_established_at_once_the_later_one_learns_of_the_other() {
        let peers = Peers::default();
        assert!(peers.establish(peer(1, "192.0.2.1"), true).is_empty());
        let found = peers.establish(peer(2, "192.0.2.1"), true);
        assert_eq!(found.iter().map(|peer| peer.unique_id.0).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn an_heir_is_found_by_how_its_ancestor_came_to_be() {
        let peers = Peers::default();
        let origin = |number| {
            let (role, initial_contact) = (Role::Initiator, InitialContact::Absent);
            let (began, horizon) = (UniqueId(number), UniqueId(number + 1));
            Some(Origin { began, horizon, role, spi_initiator: None, initial_contact })
        };
        let (old, other) = (Peer { origin: origin(1), ..peer(1, "192.0.2.1") }, peer(2, "192.0.2.1"));
        peers.insert(old.clone());
        peers.insert(Peer { origin: origin(2), ..other });
        peers.insert(Peer { unique_id: UniqueId(3), ..old.clone() });
        peers.insert(Peer { identities: None, origin: None, ..old.clone() });
        assert_eq!(peers.current(&old).map(|peer| peer.unique_id), Some(UniqueId(3)));
        peers.remove(UniqueId(3));
        assert!(peers.current(&old).is_none());
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
