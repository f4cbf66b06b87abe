//! Text of selectors: `<net>[<proto>/<port>]` in, what `list-sas` shows out.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{PROTOCOL_ICMP, PROTOCOL_ICMPV6, SelectorPattern, TrafficSelector};
use crate::endpoint::AddressText;
use crate::services::{ProtocolText, ServiceNames};

/// Why a text is no selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectorError {
    /// The part before the bracket is neither `dynamic` nor an address, a subnet or a range.
    Addresses,
    /// A `[` without the closing `]` at the end.
    Bracket,
    /// The protocol is neither a name that we know nor a number up to 255.
    Protocol,
    /// The port is neither a service that we know nor a number, a rising range, `any` or `opaque`.
    Port,
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Addresses => "traffic selector has no valid address, subnet, range or 'dynamic'",
            Self::Bracket => "traffic selector lacks the closing ']'",
            Self::Protocol => "traffic selector has an unknown protocol",
            Self::Port => "traffic selector has an unknown port",
        })
    }
}

impl std::error::Error for SelectorError {}

impl SelectorPattern {
    /// Reads `<net>[<proto>/<port>]`; the bracket part is optional.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn parse(text: &str, names: &ServiceNames) -> Result<Self, SelectorError> {
        let text = text.trim();
        let (net, restriction) = match text.split_once('[') {
            Some((net, rest)) => (net.trim_end(), rest.strip_suffix(']').ok_or(SelectorError::Bracket)?),
            None => (text, ""),
        };
        let (protocol, port) = restriction.split_once('/').unwrap_or((restriction, ""));
        let protocol = parse_protocol(protocol.trim(), names)?;
        let (port_start, port_end) = parse_ports(port.trim(), protocol, names)?;
        if net == "dynamic" {
            return Ok(Self::Dynamic { protocol, port_start, port_end });
        }
        let selector = parse_net(net).ok_or(SelectorError::Addresses)?;
        Ok(Self::Fixed(selector.with_ports(protocol, port_start, port_end)))
    }

    /// Its text with names from that table.
    #[must_use]
    pub const fn display<'a>(&'a self, names: &'a ServiceNames) -> PatternText<'a> {
        PatternText { pattern: self, names }
    }
}

impl TrafficSelector {
    /// Its text with names from that table.
    #[must_use]
    pub const fn display<'a>(&'a self, names: &'a ServiceNames) -> SelectorText<'a> {
        SelectorText { selector: self, names }
    }
}

/// With the names that are built in.
impl FromStr for SelectorPattern {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, &ServiceNames::builtin())
    }
}

/// With protocols and ports as numbers; [`TrafficSelector::display`] shows names.
impl fmt::Display for TrafficSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(&ServiceNames::default()).fmt(f)
    }
}

/// With protocols and ports as numbers; [`SelectorPattern::display`] shows names.
impl fmt::Display for SelectorPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(&ServiceNames::default()).fmt(f)
    }
}

/// Shows a [`TrafficSelector`]: `a/b` or `from..to`, then `[proto/port]` if restricted.
#[derive(Clone, Copy, Debug)]
pub struct SelectorText<'a> {
    selector: &'a TrafficSelector,
    names: &'a ServiceNames,
}

impl fmt::Display for SelectorText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrafficSelector { start, end, protocol, port_start, port_end } = *self.selector;
        match self.selector.prefix() {
            Some(prefix) => write!(f, "{}/{prefix}", AddressText(start))?,
            None => write!(f, "{}..{}", AddressText(start), AddressText(end))?,
        }
        Restriction { protocol, port_start, port_end, names: self.names }.fmt(f)
    }
}

/// Shows a [`SelectorPattern`]: `dynamic` or as [`SelectorText`].
#[derive(Clone, Copy, Debug)]
pub struct PatternText<'a> {
    pattern: &'a SelectorPattern,
    names: &'a ServiceNames,
}

