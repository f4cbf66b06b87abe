//! Selectors as kernels know them: subnets and port masks.

use std::net::IpAddr;

use crate::selector::{PROTOCOL_ICMP, PROTOCOL_ICMPV6, TrafficSelector};

/// A port and the bits of it that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortMask {
    /// The port, masked.
    pub port: u16,
    /// Bits compared; 0 for any port.
    pub mask: u16,
}

/// Packets from a subnet to a subnet, of a protocol, with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KernelSelector {
    /// Network and prefix length.
    pub source: (IpAddr, u8),
    /// Network and prefix length.
    pub destination: (IpAddr, u8),
    /// IP protocol number, 0 for any.
    pub protocol: u8,
    /// Source port; the type for ICMP.
    pub source_port: PortMask,
    /// Destination port; the code for ICMP.
    pub destination_port: PortMask,
}

impl KernelSelector {
    /// The smallest one that holds all packets between these selectors: ranges that are no subnet are widened.
    #[must_use]
    pub fn between(source: &TrafficSelector, destination: &TrafficSelector) -> Self {
        let protocol = if source.protocol == 0 { destination.protocol } else { source.protocol };
        let (source_port, destination_port) = if matches!(protocol, PROTOCOL_ICMP | PROTOCOL_ICMPV6) {
            // Both sides of an ICMP selector name the message; one that says nothing leaves it to the other.
            icmp(if source.is_any_port() { destination } else { source })
        } else {
            (port_mask(source), port_mask(destination))
        };
        Self {
            source: source.covering_subnet(),
            destination: destination.covering_subnet(),
            protocol,
            source_port,
            destination_port,
        }
    }
}

impl PortMask {
    const fn exactly(port: u16) -> Self {
        Self { port, mask: u16::MAX }
    }
}

fn port_mask(selector: &TrafficSelector) -> PortMask {
    if selector.is_any_port() {
        return PortMask::default();
    }
    if selector.is_opaque() {
        // What a kernel takes for the port of a packet whose ports it cannot see.
        return PortMask::exactly(0);
    }
    covering(selector.port_start, selector.port_end)
}

fn covering(first: u16, last: u16) -> PortMask {
    let differing = u16::BITS - (first ^ last).leading_zeros();
    let mask = u16::MAX.checked_shl(differing).unwrap_or(0);
    PortMask { port: first & mask, mask }
}

/// Masks of type and code.
fn icmp(selector: &TrafficSelector) -> (PortMask, PortMask) {
    if selector.is_any_port() || selector.is_opaque() {
        return Default::default();
    }
    let ([type_first, code_first], [type_last, code_last]) =
        (selector.port_start.to_be_bytes(), selector.port_end.to_be_bytes());
    if type_first != type_last {
        return Default::default();
    }
    let code = if (code_first, code_last) == (0, u8::MAX) {
        PortMask::default()
    } else {
        covering(code_first.into(), code_last.into())
    };
    (PortMask::exactly(type_first.into()), code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str, prefix: u8) -> TrafficSelector {
        TrafficSelector::subnet(text.parse().unwrap(), prefix)
    }

    #[test]
    fn ranges_become_the_mask_that_covers_them() {
        let ports = |first, last| net("10.0.0.0", 8).with_ports(6, first, last);
        let selector = KernelSelector::between(&ports(1024, 2047), &ports(22, 22));
        assert_eq!(selector.source_port, PortMask { port: 1024, mask: 0xfc00 });
        assert_eq!(selector.destination_port, PortMask { port: 22, mask: 0xffff });
        let widened = KernelSelector::between(&ports(1000, 1030), &ports(0, 65535));
        assert_eq!(widened.source_port, PortMask { port: 0, mask: 0xf800 });
        assert_eq!(widened.destination_port, PortMask::default());
    }

    #[test]
    fn icmp_messages_are_type_and_code() {
        let icmp = |first, last| net("10.0.0.0", 8).with_ports(PROTOCOL_ICMP, first, last);
        let any = net("10.1.0.0", 16);
        let echo = KernelSelector::between(&any, &icmp(0x0800, 0x08ff));
        assert_eq!((echo.source_port, echo.destination_port), (PortMask::exactly(8), PortMask::default()));
        let exact = KernelSelector::between(&icmp(0x0301, 0x0301), &any);
        assert_eq!((exact.source_port.port, exact.destination_port.port), (3, 1));
    }
}
