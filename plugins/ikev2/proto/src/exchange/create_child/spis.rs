//! Our SPIs of a child that we offer: one for each protocol, because a configuration may leave the choice between ESP and AH to
//! the peer.

use charon_types::id::EspSpi;
use charon_types::kernel_op::{KernelError, KernelReply, KernelResult};
use charon_types::proposal::Protocol;

use crate::failure::{Failure, LocalFault};
use crate::sa::Sa;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnSpis {
    esp: Option<EspSpi>,
    ah: Option<EspSpi>,
}

impl OwnSpis {
    /// What the kernel reserved for these protocols, in their order. If it refused one, all are given back.
    pub(crate) fn reserved(
        sa: &mut Sa,
        protocols: &[Protocol],
        results: &[KernelResult],
    ) -> Result<Self, Failure> {
        let mut spis = Self::default();
        let mut fault = None;
        for (protocol, result) in protocols.iter().zip(results) {
            match result {
                Ok(KernelReply::Spi(spi)) => {
                    sa.keep_spi(*protocol, *spi);
                    spis.set(*protocol, *spi);
                }
                Ok(_) => fault = Some(KernelError::Unsupported("SPI allocation")),
                Err(error) => fault = Some(error.clone()),
            }
        }
        if results.len() != protocols.len() {
            fault = Some(KernelError::Unsupported("SPI allocation"));
        }
        match fault {
            None => Ok(spis),
            Some(error) => {
                spis.release(sa);
                Err(LocalFault::Kernel(error).into())
            }
        }
    }

    /// The one for that protocol.
    pub(crate) const fn of(self, protocol: Protocol) -> Option<EspSpi> {
        match protocol {
            Protocol::Esp => self.esp,
            Protocol::Ah => self.ah,
            Protocol::Ike => None,
        }
    }

    /// Gives all of them back.
    pub(crate) fn release(self, sa: &mut Sa) {
        for (protocol, spi) in [(Protocol::Esp, self.esp), (Protocol::Ah, self.ah)] {
            if let Some(spi) = spi {
                sa.release_spi(protocol, spi);
            }
        }
    }

    /// The peer chose that protocol: gives the other one back.
    pub(crate) fn release_all_but(self, sa: &mut Sa, chosen: Protocol) {
        let mut others = self;
        match chosen {
            Protocol::Esp => others.esp = None,
            Protocol::Ah => others.ah = None,
            Protocol::Ike => {}
        }
        others.release(sa);
    }

    const fn set(&mut self, protocol: Protocol, spi: EspSpi) {
        match protocol {
            Protocol::Esp => self.esp = Some(spi),
            Protocol::Ah => self.ah = Some(spi),
            Protocol::Ike => {}
        }
    }
}

/// The SPI that the kernel reserved for a child that the peer asks for.
pub(crate) fn reserved(sa: &mut Sa, protocol: Protocol, results: &[KernelResult]) -> Result<EspSpi, Failure> {
    let spis = OwnSpis::reserved(sa, &[protocol], results)?;
    spis.of(protocol).ok_or_else(|| LocalFault::Kernel(KernelError::Unsupported("SPI allocation")).into())
}
