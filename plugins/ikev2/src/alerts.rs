//! What an operator should hear of an IKE_SA's end.

use charon_types::alert::Alert;
use charon_types::snapshot::IkeSaState;
use ikev2_proto::env::TrustFailure;
use ikev2_proto::failure::{Failure, Incompatibility, LocalFault, Refusal};
use ikev2_proto::output::CloseReason;

/// Error notify AUTHENTICATION_FAILED (RFC 7296 §3.10.1).
const AUTHENTICATION_FAILED: u16 = 24;

/// Alerts for an IKE_SA that was in that state and ended for that reason, the most precise first.
pub(crate) fn of_end(reason: &CloseReason, state: IkeSaState) -> Vec<Alert> {
    match reason {
        CloseReason::Command | CloseReason::Peer | CloseReason::Inactive => Vec::new(),
        CloseReason::HalfOpen => vec![Alert::HalfOpenTimeout],
        CloseReason::Expired => vec![Alert::IkeSaExpired],
        CloseReason::PeerDead | CloseReason::Failed(Failure::Unreachable) => {
            let first = (state == IkeSaState::Connecting).then_some(Alert::PeerInitUnreachable);
            std::iter::once(Alert::RetransmitSendTimeout).chain(first).collect()
        }
        CloseReason::Failed(failure) => of_failure(failure),
        _ => Vec::new(),
    }
}

fn of_failure(failure: &Failure) -> Vec<Alert> {
    match failure {
        Failure::PeerMisbehaved(_) => vec![Alert::ParseErrorBody],
        Failure::PeerIncompatible(Incompatibility::NoProposal) => vec![Alert::ProposalMismatchIke],
        Failure::PeerIncompatible(Incompatibility::TrafficSelectors) => vec![Alert::TsMismatch],
        Failure::Refused(Refusal::Untrusted(fault)) => {
            of_trust(*fault).into_iter().chain([Alert::PeerAuthFailed]).collect()
        }
        Failure::Refused(
            Refusal::AuthenticationFailed
            | Refusal::IdentityMismatch
            | Refusal::AuthMethod
            | Refusal::NoConnection,
        ) => vec![Alert::PeerAuthFailed],
        Failure::Refused(Refusal::NotUnique) => vec![Alert::UniqueKeep],
        Failure::Local(LocalFault::Kernel(_)) => vec![Alert::InstallChildSaFailed],
        Failure::Local(LocalFault::NoSharedKey | LocalFault::NoPrivateKey)
        | Failure::Rejected(AUTHENTICATION_FAILED) => vec![Alert::LocalAuthFailed],
        _ => Vec::new(),
    }
}

fn of_trust(fault: TrustFailure) -> Option<Alert> {
    match fault {
        TrustFailure::NoTrustedPath => Some(Alert::CertNoIssuer),
        TrustFailure::Expired => Some(Alert::CertExpired),
        TrustFailure::Revoked => Some(Alert::CertRevoked),
        TrustFailure::RevocationUnknown => Some(Alert::CertValidationFailed),
        TrustFailure::Constraint => Some(Alert::CertPolicyViolation),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_never_answered_is_told_apart_from_one_that_stopped_to() {
        let alerts = |state| of_end(&CloseReason::PeerDead, state);
        assert_eq!(alerts(IkeSaState::Established), [Alert::RetransmitSendTimeout]);
        assert_eq!(
            alerts(IkeSaState::Connecting),
            [Alert::RetransmitSendTimeout, Alert::PeerInitUnreachable]
        );
    }

    #[test]
    fn an_untrusted_certificate_is_named_and_so_is_what_it_means_for_the_peer() {
        let reason = CloseReason::Failed(Refusal::Untrusted(TrustFailure::Revoked).into());
        assert_eq!(of_end(&reason, IkeSaState::Connecting), [Alert::CertRevoked, Alert::PeerAuthFailed]);
        assert_eq!(of_end(&CloseReason::Command, IkeSaState::Established), []);
    }
}
