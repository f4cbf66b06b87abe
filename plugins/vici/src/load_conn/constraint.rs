//! The value of `auth`: class and constraints, as `psk`, `rsa-3072-sha256` or `ike:ecdsa-sha384`.

use charon_types::algorithm::HashId;
use charon_types::connection::{AuthMethod, KeyConstraint, SignatureConstraint, SignatureConstraints};

use super::refusal::Refusal;

/// Reads the value of `auth`.
pub(super) fn method(key: &str, text: &str) -> Result<AuthMethod, Refusal> {
    if text.eq_ignore_ascii_case("psk") {
        return Ok(AuthMethod::Psk);
    }
    if ["eap", "xauth"].iter().any(|class| text == *class || text.starts_with(&format!("{class}-"))) {
        return Err(Refusal::unsupported(key, "neither EAP nor XAuth is built"));
    }
    if !["pubkey", "rsa", "ecdsa", "ike:"].iter().any(|class| text.starts_with(class)) {
        return Err(Refusal::invalid(key));
    }
    constraints(text).map(Box::new).map(AuthMethod::PublicKey).ok_or_else(|| Refusal::invalid(key))
}

/// Where the tokens that follow belong.
#[derive(Clone, Copy)]
enum Target {
    Ike,
    Chain,
}

fn constraints(text: &str) -> Option<SignatureConstraints> {
    let mut read = SignatureConstraints { text: text.to_owned(), ..SignatureConstraints::default() };
    let mut target = Target::Chain;
    let mut tokens = text.split('-').peekable();
    while let Some(token) = tokens.next() {
        let (token, prefixed) = match token.strip_prefix("ike:") {
            Some(token) => (token, true),
            None => (token, false),
        };
        if let Some(key) = key_constraint(token) {
            target = if prefixed { Target::Ike } else { Target::Chain };
            let has_size = matches!(key, KeyConstraint::Rsa | KeyConstraint::RsaPss | KeyConstraint::Ecdsa);
            let bits = tokens.peek().and_then(|bits| bits.parse().ok()).filter(|_| has_size);
            if bits.is_some() {
                tokens.next();
            }
            let constraint = SignatureConstraint { key, bits_min: bits.unwrap_or(0), hashes: Vec::new() };
            list(&mut read, target).push(constraint);
        } else {
            let hash = hash(token).filter(|_| !prefixed)?;
            list(&mut read, target).last_mut()?.hashes.push(hash);
        }
    }
    Some(read)
}

fn list(read: &mut SignatureConstraints, target: Target) -> &mut Vec<SignatureConstraint> {
    match target {
        Target::Ike => &mut read.ike,
        Target::Chain => &mut read.chain,
    }
}

fn key_constraint(token: &str) -> Option<KeyConstraint> {
    Some(match token {
        "pubkey" => KeyConstraint::Any,
        "rsa" => KeyConstraint::Rsa,
        "rsa/pss" => KeyConstraint::RsaPss,
        "ecdsa" => KeyConstraint::Ecdsa,
        "ed25519" => KeyConstraint::Ed25519,
        "ed448" => KeyConstraint::Ed448,
        _ => return None,
    })
}

/// MD5 and SHA-224 have no number in the registry of RFC 7427 and are not built.
fn hash(token: &str) -> Option<HashId> {
    Some(match token {
        "sha1" => HashId::SHA1,
        "sha256" => HashId::SHA2_256,
        "sha384" => HashId::SHA2_384,
        "sha512" => HashId::SHA2_512,
        "identity" => HashId::IDENTITY,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> SignatureConstraints {
        match method("auth", text) {
            Ok(AuthMethod::PublicKey(constraints)) => *constraints,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn key_types_take_the_size_and_hashes_that_follow_them() {
        let constraints = read("rsa-2048-ecdsa-256-sha256-sha384");
        let expected = [
            SignatureConstraint { key: KeyConstraint::Rsa, bits_min: 2048, hashes: vec![] },
            SignatureConstraint {
                key: KeyConstraint::Ecdsa,
                bits_min: 256,
                hashes: vec![HashId::SHA2_256, HashId::SHA2_384],
            },
        ];
        assert_eq!(constraints.chain, expected);
        assert!(constraints.ike.is_empty());
    }

    #[test]
    fn ike_constraints_stand_apart_from_those_of_the_chain() {
        let constraints = read("ike:rsa/pss-sha512-pubkey-sha256");
        assert_eq!(constraints.ike[0].key, KeyConstraint::RsaPss);
        assert_eq!(constraints.ike[0].hashes, [HashId::SHA2_512]);
        assert_eq!(constraints.chain[0].key, KeyConstraint::Any);
        assert_eq!(constraints.chain[0].hashes, [HashId::SHA2_256]);
    }

    #[test]
    fn what_is_no_class_is_invalid_and_eap_is_not_built() {
        assert_eq!(method("auth", "PSK"), Ok(AuthMethod::Psk));
        for text in ["bogus", "ed25519", "", "rsa-bogus", "pubkey-ike:sha256", "rsa-md5"] {
            assert_eq!(method("auth", text), Err(Refusal::invalid("auth")), "{text}");
        }
        for text in ["eap", "eap-mschapv2", "xauth", "xauth-pam"] {
            assert!(matches!(method("auth", text), Err(Refusal::Unsupported { .. })), "{text}");
        }
    }
}
