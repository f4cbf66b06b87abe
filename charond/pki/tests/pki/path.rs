use charon_pki::path::{PATH_LEN_MAX, PathError, Requirements, SIGNATURE_CHECKS_MAX};
use charon_pki::{Certificate, TrustSources, find_path};
use rcgen::{
    BasicConstraints, CustomExtension, DnType, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose,
    NameConstraints, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519,
    PKCS_RSA_SHA256, PKCS_RSA_SHA512, date_time_ymd,
};

use crate::authority::{
    Holder, authority_params, certificates, crypto, end_entity_params, path, requirements,
};

fn failure(end_entity: &Holder, authorities: &[&Holder], received: &[&Holder]) -> PathError {
    path(end_entity, authorities, received).expect_err("no path")
}

#[test]
fn every_kind_of_key_makes_a_path() {
    for algorithm in [
        &PKCS_ECDSA_P256_SHA256,
        &PKCS_ECDSA_P384_SHA384,
        &PKCS_ECDSA_P521_SHA512,
        &PKCS_ED25519,
        &PKCS_RSA_SHA256,
        &PKCS_RSA_SHA512,
    ] {
        let root = Holder::root_with("root", algorithm);
        let moon = root.issue_with(end_entity_params("moon"), algorithm);
        let found = path(&moon, &[&root], &[]).expect("a path");
        assert_eq!(found.certificates(), certificates(&[&moon, &root]));
    }
}

#[test]
fn rsa_pss_signatures_of_other_tools_are_checked() {
    let root = Certificate::from_file(include_bytes!("fixtures/pss.root.pem")).expect("a certificate");
    assert_eq!(root.verify_signature(&root, &crypto()), Ok(()));
    let other = Holder::root("other");
    assert!(root.verify_signature(&other.certificate, &crypto()).is_err());
}

#[test]
fn received_intermediates_lead_to_a_loaded_root() {
    let root = Holder::root("root");
    let first = root.authority("first");
    let second = first.authority("second");
    let moon = second.end_entity("moon");
    let found = path(&moon, &[&root], &[&first, &second]).expect("a path");
    assert_eq!(found.certificates(), certificates(&[&moon, &second, &first, &root]));
    assert_eq!((found.end_entity(), found.anchor()), (&moon.certificate, &root.certificate));
}

#[test]
fn a_loaded_intermediate_is_no_anchor_by_itself() {
    let root = Holder::root("root");
    let intermediate = root.authority("intermediate");
    let moon = intermediate.end_entity("moon");
    assert!(
        matches!(failure(&moon, &[&intermediate], &[]), PathError::NoIssuer { subject } if subject == *intermediate.certificate.subject())
    );
    assert!(path(&moon, &[&intermediate, &root], &[]).is_ok());
}

#[test]
fn a_root_that_was_only_received_is_not_trusted() {
    let root = Holder::root("root");
    let moon = root.end_entity("moon");
    assert!(matches!(failure(&moon, &[], &[&root]), PathError::UntrustedRoot { .. }));
    assert!(matches!(failure(&moon, &[], &[]), PathError::NoIssuer { .. }));
}

#[test]
fn an_authority_of_the_same_name_with_another_key_is_not_the_issuer() {
    let root = Holder::root("root");
    let mut params = end_entity_params("moon");
    params.use_authority_key_identifier_extension = false;
    let moon = root.issue(params);
    let impostor = Holder::root("root");
    assert!(matches!(failure(&moon, &[&impostor], &[]), PathError::Forged { .. }));
    let found = path(&moon, &[&impostor, &root], &[]).expect("the real one is found behind it");
    assert_eq!(found.anchor(), &root.certificate);
}

#[test]
fn validity_counts_for_every_certificate_of_the_path() {
    let root = Holder::root("root");
    let mut old = end_entity_params("old");
    old.not_after = date_time_ymd(2029, 12, 31);
    assert!(matches!(failure(&root.issue(old), &[&root], &[]), PathError::Expired { .. }));
    let mut young = end_entity_params("young");
    young.not_before = date_time_ymd(2030, 1, 2);
    assert!(matches!(failure(&root.issue(young), &[&root], &[]), PathError::NotYetValid { .. }));
    let mut params = authority_params("intermediate");
    params.not_after = date_time_ymd(2029, 1, 1);
    let intermediate = root.issue(params);
    let moon = intermediate.end_entity("moon");
    assert!(
        matches!(failure(&moon, &[&root], &[&intermediate]), PathError::Expired { subject, .. } if subject == *intermediate.certificate.subject())
    );
}

