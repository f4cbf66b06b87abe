//! What was said already, so that a flood of packets is not a flood of lines.

use std::time::{Duration, Instant};

use crate::output::Notice;
use crate::receive::Rejection;

/// How long the same is not said again.
const SILENCE: Duration = Duration::from_secs(60);
const NOTICES: usize = 4;

/// When each thing was said last.
#[derive(Clone, Debug)]
pub(crate) struct Quiet([Option<Instant>; Rejection::KINDS + NOTICES]);

impl Quiet {
    pub(crate) const fn new() -> Self {
        Self([None; Rejection::KINDS + NOTICES])
    }

    pub(crate) fn may_say_rejection(&mut self, rejection: &Rejection, now: Instant) -> bool {
        self.may_say(rejection.kind(), now)
    }

    /// Notices that repeat with every packet; the others are always said.
    pub(crate) fn may_say_notice(&mut self, notice: &Notice, now: Instant) -> bool {
        let kind = match notice {
            Notice::SecondOwner { .. } => 0,
            Notice::IntervalDiffers { .. } => 1,
            Notice::AddressesDiffer { .. } => 2,
            Notice::LowerPriorityHeard { .. } => 3,
            Notice::ChecksumForm { .. } | Notice::PriorityChanged { .. } | Notice::ActiveRouter { .. } => {
                return true;
            }
        };
        self.may_say(Rejection::KINDS + kind, now)
    }

    fn may_say(&mut self, kind: usize, now: Instant) -> bool {
        let last = &mut self.0[kind];
        let silent = last.is_some_and(|at| now.saturating_duration_since(at) < SILENCE);
        if !silent {
            *last = Some(now);
        }
        !silent
    }
}
