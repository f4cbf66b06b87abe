//! Authentication payload (RFC 7296 §3.8): method 1, reserved 3, data.

/// Authentication method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuthMethodId(pub u8);

impl AuthMethodId {
    /// 1: RSA, PKCS#1 v1.5.
    pub const RSA: Self = Self(1);
    /// 2: pre-shared key.
    pub const PSK: Self = Self(2);
    /// 9: ECDSA P-256 with SHA-256.
    pub const ECDSA_256: Self = Self(9);
    /// 10: ECDSA P-384 with SHA-384.
    pub const ECDSA_384: Self = Self(10);
    /// 11: ECDSA P-521 with SHA-512.
    pub const ECDSA_521: Self = Self(11);
    /// 13: RFC 7619.
    pub const NULL: Self = Self(13);
    /// 14: RFC 7427.
    pub const DIGITAL_SIGNATURE: Self = Self(14);
}

/// Proof of identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Method.
    pub method: AuthMethodId,
    /// MAC or signature.
    pub data: Vec<u8>,
}

impl Auth {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let ([method, _, _, _], data) = body.split_first_chunk::<4>()?;
        Some(Self { method: AuthMethodId(*method), data: data.to_vec() })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.method.0, 0, 0, 0]);
        out.extend_from_slice(&self.data);
    }
}
