//! The shape of an ESP packet (RFC 4303 §2), tunnel mode:
//!
//! ```text
//!  SPI (4) ‖ sequence number (4) ‖ IV ‖ inner packet ‖ padding 1,2,3.. ‖ pad length (1) ‖ next header (1) ‖ ICV
//! ```

use charon_crypto::CryptoProvider;
use charon_crypto::packet_key::PacketKey;
use charon_types::algorithm::{EncryptionId, Esn};
use charon_types::id::EspSpi;
use charon_types::kernel_op::{AddSa, KernelError};

/// Octets of SPI and sequence number.
pub const HEADER_LEN: usize = 8;
/// Octets of pad length and next header.
const TRAILER_LEN: usize = 2;
/// Longest IV of any algorithm.
const IV_LEN_MAX: usize = 16;
/// Padding octets of RFC 4303 §2.4: 1, 2, 3 ...
const PADDING: [u8; 255] = {
    let mut octets = [0; 255];
    let mut at = 0_u8;
    while at < 255 {
        octets[at as usize] = at + 1;
        at += 1;
    }
    octets
};

/// What is inside a packet: the next header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHeader(pub u8);

impl NextHeader {
    /// IPv4 in tunnel mode.
    pub const IPV4: Self = Self(4);
    /// IPv6 in tunnel mode.
    pub const IPV6: Self = Self(41);
    /// A dummy packet (RFC 4303 §2.6).
    pub const NONE: Self = Self(59);
}

/// Why a packet could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketError {
    /// Too short for its own fields.
    Short,
    /// The ICV does not match.
    Forged,
    /// The padding is not 1, 2, 3 ... or longer than the packet.
    Padding,
}

/// Seals and opens packets of one SA: key, layout and the form of its sequence numbers.
#[derive(Debug)]
pub(crate) struct Codec {
    key: PacketKey,
    spi: EspSpi,
    esn: Esn,
    align: usize,
}

impl Codec {
    /// The codec that an SA's keys describe.
    pub(crate) fn new(sa: &AddSa, crypto: &CryptoProvider) -> Result<Self, KernelError> {
        let key = packet_key(sa, crypto)?;
        if key.iv_len() > IV_LEN_MAX {
            return Err(KernelError::Unsupported("an IV of that length"));
        }
        Ok(Self { align: key.block_len().max(4), key, spi: sa.spi, esn: sa.esn })
    }

    pub(crate) const fn esn(&self) -> Esn {
        self.esn
    }

    /// Whether the IV must be unpredictable (CBC) or may be the sequence number (counter modes, combined modes).
    pub(crate) const fn iv_is_random(&self) -> bool {
        self.key.iv_len() > 0 && self.key.block_len() > 1
    }

    /// Octets before the inner packet.
    pub(crate) const fn plain_offset(&self) -> usize {
        HEADER_LEN + self.key.iv_len()
    }

    /// Octets of the ESP packet around an inner packet of `plain_len`.
    pub(crate) fn sealed_len(&self, plain_len: usize) -> usize {
        let padded = (plain_len + TRAILER_LEN).next_multiple_of(self.align);
        self.plain_offset() + padded + self.key.icv_len()
    }

    /// Seals in place. `packet` has [`Codec::sealed_len`] octets; the inner packet of `plain_len` octets lies at
    /// [`Codec::plain_offset`], and a random IV, where one is needed, behind the header already.
    pub(crate) fn seal(
        &self,
        sequence: u64,
        next: NextHeader,
        plain_len: usize,
        packet: &mut [u8],
    ) -> Result<(), PacketError> {
        if packet.len() != self.sealed_len(plain_len) {
            return Err(PacketError::Short);
        }
        let (header, rest) = packet.split_first_chunk_mut::<HEADER_LEN>().ok_or(PacketError::Short)?;
        let (iv, payload) = rest.split_at_mut_checked(self.key.iv_len()).ok_or(PacketError::Short)?;
        let (high, low) = halves(sequence);
        header[..4].copy_from_slice(&self.spi.to_be_bytes());
        header[4..].copy_from_slice(&low);
        if !self.iv_is_random() {
            let len = iv.len();
            if let Some(tail) = iv.last_chunk_mut::<8>() {
                *tail = sequence.to_be_bytes();
                iv[..len - 8].fill(0);
            }
        }
        let icv_at = payload.len().checked_sub(self.key.icv_len()).ok_or(PacketError::Short)?;
        let trailer = payload.get_mut(plain_len..icv_at).ok_or(PacketError::Short)?;
        let (padding, ends) = trailer.split_last_chunk_mut::<TRAILER_LEN>().ok_or(PacketError::Short)?;
        let pad_len = u8::try_from(padding.len()).map_err(|_| PacketError::Padding)?;
        padding.copy_from_slice(PADDING.get(..padding.len()).ok_or(PacketError::Padding)?);
        *ends = [pad_len, next.0];
        let aad = Aad::new(self, header, high);
        self.key.seal(aad.octets(), iv, payload, aad.suffix()).map_err(|_| PacketError::Short)
    }

