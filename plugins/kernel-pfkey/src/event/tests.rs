use super::*;
use crate::wire::{KeyWriter, SATYPE_ESP, Writer};

fn with_sa(kind: u8) -> Writer {
    let mut message = Writer::message(kind, SATYPE_ESP);
    let mut sa = Writer::new();
    sa.be32(0xc000_0001).zeros(8);
    message.extension(wire::X_SA, sa.as_bytes());
    message.host(wire::X_ADDRESS_DST, [192, 0, 2, 1].into());
    message
}

fn report(message: Writer) -> Option<Report> {
    let bytes = message.finish(1, 0);
    // What is cut off says nothing, and never panics.
    for cut in 0..bytes.len() {
        assert_eq!(Message::parse(&bytes[..cut]).and_then(|message| read(&message)), None);
    }
    read(&Message::parse(&bytes).unwrap())
}

#[test]
fn an_expiry_is_hard_or_soft() {
    let sa = SaKey {
        destination: [192, 0, 2, 1].into(),
        protocol: Protocol::Esp,
        spi: EspSpi(NonZeroU32::new(0xc000_0001).unwrap()),
    };
    assert_eq!(report(with_sa(wire::EXPIRE)), Some(Report::Expire(sa, Expiry::Soft)));
    let mut hard = with_sa(wire::EXPIRE);
    hard.extension(wire::X_LIFETIME_HARD, &[0; 28]);
    assert_eq!(report(hard), Some(Report::Expire(sa, Expiry::Hard)));
}

#[test]
fn a_mapping_names_the_new_source() {
    let mut message = with_sa(wire::NEW_MAPPING);
    message.extension(wire::X_NAT_T_DPORT, &[0x7d, 0, 0, 0]);
    let spi = EspSpi(NonZeroU32::new(0xc000_0001).unwrap());
    let remote = "192.0.2.1:32000".parse().unwrap();
    assert_eq!(report(message), Some(Report::Mapping { protocol: Protocol::Esp, spi, remote }));
}

#[test]
fn an_acquire_names_its_policy() {
    let mut message = Writer::message(wire::ACQUIRE, SATYPE_ESP);
    message.extension(wire::X_POLICY, &[2, 0, 2, 0, 0x11, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(report(message), Some(Report::Acquire { policy: 0x11 }));
    assert_eq!(report(with_sa(wire::ADD)), None);
}
