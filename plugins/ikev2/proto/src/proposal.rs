//! Proposals limited to what can be done here: nothing is offered or taken that providers or kernel lack.

use charon_crypto::CryptoProvider;
use charon_types::algorithm::{EncryptionId, Esn, IntegrityId, KeMethod, PrfId};
use charon_types::connection::ChildConfig;
use charon_types::kernel_op::KernelCapabilities;
use charon_types::proposal::{Proposal, Protocol, Transform, TransformType};

use crate::child_sa::truncated;
use crate::failure::LocalFault;
use crate::sa::{Cx, Sa};

/// NONE in the registries of integrity algorithms and key exchanges.
const NONE: u16 = 0;

/// IKE proposals that the providers can do.
pub(crate) fn usable_for_ike(configured: &[Proposal], crypto: &CryptoProvider) -> Vec<Proposal> {
    let usable = configured.iter().filter(|proposal| proposal.protocol == Protocol::Ike);
    let usable =
        usable.filter_map(|proposal| limited(proposal, |transform| ike_transform(transform, crypto)));
    usable.filter(is_complete_for_ike).collect()
}

/// ESP and AH proposals that the kernel can do and the path allows; key exchanges are the providers'.
pub(crate) fn usable_for_child(sa: &Sa, cx: Cx<'_>, config: &ChildConfig) -> Vec<Proposal> {
    let (crypto, kernel) = (cx.env.crypto, cx.env.kernel);
    let usable = config.proposals.iter().filter(|proposal| obstacle(sa, cx, proposal.protocol).is_none());
    let usable = usable.filter_map(|proposal| {
        limited(proposal, |transform| child_transform(config, transform, crypto, kernel))
    });
    usable.filter(is_complete_for_child).collect()
}

/// Why nothing of a child's proposals is usable.
pub(crate) fn unusable(sa: &Sa, cx: Cx<'_>, config: &ChildConfig) -> LocalFault {
    let obstacles = config.proposals.iter().map(|proposal| obstacle(sa, cx, proposal.protocol));
    // A protocol that cannot be used at all says more than an algorithm that is missing.
    obstacles.flatten().next().unwrap_or(LocalFault::NoUsableProposal)
}

/// What keeps a protocol from being used.
fn obstacle(sa: &Sa, cx: Cx<'_>, protocol: Protocol) -> Option<LocalFault> {
    if !cx.env.kernel.protocols.contains(&protocol) {
        return Some(LocalFault::UnsupportedProtocol(protocol));
    }
    // What it authenticates is what a NAT rewrites (RFC 3715 §2.1), and it has no UDP encapsulation.
    (protocol == Protocol::Ah && sa.nat.any()).then_some(LocalFault::AhBehindNat)
}

/// Key exchange methods of proposals, in order, each once; NONE is not among them.
pub(crate) fn ke_methods(proposals: &[Proposal]) -> Vec<KeMethod> {
    let mut methods = Vec::new();
    for transform in proposals.iter().flat_map(|proposal| proposal.of_kind(TransformType::KE)) {
        let method = KeMethod(transform.id);
        if method != KeMethod::NONE && !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods
}

/// The usable part. `None` if a type of transform lost all its values (an additional key exchange, say): offering the rest
/// would be weaker than what was configured.
fn limited(proposal: &Proposal, usable: impl Fn(&Transform) -> bool) -> Option<Proposal> {
    let transforms: Vec<_> =
        proposal.transforms.iter().copied().filter(|transform| usable(transform)).collect();
    let kept = |kind| transforms.iter().any(|transform| transform.kind == kind);
    let optional = |kind| proposal.of_kind(kind).any(|transform| transform.id == NONE);
    let whole = proposal.transforms.iter().all(|transform| kept(transform.kind) || optional(transform.kind));
    whole.then_some(Proposal { protocol: proposal.protocol, transforms })
}

fn ike_transform(transform: &Transform, crypto: &CryptoProvider) -> bool {
    match transform.kind {
        TransformType::ENCRYPTION => {
            let id = EncryptionId(transform.id);
            crypto.aead(id, transform.key_bits).is_some() || crypto.cipher(id, transform.key_bits).is_some()
        }
        TransformType::INTEGRITY => crypto.mac(IntegrityId(transform.id)).is_some(),
        TransformType::PRF => crypto.prf(PrfId(transform.id)).is_some(),
        TransformType::KE => crypto.key_exchange(KeMethod(transform.id)).is_some(),
        _ => false,
    }
}

fn child_transform(
    config: &ChildConfig,
    transform: &Transform,
    crypto: &CryptoProvider,
    kernel: &KernelCapabilities,
) -> bool {
    match transform.kind {
        TransformType::ENCRYPTION => {
            kernel.encryption.contains(&(EncryptionId(transform.id), transform.key_bits.unwrap_or(0)))
        }
        TransformType::INTEGRITY => kernel.integrity.contains(&truncated(config, IntegrityId(transform.id))),
        TransformType::KE => transform.id == NONE || crypto.key_exchange(KeMethod(transform.id)).is_some(),
        TransformType::SN => transform.id == 0 || (transform.id == 1 && kernel.esn == Esn::Enabled),
        _ => false,
    }
}

fn is_complete_for_ike(proposal: &Proposal) -> bool {
    has(proposal, TransformType::PRF) && has(proposal, TransformType::KE) && protects(proposal)
}

fn is_complete_for_child(proposal: &Proposal) -> bool {
    match proposal.protocol {
        Protocol::Esp => protects(proposal),
        Protocol::Ah => has(proposal, TransformType::INTEGRITY),
        Protocol::Ike => false,
    }
}

/// Every cipher is of a combined mode, or there is integrity as well.
fn protects(proposal: &Proposal) -> bool {
    let mut ciphers = proposal.of_kind(TransformType::ENCRYPTION).peekable();
    ciphers.peek().is_some()
        && (ciphers.all(|cipher| EncryptionId(cipher.id).is_aead())
            || has(proposal, TransformType::INTEGRITY))
}

fn has(proposal: &Proposal, kind: TransformType) -> bool {
    proposal.of_kind(kind).next().is_some()
}
