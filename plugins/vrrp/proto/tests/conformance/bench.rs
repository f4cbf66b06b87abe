//! A router on the bench: virtual time, a log of what it put out, and packets made without its help.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant, SystemTime};

use charon_crypto::{CryptoProvider, Order, ProviderBuilder};
use vrrp_proto::{
    InterfaceState, Now, Output, Priority, Received, Rejection, RouterConfig, State, Transition, Version,
    VirtualRouter, Vrid,
};

pub(crate) const VRID: u8 = 51;
pub(crate) const OWN: &str = "192.0.2.11";
pub(crate) const OWN_V6: &str = "fe80::11";
pub(crate) const OTHER: &str = "192.0.2.12";
pub(crate) const OTHER_V6: &str = "fe80::12";

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn crypto() -> CryptoProvider {
    let mut builder = ProviderBuilder::new(Order::AsAdded);
    for algorithm in charon_crypto_ring::algorithms() {
        builder.add_untested("crypto-ring", algorithm);
    }
    builder.freeze()
}

/// Router 51 for 192.0.2.1, priority 100, preempting.
pub(crate) fn config(version: Version) -> RouterConfig {
    RouterConfig::new("gw", "eth0", Vrid::new(VRID).unwrap(), version, vec![ip("192.0.2.1")])
}

/// Router 51 for fe80::1 and 2001:db8::1.
pub(crate) fn config_v6() -> RouterConfig {
    RouterConfig { addresses: vec![ip("fe80::1"), ip("2001:db8::1")], ..config(Version::V3) }
}

pub(crate) struct Dut {
    pub(crate) router: VirtualRouter,
    pub(crate) now: Now,
    start: Instant,
    /// Everything that it put out, and when.
    pub(crate) log: Vec<(Duration, Output)>,
}

impl Dut {
    /// Its interface is down.
    #[expect(clippy::disallowed_methods, reason = "virtual time starts at some moment")]
    pub(crate) fn down(config: RouterConfig) -> Self {
        let now =
            Now { mono: Instant::now(), wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_162_112) };
        let router = VirtualRouter::new(config, &crypto(), now).unwrap();
        Self { router, now, start: now.mono, log: Vec::new() }
    }

    /// Its interface came up this moment.
    pub(crate) fn up(config: RouterConfig) -> Self {
        let mut dut = Self::down(config);
        dut.interface_up();
        dut
    }

    pub(crate) fn active(config: RouterConfig) -> Self {
        let mut dut = Self::up(config);
        dut.advance(Duration::from_secs(400));
        assert_eq!(dut.router.state(), State::Active);
        dut.log.clear();
        dut
    }

    pub(crate) fn interface_up(&mut self) {
        let own = match self.router.config().addresses[0] {
            IpAddr::V4(_) => OWN,
            IpAddr::V6(_) => OWN_V6,
        };
        self.interface(InterfaceState::Up { primary: Some(ip(own)) });
    }

    pub(crate) fn interface(&mut self, state: InterfaceState) {
        self.router.handle_interface(state, self.now);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        let at = self.now.mono - self.start;
        while let Some(output) = self.router.poll_output() {
            self.log.push((at, output));
        }
    }

    /// Lets time pass; each timer is served when it is due.
    pub(crate) fn advance(&mut self, by: Duration) {
        let end = self.now.advance(by);
        while let Some(at) = self.router.next_timeout().filter(|at| *at <= end.mono) {
            self.now = self.now.advance(at.saturating_duration_since(self.now.mono));
            self.router.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    pub(crate) fn hear(&mut self, packet: &Packet) -> Result<(), Rejection> {
        let payload = packet.octets();
        self.hear_raw(packet, &payload)
    }

    /// Octets with the addresses and TTL of a packet.
    pub(crate) fn hear_raw(&mut self, packet: &Packet, payload: &[u8]) -> Result<(), Rejection> {
        let received =
            Received { source: packet.source, destination: packet.destination, ttl: packet.ttl, payload };
        let result = self.router.handle_advert(&received, self.now);
        self.drain();
        result
    }

    /// Moments and priorities of the advertisements in the log.
    pub(crate) fn adverts(&self) -> Vec<(Duration, u8)> {
        let advert = |(at, output): &(Duration, Output)| match output {
            Output::SendAdvert(advert) => Some((*at, advert.payload[2])),
            _ => None,
        };
        self.log.iter().filter_map(advert).collect()
    }

    pub(crate) fn transitions(&self) -> Vec<Transition> {
        let transition = |(_, output): &(Duration, Output)| match output {
            Output::Transition(transition) => Some(*transition),
            _ => None,
        };
        self.log.iter().filter_map(transition).collect()
    }

    /// How long after `since` it becomes Active if nothing more is heard.
    pub(crate) fn takeover_after(&mut self) -> Duration {
        assert_eq!(self.router.state(), State::Backup);
        let before = self.now.mono - self.start;
        self.log.clear();
        self.advance(Duration::from_secs(400));
        self.adverts()[0].0 - before
    }

    /// That a packet changes nothing but counters.
    pub(crate) fn ignores(&mut self, packet: &Packet) -> Rejection {
        let payload = packet.octets();
        self.ignores_raw(packet, &payload)
    }

    pub(crate) fn ignores_raw(&mut self, packet: &Packet, payload: &[u8]) -> Rejection {
        self.advance(Duration::from_millis(500));
        let (deadline, state) = (self.router.next_timeout(), self.router.state());
        let rejection = self.hear_raw(packet, payload).unwrap_err();
        assert_eq!((self.router.next_timeout(), self.router.state()), (deadline, state), "{rejection}");
        rejection
    }
}

/// An advertisement to the router, of the other one on the link.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) ttl: u8,
    pub(crate) version_type: u8,
    pub(crate) vrid: u8,
    pub(crate) priority: u8,
    pub(crate) count: u8,
    /// Auth Type and interval, or reserved bits and interval.
    pub(crate) middle: [u8; 2],
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) auth_data: Vec<u8>,
    pub(crate) pseudo_header: bool,
    /// Added to the checksum.
    pub(crate) checksum_off_by: u16,
}

