//! A tunnel with keys from the command line, without IKE: to try and to measure the packet path alone.
//!
//! ```text
//! static_tunnel a 192.0.2.1 192.0.2.2 10.1.0.0/16 10.2.0.0/16 aes128gcm16
//! static_tunnel b 192.0.2.2 192.0.2.1 10.2.0.0/16 10.1.0.0/16 aes128gcm16
//! ```
//!
//! The keys are the same for everybody: never use it for anything but tests.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use charon_core::service::{EspReceiver, IkeSockets, KernelIpsec};
use charon_crypto::ProviderBuilder;
use charon_kernel_libipsec::{LibIpsec, Settings};
use charon_kernel_netlink::{Interfaces, NetlinkNet};
use charon_types::algorithm::{EncryptionId, Esn, IntegrityId};
use charon_types::endpoint::Path;
use charon_types::id::{EspSpi, IfId, Mark, Reqid};
use charon_types::kernel_op::{
    AddSa, Direction, Encap, KernelOp, KernelReply, Mode, Policy, PolicyAction, PolicyClass, PolicyDirection,
    SaKey, SaLimits, SaOptions,
};
use charon_types::proposal::Protocol;
use charon_types::selector::TrafficSelector;
use charon_types::{Secret, selector::SelectorPattern};
use nix::sys::socket::{setsockopt, sockopt};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

const USAGE: &str = "usage: static_tunnel a|b LOCAL REMOTE LOCAL_NET REMOTE_NET [SUITE]";
const PORT: u16 = 4500;
/// Buffers for one receive call: few, so that they stay in the cache.
const BUFFERS: usize = 4;

/// Octets of the socket's buffers. Beyond the system's limits, which hold hardly three batches.
const SOCKET_BUFFER_LEN: usize = 4 << 20;

