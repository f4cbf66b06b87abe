//! Certificates on their way in and out: PEM or DER to DER, DER to the subject's name.

use std::sync::Arc;

use charon_pki::Certificate;

/// A certificate in PEM or DER, as DER. `None` if it is none.
pub(crate) fn der(file: &[u8]) -> Option<Arc<[u8]>> {
    Certificate::from_file(file).ok().map(|certificate| Arc::clone(certificate.der()))
}

/// The subject of a certificate, as text.
pub(crate) fn subject(der: &[u8]) -> String {
    Certificate::from_der(der).map_or_else(|_| String::new(), |certificate| certificate.subject().to_string())
}
