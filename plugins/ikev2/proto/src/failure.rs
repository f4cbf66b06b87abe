//! Why something failed, and whose fault it is. [`notify_for`] alone decides what the peer hears of it.

use charon_crypto::CryptoError;
use charon_types::algorithm::KeMethod;
use charon_types::id::EspSpi;
use charon_types::kernel_op::{KernelError, Mode};
use charon_types::proposal::Protocol;

use crate::env::TrustFailure;
use crate::wire::{Notify, NotifyType};

/// Why an exchange, a CHILD_SA or an IKE_SA failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    PeerMisbehaved(#[from] Misbehaviour),
    /// The peer and we have nothing in common.
    #[error(transparent)]
    PeerIncompatible(#[from] Incompatibility),
    /// We do not want to.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The fault is here.
    #[error(transparent)]
    Local(#[from] LocalFault),
    /// The peer answered with an error notify of that number (RFC 7296 §3.10.1).
    #[error("the peer answered with error notify {0}")]
    Rejected(u16),
    /// The peer did not answer.
    #[error("the peer did not answer")]
    Unreachable,
}

/// How a peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// An authenticated message cannot be parsed.
    #[error("invalid syntax")]
    InvalidSyntax,
    /// A payload of that type is missing.
    #[error("payload {0} is missing")]
    MissingPayload(u8),
    /// It chose what was not offered.
    #[error("it chose a proposal that was not offered")]
    UnofferedProposal,
    /// It asked for a key exchange method that was not offered, or for one already tried.
    #[error("it asked for key exchange method {0}, which was not offered or was tried already")]
    UnofferedKeMethod(KeMethod),
    /// Its public value is invalid.
    #[error("its public value is invalid")]
    InvalidPublicValue,
    /// It chose a mode that was not offered.
    #[error("it chose a mode that was not offered")]
    UnofferedMode,
    /// Selectors are wider than offered.
    #[error("its traffic selectors are wider than offered")]
    WiderSelectors,
    /// The COOKIE2 that it returned is not ours: somebody else answered (RFC 4555 §3.7).
    #[error("it returned another COOKIE2")]
    Cookie,
    /// It made us start over too often.
    #[error("it made us start over too often")]
    TooManyRetries,
}

/// What peer and we do not have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Incompatibility {
    /// No proposal.
    #[error("no acceptable proposal found")]
    NoProposal,
    /// Another key exchange method is needed.
    #[error("key exchange method {0} is needed")]
    KeMethod(KeMethod),
    /// No traffic selectors.
    #[error("no acceptable traffic selectors found")]
    TrafficSelectors,
    /// A payload of that type is critical and unknown.
    #[error("payload {0} is critical and unknown")]
    CriticalPayload(u8),
}

/// What we do not want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No connection fits the identities.
    #[error("no matching connection found")]
    NoConnection,
    /// The peer's AUTH does not verify.
    #[error("the peer's authentication failed")]
    AuthenticationFailed,
    /// The peer's certificate is not trusted.
    #[error("the peer's certificate is not trusted: {0}")]
    Untrusted(TrustFailure),
    /// The peer is not who the configuration demands.
    #[error("the peer's identity is not acceptable")]
    IdentityMismatch,
    /// The peer authenticated in a way that the configuration does not allow.
    #[error("the peer's authentication method is not acceptable")]
    AuthMethod,
    /// `unique = keep`
    #[error("an IKE_SA of the same identities exists")]
    NotUnique,
    /// No further children, or rekeying is not offered.
    #[error("no further CHILD_SAs are accepted")]
    NoAdditionalSas,
    /// Not now.
    #[error("temporarily not possible")]
    Temporary,
    /// The child is not known.
    #[error("the CHILD_SA is not known")]
    ChildNotFound,
    /// The peer wants to rekey a child that is not known: protocol and SPI as the peer names them.
    #[error("the CHILD_SA with SPI {1} is not known")]
    NothingToRekey(Protocol, EspSpi),
    /// The peer deleted the child before it was complete.
    #[error("the CHILD_SA was deleted by the peer")]
    Deleted,
    /// `childless = force` or `never`
    #[error("childless initiation is not acceptable")]
    Childless,
    /// The IKE_SA is ending.
    #[error("the IKE_SA is closing")]
    Closing,
    /// No virtual address can be had.
    #[error("no virtual IP is available")]
    NoAddress,
    /// The peer must ask for a virtual address.
    #[error("the peer asks for no virtual IP")]
    AddressRequired,
}

