//! Stateless cookies (RFC 7296 §2.6): `time ‖ MAC(source, SPIi, Ni, time)` under a secret that rotates.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use charon_crypto::CryptoProvider;
use charon_crypto::prf::PrfKey;
use charon_crypto::random::Random;
use charon_types::algorithm::PrfId;
use charon_types::id::IkeSpi;
use subtle::ConstantTimeEq;

/// How long a cookie is taken.
const LIFETIME: Duration = Duration::from_secs(10);
/// How long a secret makes new cookies; after that it checks old ones until the next rotation.
const ROTATION: Duration = Duration::from_secs(120);
const TIME_LEN: usize = 4;
const MAC_LEN: usize = 16;
/// Octets of a cookie.
pub const COOKIE_LEN: usize = TIME_LEN + MAC_LEN;

/// Bakes cookies and knows its own.
#[derive(Default)]
pub struct CookieJar {
    epoch: Option<Instant>,
    current: Option<Secret>,
    previous: Option<Secret>,
}

struct Secret {
    made: Instant,
    key: Box<dyn PrfKey>,
}

/// What a cookie is bound to.
#[derive(Clone, Copy)]
pub struct CookieClaim<'a> {
    /// Where the request came from.
    pub source: SocketAddr,
    /// Its initiator SPI.
    pub spi_i: IkeSpi,
    /// Its nonce.
    pub nonce_i: &'a [u8],
}

impl CookieJar {
    /// A cookie for a request; `None` without HMAC-SHA2-256.
    pub fn bake(
        &mut self,
        now: Instant,
        crypto: &CryptoProvider,
        claim: &CookieClaim<'_>,
    ) -> Option<[u8; COOKIE_LEN]> {
        self.rotate(now, crypto)?;
        let time = self.seconds(now)?.to_be_bytes();
        let secret = self.current.as_ref()?;
        let mut cookie = [0; COOKIE_LEN];
        let (head, tail) = cookie.split_at_mut(TIME_LEN);
        head.copy_from_slice(&time);
        tail.copy_from_slice(&mac(&*secret.key, time, claim));
        Some(cookie)
    }

    /// Whether a cookie is one of ours for that request, and fresh. One MAC of work at most two times, and no state.
    #[must_use]
    pub fn knows(&self, now: Instant, claim: &CookieClaim<'_>, cookie: &[u8]) -> bool {
        let Some((time, sent)) = cookie.split_first_chunk::<TIME_LEN>() else { return false };
        let Some(seconds) = self.seconds(now) else { return false };
        let age = seconds.checked_sub(u32::from_be_bytes(*time));
        if sent.len() != MAC_LEN || age.is_none_or(|age| u64::from(age) > LIFETIME.as_secs()) {
            return false;
        }
        let secrets = self.current.iter().chain(&self.previous);
        secrets.into_iter().any(|secret| mac(&*secret.key, *time, claim).ct_eq(sent).into())
    }

    fn seconds(&self, now: Instant) -> Option<u32> {
        u32::try_from(now.checked_duration_since(self.epoch?)?.as_secs()).ok()
    }

    fn rotate(&mut self, now: Instant, crypto: &CryptoProvider) -> Option<()> {
        let stale = self.current.as_ref().is_none_or(|secret| now.duration_since(secret.made) >= ROTATION);
        if stale {
            let key = fresh_key(crypto, crypto.random())?;
            self.previous = self.current.replace(Secret { made: now, key });
            self.epoch.get_or_insert(now);
        }
        Some(())
    }
}

/// Shows nothing of the secrets.
impl std::fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CookieJar")
    }
}

fn fresh_key(crypto: &CryptoProvider, random: &dyn Random) -> Option<Box<dyn PrfKey>> {
    let mut key = zeroize::Zeroizing::new([0; 32]);
    random.fill(&mut *key);
    crypto.prf(PrfId::HMAC_SHA2_256)?.key(&*key).ok()
}

fn mac(key: &dyn PrfKey, time: [u8; TIME_LEN], claim: &CookieClaim<'_>) -> [u8; MAC_LEN] {
    let mut full = [0; 32];
    let port = claim.source.port().to_be_bytes();
    let spi = claim.spi_i.to_be_bytes();
    match claim.source.ip() {
        IpAddr::V4(address) => key.sign(&[&time, &address.octets(), &port, &spi, claim.nonce_i], &mut full),
        IpAddr::V6(address) => key.sign(&[&time, &address.octets(), &port, &spi, claim.nonce_i], &mut full),
    }
    let mut short = [0; MAC_LEN];
    short.copy_from_slice(&full[..MAC_LEN]);
    short
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts at some moment")]
mod tests {
    use std::num::NonZeroU64;

    use charon_crypto::{Order, ProviderBuilder};

    use super::*;

    const NONCE: &[u8] = &[7; 32];

    #[test]
    fn a_cookie_is_known_for_its_request_alone() {
        let (crypto, now, mut jar) = (crypto(), Instant::now(), CookieJar::default());
        let cookie = jar.bake(now, &crypto, &claim()).unwrap();
        assert_eq!(cookie.len(), COOKIE_LEN);
        assert!(jar.knows(now, &claim(), &cookie));
        let elsewhere = CookieClaim { source: "192.0.2.2:500".parse().unwrap(), ..claim() };
        let other_spi = CookieClaim { spi_i: IkeSpi(NonZeroU64::MAX), ..claim() };
        let other_nonce = CookieClaim { nonce_i: &[8; 32], ..claim() };
        for other in [elsewhere, other_spi, other_nonce] {
            assert!(!jar.knows(now, &other, &cookie));
        }
        assert!(!jar.knows(now, &claim(), &cookie[1..]));
        assert!(!jar.knows(now, &claim(), &[]));
        assert!(!CookieJar::default().knows(now, &claim(), &cookie));
    }

    #[test]
    fn a_cookie_grows_old() {
        let (crypto, now, mut jar) = (crypto(), Instant::now(), CookieJar::default());
        let cookie = jar.bake(now, &crypto, &claim()).unwrap();
        assert!(jar.knows(now + LIFETIME, &claim(), &cookie));
        assert!(!jar.knows(now + LIFETIME + Duration::from_secs(1), &claim(), &cookie));
    }

    #[test]
    fn a_cookie_outlives_the_rotation_of_the_secret_but_not_two() {
        let (crypto, now, mut jar) = (crypto(), Instant::now(), CookieJar::default());
        jar.bake(now, &crypto, &claim()).unwrap();
        let late = now + ROTATION - Duration::from_secs(1);
        let cookie = jar.bake(late, &crypto, &claim()).unwrap();
        let after = now + ROTATION;
        assert_ne!(jar.bake(after, &crypto, &claim()), Some(cookie));
        assert!(jar.knows(after, &claim(), &cookie));
        jar.bake(after + ROTATION, &crypto, &claim()).unwrap();
        assert!(!jar.knows(after, &claim(), &cookie));
    }

    fn claim() -> CookieClaim<'static> {
        CookieClaim {
            source: "192.0.2.1:500".parse().unwrap(),
            spi_i: IkeSpi(NonZeroU64::MIN),
            nonce_i: NONCE,
        }
    }

    fn crypto() -> CryptoProvider {
        let mut builder = ProviderBuilder::new(Order::AsAdded);
        for algorithm in charon_crypto_ring::algorithms() {
            builder.add_untested("ring", algorithm);
        }
        builder.freeze()
    }
}
