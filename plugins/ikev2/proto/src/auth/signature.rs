//! AUTH by signature: which scheme, and how it is named on the wire.
//!
//! Method 14 (RFC 7427 §3) puts a length octet and a DER AlgorithmIdentifier in front of the signature. The identifiers are few and
//! fixed, so they are constants; parsing compares, but for RSASSA-PSS, whose parameters are read.

use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::{KeyKind, SignatureScheme};
use charon_types::algorithm::HashId;
use charon_types::connection::{KeyConstraint, SignatureConstraint};

use crate::wire::payload::AuthMethodId;

/// How a signature is made and announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Authentication method.
    pub method: AuthMethodId,
    /// Scheme.
    pub scheme: SignatureScheme,
}

/// Hashes that we announce and prefer, in order of preference where nothing else decides.
pub const HASHES: &[HashId] = &[HashId::SHA2_256, HashId::SHA2_384, HashId::SHA2_512, HashId::IDENTITY];

/// sha256WithRSAEncryption and its kin: 1.2.840.113549.1.1.n with NULL parameters; the last octet of the OID differs.
const RSA_PKCS1: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x00, 0x05, 0x00];
const RSA_OID_LAST: usize = 12;
/// ecdsa-with-SHA256 and its kin: 1.2.840.10045.4.3.n; the last octet differs.
const ECDSA: [u8; 12] = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x00];
/// id-Ed25519 and id-Ed448, 1.3.101.112 and 113; no parameters.
const ED25519: [u8; 7] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
const ED448: [u8; 7] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71];
/// Hash identifiers: SHA-2 under 2.16.840.1.101.3.4.2.n, NULL parameters.
const SHA2: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x00, 0x05, 0x00];
/// OID of RSASSA-PSS, 1.2.840.113549.1.1.10.
const PSS_OID: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
/// OID of MGF1, 1.2.840.113549.1.1.8.
const MGF1_OID: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];

/// Salt length where the parameters leave it out.
const PSS_SALT_LEN_DEFAULT: u16 = 20;
/// trailerField in so many words: \[3\] INTEGER 1.
const PSS_TRAILER_EXPLICIT: &[u8] = &[0xa3, 0x03, 0x02, 0x01, 0x01];

/// (hash, last OID octet of RSA PKCS#1, of ECDSA, of the hash itself)
const SHA2_NUMBERS: [(HashAlgorithm, u8, u8, u8); 3] =
    [(HashAlgorithm::Sha256, 11, 2, 1), (HashAlgorithm::Sha384, 12, 3, 2), (HashAlgorithm::Sha512, 13, 4, 3)];

/// The hash of a registry number, `None` for the identity and unknown ones.
#[must_use]
pub const fn hash_algorithm(id: HashId) -> Option<HashAlgorithm> {
    match id {
        HashId::SHA1 => Some(HashAlgorithm::Sha1),
        HashId::SHA2_256 => Some(HashAlgorithm::Sha256),
        HashId::SHA2_384 => Some(HashAlgorithm::Sha384),
        HashId::SHA2_512 => Some(HashAlgorithm::Sha512),
        _ => None,
    }
}

/// The registry number of a scheme's hash.
#[must_use]
pub const fn hash_id(scheme: SignatureScheme) -> HashId {
    let hash = match scheme {
        SignatureScheme::RsaPkcs1(hash)
        | SignatureScheme::RsaPss(hash, _)
        | SignatureScheme::EcdsaDer(hash)
        | SignatureScheme::EcdsaFixed(hash) => hash,
        SignatureScheme::Ed25519 | SignatureScheme::Ed448 => return HashId::IDENTITY,
    };
    match hash {
        HashAlgorithm::Sha1 => HashId::SHA1,
        HashAlgorithm::Sha256 => HashId::SHA2_256,
        HashAlgorithm::Sha384 => HashId::SHA2_384,
        HashAlgorithm::Sha512 => HashId::SHA2_512,
    }
}

/// Whether RSA signatures use PSS (`charon.rsa_pss`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaPadding {
    /// PKCS#1 v1.5
    Pkcs1,
    /// RSASSA-PSS
    Pss,
}

