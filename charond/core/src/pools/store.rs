//! The pools that are loaded.

use std::net::IpAddr;
use std::sync::Arc;

use charon_types::config_attribute::ConfigAttribute;
use charon_types::identity::Identity;
use charon_types::lease::Lease;
use parking_lot::Mutex;
use tracing::info;

use super::pool::{Choice, LeaseState, LeaseView, Pool};
use super::range::AddressRange;

/// A pool as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    /// Its name.
    pub name: Arc<str>,
    /// Its addresses.
    pub range: AddressRange,
    /// What is handed out with them.
    pub attributes: Vec<ConfigAttribute>,
}

/// A pool as listings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// Its name.
    pub name: Arc<str>,
    /// Its addresses.
    pub range: AddressRange,
    /// Leases in use.
    pub online: usize,
    /// Leases kept.
    pub offline: usize,
    /// The leases, by address.
    pub leases: Vec<LeaseView>,
}

/// Why a pool is not loaded or unloaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Its addresses would change under their users.
    #[error("vici pool {0} has online leases, unable to replace")]
    InUseReplace(Arc<str>),
    /// Its addresses would go under their users.
    #[error("{0} has online leases, unable to unload")]
    InUseUnload(Arc<str>),
    /// There is none of that name.
    #[error("{0} not found")]
    NotFound(String),
}

/// The pools, in the order in which they were first loaded. Touched when an IKE_SA is established or ends.
#[derive(Default)]
pub struct Pools {
    pools: Mutex<Vec<(Arc<str>, Pool)>>,
}

impl Pools {
    /// Loads a pool. One with the same addresses keeps its leases and gets the new attributes; another takes the place of
    /// the old one.
    ///
    /// # Errors
    /// [`PoolError::InUseReplace`]
    pub fn load(&self, spec: PoolSpec) -> Result<(), PoolError> {
        let mut pools = self.pools.lock();
        let PoolSpec { name, range, attributes } = spec;
        match pools.iter_mut().find(|(known, _)| *known == name) {
            None => {
                info!(target: "CFG", "added vici pool {name}: {}, {} entries", range.first(), range.len());
                pools.push((name, Pool::new(range, attributes)));
            }
            Some((_, pool)) if pool.range == range => {
                pool.attributes = attributes.into();
                info!(target: "CFG", "updated vici pool {name}: {}, {} entries", range.first(), range.len());
            }
            Some((_, pool)) if pool.online() > 0 => return Err(PoolError::InUseReplace(name)),
            Some((_, pool)) => {
                *pool = Pool::new(range, attributes);
                info!(target: "CFG", "replaced vici pool {name}: {}, {} entries", range.first(), range.len());
            }
        }
        Ok(())
    }

    /// Unloads a pool.
    ///
    /// # Errors
    /// [`PoolError::NotFound`], [`PoolError::InUseUnload`]
    pub fn unload(&self, name: &str) -> Result<(), PoolError> {
        let mut pools = self.pools.lock();
        let at = pools.iter().position(|(known, _)| **known == *name);
        let at = at.ok_or_else(|| PoolError::NotFound(name.to_owned()))?;
        let (name, pool) = &pools[at];
        if pool.online() > 0 {
            return Err(PoolError::InUseUnload(Arc::clone(name)));
        }
        info!(target: "CFG", "removed vici pool {name}");
        pools.remove(at);
        Ok(())
    }

    /// The pools, or the one of that name. `leases` of each are listed if asked for.
    #[must_use]
    pub fn list(&self, name: Option<&str>, detail: Detail) -> Vec<PoolView> {
        let pools = self.pools.lock();
        let chosen = pools.iter().filter(|(known, _)| name.is_none_or(|name| **known == *name));
        chosen
            .map(|(name, pool)| PoolView {
                name: Arc::clone(name),
                range: pool.range,
                online: pool.online(),
                offline: pool.offline(),
                leases: if detail == Detail::Leases { pool.leases() } else { Vec::new() },
            })
            .collect()
    }

    /// Lends an address of one of the pools named, in their order; `wanted` tells the family, and the address if it is one.
    pub fn lend(
        &self,
        names: &[Arc<str>],
        identity: &Identity,
        wanted: IpAddr,
        peer: IpAddr,
    ) -> Option<Lease> {
        let mut pools = self.pools.lock();
        for choice in Choice::ALL {
            for name in names {
                let Some((name, pool)) = pools.iter_mut().find(|(known, _)| known == name) else { continue };
                if let Some(address) = pool.lend(choice, identity, wanted, peer) {
                    let how = match choice {
                        Choice::Known => "reassigning known lease",
                        Choice::Untouched => "assigning new lease",
                        Choice::Reclaimed => "reassigning another identity's offline lease",
                    };
                    info!(target: "CFG", "{how} {address} of pool '{name}' to '{identity}'");
                    return Some(Lease { pool: Arc::clone(name), address, identity: identity.clone(), peer });
                }
            }
        }
        for name in names {
            match pools.iter().find(|(known, _)| known == name) {
                None => info!(target: "CFG", "pool '{name}' is not loaded"),
                Some((_, pool)) if pool.range.first().is_ipv4() == wanted.is_ipv4() => {
                    info!(target: "CFG", "pool '{name}' is full, unable to assign address");
                }
                Some(_) => {}
            }
        }
        None
    }

    /// Takes an address back.
    pub fn give_back(&self, lease: &Lease) {
        let mut pools = self.pools.lock();
        let Some((name, pool)) = pools.iter_mut().find(|(known, _)| *known == lease.pool) else { return };
        if pool.give_back(lease.address, &lease.identity, lease.peer) == Some(LeaseState::Offline) {
            info!(target: "CFG", "lease {} of pool '{name}' by '{}' went offline", lease.address, lease.identity);
        }
    }

    /// What the pools of these leases hand out, each pool's once.
    #[must_use]
    pub fn attributes(&self, leases: &[Lease]) -> Vec<ConfigAttribute> {
        let pools = self.pools.lock();
        let used = pools.iter().filter(|(name, _)| leases.iter().any(|lease| lease.pool == *name));
        used.flat_map(|(_, pool)| pool.attributes.iter().cloned()).collect()
    }
}

/// How much a listing tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Numbers.
    Summary,
    /// Every lease.
    Leases,
}

#[cfg(test)]
mod tests;
