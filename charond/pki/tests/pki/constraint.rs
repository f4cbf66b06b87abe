use charon_pki::path::{PathError, Requirements};
use charon_pki::{TrustPath, TrustSources, find_path};
use charon_types::algorithm::HashId;
use charon_types::connection::{KeyConstraint, SignatureConstraint};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};

use crate::authority::{Holder, certificates, crypto, end_entity_params, requirements};

fn constraint(key: KeyConstraint, bits_min: u32, hashes: &[HashId]) -> SignatureConstraint {
    SignatureConstraint { key, bits_min, hashes: hashes.to_vec() }
}

fn verdict(root: &Holder, end: &Holder, chain: &[SignatureConstraint]) -> Result<TrustPath, PathError> {
    let authorities = certificates(&[root]);
    let sources = TrustSources { authorities: &authorities, ..TrustSources::default() };
    find_path(&end.certificate, &sources, &Requirements { chain, ..requirements() }, &crypto())
}

#[test]
fn hashes_constrain_the_signatures_of_the_path() {
    let root = Holder::root_with("root", &PKCS_ECDSA_P384_SHA384);
    let moon = root.issue_with(end_entity_params("moon"), &PKCS_ECDSA_P256_SHA256);
    let ecdsa = |hashes: &[HashId]| constraint(KeyConstraint::Ecdsa, 0, hashes);
    assert!(verdict(&root, &moon, &[ecdsa(&[HashId::SHA2_384])]).is_ok());
    assert!(verdict(&root, &moon, &[ecdsa(&[])]).is_ok());
    assert!(matches!(verdict(&root, &moon, &[ecdsa(&[HashId::SHA2_512])]), Err(PathError::TooWeak { .. })));
}

#[test]
fn key_lengths_constrain_both_ends_of_the_path() {
    let root = Holder::root_with("root", &PKCS_RSA_SHA256);
    let moon = root.issue_with(end_entity_params("moon"), &PKCS_RSA_SHA256);
    let rsa = |bits| constraint(KeyConstraint::Rsa, bits, &[]);
    assert!(verdict(&root, &moon, &[rsa(2048)]).is_ok());
    assert!(matches!(verdict(&root, &moon, &[rsa(3072)]), Err(PathError::TooWeak { .. })));
    let small = root.issue_with(end_entity_params("small"), &PKCS_ECDSA_P256_SHA256);
    let both = [rsa(3072), constraint(KeyConstraint::Ecdsa, 256, &[])];
    assert!(
        matches!(verdict(&root, &small, &both), Err(PathError::TooWeak { subject }) if subject == *root.certificate.subject())
    );
}

#[test]
fn the_peers_key_must_be_of_a_named_kind_while_authorities_may_differ() {
    let root = Holder::root_with("root", &PKCS_RSA_SHA256);
    let moon = root.issue_with(end_entity_params("moon"), &PKCS_ECDSA_P256_SHA256);
    assert!(verdict(&root, &moon, &[constraint(KeyConstraint::Ecdsa, 256, &[])]).is_ok());
    assert!(verdict(&root, &moon, &[constraint(KeyConstraint::Any, 0, &[HashId::SHA2_256])]).is_ok());
    assert!(matches!(
        verdict(&root, &moon, &[constraint(KeyConstraint::Rsa, 0, &[])]),
        Err(PathError::TooWeak { .. })
    ));
    assert!(matches!(
        verdict(&root, &moon, &[constraint(KeyConstraint::Ecdsa, 256, &[HashId::SHA2_256])]),
        Err(PathError::TooWeak { .. })
    ));
}
