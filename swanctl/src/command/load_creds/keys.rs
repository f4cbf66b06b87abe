//! Private keys, in files of their own and in containers.

use std::borrow::Cow;
use std::path::Path;

use p12_keystore::Pkcs12Archive;
use vici::Message;
use zeroize::Zeroizing;

use super::certificate;
use crate::config::Config;
use crate::credentials::key_file::{Key, KeyFile};
use crate::credentials::passphrase::{self, Prompt};
use crate::failure::Failure;
use crate::session::Session;

/// Loads a key file and gives the key's id. An encrypted one is decrypted here: the daemon sees no passphrase. One that
/// is not is sent as it is unless there is reason to look into it: a passphrase, or a user who could be asked for one.
pub(super) fn private_key(
    session: &mut Session<'_>,
    config: &Config,
    prompt: Prompt,
    directory: &str,
    kind: &str,
    path: &Path,
    content: Vec<u8>,
) -> Result<Option<String>, Failure> {
    let key = match KeyFile::read(&content) {
        KeyFile::Encrypted(encrypted) => {
            // A question comes after what was said before.
            session.out.flush()?;
            let decrypted =
                with_passphrase(config, prompt, directory, path, |passphrase| encrypted.decrypt(passphrase));
            if decrypted.is_none() {
                let told = format!("loading '{}' failed: no passphrase decrypts it", path.display());
                session.complain(&told)?;
                return Ok(None);
            }
            decrypted
        }
        KeyFile::Plain(key) => {
            let passphrases = passphrase::configured(&config.settings, directory, &file_name(path));
            Some(key).filter(|_| prompt == Prompt::Ask || !passphrases.is_empty())
        }
        KeyFile::Other => None,
    };
    match key {
        Some(key) => typed(session, path, &key),
        None => {
            let request = Message::new().with("type", kind).with("data", content);
            load(session, path, directory, &request)
        }
    }
}

/// Loads a key whose kind is known.
fn typed(session: &mut Session<'_>, path: &Path, key: &Key) -> Result<Option<String>, Failure> {
    let name = key.algorithm.name();
    load(session, path, name, &Message::new().with("type", name).with("data", key.der.as_slice()))
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
    for bag in archive.certs.iter().rev() {
        certificate(session, path, bag.cert.as_der(), "X509", Some("NONE"))?;
    }
    let mut ids = Vec::new();
    for bag in archive.keys {
        let der = Zeroizing::new(bag.key.as_der().to_vec());
        ids.extend(match Key::from_pkcs8(&der) {
            Some(key) => typed(session, path, &key)?,
            None => {
                let request = Message::new().with("type", "any").with("data", der.as_slice());
                load(session, path, "private", &request)?
            }
        });
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
            session.tell(format_args!("loaded {name} key from '{path}'"))?;
            Ok(reply.text("id").map(str::to_owned))
        }
        Err(reason) => {
            session.complain(&format!("loading '{path}' failed: {reason}"))?;
            Ok(None)
        }
    }
}

/// How often somebody may mistype a passphrase.
const ANSWERS_MAX: usize = 3;

/// Tries the passphrases of the configuration, else asks for one.
fn with_passphrase<T>(
    config: &Config,
    prompt: Prompt,
    kind: &str,
    path: &Path,
    open: impl Fn(&[u8]) -> Option<T>,
) -> Option<T> {
    let name = file_name(path);
    let passphrases = passphrase::configured(&config.settings, kind, &name);
    if passphrases.is_empty() && prompt == Prompt::Ask {
        return (0..ANSWERS_MAX)
            .map_while(|_| passphrase::ask(&format!("Password for {kind} file '{name}': ")))
            .find_map(|answer| open(answer.as_bytes()));
    }
    passphrases.iter().find_map(|passphrase| open(passphrase))
}

fn file_name(path: &Path) -> Cow<'_, str> {
    path.file_name().map_or(Cow::Borrowed(""), |name| name.to_string_lossy())
}
