//! Netlink sockets of the XFRM family.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use charon_core::kernel::Transport;
use nix::libc::{AF_NETLINK, NETLINK_XFRM};
use nix::sys::socket::{NetlinkAddr, bind, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Room for the answers to a chunk of requests, octets.
const BUFFER_LEN: usize = 2 << 20;

/// `XFRMNLGRP_ACQUIRE`, `_EXPIRE`, `_MIGRATE`, `_MAPPING` as bits.
const EVENT_GROUPS: u32 = 1 | 1 << 1 | 1 << 6 | 1 << 7;

/// A socket that does not block.
#[derive(Debug)]
pub(crate) struct XfrmSocket(Socket);

impl XfrmSocket {
    /// For requests.
    pub(crate) fn for_requests() -> io::Result<Self> {
        Self::open(0, BUFFER_LEN)
    }

    /// For what the kernel reports, with room for that many octets; 0 for what the system gives.
    pub(crate) fn for_events(buffer_len: usize) -> io::Result<Self> {
        Self::open(EVENT_GROUPS, buffer_len)
    }

    fn open(groups: u32, buffer_len: usize) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::from(AF_NETLINK),
            Type::RAW.nonblocking().cloexec(),
            Some(Protocol::from(NETLINK_XFRM)),
        )?;
        // Without the right to that, the system's limit must do.
        if buffer_len != 0 && setsockopt(&socket, sockopt::RcvBufForce, &buffer_len).is_err() {
            drop(socket.set_recv_buffer_size(buffer_len));
        }
        // Port 0: the kernel finds one.
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self(socket))
    }
}

impl Transport for XfrmSocket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        // Not connected, a netlink socket sends to the kernel.
        (&self.0).write(datagram).map(drop)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }
}

impl XfrmSocket {
    /// For reading by a task. Tokio's datagram socket asks nothing of its descriptor but that datagrams come from it.
    pub(crate) fn into_async(self) -> io::Result<UdpSocket> {
        UdpSocket::from_std(self.0.into())
    }
}
