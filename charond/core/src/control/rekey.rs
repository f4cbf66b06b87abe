//! Replacing the keys of SAs by name or number.

use std::fmt;

use tracing::info;

use super::Control;
use super::terminate::targets;
use crate::service::ike_engine::{Rekey, RekeyPart, SaFilter};

/// How IKE_SAs are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// With fresh keys.
    Rekey,
    /// By a new handshake.
    Reauthenticate,
}

/// How many SAs matched, and why nothing was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rekeyed {
    /// SAs that matched.
    pub matches: usize,
    /// What went wrong.
    pub error: Option<RekeyError>,
}

/// Why nothing is rekeyed, in the words that clients of strongSwan know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RekeyError {
    /// Nothing was named.
    MissingSelector,
    /// Nothing matched.
    NoMatch,
}

impl fmt::Display for RekeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingSelector => "missing rekey selector",
            Self::NoMatch => "no matching SAs to rekey found",
        })
    }
}

impl std::error::Error for RekeyError {}

impl Control {
    /// Begins to rekey CHILD_SAs or IKE_SAs. How that ends is in the log and told by events.
    ///
    /// # Errors
    /// [`RekeyError::MissingSelector`]; anything else is in the outcome.
    pub async fn rekey(&self, filter: SaFilter, how: Renewal) -> Result<Rekeyed, RekeyError> {
        if filter == SaFilter::default() {
            return Err(RekeyError::MissingSelector);
        }
        let kind = if filter.names_children() { "CHILD_SA" } else { "IKE_SA" };
        if let Some(name) = filter.child.as_ref().or(filter.ike.as_ref()) {
            info!(target: "CFG", "vici rekey {kind} '{name}'");
        }
        let targets = targets(&*self.engine, filter).await;
        let error = targets.is_empty().then_some(RekeyError::NoMatch);
        for target in &targets {
            let part = match (target.child, how) {
                (Some(child), _) => RekeyPart::Child(child),
                (None, Renewal::Rekey) => RekeyPart::IkeSa,
                (None, Renewal::Reauthenticate) => RekeyPart::Reauthenticate,
            };
            // The attempt goes on by itself.
            drop(self.engine.rekey(Rekey { ike: target.ike, part }));
        }
        Ok(Rekeyed { matches: targets.len(), error })
    }
}
