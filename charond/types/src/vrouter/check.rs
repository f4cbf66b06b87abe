//! What cannot be, whoever configured it.

use std::fmt;
use std::time::Duration;

use super::{VirtualAddress, Vrouter, VrouterAuth, VrrpVersion};

/// The first key of a virtual router that is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VrouterFault {
    /// The key of swanctl.conf.
    pub key: String,
    /// What is wrong, as a clause.
    pub reason: &'static str,
}

impl VrouterFault {
    /// A fault of that key.
    #[must_use]
    pub fn new(key: &str, reason: &'static str) -> Self {
        Self { key: key.to_owned(), reason }
    }
}

impl fmt::Display for VrouterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid value for: {}, {}", self.key, self.reason)
    }
}

impl std::error::Error for VrouterFault {}

/// The kernel's limit.
const INTERFACE_NAME_LEN_MAX: usize = 15;
const CENTISECOND: Duration = Duration::from_millis(10);
const V3_INTERVAL_MAX: Duration = Duration::from_millis(40_950);
const V2_INTERVAL_MAX: Duration = Duration::from_secs(255);
/// As many as the count of an advert can say.
const ADDRESSES_MAX: usize = 255;
/// Of one kind each: more is a mistake, and every one costs work on each change of state.
const THINGS_MAX: usize = 1024;
const HMAC_SECRET_LEN_MIN: usize = 32;
const HMAC_SECRET_LEN_MAX: usize = 64;

impl Vrouter {
    /// Whether everything fits together.
    ///
    /// # Errors
    /// The first key that does not.
    pub fn check(&self) -> Result<(), VrouterFault> {
        let fault = |key, reason| Err(VrouterFault::new(key, reason));
        if !is_interface_name(&self.interface) {
            return fault("interface", "must be the name of an interface, 1 to 15 characters");
        }
        if self.vmac_name.as_deref().is_some_and(|name| !is_interface_name(name)) {
            return fault("vmac_name", "must be the name of an interface, 1 to 15 characters");
        }
        self.check_addresses()?;
        if self.priority == 0 {
            return fault("priority", "must be 1 to 255");
        }
        self.check_interval()?;
        self.check_auth()?;
        if self.down_adverts == 0 || self.down_adverts > 100 {
            return fault("down_adverts", "must be 1 to 100");
        }
        if self.garp.repeat == 0 {
            return fault("garp_repeat", "must be 1 to 255");
        }
        if self.preempt_delay > Duration::from_secs(65_535) {
            return fault("preempt_delay", "must be at most 65535 seconds");
        }
        if self.track.len() > THINGS_MAX {
            return fault("track", "there are too many");
        }
        if self.routes.len() > THINGS_MAX {
            return fault("routes", "there are too many");
        }
        if self.rules.len() > THINGS_MAX {
            return fault("rules", "there are too many");
        }
        Ok(())
    }

    fn check_addresses(&self) -> Result<(), VrouterFault> {
        let fault = |key, reason| Err(VrouterFault::new(key, reason));
        if self.addresses.is_empty() {
            return fault("addresses", "there must be one at least");
        }
        if self.addresses.len() > ADDRESSES_MAX || self.excluded.len() > THINGS_MAX {
            return fault("addresses", "there are too many");
        }
        let ipv4 = self.is_ipv4();
        if self.addresses.iter().any(|held| held.address.is_ipv4() != ipv4) {
            return fault("addresses", "all must be of one family");
        }
        for (key, addresses) in [("addresses", &self.addresses), ("excluded", &self.excluded)] {
            if addresses.iter().any(|held| !is_usable(*held)) {
                return fault(key, "must be addresses of a host, with a prefix length that fits");
            }
        }
        let mut all: Vec<_> = self.addresses.iter().chain(&self.excluded).map(|held| held.address).collect();
        all.sort_unstable();
        if all.windows(2).any(|pair| pair[0] == pair[1]) {
            return fault("addresses", "an address stands there twice");
        }
        let first_is_link_local = self.addresses.first().is_some_and(|first| match first.address {
            std::net::IpAddr::V4(_) => true,
            std::net::IpAddr::V6(address) => address.is_unicast_link_local(),
        });
        if !first_is_link_local {
            return fault("addresses", "the first of IPv6 must be link-local");
        }
        if self.version == VrrpVersion::V2 && !ipv4 {
            return fault("version", "2 knows no IPv6");
        }
        if self.source.is_some_and(|source| source.is_ipv4() != ipv4) {
            return fault("source", "must be of the family of the addresses");
        }
        if self.peers.iter().any(|peer| peer.is_ipv4() != ipv4) {
            return fault("peers", "must be of the family of the addresses");
        }
        Ok(())
    }