/// What went wrong here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalFault {
    /// A cryptographic operation failed.
    #[error("cryptography: {0}")]
    Crypto(#[from] CryptoError),
    /// The kernel refused.
    #[error("kernel: {0}")]
    Kernel(#[from] KernelError),
    /// No key for the pair of identities.
    #[error("no shared key found")]
    NoSharedKey,
    /// No certificate and private key to authenticate with.
    #[error("no private key found")]
    NoPrivateKey,
    /// More than one authentication round is configured.
    #[error("several authentication rounds are not supported")]
    MultipleAuthentication,
    /// Nothing that providers and kernel can do is configured.
    #[error("no usable proposal is configured")]
    NoUsableProposal,
    /// The kernel cannot do the protocol that is configured.
    #[error("{0} is not supported by the kernel")]
    UnsupportedProtocol(Protocol),
    /// AH, and a NAT between the peers.
    #[error("AH does not pass a NAT")]
    AhBehindNat,
    /// The kernel cannot do the mode that is configured.
    #[error("{0:?} mode is not supported by the kernel")]
    UnsupportedMode(Mode),
    /// A pass or drop policy has no SA.
    #[error("a shunt policy has no CHILD_SA")]
    Shunt,
    /// More than [`crate::ike_sa::CHILDREN_MAX`] children.
    #[error("too many CHILD_SAs")]
    TooManyChildren,
}

/// What the peer hears of a failure. The log keeps the rest.
#[must_use]
pub fn notify_for(failure: &Failure) -> Notify {
    if let Failure::Refused(Refusal::NothingToRekey(protocol, spi)) = failure {
        let (protocol, spi) = (protocol.number(), spi.to_be_bytes().to_vec());
        return Notify { protocol, spi, kind: NotifyType::CHILD_SA_NOT_FOUND, data: Vec::new() };
    }
    let (kind, data) = match failure {
        Failure::PeerMisbehaved(_) => (NotifyType::INVALID_SYNTAX, Vec::new()),
        Failure::PeerIncompatible(incompatibility) => match incompatibility {
            Incompatibility::NoProposal => (NotifyType::NO_PROPOSAL_CHOSEN, Vec::new()),
            Incompatibility::KeMethod(method) => {
                (NotifyType::INVALID_KE_PAYLOAD, method.0.to_be_bytes().to_vec())
            }
            Incompatibility::TrafficSelectors => (NotifyType::TS_UNACCEPTABLE, Vec::new()),
            Incompatibility::CriticalPayload(kind) => (NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, vec![*kind]),
        },
        Failure::Refused(refusal) => (refusal_notify(*refusal), Vec::new()),
        Failure::Local(fault) => (fault_notify(fault), Vec::new()),
        // Neither is ever an answer to a request.
        Failure::Rejected(_) | Failure::Unreachable => (NotifyType::TEMPORARY_FAILURE, Vec::new()),
    };
    Notify { protocol: 0, spi: Vec::new(), kind, data }
}

const fn refusal_notify(refusal: Refusal) -> NotifyType {
    match refusal {
        Refusal::NoConnection
        | Refusal::AuthenticationFailed
        | Refusal::Untrusted(_)
        | Refusal::IdentityMismatch
        | Refusal::AuthMethod
        | Refusal::NotUnique => NotifyType::AUTHENTICATION_FAILED,
        Refusal::NoAdditionalSas => NotifyType::NO_ADDITIONAL_SAS,
        Refusal::Temporary | Refusal::Closing => NotifyType::TEMPORARY_FAILURE,
        Refusal::ChildNotFound | Refusal::NothingToRekey(..) | Refusal::Deleted => {
            NotifyType::CHILD_SA_NOT_FOUND
        }
        Refusal::NoAddress => NotifyType::INTERNAL_ADDRESS_FAILURE,
        Refusal::AddressRequired => NotifyType::FAILED_CP_REQUIRED,
        // RFC 6023 §3: whoever does not want it takes the missing payloads for an error.
        Refusal::Childless => NotifyType::INVALID_SYNTAX,
    }
}

const fn fault_notify(fault: &LocalFault) -> NotifyType {
    match fault {
        // We cannot prove who we are, or know no key to check the peer by: to the peer both are one.
        LocalFault::NoSharedKey | LocalFault::NoPrivateKey | LocalFault::MultipleAuthentication => {
            NotifyType::AUTHENTICATION_FAILED
        }
        LocalFault::TooManyChildren => NotifyType::NO_ADDITIONAL_SAS,
        LocalFault::Crypto(_)
        | LocalFault::Kernel(_)
        | LocalFault::NoUsableProposal
        | LocalFault::UnsupportedProtocol(_)
        | LocalFault::AhBehindNat
        | LocalFault::UnsupportedMode(_)
        | LocalFault::Shunt => NotifyType::NO_PROPOSAL_CHOSEN,
    }
}
