//! Shunts as routing rules: what passes is led around the table of the tunnels, in front of it; what is dropped goes nowhere,
//! behind it, so that tunnels come first.
//!
//! Rules match what the selectors say, source and ports included. Our own IKE and ESP is kept out of what is dropped by rules of
//! its own.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use charon_core::service::KernelNet;
use charon_core::service::kernel_net::{Family, FwMark, Inverted, Rule, RulePackets, TABLE_MAIN};
use charon_types::kernel_op::{KernelError, Policy, PolicyAction};
use charon_types::selector::{PROTOCOL_ICMP, PROTOCOL_ICMPV6, TrafficSelector};
use tracing::warn;

use crate::settings::Settings;

/// Most rules for one policy: ranges of addresses that take more are refused.
const RULES_MAX: usize = 64;
const UDP: u8 = 17;

/// The rules that are there, each as often as policies need it.
pub(crate) struct Shunts {
    net: Arc<dyn KernelNet>,
    settings: Settings,
    rules: HashMap<Key, (Rule, usize)>,
}

/// What tells one rule from another.
type Key = (u32, String);

impl Shunts {
    pub(crate) fn new(net: Arc<dyn KernelNet>, settings: Settings) -> Self {
        Self { net, settings, rules: HashMap::new() }
    }

    /// Whether a policy is a shunt.
    pub(crate) fn has(policy: &Policy) -> bool {
        matches!(policy.action, PolicyAction::Pass | PolicyAction::Drop)
    }