impl Packet {
    pub(crate) fn v2(priority: u8) -> Self {
        Self {
            source: ip(OTHER),
            destination: Ipv4Addr::new(224, 0, 0, 18).into(),
            ttl: 255,
            version_type: 0x21,
            vrid: VRID,
            priority,
            count: 1,
            middle: [0, 1],
            addresses: vec![ip("192.0.2.1")],
            auth_data: vec![0; 8],
            pseudo_header: false,
            checksum_off_by: 0,
        }
    }

    pub(crate) fn v3(priority: u8) -> Self {
        Self { version_type: 0x31, middle: [0, 100], auth_data: Vec::new(), ..Self::v2(priority) }
    }

    pub(crate) fn v6(priority: u8) -> Self {
        Self {
            source: ip(OTHER_V6),
            destination: ip("ff02::12"),
            count: 2,
            addresses: vec![ip("fe80::1"), ip("2001:db8::1")],
            pseudo_header: true,
            ..Self::v3(priority)
        }
    }

    pub(crate) fn of(version: Version, priority: u8) -> Self {
        match version {
            Version::V2 => Self::v2(priority),
            Version::V3 => Self::v3(priority),
        }
    }

    pub(crate) fn from(self, source: &str) -> Self {
        Self { source: ip(source), ..self }
    }

    pub(crate) fn interval_cs(self, centiseconds: u16) -> Self {
        Self { middle: centiseconds.to_be_bytes(), ..self }
    }

    pub(crate) fn octets(&self) -> Vec<u8> {
        let mut octets = vec![self.version_type, self.vrid, self.priority, self.count];
        octets.extend(self.middle);
        octets.extend([0, 0]);
        self.addresses.iter().for_each(|address| octets.extend(address_octets(*address)));
        octets.extend(&self.auth_data);
        let mut summed = octets.clone();
        if self.pseudo_header {
            summed.extend(address_octets(self.source));
            summed.extend(address_octets(self.destination));
            summed.extend([0, 112]);
            summed.extend(u16::try_from(octets.len()).unwrap().to_be_bytes());
        }
        let sum = internet_checksum(&summed).wrapping_add(self.checksum_off_by);
        octets[6..8].copy_from_slice(&sum.to_be_bytes());
        octets
    }
}

pub(crate) fn address_octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Another way to the same sum: carries are added as they come.
pub(crate) fn internet_checksum(octets: &[u8]) -> u16 {
    let mut sum = 0_u16;
    for pair in octets.chunks(2) {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        let (next, carry) = sum.overflowing_add(word);
        sum = next + u16::from(carry);
    }
    !sum
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.bytes().map(|digit| (digit as char).to_digit(16).unwrap().try_into().unwrap()).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

pub(crate) fn priority(number: u8) -> Priority {
    Priority(number)
}
