//! The keys of swanctl.conf, for its manual page. What they mean in full, the daemon knows.

/// A key of swanctl.conf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name, or several that belong together.
    pub name: &'static str,
    /// What the value is.
    pub kind: &'static str,
    /// The default; empty if there is none.
    pub default: &'static str,
    /// What it does, as a clause.
    pub meaning: &'static str,
}

const fn key(name: &'static str, kind: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { name, kind, default, meaning }
}

/// The keys by section; `<name>` stands for any one name.
#[rustfmt::skip]
pub const KEYS: &[(&str, &[Key])] = &[
    ("connections.<conn>", &[
        key("version", "0, 1, 2", "0", "IKE version; 0 initiates version 2. Version 1 is refused"),
        key("local_addrs", "list", "%any", "own addresses: address, subnet, range or name"),
        key("remote_addrs", "list", "%any", "addresses of the peer; the first that is no subnet or range is the one to contact"),
        key("local_port", "integer", "500", "own UDP port"),
        key("remote_port", "integer", "500", "UDP port of the peer; another than 500 is kept, without moving to 4500"),
        key("proposals", "list", "default", "proposals of the IKE SA"),
        key("vips", "list", "", "virtual addresses to ask for; 0.0.0.0 or :: for any"),
        key("aggressive", "yes or no", "no", "IKEv1 only"),
        key("pull", "yes or no", "yes", "IKEv1 only"),
        key("dscp", "6 binary digits", "000000", "DSCP of IKE packets"),
        key("encap", "yes or no", "no", "whether UDP encapsulation is forced"),
        key("mobike", "yes or no", "yes", "whether MOBIKE is offered"),
        key("dpd_delay", "time", "0s", "interval of liveness checks; 0 for none"),
        key("dpd_timeout", "time", "0s", "IKEv1 only"),
        key("fragmentation", "yes, accept, force, no", "yes", "IKE fragmentation"),
        key("childless", "allow, prefer, force, never", "allow", "IKE SAs without a CHILD SA"),
        key("send_certreq", "yes or no", "yes", "whether certificates are asked for"),
        key("send_cert", "always, ifasked, never", "ifasked", "when own certificates are sent"),
        key("ocsp", "never, reply, request, both", "reply", "OCSP within IKE"),
        key("ppk_id", "identity", "", "id of the post-quantum pre-shared key"),
        key("ppk_required", "yes or no", "no", "whether such a key is indispensable"),
        key("keyingtries", "integer", "1", "rounds of retransmissions when initiating; 0 for ever"),
        key("unique", "never, no, keep, replace", "no", "what becomes of older IKE SAs of the same peer"),
        key("reauth_time", "time", "0s", "time until reauthentication"),
        key("rekey_time", "time", "4h", "time until the IKE SA is rekeyed; 0 if only reauth_time is set"),
        key("over_time", "time", "10 %", "time beyond rekeying or reauthentication after which the IKE SA is closed"),
        key("rand_time", "time", "over_time", "random part by which rekeying comes earlier"),
        key("pools", "list", "", "pools to serve virtual addresses from"),
        key("if_id_in", "integer, %unique, %unique-dir", "0", "XFRM interface id, inbound"),
        key("if_id_out", "integer, %unique, %unique-dir", "0", "XFRM interface id, outbound"),
    ]),
    ("connections.<conn>.local<suffix>, connections.<conn>.remote<suffix>", &[
        key("round", "integer", "0", "order of authentication rounds"),
        key("auth", "text", "pubkey", "psk, pubkey, eap-<method>, or constraints of keys and hashes such as rsa-2048-sha256"),
        key("id", "identity", "", "own: subject of the certificate, else the address; of the peer: any"),
        key("eap_id", "identity", "id", "EAP identity"),
        key("aaa_id", "identity", "id of the peer", "identity of the EAP server"),
        key("certs", "list of files", "", "own certificates, or those the peer may use; below x509"),
        key("cert<suffix>", "section", "", "a certificate by file, or by handle, slot and module"),
        key("pubkeys", "list of files", "", "raw public keys; below pubkey"),
        key("groups", "list", "", "remote: groups, of which the peer must be in one"),
        key("cert_policy", "list", "", "remote: policies, of which the certificate must have one"),
        key("cacerts", "list of files", "", "remote: CAs, one of which must have issued; below x509ca"),
        key("cacert<suffix>", "section", "", "remote: a CA by file, or by handle, slot and module"),
        key("ca_id", "identity", "", "remote: identity of a CA of the chain"),
        key("revocation", "strict, ifuri, relaxed", "relaxed", "remote: how much must be known about revocation"),
    ]),
    ("connections.<conn>.children.<child>", &[
        key("esp_proposals", "list", "default", "proposals of ESP"),
        key("ah_proposals", "list", "", "proposals of AH, instead of ESP unless both are given"),
        key("sha256_96", "yes or no", "no", "whether HMAC-SHA-256 is cut to 96 bits"),
        key("local_ts", "list", "dynamic", "own traffic: net[proto/port]"),
        key("remote_ts", "list", "dynamic", "traffic of the peer"),
        key("rekey_time", "time", "1h", "time until the CHILD SA is rekeyed"),
        key("life_time", "time", "rekey_time + 10 %", "time until it is closed"),
        key("rand_time", "time", "life_time - rekey_time", "random part by which rekeying comes earlier"),
        key("rekey_bytes, rekey_packets", "size, integer", "0", "traffic until it is rekeyed"),
        key("life_bytes, life_packets", "size, integer", "rekey + 10 %", "traffic until it is closed"),
        key("rand_bytes, rand_packets", "size, integer", "life - rekey", "random part"),
        key("updown", "text", "", "command run when it comes and goes"),
        key("hostaccess", "yes or no", "no", "passed to that command"),
        key("mode", "tunnel, transport, beet, pass, drop", "tunnel", "what becomes of the traffic"),
        key("policies", "yes or no", "yes", "whether policies are installed"),
        key("policies_fwd_out", "yes or no", "no", "whether outbound forward policies are installed"),
        key("dpd_action", "clear, trap, start", "clear", "what to do when the peer is gone"),
        key("start_action", "none, trap, start, trap|start", "none", "what to do when it is loaded"),
        key("close_action", "none, trap, start", "none", "what to do when the peer closes it"),
        key("ipcomp", "yes or no", "no", "whether compression is offered"),
        key("inactivity", "time", "0s", "time without traffic after which it is closed"),
        key("reqid", "integer", "0", "fixed reqid; 0 for one of its own"),
        key("priority", "integer", "0", "fixed priority of policies; 0 for a computed one"),
        key("interface", "text", "", "interface to which policies are limited"),
        key("mark_in, mark_out", "mark[/mask]", "0/0", "marks of policies and SAs"),
        key("mark_in_sa", "yes or no", "no", "whether mark_in is set on the inbound SA"),
        key("set_mark_in, set_mark_out", "mark[/mask]", "0/0", "marks set on packets"),
        key("if_id_in, if_id_out", "integer, %unique, %unique-dir", "0", "XFRM interface ids; those of the connection by default"),
        key("label", "text", "", "security label"),
        key("label_mode", "system, simple, selinux", "system", "how labels are used"),
        key("tfc_padding", "integer or mtu", "0", "padding of traffic flow confidentiality"),
        key("replay_window", "packets", "32", "size of the replay window; 0 for none"),
        key("per_cpu_sas", "yes, no, encap", "no", "whether there is an SA for each processor"),
        key("hw_offload", "no, crypto, packet, auto", "no", "offload to the interface"),
        key("copy_df, copy_ecn", "yes or no", "yes", "whether DF and ECN are copied to the outer header"),
        key("copy_dscp", "out, in, yes, no", "out", "in which direction DSCP is copied"),
        key("icmp", "yes or no", "no", "whether ICMP errors are accepted"),
    ]),
    ("secrets.eap<suffix>, secrets.ike<suffix>, secrets.ppk<suffix>", &[
        key("secret", "text", "", "the secret: text, 0x and hexadecimal digits, or 0s and base64"),
        key("id<suffix>", "identity", "", "an owner; without any the secret is for all"),
    ]),
    ("secrets.private<suffix>, secrets.rsa<suffix>, secrets.ecdsa<suffix>, secrets.pkcs8<suffix>, secrets.pkcs12<suffix>", &[
        key("file", "text", "", "name of a file in the directory of that name"),
        key("secret<suffix>", "text", "", "its passphrase"),
    ]),
    ("secrets.token<suffix>", &[
        key("handle", "hexadecimal", "", "id of the key on the token"),
        key("slot", "integer", "", "slot of the token"),
        key("module", "text", "", "module of the token"),
        key("pin", "text", "", "its PIN; asked for if missing"),
    ]),
    ("pools.<name>", &[
        key("addrs", "subnet or range", "", "addresses to hand out"),
        key("dns, nbns, dhcp, netmask, server, subnet, p_cscf, split_include, split_exclude", "list", "", "attributes handed out"),
        key("<number>", "list", "", "an attribute by its number"),
    ]),
    ("authorities.<name>", &[
        key("cacert", "file", "", "certificate of the CA; below x509ca"),
        key("file", "path", "", "its certificate as a file that the daemon reads"),
        key("crl_uris", "list", "", "where its revocation lists are"),
        key("ocsp_uris", "list", "", "where its OCSP responders are"),
        key("cert_uri_base", "text", "", "where certificates are found by their hash"),
    ]),
];
