//! Certificate request payload (RFC 7296 §3.7): encoding 1, SHA-1 key hashes of 20 octets each.

use super::cert::CertEncoding;

/// Authorities that the sender accepts. Advisory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertReq {
    /// Encoding asked for.
    pub encoding: CertEncoding,
    /// SHA-1 of each authority's SubjectPublicKeyInfo. Octets that do not make a whole hash are dropped.
    pub authorities: Vec<[u8; 20]>,
}

impl CertReq {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let (encoding, data) = body.split_first()?;
        let (authorities, _) = data.as_chunks::<20>();
        Some(Self { encoding: CertEncoding(*encoding), authorities: authorities.to_vec() })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.encoding.0);
        out.extend_from_slice(self.authorities.as_flattened());
    }
}
