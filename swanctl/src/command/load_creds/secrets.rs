//! The secrets section: what is shared with others, and keys on tokens.

use charon_conf::View;
use vici::Message;

use super::Obsolete;
use crate::credentials::passphrase::{self, Prompt};
use crate::credentials::text::decoded;
use crate::failure::Failure;
use crate::session::Session;

/// What sections of secrets may start with: what is shared, and what belongs to files.
const SHARED: [&str; 5] = ["eap", "xauth", "ntlm", "ike", "ppk"];
const OF_FILES: [&str; 5] = ["private", "rsa", "ecdsa", "pkcs8", "pkcs12"];

/// Loads a section of secrets, unless it only serves a file.
pub(super) fn secret(
    session: &mut Session<'_>,
    prompt: Prompt,
    section: &View<'_>,
    obsolete: &mut Obsolete,
) -> Result<(), Failure> {
    let name = section.name();
    if let Some(kind) = SHARED.into_iter().find(|kind| name.starts_with(kind)) {
        return shared(session, kind, section, obsolete);
    }
    if OF_FILES.iter().any(|kind| name.starts_with(kind)) {
        return Ok(());
    }
    if name.starts_with("token") {
        return token(session, prompt, section, obsolete);
    }
    Ok(session.complain(&format!("ignoring unsupported secret '{name}'"))?)
}

fn shared(
    session: &mut Session<'_>,
    kind: &str,
    section: &View<'_>,
    obsolete: &mut Obsolete,
) -> Result<(), Failure> {
    let name = section.name();
    let Some(value) = section.value("secret") else {
        return Ok(session.complain(&format!("missing secret in '{name}', ignored"))?);
    };
    let data = match decoded(value.as_bytes()) {
        Ok(data) => data,
        Err(what) => {
            let told =
                format!("loading {kind} secret '{name}' failed: {}: the secret {what}", value.location());
            return Ok(session.complain(&told)?);
        }
    };
    let owners = section.keys().filter(|(key, _)| key.starts_with("id"));
    let request = Message::new()
        .with("id", name)
        .with("type", kind)
        .with("data", data.as_slice())
        .with_list("owners", owners.map(|(_, owner)| owner.as_bytes()));
    match session.attempt("load-shared", &request)? {
        Ok(_) => {
            session.tell(format_args!("loaded {kind} secret '{name}'"))?;
            obsolete.shared.retain(|id| id != name);
        }
        Err(reason) => session.complain(&format!("loading {kind} secret '{name}' failed: {reason}"))?,
    }
    Ok(())
}

fn token(
    session: &mut Session<'_>,
    prompt: Prompt,
    section: &View<'_>,
    obsolete: &mut Obsolete,
) -> Result<(), Failure> {
    let name = section.name();
    let mut request = Message::new();
    for (key, value) in section.keys() {
        request.push(key, value.as_bytes());
    }
    if section.value("pin").is_none()
        && prompt == Prompt::Ask
        && session.out.flush().is_ok()
        && let Some(pin) = passphrase::ask(&format!("PIN for {name}: "))
    {
        request.push("pin", pin.as_str());
    }
    match session.attempt("load-token", &request)? {
        Ok(reply) => {
            let id = reply.text("id").map(str::to_owned);
            session
                .tell(format_args!("loaded key {} from token '{name}'", id.as_deref().unwrap_or_default()))?;
            obsolete.seen_key(id);
        }
        Err(reason) => session.complain(&format!("loading key from token '{name}' failed: {reason}"))?,
    }
    Ok(())
}
