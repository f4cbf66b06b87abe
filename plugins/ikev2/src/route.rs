//! Which shard a message belongs to, by arithmetic on its header.

use std::hash::{BuildHasher, RandomState};

use charon_types::{EspSpi, IkeSpi};

/// Octets of an IKE header (RFC 7296 §3.1).
pub(crate) const HEADER_LEN: usize = 28;
/// Set when the sender is the original initiator of the IKE_SA.
const FLAG_INITIATOR: u8 = 0x08;
const FLAG_RESPONSE: u8 = 0x20;
const EXCHANGE_IKE_SA_INIT: u8 = 34;

/// Most shards that there can be; the low bits of our SPIs name one.
pub(crate) const SHARDS_MAX: usize = 16;

/// Where in a shard a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// To the IKE_SA with this SPI of ours.
    Sa(IkeSpi),
    /// It wants a new IKE_SA, or repeats that wish: a keyed hash of the whole message tells repetitions of one request from
    /// other requests, whatever their SPIs (RFC 7296 §2.1).
    FirstRequest(u64),
}

/// Keyed hashes of requests that have no SPI of ours yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Router {
    hasher: RandomState,
}

impl Router {
    /// Picks the shard of a request; the same when it comes again with a cookie.
    #[must_use]
    pub(crate) fn home(&self, initiator: IkeSpi) -> u64 {
        self.hasher.hash_one(initiator)
    }

    /// The destination of a request. Reads it to its end, which only what is taken seriously is worth.
    #[must_use]
    pub(crate) fn first_request(&self, message: &[u8]) -> Destination {
        Destination::FirstRequest(self.hasher.hash_one(message))
    }
}

/// Whom a message is for, by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addressee {
    /// Whoever chose this SPI.
    Sa(IkeSpi),
    /// It is the first request of whoever chose this SPI.
    Anybody(IkeSpi),
    /// Too short, or for no SPI of anybody.
    Nobody,
}

impl Addressee {
    /// Peeks at the header.
    #[must_use]
    pub(crate) fn of(message: &[u8]) -> Self {
        let Some((spis, rest)) = message.split_first_chunk::<16>() else { return Self::Nobody };
        if message.len() < HEADER_LEN {
            return Self::Nobody;
        }
        let (exchange, flags) = (rest[2], rest[3]);
        let spi = |at: usize| spis[at..at + 8].try_into().ok().and_then(IkeSpi::from_be_bytes);
        let (initiator, responder) = (spi(0), spi(8));
        // The SPI that we chose is the one of the role that the sender does not have.
        let ours = if flags & FLAG_INITIATOR == 0 { initiator } else { responder };
        match (ours, initiator) {
            (Some(spi), _) => Self::Sa(spi),
            (None, Some(initiator)) if exchange == EXCHANGE_IKE_SA_INIT && flags & FLAG_RESPONSE == 0 => {
                Self::Anybody(initiator)
            }
            (None, _) => Self::Nobody,
        }
    }
}

/// Our SPIs: 48 random bits, whose remainder names the shard, and 16 that are a keyed hash of them. So what is sent to an SPI
/// that nobody gave is told from what concerns an IKE_SA, all but one time in 65,536, without a look at the IKE_SAs.
#[derive(Clone, Debug)]
pub(crate) struct SpiSpace {
    shards: u64,
    hasher: RandomState,
}

/// Bits of an SPI that are the hash of the others.
const TAG_BITS: u32 = 16;

impl SpiSpace {
    /// For that many shards, 1 to [`SHARDS_MAX`].
    ///
    /// # Panics
    /// Outside that range.
    #[must_use]
    pub(crate) fn new(shards: usize) -> Self {
        assert!((1..=SHARDS_MAX).contains(&shards), "1 to 16 shards");
        Self { shards: shards as u64, hasher: RandomState::new() }
    }

    /// The shard that an SPI names; `None` for one that we did not choose.
    #[must_use]
    pub(crate) fn shard(&self, spi: IkeSpi) -> Option<usize> {
        let (body, tag) = (spi.0.get() >> TAG_BITS, spi.0.get() & TAG_MASK);
        (tag == self.tag(body))
            .then(|| usize::try_from(body % self.shards).expect("a remainder below 16 fits"))
    }

    /// The shard of a request that has no SPI of ours yet.
    #[must_use]
    pub(crate) fn shard_of_init(&self, home: u64) -> usize {
        usize::try_from(home % self.shards).expect("a remainder below 16 fits")
    }

    /// An SPI for a shard from random octets.
    #[must_use]
    pub(crate) fn spi(&self, shard: usize, random: u64) -> IkeSpi {
        // Not the first and the last ones, so that the sum neither vanishes nor overflows.
        let random =
            (random >> TAG_BITS).clamp(SHARDS_MAX as u64 * 2, (u64::MAX >> TAG_BITS) - SHARDS_MAX as u64);
        let body = random - random % self.shards + shard as u64;
        let number = body << TAG_BITS | self.tag(body);
        IkeSpi(std::num::NonZeroU64::new(number).expect("its upper bits are more than zero"))
    }

