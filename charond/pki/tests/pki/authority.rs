//! Authorities and certificates made on the spot.

use std::time::{Duration, SystemTime};

use charon_crypto::{CryptoProvider, ProviderBuilder};
use charon_pki::path::{PathError, Requirements};
use charon_pki::{Certificate, TrustPath, TrustSources, find_path};
use charon_types::connection::Revocation;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SignatureAlgorithm, date_time_ymd,
};

/// 2030-01-01, when everything made here is valid unless a test says otherwise.
pub(crate) fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_000)
}

pub(crate) fn crypto() -> CryptoProvider {
    let mut builder = ProviderBuilder::default();
    for algorithm in charon_crypto_aws_lc::algorithms() {
        builder.add(charon_crypto_aws_lc::NAME, algorithm).expect("the algorithm passes its self-test");
    }
    builder.freeze()
}

/// A certificate with its key.
pub(crate) struct Holder {
    pub(crate) params: CertificateParams,
    pub(crate) key: KeyPair,
    pub(crate) certificate: Certificate,
}

impl Holder {
    /// A root with a P-256 key.
    pub(crate) fn root(name: &str) -> Self {
        Self::root_with(name, &PKCS_ECDSA_P256_SHA256)
    }

    pub(crate) fn root_with(name: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let params = authority_params(name);
        let made = params.self_signed(&key).expect("a certificate");
        let certificate = Certificate::from_der(made.der()).expect("it parses");
        Self { params, key, certificate }
    }

    /// An intermediate authority below this one.
    pub(crate) fn authority(&self, name: &str) -> Self {
        self.issue(authority_params(name))
    }

    /// An end entity below this authority.
    pub(crate) fn end_entity(&self, name: &str) -> Self {
        self.issue(end_entity_params(name))
    }

    pub(crate) fn issue(&self, params: CertificateParams) -> Self {
        self.issue_with(params, &PKCS_ECDSA_P256_SHA256)
    }

    pub(crate) fn issue_with(
        &self,
        params: CertificateParams,
        algorithm: &'static SignatureAlgorithm,
    ) -> Self {
        self.issue_for(params, KeyPair::generate_for(algorithm).expect("a key"))
    }

    pub(crate) fn issue_for(&self, params: CertificateParams, key: KeyPair) -> Self {
        let issuer = Issuer::from_params(&self.params, &self.key);
        let made = params.signed_by(&key, &issuer).expect("a certificate");
        let certificate = Certificate::from_der(made.der()).expect("it parses");
        Self { params, key, certificate }
    }
}

pub(crate) fn authority_params(name: &str) -> CertificateParams {
    let mut params = end_entity_params(name);
    params.subject_alt_names.clear();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(crate) fn end_entity_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.replace(' ', "-")]).expect("a name");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "CH");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    params.use_authority_key_identifier_extension = true;
    params
}

pub(crate) fn requirements() -> Requirements<'static> {
    Requirements { wall: wall(), through: &[], chain: &[], revocation: Revocation::Relaxed }
}

/// A path with the plain requirements.
pub(crate) fn path(
    end_entity: &Holder,
    authorities: &[&Holder],
    received: &[&Holder],
) -> Result<TrustPath, PathError> {
    let authorities = certificates(authorities);
    let received = certificates(received);
    let sources = TrustSources { authorities: &authorities, received: &received, ..TrustSources::default() };
    find_path(&end_entity.certificate, &sources, &requirements(), &crypto())
}

pub(crate) fn certificates(holders: &[&Holder]) -> Vec<Certificate> {
    holders.iter().map(|holder| holder.certificate.clone()).collect()
}
