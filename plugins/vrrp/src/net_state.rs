//! Links and addresses as they are, for all who watch them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use charon_core::service::KernelLinks;
use charon_core::service::kernel_links::{Carrier, Link, LinkAddress, LinksChange, Readiness};
use charon_core::service::kernel_net::InterfaceIndex;
use charon_types::kernel_op::KernelError;
use charon_types::vrouter::VirtualAddress;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::warn;

/// `RTPROT` and `IFA_PROTO` of everything that we put into the kernel; the number of VRRP.
pub(crate) const OUR_PROTOCOL: u8 = 112;
/// Between attempts to list everything.
const RETRY: Duration = Duration::from_millis(500);

/// Links and addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct NetState {
    links: HashMap<InterfaceIndex, Link>,
    by_name: HashMap<String, InterfaceIndex>,
    addresses: HashMap<InterfaceIndex, Vec<LinkAddress>>,
    /// Counts changes of each link and of its addresses.
    revisions: HashMap<InterfaceIndex, u64>,
    /// Counts changes of routes.
    pub(crate) routes: u64,
}

impl NetState {
    pub(crate) fn link(&self, name: &str) -> Option<&Link> {
        self.links.get(self.by_name.get(name)?)
    }

    pub(crate) fn link_at(&self, index: InterfaceIndex) -> Option<&Link> {
        self.links.get(&index)
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    pub(crate) fn is_running(&self, name: &str) -> bool {
        self.link(name).is_some_and(|link| link.carrier == Carrier::Running)
    }

    /// Addresses of a link, in the kernel's order.
    pub(crate) fn addresses(&self, index: InterfaceIndex) -> &[LinkAddress] {
        self.addresses.get(&index).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn all_addresses(&self) -> impl Iterator<Item = &LinkAddress> {
        self.addresses.values().flatten()
    }

    /// Differs from what it was if the link or its addresses may have changed.
    pub(crate) fn revision(&self, index: InterfaceIndex) -> u64 {
        self.revisions.get(&index).copied().unwrap_or(0)
    }

    fn touch(&mut self, index: InterfaceIndex) {
        self.revisions.entry(index).and_modify(|count| *count += 1).or_insert(1);
    }

    pub(crate) fn holds(&self, index: InterfaceIndex, held: VirtualAddress) -> bool {
        self.addresses(index).iter().any(|known| known.held == held)
    }

    /// The address that adverts of a family come from: the first that is not ours to take away; link-local for IPv6.
    pub(crate) fn primary(&self, index: InterfaceIndex, ipv4: bool) -> Option<IpAddr> {
        self.addresses(index)
            .iter()
            .filter(|known| known.protocol != OUR_PROTOCOL && known.readiness == Readiness::Ready)
            .map(|known| known.held.address)
            .find(|address| match address {
                IpAddr::V4(_) => ipv4,
                IpAddr::V6(address) => !ipv4 && address.is_unicast_link_local(),
            })
    }

    fn set_link(&mut self, mut link: Link) {
        if let Some(before) = self.links.get(&link.index) {
            // Some messages leave out what did not change.
            link.mac = link.mac.or(before.mac);
            if before.name != link.name {
                self.by_name.remove(&before.name);
            }
        }
        self.by_name.insert(link.name.clone(), link.index);
        self.links.insert(link.index, link);
    }

    fn set_address(&mut self, address: LinkAddress) {
        let all = self.addresses.entry(address.index).or_default();
        match all.iter_mut().find(|known| known.held == address.held) {
            Some(known) => *known = address,
            None => all.push(address),
        }
    }

    /// Takes note of a change; whether everything has to be listed again.
    fn apply(&mut self, change: LinksChange) -> Completeness {
        match change {
            LinksChange::LinkSet(link) => {
                self.touch(link.index);
                self.set_link(link);
            }
            LinksChange::LinkGone(index) => {
                // The number is not used again soon, and a new link counts from 1.
                self.revisions.remove(&index);
                if let Some(link) = self.links.remove(&index)
                    && self.by_name.get(&link.name) == Some(&index)
                {
                    self.by_name.remove(&link.name);
                }
                self.addresses.remove(&index);
            }
            LinksChange::AddressSet(address) => {
                self.touch(address.index);
                self.set_address(address);
            }
            LinksChange::AddressGone(address) => {
                self.touch(address.index);
                if let Some(all) = self.addresses.get_mut(&address.index) {
                    all.retain(|known| known.held != address.held);
                }
            }
            LinksChange::Route => self.routes = self.routes.wrapping_add(1),
            LinksChange::Unknown => return Completeness::Lost,
        }
        Completeness::Kept
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Completeness {
    Kept,
    Lost,
}

/// Everything anew; what `before` counted goes on.
async fn list(net: &dyn KernelLinks, before: &NetState) -> Result<NetState, KernelError> {
    let routes = before.routes.wrapping_add(1);
    let mut state = NetState { routes, revisions: before.revisions.clone(), ..NetState::default() };
    for link in net.links().await? {
        state.touch(link.index);
        state.set_link(link);
    }
    for address in net.link_addresses().await? {
        state.touch(address.index);
        state.set_address(address);
    }
    Ok(state)
}

/// Follows the kernel until the returned task is aborted.
///
/// # Errors
/// If the kernel does not tell.
pub(crate) async fn follow(
    net: &Arc<dyn KernelLinks>,
) -> Result<(watch::Receiver<NetState>, AbortHandle), KernelError> {
    // The watch first, so that nothing falls between.
    let mut changes = net.watch_links();
    let state = list(&**net, &NetState::default()).await?;
    let (sender, receiver) = watch::channel(state);
    let net = Arc::clone(net);
    let task = tokio::spawn(async move {
        while let Some(first) = changes.recv().await {
            let mut completeness = Completeness::Kept;
            sender.send_modify(|state| {
                let mut change = Some(first);
                while let Some(one) = change {
                    if state.apply(one) == Completeness::Lost {
                        completeness = Completeness::Lost;
                    }
                    change = changes.try_recv().ok();
                }
            });
            while completeness == Completeness::Lost {
                let before = sender.borrow().clone();
                match list(&*net, &before).await {
                    Ok(state) => {
                        sender.send_replace(state);
                        completeness = Completeness::Kept;
                    }
                    Err(error) => {
                        warn!(target: "KNL", "links cannot be listed: {error}");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        }
    });
    Ok((receiver, task.abort_handle()))
}

#[cfg(test)]
mod tests {
    use charon_core::service::kernel_links::{LinkGroup, MacAddress};

    use super::*;

    fn address(index: u32, text: &str, protocol: u8, readiness: Readiness) -> LinkAddress {
        let held = VirtualAddress { address: text.parse().unwrap(), prefix: 24 };
        LinkAddress { index: InterfaceIndex(index), held, protocol, readiness }
    }

    fn link(index: u32, name: &str) -> Link {
        Link {
            index: InterfaceIndex(index),
            name: name.into(),
            mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
            carrier: Carrier::Running,
            parent: None,
            alias: None,
            group: LinkGroup(0),
        }
    }

    #[test]
    fn adverts_come_from_an_address_that_is_not_virtual_and_ready() {
        let mut state = NetState::default();
        for one in [
            address(2, "192.0.2.1", OUR_PROTOCOL, Readiness::Ready),
            address(2, "192.0.2.11", 0, Readiness::Ready),
            address(2, "2001:db8::1", 0, Readiness::Ready),
            address(2, "fe80::1", 0, Readiness::Tentative),
            address(2, "fe80::2", 0, Readiness::Ready),
        ] {
            assert!(state.apply(LinksChange::AddressSet(one)) == Completeness::Kept);
        }
        let index = InterfaceIndex(2);
        assert_eq!(state.primary(index, true), Some("192.0.2.11".parse().unwrap()));
        assert_eq!(state.primary(index, false), Some("fe80::2".parse().unwrap()));
        assert_eq!(state.primary(InterfaceIndex(3), true), None);
    }

    #[test]
    fn a_link_that_goes_takes_its_name_and_addresses_along() {
        let mut state = NetState::default();
        state.apply(LinksChange::LinkSet(link(2, "eth0")));
        state.apply(LinksChange::AddressSet(address(2, "192.0.2.11", 0, Readiness::Ready)));
        assert!(state.is_running("eth0"));
        state.apply(LinksChange::LinkGone(InterfaceIndex(2)));
        assert!(state.link("eth0").is_none() && state.addresses(InterfaceIndex(2)).is_empty());
        // It comes back under another index before the old one is said to be gone.
        state.apply(LinksChange::LinkSet(link(2, "eth0")));
        state.apply(LinksChange::LinkSet(link(3, "eth0")));
        state.apply(LinksChange::LinkGone(InterfaceIndex(2)));
        assert_eq!(state.link("eth0").map(|link| link.index), Some(InterfaceIndex(3)));
    }

    #[test]
    fn a_link_that_is_renamed_has_its_new_name_only() {
        let mut state = NetState::default();
        state.apply(LinksChange::LinkSet(link(2, "eth0")));
        state.apply(LinksChange::LinkSet(link(2, "lan")));
        assert!(state.link("eth0").is_none());
        assert_eq!(state.link("lan").map(|link| link.index), Some(InterfaceIndex(2)));
    }

    #[test]
    fn a_link_is_touched_by_what_concerns_it_alone() {
        let mut state = NetState::default();
        let (one, other) = (InterfaceIndex(2), InterfaceIndex(3));
        state.apply(LinksChange::LinkSet(link(2, "eth0")));
        state.apply(LinksChange::LinkSet(link(3, "eth1")));
        let before = (state.revision(one), state.revision(other));
        state.apply(LinksChange::AddressSet(address(2, "192.0.2.11", 0, Readiness::Ready)));
        state.apply(LinksChange::AddressGone(address(2, "192.0.2.11", 0, Readiness::Ready)));
        assert_eq!((state.revision(one), state.revision(other)), (before.0 + 2, before.1));
    }
}
