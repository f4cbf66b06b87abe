//! What a killed predecessor left in a kernel.

use charon_conf::ValueError;
use charon_conf::options::Configured;
use tracing::info;

/// SPIs that we reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpiRange {
    /// `charon.spi_min`
    pub min: u32,
    /// `charon.spi_max`
    pub max: u32,
}

impl SpiRange {
    /// Reads the daemon's settings.
    ///
    /// # Errors
    /// The value that is none, with file, line and key.
    pub fn read(daemon: &Configured<'_>) -> Result<Self, ValueError> {
        Ok(Self { min: daemon.int("spi_min")?, max: daemon.int("spi_max")? })
    }

    /// Whether we could have reserved it.
    #[must_use]
    pub fn contains(&self, spi: u32) -> bool {
        (self.min..=self.max).contains(&spi)
    }
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// SAs and reservations.
    pub sas: usize,
    /// Policies.
    pub policies: usize,
}

impl Removed {
    /// Says it, if there was something.
    pub fn report(self) {
        let Self { sas, policies } = self;
        if self != Self::default() {
            info!(target: "KNL", "removed {sas} SAs and {policies} policies that a predecessor left");
        }
    }
}
