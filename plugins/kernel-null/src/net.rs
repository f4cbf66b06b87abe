//! Addresses, routes, rules and links in memory.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use charon_core::service::kernel_net::{InterfaceAddress, InterfaceIndex, NetEvent, NextHop, Route, Rule};
use charon_core::service::{BoxFuture, KernelNet};
use charon_types::kernel_op::KernelError;
use parking_lot::Mutex;
use tokio::sync::mpsc;

/// Events that a watcher may leave unread.
const WATCH_DEPTH: usize = 64;

#[derive(Clone)]
struct Link {
    name: String,
    up: bool,
    mtu: u32,
}

#[derive(Default)]
struct State {
    links: Vec<Link>,
    addresses: Vec<InterfaceAddress>,
    routes: Vec<Route>,
    rules: Vec<Rule>,
    watchers: Vec<Watcher>,
}

struct Watcher {
    events: mpsc::Sender<NetEvent>,
    missed: bool,
}

/// A host's network in memory. Starts with `lo` alone, which has 127.0.0.1 and ::1.
pub struct NullNet {
    state: Mutex<State>,
}

impl Default for NullNet {
    fn default() -> Self {
        Self::new()
    }
}

impl NullNet {
    /// A host with nothing but `lo`.
    #[must_use]
    pub fn new() -> Self {
        let net = Self { state: Mutex::default() };
        let lo = net.add_link("lo");
        let mut state = net.state.lock();
        state.link_mut(lo).expect("just added").up = true;
        for (address, prefix) in [(IpAddr::V4(Ipv4Addr::LOCALHOST), 8), (Ipv6Addr::LOCALHOST.into(), 128)] {
            state.addresses.push(InterfaceAddress { index: lo, name: "lo".into(), address, prefix });
        }
        drop(state);
        net
    }

    /// A further link, down, with MTU 1500. Indices count from 1.
    pub fn add_link(&self, name: &str) -> InterfaceIndex {
        let mut state = self.state.lock();
        state.links.push(Link { name: name.to_owned(), up: false, mtu: 1500 });
        InterfaceIndex(u32::try_from(state.links.len()).expect("fewer links than a u32 counts"))
    }

    /// Whether the link is up, and its MTU.
    #[must_use]
    pub fn link(&self, index: InterfaceIndex) -> Option<(LinkState, u32)> {
        let mut state = self.state.lock();
        let link = state.link_mut(index).ok()?;
        Some((if link.up { LinkState::Up } else { LinkState::Down }, link.mtu))
    }

    /// Every route, in the order added.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        self.state.lock().routes.clone()
    }

    /// Every rule, in the order added.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        self.state.lock().rules.clone()
    }
}

/// Whether a link is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Up.
    Up,
    /// Down.
    Down,
}

