//! What an IKE_SA waits for.

use charon_types::snapshot::IkeSaState;

use crate::exchange::create_child::initiator::Active;
use crate::exchange::create_child::responder::Passive;
use crate::exchange::ike_auth::initiator as auth_initiator;
use crate::exchange::ike_auth::responder as auth_responder;
use crate::exchange::ike_sa_init::initiator as init_initiator;
use crate::exchange::ike_sa_init::responder as init_responder;
use crate::output::{CommandToken, JobId, OpId};
use crate::sa::{Cx, Sa};

/// One variant per thing awaited; the walk through them stands in `ike_sa.rs`.
pub(crate) enum State {
    /// Initiator: our key pair.
    InitAwaitKeyPair(Box<init_initiator::AwaitKeyPair>),
    /// Initiator: the IKE_SA_INIT response.
    InitExpectInit(Box<init_initiator::ExpectInit>),
    /// Initiator: the shared secret.
    InitAwaitSecret(Box<init_initiator::AwaitSecret>),
    /// Initiator: the first child's SPI.
    AuthAwaitSpi(Box<auth_initiator::AwaitSpi>),
    /// Initiator: our signature.
    AuthAwaitSignature(Box<auth_initiator::AwaitSignature>),
    /// Initiator: the IKE_AUTH response.
    AuthExpectAnswer(Box<auth_initiator::ExpectAuth>),
    /// Initiator: the verdict on the peer's certificate.
    AuthAwaitTrust(Box<auth_initiator::AwaitTrust>),
    /// Initiator: our virtual addresses on the interface.
    AuthAwaitAddress(Box<auth_initiator::AwaitAddress>),
    /// Responder: our half of the key exchange.
    InitAwaitResponse(Box<init_responder::AwaitSecret>),
    /// Responder: the IKE_AUTH request.
    AuthExpectRequest(Box<auth_responder::ExpectAuth>),
    /// Responder: the verdict on the peer's certificate.
    AuthAwaitPeerTrust(Box<auth_responder::AwaitTrust>),
    /// Responder: our signature.
    AuthAwaitOwnSignature(Box<auth_responder::AwaitSignature>),
    /// Responder: the first child's SPI.
    AuthAwaitChildSpi(Box<auth_responder::AwaitSpi>),
    /// Responder: the first child's installation.
    AuthAwaitInstall(Box<auth_responder::AwaitInstall>),
    /// Both: at rest, or an exchange in each direction.
    Established {
        /// Ours.
        active: Option<Active>,
        /// The peer's.
        passive: Option<Passive>,
    },
    /// Over.
    Finished,
}

/// Tasks that an initiator's handshake stands for, as strongSwan lists them.
const INITIATING: &[&str] = &["IKE_VENDOR", "IKE_INIT", "IKE_NATD", "IKE_CERT_PRE"];
/// See [`INITIATING`].
const AUTHENTICATING: &[&str] =
    &["IKE_AUTH", "IKE_CERT_POST", "IKE_CONFIG", "IKE_AUTH_LIFETIME", "IKE_ESTABLISH"];

impl State {
    /// Established, with an exchange of ours under way or none.
    pub(crate) const fn established(active: Option<Active>) -> Self {
        Self::Established { active, passive: None }
    }

    /// The job it waits for, the exchanges of an established IKE_SA aside.
    pub(crate) fn awaits_job(&self) -> Option<JobId> {
        match self {
            Self::InitAwaitKeyPair(state) => Some(state.job),
            Self::InitAwaitSecret(state) => Some(state.job),
            Self::AuthAwaitSignature(state) => Some(state.job),
            Self::AuthAwaitTrust(state) => Some(state.job),
            Self::InitAwaitResponse(state) => Some(state.job),
            Self::AuthAwaitPeerTrust(state) => Some(state.job),
            Self::AuthAwaitOwnSignature(state) => Some(state.job),
            Self::InitExpectInit(_)
            | Self::AuthAwaitSpi(_)
            | Self::AuthExpectAnswer(_)
            | Self::AuthAwaitAddress(_)
            | Self::AuthExpectRequest(_)
            | Self::AuthAwaitChildSpi(_)
            | Self::AuthAwaitInstall(_)
            | Self::Established { .. }
            | Self::Finished => None,
        }
    }

    /// The kernel batch it waits for, the exchanges of an established IKE_SA aside.
    pub(crate) fn awaits_op(&self) -> Option<OpId> {
        match self {
            Self::AuthAwaitSpi(state) => Some(state.op),
            Self::AuthAwaitAddress(state) => Some(state.op),
            Self::AuthAwaitChildSpi(state) => Some(state.op),
            Self::AuthAwaitInstall(state) => Some(state.installing.op),
            Self::InitAwaitKeyPair(_)
            | Self::InitExpectInit(_)
            | Self::InitAwaitSecret(_)
            | Self::AuthAwaitSignature(_)
            | Self::AuthExpectAnswer(_)
            | Self::AuthAwaitTrust(_)
            | Self::InitAwaitResponse(_)
            | Self::AuthExpectRequest(_)
            | Self::AuthAwaitPeerTrust(_)
            | Self::AuthAwaitOwnSignature(_)
            | Self::Established { .. }
            | Self::Finished => None,
        }
    }

