//! The sockets that clients connect to.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::unistd::{Group, User};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::net::{UnixStream, lookup_host};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use vici::Uri;

use crate::access::Access;
use crate::address::Address;
use crate::handed_over::HandedOver;
use crate::serve::{SessionId, serve};
use crate::server::Server;
use crate::sys;

/// A bound socket of any family.
pub(crate) struct Listener {
    socket: Socket,
    access: Access,
}

/// Who owns a socket in the file system. Nothing set: whoever runs the daemon.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Name or number.
    pub(crate) user: Option<String>,
    /// Name or number.
    pub(crate) group: Option<String>,
}

impl Listener {
    /// Binds to an address. In the file system an older socket is replaced, and nobody but owner and group can connect.
    pub(crate) async fn bind(
        address: &Address,
        access: Access,
        owner: &Owner,
        handed_over: &mut HandedOver,
    ) -> io::Result<Self> {
        let socket = match address {
            Address::Uri(Uri::Unix(path)) => bind_unix(path, owner)?,
            Address::Uri(Uri::Tcp { host, port }) => bind_tcp(host, *port).await?,
            Address::Uri(Uri::Vsock { cid, port }) => {
                bind_address(Domain::VSOCK, &SockAddr::vsock(*cid, *port))?
            }
            Address::Systemd(name) => handed_over.take(name)?,
        };
        socket.set_nonblocking(true)?;
        Ok(Self { socket, access })
    }
}

async fn accept(socket: &AsyncFd<Socket>) -> io::Result<UnixStream> {
    loop {
        let mut ready = socket.readable().await?;
        if let Ok(accepted) = ready.try_io(|socket| socket.get_ref().accept()) {
            let (socket, peer) = accepted?;
            if peer.domain() == Domain::IPV4 || peer.domain() == Domain::IPV6 {
                socket.set_tcp_nodelay(true)?;
            }
            socket.set_nonblocking(true)?;
            // Reading and writing is the same for stream sockets of all families.
            return UnixStream::from_std(OwnedFd::from(socket).into());
        }
    }
}

/// Numbers the clients of all sockets.
#[derive(Default)]
pub(crate) struct SessionIds(AtomicU64);

impl SessionIds {
    fn next(&self) -> SessionId {
        SessionId(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Accepts clients until `stop`, then waits for the end of their sessions. Aborting the task ends them at once.
pub(crate) async fn run(
    listener: Listener,
    ids: Arc<SessionIds>,
    server: Arc<Server>,
    stop: CancellationToken,
) {
    let Listener { socket, access } = listener;
    // It belongs to the runtime that this runs in.
    let socket = match sys::watch(socket) {
        Ok(socket) => socket,
        Err(error) => return error!(target: "CFG", "watching a vici socket failed: {error}"),
    };
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = accept(&socket) => match accepted {
                Ok(stream) => {
                    let session = serve(stream, ids.next(), access, Arc::clone(&server), stop.clone());
                    sessions.spawn(session);
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
            () = stop.cancelled() => break,
        }
    }
    while sessions.join_next().await.is_some() {}
}

fn bind_unix(path: &Path, owner: &Owner) -> io::Result<Socket> {
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
    let socket = bind_address(Domain::UNIX, &SockAddr::unix(&private)?)?;
    let published = publish(&private, path, owner);
    if published.is_err() {
        drop(std::fs::remove_file(&private));
    }
    published?;
    Ok(socket)
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

async fn bind_tcp(host: &str, port: u16) -> io::Result<Socket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("host '{host}' has no address"));
    for address in lookup_host((host, port)).await? {
        match bind_internet(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_internet(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

fn bind_address(domain: Domain, address: &SockAddr) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Owner and group may connect.
const SOCKET_MODE: u32 = 0o660;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// How long accepting rests after it failed.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