impl KernelNet for NullNet {
    fn name(&self) -> &'static str {
        "kernel-null"
    }

    fn addresses(&self) -> BoxFuture<'_, Result<Vec<InterfaceAddress>, KernelError>> {
        let mut state = self.state.lock();
        let all = state.addresses.clone();
        ready(Ok(all
            .into_iter()
            .filter(|held| state.link_mut(held.index).is_ok_and(|link| link.up))
            .collect()))
    }

    fn next_hop(
        &self,
        remote: IpAddr,
        source: Option<IpAddr>,
    ) -> BoxFuture<'_, Result<NextHop, KernelError>> {
        ready(self.state.lock().next_hop(remote, source))
    }

    fn interface(&self, name: &str) -> BoxFuture<'_, Result<InterfaceIndex, KernelError>> {
        let state = self.state.lock();
        let at = state.links.iter().position(|link| link.name == name);
        let index = at.and_then(|at| u32::try_from(at.checked_add(1)?).ok());
        ready(index.map(InterfaceIndex).ok_or(KernelError::NotFound))
    }

    fn set_link_up(&self, index: InterfaceIndex, mtu: Option<u32>) -> BoxFuture<'_, Result<(), KernelError>> {
        let mut state = self.state.lock();
        let result = state.link_mut(index).map(|link| {
            link.up = true;
            link.mtu = mtu.unwrap_or(link.mtu);
        });
        if result.is_ok() {
            state.tell(&NetEvent::LinkChanged(index));
        }
        ready(result)
    }

    fn add_address(
        &self,
        index: InterfaceIndex,
        address: IpAddr,
        prefix: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>> {
        ready(self.state.lock().add_address(index, address, prefix))
    }

    fn remove_address(
        &self,
        index: InterfaceIndex,
        address: IpAddr,
        prefix: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>> {
        let mut state = self.state.lock();
        let at = state
            .addresses
            .iter()
            .position(|held| (held.index, held.address, held.prefix) == (index, address, prefix));
        let result = at.map(|at| state.addresses.remove(at)).ok_or(KernelError::NotFound);
        ready(result.map(|removed| state.tell(&NetEvent::AddressRemoved(removed))))
    }

    fn add_route(&self, route: Route) -> BoxFuture<'_, Result<(), KernelError>> {
        let mut state = self.state.lock();
        if let Err(error) = state.link_mut(route.interface) {
            return ready(Err(error));
        }
        state.routes.retain(|held| (held.destination, held.table) != (route.destination, route.table));
        state.routes.push(route);
        state.tell(&NetEvent::RoutesChanged);
        ready(Ok(()))
    }

    fn remove_route(&self, route: Route) -> BoxFuture<'_, Result<(), KernelError>> {
        let mut state = self.state.lock();
        let at = state
            .routes
            .iter()
            .position(|held| (held.destination, held.table) == (route.destination, route.table));
        let result = at.map(|at| state.routes.remove(at)).ok_or(KernelError::NotFound);
        ready(result.map(|_| state.tell(&NetEvent::RoutesChanged)))
    }

    fn flush_table(&self, table: u32) -> BoxFuture<'_, Result<(), KernelError>> {
        let mut state = self.state.lock();
        state.routes.retain(|route| route.table != table);
        state.tell(&NetEvent::RoutesChanged);
        ready(Ok(()))
    }

    fn add_rule(&self, rule: Rule) -> BoxFuture<'_, Result<(), KernelError>> {
        let mut state = self.state.lock();
        if !state.rules.contains(&rule) {
            state.rules.push(rule);
        }
        ready(Ok(()))
    }

    fn remove_rule(&self, rule: Rule) -> BoxFuture<'_, Result<(), KernelError>> {
        let mut state = self.state.lock();
        let before = state.rules.len();
        state.rules.retain(|held| *held != rule);
        ready(if state.rules.len() < before { Ok(()) } else { Err(KernelError::NotFound) })
    }

    fn watch(&self) -> mpsc::Receiver<NetEvent> {
        let (sender, receiver) = mpsc::channel(WATCH_DEPTH);
        self.state.lock().watchers.push(Watcher { events: sender, missed: false });
        receiver
    }
}

impl State {
    fn link_mut(&mut self, index: InterfaceIndex) -> Result<&mut Link, KernelError> {
        let at = usize::try_from(index.0).ok().and_then(|index| index.checked_sub(1));
        at.and_then(|at| self.links.get_mut(at)).ok_or(KernelError::NotFound)
    }

    fn add_address(&mut self, index: InterfaceIndex, address: IpAddr, prefix: u8) -> Result<(), KernelError> {
        let name = self.link_mut(index)?.name.clone();
        if self.addresses.iter().any(|held| (held.index, held.address) == (index, address)) {
            return Err(KernelError::Exists);
        }
        let added = InterfaceAddress { index, name, address, prefix };
        self.addresses.push(added.clone());
        self.tell(&NetEvent::AddressAdded(added));
        Ok(())
    }

    /// By the subnets of the addresses, then by the routes of table 254 (main); the longest prefix wins.
    fn next_hop(&self, remote: IpAddr, source: Option<IpAddr>) -> Result<NextHop, KernelError> {
        let within = |address: IpAddr, prefix: u8| {
            charon_types::selector::TrafficSelector::subnet(address, prefix).contains_address(remote)
        };
        let suits = |candidate: IpAddr| source.is_none_or(|wanted| wanted == candidate);
        let on_link = self
            .addresses
            .iter()
            .filter(|held| within(held.address, held.prefix) && suits(held.address))
            .max_by_key(|held| held.prefix);
        if let Some(held) = on_link {
            return Ok(NextHop { source: held.address, gateway: None, interface: held.index });
        }
        let mut routes: Vec<_> = self
            .routes
            .iter()
            .filter(|route| route.table == 254 && within(route.destination.0, route.destination.1))
            .collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.destination.1));
        for route in routes {
            let of_interface = self
                .addresses
                .iter()
                .filter(|held| held.index == route.interface && held.address.is_ipv4() == remote.is_ipv4());
            let mut sources = route.source.into_iter().chain(of_interface.map(|held| held.address));
            if let Some(source) = sources.find(|candidate| suits(*candidate)) {
                return Ok(NextHop { source, gateway: route.gateway, interface: route.interface });
            }
        }
        Err(KernelError::Unreachable(remote))
    }

    /// A watcher that reads too slowly misses events, but hears afterwards that it has to look again.
    fn tell(&mut self, event: &NetEvent) {
        self.watchers.retain_mut(|watcher| {
            if watcher.missed && watcher.events.try_send(NetEvent::RoutesChanged).is_ok() {
                watcher.missed = false;
            }
            match watcher.events.try_send(event.clone()) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    watcher.missed = true;
                    true
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            }
        });
    }
}

