//! Private keys, in files of their own and in containers.

use std::borrow::Cow;
use std::path::Path;

use p12_keystore::Pkcs12Archive;
use vici::Message;
use zeroize::Zeroizing;

use super::certificate;
use crate::config::Config;
use crate::credentials::key_file::KeyFile;
use crate::credentials::passphrase::{self, Prompt};
use crate::failure::Failure;
use crate::session::Session;

/// Loads a key file and gives the key's id. An encrypted one is decrypted here: the daemon sees no passphrase.
pub(super) fn private_key(
    session: &mut Session<'_>,
    config: &Config,
    prompt: Prompt,
    directory: &str,
    kind: &str,
    path: &Path,
    content: Vec<u8>,
) -> Result<Option<String>, Failure> {
    let (name, request) = match KeyFile::read(&content) {
        KeyFile::Encrypted(encrypted) => {
            // A question comes after what was said before.
            session.out.flush()?;
            let decrypted =
                with_passphrase(config, prompt, directory, path, |passphrase| encrypted.decrypt(passphrase));
            let Some(key) = decrypted else {
                let told = format!("loading '{}' failed: no passphrase decrypts it", path.display());
                session.complain(&told)?;
                return Ok(None);
            };
            let kind = key.algorithm.name().to_ascii_lowercase();
            (key.algorithm.name(), Message::new().with("type", kind).with("data", key.der.as_slice()))
        }
        KeyFile::Plain(algorithm) => {
            let name = if prompt == Prompt::Ask { algorithm.name() } else { directory };
            (name, Message::new().with("type", kind).with("data", content))
        }
        KeyFile::Other => (directory, Message::new().with("type", kind).with("data", content)),
    };
    load(session, path, name, &request)
}

/// Loads the certificates of a PKCS#12 container, then its keys, and gives the ids of the keys.
pub(super) fn container(
    session: &mut Session<'_>,
    config: &Config,
    prompt: Prompt,
    path: &Path,
    content: &[u8],
) -> Result<Vec<String>, Failure> {
    session.out.flush()?;
    let open =
        |passphrase: &[u8]| Pkcs12Archive::from_pkcs12(content, std::str::from_utf8(passphrase).ok()?).ok();
    let Some(archive) = with_passphrase(config, prompt, "pkcs12", path, open) else {
        session.complain(&format!("loading '{}' failed: no passphrase decrypts it", path.display()))?;
        return Ok(Vec::new());
    };
    for bag in &archive.certs {
        certificate(session, path, bag.cert.as_der(), "X509", "NONE")?;
    }
    let mut ids = Vec::new();
    for bag in archive.keys {
        let der = Zeroizing::new(bag.key.as_der().to_vec());
        let name = match KeyFile::read(&der) {
            KeyFile::Plain(algorithm) => algorithm.name(),
            KeyFile::Encrypted(_) | KeyFile::Other => "private",
        };
        let request = Message::new().with("type", "any").with("data", der.as_slice());
        ids.extend(load(session, path, name, &request)?);
    }
    Ok(ids)
}

/// Loads a key that can be read, and gives its id.
fn load(
    session: &mut Session<'_>,
    path: &Path,
    name: &str,
    request: &Message,
) -> Result<Option<String>, Failure> {
    let path = path.display();
    match session.attempt("load-key", request)? {
        Ok(reply) => {
            session.tell(&format!("loaded {name} key from '{path}'"))?;
            Ok(reply.text("id").map(str::to_owned))
        }
        Err(reason) => {
            session.complain(&format!("loading '{path}' failed: {reason}"))?;
            Ok(None)
        }
    }
}

/// Tries the passphrases of the configuration, else asks for one.
fn with_passphrase<T>(
    config: &Config,
    prompt: Prompt,
    kind: &str,
    path: &Path,
    open: impl Fn(&[u8]) -> Option<T>,
) -> Option<T> {
    let name = path.file_name().map_or(Cow::Borrowed(""), |name| name.to_string_lossy());
    let passphrases = passphrase::configured(&config.settings, kind, &name);
    if passphrases.is_empty() && prompt == Prompt::Ask {
        let answer = passphrase::ask(&format!("Password for {kind} file '{name}': "))?;
        return open(answer.as_bytes());
    }
    passphrases.iter().find_map(|passphrase| open(passphrase))
}
