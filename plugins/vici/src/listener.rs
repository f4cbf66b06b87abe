//! The socket that clients connect to.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{Group, User};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, UnixListener, lookup_host};
use tokio::task::JoinSet;
use tracing::{error, warn};
use vici::Uri;

use crate::server::Server;
use crate::session::{SessionId, serve};

/// A bound socket.
pub(crate) enum Listener {
    /// In the file system.
    Unix(UnixListener),
    /// On the network.
    Tcp(TcpListener),
}

/// Who owns the socket in the file system. Nothing set: whoever runs the daemon.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Name or number.
    pub(crate) user: Option<String>,
    /// Name or number.
    pub(crate) group: Option<String>,
}

impl Listener {
    /// Binds to `uri`. In the file system an older socket is replaced, and nobody but owner and group can connect.
    pub(crate) async fn bind(uri: &Uri, owner: &Owner) -> io::Result<Self> {
        match uri {
            Uri::Unix(path) => bind_unix(path, owner).map(Self::Unix),
            Uri::Tcp { host, port } => bind_tcp(host, *port).await.map(Self::Tcp),
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Accepts clients until the task is aborted, which ends their sessions, too.
pub(crate) async fn run(listener: Listener, server: Arc<Server>) {
    let mut sessions = JoinSet::new();
    let mut next_id = 1;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    sessions.spawn(serve(stream, SessionId(next_id), Arc::clone(&server)));
                    next_id += 1;
                }
                Err(error) => {
                    // Most likely no file descriptor is left; a client that goes will give one back.
                    error!(target: "CFG", "accepting a vici connection failed: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = sessions.join_next(), if !sessions.is_empty() => {
                if let Err(error) = ended
                    && error.is_panic()
                {
                    error!(target: "CFG", "a vici session failed: {error}");
                }
            }
        }
    }
}

fn bind_unix(path: &Path, owner: &Owner) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a file that is no socket is in the way",
            ));
        }
        Err(_) => {}
    }
    // Bound under another name and renamed when mode and owner are right, so that nobody gets in before.
    let private = private_name(path);
    drop(std::fs::remove_file(&private));
    let socket = std::os::unix::net::UnixListener::bind(&private)?;
    let published = publish(&private, path, owner);
    if published.is_err() {
        drop(std::fs::remove_file(&private));
    }
    published?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket)
}

fn publish(private: &Path, path: &Path, owner: &Owner) -> io::Result<()> {
    std::fs::set_permissions(private, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    let (user, group) = (owner.user_id()?, owner.group_id()?);
    if (user.is_some() || group.is_some())
        && let Err(error) = chown(private, user, group)
    {
        // Without the capability only the group can be given away.
        warn!(target: "CFG", "changing the owner of the vici socket failed: {error}");
        chown(private, None, group)?;
    }
    std::fs::rename(private, path)
}

fn private_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

impl Owner {
    fn user_id(&self) -> io::Result<Option<u32>> {
        let Some(user) = &self.user else { return Ok(None) };
        if let Ok(number) = user.parse() {
            return Ok(Some(number));
        }
        let found = User::from_name(user)?.ok_or_else(|| no_such("user", user))?;
        Ok(Some(found.uid.as_raw()))
    }

    fn group_id(&self) -> io::Result<Option<u32>> {
        let Some(group) = &self.group else { return Ok(None) };
        if let Ok(number) = group.parse() {
            return Ok(Some(number));
        }
        let found = Group::from_name(group)?.ok_or_else(|| no_such("group", group))?;
        Ok(Some(found.gid.as_raw()))
    }
}

fn no_such(what: &str, name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{what} '{name}' does not exist"))
}

async fn bind_tcp(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("host '{host}' has no address"));
    for address in lookup_host((host, port)).await? {
        match bind_address(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_address(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(TCP_BACKLOG)
}

/// Owner and group may connect.
const SOCKET_MODE: u32 = 0o660;
/// Connections that wait to be accepted.
const TCP_BACKLOG: u32 = 128;
/// How long accepting rests after it failed.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
