//! Adverts to peers by their addresses: raw IP, so that the kernel finds the way.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use vrrp_proto::Advert;
use vrrp_proto::frame::TRAFFIC_CLASS;
use vrrp_proto::id::{IP_PROTOCOL, TTL};

/// A socket of each family, as far as the host has it.
pub(crate) struct UnicastSocket {
    ipv4: Option<Socket>,
    ipv6: Option<Socket>,
}

impl UnicastSocket {
    /// Opens both, bound to the interface. They receive nothing: adverts come over the packet socket.
    pub(crate) fn open(interface: &str) -> io::Result<Self> {
        let open = |domain| -> io::Result<Socket> {
            let socket =
                Socket::new(domain, Type::RAW.nonblocking(), Some(Protocol::from(i32::from(IP_PROTOCOL))))?;
            socket.bind_device(Some(interface.as_bytes()))?;
            // The smallest queue; nobody reads it.
            socket.set_recv_buffer_size(1)?;
            Ok(socket)
        };
        let ipv4 = open(Domain::IPV4)?;
        ipv4.set_ttl_v4(u32::from(TTL))?;
        ipv4.set_header_included_v4(true)?;
        let ipv6 = open(Domain::IPV6)
            .and_then(|socket| {
                socket.set_unicast_hops_v6(u32::from(TTL))?;
                socket.set_tclass_v6(u32::from(TRAFFIC_CLASS))?;
                Ok(socket)
            })
            .ok();
        Ok(Self { ipv4: Some(ipv4), ipv6 })
    }

    pub(crate) fn send(&self, advert: &Advert) -> io::Result<()> {
        let to = SocketAddr::new(advert.destination, 0).into();
        let sent = match (advert.destination, &self.ipv4, &self.ipv6) {
            (IpAddr::V4(_), Some(socket), _) => socket.send_to(&advert.ip_packet(0), &to),
            (IpAddr::V6(_), _, Some(socket)) => socket.send_to(&advert.payload, &to),
            _ => Err(io::ErrorKind::Unsupported.into()),
        };
        sent.map(drop)
    }
}