    fn tag(&self, body: u64) -> u64 {
        self.hasher.hash_one(body) & TAG_MASK
    }
}

const TAG_MASK: u64 = (1 << TAG_BITS) - 1;

/// SPIs of CHILD_SAs: each shard has a range of its own, so that the kernel's events find their way by arithmetic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EspSpiSpace {
    min: u32,
    width: u32,
    shards: u32,
}

impl EspSpiSpace {
    /// Divides `min` to `max`, inclusive; a remainder at the top stays unused.
    pub(crate) fn new(min: u32, max: u32, shards: usize) -> Self {
        let shards = u32::try_from(shards).expect("there are at most 16 shards");
        Self { min, width: (max.saturating_sub(min) / shards).max(1), shards }
    }

    /// First and last SPI of a shard.
    pub(crate) fn range(self, shard: usize) -> (u32, u32) {
        let shard = u32::try_from(shard).expect("there are at most 16 shards");
        let first = self.min.saturating_add(shard.saturating_mul(self.width));
        (first, first.saturating_add(self.width - 1))
    }

    /// The shard of an SPI, `None` for one that is not ours.
    pub(crate) fn shard(self, spi: EspSpi) -> Option<usize> {
        let shard = spi.get().checked_sub(self.min)? / self.width;
        (shard < self.shards).then(|| usize::try_from(shard).expect("a number below 16 fits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(initiator: u64, responder: u64, exchange: u8, flags: u8) -> Vec<u8> {
        let mut message = Vec::new();
        message.extend_from_slice(&initiator.to_be_bytes());
        message.extend_from_slice(&responder.to_be_bytes());
        message.extend_from_slice(&[0, 0x20, exchange, flags, 0, 0, 0, 0, 0, 0, 0, 28]);
        message
    }

    fn spi(number: u64) -> IkeSpi {
        IkeSpi(std::num::NonZeroU64::new(number).unwrap())
    }

    #[test]
    fn the_initiator_flag_tells_which_spi_is_ours() {
        assert_eq!(Addressee::of(&message(1, 2, 35, FLAG_INITIATOR)), Addressee::Sa(spi(2)));
        assert_eq!(Addressee::of(&message(1, 2, 35, FLAG_RESPONSE)), Addressee::Sa(spi(1)));
    }

    #[test]
    fn a_repeated_first_request_has_the_same_destination_and_another_one_has_not() {
        let (router, init) = (Router::default(), message(1, 0, EXCHANGE_IKE_SA_INIT, FLAG_INITIATOR));
        assert_eq!(Addressee::of(&init), Addressee::Anybody(spi(1)));
        assert_eq!(router.first_request(&init), router.first_request(&init));
        let other = message(3, 0, EXCHANGE_IKE_SA_INIT, FLAG_INITIATOR);
        assert_ne!(router.first_request(&init), router.first_request(&other));
    }

    #[test]
    fn short_and_aimless_messages_are_for_nobody() {
        assert_eq!(Addressee::of(&[0; 27]), Addressee::Nobody);
        assert_eq!(Addressee::of(&message(1, 0, 35, FLAG_INITIATOR)), Addressee::Nobody);
        assert_eq!(Addressee::of(&message(0, 0, 34, FLAG_INITIATOR)), Addressee::Nobody);
    }

    #[test]
    fn every_spi_names_the_shard_it_was_made_for() {
        for shards in 1..=SHARDS_MAX {
            let space = SpiSpace::new(shards);
            for shard in 0..shards {
                for random in [0, 1, 17 << TAG_BITS, u64::MAX - 1, u64::MAX] {
                    assert_eq!(
                        space.shard(space.spi(shard, random)),
                        Some(shard),
                        "{shards} shards, random {random}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_spi_that_we_did_not_choose_is_nobodys() {
        let (space, others) = (SpiSpace::new(2), SpiSpace::new(2));
        let taken = (0..1000_u64).filter(|number| space.shard(others.spi(1, number << 32)).is_some());
        assert!(taken.count() < 5, "one in 65,536, by chance");
    }

    #[test]
    fn kernel_events_find_the_shard_that_asked_for_the_spi() {
        let space = EspSpiSpace::new(0xc000_0000, 0xcfff_ffff, 3);
        for shard in 0..3 {
            let (first, last) = space.range(shard);
            for spi in [first, last] {
                let spi = EspSpi(std::num::NonZeroU32::new(spi).unwrap());
                assert_eq!(space.shard(spi), Some(shard));
            }
        }
        assert_eq!(space.shard(EspSpi(std::num::NonZeroU32::new(256).unwrap())), None);
    }
}