#[test]
fn an_end_entity_cannot_issue() {
    let root = Holder::root("root");
    let moon = root.end_entity("moon");
    let forged = moon.end_entity("sun");
    assert!(
        matches!(failure(&forged, &[&root], &[&moon]), PathError::NotAuthority { subject } if subject == *moon.certificate.subject())
    );
    let mut params = end_entity_params("mars");
    params.is_ca = IsCa::ExplicitNoCa;
    let mars = root.issue(params);
    assert!(matches!(failure(&mars.end_entity("sun"), &[&root], &[&mars]), PathError::NotAuthority { .. }));
}

#[test]
fn an_authority_without_cert_sign_cannot_issue() {
    let root = Holder::root("root");
    let mut params = authority_params("intermediate");
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let intermediate = root.issue(params);
    let moon = intermediate.end_entity("moon");
    assert!(matches!(failure(&moon, &[&root], &[&intermediate]), PathError::NotAuthority { .. }));
}

#[test]
fn path_length_constraints_hold() {
    let mut params = authority_params("limited");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root = Holder::root("root");
    let limited = root.issue(params);
    assert!(path(&limited.end_entity("moon"), &[&root], &[&limited]).is_ok());
    let below = limited.authority("below");
    let moon = below.end_entity("moon");
    assert!(matches!(failure(&moon, &[&root], &[&limited, &below]), PathError::PathTooLong { .. }));
}

#[test]
fn a_path_longer_than_the_limit_is_not_followed() {
    let root = Holder::root("root");
    let mut chain = vec![root.authority("authority 0")];
    for index in 1..PATH_LEN_MAX {
        let next = chain.last().expect("one").authority(&format!("authority {index}"));
        chain.push(next);
    }
    let moon = chain.last().expect("one").end_entity("moon");
    let received: Vec<&Holder> = chain.iter().collect();
    assert!(matches!(failure(&moon, &[&root], &received), PathError::PathTooLong { .. }));
}

#[test]
fn authorities_that_certify_each_other_do_not_lead_in_circles() {
    let (first, second) = (Holder::root("first"), Holder::root("second"));
    let cross = |issuer: &Holder, subject: &Holder, name| {
        let key = KeyPair::from_pem(&subject.key.serialize_pem()).expect("a key");
        issuer.issue_for(authority_params(name), key)
    };
    let (first_by_second, second_by_first) =
        (cross(&second, &first, "first"), cross(&first, &second, "second"));
    let moon = first.end_entity("moon");
    let received = [&first_by_second, &second_by_first];
    assert!(path(&moon, &[], &received).is_err());
    let found = path(&moon, &[&second], &received).expect("a path");
    assert_eq!(found.certificates(), certificates(&[&moon, &first_by_second, &second]));
}

#[test]
fn a_flood_of_namesakes_ends_the_search() {
    let root = Holder::root("root");
    let mut params = end_entity_params("moon");
    params.use_authority_key_identifier_extension = false;
    let moon = root.issue(params);
    // Loaded ones, because of received ones only the first few are looked at.
    let namesakes: Vec<Holder> = (0..=SIGNATURE_CHECKS_MAX).map(|_| Holder::root("root")).collect();
    let loaded: Vec<&Holder> = namesakes.iter().collect();
    assert_eq!(failure(&moon, &loaded, &[]), PathError::TooComplex);
}

#[test]
fn unknown_critical_extensions_are_refused_and_others_are_not() {
    let root = Holder::root("root");
    let with_extension = |critical| {
        let mut params = end_entity_params("moon");
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(critical);
        params.custom_extensions.push(extension);
        root.issue(params)
    };
    assert!(path(&with_extension(false), &[&root], &[]).is_ok());
    assert!(matches!(
        failure(&with_extension(true), &[&root], &[]),
        PathError::UnknownExtension { oid, .. } if oid.to_string() == "1.2.3.4"
    ));
}

