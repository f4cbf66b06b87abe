//! What a seed stands for.

use std::net::IpAddr;
use std::time::Duration;

use charon_types::Secret;
use vrrp_proto::config::{
    AnnounceSchedule, Authentication, ChecksumMode, HmacConfig, OnHigherPriority, OnLowerPriority, Preemption,
};
use vrrp_proto::{Interval, Priority, RouterConfig, Version, Vrid};

use crate::chance::Chance;

/// Routers on one link.
pub(crate) struct Scenario {
    pub(crate) routers: Vec<RouterConfig>,
    /// Longest delay of a packet.
    pub(crate) delay: Duration,
    /// The routers' real addresses.
    pub(crate) primaries: Vec<IpAddr>,
}

impl Scenario {
    pub(crate) fn of(chance: &mut Chance) -> Self {
        let count = 3 + chance.below(3);
        let version = if chance.percent(30) { Version::V2 } else { Version::V3 };
        let v6 = version == Version::V3 && chance.percent(40);
        let shared = Interval::from_centiseconds(match version {
            Version::V2 => 100 * (1 + number(chance, 3)),
            Version::V3 => [1, 10, 50, 100, 400].get(usize::from(number(chance, 5))).copied().unwrap_or(100),
        })
        .unwrap_or(Interval::DEFAULT);
        let differ = version == Version::V3 && chance.percent(30);
        let authentication = Self::authentication(version, shared, chance);
        let addresses: Vec<IpAddr> = if v6 {
            vec![IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1])]
        } else {
            vec![IpAddr::from([192, 0, 2, 1])]
        };
        // Some learn, others know one form only, all of these the same.
        let checksums = if chance.percent(50) {
            [ChecksumMode::Auto, ChecksumMode::Rfc9568]
        } else {
            [ChecksumMode::Auto, ChecksumMode::Pseudo]
        };
        let equal = chance.percent(30);
        let patient = chance.percent(25);
        let mut routers = Vec::new();
        let mut primaries = Vec::new();
        for n in 0..count {
            let host = u8::try_from(n).unwrap_or(0);
            primaries.push(if v6 {
                IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 0x10 + u16::from(host)])
            } else {
                IpAddr::from([192, 0, 2, 10 + host])
            });
            let advert_interval = if differ {
                Interval::from_centiseconds(10 + number(chance, 300)).unwrap_or(shared)
            } else {
                shared
            };
            let spread = if equal { 2 } else { 254 };
            let mut config = RouterConfig::new(
                "gw",
                "eth0",
                Vrid::new(51).expect("51 is not 0"),
                version,
                addresses.clone(),
            );
            config.priority = Priority(1 + u8::try_from(chance.below(spread)).unwrap_or(0));
            config.advert_interval = advert_interval;
            config.authentication = authentication.clone();
            config.announce = AnnounceSchedule { delay: Duration::ZERO, ..AnnounceSchedule::default() };
            config.preemption = match (patient, chance.below(3)) {
                (false, _) => Preemption::After(Duration::ZERO),
                (true, 0) => Preemption::Never,
                (true, seconds) => Preemption::After(Duration::from_secs(seconds * 3)),
            };
            config.checksum = chance.pick(&checksums).copied().unwrap_or(ChecksumMode::Auto);
            if chance.percent(20) {
                config.on_lower_priority = OnLowerPriority::Ignore;
            }
            if chance.percent(20) {
                config.on_higher_priority = OnHigherPriority::AdvertThenYield;
            }
            routers.push(config);
        }
        if chance.percent(10) {
            routers[0].priority = Priority::OWNER;
        }
        // A packet is never on its way for longer than the shortest interval.
        let shortest =
            routers.iter().map(|config| config.advert_interval.duration()).min().unwrap_or_default();
        let delay = shortest.min(Duration::from_millis(80)) * u32::from(number(chance, 100)) / 100;
        Self { routers, delay, primaries }
    }

    fn authentication(version: Version, interval: Interval, chance: &mut Chance) -> Authentication {
        let secret = Secret::copy_from(&[7; 32]);
        match (version, chance.below(6)) {
            (Version::V2, 0) => Authentication::Simple(secret),
            (Version::V2, 1) => Authentication::P0(secret),
            (Version::V2, 2) => Authentication::P1(secret),
            (_, 3) => {
                let mut hmac = HmacConfig::with_key(secret, interval);
                hmac.anti_replay = vrrp_proto::config::AntiReplay::Time { window: Duration::from_secs(30) };
                Authentication::Hmac(hmac)
            }
            (_, _) => Authentication::None,
        }
    }

    /// How long a whole network may take until one router is Active and all others know.
    pub(crate) fn settles_within(&self) -> Duration {
        let longest =
            self.routers.iter().map(|config| config.advert_interval.duration()).max().unwrap_or_default();
        let patience = self.routers.iter().map(|config| match config.preemption {
            Preemption::Never => Duration::ZERO,
            Preemption::After(delay) => delay,
        });
        // A down interval is less than four intervals and, in version 2, a second. After the first router took over,
        // those of higher priority do one after the other.
        let round = longest * 4 + Duration::from_secs(1) + self.delay * 2;
        let rounds = u32::try_from(self.routers.len()).unwrap_or(u32::MAX) + 1;
        round * rounds + patience.max().unwrap_or_default()
    }
}

fn number(chance: &mut Chance, bound: u64) -> u16 {
    u16::try_from(chance.below(bound)).unwrap_or(0)
}
