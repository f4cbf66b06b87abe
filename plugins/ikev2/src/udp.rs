//! A UDP socket, and the sockets of a port.

use std::io;
use std::net::SocketAddr;

use charon_types::endpoint::Path;
use nix::sys::socket::{setsockopt, sockopt};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tracing::{debug, info};

use crate::lane::{Lane, filter};
use crate::sys;

/// Octets in front of an IKE message on the NAT-T port.
pub(crate) const NON_ESP_MARKER: [u8; 4] = [0; 4];

/// What travels on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// IKE alone.
    Ike,
    /// IKE behind the marker, ESP, keepalives.
    NatT,
}

/// A socket.
pub(crate) struct Udp {
    pub(crate) socket: UdpSocket,
    pub(crate) state: UdpSocketState,
    pub(crate) address: SocketAddr,
    pub(crate) port: Port,
    pub(crate) lane: Lane,
}

impl Udp {
    /// Binds a port: the first socket is that of [`Lane::Known`]. A kernel without filters for groups has no other.
    ///
    /// # Errors
    /// As the system says; also if the port is in use, by whatever socket.
    pub(crate) fn bind_lanes(address: SocketAddr, port: Port, fwmark: u32) -> io::Result<Vec<Self>> {
        let first = Self::bind(address, port, Lane::Known, fwmark)?;
        match first.add_lanes(fwmark) {
            Ok(further) => Ok(std::iter::once(first).chain(further).collect()),
            Err(error) => {
                info!(target: "NET", "strangers share a queue with others on port {}: {error}", first.address.port());
                Ok(vec![first])
            }
        }
    }

    /// The other lanes of a port. Only now may it be shared: a second daemon was refused above.
    fn add_lanes(&self, fwmark: u32) -> io::Result<Vec<Self>> {
        socket2::SockRef::from(&self.socket).set_reuse_port(true)?;
        let further = Lane::FURTHER.map(|lane| Self::bind(self.address, self.port, lane, fwmark));
        let further = further.into_iter().collect::<io::Result<Vec<_>>>()?;
        let marker_len = if self.port == Port::NatT { 4 } else { 0 };
        sys::choose_socket_by(&self.socket, &filter(marker_len))?;
        Ok(further)
    }

    fn bind(address: SocketAddr, port: Port, lane: Lane, fwmark: u32) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM.nonblocking().cloexec(),
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if fwmark != 0 {
            socket.set_mark(fwmark)?;
        }
        // The system's limits hold hardly three batches of ESP, so they are passed where we may. Smaller buffers work as
        // well, only worse under load.
        let buffer_len = lane.socket_buffer_len();
        if setsockopt(&socket, sockopt::RcvBufForce, &buffer_len).is_err() {
            drop(socket.set_recv_buffer_size(buffer_len));
        }
        if setsockopt(&socket, sockopt::SndBufForce, &buffer_len).is_err() {
            drop(socket.set_send_buffer_size(buffer_len));
        }
        if lane != Lane::Known {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        sys::allow_fragments(&socket, address)?;
        if lane != Lane::Known {
            // Nobody looks at the times of arrival; where messages come by the hundred thousand each costs.
            if let Err(error) = setsockopt(&socket, sockopt::ReceiveTimestampns, &false) {
                debug!(target: "NET", "times of arrival stay on: {error}");
            }
        }
        let address = socket.local_addr()?;
        Ok(Self { socket, state, address, port, lane })
    }

    /// Sends what is one datagram, or several of `segment` octets.
    pub(crate) fn send(&self, path: &Path, contents: &[u8], segment: Option<usize>) -> io::Result<()> {
        let most = segment.map_or(contents.len(), |segment| segment * self.state.max_gso_segments());
        for contents in contents.chunks(most.max(1)) {
            let transmit = Transmit {
                destination: path.remote,
                ecn: None,
                contents,
                segment_size: segment,
                src_ip: Some(path.local.ip()),
            };
            self.socket.try_io(Interest::WRITABLE, || {
                self.state.try_send(UdpSockRef::from(&self.socket), &transmit)
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn init(responder: u64, flags: u8, payloads: &[u8]) -> Vec<u8> {
        let mut message = vec![1; 8];
        message.extend_from_slice(&responder.to_be_bytes());
        message.extend_from_slice(&[
            payloads.first().copied().unwrap_or(33),
            0x20,
            34,
            flags,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            28,
        ]);
        message.extend_from_slice(payloads.get(1..).unwrap_or_default());
        message
    }

    /// The lane in which a message comes in.
    async fn lane_of(sockets: &[Udp], message: &[u8]) -> Lane {
        let sender = UdpSocket::bind(ANY).await.unwrap();
        sender.send_to(message, sockets[0].address).await.unwrap();
        for _ in 0..200 {
            for udp in sockets {
                let mut buffer = [0; 200];
                if let Ok(len) = udp.socket.try_recv(&mut buffer) {
                    assert_eq!(&buffer[..len], message);
                    return udp.lane;
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the message did not come");
    }

    #[tokio::test]
    async fn strangers_those_with_a_cookie_and_all_others_have_a_queue_each() {
        const COOKIE: &[u8] = &[41, 33, 0, 0, 9, 0, 0, 0x40, 0x06, 7];
        const OTHER_NOTIFY: &[u8] = &[41, 33, 0, 0, 9, 0, 0, 0x40, 0x2e, 7];
        for (port, marker) in [(Port::Ike, &[][..]), (Port::NatT, &NON_ESP_MARKER[..])] {
            let sockets = Udp::bind_lanes(ANY, port, 0).unwrap();
            assert_eq!(sockets.len(), 3);
            let esp_like_init = [&[9; 4][..], &init(0, 0x08, &[])].concat();
            for (message, lane) in [
                (init(0, 0x08, &[]), Lane::Stranger),
                (init(0, 0x08, OTHER_NOTIFY), Lane::Stranger),
                (init(0, 0x08, COOKIE), Lane::Cookie),
                (init(0, 0x20, &[]), Lane::Known),
                (init(1, 0x08, &[]), Lane::Known),
                (init(1 << 40, 0x08, &[]), Lane::Known),
                (vec![1; 10], Lane::Known),
                (vec![1; 100], Lane::Known),
            ] {
                let message = [marker, &message].concat();
                assert_eq!(lane_of(&sockets, &message).await, lane, "{port:?} {message:?}");
            }
            if port == Port::NatT {
                assert_eq!(lane_of(&sockets, &esp_like_init).await, Lane::Known);
            }
        }
    }

    #[tokio::test]
    async fn a_port_is_not_shared_with_another_daemon() {
        let ours = Udp::bind_lanes(ANY, Port::Ike, 0).unwrap();
        let refused = Udp::bind_lanes(ours[0].address, Port::Ike, 0).map(|sockets| sockets.len());
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