#[test]
fn a_key_that_is_not_for_signatures_does_not_authenticate() {
    let root = Holder::root("root");
    let mut params = end_entity_params("moon");
    params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    assert!(matches!(failure(&root.issue(params), &[&root], &[]), PathError::KeyUsage { .. }));
}

#[test]
fn name_constraints_bind_everything_below() {
    let root = Holder::root("root");
    let mut params = authority_params("intermediate");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".into())],
        excluded_subtrees: vec![GeneralSubtree::DnsName("secret.example.org".into())],
    });
    let intermediate = root.issue(params);
    let verdict = |name: &str| path(&intermediate.end_entity(name), &[&root], &[&intermediate]);
    assert!(verdict("moon.example.org").is_ok());
    for outside in ["moon.example.com", "badexample.org", "x.secret.example.org"] {
        assert!(matches!(verdict(outside), Err(PathError::NameConstraint { .. })), "{outside}");
    }
    let below = intermediate.authority("below");
    let moon = below.end_entity("moon.example.com");
    assert!(matches!(failure(&moon, &[&root], &[&intermediate, &below]), PathError::NameConstraint { .. }));
}

#[test]
fn constraints_on_directory_names_bind_subjects() {
    let root = Holder::root("root");
    let mut base = rcgen::DistinguishedName::new();
    base.push(DnType::CountryName, "DE");
    let mut params = authority_params("intermediate");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DirectoryName(base)],
        excluded_subtrees: vec![],
    });
    let intermediate = root.issue(params);
    let moon = intermediate.end_entity("moon");
    assert!(matches!(failure(&moon, &[&root], &[&intermediate]), PathError::NameConstraint { .. }));
}

#[test]
fn a_pinned_certificate_needs_no_authority_but_must_be_valid() {
    let root = Holder::root("root");
    let moon = root.end_entity("moon");
    let pinned = certificates(&[&moon]);
    let sources = TrustSources { pinned: &pinned, ..TrustSources::default() };
    let found = find_path(&moon.certificate, &sources, &requirements(), &crypto()).expect("a path");
    assert_eq!(found.certificates(), pinned);
    let late = Requirements {
        wall: moon.certificate.not_after() + std::time::Duration::from_secs(1),
        ..requirements()
    };
    assert!(matches!(
        find_path(&moon.certificate, &sources, &late, &crypto()),
        Err(PathError::Expired { .. })
    ));
}

#[test]
fn a_demanded_authority_must_be_in_the_path() {
    let (root, other) = (Holder::root("root"), Holder::root("other"));
    let intermediate = root.authority("intermediate");
    let moon = intermediate.end_entity("moon");
    let authorities = certificates(&[&root, &other, &intermediate]);
    let sources = TrustSources { authorities: &authorities, ..TrustSources::default() };
    let verdict = |through: &[&Holder]| {
        let through = certificates(through);
        let demanded = Requirements { through: &through, ..requirements() };
        find_path(&moon.certificate, &sources, &demanded, &crypto())
    };
    assert!(verdict(&[&root]).is_ok());
    assert!(verdict(&[&other, &intermediate]).is_ok());
    assert_eq!(verdict(&[&other]), Err(PathError::WrongAuthority));
}

#[test]
fn a_changed_certificate_is_forged() {
    let root = Holder::root("root");
    let moon = root.end_entity("moon");
    let mut der = moon.certificate.der().to_vec();
    // The last octet belongs to the signature, the serial number is near the beginning of the signed part.
    let last = der.len() - 1;
    der[last] ^= 1;
    if let Ok(changed) = Certificate::from_der(&der) {
        let holder = Holder { certificate: changed, ..moon };
        assert!(matches!(failure(&holder, &[&root], &[]), PathError::Forged { .. }));
    }
    let moon = root.end_entity("moon");
    let mut der = moon.certificate.der().to_vec();
    der[20] ^= 1;
    let holder = Holder { certificate: Certificate::from_der(&der).expect("it still parses"), ..moon };
    assert!(matches!(failure(&holder, &[&root], &[]), PathError::Forged { .. }));
}
