//! Ports, addresses and routes.

use super::Kind::{Bool, List, Text};
use super::Status::{Effective, NoMeaning};
use super::Unit;
use super::{COUNT, Opt, PORT, daemon};

#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    daemon("port", PORT, "500", Unit::None, Effective, "UDP port; 0 for any"),
    daemon("port_nat_t", PORT, "4500", Unit::None, Effective, "UDP port behind NAT; 0 for any"),
    daemon("interfaces_use", List, "", Unit::None, Effective, "interfaces to use; all others are ignored"),
    daemon("interfaces_ignore", List, "", Unit::None, Effective, "interfaces to ignore, unless interfaces_use is set"),
    daemon("install_routes", Bool, "yes", Unit::None, Effective, "whether routes are installed for tunnels"),
    daemon("routing_table", COUNT, "220", Unit::None, Effective, "table of the installed routes"),
    daemon("routing_table_prio", COUNT, "220", Unit::None, Effective, "priority of the rule for that table"),
    daemon("ignore_routing_tables", List, "", Unit::None, NoMeaning("not built"), "tables left out of route lookups"),
    daemon("process_route", Bool, "yes", Unit::None, NoMeaning("they are followed in any case"), "whether route changes are followed"),
    daemon("install_virtual_ip", Bool, "yes", Unit::None, Effective, "whether virtual addresses are installed"),
    daemon("install_virtual_ip_on", Text, "", Unit::None, Effective, "interface for virtual addresses; else the outbound one"),
];
