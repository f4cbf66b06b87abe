//! Private key files: what they hold, and what is in the encrypted ones.

use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::pem::Pem;

/// A private key file.
pub(crate) enum KeyFile {
    /// A key that anybody can read.
    Plain(Algorithm),
    /// PKCS#8 in an encrypted envelope, DER.
    Enveloped(Zeroizing<Vec<u8>>),
    /// Something else, which the daemon may understand.
    Other,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rsa,
    Ecdsa,
    Ed25519,
    Ed448,
}

impl Algorithm {
    /// As people and the daemon call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::Ecdsa => "ECDSA",
            Self::Ed25519 => "ED25519",
            Self::Ed448 => "ED448",
        }
    }

    fn of(identifier: ObjectIdentifier) -> Option<Self> {
        let known = [
            ("1.2.840.113549.1.1.1", Self::Rsa),
            ("1.2.840.113549.1.1.10", Self::Rsa),
            ("1.2.840.10045.2.1", Self::Ecdsa),
            ("1.3.101.112", Self::Ed25519),
            ("1.3.101.113", Self::Ed448),
        ];
        let text = identifier.to_string();
        known.into_iter().find(|(identifier, _)| *identifier == text).map(|(_, algorithm)| algorithm)
    }
}

/// A key out of an encrypted file.
pub(crate) struct Decrypted {
    pub(crate) algorithm: Algorithm,
    /// PKCS#8, DER.
    pub(crate) der: Zeroizing<Vec<u8>>,
}

impl KeyFile {
    /// Looks into the content of a file, PEM or DER.
    pub(crate) fn read(file: &[u8]) -> Self {
        let Some(pem) = Pem::find(file) else { return Self::from_der(file) };
        match pem.label.as_str() {
            "RSA PRIVATE KEY" if pem.header("DEK-Info").is_none() => Self::Plain(Algorithm::Rsa),
            "EC PRIVATE KEY" if pem.header("DEK-Info").is_none() => Self::Plain(Algorithm::Ecdsa),
            "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => Self::from_der(&pem.content),
            _ => Self::Other,
        }
    }

    fn from_der(der: &[u8]) -> Self {
        if EncryptedPrivateKeyInfoRef::try_from(der).is_ok() {
            return Self::Enveloped(Zeroizing::new(der.to_vec()));
        }
        algorithm(der).map_or(Self::Other, Self::Plain)
    }
}

/// Opens an encrypted envelope; `None` if the passphrase is not the right one.
pub(crate) fn decrypt(envelope: &[u8], passphrase: &[u8]) -> Option<Decrypted> {
    let document = EncryptedPrivateKeyInfoRef::try_from(envelope).ok()?.decrypt(passphrase).ok()?;
    let der = Zeroizing::new(document.as_bytes().to_vec());
    Some(Decrypted { algorithm: algorithm(&der)?, der })
}

fn algorithm(der: &[u8]) -> Option<Algorithm> {
    Algorithm::of(PrivateKeyInfoRef::try_from(der).ok()?.algorithm.oid)
}
