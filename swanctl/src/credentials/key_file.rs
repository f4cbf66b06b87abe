//! Private key files: what they hold, and what is in the encrypted ones.

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use der::{Decode, Encode, Sequence};
use des::TdesEde3;
use md5::{Digest, Md5};
use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::pem::Pem;
use super::text::hexadecimal;

/// A private key file.
pub(crate) enum KeyFile {
    /// A key that anybody can read.
    Plain(Key),
    /// A key that needs a passphrase.
    Encrypted(Encrypted),
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

/// A key file that needs a passphrase.
pub(crate) enum Encrypted {
    /// PKCS#8 in an encrypted envelope, DER.
    Envelope(Vec<u8>),
    /// PEM encrypted as OpenSSL did of old, with a `DEK-Info` header.
    Pem { algorithm: Algorithm, cipher: String, iv: Vec<u8>, content: Vec<u8> },
}

/// A private key that was read.
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    /// DER in the oldest form there is for the algorithm: PKCS#1, SEC 1, else PKCS#8.
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// An elliptic curve key (RFC 5915).
#[derive(Sequence)]
struct EcPrivateKey<'a> {
    version: u8,
    private_key: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    parameters: Option<AnyRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    public_key: Option<BitStringRef<'a>>,
}

impl Key {
    /// A key in PKCS#8, taken out of its envelope as OpenSSL does; `None` if it is none or of an unknown kind.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let envelope = PrivateKeyInfoRef::try_from(der).ok()?;
        let algorithm = Algorithm::of(envelope.algorithm.oid)?;
        let inner = envelope.private_key.as_bytes();
        let der = match algorithm {
            Algorithm::Rsa => inner.to_vec(),
            Algorithm::Ecdsa => {
                let mut key = EcPrivateKey::from_der(inner).ok()?;
                key.parameters = key.parameters.or(envelope.algorithm.parameters);
                key.to_der().ok()?
            }
            Algorithm::Ed25519 | Algorithm::Ed448 => der.to_vec(),
        };
        Some(Self { algorithm, der: Zeroizing::new(der) })
    }
}

impl KeyFile {
    /// Looks into the content of a file, PEM or DER.
    pub(crate) fn read(file: &[u8]) -> Self {
        let Some(pem) = Pem::find(file) else { return Self::from_der(file) };
        let algorithm = match pem.label.as_str() {
            "RSA PRIVATE KEY" => Algorithm::Rsa,
            "EC PRIVATE KEY" => Algorithm::Ecdsa,
            "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => return Self::from_der(&pem.content),
            _ => return Self::Other,
        };
        match pem.header("DEK-Info") {
            None => Self::Plain(Key { algorithm, der: pem.content }),
            Some(information) => match information.split_once(',') {
                Some((cipher, iv)) => Self::Encrypted(Encrypted::Pem {
                    algorithm,
                    cipher: cipher.trim().to_owned(),
                    iv: hexadecimal(iv.trim().as_bytes()).map(|iv| iv.to_vec()).unwrap_or_default(),
                    content: pem.content.to_vec(),
                }),
                None => Self::Other,
            },
        }
    }

    fn from_der(der: &[u8]) -> Self {
        if EncryptedPrivateKeyInfoRef::try_from(der).is_ok() {
            return Self::Encrypted(Encrypted::Envelope(der.to_vec()));
        }
        Key::from_pkcs8(der).map_or(Self::Other, Self::Plain)
    }
}

