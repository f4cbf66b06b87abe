//! Names of IP protocols and of ports, as `/etc/protocols` and `/etc/services` list them.
//!
//! A table only: whoever wants the system's names reads the two files and hands their text over.

use std::collections::BTreeMap;
use std::fmt;

/// Names of protocols and services. The default knows none, so everything shows as a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceNames {
    protocol_names: BTreeMap<u8, String>,
    protocol_numbers: BTreeMap<String, u8>,
    /// By port, then protocol name.
    service_names: BTreeMap<(u16, String), String>,
    /// By service, then protocol name.
    service_ports: BTreeMap<(String, String), u16>,
}

impl ServiceNames {
    /// Reads the text of `/etc/protocols` and `/etc/services`. The first name of a number wins; lines that make no
    /// sense are skipped, as the C library does.
    #[must_use]
    pub fn parse(protocols: &str, services: &str) -> Self {
        let mut names = Self::default();
        for line in protocols.lines() {
            names.add_protocol(line);
        }
        for line in services.lines() {
            names.add_service(line);
        }
        names
    }

    /// The protocols and the few services that selectors commonly name, for where the system has no tables.
    #[must_use]
    pub fn builtin() -> Self {
        Self::parse(BUILTIN_PROTOCOLS, BUILTIN_SERVICES)
    }

    /// Name of a protocol number.
    #[must_use]
    pub fn protocol_name(&self, number: u8) -> Option<&str> {
        self.protocol_names.get(&number).map(String::as_str)
    }

    /// Number of a protocol name or alias.
    #[must_use]
    pub fn protocol_number(&self, name: &str) -> Option<u8> {
        self.protocol_numbers.get(name).copied()
    }

    /// Name of a port of a protocol; for protocol 0 the name that any protocol has for it.
    #[must_use]
    pub fn service_name(&self, protocol: u8, port: u16) -> Option<&str> {
        if protocol == 0 {
            let first = self.service_names.range((port, String::new())..).next()?;
            return (first.0.0 == port).then_some(first.1.as_str());
        }
        let protocol = self.protocol_name(protocol)?;
        self.service_names.get(&(port, protocol.to_owned())).map(String::as_str)
    }

    /// Port of a service name or alias; for protocol 0 the port it has with any protocol.
    #[must_use]
    pub fn service_port(&self, protocol: u8, name: &str) -> Option<u16> {
        if protocol == 0 {
            let first = self.service_ports.range((name.to_owned(), String::new())..).next()?;
            return (first.0.0 == name).then_some(*first.1);
        }
        let protocol = self.protocol_name(protocol)?;
        self.service_ports.get(&(name.to_owned(), protocol.to_owned())).copied()
    }

    fn add_protocol(&mut self, line: &str) {
        let mut words = words_of(line);
        let (Some(name), Some(number)) = (words.next(), words.next()) else { return };
        let Ok(number) = number.parse::<u8>() else { return };
        self.protocol_names.entry(number).or_insert_with(|| name.to_owned());
        for alias in std::iter::once(name).chain(words) {
            self.protocol_numbers.entry(alias.to_owned()).or_insert(number);
        }
    }

    fn add_service(&mut self, line: &str) {
        let mut words = words_of(line);
        let (Some(name), Some(place)) = (words.next(), words.next()) else { return };
        let Some((port, protocol)) = place.split_once('/') else { return };
        let Ok(port) = port.parse::<u16>() else { return };
        self.service_names.entry((port, protocol.to_owned())).or_insert_with(|| name.to_owned());
        for alias in std::iter::once(name).chain(words) {
            self.service_ports.entry((alias.to_owned(), protocol.to_owned())).or_insert(port);
        }
    }
}

/// A protocol by name, else by number.
pub(crate) struct ProtocolText<'a>(pub(crate) &'a ServiceNames, pub(crate) u8);

impl fmt::Display for ProtocolText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.protocol_name(self.1) {
            Some(name) if self.1 != 0 => f.write_str(name),
            _ => self.1.fmt(f),
        }
    }
}

fn words_of(line: &str) -> impl Iterator<Item = &str> {
    line.split('#').next().unwrap_or_default().split_ascii_whitespace()
}

const BUILTIN_PROTOCOLS: &str = "\
icmp 1 ICMP
igmp 2 IGMP
ipencap 4 IP-ENCAP
tcp 6 TCP
udp 17 UDP
ipv6 41 IPv6
gre 47 GRE
esp 50 IPSEC-ESP
ah 51 IPSEC-AH
ipv6-icmp 58 IPv6-ICMP icmpv6
ospf 89 OSPFIGP
l2tp 115 L2TP
sctp 132 SCTP
";

const BUILTIN_SERVICES: &str = "\
ftp 21/tcp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp mail
domain 53/tcp
domain 53/udp
bootps 67/udp
bootpc 68/udp
http 80/tcp www
ntp 123/udp
snmp 161/udp
bgp 179/tcp
ldap 389/tcp
https 443/tcp
isakmp 500/udp
l2f 1701/udp l2tp
ipsec-nat-t 4500/udp
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_lead_to_the_number_and_the_number_to_the_first_name() {
        let names = ServiceNames::builtin();
        assert_eq!(names.protocol_number("icmpv6"), Some(58));
        assert_eq!(names.protocol_name(58), Some("ipv6-icmp"));
        assert_eq!(names.service_port(6, "www"), Some(80));
        assert_eq!(names.service_name(6, 80), Some("http"));
        assert_eq!(names.service_name(17, 80), None);
    }

    #[test]
    fn comments_and_broken_lines_are_skipped() {
        let names =
            ServiceNames::parse("# c\ntcp 6 # x\nbad\nworse 300\n", "ssh 22/tcp#y\nno\nodd x/tcp\nodd 5\n");
        assert_eq!(names.protocol_number("x"), None);
        assert_eq!(names.service_name(6, 22), Some("ssh"));
        assert_eq!(names.service_port(0, "ssh"), Some(22));
        assert_eq!(names.service_port(0, "odd"), None);
    }

    #[test]
    fn any_protocol_takes_a_port_of_whichever_protocol() {
        assert_eq!(ServiceNames::builtin().service_name(0, 500), Some("isakmp"));
        assert_eq!(ServiceNames::builtin().service_name(0, 501), None);
    }
}
