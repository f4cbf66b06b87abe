//! `--load-creds`: certificates, private keys, shared secrets and tokens.

mod keys;
mod secrets;

use std::fs;
use std::path::{Path, PathBuf};

use charon_conf::View;
use vici::Message;

use super::load_conns::{FILE, listed};
use super::{Command, Run};
use crate::args::{Opt, Options, PRETTY, RAW, flag};
use crate::config::Config;
use crate::credentials::passphrase::Prompt;
use crate::failure::{Failure, Outcome, Status, words};
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "load-creds",
    short: 's',
    summary: "(re-)load credentials",
    usage: &["[--raw|--pretty] [--clear] [--noprompt]"],
    options: &[CLEAR, NOPROMPT, RAW, PRETTY, FILE],
    run: Run::Connected(run),
};

pub(super) const CLEAR: Opt = flag("clear", 'c', "clear previously loaded credentials");
pub(super) const NOPROMPT: Opt = flag("noprompt", 'n', "do not prompt for passwords");

/// Directories of certificates, with type and flag as the daemon wants them.
const CERTIFICATES: [(&str, &str, Option<&str>); 7] = [
    ("x509", "X509", Some("NONE")),
    ("x509ca", "X509", Some("CA")),
    ("x509ocsp", "X509", Some("OCSP")),
    ("x509aa", "X509", Some("AA")),
    ("x509ac", "X509_AC", None),
    ("x509crl", "X509_CRL", None),
    ("pubkey", "PUBKEY", None),
];
/// Directories of private keys, with the type as the daemon wants it.
const KEYS: [(&str, &str); 4] = [("private", "any"), ("rsa", "rsa"), ("ecdsa", "ecdsa"), ("pkcs8", "any")];
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
            certificate(session, &path, &content, kind, flag)?;
        }
    }
    for (directory, kind) in KEYS {
        for (path, content) in files(session, config, directory)? {
            obsolete.seen_key(keys::private_key(session, config, prompt, directory, kind, &path, content)?);
        }
    }
    for (path, content) in files(session, config, "pkcs12")? {
        for id in keys::container(session, config, prompt, &path, &content)? {
            obsolete.seen_key(Some(id));
        }
    }
    for section in config.settings.section("secrets").iter().flat_map(View::sections) {
        secrets::secret(session, prompt, &section, &mut obsolete)?;
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
    content: &[u8],
    kind: &str,
    flag: Option<&str>,
) -> Result<(), Failure> {
    let mut request = Message::new().with("type", kind);
    if let Some(flag) = flag {
        request.push("flag", flag);
    }
    request.push("data", content);
    let path = path.display();
    match session.attempt("load-cert", &request)? {
        Ok(_) => session.tell(format_args!("loaded certificate from '{path}'"))?,
        Err(reason) => session.complain(&format!("loading '{path}' failed: {reason}"))?,
    }
    Ok(())
}

fn unload(session: &mut Session<'_>, obsolete: Obsolete) -> Outcome {
    for (command, noun, ids) in
        [("unload-key", "private key", obsolete.keys), ("unload-shared", "shared key", obsolete.shared)]
    {
        for id in ids {
            match session.attempt(command, &Message::new().with("id", &id))? {
                Ok(_) => session.tell(format_args!("unloaded {noun} with id '{id}'"))?,
                Err(reason) => {
                    session.complain(&format!("unloading {noun} with id '{id}' failed: {reason}"))?
                }
            }
        }
    }
    Ok(Status::SUCCESS)
}
