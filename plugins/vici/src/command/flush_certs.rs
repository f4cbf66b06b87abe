//! `flush-certs`: forgets certificates that peers sent. Others are not kept beyond their exchange.

use vici::Message;

use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) fn run(server: &Server, request: &Request<'_>) -> Message {
    let kind = request.text("type").unwrap_or("ANY");
    let known = TYPES.iter().any(|name| name.eq_ignore_ascii_case(kind)) || LEGACY_TYPES.contains(&kind);
    if !known {
        return reply::failure(format_args!("invalid certificate type '{kind}'"));
    }
    if ["ANY", "X509"].iter().any(|name| name.eq_ignore_ascii_case(kind)) {
        server.control.credentials.snapshot().received.flush();
    }
    reply::success()
}

const TYPES: [&str; 9] = [
    "ANY",
    "X509",
    "X509_CRL",
    "OCSP_REQUEST",
    "OCSP_RESPONSE",
    "X509_AC",
    "PUBKEY",
    "PKCS10_REQUEST",
    "PGP",
];
const LEGACY_TYPES: [&str; 5] = ["x509ca", "x509ocsp", "x509aa", "x509ac", "x509crl"];
