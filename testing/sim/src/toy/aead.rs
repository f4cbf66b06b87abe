//! Stands for AES-GCM-16 with 256 bits.

use std::sync::Arc;

use charon_crypto::CryptoError;
use charon_crypto::cipher::{Aead, AeadKey};
use charon_types::Secret;
use charon_types::algorithm::EncryptionId;

use super::sponge::Sponge;
use crate::ledger::Ledger;

const KEY_LEN: usize = 36;
const IV_LEN: usize = 8;
const ICV_LEN: usize = 16;
const STREAM: u64 = 1;
const TAG: u64 = 2;

pub(super) struct ToyAead {
    ledger: Arc<Ledger>,
}

impl ToyAead {
    pub(super) const fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger }
    }
}

impl Aead for ToyAead {
    fn id(&self) -> EncryptionId {
        EncryptionId::AES_GCM_16
    }

    fn key_bits(&self) -> u16 {
        256
    }

    fn key_material_len(&self) -> usize {
        KEY_LEN
    }

    fn iv_len(&self) -> usize {
        IV_LEN
    }

    fn icv_len(&self) -> usize {
        ICV_LEN
    }

    fn key(&self, material: &Secret) -> Result<Box<dyn AeadKey>, CryptoError> {
        if material.expose().len() != KEY_LEN {
            return Err(CryptoError::InvalidKey);
        }
        let keyed = |domain| {
            let mut sponge = Sponge::new(domain);
            sponge.absorb(material.expose());
            sponge
        };
        let (stream, tag) = (keyed(STREAM), keyed(TAG));
        Ok(Box::new(Key { name: tag.number(), stream, tag, ledger: Arc::clone(&self.ledger) }))
    }
}

struct Key {
    name: u64,
    stream: Sponge,
    tag: Sponge,
    ledger: Arc<Ledger>,
}

impl Key {
    fn split<'p>(&self, packet: &'p mut [u8]) -> Result<(&'p mut [u8], &'p mut [u8]), CryptoError> {
        let at = packet.len().checked_sub(ICV_LEN).ok_or(CryptoError::InvalidLength)?;
        Ok(packet.split_at_mut(at))
    }

    fn icv(&self, iv: &[u8], aad: &[u8], data: &[u8]) -> [u8; ICV_LEN] {
        let mut icv = [0; ICV_LEN];
        let len = u64::try_from(aad.len()).unwrap_or(0).to_le_bytes();
        self.tag.clone().absorb(iv).absorb(&len).absorb(aad).absorb(data).squeeze(&mut icv);
        icv
    }
}

impl AeadKey for Key {
    fn seal(&self, iv: &[u8], aad: &[u8], packet: &mut [u8]) -> Result<(), CryptoError> {
        let number = u64::from_be_bytes(iv.try_into().map_err(|_| CryptoError::InvalidLength)?);
        self.ledger.sealed(self.name, number);
        let (data, icv) = self.split(packet)?;
        self.ledger.change(data);
        self.stream.clone().absorb(iv).mask(data);
        icv.copy_from_slice(&self.icv(iv, aad, data));
        Ok(())
    }

    fn open(&self, iv: &[u8], aad: &[u8], packet: &mut [u8]) -> Result<(), CryptoError> {
        let (data, icv) = self.split(packet)?;
        if *icv != self.icv(iv, aad, data) {
            return Err(CryptoError::Forged);
        }
        self.stream.clone().absorb(iv).mask(data);
        Ok(())
    }
}
