//! `--load-creds`: certificates, private keys, shared secrets and tokens.

use std::fs;
use std::path::{Path, PathBuf};

use charon_conf::View;
use vici::Message;

use super::load_conns::{FILE, listed};
use super::{Command, Run};
use crate::args::{Opt, Options, PRETTY, RAW, flag};
use crate::config::Config;
use crate::credentials::key_file::{Decrypted, Encrypted, KeyFile};
use crate::credentials::passphrase::{self, Prompt};
use crate::credentials::text::decoded;
use crate::failure::{Failure, Outcome, Status, words};
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "load-creds",
    short: 's',
    summary: "(re-)load credentials",
    usage: &["[--raw|--pretty] [--clear] [--noprompt] [--file <file>]"],
    options: &[CLEAR, NOPROMPT, RAW, PRETTY, FILE],
    run: Run::Connected(run),
};

pub(super) const CLEAR: Opt = flag("clear", 'c', "clear previously loaded credentials");
pub(super) const NOPROMPT: Opt = flag("noprompt", 'n', "do not prompt for passwords");

/// Directories of certificates, with type and flag as the daemon wants them.
const CERTIFICATES: [(&str, &str, &str); 7] = [
    ("x509", "X509", "NONE"),
    ("x509ca", "X509", "CA"),
    ("x509ocsp", "X509", "OCSP"),
    ("x509aa", "X509", "AA"),
    ("x509ac", "X509_AC", "NONE"),
    ("x509crl", "X509_CRL", "NONE"),
    ("pubkey", "PUBKEY", "NONE"),
];
/// Directories of private keys, with the type as the daemon wants it.
const KEYS: [(&str, &str); 4] = [("private", "any"), ("rsa", "rsa"), ("ecdsa", "ecdsa"), ("pkcs8", "any")];
/// What sections of secrets may start with: what is shared, and what belongs to files.
const SHARED: [&str; 5] = ["eap", "xauth", "ntlm", "ike", "ppk"];
const OF_FILES: [&str; 5] = ["private", "rsa", "ecdsa", "pkcs8", "pkcs12"];

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    load(session, &Config::load(options)?, options)
}

/// What the daemon held before and was not loaded again.
struct Obsolete {
    keys: Vec<String>,
    shared: Vec<String>,
}

/// Loads what there is, then unloads keys and secrets that are gone. Single failures are told but do not count.
pub(super) fn load(session: &mut Session<'_>, config: &Config, options: &Options) -> Outcome {
    if options.has("clear")
        && let Err(reason) = session.attempt("clear-creds", &Message::new())?
    {
        session.complain(&format!("clear-creds failed: {reason}"))?;
        return Ok(Status::REFUSED);
    }
    let prompt = if options.has("noprompt") { Prompt::Never } else { Prompt::Ask };
    let mut obsolete = Obsolete { keys: held(session, "get-keys")?, shared: held(session, "get-shared")? };
    for (directory, kind, flag) in CERTIFICATES {
        for (path, content) in files(session, config, directory)? {
            certificate(session, &path, content, kind, flag)?;
        }
    }
    for (directory, kind) in KEYS {
        for (path, content) in files(session, config, directory)? {
            obsolete.seen_key(private_key(session, config, prompt, directory, kind, &path, content)?);
        }
    }
    for (path, _) in files(session, config, "pkcs12")? {
        session.complain(&format!(
            "loading '{}' failed: PKCS#12 containers are not supported",
            path.display()
        ))?;
    }
    for section in config.settings.section("secrets").map(|view| view.sections()).unwrap_or_default() {
        secret(session, prompt, &section, &mut obsolete)?;
    }
    unload(session, obsolete)
}

impl Obsolete {
    fn seen_key(&mut self, id: Option<String>) {
        self.keys.retain(|key| Some(key) != id.as_ref());
    }
}

fn held(session: &mut Session<'_>, command: &str) -> Result<Vec<String>, Failure> {
    Ok(session
        .request_known(command, &Message::new())?
        .map(|reply| listed(&reply, "keys"))
        .unwrap_or_default())
}

/// The regular files of a directory, sorted by name. One that cannot be read is told and left out.
fn files(
    session: &mut Session<'_>,
    config: &Config,
    directory: &str,
) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
    let directory = config.directory.join(directory);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) => {
            let told = format!("opening directory '{}' failed: {}", directory.display(), words(&error));
            session.debug(1, &told)?;
            return Ok(Vec::new());
        }
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        match fs::read(&path) {
            Ok(content) => files.push((path, content)),
            Err(error) => {
                session.complain(&format!("reading '{}' failed: {}", path.display(), words(&error)))?;
            }
        }
    }
    Ok(files)
}

fn certificate(
    session: &mut Session<'_>,
    path: &Path,
    content: Vec<u8>,
    kind: &str,
    flag: &str,
) -> Result<(), Failure> {
    let request = Message::new().with("type", kind).with("flag", flag).with("data", content);
    let path = path.display();
    match session.attempt("load-cert", &request)? {
        Ok(_) => session.tell(&format!("loaded certificate from '{path}'"))?,
        Err(reason) => session.complain(&format!("loading '{path}' failed: {reason}"))?,
    }
    Ok(())
}

/// Loads a key file and gives the key's id. An encrypted one is decrypted here: the daemon sees no passphrase.
fn private_key(
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
            let Some(key) = decrypted(config, prompt, directory, path, &encrypted) else {
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
    let path = path.display();
    match session.attempt("load-key", &request)? {
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
fn decrypted(
    config: &Config,
    prompt: Prompt,
    directory: &str,
    path: &Path,
    file: &Encrypted,
) -> Option<Decrypted> {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let passphrases = passphrase::configured(&config.settings, directory, &name);
    if passphrases.is_empty() && prompt == Prompt::Ask {
        let answer = passphrase::ask(&format!("Password for {directory} file '{name}': "))?;
        return file.decrypt(answer.as_bytes());
    }
    passphrases.iter().find_map(|passphrase| file.decrypt(passphrase))
}

/// Loads a section of secrets, unless it only serves a file.
fn secret(
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
    let owners = section.keys().into_iter().filter(|(key, _)| key.starts_with("id"));
    let request = Message::new()
        .with("id", name)
        .with("type", kind)
        .with("data", data.as_slice())
        .with_list("owners", owners.map(|(_, owner)| owner.as_bytes()));
    match session.attempt("load-shared", &request)? {
        Ok(_) => {
            session.tell(&format!("loaded {kind} secret '{name}'"))?;
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
            session.tell(&format!("loaded key {} from token '{name}'", id.as_deref().unwrap_or_default()))?;
            obsolete.seen_key(id);
        }
        Err(reason) => session.complain(&format!("loading key from token '{name}' failed: {reason}"))?,
    }
    Ok(())
}

fn unload(session: &mut Session<'_>, obsolete: Obsolete) -> Outcome {
    for (command, noun, ids) in
        [("unload-key", "private key", obsolete.keys), ("unload-shared", "shared key", obsolete.shared)]
    {
        for id in ids {
            match session.attempt(command, &Message::new().with("id", &id))? {
                Ok(_) => session.tell(&format!("unloaded {noun} with id '{id}'"))?,
                Err(reason) => {
                    session.complain(&format!("unloading {noun} with id '{id}' failed: {reason}"))?
                }
            }
        }
    }
    Ok(Status::SUCCESS)
}
