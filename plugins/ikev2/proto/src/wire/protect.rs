//! Encrypted messages (RFC 7296 §3.14, RFC 5282) and fragments (RFC 7383 §2.5).
//!
//! ```text
//! SK:  generic header | IV | ciphertext of payloads, padding, pad length | ICV
//! SKF: generic header | fragment number 2 | total 2 | IV | ...
//! ```
//! Everything before the IV is authenticated.

use charon_crypto::packet_key::PacketKey;
use charon_crypto::random::Random;

use super::ParseError;
use super::fragment::FRAGMENTS_MAX;
use super::header::{HEADER_LEN, Header};
use super::message::{GENERIC_LEN, Generic, PAYLOADS_MAX, emit_chain, first_type};
use super::payload::{Payload, PayloadType};

/// Octets of fragment number and total.
const FRAGMENT_FIELDS_LEN: usize = 4;

/// Encrypts what we send. Owns the IV counter, so that no IV is used twice under its key.
#[derive(Debug)]
pub struct Sealer {
    key: PacketKey,
    /// Next IV of a combined-mode key; unique, not secret.
    counter: u64,
}

/// Why an encrypted message is not taken. All of it is silent towards the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No encrypted payload, or its fields do not fit.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// The ICV does not match.
    #[error("integrity check failed")]
    Forged,
}

/// What was inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// All payloads.
    Whole(Plaintext),
    /// A piece of them.
    Fragment {
        /// From 1 to `total`.
        number: u16,
        /// 1 or more.
        total: u16,
        /// The piece; `first` is NONE but in fragment 1.
        piece: Plaintext,
    },
}

/// Decrypted octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plaintext {
    /// Type of the first payload.
    pub first: PayloadType,
    /// The chain, or a piece of it.
    pub octets: Vec<u8>,
}

impl Sealer {
    /// A sealer whose IVs start anywhere.
    #[must_use]
    pub fn new(key: PacketKey, random: &dyn Random) -> Self {
        // A quarter of the space is skipped at most: what is left outlives any SA.
        Self { key, counter: random.u64() >> 2 }
    }

    /// A sealer whose first IV is `counter`; for an imported state.
    #[must_use]
    pub const fn resume(key: PacketKey, counter: u64) -> Self {
        Self { key, counter }
    }

    /// The next IV.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// One message.
    #[must_use]
    pub fn seal(&mut self, header: &Header, payloads: &[Payload], random: &dyn Random) -> Vec<u8> {
        let mut plaintext = Vec::with_capacity(512);
        emit_chain(payloads, &mut plaintext);
        self.seal_piece(header, None, first_type(payloads), &plaintext, random)
    }

    /// One message if it fits into `datagram_len_max` octets (non-ESP marker not counted), else its fragments. A message that
    /// would take more than [`FRAGMENTS_MAX`] goes out whole.
    #[must_use]
    pub fn seal_fragmented(
        &mut self,
        header: &Header,
        payloads: &[Payload],
        datagram_len_max: usize,
        random: &dyn Random,
    ) -> Vec<Vec<u8>> {
        let mut plaintext = Vec::with_capacity(512);
        emit_chain(payloads, &mut plaintext);
        let first = first_type(payloads);
        let room = self.room(datagram_len_max);
        let pieces = plaintext.len().div_ceil(room.max(1));
        let fits = self.sealed_len(GENERIC_LEN, plaintext.len()) <= datagram_len_max;
        let total = match u16::try_from(pieces) {
            Ok(total) if !fits && room > 0 && pieces <= FRAGMENTS_MAX => total,
            _ => return vec![self.seal_piece(header, None, first, &plaintext, random)],
        };
        let numbered = (1..=total).zip(plaintext.chunks(room));
        numbered
            .map(|(number, piece)| {
                let first = if number == 1 { first } else { PayloadType::NONE };
                self.seal_piece(header, Some((number, total)), first, piece, random)
            })
            .collect()
    }

    /// Octets of plaintext that a fragment of at most `datagram_len_max` octets holds.
    fn room(&self, datagram_len_max: usize) -> usize {
        let overhead =
            HEADER_LEN + GENERIC_LEN + FRAGMENT_FIELDS_LEN + self.key.iv_len() + self.key.icv_len();
        let block = self.key.block_len();
        let encrypted = datagram_len_max.saturating_sub(overhead) / block * block;
        encrypted.saturating_sub(1)
    }

    fn sealed_len(&self, fields_len: usize, plaintext_len: usize) -> usize {
        let padded = (plaintext_len + 1).next_multiple_of(self.key.block_len());
        HEADER_LEN + fields_len + self.key.iv_len() + padded + self.key.icv_len()
    }

