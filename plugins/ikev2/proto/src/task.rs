//! What waits until the exchange under way is over.

use charon_types::id::{EspSpi, UniqueId};
use charon_types::proposal::Protocol;

use crate::exchange::create_child::offer::ChildWish;
use crate::exchange::mobike::Step;
use crate::output::{CloseReason, CommandToken};

/// A task. One exchange each.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// Create a further child.
    CreateChild(ChildWish, Option<CommandToken>),
    /// Replace the IKE_SA.
    RekeyIke(Option<CommandToken>),
    /// Replace a child.
    RekeyChild(UniqueId, Option<CommandToken>),
    /// Delete a child.
    DeleteChild(UniqueId, CloseReason, Option<CommandToken>),
    /// Tell the peer that a child which it believes in does not exist here.
    DisownChild(Protocol, EspSpi),
    /// Delete the IKE_SA.
    DeleteIke(CloseReason, Option<CommandToken>),
    /// Ask whether the peer lives.
    Liveness(Option<CommandToken>),
    /// Send on no child any more.
    Mute(Option<CommandToken>),
    /// See [`Step`].
    Mobike(Step),
}

impl Task {
    /// Who waits for it.
    pub(crate) fn token(&self) -> Option<CommandToken> {
        match self {
            Self::CreateChild(_, token)
            | Self::RekeyIke(token)
            | Self::RekeyChild(_, token)
            | Self::DeleteChild(_, _, token)
            | Self::DeleteIke(_, token)
            | Self::Liveness(token)
            | Self::Mute(token) => *token,
            Self::DisownChild(..) | Self::Mobike(_) => None,
        }
    }

    /// strongSwan's name.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::CreateChild(..) => "CHILD_CREATE",
            Self::RekeyChild(..) => "CHILD_REKEY",
            Self::RekeyIke(_) => "IKE_REKEY",
            Self::DeleteChild(..) | Self::DisownChild(..) => "CHILD_DELETE",
            Self::DeleteIke(..) => "IKE_DELETE",
            Self::Liveness(_) => "IKE_DPD",
            // There is none like it.
            Self::Mute(_) => "IKE_DELETE",
            Self::Mobike(_) => "IKE_MOBIKE",
        }
    }
}
