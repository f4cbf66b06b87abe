use std::num::NonZeroU32;

use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, Esn, IntegrityId};
use charon_types::id::{IfId, Reqid};
use charon_types::kernel_op::{Direction, Mode, SaLimits, SaOptions};
use charon_types::proposal::Protocol;

use super::super::pipeline::{EOPNOTSUPP, EPROTONOSUPPORT};
use super::*;

const ENOMEM: i32 = 12;

fn sa(encryption: Option<EncryptionId>, integrity: Option<IntegrityId>) -> AddSa {
    let here = SocketAddr::new([192, 0, 2, 1].into(), 4500);
    AddSa {
        source: here,
        destination: here,
        protocol: if encryption.is_some() { Protocol::Esp } else { Protocol::Ah },
        spi: EspSpi(NonZeroU32::MIN),
        direction: Direction::Inbound,
        mode: Mode::Tunnel,
        reqid: Reqid(NonZeroU32::MIN),
        encryption: encryption.map(|id| (id, Secret::from(vec![1; 20]))),
        integrity: integrity.map(|id| (id, Secret::from(vec![1; 20]))),
        encap: Encap::None,
        esn: Esn::Disabled,
        replay_window: 32,
        limits: SaLimits::default(),
        source_ts: Vec::new(),
        destination_ts: Vec::new(),
        mark: Mark::default(),
        if_id: IfId::default(),
        options: SaOptions::default(),
    }
}

#[test]
fn an_algorithm_that_the_kernel_lacks_is_named() {
    let gcm = sa(Some(EncryptionId::AES_GCM_16), None);
    let authenticating = sa(None, Some(IntegrityId::HMAC_SHA1_96));
    for errno in [ENOSYS, EPROTONOSUPPORT, EOPNOTSUPP] {
        let refusal = refused_sa(&gcm, errno);
        assert_eq!(refusal, KernelError::UnsupportedEncryption(EncryptionId::AES_GCM_16));
        assert_eq!(refusal.to_string(), "encryption algorithm AES_GCM_16 is not supported by the kernel");
        let refusal = refused_sa(&authenticating, errno);
        assert_eq!(refusal, KernelError::UnsupportedIntegrity(IntegrityId::HMAC_SHA1_96));
        assert!(refusal.to_string().starts_with("integrity algorithm HMAC_SHA1_96 "), "{refusal}");
    }
}

#[test]
fn other_refusals_are_told_apart() {
    let gcm = sa(Some(EncryptionId::AES_GCM_16), None);
    assert_eq!(refused_sa(&gcm, EEXIST), KernelError::Exists);
    assert_eq!(refused_sa(&gcm, ESRCH), KernelError::NotFound);
    let no_memory = refused_sa(&gcm, ENOMEM);
    assert_eq!(no_memory, KernelError::Os { what: "add an SA", errno: ENOMEM });
    assert!(no_memory.to_string().starts_with("add an SA: Cannot allocate memory"), "{no_memory}");
}
