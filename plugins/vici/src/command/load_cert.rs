//! `load-cert`: a certificate, revocation list or public key.

use charon_core::control::{CertificateKind, X509Flag};
use vici::Message;

use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) fn run(server: &Server, request: &Request<'_>) -> Message {
    match load(server, request) {
        Ok(()) => reply::success(),
        Err(reason) => reply::failure(reason),
    }
}

fn load(server: &Server, request: &Request<'_>) -> Result<(), String> {
    let kind = kind(request)?;
    let data = request.blob("data").filter(|data| !data.is_empty()).ok_or("certificate data missing")?;
    server.control.load_certificate(kind, data).map_err(|error| error.to_string())
}

fn kind(request: &Request<'_>) -> Result<CertificateKind, String> {
    let kind = request.text("type").ok_or("certificate type missing")?;
    match kind {
        "x509ca" => return Ok(CertificateKind::X509(X509Flag::Ca)),
        "x509crl" => return Ok(CertificateKind::Crl),
        "x509ocsp" | "x509aa" | "x509ac" => return Err(unbuilt(kind)),
        _ => {}
    }
    match kind.to_ascii_uppercase().as_str() {
        "X509" => x509(request),
        "X509_CRL" => Ok(CertificateKind::Crl),
        "PUBKEY" => Ok(CertificateKind::PublicKey),
        "X509_AC" | "OCSP_REQUEST" | "OCSP_RESPONSE" | "PKCS10_REQUEST" | "PGP" => Err(unbuilt(kind)),
        _ => Err(format!("invalid certificate type '{kind}'")),
    }
}

fn x509(request: &Request<'_>) -> Result<CertificateKind, String> {
    let Some(flag) = request.text("flag") else { return Ok(CertificateKind::X509(X509Flag::None)) };
    match flag.to_ascii_uppercase().as_str() {
        "NONE" => Ok(CertificateKind::X509(X509Flag::None)),
        "CA" => Ok(CertificateKind::X509(X509Flag::Ca)),
        "AA" | "OCSP" => Err(format!("unsupported certificate flag '{flag}', only NONE and CA are built")),
        _ => Err(format!("invalid certificate flag '{flag}'")),
    }
}

fn unbuilt(kind: &str) -> String {
    format!("unsupported certificate type '{kind}', only X509, X509_CRL and PUBKEY are built")
}
