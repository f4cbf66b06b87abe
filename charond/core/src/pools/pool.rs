//! One pool: its range and its leases.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use charon_types::config_attribute::ConfigAttribute;
use charon_types::identity::Identity;

use super::range::AddressRange;

/// Whether a lease is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// By at least one IKE_SA.
    Online,
    /// Kept for its identity.
    Offline,
}

/// A lease as listings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseView {
    /// The address.
    pub address: IpAddr,
    /// To whom it is lent.
    pub identity: Identity,
    /// Whether it is in use.
    pub state: LeaseState,
}

/// See the module.
pub(super) struct Pool {
    pub(super) range: AddressRange,
    pub(super) attributes: Arc<[ConfigAttribute]>,
    /// By offset.
    leases: BTreeMap<u32, Leased>,
    by_identity: HashMap<Identity, Vec<u32>>,
    /// Those not in use, the one that is so for longest first.
    offline: BTreeMap<u64, u32>,
    /// Addresses from here on were never lent.
    untouched: u32,
    clock: u64,
}

struct Leased {
    identity: Identity,
    /// From where each IKE_SA that uses it asked; empty: offline.
    peers: Vec<IpAddr>,
    offline_since: u64,
}

/// Which addresses are tried, in strongSwan's order over all pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// One that the identity has had before.
    Known,
    /// One that nobody has had.
    Untouched,
    /// One that is kept for somebody who is not there.
    Reclaimed,
}

impl Choice {
    pub(super) const ALL: [Self; 3] = [Self::Known, Self::Untouched, Self::Reclaimed];
}

impl Pool {
    pub(super) fn new(range: AddressRange, attributes: Vec<ConfigAttribute>) -> Self {
        Self {
            range,
            attributes: attributes.into(),
            leases: BTreeMap::new(),
            by_identity: HashMap::new(),
            offline: BTreeMap::new(),
            untouched: 0,
            clock: 0,
        }
    }

    pub(super) fn lend(
        &mut self,
        choice: Choice,
        identity: &Identity,
        wanted: IpAddr,
        peer: IpAddr,
    ) -> Option<IpAddr> {
        if self.range.first().is_ipv4() != wanted.is_ipv4() {
            return None;
        }
        let offset = match choice {
            Choice::Known => self.known(identity, wanted, peer)?,
            Choice::Untouched => self.untouched(identity)?,
            Choice::Reclaimed => self.reclaimed(identity)?,
        };
        let lease = self.leases.get_mut(&offset)?;
        self.offline.remove(&lease.offline_since);
        lease.peers.push(peer);
        self.range.at(offset)
    }

    /// Offline, the one asked for if there are several; else online, for an IKE_SA that replaces another of the same peer.
    fn known(&self, identity: &Identity, wanted: IpAddr, peer: IpAddr) -> Option<u32> {
        let offsets = self.by_identity.get(identity)?;
        let lease = |offset: &&u32| self.leases.get(*offset);
        let is_wanted = |offset: &&u32| self.range.at(**offset) == Some(wanted);
        let offline =
            || offsets.iter().filter(|offset| lease(offset).is_some_and(|known| known.peers.is_empty()));
        let online = || {
            let of_peer = move |offset: &&u32| lease(offset).is_some_and(|known| known.peers.contains(&peer));
            offsets.iter().filter(of_peer).filter(move |offset| wanted.is_unspecified() || is_wanted(offset))
        };
        let found = offline().find(is_wanted).or_else(|| online().next()).or_else(|| offline().next());
        found.copied()
    }

    fn untouched(&mut self, identity: &Identity) -> Option<u32> {
        let offset = self.untouched;
        if offset >= self.range.len() {
            return None;
        }
        self.untouched += 1;
        self.leases
            .insert(offset, Leased { identity: identity.clone(), peers: Vec::new(), offline_since: 0 });
        self.by_identity.entry(identity.clone()).or_default().push(offset);
        Some(offset)
    }

    fn reclaimed(&mut self, identity: &Identity) -> Option<u32> {
        let offset = *self.offline.first_key_value()?.1;
        let lease = self.leases.get_mut(&offset)?;
        let old = std::mem::replace(&mut lease.identity, identity.clone());
        if let Some(offsets) = self.by_identity.get_mut(&old) {
            offsets.retain(|known| *known != offset);
            if offsets.is_empty() {
                self.by_identity.remove(&old);
            }
        }
        self.by_identity.entry(identity.clone()).or_default().push(offset);
        Some(offset)
    }

    /// Takes back one use of an address; whether there was one.
    pub(super) fn give_back(
        &mut self,
        address: IpAddr,
        identity: &Identity,
        peer: IpAddr,
    ) -> Option<LeaseState> {
        let offset = self.range.offset(address)?;
        let lease = self.leases.get_mut(&offset).filter(|lease| lease.identity == *identity)?;
        let at = lease.peers.iter().position(|known| *known == peer)?;
        lease.peers.swap_remove(at);
        if !lease.peers.is_empty() {
            return Some(LeaseState::Online);
        }
        self.clock += 1;
        lease.offline_since = self.clock;
        self.offline.insert(self.clock, offset);
        Some(LeaseState::Offline)
    }

    pub(super) fn online(&self) -> usize {
        self.leases.len() - self.offline.len()
    }

    pub(super) fn offline(&self) -> usize {
        self.offline.len()
    }

    pub(super) fn leases(&self) -> Vec<LeaseView> {
        self.leases
            .iter()
            .filter_map(|(offset, lease)| {
                let state = if lease.peers.is_empty() { LeaseState::Offline } else { LeaseState::Online };
                Some(LeaseView { address: self.range.at(*offset)?, identity: lease.identity.clone(), state })
            })
            .collect()
    }
}
