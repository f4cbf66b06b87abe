//! Authorities by name: a certificate, and where to ask about those that it issued.

use charon_pki::Certificate;

/// An authority (`authorities.<name>` of swanctl.conf).
#[derive(Clone, Debug)]
pub struct Authority {
    /// Its name.
    pub name: String,
    /// Its certificate, which is trusted while the authority is loaded.
    pub certificate: Certificate,
    /// Where its revocation lists are.
    pub crl_uris: Vec<String>,
    /// Who answers for it.
    pub ocsp_uris: Vec<String>,
    /// Prefix of the URLs of certificates that it issued, for hash and URL.
    pub cert_uri_base: Option<String>,
}

/// Whether a certificate would be trusted without its authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trusted {
    /// It was loaded by itself as well.
    Anyway,
    /// The authority brought it.
    ByAuthority,
}

/// An authority that is loaded.
#[derive(Clone, Debug)]
pub(super) struct LoadedAuthority {
    pub(super) authority: Authority,
    pub(super) trusted: Trusted,
}
