//! The Internet checksum (RFC 1071).

/// A one's complement sum over 16-bit words, not yet folded, in the machine's own byte order (RFC 1071 §2 (B)).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum(u64);

impl Sum {
    /// Adds octets. All but the last call must have an even number of them.
    #[must_use]
    pub(crate) fn add(self, octets: &[u8]) -> Self {
        let mut lanes = [0_u64; 4];
        let (blocks, rest) = octets.as_chunks::<16>();
        for [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] in blocks {
            lanes[0] += u64::from(u32::from_ne_bytes([*a0, *a1, *a2, *a3]));
            lanes[1] += u64::from(u32::from_ne_bytes([*b0, *b1, *b2, *b3]));
            lanes[2] += u64::from(u32::from_ne_bytes([*c0, *c1, *c2, *c3]));
            lanes[3] += u64::from(u32::from_ne_bytes([*d0, *d1, *d2, *d3]));
        }
        // 64 KiB make 2^14 words of 32 bits: far from an overflow, and folding keeps further calls far from it, too.
        let mut sum = self.0 + fold(lanes[0]) + fold(lanes[1]) + fold(lanes[2]) + fold(lanes[3]);
        let (pairs, last) = rest.as_chunks::<2>();
        for pair in pairs {
            sum += u64::from(u16::from_ne_bytes(*pair));
        }
        if let [last] = *last {
            sum += u64::from(u16::from_ne_bytes([last, 0]));
        }
        Self(sum)
    }

    /// Adds the pseudo-header of an upper packet of `len` octets (RFC 9293 §3.1, RFC 8200 §8.1). `addresses` holds source
    /// and destination.
    #[must_use]
    pub(crate) fn add_pseudo_header(self, addresses: &[u8], protocol: u8, len: usize) -> Self {
        let [_, _, _, _, l0, l1, l2, l3] = u64::try_from(len).unwrap_or(u64::MAX).to_be_bytes();
        self.add(addresses).add(&[l0, l1, l2, l3, 0, protocol])
    }

    /// The folded sum as it stands in a header: what the kernel wants where it finishes a checksum.
    pub(crate) fn partial(self) -> [u8; 2] {
        let folded = u16::try_from(fold(self.0) & 0xffff).unwrap_or(u16::MAX);
        folded.to_ne_bytes()
    }

    /// The checksum as it stands in a header.
    pub(crate) fn finish(self) -> [u8; 2] {
        let [a, b] = self.partial();
        [!a, !b]
    }

    /// Whether octets that hold their own checksum add up.
    pub(crate) fn holds(self) -> bool {
        self.partial() == [0xff, 0xff]
    }
}

/// Folded to 16 bits.
const fn fold(mut sum: u64) -> u64 {
    sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(octets: &[u8]) -> [u8; 2] {
        let mut sum = 0_u32;
        for pair in octets.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (!u16::try_from(sum).unwrap()).to_be_bytes()
    }

    /// RFC 1071 §3.
    #[test]
    fn agrees_with_the_example_of_the_rfc() {
        let sum = Sum::default().add(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!((sum.partial(), sum.finish()), ([0xdd, 0xf2], [0x22, 0x0d]));
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(octets in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..150) {
            let (start, rest) = octets.split_at((at * 2).min(octets.len() & !1));
            prop_assert_eq!(Sum::default().add(start).add(rest).finish(), naive(&octets));
        }
    }

    #[test]
    fn octets_with_their_checksum_add_up() {
        let mut header = [0x45, 0, 0, 40, 1, 2, 0x40, 0, 64, 6, 0, 0, 10, 1, 0, 1, 10, 2, 0, 1];
        let sum = Sum::default().add(&header).finish();
        header[10..12].copy_from_slice(&sum);
        assert!(Sum::default().add(&header).holds());
        header[0] ^= 1;
        assert!(!Sum::default().add(&header).holds());
    }
}
