//! From what there is to what is wanted, for one virtual router.

use std::collections::{BTreeSet, HashSet};

use charon_core::service::kernel_links::{LinkRoute, RouteKind};
use charon_core::service::kernel_net::{Family, InterfaceIndex};
use charon_types::kernel_op::KernelError;
use charon_types::vrouter::{VirtualAddress, VirtualRoute, VirtualRule};
use tracing::{info, warn};

use super::device::group_below;
use super::{Applied, Confirmed, Held, HostRole, Outcome, Wanted, Worker};
use crate::key::Key;
use crate::net_state::OUR_PROTOCOL;

/// The routing table of local addresses.
const TABLE_LOCAL: u32 = 255;

impl Worker {
    /// Finds out what others took away, and from whom.
    pub(super) fn notice_losses(&mut self) -> BTreeSet<Key> {
        let mut losers = BTreeSet::new();
        let state = self.state.borrow_and_update();
        let parent = state.link(&self.interface).map(|link| link.index);
        let sysctls = &self.sysctls;
        let interface = &self.interface;
        self.applied.retain(|key, applied| {
            let device_gone = applied.macvlan.is_some()
                && applied.confirmed_device == Confirmed::Yes
                && state.link_at(applied.device).is_none();
            if parent == Some(applied.parent) && !device_gone {
                return true;
            }
            // Addresses, routes and the macvlan went with the link.
            if applied.macvlan.is_some() {
                super::device::forget_parent(sysctls, interface);
            }
            info!(target: "KNL", "the link of vrouter {} is gone", applied.config.name);
            losers.insert(*key);
            false
        });
        let of_parent: HashSet<VirtualAddress> = parent
            .map(|parent| state.addresses(parent).iter().map(|known| known.held).collect())
            .unwrap_or_default();
        for (key, applied) in &mut self.applied {
            if state.link_at(applied.device).is_some() {
                applied.confirmed_device = Confirmed::Yes;
            }
            let device = applied.device;
            let name = &applied.config.name;
            applied.held.retain_mut(|held| {
                let there = if parent == Some(device) {
                    of_parent.contains(&held.address)
                } else {
                    state.holds(device, held.address)
                };
                if there {
                    held.confirmed = Confirmed::Yes;
                } else if held.confirmed == Confirmed::Yes {
                    warn!(target: "KNL", "address {} of vrouter {name} was removed by others, restoring it",
                        held.address.address);
                    losers.insert(*key);
                    return false;
                }
                true
            });
        }
        losers
    }

