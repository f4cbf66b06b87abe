//! The one table of the keys of swanctl.conf: how their values are written, what they default to and mean.
//!
//! What is sent as a list or as the content of a file, what `swanctl --check` accepts and the manual page come from here.
//! What of it the daemon has built, the daemon knows.

use std::fmt;

use super::{COUNT, Kind as Scalar, PORT as PORT_NUMBER};

/// A key of swanctl.conf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name, or several that belong together, separated by commas.
    pub name: &'static str,
    /// What the value is.
    pub kind: Kind,
    /// The default; empty if there is none.
    pub default: &'static str,
    /// What it does, as a clause.
    pub meaning: &'static str,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As in strongswan.conf.
    Scalar(Scalar),
    /// A time down to milliseconds.
    FineTime,
    /// A number of 64 bits.
    Packets,
    /// Six binary digits.
    Dscp,
    /// A number, or `%unique` or `%unique-dir`.
    InterfaceId,
    /// `mark[/mask]`, where the mark may be this word, with or without `-dir` behind it.
    Mark(&'static str),
    /// none, trap, start and their older names, joined by `|`.
    Actions,
    /// A number or mtu.
    Padding,
    /// yes, no or encap.
    PerCpu,
    /// An identity.
    Identity,
    /// The way of authentication, with constraints.
    Auth,
    /// Text, `0x` and hexadecimal digits or `0s` and base64.
    Secret,
    /// Hexadecimal digits.
    Hexadecimal,
    /// A subnet, or two addresses with `-` between them.
    Range,
    /// A list of anything.
    List,
    /// A list of addresses, subnets, ranges and names.
    Addresses,
    /// A list of addresses.
    Hosts,
    /// A list of addresses and subnets.
    Attributes,
    /// A list of proposals of IKE.
    IkeProposals,
    /// A list of proposals of ESP.
    EspProposals,
    /// A list of proposals of AH.
    AhProposals,
    /// A list of traffic selectors.
    Selectors,
    /// The content of a file of this directory.
    File(&'static str),
    /// The contents of files of this directory, as a list.
    Files(&'static str),
    /// No value but a section.
    Section,
}

impl Key {
    /// Whether a name is that of this key's value; a section has none. Names are compared as the daemon does, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.kind != Kind::Section && self.name.split(", ").any(|pattern| fits(pattern, name))
    }
}

impl Kind {
    /// Whether a value consists of items separated by commas.
    pub fn is_list(self) -> bool {
        match self {
            Self::List
            | Self::Addresses
            | Self::Hosts
            | Self::Attributes
            | Self::Selectors
            | Self::Files(_) => true,
            Self::IkeProposals | Self::EspProposals | Self::AhProposals => true,
            Self::Scalar(_)
            | Self::FineTime
            | Self::Packets
            | Self::Dscp
            | Self::InterfaceId
            | Self::Mark(_)
            | Self::Actions => false,
            Self::Padding | Self::PerCpu | Self::Identity | Self::Auth | Self::Secret | Self::Hexadecimal => {
                false
            }
            Self::Range | Self::File(_) | Self::Section => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar(scalar) => return scalar.fmt(f),
            Self::FineTime => "time, also ms",
            Self::Packets => "integer",
            Self::Dscp => "6 binary digits",
            Self::InterfaceId => "integer, %unique, %unique-dir",
            Self::Mark(_) => "mark[/mask]",
            Self::Actions => "none, trap, start, trap|start",
            Self::Padding => "integer or mtu",
            Self::PerCpu => "yes, no, encap",
            Self::Identity => "identity",
            Self::Auth | Self::Secret => "text",
            Self::Hexadecimal => "hexadecimal",
            Self::Range => "subnet or range",
            Self::List | Self::Addresses | Self::Hosts | Self::Attributes | Self::Selectors => "list",
            Self::IkeProposals | Self::EspProposals | Self::AhProposals => "list",
            Self::File(_) => "file",
            Self::Files(_) => "list of files",
            Self::Section => "section",
        })
    }
}

