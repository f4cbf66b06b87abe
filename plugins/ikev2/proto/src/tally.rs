//! What an IKE_SA received and sent since its shell last asked, for counters.

use crate::wire::{ExchangeType, MessageKind};

/// A set of facts; each happens at most once in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally(u32);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tallied {
    /// A message was received (decrypted, and no repetition) or sent (for the first time).
    Message {
        /// Its exchange: one of the four of RFC 7296.
        exchange: ExchangeType,
        /// Request or response.
        kind: MessageKind,
        /// Received or sent.
        way: Way,
    },
    /// A message could not be understood.
    Invalid,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Received.
    In,
    /// Sent.
    Out,
}

impl Tally {
    pub(crate) fn note_message(&mut self, exchange: ExchangeType, kind: MessageKind, way: Way) {
        let bit = MESSAGES.iter().position(|message| *message == (exchange, way, kind));
        self.0 |= bit.map_or(0, |bit| 1 << bit);
    }

    pub(crate) fn note_invalid(&mut self) {
        self.0 |= 1 << MESSAGES.len();
    }

    /// The facts.
    pub fn iter(self) -> impl Iterator<Item = Tallied> {
        let messages = MESSAGES.iter().enumerate().filter(move |(bit, _)| self.0 & (1 << bit) != 0);
        let messages = messages.map(|(_, &(exchange, way, kind))| Tallied::Message { exchange, kind, way });
        messages.chain((self.0 & (1 << MESSAGES.len()) != 0).then_some(Tallied::Invalid))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What each bit stands for.
const MESSAGES: [(ExchangeType, Way, MessageKind); 16] = {
    use MessageKind::{Request, Response};
    use Way::{In, Out};
    [
        (ExchangeType::IKE_SA_INIT, In, Request),
        (ExchangeType::IKE_SA_INIT, In, Response),
        (ExchangeType::IKE_SA_INIT, Out, Request),
        (ExchangeType::IKE_SA_INIT, Out, Response),
        (ExchangeType::IKE_AUTH, In, Request),
        (ExchangeType::IKE_AUTH, In, Response),
        (ExchangeType::IKE_AUTH, Out, Request),
        (ExchangeType::IKE_AUTH, Out, Response),
        (ExchangeType::CREATE_CHILD_SA, In, Request),
        (ExchangeType::CREATE_CHILD_SA, In, Response),
        (ExchangeType::CREATE_CHILD_SA, Out, Request),
        (ExchangeType::CREATE_CHILD_SA, Out, Response),
        (ExchangeType::INFORMATIONAL, In, Request),
        (ExchangeType::INFORMATIONAL, In, Response),
        (ExchangeType::INFORMATIONAL, Out, Request),
        (ExchangeType::INFORMATIONAL, Out, Response),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_told_once() {
        let mut tally = Tally::default();
        assert!(tally.is_empty());
        for _ in 0..2 {
            tally.note_message(ExchangeType::IKE_AUTH, MessageKind::Response, Way::Out);
        }
        tally.note_message(ExchangeType(43), MessageKind::Request, Way::In);
        tally.note_invalid();
        let message =
            Tallied::Message { exchange: ExchangeType::IKE_AUTH, kind: MessageKind::Response, way: Way::Out };
        assert_eq!(tally.iter().collect::<Vec<_>>(), [message, Tallied::Invalid]);
    }
}
