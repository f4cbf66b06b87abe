//! One packet socket for an interface: all adverts in, all frames out, whatever macvlans hang on it.
//!
//! A tap sees a frame before the kernel decides which link it belongs to. An advert that another router sends from the virtual MAC address,
//! which is that of our own macvlan, is heard like any other, and the macvlan may be down while the router is Backup.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use charon_core::service::kernel_net::InterfaceIndex;
use nix::sys::socket::{MsgFlags, send};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tracing::debug;
use vrrp_proto::id::{GROUP_V4, GROUP_V6};

use crate::filter::Wanted;
use crate::frames::Frames;
use crate::poller::Watch;
use crate::sys;

/// Room for some thousand adverts: all routers of an interface that advertise while we are not scheduled.
const RECEIVE_BUFFER_BYTES: i32 = 4 << 20;
/// The longest frame that can hold an advert: 255 IPv6 addresses, with all that may be around it.
const FRAME_LEN_MAX: usize = 9216;

/// Where frames are received: one for all sockets of a thread.
pub(crate) struct Inbox {
    octets: Vec<u8>,
    lens: [usize; sys::FRAMES_AT_ONCE],
}

impl Inbox {
    /// Frames that it holds at most.
    pub(crate) const CAPACITY: usize = sys::FRAMES_AT_ONCE;

    pub(crate) fn new() -> Self {
        Self { octets: vec![0; Self::CAPACITY * FRAME_LEN_MAX], lens: [0; Self::CAPACITY] }
    }

    /// The first so many frames.
    pub(crate) fn frames(&self, count: usize) -> impl Iterator<Item = &[u8]> {
        let places = self.octets.chunks_exact(FRAME_LEN_MAX).zip(self.lens).take(count);
        places.filter_map(|(place, len)| place.get(..len))
    }
}

/// The socket, and what keeps the interface in the groups.
pub(crate) struct AdvertSocket {
    packets: OwnedFd,
    wanted: Wanted,
    _groups: Vec<Socket>,
}

impl AdvertSocket {
    /// Opens it; `watch` tells when it can be read.
    pub(crate) fn open(index: InterfaceIndex, wanted: Wanted, watch: &Watch) -> io::Result<Self> {
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
        watch.add(&packets)?;
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
            sys::attach_filter(&self.packets, &wanted.program())?;
            self.wanted = wanted;
        }
        Ok(())
    }

    /// Frames that are there, [`Inbox::CAPACITY`] at most; how many. Fewer than that: there are no more right now.
    pub(crate) fn receive(&self, inbox: &mut Inbox) -> io::Result<usize> {
        sys::receive_frames(&self.packets, &mut inbox.octets, FRAME_LEN_MAX, &mut inbox.lens)
    }

    /// Sends frames and empties the list. A frame that the interface does not take is lost, as on any wire.
    pub(crate) fn send(&self, frames: &mut Frames) -> io::Result<()> {
        let outcome = if frames.len() == 1 { self.send_one(frames) } else { self.send_many(frames) };
        frames.clear();
        outcome
    }

    fn send_one(&self, frames: &Frames) -> io::Result<()> {
        for frame in frames.from(0) {
            send(self.packets.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT)?;
        }
        Ok(())
    }

    fn send_many(&self, frames: &Frames) -> io::Result<()> {
        let (mut at, mut outcome) = (0, Ok(()));
        while at < frames.len() {
            match sys::send_frames(&self.packets, frames, at) {
                Ok(sent) => at += sent.max(1),
                Err(error) => {
                    outcome = Err(error);
                    // This one does not go; those behind it may.
                    at += 1;
                }
            }
        }
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