fn ready<T: Send + 'static>(result: Result<T, KernelError>) -> BoxFuture<'static, Result<T, KernelError>> {
    Box::pin(std::future::ready(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    async fn host() -> (NullNet, InterfaceIndex) {
        let net = NullNet::new();
        let e0 = net.add_link("e0");
        net.set_link_up(e0, Some(1400)).await.unwrap();
        net.add_address(e0, address("192.0.2.1"), 24).await.unwrap();
        (net, e0)
    }

    fn route(destination: &str, prefix: u8, interface: InterfaceIndex, table: u32) -> Route {
        let gateway = Some(address("192.0.2.254"));
        Route { destination: (address(destination), prefix), interface, gateway, source: None, table }
    }

    #[tokio::test]
    async fn addresses_of_links_that_are_down_are_not_listed() {
        let (net, _) = host().await;
        let e1 = net.add_link("e1");
        net.add_address(e1, address("198.51.100.1"), 24).await.unwrap();
        let listed: Vec<_> = net.addresses().await.unwrap().into_iter().map(|held| held.address).collect();
        assert_eq!(listed, [address("127.0.0.1"), address("::1"), address("192.0.2.1")]);
    }

    #[tokio::test]
    async fn the_next_hop_ignores_other_tables() {
        let (net, e0) = host().await;
        net.add_route(route("203.0.113.0", 24, e0, 220)).await.unwrap();
        let lost = net.next_hop(address("203.0.113.9"), None).await;
        assert_eq!(lost, Err(KernelError::Unreachable(address("203.0.113.9"))));
        net.add_route(route("0.0.0.0", 0, e0, 254)).await.unwrap();
        let hop = net.next_hop(address("203.0.113.9"), None).await.unwrap();
        assert_eq!((hop.source, hop.gateway), (address("192.0.2.1"), Some(address("192.0.2.254"))));
        assert!(net.next_hop(address("203.0.113.9"), Some(address("192.0.2.7"))).await.is_err());
    }

    #[tokio::test]
    async fn a_table_is_flushed_without_touching_others() {
        let (net, e0) = host().await;
        net.add_route(route("10.0.0.0", 8, e0, 220)).await.unwrap();
        net.add_route(route("0.0.0.0", 0, e0, 254)).await.unwrap();
        net.flush_table(220).await.unwrap();
        assert_eq!(net.routes(), [route("0.0.0.0", 0, e0, 254)]);
        assert_eq!(net.remove_route(route("10.0.0.0", 8, e0, 220)).await, Err(KernelError::NotFound));
    }

    #[tokio::test]
    async fn watchers_hear_of_addresses_that_come_and_go() {
        let (net, e0) = host().await;
        let mut events = net.watch();
        net.add_address(e0, address("192.0.2.11"), 24).await.unwrap();
        assert_eq!(net.add_address(e0, address("192.0.2.11"), 24).await, Err(KernelError::Exists));
        net.remove_address(e0, address("192.0.2.11"), 24).await.unwrap();
        let held =
            InterfaceAddress { index: e0, name: "e0".into(), address: address("192.0.2.11"), prefix: 24 };
        assert_eq!(events.recv().await, Some(NetEvent::AddressAdded(held.clone())));
        assert_eq!(events.recv().await, Some(NetEvent::AddressRemoved(held)));
    }

    #[tokio::test]
    async fn links_are_found_by_name_and_keep_their_mtu() {
        let (net, e0) = host().await;
        assert_eq!(net.interface("e0").await, Ok(e0));
        assert_eq!(net.interface("e9").await, Err(KernelError::NotFound));
        assert_eq!(net.link(e0), Some((LinkState::Up, 1400)));
        assert_eq!(net.set_link_up(InterfaceIndex(9), None).await, Err(KernelError::NotFound));
    }
}
