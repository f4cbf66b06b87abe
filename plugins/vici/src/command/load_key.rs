//! `load-key`: a private key.

use charon_core::control::KeyType;
use vici::Message;

use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) fn run(server: &Server, request: &Request<'_>) -> Message {
    let Some(kind) = request.text("type") else { return reply::failure("key type missing") };
    let kind = match kind.to_ascii_lowercase().as_str() {
        "any" => KeyType::Any,
        "rsa" => KeyType::Rsa,
        "ecdsa" => KeyType::Ecdsa,
        "ed25519" => KeyType::Ed25519,
        "ed448" => KeyType::Ed448,
        "dsa" => KeyType::Dsa,
        _ => return reply::failure(format_args!("invalid key type: {kind}")),
    };
    let Some(data) = request.blob("data").filter(|data| !data.is_empty()) else {
        return reply::failure("key data missing");
    };
    match server.control.load_key(&server.crypto, kind, data) {
        Ok(id) => reply::success().with("id", id.to_string()),
        Err(error) => reply::failure(error),
    }
}