    pub(super) async fn reconcile_one(&mut self, key: Key, wanted: Option<Wanted>) -> Outcome {
        let parent = self.state.borrow().link(&self.interface).map(|link| link.index);
        let mut applied = self.applied.remove(&key);
        let rebuild = |applied: &Applied, wanted: &Wanted| {
            let (old, new) = (&*applied.config, &*wanted.config);
            old.vmac != new.vmac
                || old.vmac_name != new.vmac_name
                || old.accept != new.accept
                || old.name != new.name
        };
        let obsolete = match (&applied, &wanted) {
            (Some(applied), Some(wanted)) => rebuild(applied, wanted),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if obsolete && let Some(mut old) = applied.take() {
            if let Err(error) = self.withdraw(&mut old).await {
                warn!(target: "KNL", "taking back what vrouter {} had failed: {error:?}", old.config.name);
            }
            self.dismantle(&old).await;
        }
        let (Some(wanted), Some(parent)) = (wanted, parent) else { return Outcome::Done };
        let mut applied = match applied {
            Some(applied) => applied,
            None => match self.prepare(key, &wanted.config, parent).await {
                Ok(applied) => applied,
                Err(error) => {
                    warn!(target: "KNL", "vrouter {}: making its macvlan failed: {error:?}", wanted.config.name);
                    return Outcome::Failed;
                }
            },
        };
        applied.config = wanted.config;
        let done = match wanted.role {
            HostRole::Active => self.assume(&mut applied).await,
            HostRole::Standby => self.withdraw(&mut applied).await,
        };
        let outcome = match done {
            Ok(()) => Outcome::Done,
            Err(error) => {
                warn!(target: "KNL", "vrouter {}: the kernel refused: {error:?}", applied.config.name);
                Outcome::Failed
            }
        };
        self.applied.insert(key, applied);
        outcome
    }

    /// Everything goes, in few requests however many routers there are.
    pub(super) async fn withdraw_all(&mut self) {
        let mut groups = Vec::new();
        for mut applied in std::mem::take(&mut self.applied).into_values() {
            let result = if applied.macvlan.is_some() {
                groups.push(group_below(applied.parent));
                super::device::forget_parent(&self.sysctls, &self.interface);
                // Addresses go with the link.
                self.withdraw_beside_link(&mut applied).await
            } else {
                self.withdraw(&mut applied).await
            };
            if let Err(error) = result {
                warn!(target: "KNL", "taking back what vrouter {} had failed: {error:?}", applied.config.name);
            }
        }
        groups.sort_unstable_by_key(|group| group.0);
        groups.dedup();
        for group in groups {
            if let Err(error) = tolerate(self.net.remove_link_group(group).await) {
                warn!(target: "KNL", "removing the macvlans of {} failed: {error:?}", self.interface);
            }
        }
    }

    /// Everything that an Active router has.
    async fn assume(&self, applied: &mut Applied) -> Result<(), KernelError> {
        self.raise(applied).await?;
        let wanted = addresses(applied);
        let obsolete: Vec<VirtualAddress> =
            applied.held.iter().map(|held| held.address).filter(|held| !wanted.contains(held)).collect();
        for address in obsolete {
            self.drop_address(applied, address).await?;
        }
        for address in wanted {
            if applied.held.iter().any(|held| held.address == address) {
                continue;
            }
            if applied.config.accept.is_enabled() || applied.config.priority == u8::MAX {
                match self.net.add_link_address(applied.device, address, OUR_PROTOCOL).await {
                    // The owner's address was there before us and stays behind us.
                    Err(KernelError::Exists) if !self.is_ours(applied.device, address) => continue,
                    Ok(()) | Err(KernelError::Exists) => {}
                    Err(error) => return Err(error),
                }
            } else if let Some(route) = refusal(address) {
                self.net.add_link_route(route).await?;
            }
            applied.held.push(Held { address, confirmed: Confirmed::NotYet });
        }
        let obsolete: Vec<VirtualRoute> =
            applied.routes.iter().filter(|route| !applied.config.routes.contains(route)).cloned().collect();
        for route in obsolete {
            self.drop_route(applied, &route).await?;
        }
        for route in applied.config.routes.clone() {
            if !applied.routes.contains(&route) {
                self.net.add_link_route(self.link_route(applied, &route)).await?;
                applied.routes.push(route);
            }
        }
        let obsolete: Vec<VirtualRule> =
            applied.rules.iter().filter(|rule| !applied.config.rules.contains(rule)).copied().collect();
        for rule in obsolete {
            self.drop_rule(applied, rule).await?;
        }
        for rule in applied.config.rules.clone() {
            if !applied.rules.contains(&rule) {
                self.net.add_marked_rule(family(&rule), rule, OUR_PROTOCOL).await?;
                applied.rules.push(rule);
            }
        }
        Ok(())
    }

    /// Nothing of that.
    async fn withdraw(&self, applied: &mut Applied) -> Result<(), KernelError> {
        self.withdraw_beside_link(applied).await?;
        let held: Vec<_> = applied.held.iter().map(|held| held.address).collect();
        for address in held {
            self.drop_address(applied, address).await?;
        }
        self.lower(applied).await
    }

    /// What stays when the macvlan goes.
    async fn withdraw_beside_link(&self, applied: &mut Applied) -> Result<(), KernelError> {
        for rule in applied.rules.clone() {
            self.drop_rule(applied, rule).await?;
        }
        for route in applied.routes.clone() {
            self.drop_route(applied, &route).await?;
        }
        if !applied.config.accept.is_enabled() {
            for route in applied.held.iter().filter_map(|held| refusal(held.address)) {
                tolerate(self.net.remove_link_route(route).await)?;
            }
        }
        Ok(())
    }

    async fn drop_address(&self, applied: &mut Applied, address: VirtualAddress) -> Result<(), KernelError> {
        tolerate(self.net.remove_link_address(applied.device, address).await)?;
        if !applied.config.accept.is_enabled()
            && let Some(route) = refusal(address)
        {
            tolerate(self.net.remove_link_route(route).await)?;
        }
        applied.held.retain(|held| held.address != address);
        Ok(())
    }

    async fn drop_route(&self, applied: &mut Applied, route: &VirtualRoute) -> Result<(), KernelError> {
        tolerate(self.net.remove_link_route(self.link_route(applied, route)).await)?;
        applied.routes.retain(|held| held != route);
        Ok(())
    }

    async fn drop_rule(&self, applied: &mut Applied, rule: VirtualRule) -> Result<(), KernelError> {
        tolerate(self.net.remove_marked_rule(family(&rule), rule, OUR_PROTOCOL).await)?;
        applied.rules.retain(|held| *held != rule);
        Ok(())
    }

    fn is_ours(&self, device: InterfaceIndex, address: VirtualAddress) -> bool {
        let state = self.state.borrow();
        state.addresses(device).iter().any(|known| known.held == address && known.protocol == OUR_PROTOCOL)
    }

    fn link_route(&self, applied: &Applied, route: &VirtualRoute) -> LinkRoute {
        let named =
            route.interface.as_deref().and_then(|name| self.state.borrow().link(name).map(|link| link.index));
        // Without gateway and interface it leads onto the link of the addresses.
        let on_link = || if route.gateway.is_none() { Some(applied.device) } else { None };
        LinkRoute {
            destination: route.destination,
            kind: RouteKind::Unicast,
            interface: named.or_else(on_link),
            gateway: route.gateway,
            source: route.source,
            table: route.table,
            metric: route.metric,
            mtu: route.mtu,
            protocol: OUR_PROTOCOL,
        }
    }
}

fn addresses(applied: &Applied) -> Vec<VirtualAddress> {
    applied.config.addresses.iter().chain(&applied.config.excluded).copied().collect()
}

/// What drops packets to an address that is announced but not accepted. A link-local one is nowhere routed to.
fn refusal(address: VirtualAddress) -> Option<LinkRoute> {
    let (link_local, width) = match address.address {
        std::net::IpAddr::V4(_) => (false, 32),
        std::net::IpAddr::V6(address) => (address.is_unicast_link_local(), 128),
    };
    (!link_local).then_some(LinkRoute {
        destination: VirtualAddress { address: address.address, prefix: width },
        kind: RouteKind::Blackhole,
        interface: None,
        gateway: None,
        source: None,
        table: TABLE_LOCAL,
        metric: 0,
        mtu: 0,
        protocol: OUR_PROTOCOL,
    })
}

fn family(rule: &VirtualRule) -> Family {
    let ipv4 = rule.from.or(rule.to).is_none_or(|network| network.address.is_ipv4());
    if ipv4 { Family::Ipv4 } else { Family::Ipv6 }
}

/// What is gone already need not be removed.
fn tolerate(done: Result<(), KernelError>) -> Result<(), KernelError> {
    match done {
        Err(KernelError::NotFound) => Ok(()),
        other => other,
    }
}