impl Encrypted {
    /// The key; `None` if the passphrase is not the right one or the cipher is unknown.
    pub(crate) fn decrypt(&self, passphrase: &[u8]) -> Option<Key> {
        match self {
            Self::Envelope(der) => {
                let document =
                    EncryptedPrivateKeyInfoRef::try_from(der.as_slice()).ok()?.decrypt(passphrase).ok()?;
                Key::from_pkcs8(document.as_bytes())
            }
            Self::Pem { algorithm, cipher, iv, content } => {
                let decrypt = match cipher.as_str() {
                    "AES-128-CBC" => decrypt_cbc::<cbc::Decryptor<Aes128>>,
                    "AES-192-CBC" => decrypt_cbc::<cbc::Decryptor<Aes192>>,
                    "AES-256-CBC" => decrypt_cbc::<cbc::Decryptor<Aes256>>,
                    "DES-EDE3-CBC" => decrypt_cbc::<cbc::Decryptor<TdesEde3>>,
                    _ => return None,
                };
                let der = decrypt(passphrase, iv, content)?;
                // A wrong passphrase leaves valid padding once in 256 times, but hardly ever a whole DER sequence.
                AnyRef::try_from(der.as_slice()).ok()?;
                Some(Key { algorithm: *algorithm, der })
            }
        }
    }
}

fn decrypt_cbc<D: KeyIvInit + BlockModeDecrypt>(
    passphrase: &[u8],
    iv: &[u8],
    content: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let key = derived(passphrase, iv.get(..8)?, D::key_size());
    let mut buffer = Zeroizing::new(content.to_vec());
    let len = D::new_from_slices(&key, iv).ok()?.decrypt_padded::<Pkcs7>(&mut buffer).ok()?.len();
    buffer.truncate(len);
    Some(buffer)
}

/// OpenSSL's key derivation for such files: MD5 over the digest before, the passphrase and the salt, once.
fn derived(passphrase: &[u8], salt: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::new());
    let mut digest = Zeroizing::new(Vec::new());
    while key.len() < len {
        let next = Md5::new().chain_update(&*digest).chain_update(passphrase).chain_update(salt).finalize();
        digest = Zeroizing::new(next.to_vec());
        key.extend_from_slice(&digest);
    }
    key.truncate(len);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// Files made by OpenSSL, with the passphrase `geheim` where they are encrypted.
    fn file(name: &str) -> Vec<u8> {
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name))
            .expect("the file is in the tree")
    }

    #[test]
    fn encrypted_files_open_with_their_passphrase_only() {
        let cases = [
            ("ec-aes128.pem", Algorithm::Ecdsa),
            ("ec-aes256.pem", Algorithm::Ecdsa),
            ("ec-des3.pem", Algorithm::Ecdsa),
            ("rsa-pkcs8.pem", Algorithm::Rsa),
            ("ed25519-pkcs8.der", Algorithm::Ed25519),
        ];
        for (name, algorithm) in cases {
            let KeyFile::Encrypted(encrypted) = KeyFile::read(&file(name)) else {
                panic!("{name} is encrypted")
            };
            let decrypted = encrypted.decrypt(b"geheim").unwrap_or_else(|| panic!("{name} does not open"));
            assert_eq!(decrypted.algorithm, algorithm, "{name}");
            assert_eq!(decrypted.der.first(), Some(&0x30), "{name}");
            assert!(encrypted.decrypt(b"falsch").is_none(), "{name}");
            assert!(encrypted.decrypt(b"").is_none(), "{name}");
        }
    }

    #[test]
    fn plain_files_tell_their_algorithm_and_others_are_left_to_the_daemon() {
        assert!(matches!(
            KeyFile::read(&file("ed25519.pem")),
            KeyFile::Plain(Key { algorithm: Algorithm::Ed25519, .. })
        ));
        assert!(matches!(KeyFile::read(b"no key"), KeyFile::Other));
        let odd = b"-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-128-CBC\n\nAAEC\n-----END RSA PRIVATE KEY-----\n";
        assert!(matches!(KeyFile::read(odd), KeyFile::Other));
    }

    #[test]
    fn a_short_initialisation_vector_opens_nothing() {
        let odd = b"-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-128-CBC,00\n\nAAEC\n-----END RSA PRIVATE KEY-----\n";
        let KeyFile::Encrypted(encrypted) = KeyFile::read(odd) else { panic!("the header says encrypted") };
        assert!(encrypted.decrypt(b"geheim").is_none());
    }
}
