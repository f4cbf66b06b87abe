use std::net::SocketAddr;
use std::num::NonZeroU32;

use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, IntegrityId};
use charon_types::id::{EspSpi, Reqid};
use charon_types::kernel_op::{SaLimits, SaOptions};
use charon_types::selector::TrafficSelector;

use super::*;

const V4: TrafficSelector = TrafficSelector::ANY_IPV4;
const V6: TrafficSelector = TrafficSelector::ANY_IPV6;

fn tunnel(inside: &[TrafficSelector]) -> AddSa {
    let here = SocketAddr::new([192, 0, 2, 1].into(), 4500);
    AddSa {
        source: here,
        destination: here,
        protocol: Protocol::Esp,
        spi: EspSpi(NonZeroU32::MIN),
        direction: Direction::Inbound,
        mode: Mode::Tunnel,
        reqid: Reqid(NonZeroU32::MIN),
        encryption: Some((EncryptionId::AES_CBC, Secret::from(vec![1; 16]))),
        integrity: Some((IntegrityId::HMAC_SHA1_96, Secret::from(vec![1; 20]))),
        encap: Encap::None,
        esn: Esn::Disabled,
        replay_window: 32,
        limits: SaLimits::default(),
        source_ts: inside.to_vec(),
        destination_ts: inside.to_vec(),
        mark: Mark::default(),
        if_id: IfId::default(),
        options: SaOptions::default(),
    }
}

fn proxy(sa: &AddSa) -> Option<IpAddr> {
    let message = add(sa, wire::ADD).unwrap().finish(1, 1);
    address(&Message::parse(&message).unwrap(), wire::X_ADDRESS_PROXY)
}

#[test]
fn an_sa_names_the_family_of_its_packets_if_it_is_another_than_its_own() {
    assert_eq!(proxy(&tunnel(&[V4])), None);
    assert_eq!(proxy(&tunnel(&[V6])), Some(Ipv6Addr::UNSPECIFIED.into()));
    assert_eq!(proxy(&AddSa { mode: Mode::Transport, ..tunnel(&[V6]) }), None);
    let both = add(&tunnel(&[V4, V6]), wire::ADD).err();
    assert_eq!(both, Some(KernelError::Unsupported("IPv4 and IPv6 in one SA")));
}

#[test]
fn what_pf_key_has_no_words_for_is_refused() {
    let refused = |sa: AddSa| matches!(add(&sa, wire::ADD), Err(KernelError::Unsupported(_)));
    assert!(refused(AddSa { esn: Esn::Enabled, ..tunnel(&[V4]) }));
    assert!(refused(AddSa { if_id: IfId(7), ..tunnel(&[V4]) }));
    assert!(refused(AddSa { mark: Mark { value: 1, mask: 1 }, ..tunnel(&[V4]) }));
    let gcm = Some((EncryptionId::AES_GCM_16, Secret::from(vec![1; 20])));
    let unknown = add(&AddSa { encryption: gcm, ..tunnel(&[V4]) }, wire::ADD).err();
    assert_eq!(unknown, Some(KernelError::UnsupportedEncryption(EncryptionId::AES_GCM_16)));
}
