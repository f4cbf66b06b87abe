//! `load-shared`: a pre-shared key or password and its owners.

use charon_core::credentials::{SharedKey, SharedKeyKind};
use charon_types::identity::Identity;
use charon_types::secret::Secret;
use vici::Message;

use crate::load_conn::value;
use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) fn run(server: &Server, request: &Request<'_>) -> Message {
    match read(request) {
        Ok(key) => {
            server.control.credentials.add_shared(key);
            reply::success()
        }
        Err(reason) => reply::failure(reason),
    }
}

fn read(request: &Request<'_>) -> Result<SharedKey, String> {
    let kind = request.text("type").ok_or("shared key type missing")?;
    let kind = match kind.to_ascii_lowercase().as_str() {
        "ike" => SharedKeyKind::Ike,
        "eap" | "xauth" => SharedKeyKind::Eap,
        "ntlm" => SharedKeyKind::Ntlm,
        "ppk" => SharedKeyKind::Ppk,
        _ => return Err(format!("invalid shared key type: {kind}")),
    };
    let secret = request.blob("data").filter(|data| !data.is_empty()).ok_or("shared key data missing")?;
    let owners = owners(request).ok_or("parsing shared key owners failed")?;
    Ok(SharedKey { name: request.string("id"), kind, secret: Secret::copy_from(secret), owners })
}

fn owners(request: &Request<'_>) -> Option<Vec<Identity>> {
    request
        .whole()?
        .list("owners")
        .map_or_else(|| Some(Vec::new()), |owners| owners.iter().map(value::identity).collect())
}
