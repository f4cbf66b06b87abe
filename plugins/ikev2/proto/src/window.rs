//! Message ids (RFC 7296 §2.2, §2.3) with a window of one in each direction.

use charon_crypto::CryptoProvider;
use charon_crypto::hash::HashAlgorithm;
use charon_types::id::MessageId;

/// What to do with a request by its message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next one.
    New,
    /// The last one again.
    Repeated,
    /// Too old or too new.
    OutOfWindow,
}

/// Requests that the peer sends us.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inbound {
    expected: MessageId,
    answered: Option<Answered>,
}

/// The last answer given, kept for repetition.
#[derive(Clone, Debug)]
struct Answered {
    request: Digest,
    datagrams: Vec<Vec<u8>>,
}

/// Tells two datagrams apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digest(Box<[u8]>);

impl Digest {
    /// Of a datagram: the message, or its first fragment. Without a hash the octets themselves do.
    pub(crate) fn of(crypto: &CryptoProvider, datagram: &[u8]) -> Self {
        Self(
            crypto
                .hash(HashAlgorithm::Sha256, &[datagram])
                .map_or_else(|| datagram.into(), Vec::into_boxed_slice),
        )
    }
}

impl Inbound {
    /// Where a request stands.
    pub(crate) fn arrival(&self, id: MessageId) -> Arrival {
        if id == self.expected {
            Arrival::New
        } else if id.next() == self.expected && self.answered.is_some() {
            Arrival::Repeated
        } else {
            Arrival::OutOfWindow
        }
    }

    /// The id of the next request.
    pub(crate) fn expected(&self) -> MessageId {
        self.expected
    }

    /// The expected request was answered with `datagrams`.
    pub(crate) fn answer(&mut self, request: Digest, datagrams: Vec<Vec<u8>>) {
        self.expected = self.expected.next();
        self.answered = Some(Answered { request, datagrams });
    }

    /// The last answer, if `request` is what it answered.
    pub(crate) fn repeat(&self, request: &Digest) -> Option<&[Vec<u8>]> {
        self.answered
            .as_ref()
            .filter(|answered| answered.request == *request)
            .map(|answered| &*answered.datagrams)
    }

    /// The last answer.
    pub(crate) fn last_answer(&self) -> Option<&[Vec<u8>]> {
        self.answered.as_ref().map(|answered| &*answered.datagrams)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(octets: &[u8]) -> Digest {
        Digest(octets.into())
    }

    #[test]
    fn only_the_next_request_is_new_and_only_the_last_one_is_repeated() {
        let mut inbound = Inbound::default();
        assert_eq!(inbound.arrival(MessageId(0)), Arrival::New);
        assert_eq!(inbound.arrival(MessageId(1)), Arrival::OutOfWindow);
        inbound.answer(digest(b"request 0"), vec![b"answer 0".to_vec()]);
        inbound.answer(digest(b"request 1"), vec![b"answer 1".to_vec()]);
        assert_eq!(inbound.arrival(MessageId(0)), Arrival::OutOfWindow);
        assert_eq!(inbound.arrival(MessageId(1)), Arrival::Repeated);
        assert_eq!(inbound.arrival(MessageId(2)), Arrival::New);
    }

    #[test]
    fn an_answer_is_repeated_for_its_own_request_only() {
        let mut inbound = Inbound::default();
        inbound.answer(digest(b"request"), vec![b"answer".to_vec()]);
        assert_eq!(inbound.repeat(&digest(b"request")), Some(&[b"answer".to_vec()][..]));
        assert_eq!(inbound.repeat(&digest(b"forgery")), None);
    }
}
