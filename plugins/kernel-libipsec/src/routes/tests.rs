use std::num::NonZeroU32;

use charon_kernel_null::NullNet;
use charon_types::id::{IfId, Mark, Reqid};
use charon_types::kernel_op::{Mode, PolicyClass, PolicyDirection};
use charon_types::proposal::Protocol;

use super::*;

const PEER: &str = "192.0.2.2";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> TrafficSelector {
    let (network, prefix) = text.split_once('/').unwrap();
    TrafficSelector::subnet(address(network), prefix.parse().unwrap())
}

fn policy(local: &str, remote: &str) -> Policy {
    Policy {
        class: PolicyClass::Regular,
        direction: PolicyDirection::Out,
        source: net(local),
        destination: net(remote),
        action: PolicyAction::Protect {
            source: address("192.0.2.1"),
            destination: address(PEER),
            protocol: Protocol::Esp,
            mode: Mode::Tunnel,
            reqid: Reqid(NonZeroU32::MIN),
            spi: None,
        },
        priority: 0,
        mark: Mark::default(),
        if_id: IfId(0),
        interface: None,
    }
}

/// A gateway: 192.0.2.1/24 on e0, 10.1.0.1/16 on e1.
async fn gateway(settings: Settings) -> (Arc<NullNet>, Routes) {
    let host = Arc::new(NullNet::new());
    for (name, inside) in [("e0", "192.0.2.1"), ("e1", "10.1.0.1")] {
        let index = host.add_link(name);
        host.set_link_up(index, None).await.unwrap();
        host.add_address(index, address(inside), 16).await.unwrap();
    }
    let device = host.add_link("ipsec0");
    host.set_link_up(device, Some(1400)).await.unwrap();
    let shared: Arc<dyn KernelNet> = Arc::clone(&host) as _;
    (host, Routes::new(shared, settings, device))
}

fn installed(host: &NullNet) -> Vec<((IpAddr, u8), Option<IpAddr>)> {
    host.routes().into_iter().map(|route| (route.destination, route.source)).collect()
}

#[tokio::test]
async fn the_source_is_our_address_inside_the_local_selector() {
    let (host, mut routes) = gateway(Settings::default()).await;
    routes.add(&policy("10.1.0.0/16", "10.2.0.0/16")).await.unwrap();
    assert_eq!(installed(&host), [((address("10.2.0.0"), 16), Some(address("10.1.0.1")))]);
    assert_eq!(host.routes()[0].table, 220);
}

#[tokio::test]
async fn without_such_an_address_the_route_has_no_source() {
    let (host, mut routes) = gateway(Settings::default()).await;
    routes.add(&policy("10.7.0.0/16", "10.2.0.0/16")).await.unwrap();
    assert_eq!(installed(&host), [((address("10.2.0.0"), 16), None)]);
}

#[tokio::test]
async fn policies_to_one_destination_share_a_route_until_the_last_goes() {
    let (host, mut routes) = gateway(Settings::default()).await;
    let (first, second) = (policy("10.7.0.0/16", "10.2.0.0/16"), policy("10.1.0.0/16", "10.2.0.0/16"));
    routes.add(&first).await.unwrap();
    routes.add(&second).await.unwrap();
    assert_eq!(installed(&host).len(), 1);
    routes.remove(&first).await.unwrap();
    assert_eq!(installed(&host), [((address("10.2.0.0"), 16), Some(address("10.1.0.1")))]);
    routes.remove(&second).await.unwrap();
    assert_eq!(installed(&host), []);
    assert_eq!(routes.remove(&second).await, Err(KernelError::NotFound));
}

#[tokio::test]
async fn a_peer_inside_the_remote_selector_is_reached_beside_the_tunnel() {
    let (host, mut routes) = gateway(Settings::default()).await;
    let everything = policy("10.1.0.0/16", "0.0.0.0/0");
    routes.add(&everything).await.unwrap();
    let around = ((address(PEER), 32), Some(address("192.0.2.1")));
    let through = ((address("0.0.0.0"), 0), Some(address("10.1.0.1")));
    assert_eq!(installed(&host), [around, through]);
    routes.remove(&everything).await.unwrap();
    assert_eq!(installed(&host), []);
}

#[tokio::test]
async fn the_peer_itself_is_no_remote_selector_unless_allowed() {
    let (host, mut routes) = gateway(Settings::default()).await;
    let refused = routes.add(&policy("192.0.2.1/32", "192.0.2.2/32")).await;
    assert_eq!(refused, Err(KernelError::Unsupported("a remote selector that is the peer itself")));
    assert_eq!(installed(&host), []);
    let allowing = Settings { peer_selector: PeerSelector::Allow, ..Settings::default() };
    let (host, mut routes) = gateway(allowing).await;
    routes.add(&policy("192.0.2.1/32", "192.0.2.2/32")).await.unwrap();
    assert_eq!(installed(&host), [((address(PEER), 32), Some(address("192.0.2.1")))]);
}

#[tokio::test]
async fn a_route_follows_the_addresses_and_all_go_at_the_end() {
    let (host, routes) = gateway(Settings::default()).await;
    let (sender, requests) = mpsc::channel(DEPTH);
    let task = tokio::spawn(routes.run(requests));
    let (done, answer) = oneshot::channel();
    let policy = Box::new(policy("10.7.0.0/16", "10.2.0.0/16"));
    sender.send(Request::Add(policy, done)).await.unwrap();
    answer.await.unwrap().unwrap();
    let e1 = host.interface("e1").await.unwrap();
    host.add_address(e1, address("10.7.0.9"), 32).await.unwrap();
    for _ in 0..100 {
        if installed(&host)[0].1.is_some() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(installed(&host), [((address("10.2.0.0"), 16), Some(address("10.7.0.9")))]);
    let (done, answer) = oneshot::channel();
    sender.send(Request::RemoveAll(done)).await.unwrap();
    answer.await.unwrap();
    assert_eq!(installed(&host), []);
    task.await.unwrap();
}
