//! Traffic selectors in the form in which packets are compared with them.

use charon_types::selector::TrafficSelector;

use crate::flow::{Family, Flow, Ports, address_bits};

/// One selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    family: Family,
    start: u128,
    end: u128,
    protocol: u8,
    ports: PortMatch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PortMatch {
    Any,
    /// Only packets that hide theirs.
    Opaque,
    Range(u16, u16),
}

impl From<&TrafficSelector> for Selector {
    fn from(selector: &TrafficSelector) -> Self {
        let (family, start) = address_bits(selector.start);
        let (_, end) = address_bits(selector.end);
        let ports = if selector.is_any_port() {
            PortMatch::Any
        } else if selector.is_opaque() {
            PortMatch::Opaque
        } else {
            PortMatch::Range(selector.port_start, selector.port_end)
        };
        Self { family, start, end, protocol: selector.protocol, ports }
    }
}

impl Selector {
    pub(crate) fn holds_source(&self, flow: &Flow) -> bool {
        let port = match flow.ports {
            Ports::Visible(source, _) => Some(source),
            Ports::Hidden => None,
        };
        self.holds(flow, flow.source, port)
    }

    pub(crate) fn holds_destination(&self, flow: &Flow) -> bool {
        let port = match flow.ports {
            Ports::Visible(_, destination) => Some(destination),
            Ports::Hidden => None,
        };
        self.holds(flow, flow.destination, port)
    }

    fn holds(&self, flow: &Flow, address: u128, port: Option<u16>) -> bool {
        let ports = match (self.ports, port) {
            (PortMatch::Any, _) | (PortMatch::Opaque, None) => true,
            (PortMatch::Range(start, end), Some(port)) => (start..=end).contains(&port),
            (PortMatch::Opaque, Some(_)) | (PortMatch::Range(..), None) => false,
        };
        self.family == flow.family
            && (self.start..=self.end).contains(&address)
            && (self.protocol == 0 || self.protocol == flow.protocol)
            && ports
    }
}

/// The selectors of an SA's two sides.
#[derive(Debug)]
pub(crate) struct SelectorPair {
    source: Box<[Selector]>,
    destination: Box<[Selector]>,
}

impl SelectorPair {
    pub(crate) fn new(source: &[TrafficSelector], destination: &[TrafficSelector]) -> Self {
        Self {
            source: source.iter().map(Selector::from).collect(),
            destination: destination.iter().map(Selector::from).collect(),
        }
    }

    /// Whether a packet may come through the SA (RFC 4301 §5.2). An SA without selectors lets nothing through.
    pub(crate) fn hold(&self, flow: &Flow) -> bool {
        self.source.iter().any(|selector| selector.holds_source(flow))
            && self.destination.iter().any(|selector| selector.holds_destination(flow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(ports: Ports) -> Flow {
        Flow { family: Family::Ipv4, source: 0x0a01_0001, destination: 0x0a02_0001, protocol: 6, ports }
    }

    fn subnet(text: &str) -> TrafficSelector {
        TrafficSelector::subnet(text.parse().unwrap(), 16)
    }

    #[test]
    fn both_sides_must_hold_the_packet() {
        let pair = SelectorPair::new(&[subnet("10.1.0.0")], &[subnet("10.2.0.0")]);
        assert!(pair.hold(&flow(Ports::Hidden)));
        let mut elsewhere = flow(Ports::Hidden);
        elsewhere.destination = 0x0a03_0001;
        assert!(!pair.hold(&elsewhere));
        assert!(!SelectorPair::new(&[], &[]).hold(&flow(Ports::Hidden)));
    }

    #[test]
    fn ports_must_be_seen_to_match_a_range() {
        let web = subnet("10.2.0.0").with_ports(6, 80, 80);
        let pair = SelectorPair::new(&[subnet("10.1.0.0")], &[web]);
        assert!(pair.hold(&flow(Ports::Visible(4000, 80))));
        assert!(!pair.hold(&flow(Ports::Visible(4000, 81))));
        assert!(!pair.hold(&flow(Ports::Hidden)));
    }

    #[test]
    fn opaque_means_packets_that_hide_their_ports() {
        let opaque = subnet("10.2.0.0").with_ports(0, u16::MAX, 0);
        let pair = SelectorPair::new(&[subnet("10.1.0.0")], &[opaque]);
        assert!(pair.hold(&flow(Ports::Hidden)));
        assert!(!pair.hold(&flow(Ports::Visible(1, 2))));
    }

    #[test]
    fn families_never_mix() {
        let pair = SelectorPair::new(&[TrafficSelector::ANY_IPV6], &[TrafficSelector::ANY_IPV6]);
        assert!(!pair.hold(&flow(Ports::Hidden)));
    }
}
