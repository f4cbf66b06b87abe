//! Loading certificates, revocation lists and keys.

use std::fmt;

use charon_crypto::CryptoProvider;
use charon_crypto::signature::KeyKind;
use charon_pki::{Certificate, Crl, PrivateKeyFile, PublicKey};

use super::Control;
use crate::credentials::KeyId;

/// What a file is loaded as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateKind {
    /// An X.509 certificate.
    X509(X509Flag),
    /// A revocation list.
    Crl,
    /// A public key.
    PublicKey,
}

/// What an X.509 certificate is loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum X509Flag {
    /// Whatever it says that it is.
    None,
    /// An authority, which it must say that it is.
    Ca,
}

/// Why a certificate was not loaded. The texts are those that clients of strongSwan know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadCertificateError {
    /// It cannot be understood.
    Unusable(CertificateKind),
    /// It does not say that it is an authority.
    NoAuthority,
}

impl fmt::Display for LoadCertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(kind) => {
                let kind = match kind {
                    CertificateKind::X509(_) => "X509",
                    CertificateKind::Crl => "X509_CRL",
                    CertificateKind::PublicKey => "PUBKEY",
                };
                write!(f, "parsing {kind} certificate failed")
            }
            Self::NoAuthority => f.write_str("ca certificate lacks CA basic constraint, rejected"),
        }
    }
}

impl std::error::Error for LoadCertificateError {}

/// What a private key must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Anything.
    Any,
    /// RSA.
    Rsa,
    /// ECDSA on any curve.
    Ecdsa,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// DSA, which nothing here computes.
    Dsa,
}

impl KeyType {
    fn allows(self, kind: KeyKind) -> bool {
        match kind {
            KeyKind::Rsa => matches!(self, Self::Any | Self::Rsa),
            KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => {
                matches!(self, Self::Any | Self::Ecdsa)
            }
            KeyKind::Ed25519 => matches!(self, Self::Any | Self::Ed25519),
            KeyKind::Ed448 => matches!(self, Self::Any | Self::Ed448),
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "ANY",
            Self::Rsa => "RSA",
            Self::Ecdsa => "ECDSA",
            Self::Ed25519 => "ED25519",
            Self::Ed448 => "ED448",
            Self::Dsa => "DSA",
        })
    }
}

/// Why a private key was not loaded. The texts are those that clients of strongSwan know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadKeyError {
    /// It cannot be understood, is of another type, or no plugin computes with it.
    Unusable(KeyType),
    /// No plugin computes SHA-1, or the key does not tell its public half.
    NoId,
}

impl fmt::Display for LoadKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(kind) => write!(f, "parsing {kind} private key failed"),
            Self::NoId => f.write_str("failed to get key id"),
        }
    }
}

impl std::error::Error for LoadKeyError {}

impl Control {
    /// Loads a certificate, revocation list or public key, PEM or DER.
    ///
    /// # Errors
    /// If it is none, or is no authority although it should be.
    pub fn load_certificate(&self, kind: CertificateKind, file: &[u8]) -> Result<(), LoadCertificateError> {
        let unusable = LoadCertificateError::Unusable(kind);
        match kind {
            CertificateKind::X509(flag) => {
                let certificate = Certificate::from_file(file).map_err(|_| unusable)?;
                if flag == X509Flag::Ca && !certificate.is_ca() {
                    return Err(LoadCertificateError::NoAuthority);
                }
                self.credentials.add_certificate(certificate);
            }
            CertificateKind::Crl => self.credentials.add_crl(Crl::from_file(file).map_err(|_| unusable)?),
            CertificateKind::PublicKey => {
                self.credentials.add_public_key(PublicKey::from_file(file).map_err(|_| unusable)?);
            }
        }
        Ok(())
    }

    /// Loads a private key, PEM or DER, not encrypted.
    ///
    /// # Errors
    /// If it is none, is of another type, or nothing computes with it.
    pub fn load_key(
        &self,
        crypto: &CryptoProvider,
        kind: KeyType,
        file: &[u8],
    ) -> Result<KeyId, LoadKeyError> {
        let unusable = LoadKeyError::Unusable(kind);
        let file = PrivateKeyFile::parse(file).map_err(|_| unusable)?;
        if !kind.allows(file.kind) {
            return Err(unusable);
        }
        let key = crypto.load_private_key(&file.key).map_err(|_| unusable)?;
        let public = PublicKey::from_info_der(key.public_key_info()).map_err(|_| LoadKeyError::NoId)?;
        let id = KeyId(public.key_hash(crypto).ok_or(LoadKeyError::NoId)?);
        self.credentials.add_key(id, key);
        Ok(id)
    }
}
