//! One packet socket for an interface: all adverts in, all frames out, whatever macvlans hang on it.
//!
//! A tap sees a frame before the kernel decides which link it belongs to. An advert that another router sends from the virtual MAC address,
//! which is that of our own macvlan, is heard like any other, and the macvlan may be down while the router is Backup.

use std::io;
use std::os::fd::OwnedFd;

use charon_core::service::kernel_net::InterfaceIndex;
use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::os::fd::AsRawFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tracing::debug;
use vrrp_proto::id::{GROUP_V4, GROUP_V6};

use crate::filter::Wanted;
use crate::sys;

/// Room for some thousand adverts: all routers of an interface that advertise while we are not scheduled.
const RECEIVE_BUFFER_BYTES: i32 = 4 << 20;
/// The longest frame that can hold an advert: 255 IPv6 addresses, with all that may be around it.
pub(crate) const FRAME_LEN_MAX: usize = 9216;

/// The socket, and what keeps the interface in the groups.
pub(crate) struct AdvertSocket {
    packets: AsyncFd<OwnedFd>,
    wanted: Wanted,
    _groups: Vec<Socket>,
}

impl AdvertSocket {
    /// Opens it. Needs a runtime.
    pub(crate) fn open(index: InterfaceIndex, wanted: Wanted) -> io::Result<Self> {
        let packets = sys::packet_socket()?;
        // The filter first: nothing else must get into the queue.
        sys::attach_filter(&packets, &wanted.program())?;
        if let Err(error) = sys::force_receive_buffer(&packets, RECEIVE_BUFFER_BYTES) {
            debug!(target: "NET", "the receive buffer of adverts stays as it is: {error}");
        }
        if let Err(error) = sys::ignore_outgoing(&packets) {
            debug!(target: "NET", "own frames are filtered, not ignored: {error}");
        }
        sys::bind_packet(&packets, index)?;
        let packets = sys::watch_readable(packets)?;
        // Either family may be switched off for the interface; then no router of it can run there.
        let groups = [join_ipv4(index), join_ipv6(index)]
            .into_iter()
            .filter_map(|joined| {
                joined
                    .inspect_err(|error| debug!(target: "NET", "joining the group of VRRP failed: {error}"))
                    .ok()
            })
            .collect();
        Ok(Self { packets, wanted, _groups: groups })
    }

    /// Hears those from now on.
    pub(crate) fn want(&mut self, wanted: Wanted) -> io::Result<()> {
        if wanted != self.wanted {
            sys::attach_filter(self.packets.get_ref(), &wanted.program())?;
            self.wanted = wanted;
        }
        Ok(())
    }

    /// Ready when there may be something to receive. Cancel safe.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.packets.readable().await.map(|mut guard| guard.retain_ready())
    }

    /// The next frame; `None` if there is none right now.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let received = self.packets.try_io(Interest::READABLE, |fd| {
            recv(fd.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT).map_err(io::Error::from)
        });
        match received {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends frames and empties the list. A frame that the interface does not take is lost, as on any wire.
    pub(crate) fn send(&self, frames: &mut Vec<Vec<u8>>) -> io::Result<()> {
        let mut rest = frames.as_slice();
        let mut outcome = Ok(());
        while !rest.is_empty() {
            match sys::send_frames(self.packets.get_ref(), rest) {
                Ok(sent) => rest = rest.get(sent.max(1)..).unwrap_or_default(),
                Err(error) => {
                    outcome = Err(error);
                    // This one does not go; those behind it may.
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
        }
        frames.clear();
        outcome
    }
}

fn join_ipv4(index: InterfaceIndex) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index.0))?;
    Ok(socket)
}

fn join_ipv6(index: InterfaceIndex) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.join_multicast_v6(&GROUP_V6, index.0)?;
    Ok(socket)
}
