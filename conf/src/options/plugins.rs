//! What single plugins take, and the command.

use super::Kind::{Bool, Int, Mark, Size, Text, Time};
use super::Status::{Effective, NoMeaning};
use super::Unit::{self, Bits, Bytes, Milliseconds, Seconds};
use super::{COUNT, Opt, daemon, swanctl};

#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    daemon("plugins.<name>.load", Text, "", Unit::None, Effective, "with load_modular: yes, no or a priority"),
    daemon("plugins.socket-default.use_ipv4", Bool, "yes", Unit::None, Effective, "whether IPv4 is listened on"),
    daemon("plugins.socket-default.use_ipv6", Bool, "yes", Unit::None, Effective, "whether IPv6 is listened on"),
    daemon("plugins.socket-default.set_source", Bool, "yes", Unit::None, NoMeaning("packets always leave from the address of their SA"), "whether the source address is set on packets"),
    daemon("plugins.socket-default.set_sourceif", Bool, "no", Unit::None, NoMeaning("the kernel chooses the interface"), "whether the source interface is set on packets"),
    daemon("plugins.socket-default.fwmark", Mark, "", Unit::None, Effective, "mark of IKE packets, [!]mark[/mask], of which the value counts"),
    daemon("plugins.kernel-netlink.buflen", COUNT, "", Bytes, NoMeaning("buffers size themselves"), "length of netlink messages"),
    daemon("plugins.kernel-netlink.fwmark", Mark, "", Unit::None, Effective, "mark of the routing rule, ! inverts; by default: not the mark of socket-default"),
    daemon("plugins.kernel-netlink.hw_offload_feature_interface", Text, "lo", Unit::None, NoMeaning("not built"), "interface probed for offload"),
    daemon("plugins.kernel-netlink.install_routes_xfrmi", Bool, "no", Unit::None, NoMeaning("not built"), "whether routes are installed for SAs with interface ids"),
    daemon("plugins.kernel-netlink.mss", COUNT, "0", Bytes, NoMeaning("not built"), "MSS of installed routes"),
    daemon("plugins.kernel-netlink.mtu", COUNT, "0", Bytes, NoMeaning("not built"), "MTU of installed routes"),
    daemon("plugins.kernel-netlink.parallel_route", Bool, "no", Unit::None, NoMeaning("requests are always pipelined"), "whether route requests run in parallel"),
    daemon("plugins.kernel-netlink.parallel_xfrm", Bool, "no", Unit::None, NoMeaning("requests are always pipelined"), "whether XFRM requests run in parallel"),
    daemon("plugins.kernel-netlink.policy_update", Bool, "no", Unit::None, NoMeaning("not built"), "whether policies are updated in place"),
    daemon("plugins.kernel-netlink.port_bypass", Bool, "no", Unit::None, NoMeaning("not built"), "whether bypass policies by port replace those of sockets"),
    daemon("plugins.kernel-netlink.process_rules", Bool, "no", Unit::None, NoMeaning("not built"), "whether rule changes are followed"),
    daemon("plugins.kernel-netlink.receive_buffer_size", Size, "8388608", Bytes, NoMeaning("not built"), "receive buffer of event sockets"),
    daemon("plugins.kernel-netlink.roam_events", Bool, "yes", Unit::None, NoMeaning("not built"), "whether address and route changes move IKE SAs"),
    daemon("plugins.kernel-netlink.set_proto_port_transport_sa", Bool, "no", Unit::None, NoMeaning("not built"), "whether transport SAs carry their selector"),
    daemon("plugins.kernel-netlink.spdh_thresh.ipv4.lbits", COUNT, "32", Bits, NoMeaning("not built"), "local prefix from which IPv4 policies are hashed"),
    daemon("plugins.kernel-netlink.spdh_thresh.ipv4.rbits", COUNT, "32", Bits, NoMeaning("not built"), "remote prefix from which IPv4 policies are hashed"),
    daemon("plugins.kernel-netlink.spdh_thresh.ipv6.lbits", COUNT, "128", Bits, NoMeaning("not built"), "local prefix from which IPv6 policies are hashed"),
    daemon("plugins.kernel-netlink.spdh_thresh.ipv6.rbits", COUNT, "128", Bits, NoMeaning("not built"), "remote prefix from which IPv6 policies are hashed"),
    daemon("plugins.kernel-netlink.retries", COUNT, "0", Unit::None, NoMeaning("netlink requests are not lost"), "retransmissions of netlink requests"),
    daemon("plugins.kernel-netlink.timeout", COUNT, "0", Milliseconds, NoMeaning("netlink requests are not lost"), "wait for a netlink answer"),
    daemon("plugins.kernel-netlink.ignore_retransmit_errors", Bool, "no", Unit::None, NoMeaning("netlink requests are not lost"), "whether errors of retransmitted requests are ignored"),
    daemon("plugins.kernel-netlink.xfrm_acq_expires", Time, "165", Seconds, Effective, "life of reserved SPIs"),
    daemon("plugins.kernel-pfkey.events_buffer_size", Size, "0", Bytes, NoMeaning("not built"), "receive buffer of the event socket"),
    daemon("plugins.kernel-pfkey.route_via_internal", Bool, "no", Unit::None, NoMeaning("not built"), "whether routes use the internal interface"),
    daemon("plugins.kernel-libipsec.allow_peer_ts", Bool, "no", Unit::None, Effective, "whether a remote selector may contain the peer's address"),
    daemon("plugins.kernel-libipsec.fwmark", Mark, "", Unit::None, NoMeaning("ESP leaves by the sockets of IKE, with their mark"), "mark of ESP packets without UDP"),
    daemon("plugins.kernel-libipsec.raw_esp", Bool, "no", Unit::None, NoMeaning("not built"), "whether ESP may go without UDP"),
    daemon("plugins.updown.dns_handler", Bool, "no", Unit::None, NoMeaning("updown scripts are not built"), "whether name servers are passed to updown scripts"),
    daemon("plugins.resolve.file", Text, "/etc/resolv.conf", Unit::None, NoMeaning("name servers are not asked for"), "file that received name servers are written to"),
    daemon("plugins.vici.socket", Text, "unix:///var/run/charon.vici", Unit::None, Effective, "where the control sockets listen, one or several: unix://PATH, tcp://HOST:PORT, vsock://CID:PORT, systemd://NAME"),
    daemon("plugins.vici.readonly_socket", Text, "", Unit::None, Effective, "the same, of sockets that accept only version, stats, list-*, get-* and events"),
    daemon("plugins.vrrp.state_file", Text, "/var/run/charond.vrrp", Unit::None, Effective, "where settings of the kernel that virtual routers changed are noted, for restoring them after a crash; empty for nowhere"),
    daemon("plugins.vrrp.realtime_priority", Int { min: 0, max: 99 }, "0", Unit::None, Effective, "real-time priority of the thread of virtual routers; 0 for none"),
    daemon("plugins.vrrp.rvrrpd_conf", Text, "", Unit::None, Effective, "rVRRPd's configuration file, TOML, or JSON if its name ends so; its virtual routers are loaded at start and its REST API is served"),
    daemon("plugins.http-api.session_lifetime", Time, "1h", Seconds, Effective, "how long a session of that REST API lasts"),
    swanctl("plugins.vici.socket", Text, "", Unit::None, Effective, "like socket, which wins"),
    swanctl("socket", Text, "unix:///var/run/charon.vici", Unit::None, Effective, "the control socket to connect to"),
    swanctl("load", Text, "", Unit::None, NoMeaning("everything is built in"), "plugins of the command"),
];