/// How we sign with a key of that kind. `peer_hashes` are those of the peer's SIGNATURE_HASH_ALGORITHMS, empty if it sent none:
/// then only the older methods are left. `wanted` are hashes in order of preference, empty for none.
#[must_use]
pub fn choose(
    kind: KeyKind,
    bits: u32,
    peer_hashes: &[HashId],
    wanted: &[HashId],
    padding: RsaPadding,
) -> Option<Announced> {
    if peer_hashes.is_empty() {
        return older_method(kind);
    }
    let identity = peer_hashes.contains(&HashId::IDENTITY);
    let scheme = match kind {
        KeyKind::Ed25519 => identity.then_some(SignatureScheme::Ed25519)?,
        KeyKind::Ed448 => identity.then_some(SignatureScheme::Ed448)?,
        KeyKind::Rsa | KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => {
            let natural = natural_hashes(kind, bits);
            let order = if wanted.is_empty() { natural } else { wanted };
            let hash =
                order.iter().filter(|id| peer_hashes.contains(id)).find_map(|id| hash_algorithm(*id))?;
            match (kind, padding) {
                (KeyKind::Rsa, RsaPadding::Pkcs1) => SignatureScheme::RsaPkcs1(hash),
                (KeyKind::Rsa, RsaPadding::Pss) => {
                    SignatureScheme::RsaPss(hash, u16::try_from(hash.len()).unwrap_or(u16::MAX))
                }
                _ => SignatureScheme::EcdsaDer(hash),
            }
        }
    };
    Some(Announced { method: AuthMethodId::DIGITAL_SIGNATURE, scheme })
}

/// Hashes of a strength that fits the key, the best fit first.
const fn natural_hashes(kind: KeyKind, bits: u32) -> &'static [HashId] {
    match kind {
        KeyKind::EcdsaP521 => &[HashId::SHA2_512, HashId::SHA2_384, HashId::SHA2_256],
        KeyKind::EcdsaP384 => &[HashId::SHA2_384, HashId::SHA2_512, HashId::SHA2_256],
        KeyKind::Rsa if bits > 7680 => &[HashId::SHA2_512, HashId::SHA2_384, HashId::SHA2_256],
        KeyKind::Rsa if bits > 3072 => &[HashId::SHA2_384, HashId::SHA2_512, HashId::SHA2_256],
        _ => &[HashId::SHA2_256, HashId::SHA2_384, HashId::SHA2_512],
    }
}

/// The method for peers without RFC 7427.
fn older_method(kind: KeyKind) -> Option<Announced> {
    let (method, scheme) = match kind {
        KeyKind::Rsa => (AuthMethodId::RSA, SignatureScheme::RsaPkcs1(HashAlgorithm::Sha1)),
        KeyKind::EcdsaP256 => (AuthMethodId::ECDSA_256, SignatureScheme::EcdsaFixed(HashAlgorithm::Sha256)),
        KeyKind::EcdsaP384 => (AuthMethodId::ECDSA_384, SignatureScheme::EcdsaFixed(HashAlgorithm::Sha384)),
        KeyKind::EcdsaP521 => (AuthMethodId::ECDSA_521, SignatureScheme::EcdsaFixed(HashAlgorithm::Sha512)),
        KeyKind::Ed25519 | KeyKind::Ed448 => return None,
    };
    Some(Announced { method, scheme })
}

/// Whether a scheme satisfies some constraint on a key of that kind; no constraints allow everything.
#[must_use]
pub fn allowed(
    constraints: &[SignatureConstraint],
    kind: KeyKind,
    bits: u32,
    scheme: SignatureScheme,
) -> bool {
    constraints.is_empty()
        || constraints.iter().any(|constraint| {
            let padding =
                constraint.key != KeyConstraint::RsaPss || matches!(scheme, SignatureScheme::RsaPss(..));
            let hash = constraint.hashes.is_empty() || constraint.hashes.contains(&hash_id(scheme));
            speaks_of(constraint, kind) && padding && hash && bits >= constraint.bits_min
        })
}

/// Whether a constraint is one on keys of that kind.
pub(crate) fn speaks_of(constraint: &SignatureConstraint, kind: KeyKind) -> bool {
    match constraint.key {
        KeyConstraint::Any => true,
        KeyConstraint::Rsa | KeyConstraint::RsaPss => kind == KeyKind::Rsa,
        KeyConstraint::Ecdsa => matches!(kind, KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521),
        KeyConstraint::Ed25519 => kind == KeyKind::Ed25519,
        KeyConstraint::Ed448 => kind == KeyKind::Ed448,
    }
}

