//! Name servers that gateways hand out, where the host looks for them: in resolv.conf, or told to resolvconf.
//!
//! Lines of ours carry a mark and stand first; all others are somebody else's and stay as they are.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tracing::{info, warn};

/// What our lines end with.
const MARK: &str = "   # by charond";
/// How long resolvconf may take.
const RESOLVCONF_MAX: Duration = Duration::from_secs(10);

/// Where to, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolver {
    /// `plugins.resolve.file`
    pub(crate) file: Option<PathBuf>,
    /// `plugins.resolve.resolvconf.path`, which wins if it is there.
    pub(crate) program: Option<PathBuf>,
    /// `plugins.resolve.resolvconf.iface`
    pub(crate) interface: String,
}

/// The servers in use, each as often as IKE_SAs want it.
#[derive(Default)]
pub(crate) struct NameServers {
    servers: Vec<(IpAddr, usize)>,
    place: Option<Place>,
}

/// Where the servers stand, from the first to the last of them.
#[derive(Clone)]
enum Place {
    Program { path: PathBuf, interface: String },
    File { path: PathBuf, created: Created },
}

/// Whether the file was not there before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Created {
    ByUs,
    ByOthers,
}

impl NameServers {
    /// Writes it, unless it stands there already.
    pub(crate) async fn add(&mut self, server: IpAddr, resolver: &Resolver) {
        if let Some((_, users)) = self.servers.iter_mut().find(|(known, _)| *known == server) {
            *users += 1;
            return;
        }
        self.servers.push((server, 1));
        if self.place.is_none() {
            self.place = Place::of(resolver);
        }
        if let Some(place) = &self.place {
            info!(target: "IKE", "installing DNS server {server} {place}");
            self.write().await;
        }
    }

    /// Takes it off after its last user.
    pub(crate) async fn remove(&mut self, server: IpAddr) {
        let Some(at) = self.servers.iter().position(|(known, _)| *known == server) else { return };
        let (_, users) = &mut self.servers[at];
        *users -= 1;
        if *users > 0 {
            return;
        }
        self.servers.remove(at);
        if let Some(place) = &self.place {
            info!(target: "IKE", "removing DNS server {server} {place}");
            self.write().await;
        }
        if self.servers.is_empty() {
            self.place = None;
        }
    }

    /// Takes off all.
    pub(crate) async fn remove_all(&mut self) {
        if !std::mem::take(&mut self.servers).is_empty() {
            self.write().await;
        }
        self.place = None;
    }

    async fn write(&self) {
        let servers: Vec<IpAddr> = self.servers.iter().map(|(server, _)| *server).collect();
        let result = match self.place.clone() {
            None => Ok(()),
            Some(Place::Program { path, interface }) => tell(&path, &interface, &servers).await,
            Some(Place::File { path, created }) => {
                let write = move || rewrite(&path, created, &servers);
                tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)))
            }
        };
        if let Err(error) = result {
            warn!(target: "IKE", "writing DNS servers failed: {error}");
        }
    }
}

impl Place {
    fn of(resolver: &Resolver) -> Option<Self> {
        if let Some(path) = resolver.program.clone().filter(|path| is_executable(path)) {
            return Some(Self::Program { path, interface: resolver.interface.clone() });
        }
        let path = resolver.file.clone()?;
        let path = end_of_links(path);
        let created = if path.exists() { Created::ByOthers } else { Created::ByUs };
        Some(Self::File { path, created })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Program { path, .. } => write!(f, "via {}", path.display()),
            Self::File { path, .. } => write!(f, "in {}", path.display()),
        }
    }
}

/// What is written: a link stays one, even if it leads to a file that is not there.
fn end_of_links(path: PathBuf) -> PathBuf {
    if let Ok(end) = fs::canonicalize(&path) {
        return end;
    }
    match fs::read_link(&path) {
        Ok(target) => path.parent().map(|parent| parent.join(&target)).unwrap_or(target),
        Err(_) => path,
    }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Has resolvconf know these servers, or none.
async fn tell(path: &Path, interface: &str, servers: &[IpAddr]) -> io::Result<()> {
    let word = if servers.is_empty() { "-d" } else { "-a" };
    let mut child = Command::new(path)
        .args([word, interface])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let text: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    let told = async {
        if let Some(mut input) = child.stdin.take() {
            input.write_all(text.as_bytes()).await?;
        }
        child.wait().await
    };
    match tokio::time::timeout(RESOLVCONF_MAX, told).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(io::Error::other(format!("{} ended with {status}", path.display()))),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::other(format!("{} does not end", path.display()))),
    }
}

/// The file with these servers in front of what is not ours. Blocks.
fn rewrite(path: &Path, created: Created, servers: &[IpAddr]) -> io::Result<()> {
    let before = match fs::read(path) {
        Ok(before) => before,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let is_ours = |line: &[u8]| line.trim_ascii_end().ends_with(MARK.as_bytes());
    let theirs: Vec<u8> = before
        .split_inclusive(|octet| *octet == b'\n')
        .filter(|line| !is_ours(line))
        .flatten()
        .copied()
        .collect();
    if servers.is_empty() && theirs.is_empty() && created == Created::ByUs {
        return fs::remove_file(path);
    }
    let mut after: Vec<u8> =
        servers.iter().flat_map(|server| format!("nameserver {server}{MARK}\n").into_bytes()).collect();
    after.extend_from_slice(&theirs);
    if after == before { Ok(()) } else { replace(path, &after) }
}

/// Puts another file in its place, so that nobody reads half of it; where that cannot be, as in a container whose file is
/// mounted, writes over it.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".charond");
    let beside = path.with_file_name(name);
    let placed = write_new(&beside, path, content).and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        // It may not be there.
        let _ = fs::remove_file(&beside);
        return fs::write(path, content);
    }
    Ok(())
}

/// A file of the mode and owner of another.
fn write_new(path: &Path, like: &Path, content: &[u8]) -> io::Result<()> {
    // What a killed predecessor left.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let permissions = match fs::metadata(like) {
        Ok(found) => {
            use std::os::unix::fs::{MetadataExt, fchown};
            fchown(&file, Some(found.uid()), Some(found.gid()))?;
            found.permissions()
        }
        Err(_) => fs::Permissions::from_mode(0o644),
    };
    file.set_permissions(permissions)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
