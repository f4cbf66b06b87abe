//! CERTREQ payloads (RFC 7296 §3.7): which authorities we trust, and which the peer trusts.

use charon_types::connection::{AuthConfig, AuthMethod, Connection};

use crate::env::AuthorityKeyId;
use crate::sa::Cx;
use crate::wire::payload::CertEncoding;
use crate::wire::{CertReq, Message, Payload};

/// Most authorities named or remembered.
const AUTHORITIES_MAX: usize = 128;

/// What we ask of a peer of that connection; `None` if it is not to show certificates or nobody is trusted.
pub(crate) fn request(cx: Cx<'_>, connection: &Connection) -> Option<Payload> {
    let by_certificate: Vec<AuthConfig> =
        connection.remote.iter().filter(|rules| !matches!(rules.method, AuthMethod::Psk)).cloned().collect();
    if by_certificate.is_empty() || !connection.ike.send_certreq.is_enabled() {
        return None;
    }
    let authorities = cx.env.credentials.authorities(&by_certificate);
    let mut key_ids = Vec::new();
    for authority in authorities.iter().take(AUTHORITIES_MAX) {
        tracing::info!(target: "IKE", "sending cert request for \"{}\"", authority.subject);
        key_ids.push(authority.key_id.0);
    }
    (!key_ids.is_empty())
        .then_some(Payload::CertReq(CertReq { encoding: CertEncoding::X509_SIGNATURE, authorities: key_ids }))
}

/// What the peer asks of us; `None` if it asks for nothing.
pub(crate) fn requested(cx: Cx<'_>, message: &Message) -> Option<Vec<AuthorityKeyId>> {
    let mut requested = None;
    for request in message.cert_requests().filter(|request| request.encoding == CertEncoding::X509_SIGNATURE)
    {
        let list: &mut Vec<AuthorityKeyId> = requested.get_or_insert_default();
        for key_id in request.authorities.iter().copied().map(AuthorityKeyId) {
            if list.len() < AUTHORITIES_MAX && !list.contains(&key_id) {
                if let Some(authority) = cx.env.credentials.authority(&key_id) {
                    tracing::info!(target: "IKE", "received cert request for \"{}\"", authority.subject);
                }
                list.push(key_id);
            }
        }
    }
    requested
}
