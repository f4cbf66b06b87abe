//! `interfaces_use` and `interfaces_ignore`: which of our addresses IKE is spoken at.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use charon_core::service::KernelNet;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

/// Addresses of the interfaces that count; all, unless some interface is excluded.
#[derive(Default)]
pub(crate) struct UsableAddresses(ArcSwapOption<HashSet<IpAddr>>);

impl UsableAddresses {
    /// Whether IKE is spoken at that address of ours.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.0.load().as_ref().is_none_or(|usable| usable.contains(&address))
    }

    /// From now on only addresses of interfaces that count are usable. Follows them until the set is dropped, which leaves
    /// the last known ones.
    pub(crate) async fn follow(self: &Arc<Self>, net: &Arc<dyn KernelNet>) -> JoinSet<()> {
        let mut changes = net.watch();
        self.refresh(&**net).await;
        let (usable, net) = (Arc::clone(self), Arc::clone(net));
        let mut task = JoinSet::new();
        task.spawn(async move {
            while changes.recv().await.is_some() {
                usable.refresh(&*net).await;
            }
        });
        task
    }

    async fn refresh(&self, net: &dyn KernelNet) {
        match net.addresses().await {
            Ok(addresses) => {
                let usable: HashSet<IpAddr> = addresses.into_iter().map(|held| held.address).collect();
                if self.0.load().as_deref() != Some(&usable) {
                    info!(target: "NET", "IKE uses {} addresses of the interfaces that are configured", usable.len());
                    usable.iter().for_each(|address| debug!(target: "NET", "  {address}"));
                    self.0.store(Some(Arc::new(usable)));
                }
            }
            Err(error) => {
                warn!(target: "NET", "listing the addresses failed: {error}");
                // Rather none than one that was excluded.
                if self.0.load().is_none() {
                    self.0.store(Some(Arc::default()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use charon_kernel_null::NullNet;

    use super::*;

    #[tokio::test]
    async fn only_addresses_of_interfaces_that_count_are_usable_once_some_do_not() {
        let usable = Arc::new(UsableAddresses::default());
        let (ours, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        assert!(usable.contain(other), "nothing is excluded yet");
        let null = Arc::new(NullNet::new());
        let e0 = null.add_link("e0");
        let net: Arc<dyn KernelNet> = null;
        net.set_link_up(e0, None).await.unwrap();
        net.add_address(e0, ours, 24).await.unwrap();
        let _following = usable.follow(&net).await;
        assert!(usable.contain(ours) && !usable.contain(other));
        net.add_address(e0, other, 24).await.unwrap();
        while !usable.contain(other) {
            tokio::task::yield_now().await;
        }
    }
}
