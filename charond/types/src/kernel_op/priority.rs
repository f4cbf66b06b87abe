//! Which of several policies a packet takes: the numbers that strongSwan gives them, the lower the sooner.
//!
//! ```text
//! class                 base    less, for how closely it describes packets
//! Shunt              200 000    bits of both prefixes x 512, 256 for a protocol, bits of both port masks x 4,
//! Regular, Trap      400 000    2 for an interface, 1 unless it is a trap
//! Fallback           600 000
//! ```

use super::{KernelSelector, Policy, PolicyClass};

const CLASS_STEP: u32 = 200_000;
const PREFIX_BIT: u32 = 512;
const PROTOCOL: u32 = 256;
const PORT_BIT: u32 = 4;
const INTERFACE: u32 = 2;
const NOT_A_TRAP: u32 = 1;

impl Policy {
    /// Its fixed priority if it has one, else the one computed from class and selectors. Lower comes first.
    #[must_use]
    pub fn effective_priority(&self) -> u32 {
        if self.priority != 0 {
            return self.priority;
        }
        let (base, own) = match self.class {
            PolicyClass::Shunt => (CLASS_STEP, NOT_A_TRAP),
            PolicyClass::Regular => (2 * CLASS_STEP, NOT_A_TRAP),
            PolicyClass::Trap => (2 * CLASS_STEP, 0),
            PolicyClass::Fallback => (3 * CLASS_STEP, NOT_A_TRAP),
        };
        let selector = KernelSelector::between(&self.source, &self.destination);
        let prefixes = u32::from(selector.source.1) + u32::from(selector.destination.1);
        let protocol = if selector.protocol == 0 { 0 } else { PROTOCOL };
        let ports = selector.source_port.mask.count_ones() + selector.destination_port.mask.count_ones();
        let interface = if self.interface.is_some() { INTERFACE } else { 0 };
        base - prefixes * PREFIX_BIT - protocol - ports * PORT_BIT - interface - own
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PolicyAction, PolicyDirection};
    use super::*;
    use crate::selector::TrafficSelector;

    fn policy(class: PolicyClass, source: TrafficSelector, destination: TrafficSelector) -> Policy {
        Policy {
            class,
            direction: PolicyDirection::Out,
            source,
            destination,
            action: PolicyAction::Drop,
            priority: 0,
            mark: Default::default(),
            if_id: Default::default(),
            interface: None,
        }
    }

    fn net(octet: u8, prefix: u8) -> TrafficSelector {
        TrafficSelector::subnet([10, octet, 0, 1].into(), prefix)
    }

    #[test]
    fn priorities_are_those_that_strongswan_computes() {
        let of = |class, source, destination| policy(class, source, destination).effective_priority();
        assert_eq!(of(PolicyClass::Regular, net(1, 16), net(2, 16)), 383_615);
        assert_eq!(of(PolicyClass::Trap, net(1, 16), net(2, 16)), 383_616);
        assert_eq!(of(PolicyClass::Regular, net(1, 32), net(2, 32)), 367_231);
        assert_eq!(of(PolicyClass::Shunt, net(1, 24), net(1, 24)), 175_423);
        assert_eq!(of(PolicyClass::Fallback, net(1, 0), net(2, 0)), 599_999);
    }

    #[test]
    fn a_protocol_a_port_and_an_interface_make_a_policy_closer() {
        let plain = policy(PolicyClass::Regular, net(1, 16), net(2, 16));
        let web = policy(PolicyClass::Regular, net(1, 16), net(2, 16).with_ports(6, 80, 80));
        assert_eq!(plain.effective_priority() - web.effective_priority(), 256 + 64);
        let range = policy(PolicyClass::Regular, net(1, 16), net(2, 16).with_ports(6, 0x400, 0x4ff));
        assert_eq!(plain.effective_priority() - range.effective_priority(), 256 + 8 * 4);
        let bound = Policy { interface: Some("eth0".to_owned()), ..plain };
        assert_eq!(plain.effective_priority() - bound.effective_priority(), 2);
    }

    #[test]
    fn a_fixed_priority_counts_as_it_is() {
        let fixed = Policy { priority: 7, ..policy(PolicyClass::Shunt, net(1, 16), net(2, 16)) };
        assert_eq!(fixed.effective_priority(), 7);
    }
}