    /// One datagram of plaintext as it is.
    pub(crate) fn seal_piece(
        &mut self,
        header: &Header,
        fragment: Option<(u16, u16)>,
        first: PayloadType,
        plaintext: &[u8],
        random: &dyn Random,
    ) -> Vec<u8> {
        let fields_len = GENERIC_LEN + fragment.map_or(0, |_| FRAGMENT_FIELDS_LEN);
        let len = self.sealed_len(fields_len, plaintext.len());
        let mut header = *header;
        header.next_payload = if fragment.is_some() { PayloadType::SKF } else { PayloadType::SK };
        let mut out = Vec::with_capacity(len);
        header.emit(len, &mut out);
        out.extend_from_slice(&[first.0, 0]);
        out.extend_from_slice(&u16::try_from(len - HEADER_LEN).unwrap_or(u16::MAX).to_be_bytes());
        if let Some((number, total)) = fragment {
            out.extend_from_slice(&number.to_be_bytes());
            out.extend_from_slice(&total.to_be_bytes());
        }
        let iv_at = out.len();
        out.resize(iv_at + self.key.iv_len(), 0);
        self.next_iv(&mut out[iv_at..], random);
        let at = out.len();
        out.extend_from_slice(plaintext);
        let pad_len = len - self.key.icv_len() - 1 - out.len();
        out.resize(len - self.key.icv_len() - 1, 0);
        out.push(u8::try_from(pad_len).expect("padding is shorter than a block"));
        out.resize(len, 0);
        let (clear, encrypted) = out.split_at_mut(at);
        let (aad, iv) = clear.split_at(iv_at);
        self.key
            .seal(aad, iv, encrypted, &[])
            .expect("the buffer is made of whole blocks with room for the ICV");
        out
    }

    fn next_iv(&mut self, iv: &mut [u8], random: &dyn Random) {
        match <&mut [u8; 8]>::try_from(&mut *iv) {
            Ok(counter) if self.key.iv_may_count() => {
                *counter = self.counter.to_be_bytes();
                self.counter += 1;
            }
            _ => random.fill(iv),
        }
    }
}

/// Checks and decrypts a message. Payloads in clear in front of the encrypted one are ignored.
///
/// # Errors
/// [`OpenError`]
pub fn open(datagram: &[u8], key: &PacketKey) -> Result<(Header, Opened), OpenError> {
    let header = Header::parse(datagram)?;
    let (kind, start, first) = find_encrypted(&header, datagram)?;
    let malformed = OpenError::Malformed(ParseError::Syntax(kind.0));
    let mut fields_end = start + GENERIC_LEN;
    let mut fragment = None;
    if kind == PayloadType::SKF {
        let fields = datagram.get(fields_end..fields_end + FRAGMENT_FIELDS_LEN).ok_or(malformed)?;
        let number = u16::from_be_bytes([fields[0], fields[1]]);
        let total = u16::from_be_bytes([fields[2], fields[3]]);
        if number == 0 || number > total || usize::from(total) > FRAGMENTS_MAX {
            return Err(malformed);
        }
        fragment = Some((number, total));
        fields_end += FRAGMENT_FIELDS_LEN;
    }
    let (aad, rest) = datagram.split_at_checked(fields_end).ok_or(malformed)?;
    let (iv, body) = rest.split_at_checked(key.iv_len()).ok_or(malformed)?;
    let encrypted_len = body.len().checked_sub(key.icv_len()).ok_or(malformed)?;
    if encrypted_len == 0 || encrypted_len % key.block_len() != 0 {
        return Err(malformed);
    }
    let mut octets = body.to_vec();
    key.open(aad, iv, &mut octets, &[]).map_err(|_| OpenError::Forged)?;
    octets.truncate(encrypted_len);
    let pad_len = octets.pop().map_or(0, usize::from);
    let plaintext_len = octets.len().checked_sub(pad_len).ok_or(malformed)?;
    octets.truncate(plaintext_len);
    let plaintext = Plaintext { first, octets };
    let opened = match fragment {
        Some((number, total)) => Opened::Fragment { number, total, piece: plaintext },
        None => Opened::Whole(plaintext),
    };
    Ok((header, opened))
}

/// Type, place and "next payload" of the encrypted payload, which must be the last one.
fn find_encrypted(header: &Header, datagram: &[u8]) -> Result<(PayloadType, usize, PayloadType), ParseError> {
    let mut kind = header.next_payload;
    let mut input = datagram.get(HEADER_LEN..).ok_or(ParseError::Header)?;
    for _ in 0..PAYLOADS_MAX {
        let at = datagram.len() - input.len();
        let (generic, rest) = Generic::parse(kind, input)?;
        if matches!(kind, PayloadType::SK | PayloadType::SKF) {
            let last = rest.is_empty();
            return if last { Ok((kind, at, generic.next)) } else { Err(ParseError::Syntax(kind.0)) };
        }
        if generic.next == PayloadType::NONE {
            return Err(ParseError::Syntax(PayloadType::SK.0));
        }
        (kind, input) = (generic.next, rest);
    }
    Err(ParseError::TooManyPayloads)
}
