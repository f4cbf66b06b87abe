//! What a shell does about an IKE_SA that another one is to replace: one that the peer establishes anew, one of two that cross.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use charon_types::connection::ChildConfig;
use charon_types::id::{Role, UniqueId};
use ikev2_proto::env::Now;
use ikev2_proto::ike_sa::{Command, Force};
use ikev2_proto::output::CommandToken;
use ikev2_proto::uniqueness::Origin;

use crate::host::Host;

/// How long the peer has to delete it itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the peer has to create the children of an IKE_SA that it has begun.
const SETTLING: Duration = Duration::from_secs(2);

/// An older IKE_SA that the peer seems to establish anew.
pub struct Duplicate {
    /// When it is deleted.
    pub at: Instant,
    old: Origin,
    new: Origin,
}

impl Duplicate {
    /// The new one is established now.
    #[must_use]
    pub fn new(now: Now, old: Origin, new: Origin) -> Self {
        Self { at: now.mono + PATIENCE, old, new }
    }
}

/// One of two that cross is to go.
pub struct Crossing {
    goes_on: Instant,
    loser: Origin,
    winner: Origin,
    step: Step,
    /// The command whose outcome is awaited.
    awaits: Option<CommandToken>,
}

enum Step {
    Wait,
    Check,
    Settle,
    Fill(VecDeque<Arc<ChildConfig>>),
    Mute,
    Refill(VecDeque<Arc<ChildConfig>>),
}

impl Crossing {
    /// The second of them is established now.
    #[must_use]
    pub fn new(now: Now, loser: Origin, winner: Origin) -> Self {
        let delay = if loser.role == Role::Responder { PATIENCE } else { Duration::ZERO };
        Self { goes_on: now.mono + delay, loser, winner, step: Step::Wait, awaits: None }
    }

    /// When it goes on by itself.
    #[must_use]
    pub fn next_timer(&self) -> Option<Instant> {
        matches!(self.step, Step::Wait | Step::Settle).then_some(self.goes_on)
    }
}

impl Host {
    /// Deletes duplicates whose time is over.
    pub(crate) fn end_duplicates(&mut self, now: Now) {
        let over: Vec<_> = self.duplicates.extract_if(.., |duplicate| duplicate.at <= now.mono).collect();
        for duplicate in over {
            if let (Some(old), Some(_)) = (self.current(duplicate.old), self.current(duplicate.new)) {
                self.order(now, old, |token| Command::TerminateIke { force: Force::Polite, token });
            }
        }
    }

    /// Goes on with every crossing whose last command has ended. Whether anything was begun.
    pub(crate) fn go_on_crossing(&mut self, now: Now) -> bool {
        let mut went_on = false;
        for crossing in std::mem::take(&mut self.crossings) {
            let waits = crossing.awaits.is_some_and(|token| self.awaits(token))
                || crossing.next_timer().is_some_and(|goes_on| goes_on > now.mono);
            if waits {
                self.crossings.push(crossing);
                continue;
            }
            went_on = true;
            let next = self.next_of(now, crossing);
            self.crossings.extend(next);
        }
        went_on
    }

    fn next_of(&mut self, now: Now, mut crossing: Crossing) -> Option<Crossing> {
        let loser = self.current(crossing.loser)?;
        let Some(winner) = self.current(crossing.winner) else {
            // Nothing is sent on it any more: it cannot stay.
            if matches!(crossing.step, Step::Mute | Step::Refill(_)) {
                self.order(now, loser, |token| Command::TerminateIke { force: Force::Polite, token });
            }
            return None;
        };
        let failed = crossing.awaits.is_some_and(|token| matches!(self.outcome(token), Some(Err(_))));
        let check = |token| Command::CheckLiveness { token };
        let mute = |token| Command::Mute { token };
        (crossing.step, crossing.awaits) = match crossing.step {
            Step::Check | Step::Fill(_) | Step::Mute if failed => return None,
            Step::Wait => (Step::Check, self.order(now, winner, check)),
            Step::Check if !self.missing(now, loser, winner).is_empty() => {
                crossing.goes_on = now.mono + SETTLING;
                (Step::Settle, None)
            }
            Step::Check | Step::Settle => (Step::Fill(self.missing(now, loser, winner)), None),
            Step::Fill(mut missing) => match missing.pop_front() {
                Some(child) => {
                    let create = |token| Command::InitiateChild { child, token };
                    (Step::Fill(missing), self.order(now, winner, create))
                }
                None => (Step::Mute, self.order(now, loser, mute)),
            },
            Step::Mute => (Step::Refill(self.missing(now, loser, winner)), None),
            Step::Refill(mut missing) => match missing.pop_front() {
                Some(child) => {
                    let create = |token| Command::InitiateChild { child, token };
                    (Step::Refill(missing), self.order(now, winner, create))
                }
                None => {
                    self.order(now, loser, |token| Command::TerminateIke { force: Force::Polite, token });
                    return None;
                }
            },
        };
        Some(crossing)
    }

    /// Children of one IKE_SA that the other has none like.
    fn missing(&self, now: Now, loser: UniqueId, winner: UniqueId) -> VecDeque<Arc<ChildConfig>> {
        let names = |sa: UniqueId| {
            let found = self.position(sa).map(|at| self.sas()[at].snapshot(now.mono).children);
            found.unwrap_or_default().into_iter().map(|child| child.name).collect::<Vec<_>>()
        };
        let there = names(winner);
        let connection = self.position(loser).and_then(|at| self.sas()[at].connection());
        let config = |name: &Arc<str>| connection?.child(name).map(Arc::clone);
        names(loser).iter().filter(|name| !there.contains(name)).filter_map(config).collect()
    }

    /// The IKE_SA that came to be so, or its heir.
    fn current(&self, origin: Origin) -> Option<UniqueId> {
        let established = self.world.established.borrow();
        established.iter().find(|known| known.origin == origin).map(|known| known.unique_id)
    }
}
