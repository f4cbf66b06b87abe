//! Recordings that need something that is not built yet. When it is, the run fails until the entry is taken off.

use vici::Message;

use crate::daemon::Daemon;

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Something behind the server; when it is there, the recording passes.
    Behind(&'static str),
    /// A list of a connection, with an item that is refused until then.
    List(&'static str, &'static str),
    /// A key of a child, with a value that is refused until then.
    ChildKey(&'static str, &'static str),
}

impl Missing {
    /// Whether it is there after all.
    pub(crate) async fn is_built(self, daemon: &Daemon) -> bool {
        let mut client = daemon.connect().await;
        let connection = |content: &Message| Message::new().with_section("probe", content);
        let message = match self {
            Self::Behind(_) => return false,
            Self::List(key, item) => connection(&Message::new().with_list(key, [item])),
            Self::ChildKey(key, value) => {
                let child = Message::new().with_section("c", &Message::new().with(key, value));
                connection(&Message::new().with_section("children", &child))
            }
        };
        client.request("load-conn", &message).await.text("success") == Some("yes")
    }
}

/// The recordings, by name.
pub(crate) const MISSING: &[(&str, Missing)] = &[
    ("child-actions", Missing::ChildKey("mode", "transport_proxy")),
    ("list-certs-responder", Missing::Behind("certificates of peers are not kept beyond their exchange")),
    ("strongswan-6.0.1-initiate-multi-ke-ecp384", MULTI_KE),
    ("strongswan-6.0.1-initiate-multi-ke-mlkem768", MULTI_KE),
    ("strongswan-6.0.1-list-sas-after-rekey-multi-ke-ecp384", MULTI_KE),
    ("strongswan-6.0.1-list-sas-after-rekey-multi-ke-mlkem768", MULTI_KE),
    ("strongswan-6.0.1-list-sas-multi-ke-ecp384", MULTI_KE),
    ("strongswan-6.0.1-list-sas-multi-ke-mlkem768", MULTI_KE),
    ("strongswan-6.0.1-list-sas-responder-multi-ke-ecp384", MULTI_KE),
    ("strongswan-6.0.1-list-sas-responder-multi-ke-mlkem768", MULTI_KE),
    ("strongswan-6.0.1-load-conn-mlkem-proposals", MULTI_KE),
    ("strongswan-6.0.1-load-conn-multi-ke-ecp384", MULTI_KE),
    ("strongswan-6.0.1-load-conn-multi-ke-mlkem768", MULTI_KE),
    ("strongswan-6.0.1-rekey-child-multi-ke-ecp384", MULTI_KE),
    ("strongswan-6.0.1-rekey-child-multi-ke-mlkem768", MULTI_KE),
    ("strongswan-6.0.1-rekey-ike-multi-ke-ecp384", MULTI_KE),
    ("strongswan-6.0.1-rekey-ike-multi-ke-mlkem768", MULTI_KE),
];

/// Key exchanges beyond the first (RFC 9370).
const MULTI_KE: Missing = Missing::List("proposals", "aes256gcm16-prfsha384-x25519-ke1_ecp384");

/// Recordings that are answered differently on purpose, with the difference.
pub(crate) const DIFFERENT: &[(&str, &str)] = &[
    ("bool-spellings", "a child with life_time alone is rekeyed before it, as since strongSwan 6"),
    ("no-reply-unencodable", "an answer that does not fit is replaced by one that does, not withheld"),
    ("list-policy-name-too-long", "no packet is malformed: the event is left out"),
    ("get-algorithms", "the algorithms are others"),
    ("strongswan-6.0.1-get-algorithms", "the algorithms are others"),
    ("strongswan-6.0.1-get-algorithms-ml", "the algorithms are others"),
];