    /// strongSwan's state.
    pub(crate) fn name(&self) -> IkeSaState {
        match self {
            Self::InitAwaitKeyPair(_)
            | Self::InitExpectInit(_)
            | Self::InitAwaitSecret(_)
            | Self::AuthAwaitSpi(_)
            | Self::AuthAwaitSignature(_)
            | Self::AuthExpectAnswer(_)
            | Self::AuthAwaitTrust(_)
            | Self::AuthAwaitAddress(_)
            | Self::InitAwaitResponse(_)
            | Self::AuthExpectRequest(_)
            | Self::AuthAwaitPeerTrust(_)
            | Self::AuthAwaitOwnSignature(_)
            | Self::AuthAwaitChildSpi(_)
            | Self::AuthAwaitInstall(_) => IkeSaState::Connecting,
            Self::Established { active: Some(Active::DeleteIke(..)), .. } => IkeSaState::Deleting,
            Self::Established { active: Some(Active::RekeyIke(_)), .. } => IkeSaState::Rekeying,
            Self::Established { .. } => IkeSaState::Established,
            Self::Finished => IkeSaState::Destroying,
        }
    }

    /// Exchanges that we began.
    pub(crate) fn tasks_active(&self) -> Vec<&'static str> {
        match self {
            Self::InitAwaitKeyPair(_) | Self::InitExpectInit(_) | Self::InitAwaitSecret(_) => {
                [INITIATING, AUTHENTICATING, &["CHILD_CREATE"]].concat()
            }
            Self::AuthAwaitSpi(_)
            | Self::AuthAwaitSignature(_)
            | Self::AuthExpectAnswer(_)
            | Self::AuthAwaitTrust(_)
            | Self::AuthAwaitAddress(_) => [&["IKE_CERT_PRE"], AUTHENTICATING, &["CHILD_CREATE"]].concat(),
            Self::Established { active: Some(active), .. } => vec![active.name()],
            Self::InitAwaitResponse(_)
            | Self::AuthExpectRequest(_)
            | Self::AuthAwaitPeerTrust(_)
            | Self::AuthAwaitOwnSignature(_)
            | Self::AuthAwaitChildSpi(_)
            | Self::AuthAwaitInstall(_)
            | Self::Established { active: None, .. }
            | Self::Finished => Vec::new(),
        }
    }

    /// Exchanges that the peer began.
    pub(crate) fn tasks_passive(&self) -> Vec<&'static str> {
        match self {
            Self::InitAwaitResponse(_) => [INITIATING, AUTHENTICATING, &["CHILD_CREATE"]].concat(),
            Self::AuthExpectRequest(_)
            | Self::AuthAwaitPeerTrust(_)
            | Self::AuthAwaitOwnSignature(_)
            | Self::AuthAwaitChildSpi(_)
            | Self::AuthAwaitInstall(_) => [&["IKE_CERT_PRE"], AUTHENTICATING, &["CHILD_CREATE"]].concat(),
            Self::Established { passive: Some(passive), .. } => vec![passive.name()],
            Self::InitAwaitKeyPair(_)
            | Self::InitExpectInit(_)
            | Self::InitAwaitSecret(_)
            | Self::AuthAwaitSpi(_)
            | Self::AuthAwaitSignature(_)
            | Self::AuthExpectAnswer(_)
            | Self::AuthAwaitTrust(_)
            | Self::AuthAwaitAddress(_)
            | Self::Established { passive: None, .. }
            | Self::Finished => Vec::new(),
        }
    }

    /// The IKE_SA ends here: takes out of the kernel what was on its way in. Returns who waits for the outcome of an
    /// exchange; whoever waits for the handshake is known to [`Sa`].
    pub(crate) fn abandon(self, sa: &mut Sa, cx: Cx<'_>) -> Option<CommandToken> {
        match self {
            Self::AuthAwaitInstall(state) => {
                state.installing.abandon(sa, cx);
                None
            }
            Self::Established { active, passive } => {
                if let Some(passive) = passive {
                    passive.abandon(sa, cx);
                }
                active.and_then(|active| active.abandon(sa, cx))
            }
            Self::InitAwaitKeyPair(_)
            | Self::InitExpectInit(_)
            | Self::InitAwaitSecret(_)
            | Self::AuthAwaitSpi(_)
            | Self::AuthAwaitSignature(_)
            | Self::AuthExpectAnswer(_)
            | Self::AuthAwaitTrust(_)
            | Self::AuthAwaitAddress(_)
            | Self::InitAwaitResponse(_)
            | Self::AuthExpectRequest(_)
            | Self::AuthAwaitPeerTrust(_)
            | Self::AuthAwaitOwnSignature(_)
            | Self::AuthAwaitChildSpi(_)
            | Self::Finished => None,
        }
    }
}