    fn check_interval(&self) -> Result<(), VrouterFault> {
        let (interval, fault) =
            (self.advert_interval, |reason| Err(VrouterFault::new("advert_interval", reason)));
        match self.version {
            VrrpVersion::V2 if interval.subsec_nanos() != 0 || interval.is_zero() => {
                fault("version 2 has whole seconds")
            }
            VrrpVersion::V2 if interval > V2_INTERVAL_MAX => fault("must be at most 255s"),
            VrrpVersion::V3
                if interval < CENTISECOND || interval.as_nanos() % CENTISECOND.as_nanos() != 0 =>
            {
                fault("version 3 has steps of 10ms")
            }
            VrrpVersion::V3 if interval > V3_INTERVAL_MAX => fault("must be at most 40950ms"),
            VrrpVersion::V2 | VrrpVersion::V3 => Ok(()),
        }
    }

    fn check_auth(&self) -> Result<(), VrouterFault> {
        let fault = |key, reason| Err(VrouterFault::new(key, reason));
        let secret = self.secret.as_ref().map_or(0, crate::secret::Secret::len);
        match self.auth {
            VrouterAuth::None => Ok(()),
            VrouterAuth::Simple | VrouterAuth::P0 | VrouterAuth::P1 if self.version == VrrpVersion::V3 => {
                fault("auth", "version 3 has none but hmac")
            }
            VrouterAuth::Hmac if !(HMAC_SECRET_LEN_MIN..=HMAC_SECRET_LEN_MAX).contains(&secret) => {
                fault("secret", "hmac needs 32 to 64 octets")
            }
            // One of no octets is none to be proud of, but rVRRPd has it where none is configured.
            _ if self.secret.is_none() => fault("secret", "there must be one"),
            _ => Ok(()),
        }
    }
}

fn is_interface_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= INTERFACE_NAME_LEN_MAX
        && name != "."
        && name != ".."
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':')
}

fn is_usable(held: VirtualAddress) -> bool {
    let width = if held.address.is_ipv4() { 32 } else { 128 };
    let broadcast = held.address == std::net::IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    held.prefix <= width && !held.address.is_unspecified() && !held.address.is_multicast() && !broadcast
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;

    use super::*;
    use crate::secret::Secret;

    fn router(addresses: &[&str]) -> Vrouter {
        let held = |text: &&str| VirtualAddress { address: text.parse().unwrap(), prefix: 24 };
        Vrouter::new("gw", "eth0", NonZeroU8::new(51).unwrap(), addresses.iter().map(held).collect())
    }

    fn key_of(router: &Vrouter) -> Option<String> {
        router.check().err().map(|fault| fault.key)
    }

    fn changed(change: impl FnOnce(&mut Vrouter)) -> Option<String> {
        let mut router = router(&["192.0.2.1"]);
        change(&mut router);
        key_of(&router)
    }

    #[test]
    fn addresses_are_of_one_family_and_stand_there_once() {
        assert_eq!(key_of(&router(&["192.0.2.1", "192.0.2.2"])), None);
        for wrong in
            [&[][..], &["192.0.2.1", "fe80::1"], &["192.0.2.1", "192.0.2.1"], &["224.0.0.1"], &["0.0.0.0"]]
        {
            assert_eq!(key_of(&router(wrong)).as_deref(), Some("addresses"), "{wrong:?}");
        }
    }

    #[test]
    fn the_first_address_of_ipv6_is_link_local() {
        assert_eq!(key_of(&router(&["fe80::1", "2001:db8::1"])), None);
        assert_eq!(key_of(&router(&["2001:db8::1"])).as_deref(), Some("addresses"));
    }

    #[test]
    fn each_version_has_intervals_of_its_own() {
        assert_eq!(changed(|router| router.advert_interval = Duration::from_millis(10)), None);
        for wrong in [0, 5, 15, 40_960] {
            let key = changed(|router| router.advert_interval = Duration::from_millis(wrong));
            assert_eq!(key.as_deref(), Some("advert_interval"), "{wrong}");
        }
        let v2 = |millis| {
            changed(|router| {
                router.version = VrrpVersion::V2;
                router.advert_interval = Duration::from_millis(millis);
            })
        };
        assert_eq!(v2(255_000), None);
        assert!(v2(500).is_some() && v2(256_000).is_some());
    }

    #[test]
    fn secrets_fit_their_authentication() {
        let with = |version, auth, secret: &[u8]| {
            changed(|router| {
                router.version = version;
                router.auth = auth;
                router.secret = Some(Secret::copy_from(secret)).filter(|secret| !secret.is_empty());
            })
        };
        assert_eq!(with(VrrpVersion::V2, VrouterAuth::P1, b"s"), None);
        assert_eq!(with(VrrpVersion::V3, VrouterAuth::Hmac, &[1; 32]), None);
        assert_eq!(with(VrrpVersion::V3, VrouterAuth::Simple, b"s").as_deref(), Some("auth"));
        assert_eq!(with(VrrpVersion::V3, VrouterAuth::Hmac, &[1; 31]).as_deref(), Some("secret"));
        assert_eq!(with(VrrpVersion::V2, VrouterAuth::Simple, b"").as_deref(), Some("secret"));
    }

    #[test]
    fn names_of_interfaces_are_those_that_the_kernel_takes() {
        for wrong in ["", "a b", "x/y", "..", "a-name-too-long0"] {
            assert_eq!(
                changed(|router| router.interface = wrong.into()).as_deref(),
                Some("interface"),
                "{wrong}"
            );
        }
    }
}
