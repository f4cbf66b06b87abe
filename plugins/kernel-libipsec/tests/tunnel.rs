//! Two hosts in network namespaces of their own, a tunnel between them, TCP and UDP through it. Needs root and /dev/net/tun.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket as UdpServer};
use std::num::NonZeroU32;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use charon_core::service::{EspReceiver, IkeSockets, KernelIpsec};
use charon_crypto::{CryptoProvider, ProviderBuilder};
use charon_kernel_libipsec::{LibIpsec, Settings};
use charon_kernel_netlink::{Interfaces, NetlinkNet};
use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, Esn};
use charon_types::endpoint::Path;
use charon_types::id::{EspSpi, IfId, Mark, Reqid};
use charon_types::kernel_op::{
    AddSa, Direction, Encap, KernelOp, KernelReply, Mode, Policy, PolicyAction, PolicyClass, PolicyDirection,
    SaKey, SaLimits, SaOptions, SaUsage,
};
use charon_types::proposal::Protocol;
use charon_types::selector::TrafficSelector;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;
use tokio::net::UdpSocket;

/// Octets sent each way: many large packets.
const VOLUME: usize = 3 << 20;
/// Datagrams sent in a burst, few enough for every queue on the way.
const DATAGRAMS: u8 = 40;
const MOON: usize = 0;
const SUN: usize = 1;