    /// All rules of a policy, or none.
    pub(crate) async fn add(&mut self, policy: &Policy) -> Result<(), KernelError> {
        let rules = self.rules_of(policy)?;
        for (at, rule) in rules.iter().enumerate() {
            if let Err(error) = self.add_rule(*rule).await {
                for added in rules.iter().take(at) {
                    self.remove_rule(*added).await;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    pub(crate) async fn remove(&mut self, policy: &Policy) -> Result<(), KernelError> {
        for rule in self.rules_of(policy)? {
            self.remove_rule(rule).await;
        }
        Ok(())
    }

    pub(crate) async fn remove_all(&mut self) {
        for (rule, _) in std::mem::take(&mut self.rules).into_values() {
            forget(&*self.net, rule).await;
        }
    }

    fn rules_of(&self, policy: &Policy) -> Result<Vec<Rule>, KernelError> {
        let family = if policy.source.start.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        let (sources, destinations) = (policy.source.subnets(), policy.destination.subnets());
        if sources.len() * destinations.len() > RULES_MAX {
            return Err(KernelError::Unsupported("a shunt for a range of so many subnets"));
        }
        let (priority, table) = match policy.action {
            PolicyAction::Drop => (self.settings.priority.saturating_add(1), None),
            _ if policy.priority != 0 => {
                return Err(KernelError::Unsupported("letting packets through at a fixed priority"));
            }
            _ => (self.settings.priority.saturating_sub(1), Some(TABLE_MAIN)),
        };
        let mut rules = if table.is_none() { self.own_traffic(family) } else { Vec::new() };
        for source in &sources {
            for destination in &destinations {
                let packets = RulePackets {
                    // Every address is no condition.
                    source: Some(*source).filter(|(_, prefix)| *prefix > 0),
                    destination: Some(*destination).filter(|(_, prefix)| *prefix > 0),
                    protocol: Some(policy.source.protocol).filter(|protocol| *protocol != 0),
                    source_ports: ports(&policy.source)?,
                    destination_ports: ports(&policy.destination)?,
                };
                rules.push(Rule { family, packets, table, priority, fwmark: None });
                // The host asks for a way before it knows its source address. To a network of its own that is sure to be among
                // the sources; elsewhere it might not, and what must not leave in clear would.
                if table.is_some() && source.1 > 0 && contains(*source, *destination) {
                    let packets = RulePackets { source: Some(unspecified(family)), ..packets };
                    rules.push(Rule { family, packets, table, priority, fwmark: None });
                }
            }
        }
        Ok(rules)
    }

    /// Rules that keep IKE and ESP in UDP out of what is dropped: by the mark of our sockets, else by their ports.
    fn own_traffic(&self, family: Family) -> Vec<Rule> {
        let rule = |packets, fwmark| {
            let priority = self.settings.priority.saturating_sub(1);
            Rule { family, packets, table: Some(TABLE_MAIN), priority, fwmark }
        };
        match self.settings.fwmark {
            Some(FwMark { invert: Inverted::Yes, value, mask }) => {
                let mark = FwMark { invert: Inverted::No, value, mask };
                vec![rule(RulePackets::default(), Some(mark))]
            }
            _ => {
                let from = |port| RulePackets {
                    protocol: Some(UDP),
                    source_ports: Some((port, port)),
                    ..RulePackets::default()
                };
                let ports = self.settings.ports.into_iter().filter(|port| *port != 0);
                ports.map(|port| rule(from(port), None)).collect()
            }
        }
    }

    async fn add_rule(&mut self, rule: Rule) -> Result<(), KernelError> {
        if let Some((_, uses)) = self.rules.get_mut(&key(rule)) {
            *uses += 1;
            return Ok(());
        }
        self.net.add_rule(rule).await?;
        self.rules.insert(key(rule), (rule, 1));
        Ok(())
    }

    async fn remove_rule(&mut self, rule: Rule) {
        let Some((_, uses)) = self.rules.get_mut(&key(rule)) else { return };
        *uses -= 1;
        if *uses == 0 {
            self.rules.remove(&key(rule));
            forget(&*self.net, rule).await;
        }
    }
}

fn key(rule: Rule) -> Key {
    (rule.priority, format!("{rule:?}"))
}

async fn forget(net: &dyn KernelNet, rule: Rule) {
    match net.remove_rule(rule).await {
        Ok(()) | Err(KernelError::NotFound) => {}
        Err(error) => warn!(target: "KNL", "removing the rule of a shunt failed: {error}"),
    }
}

/// The address of a packet that has none yet.
fn unspecified(family: Family) -> (IpAddr, u8) {
    match family {
        Family::Ipv4 => (Ipv4Addr::UNSPECIFIED.into(), 32),
        Family::Ipv6 => (Ipv6Addr::UNSPECIFIED.into(), 128),
    }
}

/// Whether a subnet lies within another of its family.
fn contains(outer: (IpAddr, u8), inner: (IpAddr, u8)) -> bool {
    TrafficSelector::subnet(outer.0, outer.1).contains(&TrafficSelector::subnet(inner.0, inner.1))
}

/// The ports of a selector, if it names any that a rule can match.
fn ports(selector: &TrafficSelector) -> Result<Option<(u16, u16)>, KernelError> {
    if selector.is_any_port() {
        return Ok(None);
    }
    if selector.is_opaque() {
        return Err(KernelError::Unsupported("a shunt for packets that hide their ports"));
    }
    match selector.protocol {
        0 => Err(KernelError::Unsupported("a shunt for ports of any protocol")),
        PROTOCOL_ICMP | PROTOCOL_ICMPV6 => Err(KernelError::Unsupported("a shunt for some ICMP messages")),
        _ => Ok(Some((selector.port_start, selector.port_end))),
    }
}

#[cfg(test)]
mod tests {
    use charon_kernel_null::NullNet;
    use charon_types::kernel_op::{PolicyClass, PolicyDirection};

    use super::*;

    fn policy(action: PolicyAction, remote: TrafficSelector) -> Policy {
        Policy {
            direction: PolicyDirection::Out,
            source: TrafficSelector { protocol: remote.protocol, ..TrafficSelector::ANY_IPV4 },
            destination: remote,
            action,
            class: PolicyClass::Shunt,
            priority: 0,
            mark: Default::default(),
            if_id: Default::default(),
            interface: None,
        }
    }

    fn net(octet: u8) -> TrafficSelector {
        TrafficSelector::subnet([10, octet, 0, 0].into(), 16)
    }

    #[tokio::test]
    async fn what_passes_goes_around_the_tunnels_by_its_ports() {
        let kernel = Arc::new(NullNet::new());
        let mut shunts = Shunts::new(kernel.clone(), Settings::default());
        let web = policy(PolicyAction::Pass, net(9).with_ports(6, 80, 81));
        shunts.add(&web).await.unwrap();
        let [rule] = kernel.rules()[..] else { panic!("one rule") };
        assert_eq!((rule.table, rule.priority), (Some(TABLE_MAIN), 219));
        let expected = RulePackets {
            destination: Some(([10, 9, 0, 0].into(), 16)),
            protocol: Some(6),
            destination_ports: Some((80, 81)),
            ..RulePackets::default()
        };
        assert_eq!(rule.packets, expected);
        shunts.remove(&web).await.unwrap();
        assert_eq!(kernel.rules(), []);
    }

    #[tokio::test]
    async fn what_is_dropped_goes_nowhere_behind_the_tunnels_but_for_our_own_ports() {
        let kernel = Arc::new(NullNet::new());
        let mut shunts = Shunts::new(kernel.clone(), Settings::default());
        let (one, other) = (policy(PolicyAction::Drop, net(8)), policy(PolicyAction::Drop, net(9)));
        shunts.add(&one).await.unwrap();
        shunts.add(&other).await.unwrap();
        let rules = kernel.rules();
        let discarding = rules.iter().filter(|rule| rule.table.is_none() && rule.priority == 221).count();
        assert_eq!((discarding, rules.len()), (2, 4));
        shunts.remove(&one).await.unwrap();
        assert_eq!(kernel.rules().len(), 3);
        shunts.remove_all().await;
        assert_eq!(kernel.rules(), []);
    }

    #[tokio::test]
    async fn a_host_reaches_the_neighbours_that_pass_before_it_has_chosen_an_address() {
        let kernel = Arc::new(NullNet::new());
        let mut shunts = Shunts::new(kernel.clone(), Settings::default());
        let near = Policy { source: net(9), ..policy(PolicyAction::Pass, net(9)) };
        let far = Policy { source: net(8), ..policy(PolicyAction::Pass, net(7)) };
        shunts.add(&near).await.unwrap();
        shunts.add(&far).await.unwrap();
        let sources: Vec<_> =
            kernel.rules().iter().map(|rule| (rule.packets.source, rule.packets.destination)).collect();
        let of = |octet: u8| Some((IpAddr::from([10, octet, 0, 0]), 16));
        let nowhere = Some((IpAddr::from([0, 0, 0, 0]), 32));
        assert_eq!(sources, [(of(9), of(9)), (nowhere, of(9)), (of(8), of(7))]);
    }

    #[tokio::test]
    async fn what_no_rule_can_match_is_refused() {
        let mut shunts = Shunts::new(Arc::new(NullNet::new()), Settings::default());
        let ping = policy(PolicyAction::Pass, net(9).with_ports(PROTOCOL_ICMP, 0x800, 0x800));
        assert!(matches!(shunts.add(&ping).await, Err(KernelError::Unsupported(_))));
        let fixed = Policy { priority: 5, ..policy(PolicyAction::Pass, net(9)) };
        assert!(matches!(shunts.add(&fixed).await, Err(KernelError::Unsupported(_))));
    }
}
