use super::*;
use crate::xfrm::wire::{Writer, XfrmWriter};

fn event(kind: u16, payload: &[u8]) -> Option<KernelEvent> {
    let mut writer = Writer::message(kind, 0);
    writer.bytes(payload);
    let bytes = writer.finish(0);
    // What is cut off says nothing, and never panics.
    for cut in 0..bytes.len() {
        assert_eq!(Messages::new(&bytes[..cut]).filter_map(read).next(), None);
    }
    Messages::new(&bytes).find_map(read)
}

fn sa() -> SaKey {
    SaKey {
        destination: [192, 0, 2, 1].into(),
        protocol: charon_types::proposal::Protocol::Esp,
        spi: EspSpi(NonZeroU32::new(0xc000_0001).unwrap()),
    }
}

#[test]
fn an_expiry_is_hard_or_soft() {
    for (hard, expiry) in [(0, Expiry::Soft), (1, Expiry::Hard)] {
        let mut info = Writer::new();
        info.zeros(56)
            .address(sa().destination)
            .be32(0xc000_0001)
            .u8(50)
            .zeros(3)
            .zeros(16 + 64 + 32 + 12 + 8);
        info.u16(wire::AF_INET).zeros(10).u8(hard).zeros(7);
        assert_eq!(event(wire::EXPIRE, info.as_bytes()), Some(KernelEvent::Expire { sa: sa(), expiry }));
    }
}

#[test]
fn a_mapping_names_the_new_source() {
    let mut mapping = Writer::new();
    mapping.address(sa().destination).be32(0xc000_0001).u16(wire::AF_INET).u8(50).zeros(1 + 4);
    mapping.address([192, 0, 2, 2].into()).address([192, 0, 2, 9].into()).be16(4500).be16(32000).zeros(4);
    let remote = "192.0.2.9:32000".parse().unwrap();
    assert_eq!(event(wire::MAPPING, mapping.as_bytes()), Some(KernelEvent::Mapping { sa: sa(), remote }));
}

fn acquired(protocol: u8, source_port: (u16, u16), destination_port: (u16, u16)) -> Option<KernelEvent> {
    let mut acquire = Writer::new();
    acquire.zeros(24 + 16).address([10, 2, 0, 1].into()).address([10, 1, 0, 1].into());
    acquire.be16(destination_port.0).be16(destination_port.1).be16(source_port.0).be16(source_port.1);
    acquire.u16(wire::AF_INET).u8(32).u8(32).u8(protocol).zeros(3 + 8).zeros(wire::POLICY_INFO_LEN + 16);
    let mut template = Writer::new();
    template.zeros(24 + 4 + 16).u32(3).zeros(16);
    acquire.attribute(wire::A_TMPL, template.as_bytes());
    event(wire::ACQUIRE, acquire.as_bytes())
}

#[test]
fn an_acquire_tells_the_packet_and_the_reqid() {
    let host = |last: [u8; 4], protocol, first, end| {
        TrafficSelector::host(last.into()).with_ports(protocol, first, end)
    };
    let reqid = Reqid(NonZeroU32::new(3).unwrap());
    assert_eq!(
        acquired(6, (40_000, 0xffff), (80, 0xffff)),
        Some(KernelEvent::Acquire {
            reqid,
            source: host([10, 1, 0, 1], 6, 40_000, 40_000),
            destination: host([10, 2, 0, 1], 6, 80, 80),
        })
    );
    // An echo request: type 8, code 0.
    assert_eq!(
        acquired(1, (8, 0xffff), (0, 0xffff)),
        Some(KernelEvent::Acquire {
            reqid,
            source: host([10, 1, 0, 1], 1, 0x0800, 0x0800),
            destination: host([10, 2, 0, 1], 1, 0x0800, 0x0800),
        })
    );
}
