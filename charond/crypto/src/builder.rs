//! Collects algorithms, tests each, puts the best provider of each first, then freezes.

use std::fmt;
use std::sync::Arc;

use crate::algorithm::{Algorithm, AlgorithmName};
use crate::provider::{CryptoProvider, Offered};
use crate::selftest::{self, SelfTestError};

/// How a plugin's implementation of an algorithm compares with those of other plugins, as `testing/bench` measured it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Faster than the usual one.
    Faster,
    /// No reason to prefer or avoid it.
    #[default]
    Usual,
    /// Slower than the usual one.
    Slower,
}

/// What decides between two providers of one algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The rank; between equals, who was added first.
    #[default]
    ByRank,
    /// Who was added first: an explicit load line.
    AsAdded,
}

/// An algorithm that failed its test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who offered it.
    pub plugin: &'static str,
    /// What it is.
    pub algorithm: AlgorithmName,
    /// How it failed.
    pub error: SelfTestError,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} fails its self-test and is not used: {}", self.algorithm, self.plugin, self.error)
    }
}

impl std::error::Error for Refused {}

/// Collects algorithms, then freezes.
#[derive(Default)]
pub struct ProviderBuilder {
    order: Order,
    provider: CryptoProvider,
}

impl ProviderBuilder {
    /// With nothing in it.
    #[must_use]
    pub fn new(order: Order) -> Self {
        Self { order, provider: CryptoProvider::default() }
    }

    /// Adds an algorithm that passes its self-test, or will never serve.
    ///
    /// # Errors
    /// [`Refused`] if it does not; the others are not affected.
    pub fn add(&mut self, plugin: &'static str, algorithm: Algorithm) -> Result<(), Refused> {
        self.add_ranked(plugin, Rank::default(), algorithm)
    }

    /// As [`ProviderBuilder::add`], with a rank. One that stands behind another implementation serves nobody, so its
    /// test does not hold up the start.
    ///
    /// # Errors
    /// As [`ProviderBuilder::add`].
    pub fn add_ranked(
        &mut self,
        plugin: &'static str,
        rank: Rank,
        algorithm: Algorithm,
    ) -> Result<(), Refused> {
        if !self.stands_by(rank, &algorithm) {
            selftest::run(&algorithm).map_err(|error| Refused {
                plugin,
                algorithm: algorithm.name(),
                error,
            })?;
        }
        self.insert(plugin, rank, algorithm);
        Ok(())
    }

    /// Adds an algorithm without a test: for simulations, whose algorithms are not what their numbers say.
    pub fn add_untested(&mut self, plugin: &'static str, algorithm: Algorithm) {
        self.insert(plugin, Rank::default(), algorithm);
    }

    /// No more additions.
    #[must_use]
    pub fn freeze(self) -> CryptoProvider {
        self.provider
    }

    /// Whether another implementation serves whatever this one could.
    fn stands_by(&self, rank: Rank, algorithm: &Algorithm) -> bool {
        let tables = &self.provider;
        match algorithm {
            Algorithm::Aead(new) => self
                .behind(&tables.aeads, rank, |old| (old.id(), old.key_bits()) == (new.id(), new.key_bits())),
            Algorithm::Cipher(new) => self.behind(&tables.ciphers, rank, |old| {
                (old.id(), old.key_bits()) == (new.id(), new.key_bits())
            }),
            Algorithm::Mac(new) => self.behind(&tables.macs, rank, |old| old.id() == new.id()),
            Algorithm::Prf(new) => self.behind(&tables.prfs, rank, |old| old.id() == new.id()),
            Algorithm::KeyExchange(new) => {
                self.behind(&tables.key_exchanges, rank, |old| old.method() == new.method())
            }
            Algorithm::Hasher(new) => {
                self.behind(&tables.hashers, rank, |old| old.algorithm() == new.algorithm())
            }
            Algorithm::Signature(new) => self.behind(&tables.signatures, rank, |old| {
                new.kinds().iter().all(|kind| old.kinds().contains(kind))
            }),
            Algorithm::Random(_) => self.behind(&tables.randoms, rank, |_| true),
        }
    }

    fn behind<T: ?Sized>(&self, table: &[Offered<T>], rank: Rank, same: impl Fn(&T) -> bool) -> bool {
        let ahead = |offered: &Offered<T>| self.order == Order::AsAdded || offered.rank <= rank;
        table.iter().any(|offered| same(&offered.algorithm) && ahead(offered))
    }

    fn insert(&mut self, plugin: &'static str, rank: Rank, algorithm: Algorithm) {
        let order = self.order;
        let tables = &mut self.provider;
        match algorithm {
            Algorithm::Aead(new) => {
                place(&mut tables.aeads, order, plugin, rank, new, |a, b| {
                    (a.id(), a.key_bits()) == (b.id(), b.key_bits())
                });
            }
            Algorithm::Cipher(new) => {
                place(&mut tables.ciphers, order, plugin, rank, new, |a, b| {
                    (a.id(), a.key_bits()) == (b.id(), b.key_bits())
                });
            }
            Algorithm::Mac(new) => {
                place(&mut tables.macs, order, plugin, rank, new, |a, b| a.id() == b.id());
            }
            Algorithm::Prf(new) => {
                place(&mut tables.prfs, order, plugin, rank, new, |a, b| a.id() == b.id());
            }
            Algorithm::KeyExchange(new) => {
                place(&mut tables.key_exchanges, order, plugin, rank, new, |a, b| a.method() == b.method());
            }
            Algorithm::Hasher(new) => {
                place(&mut tables.hashers, order, plugin, rank, new, |a, b| a.algorithm() == b.algorithm());
            }
            Algorithm::Signature(new) => {
                place(&mut tables.signatures, order, plugin, rank, new, |_, _| true);
            }
            Algorithm::Random(new) => place(&mut tables.randoms, order, plugin, rank, new, |_, _| true),
        }
    }
}

/// Puts an algorithm in front of a worse implementation of the same one, else at the end: which algorithm comes first
/// is the choice of who added them, which implementation that of the rank.
fn place<T: ?Sized>(
    table: &mut Vec<Offered<T>>,
    order: Order,
    plugin: &'static str,
    rank: Rank,
    algorithm: Arc<T>,
    same: impl Fn(&T, &T) -> bool,
) {
    let worse = |offered: &Offered<T>| same(&offered.algorithm, &algorithm) && offered.rank > rank;
    let at = match order {
        Order::ByRank => table.iter().position(worse),
        Order::AsAdded => None,
    };
    table.insert(at.unwrap_or(table.len()), Offered { plugin, rank, algorithm });
}
