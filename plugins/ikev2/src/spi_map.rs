//! Maps by SPIs of our own. We made them of random octets, and what shows another is turned away by its tag before: to hash them
//! once more would gain nothing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use charon_types::IkeSpi;

/// A map by SPIs of our own.
pub(crate) type SpiMap<V> = HashMap<IkeSpi, V, BuildHasherDefault<SpiHasher>>;

/// Takes an SPI as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpiHasher(u64);

impl Hasher for SpiHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;
    use crate::route::SpiSpace;

    #[test]
    fn spis_of_ours_spread_over_both_ends_of_their_number() {
        let (space, random) = (SpiSpace::new(2), RandomState::new());
        let spi = |number: u64| space.spi(0, random.hash_one(number));
        let hash = |spi| BuildHasherDefault::<SpiHasher>::default().hash_one(spi);
        let mut low = [0_u32; 256];
        let mut high = [0_u32; 128];
        for number in 0..100_000 {
            let hash = hash(spi(number));
            low[usize::try_from(hash % 256).unwrap()] += 1;
            high[usize::try_from(hash >> 57).unwrap()] += 1;
        }
        assert!(low.iter().all(|count| (200..600).contains(count)), "{low:?}");
        assert!(high.iter().all(|count| (500..1100).contains(count)), "{high:?}");
    }
}