    /// Checks and opens in place; gives what is inside and where.
    pub(crate) fn open(
        &self,
        sequence: u64,
        packet: &mut [u8],
    ) -> Result<(NextHeader, std::ops::Range<usize>), PacketError> {
        let (header, rest) = packet.split_first_chunk_mut::<HEADER_LEN>().ok_or(PacketError::Short)?;
        let (iv, payload) = rest.split_at_mut_checked(self.key.iv_len()).ok_or(PacketError::Short)?;
        let icv_at = payload.len().checked_sub(self.key.icv_len()).ok_or(PacketError::Short)?;
        // RFC 4303 §2.4: whole blocks, and at least the two octets of the trailer.
        if icv_at < TRAILER_LEN || icv_at % self.align != 0 {
            return Err(PacketError::Short);
        }
        let aad = Aad::new(self, header, halves(sequence).0);
        self.key.open(aad.octets(), iv, payload, aad.suffix()).map_err(|_| PacketError::Forged)?;
        let plain = payload.get(..icv_at).ok_or(PacketError::Short)?;
        let (body, &[pad_len, next]) = plain.split_last_chunk::<TRAILER_LEN>().ok_or(PacketError::Padding)?;
        let inner_len = body.len().checked_sub(usize::from(pad_len)).ok_or(PacketError::Padding)?;
        if body.get(inner_len..) != PADDING.get(..usize::from(pad_len)) {
            return Err(PacketError::Padding);
        }
        let start = self.plain_offset();
        Ok((NextHeader(next), start..start + inner_len))
    }
}

/// What is authenticated beside the payload (RFC 4303 §2.2.1, RFC 4106 §5): combined modes have the high half of an
/// extended number between SPI and low half, the others behind the ciphertext.
struct Aad {
    octets: [u8; 12],
    len: usize,
    high: [u8; 4],
    suffix_len: usize,
}

impl Aad {
    fn new(codec: &Codec, header: &[u8; HEADER_LEN], high: [u8; 4]) -> Self {
        let [s0, s1, s2, s3, l0, l1, l2, l3] = *header;
        let [h0, h1, h2, h3] = high;
        let short = [s0, s1, s2, s3, l0, l1, l2, l3, 0, 0, 0, 0];
        match (codec.esn, codec.key.iv_may_count()) {
            (Esn::Disabled, _) => Self { octets: short, len: 8, high, suffix_len: 0 },
            (Esn::Enabled, false) => Self { octets: short, len: 8, high, suffix_len: 4 },
            (Esn::Enabled, true) => {
                let octets = [s0, s1, s2, s3, h0, h1, h2, h3, l0, l1, l2, l3];
                Self { octets, len: 12, high, suffix_len: 0 }
            }
        }
    }

    fn octets(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }

    fn suffix(&self) -> &[u8] {
        self.high.get(..self.suffix_len).unwrap_or_default()
    }
}

/// High and low half of a sequence number, as on the wire.
const fn halves(sequence: u64) -> ([u8; 4], [u8; 4]) {
    let [h0, h1, h2, h3, l0, l1, l2, l3] = sequence.to_be_bytes();
    ([h0, h1, h2, h3], [l0, l1, l2, l3])
}

/// The key of an SA. The key's length tells the algorithm's.
fn packet_key(sa: &AddSa, crypto: &CryptoProvider) -> Result<PacketKey, KernelError> {
    let (encryption, secret) = sa.encryption.as_ref().ok_or(KernelError::Unsupported("AH"))?;
    let encryption = *encryption;
    if encryption == EncryptionId::NULL_AES_GMAC {
        return Err(KernelError::UnsupportedEncryption(encryption));
    }
    let lengths: Vec<(u16, usize)> = if encryption.is_aead() {
        let of_id = crypto.aeads.iter().filter(|offered| offered.algorithm.id() == encryption);
        of_id.map(|offered| (offered.algorithm.key_bits(), offered.algorithm.key_material_len())).collect()
    } else {
        let of_id = crypto.ciphers.iter().filter(|offered| offered.algorithm.id() == encryption);
        of_id.map(|offered| (offered.algorithm.key_bits(), offered.algorithm.key_material_len())).collect()
    };
    let bits = lengths.iter().find(|(_, len)| *len == secret.len()).map(|(bits, _)| *bits);
    if encryption != EncryptionId::NULL && bits.is_none() {
        let unknown = lengths.is_empty();
        return Err(if unknown {
            KernelError::UnsupportedEncryption(encryption)
        } else {
            KernelError::KeyLength
        });
    }
    let integrity = sa.integrity.as_ref().map(|(id, secret)| (*id, secret));
    if !encryption.is_aead() {
        let (id, secret) = integrity.ok_or(KernelError::Unsupported("encryption without integrity"))?;
        let mac = crypto.mac(id).ok_or(KernelError::UnsupportedIntegrity(id))?;
        if mac.key_len() != secret.len() {
            return Err(KernelError::KeyLength);
        }
    }
    let bits = bits.filter(|bits| *bits != 0);
    crypto.packet_key_asleep((encryption, bits, secret), integrity).map_err(|_| KernelError::KeyLength)
}

#[cfg(test)]
mod tests;
