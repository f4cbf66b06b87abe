//! What is loaded into the daemon: connections and shared secrets.

use super::{Command, push_some};
use crate::message::Message;
use std::fmt;

/// `load-conn`: loads a connection or replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadConn {
    /// Its name.
    pub name: String,
    /// Its keys, with lists as lists.
    pub connection: Message,
}

/// `unload-conn`: forgets a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnloadConn {
    /// Its name.
    pub name: String,
}

/// `get-conns`: the names of the connections loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GetConns;

/// `load-shared`: loads a shared secret or replaces it.
#[derive(Clone, PartialEq, Eq)]
pub struct LoadShared {
    /// A name of its own, by which it can be unloaded.
    pub id: Option<String>,
    /// What it is for.
    pub kind: SharedKind,
    /// The secret.
    pub secret: Vec<u8>,
    /// Identities of those who share it; without any it is for all.
    pub owners: Vec<String>,
}

/// What a shared secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SharedKind {
    /// Authentication of IKE peers.
    Ike,
    /// A password of EAP or XAuth.
    Eap,
    /// An NT hash of 16 bytes.
    Ntlm,
    /// A post-quantum pre-shared key (RFC 8784).
    Ppk,
}

/// `unload-shared`: forgets a shared secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnloadShared {
    /// The name under which it was loaded.
    pub id: String,
}

/// `get-shared`: the names of the shared secrets loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GetShared;

impl Command for LoadConn {
    const NAME: &'static str = "load-conn";
    type Reply = ();

    fn message(&self) -> Message {
        Message::new().with_section(&self.name, &self.connection)
    }

    fn reply(_: &Message) -> Option<()> {
        Some(())
    }
}

impl Command for UnloadConn {
    const NAME: &'static str = "unload-conn";
    type Reply = ();

    fn message(&self) -> Message {
        Message::new().with("name", &self.name)
    }

    fn reply(_: &Message) -> Option<()> {
        Some(())
    }
}

impl Command for GetConns {
    const NAME: &'static str = "get-conns";
    type Reply = Vec<String>;

    fn message(&self) -> Message {
        Message::new()
    }

    fn reply(message: &Message) -> Option<Vec<String>> {
        names(message, "conns")
    }
}

impl Command for LoadShared {
    const NAME: &'static str = "load-shared";
    type Reply = ();

    fn message(&self) -> Message {
        let kind = match self.kind {
            SharedKind::Ike => "ike",
            SharedKind::Eap => "eap",
            SharedKind::Ntlm => "ntlm",
            SharedKind::Ppk => "ppk",
        };
        let mut message = Message::new();
        push_some(&mut message, "id", self.id.as_ref());
        message.push("type", kind);
        message.push("data", &self.secret);
        message.push_list("owners", &self.owners);
        message
    }

    fn reply(_: &Message) -> Option<()> {
        Some(())
    }
}

/// Without the secret.
impl fmt::Debug for LoadShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadShared")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("owners", &self.owners)
            .finish_non_exhaustive()
    }
}

impl Command for UnloadShared {
    const NAME: &'static str = "unload-shared";
    type Reply = ();

    fn message(&self) -> Message {
        Message::new().with("id", &self.id)
    }

    fn reply(_: &Message) -> Option<()> {
        Some(())
    }
}

impl Command for GetShared {
    const NAME: &'static str = "get-shared";
    type Reply = Vec<String>;

    fn message(&self) -> Message {
        Message::new()
    }

    fn reply(message: &Message) -> Option<Vec<String>> {
        names(message, "keys")
    }
}

fn names(message: &Message, list: &str) -> Option<Vec<String>> {
    Some(message.root().list(list)?.texts().map(str::to_owned).collect())
}
