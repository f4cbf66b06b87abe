//! X.501 distinguished names: DER inside, `C=CH, O=X, CN=Y` outside.

/// A distinguished name as DER (a `Name`, that is a SEQUENCE OF RelativeDistinguishedName). Checked on construction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    der: Box<[u8]>,
}

impl DistinguishedName {
    /// The DER octets.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }
}
