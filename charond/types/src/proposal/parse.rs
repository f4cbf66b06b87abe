//! Proposals from keywords joined by `-`, checked and completed.

use std::fmt;

use super::keyword::transform_for;
use super::{AvailableAlgorithms, Proposal, Protocol, Transform, TransformType, default_proposals};
use crate::algorithm::{EncryptionId, IntegrityId, KeMethod, PrfId};

/// Why a text is no proposal. Positions count keywords from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProposalError {
    /// A keyword without a meaning, or one that is empty.
    UnknownKeyword {
        /// Where it stands.
        position: usize,
    },
    /// IKE and ESP need an encryption algorithm.
    MissingEncryption,
    /// Combined-mode and classic ciphers cannot share a proposal.
    MixedModes,
    /// Classic ciphers of IKE, NULL encryption and AH need an integrity algorithm.
    MissingIntegrity,
    /// IKE needs a pseudo-random function, and none follows from the integrity algorithms.
    MissingPrf,
    /// IKE needs a key exchange.
    MissingKeyExchange,
}

/// Transforms of a usual proposal.
const USUAL_COUNT: usize = 4;

impl fmt::Display for ProposalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKeyword { position } => write!(f, "keyword {position} of the proposal is unknown"),
            Self::MissingEncryption => f.write_str("proposal lacks an encryption algorithm"),
            Self::MixedModes => f.write_str("proposal mixes combined-mode and classic encryption algorithms"),
            Self::MissingIntegrity => f.write_str("proposal lacks an integrity algorithm"),
            Self::MissingPrf => f.write_str("proposal lacks a pseudo-random function"),
            Self::MissingKeyExchange => f.write_str("proposal lacks a key exchange method"),
        }
    }
}

impl std::error::Error for ProposalError {}

impl Proposal {
    /// Reads keywords joined by `-`, such as `aes256-sha256-x25519`, and makes the proposal complete: derives the PRF
    /// from integrity algorithms, drops what the protocol has no use for, adds `noesn`.
    ///
    /// # Errors
    /// Unknown keywords and proposals that cannot make an SA.
    pub fn parse(protocol: Protocol, text: &str) -> Result<Self, ProposalError> {
        let mut transforms: Vec<Transform> = Vec::with_capacity(USUAL_COUNT);
        for (index, keyword) in text.trim().split('-').enumerate() {
            let unknown = ProposalError::UnknownKeyword { position: index.saturating_add(1) };
            let transform = transform_for(keyword.trim()).ok_or(unknown)?;
            if !transforms.contains(&transform) {
                transforms.push(transform);
            }
        }
        let mut proposal = Self { protocol, transforms };
        match protocol {
            Protocol::Ike => proposal.complete_ike()?,
            Protocol::Esp => proposal.complete_esp()?,
            Protocol::Ah => proposal.complete_ah()?,
        }
        Ok(proposal)
    }

