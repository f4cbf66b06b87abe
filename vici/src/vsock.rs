//! Sockets between a virtual machine and its host (vsock(7)).

use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// Connects; blocks as long as the kernel does, two seconds. Reading and writing is the same for stream sockets of all
/// families, so the type of another one serves.
pub(crate) fn connect(cid: u32, port: u32) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::VSOCK, Type::STREAM, None)?;
    socket.connect(&SockAddr::vsock(cid, port))?;
    Ok(OwnedFd::from(socket).into())
}
