//! A kernel's network: addresses, routes, rules, links.

use std::future::ready;
use std::net::IpAddr;

use charon_types::id::IfId;
use charon_types::kernel_op::KernelError;
use tokio::sync::mpsc;

use super::BoxFuture;

/// Index of a network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceIndex(pub u32);

/// An address on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// Of the interface.
    pub index: InterfaceIndex,
    /// Name of the interface.
    pub name: String,
    /// The address.
    pub address: IpAddr,
    /// Prefix length in bits.
    pub prefix: u8,
}

/// How packets to an address leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Preferred source address.
    pub source: IpAddr,
    /// Gateway, `None` on the link.
    pub gateway: Option<IpAddr>,
    /// Outgoing interface.
    pub interface: InterfaceIndex,
}

/// A route to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Destination and prefix length.
    pub destination: (IpAddr, u8),
    /// Outgoing interface.
    pub interface: InterfaceIndex,
    /// Gateway, `None` on the link.
    pub gateway: Option<IpAddr>,
    /// Preferred source address.
    pub source: Option<IpAddr>,
    /// Routing table.
    pub table: u32,
}

/// An interface whose packets meet the policies with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XfrmInterface {
    /// Name, 15 octets at most.
    pub name: String,
    /// Id, that of SAs and policies.
    pub if_id: IfId,
    /// The link below it, if it has one.
    pub parent: Option<InterfaceIndex>,
}

/// The table that everything else is routed by.
pub const TABLE_MAIN: u32 = 254;

/// A routing rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Family of the packets.
    pub family: Family,
    /// Which packets, beside the mark.
    pub packets: RulePackets,
    /// Table that it leads to; `None` discards the packets.
    pub table: Option<u32>,
    /// Priority; lower comes first.
    pub priority: u32,
    /// Only packets with (or, inverted, without) this mark.
    pub fwmark: Option<FwMark>,
}

/// Packets that a rule is for; the default is every one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RulePackets {
    /// Source and prefix length.
    pub source: Option<(IpAddr, u8)>,
    /// Destination and prefix length.
    pub destination: Option<(IpAddr, u8)>,
    /// IP protocol.
    pub protocol: Option<u8>,
    /// First and last source port.
    pub source_ports: Option<(u16, u16)>,
    /// First and last destination port.
    pub destination_ports: Option<(u16, u16)>,
}

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4
    Ipv4,
    /// IPv6
    Ipv6,
}

/// A firewall mark to match, `[!]mark[/mask]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FwMark {
    /// Whether the match is inverted.
    pub invert: Inverted,
    /// Value.
    pub value: u32,
    /// Bits compared.
    pub mask: u32,
}

/// Whether a match is inverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inverted {
    /// As it stands.
    No,
    /// `!`
    Yes,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetEvent {
    /// An address came.
    AddressAdded(InterfaceAddress),
    /// An address went.
    AddressRemoved(InterfaceAddress),
    /// A link came, went, or changed its state.
    LinkChanged(InterfaceIndex),
    /// Routes changed; look again.
    RoutesChanged,
}

/// Addresses, routes, rules and links.
pub trait KernelNet: Send + Sync {
    /// Name of the backend.
    fn name(&self) -> &'static str;

    /// Every address of every interface that is up and not ignored.
    fn addresses(&self) -> BoxFuture<'_, Result<Vec<InterfaceAddress>, KernelError>>;

    /// How packets to `remote` leave, ignoring our own routing table; `source` restricts the answer to that source address.
    fn next_hop(&self, remote: IpAddr, source: Option<IpAddr>)
    -> BoxFuture<'_, Result<NextHop, KernelError>>;

    /// Index of the interface of that name.
    fn interface(&self, name: &str) -> BoxFuture<'_, Result<InterfaceIndex, KernelError>>;

    /// Brings a link up and sets its MTU if given.
    fn set_link_up(&self, index: InterfaceIndex, mtu: Option<u32>) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Adds an address to an interface. An address that is there already is [`KernelError::Exists`].
    fn add_address(
        &self,
        index: InterfaceIndex,
        address: IpAddr,
        prefix: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Removes an address from an interface.
    fn remove_address(
        &self,
        index: InterfaceIndex,
        address: IpAddr,
        prefix: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Adds or replaces a route.
    fn add_route(&self, route: Route) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Removes a route.
    fn remove_route(&self, route: Route) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Removes every route of a table; for what a killed predecessor left.
    fn flush_table(&self, table: u32) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Adds a rule; one that is there already is fine.
    fn add_rule(&self, rule: Rule) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Removes a rule.
    fn remove_rule(&self, rule: Rule) -> BoxFuture<'_, Result<(), KernelError>>;

    /// Makes an XFRM interface and brings it up.
    fn add_xfrm_interface(&self, _: XfrmInterface) -> BoxFuture<'_, Result<InterfaceIndex, KernelError>> {
        Box::pin(ready(Err(KernelError::Unsupported("an XFRM interface"))))
    }

    /// Every XFRM interface.
    fn xfrm_interfaces(&self) -> BoxFuture<'_, Result<Vec<(InterfaceIndex, XfrmInterface)>, KernelError>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    /// Watches changes. Bounded; an overflow shows as one [`NetEvent::RoutesChanged`].
    fn watch(&self) -> mpsc::Receiver<NetEvent>;
}
