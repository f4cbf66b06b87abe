//! The plugins that are linked in.

use charon_core::plugin::{Necessity, Plugin};
use charon_vici::Address;

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Algorithms.
    Crypto,
    /// IPsec, addresses, routes.
    Kernel,
    /// IKE.
    Ike,
    /// What follows SAs: scripts.
    Follower,
    /// Configuration and control.
    Control,
    /// For tests and benches; only by name.
    Test,
}

/// A plugin of ours.
pub(crate) struct Own {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    make: fn(Option<&Address>) -> Box<dyn Plugin>,
}

/// All of them, in default order. The order of kernel backends is the order in which they are tried.
pub(crate) const TABLE: &[Own] = &[
    Own { name: "crypto-aws-lc", kind: Kind::Crypto, make: |_| Box::new(charon_crypto_aws_lc::AwsLc) },
    Own { name: "crypto-ring", kind: Kind::Crypto, make: |_| Box::new(charon_crypto_ring::Ring) },
    Own {
        name: "kernel-netlink",
        kind: Kind::Kernel,
        make: |_| Box::new(charon_kernel_netlink::KernelNetlinkPlugin),
    },
    Own {
        name: "kernel-pfkey",
        kind: Kind::Kernel,
        make: |_| Box::new(charon_kernel_pfkey::KernelPfkeyPlugin),
    },
    Own {
        name: "kernel-libipsec",
        kind: Kind::Kernel,
        make: |_| Box::new(charon_kernel_libipsec::KernelLibipsecPlugin),
    },
    Own { name: "kernel-null", kind: Kind::Test, make: |_| Box::new(charon_kernel_null::KernelNullPlugin) },
    // Before what ends the SAs: its scripts hear of that.
    Own { name: "updown", kind: Kind::Follower, make: |_| Box::new(charon_updown::Updown) },
    Own { name: "ikev2", kind: Kind::Ike, make: |_| Box::new(charon_ikev2::Ikev2) },
    Own { name: "vrrp", kind: Kind::Ike, make: |_| Box::new(charon_vrrp::Vrrp) },
    Own { name: "http-api", kind: Kind::Ike, make: |_| Box::new(charon_http_api::HttpApi) },
    Own { name: "vici", kind: Kind::Control, make: |socket| Box::new(vici_plugin(socket)) },
];

/// Plugins of strongSwan whose work is done here in another way, or is not done and harms nobody by its absence.
pub(crate) const STRONGSWAN: &[&str] = &[
    "aes",
    "aesni",
    "attr",
    "blowfish",
    "ccm",
    "chapoly",
    "cmac",
    "connmark",
    "constraints",
    "counters",
    "ctr",
    "curl",
    "curve25519",
    "des",
    "drbg",
    "eap-identity",
    "eap-md5",
    "eap-mschapv2",
    "eap-tls",
    "fips-prf",
    "gcm",
    "gcrypt",
    "gmp",
    "hmac",
    "kdf",
    "md4",
    "md5",
    "mgf1",
    "ml",
    "nonce",
    "openssl",
    "pem",
    "pgp",
    "pkcs1",
    "pkcs11",
    "pkcs12",
    "pkcs7",
    "pkcs8",
    "pubkey",
    "random",
    "rc2",
    "rdrand",
    "resolve",
    "revocation",
    "sha1",
    "sha2",
    "sha3",
    "socket-default",
    "socket-dynamic",
    "sshkey",
    "dnskey",
    "stroke",
    "test-vectors",
    "x509",
    "xcbc",
    "xauth-generic",
    "agent",
    "bypass-lan",
    "farp",
    "lookip",
    "error-notify",
    "acert",
    "af-alg",
    "addrblock",
    "forecast",
    "ha",
    "led",
    "unity",
    "dhcp",
    "eap-aka",
    "eap-dynamic",
    "eap-gtc",
    "eap-radius",
    "eap-ttls",
    "eap-peap",
    "tnc-tnccs",
    "curve448",
    "mysql",
    "sqlite",
    "sql",
    "ldap",
    "unbound",
    "systime-fix",
    "radattr",
    "coupling",
    "certexpire",
    "whitelist",
    "ext-auth",
    "ntru",
    "bliss",
    "newhope",
    "soup",
];

/// The plugin of that name.
pub(crate) fn named(name: &str) -> Option<&'static Own> {
    TABLE.iter().find(|own| own.name == name)
}

/// Makes the chosen plugins, in order.
pub(crate) fn instances(
    chosen: &[(&'static str, Necessity)],
    socket: Option<&Address>,
) -> Vec<(Box<dyn Plugin>, Necessity)> {
    chosen.iter().filter_map(|(name, necessity)| Some(((named(name)?.make)(socket), *necessity))).collect()
}

fn vici_plugin(socket: Option<&Address>) -> charon_vici::Vici {
    charon_vici::Vici { socket: charon_vici::SocketOverride(socket.cloned()) }
}
