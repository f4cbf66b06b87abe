//! `flush-certs`: forgets certificates that peers sent. They are not kept beyond their exchange, so there are none.

use vici::Message;

use crate::reply;
use crate::request::Request;

pub(super) fn run(request: &Request<'_>) -> Message {
    let Some(kind) = request.text("type") else { return reply::success() };
    let known = TYPES.iter().any(|name| name.eq_ignore_ascii_case(kind)) || LEGACY_TYPES.contains(&kind);
    if known { reply::success() } else { reply::failure(format_args!("invalid certificate type '{kind}'")) }
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
