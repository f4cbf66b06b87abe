//! Randomness.

/// A source of unpredictable octets. A seeded twin serves simulations.
pub trait Random: Send + Sync {
    /// Fills `out`. A source that cannot deliver aborts the process: there is no safe way on without randomness.
    fn fill(&self, out: &mut [u8]);
}

impl dyn Random + '_ {
    /// Eight octets as a number.
    #[must_use]
    pub fn u64(&self) -> u64 {
        let mut octets = [0; 8];
        self.fill(&mut octets);
        u64::from_be_bytes(octets)
    }

    /// Four octets as a number.
    #[must_use]
    pub fn u32(&self) -> u32 {
        let mut octets = [0; 4];
        self.fill(&mut octets);
        u32::from_be_bytes(octets)
    }
}
