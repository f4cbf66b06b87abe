//! Replacing the keys of SAs by name or number.

use std::fmt;

use tracing::info;

use super::Control;
use super::terminate::targets;
use crate::service::ike_engine::{Rekey, SaFilter};

/// How many SAs matched, and why nothing was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rekeyed {
    /// SAs that matched.
    pub matches: usize,
    /// What went wrong.
    pub error: Option<RekeyError>,
}

/// Why nothing is rekeyed. The first two texts are those that clients of strongSwan know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RekeyError {
    /// Nothing was named.
    MissingSelector,
    /// Nothing matched.
    NoMatch,
    /// Whole IKE_SAs matched.
    IkeSa,
}

impl fmt::Display for RekeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingSelector => "missing rekey selector",
            Self::NoMatch => "no matching SAs to rekey found",
            Self::IkeSa => "rekeying of IKE_SAs is not built",
        })
    }
}

impl std::error::Error for RekeyError {}

impl Control {
    /// Begins to rekey CHILD_SAs. How that ends is in the log and told by events.
    ///
    /// # Errors
    /// [`RekeyError::MissingSelector`]; anything else is in the outcome.
    pub async fn rekey(&self, filter: SaFilter) -> Result<Rekeyed, RekeyError> {
        if filter == SaFilter::default() {
            return Err(RekeyError::MissingSelector);
        }
        let kind = if filter.names_children() { "CHILD_SA" } else { "IKE_SA" };
        if let Some(name) = filter.child.as_ref().or(filter.ike.as_ref()) {
            info!(target: "CFG", "vici rekey {kind} '{name}'");
        }
        let targets = targets(&*self.engine, filter).await;
        let mut error = targets.is_empty().then_some(RekeyError::NoMatch);
        for target in &targets {
            match target.child {
                // The attempt goes on by itself.
                Some(child) => drop(self.engine.rekey(Rekey { ike: target.ike, child })),
                None => error = Some(RekeyError::IkeSa),
            }
        }
        Ok(Rekeyed { matches: targets.len(), error })
    }
}