/// The two hosts' outer and inner addresses.
#[derive(Clone, Copy)]
struct Plan {
    outer: [&'static str; 2],
    inner: [&'static str; 2],
}

const OVER_IPV4: Plan = Plan { outer: ["192.0.2.1", "192.0.2.2"], inner: ["10.1.0.1", "10.2.0.1"] };
const SIX_OVER_SIX: Plan =
    Plan { outer: ["2001:db8::1", "2001:db8::2"], inner: ["2001:db8:1::1", "2001:db8:2::1"] };

/// A UDP socket that sends and receives ESP packets one by one: a system without segmentation offload.
struct OneByOne {
    socket: UdpSocket,
    receiver: OnceLock<Arc<dyn EspReceiver>>,
}

impl IkeSockets for OneByOne {
    fn attach_esp(&self, receiver: Arc<dyn EspReceiver>) {
        assert!(self.receiver.set(receiver).is_ok(), "attached once");
    }

    fn send_esp(&self, path: Path, datagrams: &[u8], segment: usize) -> io::Result<()> {
        for datagram in datagrams.chunks(segment) {
            self.socket.try_send_to(datagram, path.remote)?;
        }
        Ok(())
    }
}

impl OneByOne {
    async fn receive(self: Arc<Self>) {
        let local = self.socket.local_addr().unwrap();
        let mut buffer = vec![0; 65_535];
        loop {
            self.socket.readable().await.unwrap();
            let receiver = self.receiver.get().expect("attached before anything is received");
            while let Ok((len, remote)) = self.socket.try_recv_from(&mut buffer) {
                receiver.receive(Path { local, remote }, &mut buffer[..len], len);
            }
            receiver.flush();
        }
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn shown(arguments: &str) -> String {
    String::from_utf8(Command::new("ip").args(arguments.split(' ')).output().unwrap().stdout).unwrap()
}

fn provider() -> Arc<CryptoProvider> {
    let mut builder = ProviderBuilder::default();
    for algorithm in charon_crypto_aws_lc::algorithms() {
        builder.add(charon_crypto_aws_lc::NAME, algorithm).unwrap();
    }
    Arc::new(builder.freeze())
}

fn spi(of: usize) -> EspSpi {
    EspSpi(NonZeroU32::new(0xc000_0000 + u32::try_from(of).unwrap()).unwrap())
}

fn key(plan: Plan, to: usize) -> SaKey {
    SaKey { destination: address(plan.outer[to]), protocol: Protocol::Esp, spi: spi(to) }
}

fn sa(plan: Plan, from: usize, to: usize, direction: Direction) -> KernelOp {
    KernelOp::AddSa(Box::new(AddSa {
        source: SocketAddr::new(address(plan.outer[from]), 4500),
        destination: SocketAddr::new(address(plan.outer[to]), 4500),
        protocol: Protocol::Esp,
        spi: spi(to),
        direction,
        mode: Mode::Tunnel,
        reqid: Reqid(NonZeroU32::MIN),
        encryption: Some((EncryptionId::AES_GCM_16, Secret::copy_from(&[7; 20]))),
        integrity: None,
        encap: Encap::Udp,
        esn: Esn::Enabled,
        replay_window: 32,
        limits: SaLimits::default(),
        source_ts: vec![TrafficSelector::host(address(plan.inner[from]))],
        destination_ts: vec![TrafficSelector::host(address(plan.inner[to]))],
        mark: Mark::default(),
        if_id: IfId(0),
        options: SaOptions::default(),
    }))
}

fn policy(plan: Plan, us: usize, peer: usize) -> Box<Policy> {
    Box::new(Policy {
        direction: PolicyDirection::Out,
        source: TrafficSelector::host(address(plan.inner[us])),
        destination: TrafficSelector::host(address(plan.inner[peer])),
        action: PolicyAction::Protect {
            source: address(plan.outer[us]),
            destination: address(plan.outer[peer]),
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
    })
}

/// One host: its thread lives in its own namespace. `link` exchanges thread ids and readiness with the other.
fn host(plan: Plan, us: usize, link: &(Sender<i32>, Receiver<i32>)) {
    unshare(CloneFlags::CLONE_NEWNET).expect("root may make a network namespace");
    link.0.send(gettid().as_raw()).unwrap();
    let other = link.1.recv().unwrap();
    ip("link set lo up");
    if us == MOON {
        ip("link add e0 type veth peer name e1");
        ip(&format!("link set e1 netns {other}"));
        ip("link set e0 name wire");
        link.0.send(0).unwrap();
    } else {
        link.1.recv().unwrap();
        ip("link set e1 name wire");
    }
    let [bits, host_bits] = if plan.outer[us].contains(':') { ["64", "128"] } else { ["24", "32"] };
    let nodad = if bits == "64" { " nodad" } else { "" };
    ip(&format!("addr add {}/{bits} dev wire{nodad}", plan.outer[us]));
    ip(&format!("addr add {}/{host_bits} dev lo{nodad}", plan.inner[us]));
    ip("link set wire up");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let peer = 1 - us;
    let (sockets, ipsec) = runtime.block_on(async {
        let socket = UdpSocket::bind((address(plan.outer[us]), 4500)).await.unwrap();
        let sockets = Arc::new(OneByOne { socket, receiver: OnceLock::new() });
        let net = Arc::new(NetlinkNet::connect(Interfaces::default(), 220).unwrap());
        let engine = esp_proto::Engine::new(provider());
        let shared = Arc::clone(&sockets) as Arc<dyn IkeSockets>;
        let ipsec = LibIpsec::start(engine, net, shared, Settings::default()).await.unwrap();
        let ops = vec![
            sa(plan, peer, us, Direction::Inbound),
            sa(plan, us, peer, Direction::Outbound),
            KernelOp::AddPolicy(policy(plan, us, peer)),
        ];
        for result in ipsec.submit(ops).await {
            assert_eq!(result, Ok(KernelReply::Done));
        }
        (sockets, ipsec)
    });
    let family = if bits == "64" { "-6 " } else { "" };
    assert!(shown(&format!("{family}route show table 220")).contains("dev ipsec0"));
    assert!(shown(&format!("{family}rule show")).contains("220:\tfrom all lookup 220"));

    // The other thread's work, TCP with blocking calls, happens in this namespace as well.
    let listener = (us == SUN).then(|| TcpListener::bind((address(plan.inner[SUN]), 5001)).unwrap());
    link.0.send(0).unwrap();
    link.1.recv().unwrap();
    let application = std::thread::spawn(move || match listener {
        Some(listener) => echo(&listener),
        None => converse(SocketAddr::new(address(plan.inner[SUN]), 5001)),
    });
    runtime.block_on(async {
        let receiving = tokio::spawn(sockets.receive());
        while !application.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The last acknowledgements are still under way.
        tokio::time::sleep(Duration::from_millis(100)).await;
        receiving.abort();
        let queries = [us, peer].map(|to| KernelOp::QuerySa(key(plan, to)));
        for result in ipsec.submit(queries.to_vec()).await {
            let Ok(KernelReply::Usage(SaUsage { bytes, packets, idle })) = result else {
                panic!("{result:?}")
            };
            assert!(bytes > u64::try_from(VOLUME).unwrap() && packets > 1000 && idle.is_some());
        }
        let removed = ipsec.submit(vec![KernelOp::DeletePolicy(policy(plan, us, peer))]).await;
        assert_eq!(removed, [Ok(KernelReply::Done)]);
        assert_eq!(shown(&format!("{family}route show table 220")), "");
        ipsec.stop().await;
    });
    application.join().expect("the octets came through");
    assert!(!shown(&format!("{family}rule show")).contains("220"));
    // A process that the other test starts just now has the device open, too, until it runs its program.
    let gone = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        !shown("link show").contains("ipsec0")
    });
    assert!(gone, "the device went");
    drop(ipsec);
}

/// Answers with the same octets.
fn echo(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut octets = vec![0; VOLUME];
    stream.read_exact(&mut octets).unwrap();
    stream.write_all(&octets).unwrap();
    let server = UdpServer::bind(listener.local_addr().unwrap()).unwrap();
    stream.write_all(b"!").unwrap();
    let mut datagram = [0; 2000];
    for _ in 0..DATAGRAMS {
        let (len, from) = server.recv_from(&mut datagram).unwrap();
        server.send_to(&datagram[..len], from).unwrap();
    }
    // Wait for the other side to close.
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

fn converse(server: SocketAddr) {
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_secs(10)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let octets: Vec<u8> = (0..=250).cycle().take(VOLUME).collect();
    stream.write_all(&octets).unwrap();
    let mut answer = vec![0; VOLUME];
    stream.read_exact(&mut answer).unwrap();
    assert!(octets == answer, "every octet comes back as it was sent");
    stream.read_exact(&mut [0; 1]).unwrap();
    let local = SocketAddr::new(stream.local_addr().unwrap().ip(), 0);
    let socket = UdpServer::bind(local).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for number in 0..DATAGRAMS {
        socket.send(&[number; 1200]).unwrap();
    }
    let mut datagram = [0; 2000];
    for number in 0..DATAGRAMS {
        let len = socket.recv(&mut datagram).expect("a datagram comes back");
        assert_eq!(datagram[..len], [number; 1200], "each by itself and in order");
    }
}

fn run(plan: Plan) {
    let (to_sun, from_moon) = channel();
    let (to_moon, from_sun) = channel();
    let moon = std::thread::spawn(move || host(plan, MOON, &(to_sun, from_sun)));
    let sun = std::thread::spawn(move || host(plan, SUN, &(to_moon, from_moon)));
    moon.join().expect("moon");
    sun.join().expect("sun");
}

#[test]
fn packets_pass_both_ways_over_ipv4_and_everything_is_removed_afterwards() {
    run(OVER_IPV4);
}

#[test]
fn packets_pass_both_ways_over_ipv6() {
    run(SIX_OVER_SIX);
}
