//! The service.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use charon_core::service::kernel_net::{
    InterfaceAddress, InterfaceIndex, NetEvent, NextHop, Route, Rule, XfrmInterface,
};
use charon_core::service::{BoxFuture, KernelNet};
use charon_types::connection::Toggle;
use charon_types::kernel_op::KernelError;
use rtnetlink::Handle;
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

use crate::interfaces::Interfaces;
use crate::route::RouteMetrics;
use crate::{address, link, next_hop, route, rule, watch, xfrm_interface};

/// The network of the namespace in which it was made.
pub struct NetlinkNet {
    handle: Handle,
    interfaces: Interfaces,
    own_table: u32,
    metrics: RouteMetrics,
    rules: Toggle,
    connection: AbortHandle,
    /// A netlink socket carries one listing at a time: the kernel refuses a second one as busy.
    listing: Arc<Mutex<()>>,
}

impl NetlinkNet {
    /// Opens a netlink socket. `own_table` is the routing table of our own routes, which next-hop lookups leave out. Call it
    /// within a tokio runtime: a task carries the answers until the service is dropped.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn connect(interfaces: Interfaces, own_table: u32) -> io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        // Ends with the handle at the latest; a request that was under way then gets no answer.
        let connection = tokio::spawn(connection).abort_handle();
        let metrics = RouteMetrics::default();
        let rules = Toggle::Disabled;
        Ok(Self { handle, interfaces, own_table, metrics, rules, connection, listing: Arc::default() })
    }

    /// The same, with routes added from now on having these metrics.
    #[must_use]
    pub fn with_metrics(mut self, metrics: RouteMetrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// The same, with changes of routing rules told, or not, like those of routes.
    #[must_use]
    pub fn with_rules_followed(mut self, rules: Toggle) -> Self {
        self.rules = rules;
        self
    }

    /// Removes the addresses that a killed predecessor added; how many there were.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn remove_leftovers(&self) -> Result<usize, KernelError> {
        address::remove_leftovers(&self.handle).await
    }
}

impl NetlinkNet {
    /// Whatever lists something waits until nothing else does.
    pub(crate) async fn one_at_a_time<T>(&self, list: impl Future<Output = T>) -> T {
        let _listing = self.listing.lock().await;
        list.await
    }

    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for NetlinkNet {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl KernelNet for NetlinkNet {
    fn name(&self) -> &'static str {
        "kernel-netlink"
    }

    fn addresses(&self) -> BoxFuture<'_, Result<Vec<InterfaceAddress>, KernelError>> {
        Box::pin(self.one_at_a_time(address::list(&self.handle, &self.interfaces)))
    }

    fn next_hop(
        &self,
        remote: IpAddr,
        source: Option<IpAddr>,
    ) -> BoxFuture<'_, Result<NextHop, KernelError>> {
        Box::pin(self.one_at_a_time(next_hop::find(&self.handle, self.own_table, remote, source)))
    }

    fn interface(&self, name: &str) -> BoxFuture<'_, Result<InterfaceIndex, KernelError>> {
        let name = name.to_owned();
        Box::pin(async move { link::index(&self.handle, &name).await })
    }

    fn set_link_up(&self, index: InterfaceIndex, mtu: Option<u32>) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(link::set_up(&self.handle, index, mtu))
    }

    fn add_address(
        &self,
        index: InterfaceIndex,
        address: IpAddr,
        prefix: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(address::add(&self.handle, index, address, prefix))
    }

    fn remove_address(
        &self,
        index: InterfaceIndex,
        address: IpAddr,
        prefix: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(address::remove(&self.handle, index, address, prefix))
    }

    fn add_route(&self, route: Route) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(route::add(&self.handle, route, self.metrics))
    }

    fn remove_route(&self, route: Route) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(route::remove(&self.handle, route))
    }

    fn flush_table(&self, table: u32) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(self.one_at_a_time(route::flush(&self.handle, table)))
    }

    fn add_rule(&self, rule: Rule) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(rule::add(&self.handle, rule))
    }

    fn remove_rule(&self, rule: Rule) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(rule::remove(&self.handle, rule))
    }

    fn add_xfrm_interface(
        &self,
        wanted: XfrmInterface,
    ) -> BoxFuture<'_, Result<InterfaceIndex, KernelError>> {
        Box::pin(xfrm_interface::add(&self.handle, wanted))
    }

    fn xfrm_interfaces(&self) -> BoxFuture<'_, Result<Vec<(InterfaceIndex, XfrmInterface)>, KernelError>> {
        Box::pin(self.one_at_a_time(xfrm_interface::list(&self.handle)))
    }

    fn watch(&self) -> mpsc::Receiver<NetEvent> {
        let (handle, interfaces) = (self.handle.clone(), self.interfaces.clone());
        watch::start(handle, interfaces, Arc::clone(&self.listing), self.own_table, self.rules)
    }
}

#[cfg(test)]
mod tests;