/// The keys of the section at a path from the root; `None` if no section belongs there.
pub fn keys_at(path: &[&str]) -> Option<&'static [Key]> {
    sections().find_map(|(pattern, keys)| {
        (pattern.split('.').count() == path.len() && leads(pattern, path)).then_some(keys)
    })
}

/// Whether sections with keys lie below a path from the root.
pub fn is_section(path: &[&str]) -> bool {
    sections().any(|(pattern, _)| pattern.split('.').count() > path.len() && leads(pattern, path))
}

/// The key of that name, in any of the sections that start with this name.
pub fn key_in(section: &str, name: &str) -> Option<&'static Key> {
    sections()
        .filter(|(pattern, _)| pattern.split('.').next() == Some(section))
        .find_map(|(_, keys)| keys.iter().find(|key| key.is(name)))
}

fn sections() -> impl Iterator<Item = (&'static str, &'static [Key])> {
    KEYS.iter().flat_map(|(patterns, keys)| patterns.split(", ").map(|pattern| (pattern, *keys)))
}

fn leads(pattern: &str, path: &[&str]) -> bool {
    pattern.split('.').zip(path).all(|(wanted, name)| fits(wanted, name))
}

fn fits(pattern: &str, name: &str) -> bool {
    match (pattern, pattern.strip_suffix("<suffix>")) {
        ("<number>", _) => name.parse::<u16>().is_ok(),
        (_, Some(start)) => {
            name.get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
        }
        (pattern, None) => pattern.starts_with('<') || pattern.eq_ignore_ascii_case(name),
    }
}

const fn key(name: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Key {
    Key { name, kind, default, meaning }
}

const fn words(words: &'static [&'static str]) -> Kind {
    Kind::Scalar(Scalar::Choice(words))
}

const BOOL: Kind = Kind::Scalar(Scalar::Bool);
const TIME: Kind = Kind::Scalar(Scalar::Time);
const FINE: Kind = Kind::FineTime;
const OCTET: Kind = Kind::Scalar(Scalar::Int { min: 0, max: 255 });
const SIZE: Kind = Kind::Scalar(Scalar::Size);
const TEXT: Kind = Kind::Scalar(Scalar::Text);
const PORT: Kind = Kind::Scalar(PORT_NUMBER);
const COUNT_32: Kind = Kind::Scalar(COUNT);

