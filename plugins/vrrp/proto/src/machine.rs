//! The state machine (RFC 9568 §6.4) as a total function.
//!
//! ```text
//!                 owner                              others
//!        +----------------------+   Startup   +-------------------+
//!        |                 +----------------------+               |
//!        |                 |      Initialize      |               |
//!        |                 +----------------------+               |
//!        v                  ^ Shutdown  Shutdown ^                v
//!   +----------+            |                    |          +----------+
//!   |  Active  | -----------+                    +--------- |  Backup  |
//!   +----------+                                            +----------+
//!        |   higher priority, or the same and a higher address   ^  |
//!        +-------------------------------------------------------+  |
//!        ^                      Active_Down_Timer                   |
//!        +----------------------------------------------------------+
//! ```

use std::cmp::Ordering;
use std::fmt;

use crate::id::Priority;

/// Role of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Not started, stopped, or held back by its interface or something tracked.
    Initialize,
    /// Listening.
    Backup,
    /// Forwarding and advertising.
    Active,
}

impl State {
    /// `init`, `backup`, `active`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initialize => "init",
            Self::Backup => "backup",
            Self::Active => "active",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that a machine reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It may run.
    Startup,
    /// It may no longer run.
    Shutdown,
    /// Active_Down_Timer.
    DownTimer,
    /// Adver_Timer.
    AdvertTimer,
    /// An advertisement that passed all checks.
    Heard {
        /// Its priority.
        priority: Priority,
        /// The sender's address compared with our primary one.
        sender: Ordering,
    },
    /// The sync group takes over.
    Promote,
    /// The sync group gives up.
    Demote,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing.
    Stay,
    /// Become Active.
    TakeOver,
    /// Become Backup.
    StandBy,
    /// Become Backup because of what was heard.
    Yield,
    /// Become Initialize.
    Leave,
    /// An Active router is there: it counts as heard.
    Follow,
    /// The Active router leaves: Skew_Time is left.
    AwaitSkew,
    /// Advertise, and again after the interval.
    Advertise,
    /// Advertise, because somebody of lower priority does.
    Assert,
}

/// What the decision depends on beside the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Our effective priority.
    pub(crate) own: Priority,
    /// Whether we take over from a lower priority.
    pub(crate) preempts: bool,
}

/// The table.
pub(crate) fn decide(state: State, event: Event, facts: Facts) -> Decision {
    match (state, event) {
        (State::Initialize, Event::Startup) if facts.own.is_owner() => Decision::TakeOver,
        (State::Initialize, Event::Startup) => Decision::StandBy,
        (
            State::Initialize,
            Event::Shutdown
            | Event::DownTimer
            | Event::AdvertTimer
            | Event::Heard { .. }
            | Event::Promote
            | Event::Demote,
        ) => Decision::Stay,

        (State::Backup, Event::Startup | Event::AdvertTimer | Event::Demote) => Decision::Stay,
        (State::Backup, Event::Shutdown) => Decision::Leave,
        (State::Backup, Event::DownTimer | Event::Promote) => Decision::TakeOver,
        (State::Backup, Event::Heard { priority: Priority::LEAVE, .. }) => Decision::AwaitSkew,
        (State::Backup, Event::Heard { priority, .. }) if !facts.preempts || priority >= facts.own => {
            Decision::Follow
        }
        (State::Backup, Event::Heard { .. }) => Decision::Stay,

        (State::Active, Event::Startup | Event::DownTimer | Event::Promote) => Decision::Stay,
        (State::Active, Event::Shutdown) => Decision::Leave,
        (State::Active, Event::Demote) => Decision::StandBy,
        (State::Active, Event::AdvertTimer | Event::Heard { priority: Priority::LEAVE, .. }) => {
            Decision::Advertise
        }
        (State::Active, Event::Heard { priority, sender }) => match (priority.cmp(&facts.own), sender) {
            (Ordering::Greater, _) | (Ordering::Equal, Ordering::Greater) => Decision::Yield,
            // A loop or a duplicate address; an answer would go on for ever.
            (Ordering::Equal, Ordering::Equal) => Decision::Stay,
            (Ordering::Equal, Ordering::Less) | (Ordering::Less, _) => Decision::Assert,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(priority: u8, sender: Ordering) -> Event {
        Event::Heard { priority: Priority(priority), sender }
    }

    #[test]
    fn every_state_and_event_has_the_decision_of_the_rfc() {
        use Decision::*;
        let preempting = Facts { own: Priority(100), preempts: true };
        // Events in columns: Startup, Shutdown, DownTimer, AdvertTimer, Promote, Demote, then advertisements of
        // priority 0, 50, 100 from below, 100 from ourselves, 100 from above, 150.
        let events = [
            Event::Startup,
            Event::Shutdown,
            Event::DownTimer,
            Event::AdvertTimer,
            Event::Promote,
            Event::Demote,
            heard(0, Ordering::Greater),
            heard(50, Ordering::Greater),
            heard(100, Ordering::Less),
            heard(100, Ordering::Equal),
            heard(100, Ordering::Greater),
            heard(150, Ordering::Less),
        ];
        let table = [
            (State::Initialize, [StandBy, Stay, Stay, Stay, Stay, Stay, Stay, Stay, Stay, Stay, Stay, Stay]),
            (
                State::Backup,
                [
                    Stay, Leave, TakeOver, Stay, TakeOver, Stay, AwaitSkew, Stay, Follow, Follow, Follow,
                    Follow,
                ],
            ),
            (
                State::Active,
                [Stay, Leave, Stay, Advertise, Stay, StandBy, Advertise, Assert, Assert, Stay, Yield, Yield],
            ),
        ];
        for (state, decisions) in table {
            for (event, decision) in events.into_iter().zip(decisions) {
                assert_eq!(decide(state, event, preempting), decision, "{state:?} {event:?}");
            }
        }
        let patient = Facts { preempts: false, ..preempting };
        assert_eq!(decide(State::Backup, heard(50, Ordering::Less), patient), Follow);
        let owner = Facts { own: Priority::OWNER, preempts: true };
        assert_eq!(decide(State::Initialize, Event::Startup, owner), TakeOver);
    }
}
