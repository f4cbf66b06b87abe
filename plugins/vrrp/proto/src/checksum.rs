//! The Internet checksum and what it covers (RFC 9568 §5.2.8).

use std::fmt;
use std::net::IpAddr;

use crate::id::{Family, IP_PROTOCOL, Version};

/// What a VRRPv3 checksum over IPv4 covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumForm {
    /// The message (RFC 9568).
    Plain,
    /// The pseudo-header as well (keepalived, FRR).
    Pseudo,
    /// The pseudo-header as well, with the group in it even if the message went to one peer (FRR, old keepalived).
    PseudoGroup,
}

impl ChecksumForm {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Pseudo, Self::PseudoGroup];
}

impl fmt::Display for ChecksumForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "without pseudo-header",
            Self::Pseudo => "with pseudo-header",
            Self::PseudoGroup => "with the group's pseudo-header",
        })
    }
}

/// A one's complement sum that grows part by part. Every part but the last has an even number of octets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// With `octets` added.
    #[must_use]
    pub fn plus(mut self, octets: &[u8]) -> Self {
        let mut pairs = octets.chunks_exact(2);
        for pair in &mut pairs {
            self.0 += u64::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
        if let [last] = pairs.remainder() {
            self.0 += u64::from(*last) << 8;
        }
        self
    }

    /// With an address added.
    #[must_use]
    pub fn plus_address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.plus(&address.octets()),
            IpAddr::V6(address) => self.plus(&address.octets()),
        }
    }

    /// The checksum: the complement.
    #[must_use]
    pub fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).expect("the carries were folded in")
    }
}

/// Sum of the pseudo-header of a message of `len` octets with that IP protocol.
#[must_use]
pub fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, len: usize) -> Sum {
    // IPv4 has 16 bits of length after a zero and the protocol, IPv6 32 bits and 24 zero bits: the sums are the same.
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    Sum::default()
        .plus_address(source)
        .plus_address(destination)
        .plus(&len.to_be_bytes())
        .plus(&[0, protocol])
}

/// Checksum of a message whose checksum field is zero, or 0 if the field holds the right one.
#[must_use]
pub fn of_message(
    version: Version,
    form: ChecksumForm,
    source: IpAddr,
    destination: IpAddr,
    message: &[u8],
) -> u16 {
    let family = Family::of(source);
    let start = match (version, family, form) {
        (Version::V2, _, _) | (Version::V3, Family::Ipv4, ChecksumForm::Plain) => Sum::default(),
        (Version::V3, Family::Ipv4, ChecksumForm::PseudoGroup) => {
            pseudo_header(source, family.group(), IP_PROTOCOL, message.len())
        }
        (Version::V3, Family::Ipv4, ChecksumForm::Pseudo) | (Version::V3, Family::Ipv6, _) => {
            pseudo_header(source, destination, IP_PROTOCOL, message.len())
        }
    };
    start.plus(message).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_add_up_as_the_rfc_says() {
        // RFC 1071 §3.
        assert_eq!(Sum::default().plus(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]).finish(), !0xddf2);
        assert_eq!(Sum::default().plus(&[0x12, 0x34, 0x56]).finish(), !(0x1234 + 0x5600));
    }
}
