//! What a kernel reports, as a sentence of the log.

use std::fmt;

use super::{Expiry, KernelEvent, SaKey};

impl fmt::Display for KernelEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acquire { reqid, source, destination } => {
                write!(f, "a packet of {source} === {destination} wants an SA with reqid {}", reqid.0)
            }
            Self::Expire { sa, expiry } => {
                let limit = match expiry {
                    Expiry::Soft => "soft",
                    Expiry::Hard => "hard",
                };
                write!(f, "{sa} reached its {limit} limit")
            }
            Self::Mapping { sa, remote } => write!(f, "the peer of {sa} is at {remote} now"),
        }
    }
}

impl fmt::Display for SaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { destination, protocol, spi } = self;
        write!(f, "{protocol} SA {spi} to {destination}")
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::id::{EspSpi, Reqid};
    use crate::proposal::Protocol;
    use crate::selector::TrafficSelector;

    #[test]
    fn events_read_as_sentences() {
        let spi = EspSpi(NonZeroU32::new(0xc000_0001).unwrap());
        let sa = SaKey { destination: [192, 0, 2, 1].into(), protocol: Protocol::Esp, spi };
        let said = [
            KernelEvent::Acquire {
                reqid: Reqid(NonZeroU32::new(3).unwrap()),
                source: TrafficSelector::host([10, 1, 0, 1].into()),
                destination: TrafficSelector::host([10, 2, 0, 1].into()),
            },
            KernelEvent::Expire { sa, expiry: Expiry::Soft },
            KernelEvent::Mapping { sa, remote: "192.0.2.9:4500".parse().unwrap() },
        ]
        .map(|event| event.to_string());
        let expected = [
            "a packet of 10.1.0.1/32 === 10.2.0.1/32 wants an SA with reqid 3",
            "ESP SA c0000001 to 192.0.2.1 reached its soft limit",
            "the peer of ESP SA c0000001 to 192.0.2.1 is at 192.0.2.9:4500 now",
        ];
        assert_eq!(said, expected);
    }
}
