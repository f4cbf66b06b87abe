//! Virtual addresses of an IKE_SA: ours, the peer's, and what came with them. One value, so that a successor can take it over.

use std::net::IpAddr;

use charon_types::config_attribute::{AttributeKind, ConfigAttribute};
use charon_types::lease::Lease;
use charon_types::selector::{SelectorPattern, TrafficSelector};

use crate::output::{AddressOp, Output};
use crate::sa::{Cx, Sa};

/// What was assigned, in either direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assignment {
    /// Ours, installed on an interface.
    pub(crate) local: Vec<IpAddr>,
    /// The peer's.
    pub(crate) leases: Vec<Lease>,
    /// What else the peer told us: name servers, say.
    pub(crate) received: Vec<ConfigAttribute>,
}

impl Assignment {
    /// The peer's addresses.
    pub(crate) fn remote(&self) -> Vec<IpAddr> {
        self.leases.iter().map(|lease| lease.address).collect()
    }

    /// The name servers that the peer told us.
    pub(crate) fn name_servers(&self) -> impl Iterator<Item = IpAddr> {
        let is_server = |attribute: &&ConfigAttribute| {
            matches!(attribute.kind, AttributeKind::INTERNAL_IP4_DNS | AttributeKind::INTERNAL_IP6_DNS)
        };
        self.received.iter().filter(is_server).filter_map(ConfigAttribute::as_address)
    }
}

impl Sa {
    /// Gives back what was assigned: leases to their pools, our addresses off the interface, name servers forgotten.
    pub(crate) fn release_assignment(&mut self, cx: Cx<'_>) {
        let assignment = std::mem::take(&mut self.assignment);
        assignment.leases.iter().for_each(|lease| cx.env.pools.give_back(lease));
        let addresses = assignment.local.iter().copied().map(AddressOp::Remove);
        let ops: Vec<_> = assignment.name_servers().map(AddressOp::DropNameServer).chain(addresses).collect();
        if !ops.is_empty() {
            let op = self.next_op();
            self.output(Output::Addresses { op, beside: self.path.local.ip(), ops });
        }
    }

    /// Our side of a child's selectors: `dynamic` is our virtual addresses, else those we ask for, else our address.
    pub(crate) fn local_selectors(&self, patterns: &[SelectorPattern]) -> Vec<TrafficSelector> {
        let wanted =
            || self.connection.as_ref().map_or_else(Vec::new, |connection| connection.ike.vips.clone());
        let hosts = Some(self.assignment.local.clone())
            .filter(|local| !local.is_empty())
            .or_else(|| Some(wanted()).filter(|wanted| !wanted.is_empty()))
            .unwrap_or_else(|| vec![self.path.local.ip()]);
        resolve(patterns, &hosts)
    }

    /// The peer's side of a child's selectors: `dynamic` is its virtual addresses, else its address.
    pub(crate) fn remote_selectors(&self, patterns: &[SelectorPattern]) -> Vec<TrafficSelector> {
        let assigned = self.assignment.remote();
        let hosts = if assigned.is_empty() { vec![self.path.remote.ip()] } else { assigned };
        resolve(patterns, &hosts)
    }
}

/// Every pattern with `dynamic` standing for each of the hosts in turn; an unspecified one is its whole family.
fn resolve(patterns: &[SelectorPattern], hosts: &[IpAddr]) -> Vec<TrafficSelector> {
    let mut selectors = Vec::with_capacity(patterns.len());
    for pattern in patterns {
        match *pattern {
            SelectorPattern::Fixed(selector) => selectors.push(selector),
            SelectorPattern::Dynamic { protocol, port_start, port_end } => {
                selectors.extend(hosts.iter().map(|host| {
                    let whole = if host.is_unspecified() {
                        TrafficSelector::subnet(*host, 0)
                    } else {
                        TrafficSelector::host(*host)
                    };
                    whole.with_ports(protocol, port_start, port_end)
                }));
            }
        }
    }
    selectors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dynamic_stands_for_every_host_and_an_unspecified_one_for_its_family() {
        let hosts = ["10.3.0.1".parse().unwrap(), "::".parse().unwrap()];
        let fixed: SelectorPattern = "10.1.0.0/16".parse().unwrap();
        let selectors = resolve(&[SelectorPattern::DYNAMIC, fixed], &hosts);
        let texts: Vec<_> = selectors.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.3.0.1/32", "::/0", "10.1.0.0/16"]);
    }
}
