//! A kernel's links, and what hangs on them: what virtual routers need beyond [`KernelNet`](super::KernelNet).

use std::net::IpAddr;

use charon_types::kernel_op::KernelError;
use charon_types::vrouter::{VirtualAddress, VirtualRule};
use tokio::sync::mpsc;

use super::BoxFuture;
use super::kernel_net::{Family, InterfaceIndex};

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

/// Whether packets can be sent over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Up, with carrier.
    Running,
    /// Down, or nothing is at the other end.
    Down,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: InterfaceIndex,
    /// Its name.
    pub name: String,
    /// Its hardware address; `None` for links without Ethernet's.
    pub mac: Option<MacAddress>,
    /// Whether packets can be sent.
    pub carrier: Carrier,
    /// The link below it.
    pub parent: Option<InterfaceIndex>,
    /// `IFLA_IFALIAS`, by which we know our own.
    pub alias: Option<String>,
    /// Its group.
    pub group: LinkGroup,
}

/// An address on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkAddress {
    /// The link.
    pub index: InterfaceIndex,
    /// The address.
    pub held: VirtualAddress,
    /// Who added it, as `IFA_PROTO` says; 0 if unknown.
    pub protocol: u8,
    /// Whether it can be used yet.
    pub readiness: Readiness,
}

/// Whether an address can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// Duplicate address detection goes on, or has failed.
    Tentative,
}

/// A macvlan in private mode to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Macvlan {
    /// Its name.
    pub name: String,
    /// The link below it.
    pub parent: InterfaceIndex,
    /// Its hardware address.
    pub mac: MacAddress,
    /// Its alias.
    pub alias: String,
    /// Its group, by which many are removed at once.
    pub group: LinkGroup,
}

/// A number that links can share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkGroup(pub u32);

/// A route to install, with a mark of whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRoute {
    /// Where to.
    pub destination: VirtualAddress,
    /// What becomes of the packets.
    pub kind: RouteKind,
    /// Outgoing link.
    pub interface: Option<InterfaceIndex>,
    /// Gateway.
    pub gateway: Option<IpAddr>,
    /// Preferred source address.
    pub source: Option<IpAddr>,
    /// Routing table.
    pub table: u32,
    /// Metric; 0 for the kernel's own.
    pub metric: u32,
    /// Path MTU in bytes; 0 for the link's.
    pub mtu: u32,
    /// `RTPROT_*`.
    pub protocol: u8,
}

/// What becomes of packets on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// They are sent.
    Unicast,
    /// They are dropped.
    Blackhole,
}

/// Whether a link is to be up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkAdmin {
    /// Up.
    Up,
    /// Down.
    Down,
}

/// What changed about links, addresses or routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinksChange {
    /// A link came, or changed its state.
    LinkSet(Link),
    /// A link went.
    LinkGone(InterfaceIndex),
    /// An address came, or changed its state.
    AddressSet(LinkAddress),
    /// An address went.
    AddressGone(LinkAddress),
    /// A route came or went.
    Route,
    /// Changes were missed: list everything again.
    Unknown,
}

/// Links, macvlans, and addresses, routes and rules with a mark of whose they are.
pub trait KernelLinks: Send + Sync {
    /// Every link.
    fn links(&self) -> BoxFuture<'_, Result<Vec<Link>, KernelError>>;

    /// The link of that name.
    fn link<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Link, KernelError>>;

    /// Every address of every link, whatever its state.
    fn link_addresses(&self) -> BoxFuture<'_, Result<Vec<LinkAddress>, KernelError>>;

    /// Adds a macvlan, down; its index.
    fn add_macvlan(&self, macvlan: Macvlan) -> BoxFuture<'_, Result<InterfaceIndex, KernelError>>;

    /// Removes a link.
    fn remove_link(&self, index: InterfaceIndex) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Removes every link of a group, in the time that one takes.
    fn remove_link_group(&self, group: LinkGroup) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Brings a link up or down.
    fn set_link(&self, index: InterfaceIndex, admin: LinkAdmin) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Adds an address without duplicate address detection, marked with `protocol`.
    fn add_link_address(
        &self,
        index: InterfaceIndex,
        held: VirtualAddress,
        protocol: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Removes an address.
    fn remove_link_address(
        &self,
        index: InterfaceIndex,
        held: VirtualAddress,
    ) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Adds or replaces a route.
    fn add_link_route(&self, route: LinkRoute) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Removes a route.
    fn remove_link_route(&self, route: LinkRoute) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Removes every route with that mark.
    fn flush_link_routes(&self, protocol: u8) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Destinations of all routes, of every table but the local one.
    fn destinations(&self, family: Family) -> BoxFuture<'_, Result<Vec<VirtualAddress>, KernelError>>;

    /// Adds a rule marked with `protocol`; one that is there already is fine.
    fn add_marked_rule(
        &self,
        family: Family,
        rule: VirtualRule,
        protocol: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Removes a rule.
    fn remove_marked_rule(
        &self,
        family: Family,
        rule: VirtualRule,
        protocol: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Removes every rule with that mark.
    fn flush_rules(&self, protocol: u8) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Reads a setting below `/proc/sys/net`.
    fn sysctl(&self, path: &str) -> Result<String, KernelError>;

    /// Changes a setting below `/proc/sys/net`.
    fn set_sysctl(&self, path: &str, value: &str) -> Result<(), KernelError>;

    /// Watches changes, until the receiver is dropped. Bounded; an overflow shows as [`LinksChange::Unknown`].
    fn watch_links(&self) -> mpsc::Receiver<LinksChange>;
}