impl fmt::Display for PatternText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.pattern {
            SelectorPattern::Dynamic { protocol, port_start, port_end } => {
                f.write_str("dynamic")?;
                Restriction { protocol, port_start, port_end, names: self.names }.fmt(f)
            }
            SelectorPattern::Fixed(ref selector) => selector.display(self.names).fmt(f),
        }
    }
}

/// `[proto/port]`, or nothing where both are any.
struct Restriction<'a> {
    protocol: u8,
    port_start: u16,
    port_end: u16,
    names: &'a ServiceNames,
}

impl fmt::Display for Restriction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = (self.port_start, self.port_end);
        match (self.protocol, ports) {
            (0, (0, u16::MAX)) => return Ok(()),
            (protocol, (0, u16::MAX)) => return write!(f, "[{}]", ProtocolText(self.names, protocol)),
            (protocol, _) => write!(f, "[{}/", ProtocolText(self.names, protocol))?,
        }
        match ports {
            (u16::MAX, 0) => f.write_str("OPAQUE")?,
            (port, end) if port == end => self.fmt_port(port, f)?,
            (start, end) if is_icmp(self.protocol) => {
                self.fmt_port(start, f)?;
                f.write_str("-")?;
                self.fmt_port(end, f)?;
            }
            (start, end) => write!(f, "{start}-{end}")?,
        }
        f.write_str("]")
    }
}

impl Restriction<'_> {
    fn fmt_port(&self, port: u16, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_icmp(self.protocol) {
            let [kind, code] = port.to_be_bytes();
            return if code == 0 { write!(f, "{kind}") } else { write!(f, "{kind}({code})") };
        }
        match self.names.service_name(self.protocol, port) {
            Some(name) => f.write_str(name),
            None => write!(f, "{port}"),
        }
    }
}

fn parse_net(net: &str) -> Option<TrafficSelector> {
    if let Some((address, prefix)) = net.split_once('/') {
        return Some(TrafficSelector::subnet(address.parse().ok()?, parse_prefix(prefix)?));
    }
    if let Some((start, end)) = net.split_once('-') {
        return TrafficSelector::range(start.trim().parse().ok()?, end.trim().parse().ok()?);
    }
    net.parse::<IpAddr>().ok().map(TrafficSelector::host)
}

/// A prefix length; numbers beyond the octet saturate, as all lengths above the family's width are clamped anyhow.
pub(crate) fn parse_prefix(text: &str) -> Option<u8> {
    text.parse::<u32>().ok().map(|prefix| u8::try_from(prefix).unwrap_or(u8::MAX))
}

fn parse_protocol(text: &str, names: &ServiceNames) -> Result<u8, SelectorError> {
    if matches!(text, "" | "any" | "%any") {
        return Ok(0);
    }
    let number = names.protocol_number(text).or_else(|| text.parse().ok());
    number.ok_or(SelectorError::Protocol)
}

fn parse_ports(text: &str, protocol: u8, names: &ServiceNames) -> Result<(u16, u16), SelectorError> {
    match text {
        "" | "any" | "%any" => return Ok((0, u16::MAX)),
        "opaque" => return Ok((u16::MAX, 0)),
        _ => {}
    }
    // Service names may have a hyphen, so the whole is tried before a range.
    if let Some(port) = parse_port(text, protocol, names) {
        return Ok((port, port));
    }
    let (start, end) = text.split_once('-').ok_or(SelectorError::Port)?;
    let bound = |text: &str| parse_port(text.trim(), protocol, names).ok_or(SelectorError::Port);
    let (start, end) = (bound(start)?, bound(end)?);
    if start <= end { Ok((start, end)) } else { Err(SelectorError::Port) }
}

fn parse_port(text: &str, protocol: u8, names: &ServiceNames) -> Option<u16> {
    if is_icmp(protocol) {
        let number: u16 = text.parse().ok()?;
        // Up to 255 it is a type; above, type and code in one number.
        return Some(u8::try_from(number).map_or(number, |kind| u16::from_be_bytes([kind, 0])));
    }
    names.service_port(protocol, text).or_else(|| text.parse().ok())
}

const fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, PROTOCOL_ICMP | PROTOCOL_ICMPV6)
}
