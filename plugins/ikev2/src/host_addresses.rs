//! Our own addresses, as the IKE_SAs see them: those at which a peer could reach us.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use charon_core::service::kernel_net::InterfaceAddress;

/// The addresses as last read.
pub(crate) struct HostAddresses(ArcSwap<Arc<[IpAddr]>>);

impl Default for HostAddresses {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(Arc::from([])))
    }
}

impl HostAddresses {
    /// Without a lock.
    pub(crate) fn current(&self) -> Arc<[IpAddr]> {
        Arc::clone(&self.0.load())
    }

    /// Takes over what the kernel lists, virtual addresses aside; whether anything changed.
    pub(crate) fn update(&self, listed: &[InterfaceAddress], is_virtual: impl Fn(IpAddr) -> bool) -> Changed {
        let mut addresses: Vec<IpAddr> = listed.iter().map(|held| held.address).collect();
        addresses.retain(|address| is_reachable(*address) && !is_virtual(*address));
        addresses.dedup();
        if *addresses == *self.current() {
            return Changed::No;
        }
        self.0.store(Arc::new(addresses.into()));
        Changed::Yes
    }
}

/// Whether something is other than it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    Yes,
    No,
}

/// Whether others may be able to send to it.
fn is_reachable(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !address.is_loopback() && !link_local && !address.is_unspecified() && !address.is_multicast()
}

#[cfg(test)]
mod tests {
    use charon_core::service::kernel_net::InterfaceIndex;

    use super::*;

    #[test]
    fn only_addresses_that_others_can_send_to_count() {
        let listed: Vec<_> = ["127.0.0.1", "192.0.2.1", "10.3.0.1", "fe80::1", "2001:db8::1", "169.254.1.1"]
            .iter()
            .map(|text| InterfaceAddress {
                index: InterfaceIndex(1),
                name: "e0".into(),
                address: text.parse().unwrap(),
                prefix: 24,
            })
            .collect();
        let vip: IpAddr = "10.3.0.1".parse().unwrap();
        let host = HostAddresses::default();
        assert_eq!(host.update(&listed, |address| address == vip), Changed::Yes);
        let shown: Vec<_> = host.current().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(host.update(&listed, |address| address == vip), Changed::No);
    }
}