/// The keys by section; `<name>` stands for any one name.
#[rustfmt::skip]
pub const KEYS: &[(&str, &[Key])] = &[
    ("connections.<conn>", &[
        key("version", words(&["0", "1", "2"]), "0", "IKE version; 0 initiates version 2. Version 1 is refused"),
        key("local_addrs", Kind::Addresses, "%any", "own addresses: address, subnet, range or name"),
        key("remote_addrs", Kind::Addresses, "%any", "addresses of the peer; the first that is no subnet or range is the one to contact"),
        key("local_port", PORT, "500", "own UDP port"),
        key("remote_port", PORT, "500", "UDP port of the peer; another than 500 is kept, without moving to 4500"),
        key("proposals", Kind::IkeProposals, "default", "proposals of the IKE SA"),
        key("vips", Kind::Hosts, "", "virtual addresses to ask for; 0.0.0.0 or :: for any"),
        key("aggressive", BOOL, "no", "IKEv1 only"),
        key("pull", BOOL, "yes", "IKEv1 only"),
        key("dscp", Kind::Dscp, "000000", "DSCP of IKE packets"),
        key("encap", BOOL, "no", "whether UDP encapsulation is forced"),
        key("mobike", BOOL, "yes", "whether MOBIKE is offered"),
        key("dpd_delay", TIME, "0s", "interval of liveness checks; 0 for none"),
        key("dpd_timeout", TIME, "0s", "IKEv1 only"),
        key("fragmentation", words(&["yes", "accept", "force", "no"]), "yes", "IKE fragmentation"),
        key("childless", words(&["allow", "prefer", "force", "never"]), "allow", "IKE SAs without a CHILD SA"),
        key("send_certreq", BOOL, "yes", "whether certificates are asked for"),
        key("send_cert", words(&["always", "ifasked", "never"]), "ifasked", "when own certificates are sent"),
        key("ocsp", words(&["never", "reply", "request", "both"]), "reply", "OCSP within IKE"),
        key("ppk_id", Kind::Identity, "", "id of the post-quantum pre-shared key"),
        key("ppk_required", BOOL, "no", "whether such a key is indispensable"),
        key("keyingtries", COUNT_32, "1", "rounds of retransmissions when initiating; 0 for ever"),
        key("unique", words(&["never", "no", "keep", "replace"]), "no", "what becomes of older IKE SAs of the same peer"),
        key("reauth_time", TIME, "0s", "time until reauthentication"),
        key("rekey_time", TIME, "4h", "time until the IKE SA is rekeyed; 0 if only reauth_time is set"),
        key("over_time", TIME, "10 %", "time beyond rekeying or reauthentication after which the IKE SA is closed"),
        key("rand_time", TIME, "over_time", "random part by which rekeying comes earlier"),
        key("pools", Kind::List, "", "pools to serve virtual addresses from"),
        key("vrouter", TEXT, "", "virtual router that must be Active here: only then the connection is answered and initiated"),
        key("vrouter_loss", words(&["close", "keep"]), "close", "what becomes of its SAs when the virtual router is Active no longer"),
        key("if_id_in", Kind::InterfaceId, "0", "XFRM interface id, inbound"),
        key("if_id_out", Kind::InterfaceId, "0", "XFRM interface id, outbound"),
    ]),
    ("connections.<conn>.local<suffix>, connections.<conn>.remote<suffix>", &[
        key("round", COUNT_32, "0", "order of authentication rounds"),
        key("auth", Kind::Auth, "pubkey", "psk, pubkey, eap-<method>, or constraints of keys and hashes such as rsa-2048-sha256"),
        key("id", Kind::Identity, "", "own: subject of the certificate, else the address; of the peer: any"),
        key("eap_id", Kind::Identity, "id", "EAP identity"),
        key("aaa_id", Kind::Identity, "id of the peer", "identity of the EAP server"),
        key("xauth_id", Kind::Identity, "id", "IKEv1 only"),
        key("certs", Kind::Files("x509"), "", "own certificates, or those the peer may use; below x509"),
        key("cert<suffix>", Kind::Section, "", "a certificate by file, or by handle, slot and module"),
        key("pubkeys", Kind::Files("pubkey"), "", "raw public keys; below pubkey"),
        key("groups", Kind::List, "", "remote: groups, of which the peer must be in one"),
        key("cert_policy", Kind::List, "", "remote: policies, of which the certificate must have one"),
        key("cacerts", Kind::Files("x509ca"), "", "remote: CAs, one of which must have issued; below x509ca"),
        key("cacert<suffix>", Kind::Section, "", "remote: a CA by file, or by handle, slot and module"),
        key("ca_id", Kind::Identity, "", "remote: identity of a CA of the chain"),
        key("revocation", words(&["strict", "ifuri", "relaxed"]), "relaxed", "remote: how much must be known about revocation"),
    ]),
    ("connections.<conn>.local<suffix>.cert<suffix>, connections.<conn>.local<suffix>.cacert<suffix>, \
      connections.<conn>.remote<suffix>.cert<suffix>, connections.<conn>.remote<suffix>.cacert<suffix>", &[
        key("file", TEXT, "", "a file that the daemon reads"),
        key("handle", Kind::Hexadecimal, "", "id of the certificate on a token"),
        key("slot", COUNT_32, "", "slot of the token"),
        key("module", TEXT, "", "module of the token"),
    ]),
    ("connections.<conn>.children.<child>", &[
        key("esp_proposals", Kind::EspProposals, "default", "proposals of ESP"),
        key("ah_proposals", Kind::AhProposals, "", "proposals of AH, instead of ESP unless both are given"),
        key("sha256_96", BOOL, "no", "whether HMAC-SHA-256 is cut to 96 bits"),
        key("local_ts", Kind::Selectors, "dynamic", "own traffic: net[proto/port]"),
        key("remote_ts", Kind::Selectors, "dynamic", "traffic of the peer"),
        key("rekey_time", TIME, "1h", "time until the CHILD SA is rekeyed; by default 10/11 of life_time if that is set"),
        key("life_time", TIME, "rekey_time + 10 %", "time until it is closed"),
        key("rand_time", TIME, "life_time - rekey_time", "random part by which rekeying comes earlier"),
        key("rekey_bytes", SIZE, "0", "traffic until it is rekeyed"),
        key("rekey_packets", Kind::Packets, "0", "traffic until it is rekeyed"),
        key("life_bytes", SIZE, "rekey_bytes + 10 %", "traffic until it is closed"),
        key("life_packets", Kind::Packets, "rekey_packets + 10 %", "traffic until it is closed"),
        key("rand_bytes", SIZE, "life_bytes - rekey_bytes", "random part"),
        key("rand_packets", Kind::Packets, "life_packets - rekey_packets", "random part"),
        key("updown", TEXT, "", "command run when it comes and goes"),
        key("hostaccess", BOOL, "no", "passed to that command"),
        key("mode", words(&["tunnel", "transport", "transport_proxy", "beet", "iptfs", "pass", "drop"]), "tunnel", "what becomes of the traffic"),
        key("policies", BOOL, "yes", "whether policies are installed"),
        key("policies_fwd_out", BOOL, "no", "whether outbound forward policies are installed"),
        key("dpd_action", Kind::Actions, "clear", "what to do when the peer is gone"),
        key("start_action", Kind::Actions, "none", "what to do when it is loaded"),
        key("close_action", Kind::Actions, "none", "what to do when the peer closes it"),
        key("ipcomp", BOOL, "no", "whether compression is offered"),
        key("inactivity", TIME, "0s", "time without traffic after which it is closed"),
        key("reqid", COUNT_32, "0", "fixed reqid; 0 for one of its own"),
        key("priority", COUNT_32, "0", "fixed priority of policies; 0 for a computed one"),
        key("interface", TEXT, "", "interface to which policies are limited"),
        key("mark_in, mark_out", Kind::Mark("%unique"), "0/0", "marks of policies and SAs"),
        key("mark_in_sa", BOOL, "no", "whether mark_in is set on the inbound SA"),
        key("set_mark_in, set_mark_out", Kind::Mark("%same"), "0/0", "marks set on packets"),
        key("if_id_in, if_id_out", Kind::InterfaceId, "0", "XFRM interface ids; those of the connection by default"),
        key("label", TEXT, "", "security label"),
        key("label_mode", words(&["system", "simple", "selinux"]), "system", "how labels are used"),
        key("tfc_padding", Kind::Padding, "0", "padding of traffic flow confidentiality"),
        key("replay_window", COUNT_32, "32", "size of the replay window; 0 for none"),
        key("per_cpu_sas", Kind::PerCpu, "no", "whether there is an SA for each processor"),
        key("hw_offload", words(&["no", "yes", "crypto", "packet", "auto"]), "no", "offload to the interface"),
        key("copy_df, copy_ecn", BOOL, "yes", "whether DF and ECN are copied to the outer header"),
        key("copy_dscp", words(&["out", "in", "yes", "no"]), "out", "in which direction DSCP is copied"),
        key("icmp", BOOL, "no", "whether ICMP errors are accepted"),
    ]),
    ("secrets.eap<suffix>, secrets.xauth<suffix>, secrets.ntlm<suffix>, secrets.ike<suffix>, secrets.ppk<suffix>", &[
        key("secret", Kind::Secret, "", "the secret: text, 0x and hexadecimal digits, or 0s and base64"),
        key("id<suffix>", Kind::Identity, "", "an owner; without any the secret is for all"),
    ]),
    ("secrets.private<suffix>, secrets.rsa<suffix>, secrets.ecdsa<suffix>, secrets.pkcs8<suffix>, secrets.pkcs12<suffix>", &[
        key("file", TEXT, "", "name of a file in the directory of that name"),
        key("secret<suffix>", TEXT, "", "its passphrase"),
    ]),
    ("secrets.token<suffix>", &[
        key("handle", Kind::Hexadecimal, "", "id of the key on the token"),
        key("slot", COUNT_32, "", "slot of the token"),
        key("module", TEXT, "", "module of the token"),
        key("pin", TEXT, "", "its PIN; asked for if missing"),
    ]),
    ("pools.<name>", &[
        key("addrs", Kind::Range, "", "addresses to hand out"),
        key("dns, nbns, dhcp, netmask, server, subnet, p_cscf, split_include, split_exclude, address", Kind::Attributes, "", "attributes handed out"),
        key("<number>", Kind::Attributes, "", "an attribute by its number"),
    ]),
    ("authorities.<name>", &[
        key("cacert", Kind::File("x509ca"), "", "certificate of the CA; below x509ca"),
        key("file", TEXT, "", "its certificate as a file that the daemon reads"),
        key("crl_uris", Kind::List, "", "where its revocation lists are"),
        key("ocsp_uris", Kind::List, "", "where its OCSP responders are"),
        key("cert_uri_base", TEXT, "", "where certificates are found by their hash"),
    ]),
    ("vrouters.<vrouter>", &[
        key("interface", TEXT, "", "the interface; required"),
        key("vrid", Kind::Scalar(Scalar::Int { min: 1, max: 255 }), "", "virtual router id; required, unique with interface and family"),
        key("version", words(&["2", "3"]), "3", "version of VRRP"),
        key("addresses", Kind::Attributes, "", "virtual addresses of one family, with prefix lengths; required. The first of IPv6 is link-local"),
        key("excluded", Kind::Attributes, "", "further addresses of any family, not in the adverts"),
        key("priority", Kind::Scalar(Scalar::Int { min: 1, max: 255 }), "100", "1 to 254; 255 is the owner of the addresses"),
        key("advert_interval", FINE, "1s", "interval of adverts: whole seconds in version 2, steps of 10ms in version 3"),
        key("down_adverts", OCTET, "3", "adverts that may be missed until the router takes over"),
        key("preempt", BOOL, "yes", "whether a router of lower priority is replaced"),
        key("preempt_delay", FINE, "0s", "how long it stays before it is replaced"),
        key("accept", BOOL, "yes", "whether packets to the virtual addresses are accepted; RFC 9568 says no"),
        key("vmac", BOOL, "yes", "whether the virtual MAC address is used, by a macvlan"),
        key("vmac_name", TEXT, "", "name of that macvlan"),
        key("auth", words(&["none", "simple", "p0", "p1", "hmac"]), "none", "authentication; simple, p0 and p1 with version 2 only"),
        key("secret", TEXT, "", "its secret; 32 to 64 octets for hmac"),
        key("checksum", words(&["auto", "rfc9568", "pseudo"]), "auto", "checksum of version 3 over IPv4: as the peer has it, without or with pseudo-header"),
        key("source", TEXT, "", "source address of adverts instead of the first of the interface"),
        key("peers", Kind::Hosts, "", "addresses that adverts go to instead of the group"),
        key("lower_priority_advert", BOOL, "yes", "whether a lower priority is answered by an advert at once"),
        key("higher_priority_advert", BOOL, "no", "whether a last advert is sent before yielding"),
        key("rvrrpd_compat", BOOL, "no", "whether adverts of rVRRPd are taken that count several addresses and carry one"),
        key("track_primary", BOOL, "yes", "whether the router takes no part while its interface is down"),
        key("group", TEXT, "", "sync group: its routers change their roles together"),
        key("garp_repeat", OCTET, "5", "announcements of each address on becoming Active"),
        key("garp_delay", FINE, "5s", "time until they are repeated; 0 for never"),
        key("garp_refresh", FINE, "0s", "interval of further announcements; 0 for none"),
        key("garp_refresh_repeat", OCTET, "1", "announcements each time"),
        key("garp_lower_priority_repeat", OCTET, "5", "announcements after a lower priority was heard"),
        key("garp_lower_priority_delay", FINE, "5s", "time until they are repeated; 0 for never"),
        key("notify", TEXT, "", "command run at every change, with INSTANCE, name, state and priority behind it"),
        key("notify_active, notify_backup, notify_fault, notify_stop", TEXT, "", "commands run at these changes only"),
        key("notify_group", TEXT, "", "command run when all routers of the group have another state, with GROUP, the group's name, the state and the priority behind it"),
        key("notify_fifo", TEXT, "", "FIFO that gets a line for every change"),
    ]),
    ("vrouters.<vrouter>.track.<name>", &[
        key("interface", TEXT, "", "an interface that must be up"),
        key("script", TEXT, "", "a command that must end with status 0"),
        key("interval", FINE, "1s", "interval of the command"),
        key("timeout", FINE, "interval", "time after which it is killed and failed"),
        key("rise", COUNT_32, "1", "good ends in a row until it counts as good"),
        key("fall", COUNT_32, "1", "bad ends in a row until it counts as bad"),
        key("file", TEXT, "", "a file with a number that is added to the priority, multiplied by the weight"),
        key("process", TEXT, "", "name of a process that must run"),
        key("route", TEXT, "", "destination of a route that must be there"),
        key("ike", TEXT, "", "connection of which an IKE SA must be established"),
        key("child", TEXT, "", "name of a CHILD SA that must be installed"),
        key("pool", TEXT, "", "a pool that must have addresses left"),
        key("fill", Kind::Scalar(Scalar::Int { min: 1, max: 100 }), "100", "percentage of the pool's addresses in use from which it is bad"),
        key("weight", Kind::Scalar(Scalar::Int { min: -254, max: 254 }), "0", "0: the router takes no part while it is bad; negative: added while it is bad; positive: added while it is good"),
        key("reverse", BOOL, "no", "whether good and bad change places"),
    ]),
    ("vrouters.<vrouter>.routes.<name>", &[
        key("to", TEXT, "", "destination; default for all of IPv4. The route is there while the router is Active"),
        key("via", TEXT, "", "gateway"),
        key("dev", TEXT, "", "interface"),
        key("source", TEXT, "", "preferred source address"),
        key("table", COUNT_32, "254", "routing table"),
        key("metric", COUNT_32, "0", "metric"),
        key("mtu", COUNT_32, "0", "path MTU in bytes"),
    ]),
    ("vrouters.<vrouter>.rules.<name>", &[
        key("from", TEXT, "", "packets from there. The rule is there while the router is Active"),
        key("to", TEXT, "", "packets to there"),
        key("table", COUNT_32, "254", "the table that it leads to"),
        key("priority", COUNT_32, "0", "lower comes first"),
    ]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &[&str], name: &str) -> Option<Kind> {
        keys_at(path)?.iter().find(|key| key.is(name)).map(|key| key.kind)
    }

    #[test]
    fn keys_are_found_by_the_path_of_their_section() {
        assert_eq!(found(&["connections", "gw", "children", "net"], "mark_out"), Some(Kind::Mark("%unique")));
        assert_eq!(found(&["connections", "gw", "Local-2"], "certs"), Some(Kind::Files("x509")));
        assert_eq!(found(&["connections", "gw", "remote", "cacert1"], "slot"), Some(COUNT_32));
        assert_eq!(found(&["connections", "gw", "remote"], "cert_policy"), Some(Kind::List));
        assert_eq!(found(&["secrets", "ike-moon"], "id-2"), Some(Kind::Identity));
        assert_eq!(found(&["pools", "p"], "28676"), Some(Kind::Attributes));
        assert_eq!(found(&["connections", "gw"], "esp_proposals"), None);
        assert_eq!(keys_at(&["connections", "gw", "childs", "net"]), None);
        assert!(is_section(&["connections", "gw", "children"]));
        assert!(!is_section(&["secrets", "foo"]));
    }

    #[test]
    fn no_key_of_a_section_is_listed_twice() {
        for (section, keys) in KEYS {
            let mut names: Vec<&str> = keys.iter().flat_map(|key| key.name.split(", ")).collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{section}");
        }
    }
}
