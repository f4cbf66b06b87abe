//! From the file to virtual routers.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use charon_types::Secret;
use charon_types::connection::Toggle;
use charon_types::vrouter::{VirtualAddress, VirtualRoute, Vrouter, VrouterAuth, VrrpVersion};

use crate::directive::AuthType;
use crate::document::{Document, RouterTable, StaticRoute};
use crate::place::FileError;

/// rVRRPd's own limit.
pub const VROUTERS_MAX: usize = 1023;
const PRIORITY_DEFAULT: u8 = 100;
/// The kernel's main routing table.
const TABLE_MAIN: u32 = 254;

impl Document {
    /// What no single directive can tell.
    pub(crate) fn check(&self) -> Result<(), FileError> {
        let wrong = |directive: &str, reason: String| {
            Err(FileError { directive: Some(directive.to_owned()), line: None, reason })
        };
        let routers = self.vrouter.as_deref().unwrap_or_default();
        if routers.is_empty() {
            return wrong("vrouter", "no virtual router configured".to_owned());
        }
        if routers.len() > VROUTERS_MAX {
            return wrong("vrouter", format!("{} virtual routers, at most {VROUTERS_MAX}", routers.len()));
        }
        let mut groups = BTreeSet::new();
        let mut names = BTreeSet::new();
        for router in routers {
            if !groups.insert((&router.interface, router.group)) {
                let RouterTable { group, interface, .. } = router;
                return wrong("vrouter.group", format!("{group} is on interface {interface} already"));
            }
            if router.is_macvlan() && !names.insert(router.vif()) {
                return wrong("vrouter.vifname", format!("{} is there already", router.vif()));
            }
        }
        if let Some(host) = self.api.as_ref().and_then(|api| api.host.as_deref())
            && host.parse::<std::net::SocketAddr>().is_err()
        {
            return wrong("api.host", format!("'{host}' is no address and port"));
        }
        Ok(())
    }

    /// What people should know of it.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for router in self.vrouter.iter().flatten() {
            let RouterTable { group, interface, .. } = router;
            if router.rfc3768 == Some(false) {
                warnings.push(format!(
                    "vrouter {group} on {interface}: rfc3768 = false has no effect, only the virtual address is advertised"
                ));
            }
            if router.socket_filter == Some(false) {
                warnings.push(format!(
                    "vrouter {group} on {interface}: socket_filter = false has no effect, packets are always filtered"
                ));
            }
            if router.auth_type.is_some() && router.auth_secret.is_none() {
                warnings.push(format!(
                    "vrouter {group} on {interface}: auth_type without auth_secret protects nothing"
                ));
            }
            if router.auth_type.is_none() && router.auth_secret.is_some() {
                warnings.push(format!(
                    "vrouter {group} on {interface}: auth_secret without auth_type has no effect"
                ));
            }
        }
        match &self.api {
            None if self.client_api.is_some() => {
                warnings
                    .push("client_api without [api]: nobody could log in, there is no REST API".to_owned());
            }
            Some(api) => {
                for line in &api.users.strange {
                    warnings.push(format!("api.users: entry {line} is none"));
                }
            }
            None => {}
        }
        warnings
    }

    /// The virtual routers. `prefix_of` tells the length in bits of the prefix of an interface's first address, which the
    /// virtual address shares; an interface without one has the address alone, 32.
    pub fn vrouters(&self, prefix_of: impl Fn(&str) -> Option<u8>) -> Vec<Vrouter> {
        let routes: Vec<VirtualRoute> = self
            .protocols
            .iter()
            .filter_map(|protocols| protocols.routes.as_deref())
            .flatten()
            .map(StaticRoute::virtual_route)
            .collect();
        let tables = self.vrouter.iter().flatten();
        tables.map(|table| table.vrouter(prefix_of(&table.interface).unwrap_or(32), routes.clone())).collect()
    }
}

impl RouterTable {
    /// Whether it has an interface of its own.
    #[must_use]
    pub fn is_macvlan(&self) -> bool {
        self.iftype.as_deref() == Some("macvlan")
    }

    /// Name of its interface.
    #[must_use]
    pub fn vif(&self) -> String {
        self.vifname.clone().unwrap_or_else(|| format!("standby{}", self.group))
    }

    /// Name of the virtual router.
    #[must_use]
    pub fn name(&self) -> String {
        format!("rvrrpd-{}-{}", self.interface, self.group)
    }

    /// Priority, 100 if none is given.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.priority.unwrap_or(PRIORITY_DEFAULT)
    }

    /// Seconds between advertisements.
    #[must_use]
    pub fn advert_seconds(&self) -> u8 {
        self.timers.as_ref().and_then(|timers| timers.advert).map_or(1, std::num::NonZeroU8::get)
    }

    fn vrouter(&self, prefix: u8, routes: Vec<VirtualRoute>) -> Vrouter {
        let address = VirtualAddress { address: IpAddr::V4(self.vip), prefix };
        let mut vrouter = Vrouter::new(&self.name(), &self.interface, self.group, vec![address]);
        vrouter.version = VrrpVersion::V2;
        vrouter.priority = self.priority();
        vrouter.preempt = toggle(self.preemption.unwrap_or(false));
        vrouter.advert_interval = Duration::from_secs(u64::from(self.advert_seconds()));
        vrouter.vmac = toggle(self.is_macvlan());
        if self.is_macvlan() {
            vrouter.vmac_name = Some(self.vif());
        }
        vrouter.auth = match self.auth_type {
            None => VrouterAuth::None,
            Some(AuthType::Simple) => VrouterAuth::Simple,
            Some(AuthType::P0) => VrouterAuth::P0,
            Some(AuthType::P1) => VrouterAuth::P1,
        };
        if self.auth_type.is_some() {
            let given = self.auth_secret.as_ref().map(|hidden| hidden.0.clone());
            vrouter.secret = Some(given.unwrap_or_else(|| Secret::copy_from(&[])));
        }
        vrouter.rvrrpd_compat = Toggle::Enabled;
        vrouter.routes = routes;
        vrouter
    }
}

impl StaticRoute {
    fn virtual_route(&self) -> VirtualRoute {
        let bits = u32::from(self.mask);
        let prefix = u8::try_from(bits.leading_ones()).expect("an address has 32 bits");
        // Bits behind the mask are none of the network's.
        let network = Ipv4Addr::from(u32::from(self.route) & bits);
        VirtualRoute {
            destination: VirtualAddress { address: network.into(), prefix },
            gateway: Some(self.nh.into()),
            interface: None,
            source: None,
            table: TABLE_MAIN,
            metric: self.metric.unwrap_or(0).into(),
            mtu: self.mtu.unwrap_or(0).into(),
        }
    }
}

const fn toggle(on: bool) -> Toggle {
    if on { Toggle::Enabled } else { Toggle::Disabled }
}
