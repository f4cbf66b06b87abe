//! Private keys in files and messages: PKCS#8, PKCS#1, SEC1; PEM or DER; not encrypted.

use charon_crypto::signature::{KeyKind, PrivateKeyDer, PrivateKeyForm};
use charon_types::Secret;
use der::Decode;
use der::asn1::ObjectIdentifier;

use crate::{algorithm, pem};

/// A private key as found, with its kind. Load it with [`charon_crypto::CryptoProvider::load_private_key`].
#[derive(Clone, Debug)]
pub struct PrivateKeyFile {
    /// Kind of key.
    pub kind: KeyKind,
    /// Its DER.
    pub key: PrivateKeyDer,
}

/// Why a file holds no usable private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Encrypted; whoever has the passphrase must decrypt it first.
    #[error("private key is encrypted")]
    Encrypted,
    /// PEM without a private key in it.
    #[error("no private key found")]
    NotFound,
    /// Neither PKCS#8 nor PKCS#1 nor SEC1.
    #[error("private key is malformed")]
    Malformed,
    /// A PKCS#8 key of another algorithm.
    #[error("private key algorithm {oid} is not supported")]
    UnsupportedAlgorithm {
        /// Its algorithm.
        oid: ObjectIdentifier,
    },
    /// An elliptic curve other than P-256, P-384 and P-521, or none named.
    #[error("elliptic curve of the private key is not supported")]
    UnsupportedCurve,
    /// Larger than anything real.
    #[error("file is longer than {limit} octets")]
    TooLong {
        /// Largest length taken, in octets.
        limit: usize,
    },
}

impl PrivateKeyFile {
    /// Reads PEM (the first block that is a private key) or DER.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(file: &[u8]) -> Result<Self, KeyFileError> {
        if file.len() > pem::FILE_LEN_MAX {
            return Err(KeyFileError::TooLong { limit: pem::FILE_LEN_MAX });
        }
        if !pem::is_pem(file) {
            return Self::from_der(file);
        }
        for block in pem::blocks(file) {
            if block.is_encrypted {
                return Err(KeyFileError::Encrypted);
            }
            match block.label.as_str() {
                "PRIVATE KEY" => return Self::from_pkcs8(&block.octets),
                "RSA PRIVATE KEY" => return Self::from_pkcs1(&block.octets),
                "EC PRIVATE KEY" => return Self::from_sec1(&block.octets),
                "ENCRYPTED PRIVATE KEY" => return Err(KeyFileError::Encrypted),
                _ => {}
            }
        }
        Err(KeyFileError::NotFound)
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyFileError> {
        if pkcs8::EncryptedPrivateKeyInfoRef::try_from(der).is_ok() {
            return Err(KeyFileError::Encrypted);
        }
        match Self::from_pkcs8(der) {
            Err(KeyFileError::Malformed) => {}
            decided => return decided,
        }
        match Self::from_pkcs1(der) {
            Err(KeyFileError::Malformed) => Self::from_sec1(der),
            decided => decided,
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyFileError> {
        let info = pkcs8::PrivateKeyInfoRef::try_from(der).map_err(|_| KeyFileError::Malformed)?;
        let oid = info.algorithm.oid;
        let kind = algorithm::key_kind(oid, info.algorithm.parameters).ok_or_else(|| {
            if oid == const_oid::db::rfc5912::ID_EC_PUBLIC_KEY {
                KeyFileError::UnsupportedCurve
            } else {
                KeyFileError::UnsupportedAlgorithm { oid }
            }
        })?;
        Ok(Self::new(kind, PrivateKeyForm::Pkcs8, der))
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, KeyFileError> {
        pkcs1::RsaPrivateKeyRef::from_der(der).map_err(|_| KeyFileError::Malformed)?;
        Ok(Self::new(KeyKind::Rsa, PrivateKeyForm::Pkcs1, der))
    }

    fn from_sec1(der: &[u8]) -> Result<Self, KeyFileError> {
        let key = sec1::EcPrivateKey::from_der(der).map_err(|_| KeyFileError::Malformed)?;
        let curve = key.parameters.and_then(|parameters| parameters.named_curve());
        let kind = curve.and_then(algorithm::curve_kind).ok_or(KeyFileError::UnsupportedCurve)?;
        Ok(Self::new(kind, PrivateKeyForm::Sec1, der))
    }

    fn new(kind: KeyKind, form: PrivateKeyForm, der: &[u8]) -> Self {
        Self { kind, key: PrivateKeyDer { form, der: Secret::copy_from(der) } }
    }
}