struct Tunnel {
    role: Role,
    local: IpAddr,
    remote: IpAddr,
    local_net: TrafficSelector,
    remote_net: TrafficSelector,
    suite: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    A,
    B,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let tunnel = parse(&std::env::args().skip(1).collect::<Vec<_>>())?;
    let mut builder = ProviderBuilder::default();
    for algorithm in charon_crypto_aws_lc::algorithms() {
        builder.add(charon_crypto_aws_lc::NAME, algorithm)?;
    }
    let sockets = Sockets::bind(tunnel.local)?;
    let net = Arc::new(NetlinkNet::connect(Interfaces::default(), 220)?);
    let engine = esp_proto::Engine::new(Arc::new(builder.freeze()));
    let ipsec =
        LibIpsec::start(engine, net, Arc::clone(&sockets) as Arc<dyn IkeSockets>, Settings::default())
            .await?;
    for result in ipsec.submit(operations(&tunnel)?).await {
        result?;
    }
    let receiving = tokio::spawn(Arc::clone(&sockets).receive());
    tokio::signal::ctrl_c().await?;
    receiving.abort();
    let (inbound, outbound) = spis(tunnel.role);
    let keys = [(tunnel.local, inbound), (tunnel.remote, outbound)];
    let queries =
        keys.map(|(destination, spi)| KernelOp::QuerySa(SaKey { destination, protocol: Protocol::Esp, spi }));
    for (way, result) in ["in", "out"].into_iter().zip(ipsec.submit(queries.to_vec()).await) {
        if let KernelReply::Usage(usage) = result? {
            eprintln!("{way}: {} octets, {} packets, idle {:?}", usage.bytes, usage.packets, usage.idle);
        }
    }
    for reason in esp_proto::Discard::ALL.into_iter().filter(|reason| ipsec.dropped(*reason) > 0) {
        eprintln!("dropped: {} {reason}", ipsec.dropped(reason));
    }
    ipsec.stop().await;
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Tunnel, Box<dyn Error>> {
    let [role, local, remote, local_net, remote_net, suite @ ..] = arguments else {
        return Err(USAGE.into());
    };
    let net = |text: &str| match text.parse()? {
        SelectorPattern::Fixed(selector) => Ok(selector),
        SelectorPattern::Dynamic { .. } => Err::<_, Box<dyn Error>>(USAGE.into()),
    };
    Ok(Tunnel {
        role: if role == "a" { Role::A } else { Role::B },
        local: local.parse()?,
        remote: remote.parse()?,
        local_net: net(local_net)?,
        remote_net: net(remote_net)?,
        suite: suite.first().map_or("aes128gcm16", String::as_str).to_owned(),
    })
}

/// Inbound and outbound SPI.
fn spis(role: Role) -> (EspSpi, EspSpi) {
    let spi = |number| EspSpi(NonZeroU32::new(number).expect("a constant"));
    let (a, b) = (spi(0xc000_000a), spi(0xc000_000b));
    if role == Role::A { (a, b) } else { (b, a) }
}

fn operations(tunnel: &Tunnel) -> Result<Vec<KernelOp>, Box<dyn Error>> {
    let (inbound, outbound) = spis(tunnel.role);
    let sa = |direction, spi| {
        let (us, peer) = (SocketAddr::new(tunnel.local, PORT), SocketAddr::new(tunnel.remote, PORT));
        let (source, destination, from, to) = match direction {
            Direction::Inbound => (peer, us, tunnel.remote_net, tunnel.local_net),
            Direction::Outbound => (us, peer, tunnel.local_net, tunnel.remote_net),
        };
        let key = |len: usize| Secret::from(vec![0x5a; len]);
        let (encryption, integrity) = match tunnel.suite.as_str() {
            "aes128gcm16" => ((EncryptionId::AES_GCM_16, key(20)), None),
            "aes256gcm16" => ((EncryptionId::AES_GCM_16, key(36)), None),
            "chacha20poly1305" => ((EncryptionId::CHACHA20_POLY1305, key(36)), None),
            "aes128-sha256" => {
                ((EncryptionId::AES_CBC, key(16)), Some((IntegrityId::HMAC_SHA2_256_128, key(32))))
            }
            "null-sha256" => ((EncryptionId::NULL, key(0)), Some((IntegrityId::HMAC_SHA2_256_128, key(32)))),
            other => return Err(format!("{other} is no suite")),
        };
        Ok(KernelOp::AddSa(Box::new(AddSa {
            source,
            destination,
            protocol: Protocol::Esp,
            spi,
            direction,
            mode: Mode::Tunnel,
            reqid: Reqid(NonZeroU32::MIN),
            encryption: Some(encryption),
            integrity,
            encap: Encap::Udp,
            esn: Esn::Disabled,
            replay_window: 32,
            limits: SaLimits::default(),
            source_ts: vec![from],
            destination_ts: vec![to],
            mark: Mark::default(),
            if_id: IfId(0),
            options: SaOptions::default(),
        })))
    };
    let policy = KernelOp::AddPolicy(Box::new(Policy {
        direction: PolicyDirection::Out,
        source: tunnel.local_net,
        destination: tunnel.remote_net,
        action: PolicyAction::Protect {
            source: tunnel.local,
            destination: tunnel.remote,
            protocol: Protocol::Esp,
            mode: Mode::Tunnel,
            reqid: Reqid(NonZeroU32::MIN),
            spi: None,
        },
        priority: 0,
        mark: Mark::default(),
        if_id: IfId(0),
        interface: None,
        class: PolicyClass::Regular,
    }));
    Ok(vec![sa(Direction::Inbound, inbound)?, sa(Direction::Outbound, outbound)?, policy])
}

/// One UDP socket that carries nothing but ESP.
struct Sockets {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    receiver: OnceLock<Arc<dyn EspReceiver>>,
}

impl Sockets {
    fn bind(local: IpAddr) -> io::Result<Arc<Self>> {
        let local = SocketAddr::new(local, PORT);
        let socket = std::net::UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        setsockopt(&socket, sockopt::SndBufForce, &SOCKET_BUFFER_LEN)?;
        setsockopt(&socket, sockopt::RcvBufForce, &SOCKET_BUFFER_LEN)?;
        Ok(Arc::new(Self { socket, state, local, receiver: OnceLock::new() }))
    }

    async fn receive(self: Arc<Self>) {
        let mut buffers = vec![vec![0; 65_535]; BUFFERS];
        let mut rounds = 0_u32;
        while let Some(receiver) = self.receiver.get() {
            let mut metas = [RecvMeta::default(); BUFFERS];
            let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
            let received = self.socket.try_io(Interest::READABLE, || {
                self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas)
            });
            match received {
                Ok(count) => {
                    for (buffer, meta) in buffers.iter_mut().zip(metas.iter().take(count)) {
                        let path = Path { local: self.local, remote: meta.addr };
                        receiver.receive(path, &mut buffer[..meta.len], meta.stride);
                    }
                    rounds += 1;
                    if rounds.is_multiple_of(32) {
                        receiver.flush();
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    receiver.flush();
                    if self.socket.readable().await.is_err() {
                        return;
                    }
                }
                // ICMP errors for packets sent before the peer was there.
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }
}

impl IkeSockets for Sockets {
    fn attach_esp(&self, receiver: Arc<dyn EspReceiver>) {
        // A second receiver is not attached: this socket serves one tunnel.
        let _ = self.receiver.set(receiver);
    }

    fn send_esp(&self, path: Path, datagrams: &[u8], segment: usize) -> io::Result<()> {
        let transmit = Transmit {
            destination: path.remote,
            ecn: None,
            contents: datagrams,
            segment_size: Some(segment),
            src_ip: None,
        };
        self.socket
            .try_io(Interest::WRITABLE, || self.state.try_send(UdpSockRef::from(&self.socket), &transmit))
    }
}