/// AUTH data: for method 14 the identifier stands in front.
#[must_use]
pub fn emit(announced: Announced, signature: &[u8]) -> Option<Vec<u8>> {
    if announced.method != AuthMethodId::DIGITAL_SIGNATURE {
        return Some(signature.to_vec());
    }
    let identifier = algorithm_identifier(announced.scheme)?;
    let mut data = vec![u8::try_from(identifier.len()).ok()?];
    data.extend_from_slice(&identifier);
    data.extend_from_slice(signature);
    Some(data)
}

/// The scheme that AUTH data of a method was made with, and the signature; `None` if it is not a method or identifier of ours.
#[must_use]
pub fn parse(method: AuthMethodId, data: &[u8]) -> Option<(SignatureScheme, &[u8])> {
    let scheme = match method {
        AuthMethodId::RSA => SignatureScheme::RsaPkcs1(HashAlgorithm::Sha1),
        AuthMethodId::ECDSA_256 => SignatureScheme::EcdsaFixed(HashAlgorithm::Sha256),
        AuthMethodId::ECDSA_384 => SignatureScheme::EcdsaFixed(HashAlgorithm::Sha384),
        AuthMethodId::ECDSA_521 => SignatureScheme::EcdsaFixed(HashAlgorithm::Sha512),
        AuthMethodId::DIGITAL_SIGNATURE => {
            let (len, rest) = data.split_first()?;
            let (identifier, signature) = rest.split_at_checked(usize::from(*len))?;
            return Some((parse_identifier(identifier)?, signature));
        }
        _ => return None,
    };
    Some((scheme, data))
}

/// DER AlgorithmIdentifier of a scheme (RFC 7427 appendix A); `None` for those that method 14 does not carry.
#[must_use]
pub fn algorithm_identifier(scheme: SignatureScheme) -> Option<Vec<u8>> {
    let numbers = |hash| SHA2_NUMBERS.iter().find(|(known, ..)| *known == hash);
    Some(match scheme {
        SignatureScheme::RsaPkcs1(hash) => {
            let mut identifier = RSA_PKCS1;
            identifier[RSA_OID_LAST] = numbers(hash)?.1;
            identifier.to_vec()
        }
        SignatureScheme::EcdsaDer(hash) => {
            let mut identifier = ECDSA;
            identifier[ECDSA.len() - 1] = numbers(hash)?.2;
            identifier.to_vec()
        }
        SignatureScheme::RsaPss(hash, salt_len) => pss_identifier(numbers(hash)?.3, salt_len),
        SignatureScheme::Ed25519 => ED25519.to_vec(),
        SignatureScheme::Ed448 => ED448.to_vec(),
        SignatureScheme::EcdsaFixed(_) => return None,
    })
}

/// RSASSA-PSS with explicit hash, MGF1 with the same hash, and salt length; the trailer field has its default.
fn pss_identifier(hash_number: u8, salt_len: u16) -> Vec<u8> {
    let mut hash = SHA2;
    hash[RSA_OID_LAST] = hash_number;
    let mgf = tlv(0x30, &[&MGF1_OID[..], &hash].concat());
    let salt = match u8::try_from(salt_len) {
        Ok(small) if small < 0x80 => vec![0x02, 0x01, small],
        _ => [&[0x02, 0x02][..], &salt_len.to_be_bytes()].concat(),
    };
    let parameters = tlv(0x30, &[tlv(0xa0, &hash), tlv(0xa1, &mgf), tlv(0xa2, &salt)].concat());
    tlv(0x30, &[&PSS_OID[..], &parameters].concat())
}

/// A DER element of less than 128 octets.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag, u8::try_from(content.len()).unwrap_or(0x7f)];
    element.extend_from_slice(content);
    element
}

