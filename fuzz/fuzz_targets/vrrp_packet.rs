//! An Ethernet frame from anybody, heard by routers of each kind: taken or refused, never a panic; what is taken by a Backup
//! keeps it one, and what is refused changes nothing.
#![no_main]

use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use charon_crypto::{CryptoProvider, Order, ProviderBuilder};
use charon_types::Secret;
use libfuzzer_sys::fuzz_target;
use vrrp_proto::config::{Authentication, Compatibility, HmacConfig};
use vrrp_proto::packet::peek_vrid;
use vrrp_proto::receive::Unclaimed;
use vrrp_proto::{
    InterfaceState, Interval, Now, Output, Priority, Received, Rejection, RouterConfig, State, Version,
    VirtualRouter, Vrid,
};

static CRYPTO: LazyLock<CryptoProvider> = LazyLock::new(|| {
    let mut builder = ProviderBuilder::new(Order::AsAdded);
    for algorithm in charon_crypto_ring::algorithms() {
        builder.add_untested("ring", algorithm);
    }
    builder.freeze()
});

fuzz_target!(|frame: &[u8]| {
    let Ok(received) = Received::from_ethernet(frame) else { return };
    let versions = [Version::V2, Version::V3];
    let _ = Unclaimed { versions: &versions }.reject(&received);
    let Some(vrid) = peek_vrid(received.payload).and_then(Vrid::new) else { return };
    let secret = |text: &[u8]| Secret::copy_from(text);
    let authentications = [
        Authentication::None,
        Authentication::Simple(secret(b"secret12")),
        Authentication::P0(secret(b"P0-shared-secret")),
        Authentication::P1(secret(b"P1-shared-secret")),
        Authentication::Hmac(HmacConfig::with_key(
            Secret::from((0..32).collect::<Vec<u8>>()),
            Interval::DEFAULT,
        )),
    ];
    let (addresses, primary) = match received.source {
        IpAddr::V4(_) => (vec![IpAddr::from([192, 0, 2, vrid.get()])], IpAddr::from([192, 0, 2, 14])),
        IpAddr::V6(_) => {
            (vec!["fe80::64".parse().expect("an address")], "fe80::e".parse().expect("an address"))
        }
    };
    for version in versions {
        for authentication in &authentications {
            for compatibility in [Compatibility::Strict, Compatibility::Rvrrpd] {
                let mut config = RouterConfig::new("gw", "eth0", vrid, version, addresses.clone());
                config.authentication = authentication.clone();
                config.compatibility = compatibility;
                play(config, primary, &received);
            }
        }
    }
});

fn play(config: RouterConfig, primary: IpAddr, received: &Received<'_>) {
    let mut now =
        Now { mono: Instant::now(), wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_162_112) };
    let own = config.priority;
    let Ok(mut router) = VirtualRouter::new(config, &CRYPTO, now) else { return };
    router.handle_interface(InterfaceState::Up { primary: Some(primary) }, now);
    // As a Backup.
    let deadline = router.next_timeout();
    let heard = router.handle_advert(received, now);
    assert_eq!(router.state(), State::Backup);
    assert!(heard.is_ok() || router.next_timeout() == deadline, "{heard:?}");
    // As an Active router.
    now = now.advance(Duration::from_secs(400));
    router.handle_timeout(now);
    assert_eq!(router.state(), State::Active);
    now = now.advance(Duration::from_millis(100));
    let deadline = router.next_timeout();
    let heard = router.handle_advert(received, now);
    match (heard, received.payload.get(2).copied().map(Priority)) {
        (Ok(()), Some(priority)) if priority > own => assert_eq!(router.state(), State::Backup),
        (Ok(()), Some(priority)) if priority < own => assert_eq!(router.state(), State::Active),
        (Ok(()), _) => {}
        (Err(Rejection::Replay), _) => assert_eq!(router.state(), State::Active),
        (Err(_), _) => {
            assert_eq!((router.state(), router.next_timeout()), (State::Active, deadline));
        }
    }
    // Whatever it says is read by others.
    while let Some(output) = router.poll_output() {
        if let Output::SendAdvert(advert) = output {
            let frame = advert.ethernet_frame(router.config().mac(), None, 0);
            let read = Received::from_ethernet(&frame).expect("our own frame");
            assert_eq!(read.payload, advert.payload);
        }
    }
}
