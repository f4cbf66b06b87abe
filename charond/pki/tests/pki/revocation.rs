use std::time::SystemTime;

use charon_pki::path::{PathError, Requirements};
use charon_pki::{Crl, TrustPath, TrustSources, find_path};
use charon_types::connection::Revocation;
use rcgen::{
    CertificateRevocationListParams, CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, Issuer,
    KeyIdMethod, KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber, date_time_ymd,
};

use crate::authority::{
    Holder, authority_params, certificates, crypto, end_entity_params, requirements, wall,
};

fn list_params(revoked: &[&Holder]) -> CertificateRevocationListParams {
    let entry = |holder: &&Holder| RevokedCertParams {
        serial_number: SerialNumber::from_slice(holder.certificate.serial()),
        revocation_time: date_time_ymd(2029, 1, 1),
        reason_code: Some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    };
    CertificateRevocationListParams {
        this_update: date_time_ymd(2029, 12, 1),
        next_update: date_time_ymd(2030, 2, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    }
}

fn list(issuer: &Holder, params: &CertificateRevocationListParams) -> Crl {
    let issuer = Issuer::from_params(&issuer.params, &issuer.key);
    Crl::from_der(params.signed_by(&issuer).expect("a list").der()).expect("it parses")
}

fn verdict(
    root: &Holder,
    end: &Holder,
    crls: &[Crl],
    revocation: Revocation,
) -> Result<TrustPath, PathError> {
    verdict_at(root, end, crls, revocation, wall())
}

fn verdict_at(
    root: &Holder,
    end: &Holder,
    crls: &[Crl],
    revocation: Revocation,
    wall: SystemTime,
) -> Result<TrustPath, PathError> {
    let authorities = certificates(&[root]);
    let sources = TrustSources { authorities: &authorities, crls, ..TrustSources::default() };
    find_path(&end.certificate, &sources, &Requirements { wall, revocation, ..requirements() }, &crypto())
}

#[test]
fn a_revoked_certificate_makes_no_path_whatever_the_policy() {
    let root = Holder::root("root");
    let (moon, sun) = (root.end_entity("moon"), root.end_entity("sun"));
    let crls = [list(&root, &list_params(&[&moon]))];
    for revocation in [Revocation::Strict, Revocation::IfUri, Revocation::Relaxed] {
        assert!(matches!(verdict(&root, &moon, &crls, revocation), Err(PathError::Revoked { .. })));
        assert!(verdict(&root, &sun, &crls, revocation).is_ok());
    }
}

#[test]
fn without_a_list_the_policy_decides() {
    let root = Holder::root("root");
    let moon = root.end_entity("moon");
    let mut params = end_entity_params("sun");
    params.crl_distribution_points =
        vec![CrlDistributionPoint { uris: vec!["http://crl.example.org/".into()] }];
    let sun = root.issue(params);
    let unknown = |end, revocation| {
        matches!(verdict(&root, end, &[], revocation), Err(PathError::RevocationUnknown { .. }))
    };
    assert!(unknown(&moon, Revocation::Strict) && unknown(&sun, Revocation::Strict));
    assert!(!unknown(&moon, Revocation::IfUri) && unknown(&sun, Revocation::IfUri));
    assert!(!unknown(&moon, Revocation::Relaxed) && !unknown(&sun, Revocation::Relaxed));
}

#[test]
fn an_old_list_still_revokes_but_no_longer_clears() {
    let root = Holder::root("root");
    let (moon, sun) = (root.end_entity("moon"), root.end_entity("sun"));
    let crls = [list(&root, &list_params(&[&moon]))];
    let later = crls[0].next_update().expect("a time") + std::time::Duration::from_secs(1);
    let at = |end, revocation| verdict_at(&root, end, &crls, revocation, later);
    assert!(matches!(at(&moon, Revocation::Relaxed), Err(PathError::Revoked { .. })));
    assert!(matches!(at(&sun, Revocation::Strict), Err(PathError::RevocationUnknown { .. })));
}

#[test]
fn a_list_of_another_key_says_nothing() {
    let root = Holder::root("root");
    let moon = root.end_entity("moon");
    let impostor = Holder::root("root");
    let crls = [list(&impostor, &list_params(&[&moon]))];
    assert!(verdict(&root, &moon, &crls, Revocation::Relaxed).is_ok());
    assert!(matches!(
        verdict(&root, &moon, &crls, Revocation::Strict),
        Err(PathError::RevocationUnknown { .. })
    ));
}

#[test]
fn a_list_of_limited_scope_revokes_but_does_not_clear() {
    let root = Holder::root("root");
    let (moon, sun) = (root.end_entity("moon"), root.end_entity("sun"));
    let mut params = list_params(&[&moon]);
    params.issuing_distribution_point = Some(CrlIssuingDistributionPoint {
        distribution_point: CrlDistributionPoint { uris: vec!["http://crl.example.org/".into()] },
        scope: Some(CrlScope::CaCertsOnly),
    });
    let crls = [list(&root, &params)];
    assert!(matches!(verdict(&root, &moon, &crls, Revocation::Relaxed), Err(PathError::Revoked { .. })));
    assert!(matches!(
        verdict(&root, &sun, &crls, Revocation::Strict),
        Err(PathError::RevocationUnknown { .. })
    ));
}

#[test]
fn an_authority_may_be_revoked_too() {
    let root = Holder::root("root");
    let intermediate = root.issue({
        let mut params = authority_params("intermediate");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
    });
    let moon = intermediate.end_entity("moon");
    let authorities = certificates(&[&root, &intermediate]);
    let crls = [list(&root, &list_params(&[&intermediate]))];
    let sources = TrustSources { authorities: &authorities, crls: &crls, ..TrustSources::default() };
    let found = find_path(&moon.certificate, &sources, &requirements(), &crypto());
    assert!(
        matches!(found, Err(PathError::Revoked { subject }) if subject == *intermediate.certificate.subject())
    );
}

#[test]
fn lists_are_read_from_pem_and_der() {
    let root = Holder::root("root");
    let moon = root.end_entity("moon");
    let issuer = Issuer::from_params(&root.params, &root.key);
    let made = list_params(&[&moon]).signed_by(&issuer).expect("a list");
    let crl = Crl::from_file(made.pem().expect("PEM").as_bytes()).expect("it parses");
    assert_eq!(crl.der(), Crl::from_file(made.der()).expect("it parses").der());
    assert!(crl.issuer().is_equivalent(root.certificate.subject()));
    for end in 0..crl.der().len() {
        assert!(Crl::from_der(&crl.der()[..end]).is_err(), "{end}");
    }
}