/// The scheme of an identifier. RSA's NULL parameters may be absent (RFC 7427 §3).
fn parse_identifier(identifier: &[u8]) -> Option<SignatureScheme> {
    const RSA_WITHOUT_NULL: [u8; 2] = [0x30, 0x0b];
    let schemes = SHA2_NUMBERS
        .iter()
        .flat_map(|(hash, ..)| [SignatureScheme::RsaPkcs1(*hash), SignatureScheme::EcdsaDer(*hash)]);
    let known = schemes.chain([SignatureScheme::Ed25519, SignatureScheme::Ed448]);
    for scheme in known {
        let expected = algorithm_identifier(scheme)?;
        let bare = matches!(scheme, SignatureScheme::RsaPkcs1(_))
            && identifier.strip_prefix(&RSA_WITHOUT_NULL) == expected.get(2..RSA_OID_LAST + 1);
        if identifier == expected || bare {
            return Some(scheme);
        }
    }
    parse_pss(identifier)
}

/// RSASSA-PSS with the parameters of RFC 4055 §3.1. Whoever leaves the hashes out means SHA-1, which is not taken.
fn parse_pss(identifier: &[u8]) -> Option<SignatureScheme> {
    let parameters = whole(0x30, identifier)?.strip_prefix(&PSS_OID)?;
    let (hash, rest) = element(0xa0, whole(0x30, parameters)?)?;
    let (mgf, rest) = element(0xa1, rest)?;
    let mgf_hash = whole(0x30, mgf)?.strip_prefix(&MGF1_OID)?;
    let (salt, rest) = element(0xa2, rest).map_or((None, rest), |(salt, rest)| (Some(salt), rest));
    let hash = parse_hash(hash).filter(|hash| parse_hash(mgf_hash) == Some(*hash))?;
    let salt_len = match salt.map(|salt| whole(0x02, salt)) {
        None => PSS_SALT_LEN_DEFAULT,
        Some(Some([small])) if *small < 0x80 => u16::from(*small),
        Some(Some([high, low])) if *high < 0x80 => u16::from_be_bytes([*high, *low]),
        Some(_) => return None,
    };
    let trailer_is_usual = rest.is_empty() || rest == PSS_TRAILER_EXPLICIT;
    trailer_is_usual.then_some(SignatureScheme::RsaPss(hash, salt_len))
}

/// A SHA-2 hash's identifier; its NULL parameters may be absent (RFC 4055 §2.1).
fn parse_hash(identifier: &[u8]) -> Option<HashAlgorithm> {
    let content = whole(0x30, identifier)?;
    let oid = content.strip_suffix(&[0x05, 0x00]).unwrap_or(content);
    let (last, prefix) = oid.split_last()?;
    let known = prefix == &SHA2[2..RSA_OID_LAST];
    SHA2_NUMBERS.iter().find(|(.., number)| known && number == last).map(|(hash, ..)| *hash)
}

/// Content of the DER element that fills `input`.
fn whole(tag: u8, input: &[u8]) -> Option<&[u8]> {
    element(tag, input).filter(|(_, rest)| rest.is_empty()).map(|(content, _)| content)
}

