//! Setting SAs up and taking them down.

use super::{Command, push_some};
use crate::message::Message;
use std::time::Duration;

/// How long a command waits for its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// Until it is known whether it succeeded.
    #[default]
    Forever,
    /// So long, in whole milliseconds; then it fails, though what it began goes on.
    AtMost(Duration),
    /// Not at all: it succeeds when it was begun.
    No,
}

impl Wait {
    fn push(self, message: &mut Message) {
        match self {
            Self::Forever => {}
            // 0 would mean for ever.
            Self::AtMost(time) => message.push("timeout", time.as_millis().max(1).to_string()),
            Self::No => message.push("timeout", "-1"),
        }
    }
}

/// `initiate`: sets up a CHILD_SA, or an IKE_SA without one. Its log is left aside; stream `control-log` for that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Initiate {
    /// Name of the CHILD_SA's configuration; without one the IKE_SA is set up alone.
    pub child: Option<String>,
    /// Name of the connection; needed only without `child`, or if several have such a child.
    pub ike: Option<String>,
    /// How long to wait.
    pub wait: Wait,
}

impl Command for Initiate {
    const NAME: &'static str = "initiate";
    type Reply = ();

    fn message(&self) -> Message {
        let mut message = Message::new();
        push_some(&mut message, "child", self.child.as_ref());
        push_some(&mut message, "ike", self.ike.as_ref());
        self.wait.push(&mut message);
        message
    }

    fn reply(_: &Message) -> Option<()> {
        Some(())
    }
}

/// `terminate`: takes SAs down, those that all given names and numbers fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terminate {
    /// Name of CHILD_SAs.
    pub child: Option<String>,
    /// Name of IKE_SAs.
    pub ike: Option<String>,
    /// Unique number of a CHILD_SA.
    pub child_id: Option<u32>,
    /// Unique number of an IKE_SA.
    pub ike_id: Option<u32>,
    /// How long to wait for the peer.
    pub wait: Wait,
}

/// How many SAs were meant, and how many are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminated {
    /// SAs that fit.
    pub matches: u32,
    /// Those of them that were taken down.
    pub terminated: u32,
}

impl Command for Terminate {
    const NAME: &'static str = "terminate";
    type Reply = Terminated;

    fn message(&self) -> Message {
        let mut message = selected(&self.child, &self.ike, self.child_id, self.ike_id);
        self.wait.push(&mut message);
        message
    }

    fn reply(message: &Message) -> Option<Terminated> {
        let count = |name| message.text(name)?.parse().ok();
        Some(Terminated { matches: count("matches")?, terminated: count("terminated")? })
    }
}

/// `rekey`: begins to rekey SAs and does not wait; the reply is how many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rekey {
    /// Name of CHILD_SAs.
    pub child: Option<String>,
    /// Name of IKE_SAs.
    pub ike: Option<String>,
    /// Unique number of a CHILD_SA.
    pub child_id: Option<u32>,
    /// Unique number of an IKE_SA.
    pub ike_id: Option<u32>,
}

impl Command for Rekey {
    const NAME: &'static str = "rekey";
    type Reply = u32;

    fn message(&self) -> Message {
        selected(&self.child, &self.ike, self.child_id, self.ike_id)
    }

    fn reply(message: &Message) -> Option<u32> {
        message.text("matches")?.parse().ok()
    }
}

fn selected(
    child: &Option<String>,
    ike: &Option<String>,
    child_id: Option<u32>,
    ike_id: Option<u32>,
) -> Message {
    let mut message = Message::new();
    push_some(&mut message, "child", child.as_ref());
    push_some(&mut message, "ike", ike.as_ref());
    push_some(&mut message, "child-id", child_id);
    push_some(&mut message, "ike-id", ike_id);
    message
}
