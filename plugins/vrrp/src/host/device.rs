//! The link that has a virtual router's addresses: the interface itself, or a macvlan with the virtual MAC address.

use charon_core::service::kernel_links::{LinkAdmin, LinkGroup, MacAddress, Macvlan};
use charon_core::service::kernel_net::InterfaceIndex;
use charon_types::kernel_op::KernelError;
use charon_types::vrouter::Vrouter;
use tracing::{debug, warn};
use vrrp_proto::Family;

use super::{Applied, LinkUp, Worker};
use crate::key::Key;
use crate::sysctl::Sysctls;

/// How the macvlans of any charond are known.
pub(crate) const ALIAS: &str = "charond vrouter ";

/// The macvlans of an interface share a group.
pub(super) const fn group_below(parent: InterfaceIndex) -> LinkGroup {
    LinkGroup(0x5652_0000 | parent.0 & 0xffff)
}

/// On the interface below: it must neither answer for addresses of the macvlans, nor speak for them.
const PARENT: [(&str, &str); 2] = [("arp_ignore", "1"), ("arp_announce", "2")];

impl Worker {
    /// Makes the link if it takes one.
    pub(super) async fn prepare(
        &self,
        key: Key,
        config: &std::sync::Arc<Vrouter>,
        parent: InterfaceIndex,
    ) -> Result<Applied, KernelError> {
        let applied = |device, macvlan, up| Applied {
            config: std::sync::Arc::clone(config),
            parent,
            device,
            macvlan,
            up,
            confirmed_device: super::Confirmed::NotYet,
            held: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
        };
        if !config.vmac.is_enabled() {
            return Ok(applied(parent, None, LinkUp::Yes));
        }
        let name = macvlan_name(config, key, parent);
        let macvlan = Macvlan {
            name: name.clone(),
            parent,
            mac: MacAddress(key.vrid.mac(key.family)),
            alias: format!("{ALIAS}{}", config.name),
            group: group_below(parent),
        };
        let device = match self.net.add_macvlan(macvlan.clone()).await {
            Err(KernelError::Exists) => {
                self.remove_own(&name, parent).await;
                self.net.add_macvlan(macvlan).await?
            }
            other => other?,
        };
        tune_macvlan(&self.sysctls, &name, key.family, config);
        for (setting, value) in PARENT {
            self.sysctls.acquire(&format!("ipv4/conf/{}/{setting}", self.interface), value);
        }
        Ok(applied(device, Some(name), LinkUp::No))
    }

    /// Removes the link if it was made.
    pub(super) async fn dismantle(&self, applied: &Applied) {
        if applied.macvlan.is_none() {
            return;
        }
        forget_parent(&self.sysctls, &self.interface);
        match self.net.remove_link(applied.device).await {
            Ok(()) | Err(KernelError::NotFound) => {}
            Err(error) => {
                warn!(target: "KNL", "removing the macvlan of {} failed: {error:?}", applied.config.name);
            }
        }
    }

    pub(super) async fn raise(&self, applied: &mut Applied) -> Result<(), KernelError> {
        if applied.up == LinkUp::No {
            self.net.set_link(applied.device, LinkAdmin::Up).await?;
            applied.up = LinkUp::Yes;
        }
        Ok(())
    }

    /// A macvlan that is down neither sends nor answers anything.
    pub(super) async fn lower(&self, applied: &mut Applied) -> Result<(), KernelError> {
        if applied.macvlan.is_some() && applied.up == LinkUp::Yes {
            self.net.set_link(applied.device, LinkAdmin::Down).await?;
            applied.up = LinkUp::No;
        }
        Ok(())
    }

    /// One of ours that was left over; a link of somebody else with that name stays.
    async fn remove_own(&self, name: &str, parent: InterfaceIndex) {
        if let Ok(link) = self.net.link(name).await
            && link.parent == Some(parent)
            && link.alias.is_none_or(|alias| alias.starts_with(ALIAS))
        {
            debug!(target: "KNL", "removing the macvlan {name} that was left over");
            drop(self.net.remove_link(link.index).await);
        }
    }
}

/// One macvlan less needs the settings of the interface.
pub(super) fn forget_parent(sysctls: &Sysctls, interface: &str) {
    for (setting, _) in PARENT {
        sysctls.release(&format!("ipv4/conf/{interface}/{setting}"));
    }
}

fn macvlan_name(config: &Vrouter, key: Key, parent: InterfaceIndex) -> String {
    if let Some(name) = &config.vmac_name {
        return name.clone();
    }
    // At most 15 characters. FRR's names are the same.
    let family = match key.family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    };
    format!("vrrp{family}-{}-{}", parent.0, key.vrid)
}

/// It answers for its own addresses only, and says nothing by itself.
fn tune_macvlan(sysctls: &Sysctls, name: &str, family: Family, config: &Vrouter) {
    let ipv4 = |setting: &str, value: &str| sysctls.set(&format!("ipv4/conf/{name}/{setting}"), value);
    let ipv6 = |setting: &str, value: &str| sysctls.set(&format!("ipv6/conf/{name}/{setting}"), value);
    let holds = |ipv4: bool| {
        config.addresses.iter().chain(&config.excluded).any(|held| held.address.is_ipv4() == ipv4)
    };
    // The stricter of the interface's and the general one counts; loose is as far as one interface can go on its own.
    let strict = sysctls.number("ipv4/conf/all/rp_filter") > 0;
    ipv4("rp_filter", if strict { "2" } else { "0" });
    // 8: no answer at all.
    ipv4("arp_ignore", if holds(true) { "1" } else { "8" });
    ipv4("arp_announce", "2");
    ipv4("accept_local", "1");
    ipv4("promote_secondaries", "1");
    ipv4("send_redirects", "0");
    if family == Family::Ipv4 && !holds(false) {
        ipv6("disable_ipv6", "1");
        return;
    }
    // 1: no address of its own.
    ipv6("addr_gen_mode", "1");
    for setting in
        ["accept_dad", "dad_transmits", "accept_ra", "autoconf", "router_solicitations", "ndisc_notify"]
    {
        ipv6(setting, "0");
    }
}