/// Content of a DER element of less than 128 octets, and what follows.
fn element(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([found, len], rest) = input.split_first_chunk::<2>()?;
    (*found == tag && *len < 0x80).then(|| rest.split_at_checked(usize::from(*len)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: [SignatureScheme; 6] = [
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha256),
        SignatureScheme::RsaPss(HashAlgorithm::Sha256, 32),
        SignatureScheme::RsaPss(HashAlgorithm::Sha512, 64),
        SignatureScheme::EcdsaDer(HashAlgorithm::Sha384),
        SignatureScheme::Ed25519,
        SignatureScheme::Ed448,
    ];

    #[test]
    fn every_scheme_survives_the_round_trip() {
        for scheme in SCHEMES {
            let announced = Announced { method: AuthMethodId::DIGITAL_SIGNATURE, scheme };
            let data = emit(announced, b"signature").unwrap();
            assert_eq!(parse(announced.method, &data), Some((scheme, &b"signature"[..])));
        }
    }

    #[test]
    fn identifiers_are_those_of_rfc_7427() {
        let rsa = algorithm_identifier(SignatureScheme::RsaPkcs1(HashAlgorithm::Sha256)).unwrap();
        assert_eq!(
            rsa,
            [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00]
        );
        let ecdsa = algorithm_identifier(SignatureScheme::EcdsaDer(HashAlgorithm::Sha512)).unwrap();
        assert_eq!(ecdsa, [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04]);
        let pss = algorithm_identifier(SignatureScheme::RsaPss(HashAlgorithm::Sha256, 32)).unwrap();
        assert_eq!((pss.len(), &pss[..4]), (67, &[0x30, 0x41, 0x06, 0x09][..]));
    }

    #[test]
    fn absent_rsa_parameters_are_accepted() {
        let bare = [0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
        assert_eq!(parse_identifier(&bare), Some(SignatureScheme::RsaPkcs1(HashAlgorithm::Sha256)));
    }

    #[test]
    fn pss_parameters_are_read_in_every_form() {
        let sha256 = |null: &[u8]| tlv(0x30, &[&SHA2[2..RSA_OID_LAST], &[1], null].concat());
        let identifier = |null: &[u8], tail: &[u8]| {
            let mgf = tlv(0x30, &[&MGF1_OID[..], &sha256(null)].concat());
            let parameters = tlv(0x30, &[&tlv(0xa0, &sha256(null)), &tlv(0xa1, &mgf), tail].concat());
            tlv(0x30, &[&PSS_OID[..], &parameters].concat())
        };
        let salt: &[u8] = &[0xa2, 0x03, 0x02, 0x01, 0x20];
        let pss = |salt_len| Some(SignatureScheme::RsaPss(HashAlgorithm::Sha256, salt_len));
        assert_eq!(parse_identifier(&identifier(&[0x05, 0x00], salt)), pss(32));
        assert_eq!(parse_identifier(&identifier(&[], salt)), pss(32));
        assert_eq!(parse_identifier(&identifier(&[], &[])), pss(20));
        assert_eq!(parse_identifier(&identifier(&[], &[salt, PSS_TRAILER_EXPLICIT].concat())), pss(32));
        assert_eq!(parse_identifier(&identifier(&[], &[0xa2, 0x03, 0x02, 0x01, 0x80])), None);
        // All defaults: SHA-1.
        assert_eq!(parse_identifier(&tlv(0x30, &[&PSS_OID[..], &[0x30, 0x00]].concat())), None);
        assert_eq!(parse_identifier(&tlv(0x30, &PSS_OID)), None);
    }

    #[test]
    fn no_identifier_panics() {
        let good = pss_identifier(1, 300);
        for at in 0..good.len() {
            assert_eq!(parse_identifier(&good[..at]), None);
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = parse_identifier(&bad);
            }
        }
    }

    #[test]
    fn constraints_are_on_key_hash_and_size() {
        let constraint =
            |key, hashes: &[HashId], bits_min| SignatureConstraint { key, hashes: hashes.to_vec(), bits_min };
        let scheme = SignatureScheme::RsaPkcs1(HashAlgorithm::Sha256);
        let allows = |constraint| allowed(&[constraint], KeyKind::Rsa, 2048, scheme);
        assert!(allowed(&[], KeyKind::Rsa, 1024, scheme));
        assert!(allows(constraint(KeyConstraint::Rsa, &[HashId::SHA2_256], 2048)));
        assert!(!allows(constraint(KeyConstraint::Rsa, &[HashId::SHA2_512], 0)));
        assert!(!allows(constraint(KeyConstraint::Rsa, &[], 3072)));
        assert!(!allows(constraint(KeyConstraint::RsaPss, &[], 0)));
        assert!(!allows(constraint(KeyConstraint::Ecdsa, &[], 0)));
    }

    #[test]
    fn a_key_signs_only_with_a_hash_that_the_peer_announced() {
        let choose = |kind, hashes: &[HashId]| choose(kind, 256, hashes, &[], RsaPadding::Pkcs1);
        let scheme = |announced: Option<Announced>| announced.map(|announced| announced.scheme);
        assert_eq!(
            scheme(choose(KeyKind::EcdsaP384, &[HashId::SHA2_256])),
            Some(SignatureScheme::EcdsaDer(HashAlgorithm::Sha256))
        );
        assert_eq!(choose(KeyKind::Ed25519, &[HashId::SHA2_256]), None);
        assert_eq!(
            scheme(choose(KeyKind::EcdsaP256, &[])),
            Some(SignatureScheme::EcdsaFixed(HashAlgorithm::Sha256))
        );
    }
}
