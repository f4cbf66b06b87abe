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

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// To the IKE_SA with this SPI of ours.
    Sa(IkeSpi),
    /// It wants a new IKE_SA, or repeats that wish. The digest tells repetitions of one request from other requests, whatever
    /// their SPIs (RFC 7296 §2.1).
    Init {
        /// Keyed hash of the whole message.
        digest: u64,
        /// Keyed hash of the initiator's SPI, which stays the same when the request comes again with a cookie; picks the shard.
        home: u64,
    },
    /// Too short, or for no SPI of anybody.
    Nowhere,
}

/// Reads destinations from headers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Router {
    hasher: RandomState,
}

impl Router {
    /// Peeks at the header; allocates nothing.
    #[must_use]
    pub(crate) fn destination(&self, message: &[u8]) -> Destination {
        let Some((spis, rest)) = message.split_first_chunk::<16>() else { return Destination::Nowhere };
        if message.len() < HEADER_LEN {
            return Destination::Nowhere;
        }
        let (exchange, flags) = (rest[2], rest[3]);
        let spi = |at: usize| spis[at..at + 8].try_into().ok().and_then(IkeSpi::from_be_bytes);
        let (initiator, responder) = (spi(0), spi(8));
        // The SPI that we chose is the one of the role that the sender does not have.
        let ours = if flags & FLAG_INITIATOR == 0 { initiator } else { responder };
        match ours {
            Some(spi) => Destination::Sa(spi),
            None if exchange == EXCHANGE_IKE_SA_INIT && flags & FLAG_RESPONSE == 0 && initiator.is_some() => {
                Destination::Init {
                    digest: self.hasher.hash_one(message),
                    home: self.hasher.hash_one(initiator),
                }
            }
            None => Destination::Nowhere,
        }
    }
}

/// Our SPIs: the low bits name the shard, the rest is random.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpiSpace {
    shards: u64,
}

impl SpiSpace {
    /// For that many shards, 1 to [`SHARDS_MAX`].
    ///
    /// # Panics
    /// Outside that range.
    #[must_use]
    pub(crate) fn new(shards: usize) -> Self {
        assert!((1..=SHARDS_MAX).contains(&shards), "1 to 16 shards");
        Self { shards: shards as u64 }
    }

    /// The shard that an SPI names. An SPI that we did not choose names some shard, which will not know it.
    #[must_use]
    pub(crate) fn shard(self, spi: IkeSpi) -> usize {
        usize::try_from(spi.0.get() % self.shards).expect("a remainder below 16 fits")
    }

    /// The shard of a request that has no SPI of ours yet.
    #[must_use]
    pub(crate) fn shard_of_init(self, home: u64) -> usize {
        usize::try_from(home % self.shards).expect("a remainder below 16 fits")
    }

    /// An SPI for a shard from random octets.
    #[must_use]
    pub(crate) fn spi(self, shard: usize, random: u64) -> IkeSpi {
        let base = random - random % self.shards;
        let number = base.checked_add(shard as u64).unwrap_or(shard as u64 + self.shards);
        IkeSpi(
            std::num::NonZeroU64::new(number).unwrap_or_else(|| {
                std::num::NonZeroU64::new(self.shards).expect("there is at least one shard")
            }),
        )
    }
}

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

    #[test]
    fn the_initiator_flag_tells_which_spi_is_ours() {
        let router = Router::default();
        let spi = |number| Destination::Sa(IkeSpi(std::num::NonZeroU64::new(number).unwrap()));
        assert_eq!(router.destination(&message(1, 2, 35, FLAG_INITIATOR)), spi(2));
        assert_eq!(router.destination(&message(1, 2, 35, FLAG_RESPONSE)), spi(1));
    }

    #[test]
    fn a_repeated_first_request_has_the_same_digest_and_another_one_has_not() {
        let router = Router::default();
        let first = router.destination(&message(1, 0, EXCHANGE_IKE_SA_INIT, FLAG_INITIATOR));
        assert_eq!(first, router.destination(&message(1, 0, EXCHANGE_IKE_SA_INIT, FLAG_INITIATOR)));
        assert_ne!(first, router.destination(&message(3, 0, EXCHANGE_IKE_SA_INIT, FLAG_INITIATOR)));
    }

    #[test]
    fn short_and_aimless_messages_go_nowhere() {
        let router = Router::default();
        assert_eq!(router.destination(&[0; 27]), Destination::Nowhere);
        assert_eq!(router.destination(&message(1, 0, 35, FLAG_INITIATOR)), Destination::Nowhere);
        assert_eq!(router.destination(&message(0, 0, 34, FLAG_INITIATOR)), Destination::Nowhere);
    }

    #[test]
    fn every_spi_names_the_shard_it_was_made_for() {
        for shards in 1..=SHARDS_MAX {
            let space = SpiSpace::new(shards);
            for shard in 0..shards {
                for random in [0, 1, 17, u64::MAX - 1, u64::MAX] {
                    assert_eq!(
                        space.shard(space.spi(shard, random)),
                        shard,
                        "{shards} shards, random {random}"
                    );
                }
            }
        }
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
