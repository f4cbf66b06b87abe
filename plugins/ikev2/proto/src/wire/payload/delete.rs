//! Delete payload (RFC 7296 §3.11): protocol 1, SPI size 1, count 2, SPIs. The SPIs are those that the sender receives on.

use charon_types::id::EspSpi;
use charon_types::proposal::Protocol;

/// SAs that are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// IKE, AH or ESP.
    pub protocol: Protocol,
    /// For AH and ESP; empty for IKE. Zero SPIs are dropped.
    pub spis: Vec<EspSpi>,
}

impl Delete {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let ([protocol, spi_len, high, low], spis) = body.split_first_chunk::<4>()?;
        let protocol = Protocol::from_number(*protocol)?;
        let count = usize::from(u16::from_be_bytes([*high, *low]));
        let (whole, rest) = spis.as_chunks::<4>();
        let fits = match (protocol, spi_len) {
            (Protocol::Ike, 0) => spis.is_empty(),
            (Protocol::Ah | Protocol::Esp, 4) => rest.is_empty() && whole.len() == count,
            _ => false,
        };
        fits.then(|| Self {
            protocol,
            spis: whole.iter().filter_map(|spi| EspSpi::from_be_bytes(*spi)).collect(),
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        let spi_len = if self.protocol == Protocol::Ike { 0 } else { 4 };
        out.extend_from_slice(&[self.protocol.number(), spi_len]);
        out.extend_from_slice(&u16::try_from(self.spis.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.spis.iter().for_each(|spi| out.extend_from_slice(&spi.to_be_bytes()));
    }
}
