//! Which of our addresses a route into a tunnel has as its source.

use std::net::IpAddr;
use std::sync::Arc;

use charon_types::kernel_op::KernelError;
use charon_types::selector::TrafficSelector;
use tracing::warn;

use crate::service::KernelNet;
use crate::service::kernel_net::{InterfaceAddress, NetEvent, Route};

/// Our addresses, listed when they are first asked for, and again after they have changed: a listing for each tunnel would make
/// every tunnel cost more the more addresses there are.
pub struct LocalSources {
    net: Arc<dyn KernelNet>,
    listed: Option<Vec<InterfaceAddress>>,
    changes: Changes,
}

/// Whether changes are heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changes {
    Told,
    Unknown,
}

impl LocalSources {
    /// Of a host whose changes come to [`Self::on_event`].
    pub fn new(net: Arc<dyn KernelNet>) -> Self {
        Self { net, listed: None, changes: Changes::Told }
    }

    /// An address within the selector that others can answer. If none is known, the kernel is asked once more: it may be so
    /// new that its event is still to come.
    ///
    /// # Errors
    /// As the kernel says.
    pub async fn within(&mut self, local: &TrafficSelector) -> Result<Option<IpAddr>, KernelError> {
        if self.changes == Changes::Told
            && let Some(known) = self.listed.as_deref().and_then(|listed| source_within(listed, local))
        {
            return Ok(Some(known));
        }
        self.refresh().await?;
        Ok(self.known_within(local))
    }

    /// As [`Self::within`], by what was listed last.
    #[must_use]
    pub fn known_within(&self, local: &TrafficSelector) -> Option<IpAddr> {
        self.listed.as_deref().and_then(|listed| source_within(listed, local))
    }

    /// Lists them now.
    ///
    /// # Errors
    /// As the kernel says.
    pub async fn refresh(&mut self) -> Result<(), KernelError> {
        self.listed = Some(self.net.addresses().await?);
        Ok(())
    }

    /// What changed; `None` if nothing is told any more.
    pub fn on_event(&mut self, event: Option<&NetEvent>) {
        match event {
            Some(NetEvent::AddressAdded(_) | NetEvent::AddressRemoved(_) | NetEvent::LinkChanged(_)) => {
                self.listed = None;
            }
            // What came in too great a number is summed up so.
            Some(NetEvent::RoutesChanged) => self.listed = None,
            None => self.changes = Changes::Unknown,
        }
    }
}

/// Removes a route that may have gone already, with an address or a link.
pub async fn forget_route(net: &dyn KernelNet, route: Route) {
    match net.remove_route(route.clone()).await {
        Ok(()) | Err(KernelError::NotFound) => {}
        Err(error) => {
            let (destination, prefix) = route.destination;
            warn!(target: "KNL", "removing the route to {destination}/{prefix} failed: {error}");
        }
    }
}

fn source_within(addresses: &[InterfaceAddress], local: &TrafficSelector) -> Option<IpAddr> {
    let mut inside = addresses.iter().map(|held| held.address).filter(|held| local.contains_address(*held));
    inside.find(|address| !address.is_loopback() && !is_link_local(*address))
}

const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