    /// The list that a setting holds: each entry a proposal or `default`, which adds the default proposals.
    ///
    /// # Errors
    /// Those of the first entry that is wrong.
    pub fn parse_list<'a>(
        protocol: Protocol,
        entries: impl IntoIterator<Item = &'a str>,
        available: &AvailableAlgorithms,
    ) -> Result<Vec<Self>, ProposalError> {
        let mut proposals = Vec::new();
        for entry in entries {
            if entry.trim().eq_ignore_ascii_case("default") {
                proposals.extend(default_proposals(protocol, available));
            } else {
                proposals.push(Self::parse(protocol, entry)?);
            }
        }
        Ok(proposals)
    }

    /// The keywords joined by `-`; transforms without one are left out.
    #[must_use]
    pub fn keywords(&self) -> String {
        self.transforms.iter().filter_map(Transform::keyword).collect::<Vec<_>>().join("-")
    }

    fn complete_ike(&mut self) -> Result<(), ProposalError> {
        let mode = self.cipher_mode()?;
        if !self.has(TransformType::PRF) {
            self.derive_prfs();
        }
        match mode {
            CipherMode::Classic if !self.has(TransformType::INTEGRITY) => {
                return Err(ProposalError::MissingIntegrity);
            }
            CipherMode::Classic => {}
            CipherMode::Combined => self.drop_kind(TransformType::INTEGRITY),
        }
        self.drop_kind(TransformType::SN);
        self.transforms.retain(|t| (t.kind, t.id) != (TransformType::KE, KeMethod::NONE.0));
        if !self.has(TransformType::PRF) {
            return Err(ProposalError::MissingPrf);
        }
        if !self.has(TransformType::KE) {
            return Err(ProposalError::MissingKeyExchange);
        }
        Ok(())
    }

    fn complete_esp(&mut self) -> Result<(), ProposalError> {
        self.drop_kind(TransformType::PRF);
        if self.cipher_mode()? == CipherMode::Combined {
            self.drop_kind(TransformType::INTEGRITY);
        }
        let nothing = self.of_kind(TransformType::ENCRYPTION).any(|t| t.id == EncryptionId::NULL.0);
        if nothing && !self.has(TransformType::INTEGRITY) {
            return Err(ProposalError::MissingIntegrity);
        }
        self.complete_sn();
        Ok(())
    }

    fn complete_ah(&mut self) -> Result<(), ProposalError> {
        self.drop_kind(TransformType::PRF);
        for transform in &mut self.transforms {
            let gmac =
                transform.kind == TransformType::ENCRYPTION && transform.id == EncryptionId::NULL_AES_GMAC.0;
            let integrity = match transform.key_bits {
                Some(128) if gmac => IntegrityId::AES_128_GMAC,
                Some(192) if gmac => IntegrityId::AES_192_GMAC,
                Some(256) if gmac => IntegrityId::AES_256_GMAC,
                _ => continue,
            };
            *transform = Transform { kind: TransformType::INTEGRITY, id: integrity.0, key_bits: None };
        }
        self.drop_kind(TransformType::ENCRYPTION);
        if !self.has(TransformType::INTEGRITY) {
            return Err(ProposalError::MissingIntegrity);
        }
        self.complete_sn();
        Ok(())
    }

    fn complete_sn(&mut self) {
        if !self.has(TransformType::SN) {
            self.transforms.push(Transform { kind: TransformType::SN, id: 0, key_bits: None });
        }
    }

    fn cipher_mode(&self) -> Result<CipherMode, ProposalError> {
        let mut modes = self
            .of_kind(TransformType::ENCRYPTION)
            .map(|t| if EncryptionId(t.id).is_aead() { CipherMode::Combined } else { CipherMode::Classic });
        let first = modes.next().ok_or(ProposalError::MissingEncryption)?;
        if modes.all(|mode| mode == first) { Ok(first) } else { Err(ProposalError::MixedModes) }
    }

    fn derive_prfs(&mut self) {
        let derived: Vec<_> =
            self.of_kind(TransformType::INTEGRITY).filter_map(|t| prf_for(IntegrityId(t.id))).collect();
        for prf in derived {
            let transform = Transform { kind: TransformType::PRF, id: prf.0, key_bits: None };
            if !self.transforms.contains(&transform) {
                self.transforms.push(transform);
            }
        }
    }

    fn has(&self, kind: TransformType) -> bool {
        self.of_kind(kind).next().is_some()
    }

    fn drop_kind(&mut self, kind: TransformType) {
        self.transforms.retain(|transform| transform.kind != kind);
    }
}

/// How the ciphers of a proposal authenticate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CipherMode {
    /// Encryption and integrity apart.
    Classic,
    /// Both in one (AEAD).
    Combined,
}

/// The PRF that an integrity algorithm stands for when a proposal names none.
const fn prf_for(integrity: IntegrityId) -> Option<PrfId> {
    Some(match integrity {
        IntegrityId::HMAC_SHA1_96 | IntegrityId::HMAC_SHA1_160 => PrfId::HMAC_SHA1,
        IntegrityId::HMAC_SHA2_256_128 => PrfId::HMAC_SHA2_256,
        IntegrityId::HMAC_SHA2_384_192 => PrfId::HMAC_SHA2_384,
        IntegrityId::HMAC_SHA2_512_256 => PrfId::HMAC_SHA2_512,
        IntegrityId::HMAC_MD5_96 | IntegrityId::HMAC_MD5_128 => PrfId::HMAC_MD5,
        IntegrityId::AES_XCBC_96 => PrfId::AES128_XCBC,
        IntegrityId::CAMELLIA_XCBC_96 => PrfId::CAMELLIA128_XCBC,
        IntegrityId::AES_CMAC_96 => PrfId::AES128_CMAC,
        _ => return None,
    })
}
