//! Certificate payload (RFC 7296 §3.6): encoding 1, data.

/// Certificate encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CertEncoding(pub u8);

impl CertEncoding {
    /// 4: X.509, signature.
    pub const X509_SIGNATURE: Self = Self(4);
    /// 7: CRL.
    pub const CRL: Self = Self(7);
    /// 15: raw public key (RFC 7670).
    pub const RAW_PUBLIC_KEY: Self = Self(15);
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cert {
    /// Encoding.
    pub encoding: CertEncoding,
    /// Data.
    pub data: Vec<u8>,
}

impl Cert {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let (encoding, data) = body.split_first()?;
        Some(Self { encoding: CertEncoding(*encoding), data: data.to_vec() })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.encoding.0);
        out.extend_from_slice(&self.data);
    }
}
