//! A kernel that remembers what it was asked, and everything that a correct daemon would not ask.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use charon_types::algorithm::{EncryptionId, Esn, IntegrityId};
use charon_types::id::EspSpi;
use charon_types::kernel_op::{
    AddSa, Direction, EncapSupport, KernelCapabilities, KernelError, KernelOp, KernelReply, KernelResult,
    Mode, Policy, SaKey, SaUsage,
};
use charon_types::proposal::Protocol;

use crate::chance::Chance;
use crate::ledger::Ledger;

/// SAs and policies of one host.
pub struct Kernel {
    reserved: Vec<SaKey>,
    sas: BTreeMap<(IpAddr, u32), AddSa>,
    policies: Vec<Policy>,
    ledger: Arc<Ledger>,
    chance: Chance,
    /// Operations that will be refused.
    refusals: u32,
    /// What was refused: to delete it is useless and harmless.
    refused: Vec<KernelOp>,
    violations: Vec<String>,
}

/// What every simulated kernel can do.
#[must_use]
pub fn capabilities() -> KernelCapabilities {
    KernelCapabilities {
        encryption: vec![(EncryptionId::AES_GCM_16, 256), (EncryptionId::AES_CBC, 256)],
        integrity: vec![IntegrityId::HMAC_SHA2_256_128],
        modes: vec![Mode::Tunnel, Mode::Transport],
        protocols: vec![Protocol::Esp],
        encapsulation: EncapSupport::Any,
        esn: Esn::Enabled,
    }
}

impl Kernel {
    /// Nothing installed.
    #[must_use]
    pub const fn new(ledger: Arc<Ledger>, chance: Chance) -> Self {
        Self {
            reserved: Vec::new(),
            sas: BTreeMap::new(),
            policies: Vec::new(),
            ledger,
            chance,
            refusals: 0,
            refused: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// The next operation that adds something fails.
    pub const fn refuse_next(&mut self) {
        self.refusals += 1;
    }

    /// From now on nothing fails.
    pub const fn behave(&mut self) {
        self.refusals = 0;
    }

    /// A reboot.
    pub fn clear(&mut self) {
        self.reserved.clear();
        self.sas.clear();
        self.policies.clear();
    }

    /// All SAs.
    pub fn sas(&self) -> impl Iterator<Item = &AddSa> {
        self.sas.values()
    }

    /// One SA.
    #[must_use]
    pub fn sa(&self, destination: IpAddr, spi: EspSpi) -> Option<&AddSa> {
        self.sas.get(&(destination, spi.get()))
    }

    /// All policies.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// SPIs reserved and not used.
    #[must_use]
    pub fn reserved(&self) -> &[SaKey] {
        &self.reserved
    }

    /// Misuse seen so far.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// Carries out one operation.
    pub fn perform(&mut self, op: KernelOp) -> KernelResult {
        let adds = match &op {
            // One certain SPI was in use by the same IKE_SA a moment ago.
            KernelOp::AllocSpi { min, max, .. } => min != max,
            op => matches!(op, KernelOp::AddSa(_) | KernelOp::AddPolicy(_)),
        };
        if adds && self.refusals > 0 {
            self.refusals -= 1;
            self.refused.extend(opposite(&op));
            return Err(KernelError::Os { what: "simulated", errno: 12 });
        }
        match op {
            KernelOp::AllocSpi { destination, protocol, min, max, .. } => {
                self.reserve(destination, protocol, min, max)
            }
            KernelOp::AddSa(sa) => self.add_sa(*sa),
            KernelOp::UpdateSa { sa, source, destination, encap } => {
                let Some(mut moved) = self.sas.remove(&place(&sa)) else {
                    return self.misuse(format!("UpdateSa of unknown {sa:?}"));
                };
                (moved.source, moved.destination, moved.encap) = (source, destination, encap);
                self.sas.insert((destination.ip(), sa.spi.get()), moved);
                Ok(KernelReply::Done)
            }
            KernelOp::DeleteSa(sa) => {
                let before = self.reserved.len();
                self.reserved.retain(|reserved| *reserved != sa);
                if self.sas.remove(&place(&sa)).is_none() && self.reserved.len() == before {
                    if self.refused.contains(&KernelOp::DeleteSa(sa)) {
                        return Err(KernelError::NotFound);
                    }
                    return self.misuse(format!("DeleteSa of unknown {sa:?}"));
                }
                Ok(KernelReply::Done)
            }
            KernelOp::QuerySa(sa) if self.sas.contains_key(&place(&sa)) => {
                Ok(KernelReply::Usage(SaUsage::default()))
            }
            KernelOp::QuerySa(_) => Err(KernelError::NotFound),
            KernelOp::AddPolicy(policy) => {
                self.policies.push(*policy);
                Ok(KernelReply::Done)
            }
            KernelOp::DeletePolicy(policy) => {
                let Some(at) = self.policies.iter().position(|known| *known == *policy) else {
                    if self.refused.contains(&KernelOp::DeletePolicy(policy.clone())) {
                        return Err(KernelError::NotFound);
                    }
                    return self.misuse(format!("DeletePolicy of unknown {policy:?}"));
                };
                self.policies.remove(at);
                Ok(KernelReply::Done)
            }
        }
    }

    fn reserve(&mut self, destination: IpAddr, protocol: Protocol, min: u32, max: u32) -> KernelResult {
        let span = u64::from(max - min) + 1;
        loop {
            let number = u32::try_from(u64::from(min) + self.chance.below(span)).unwrap_or(max);
            let spi = EspSpi(NonZeroU32::new(number).ok_or(KernelError::SpiExhausted)?);
            let key = SaKey { destination, protocol, spi };
            if !self.reserved.contains(&key) && !self.sas.contains_key(&place(&key)) {
                self.reserved.push(key);
                return Ok(KernelReply::Spi(spi));
            }
        }
    }

    fn add_sa(&mut self, sa: AddSa) -> KernelResult {
        let key = key_of(&sa);
        let before = self.reserved.len();
        self.reserved.retain(|reserved| *reserved != key);
        if sa.direction == Direction::Inbound && self.reserved.len() == before {
            return self.misuse(format!("AddSa under {key:?}, which was not reserved"));
        }
        if self.sas.contains_key(&place(&key)) {
            return self.misuse(format!("AddSa of {key:?}, which exists"));
        }
        if sa.direction == Direction::Outbound
            && let Some((_, encryption)) = &sa.encryption
        {
            self.ledger.esp_key(encryption.expose());
        }
        self.sas.insert(place(&key), sa);
        Ok(KernelReply::Done)
    }

    fn misuse(&mut self, violation: String) -> KernelResult {
        self.violations.push(violation);
        Err(KernelError::NotFound)
    }
}

fn opposite(op: &KernelOp) -> Option<KernelOp> {
    match op {
        KernelOp::AddSa(sa) => Some(KernelOp::DeleteSa(key_of(sa))),
        KernelOp::AddPolicy(policy) => Some(KernelOp::DeletePolicy(policy.clone())),
        _ => None,
    }
}

fn key_of(sa: &AddSa) -> SaKey {
    SaKey { destination: sa.destination.ip(), protocol: sa.protocol, spi: sa.spi }
}

fn place(key: &SaKey) -> (IpAddr, u32) {
    (key.destination, key.spi.get())
}
