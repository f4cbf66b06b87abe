//! Layout of PF_KEY messages (RFC 2367 §2; `linux/pfkeyv2.h`): a header and extensions, all in units of 8 octets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(crate) use charon_core::kernel::{OctetReader as Reader, OctetWriter as Writer};

const VERSION: u8 = 2;
const HEADER_LEN: usize = 16;

pub(crate) const GETSPI: u8 = 1;
pub(crate) const UPDATE: u8 = 2;
pub(crate) const ADD: u8 = 3;
pub(crate) const DELETE: u8 = 4;
pub(crate) const GET: u8 = 5;
pub(crate) const ACQUIRE: u8 = 6;
pub(crate) const REGISTER: u8 = 7;
pub(crate) const EXPIRE: u8 = 8;
pub(crate) const DUMP: u8 = 10;
pub(crate) const SPDUPDATE: u8 = 13;
pub(crate) const SPDADD: u8 = 14;
pub(crate) const SPDDELETE: u8 = 15;
pub(crate) const SPDDUMP: u8 = 18;
pub(crate) const SPDDELETE2: u8 = 22;
pub(crate) const NEW_MAPPING: u8 = 23;

pub(crate) const SATYPE_UNSPEC: u8 = 0;
pub(crate) const SATYPE_AH: u8 = 2;
pub(crate) const SATYPE_ESP: u8 = 3;

pub(crate) const X_SA: u16 = 1;
pub(crate) const X_LIFETIME_CURRENT: u16 = 2;
pub(crate) const X_LIFETIME_HARD: u16 = 3;
pub(crate) const X_LIFETIME_SOFT: u16 = 4;
pub(crate) const X_ADDRESS_SRC: u16 = 5;
pub(crate) const X_ADDRESS_DST: u16 = 6;
pub(crate) const X_ADDRESS_PROXY: u16 = 7;
pub(crate) const X_KEY_AUTH: u16 = 8;
pub(crate) const X_KEY_ENCRYPT: u16 = 9;
pub(crate) const X_SUPPORTED_AUTH: u16 = 14;
pub(crate) const X_SUPPORTED_ENCRYPT: u16 = 15;
pub(crate) const X_SPIRANGE: u16 = 16;
pub(crate) const X_POLICY: u16 = 18;
pub(crate) const X_SA2: u16 = 19;
pub(crate) const X_NAT_T_TYPE: u16 = 20;
pub(crate) const X_NAT_T_SPORT: u16 = 21;
pub(crate) const X_NAT_T_DPORT: u16 = 22;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// What PF_KEY messages have beside plain octets.
pub(crate) trait KeyWriter {
    /// A message with its header; length and sequence number come with [`Self::finish`].
    fn message(kind: u8, satype: u8) -> Self;
    /// A socket address. Two of them stand behind each other without padding; an extension is padded at its end.
    fn socket_address(&mut self, address: IpAddr, port: u16) -> &mut Self;
    /// Appends an extension, padded.
    fn extension(&mut self, kind: u16, value: &[u8]) -> &mut Self;
    /// An address extension with the prefix and protocol of a selector.
    fn address(&mut self, kind: u16, network: (IpAddr, u8), protocol: u8, port: u16) -> &mut Self;
    /// An address extension of a host.
    fn host(&mut self, kind: u16, address: IpAddr) -> &mut Self;
    /// The message with its length, and what answers are known by.
    fn finish(self, sequence: u32, pid: u32) -> Self;
}

impl KeyWriter for Writer {
    fn message(kind: u8, satype: u8) -> Self {
        let mut writer = Self::new();
        writer.bytes(&[VERSION, kind, 0, satype]).zeros(HEADER_LEN - 4);
        writer
    }

    fn socket_address(&mut self, address: IpAddr, port: u16) -> &mut Self {
        match address {
            IpAddr::V4(address) => self.u16(AF_INET).be16(port).bytes(&address.octets()).zeros(8),
            IpAddr::V6(address) => self.u16(AF_INET6).be16(port).u32(0).bytes(&address.octets()).u32(0),
        }
    }

    fn extension(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let pad = (value.len() + 4).wrapping_neg() % 8;
        let units = u16::try_from((value.len() + 4 + pad) / 8).expect("extensions are some hundred octets");
        self.u16(units).u16(kind).bytes(value).zeros(pad)
    }

    fn address(&mut self, kind: u16, network: (IpAddr, u8), protocol: u8, port: u16) -> &mut Self {
        let mut value = Self::new();
        value.u8(protocol).u8(network.1).u16(0).socket_address(network.0, port);
        self.extension(kind, value.as_bytes())
    }

    fn host(&mut self, kind: u16, address: IpAddr) -> &mut Self {
        self.address(kind, (address, if address.is_ipv4() { 32 } else { 128 }), 0, 0)
    }

    fn finish(mut self, sequence: u32, pid: u32) -> Self {
        let units = u16::try_from(self.as_bytes().len() / 8).expect("messages are some hundred octets");
        self.overwrite(4, &units.to_ne_bytes());
        self.overwrite(8, &sequence.to_ne_bytes()).overwrite(12, &pid.to_ne_bytes());
        self
    }
}

/// What PF_KEY messages have beside plain octets.
pub(crate) trait KeyReader {
    /// A socket address.
    fn socket_address(&mut self) -> Option<SocketAddr>;
}

impl KeyReader for Reader<'_> {
    fn socket_address(&mut self) -> Option<SocketAddr> {
        let (family, port) = (self.u16()?, self.be16()?);
        let address: IpAddr = match family {
            AF_INET => Ipv4Addr::from(self.array::<4>()?).into(),
            AF_INET6 => {
                self.u32()?;
                Ipv6Addr::from(self.array::<16>()?).into()
            }
            _ => return None,
        };
        Some(SocketAddr::new(address, port))
    }
}

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub(crate) kind: u8,
    pub(crate) errno: u8,
    pub(crate) satype: u8,
    pub(crate) sequence: u32,
    pub(crate) pid: u32,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// One datagram is one message; `None` if it is cut short or of another version.
    #[must_use]
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(datagram);
        let (version, kind, errno, satype) = (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
        let len = usize::from(reader.u16()?) * 8;
        let _reserved = reader.u16()?;
        let (sequence, pid) = (reader.u32()?, reader.u32()?);
        let body = reader.bytes(len.checked_sub(HEADER_LEN)?)?;
        (version == VERSION).then_some(Self { kind, errno, satype, sequence, pid, body })
    }

    /// Its extensions, header removed.
    pub(crate) const fn extensions(&self) -> Extensions<'a> {
        Extensions(Reader::new(self.body))
    }

    /// The value of the first extension of that type.
    pub(crate) fn find(&self, wanted: u16) -> Option<Reader<'a>> {
        self.extensions().find_map(|(kind, value)| (kind == wanted).then(|| Reader::new(value)))
    }
}

/// Type and value of each extension; the list ends where a length is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extensions<'a>(Reader<'a>);

impl<'a> Iterator for Extensions<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.0;
        let len = usize::from(reader.u16()?) * 8;
        let kind = reader.u16()?;
        let value = reader.bytes(len.checked_sub(4)?)?;
        self.0 = reader;
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_padded_and_found_again() {
        let mut message = Writer::message(ADD, SATYPE_ESP);
        message.host(X_ADDRESS_SRC, [192, 0, 2, 1].into()).extension(X_KEY_AUTH, &[1, 2, 3, 4, 5]);
        message.host(X_ADDRESS_DST, "2001:db8::1".parse().unwrap());
        let bytes = message.finish(7, 9);
        assert_eq!(bytes.len() % 8, 0);
        let read = Message::parse(&bytes).unwrap();
        assert_eq!((read.kind, read.satype, read.sequence, read.pid), (ADD, SATYPE_ESP, 7, 9));
        let kinds: Vec<_> = read.extensions().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [X_ADDRESS_SRC, X_KEY_AUTH, X_ADDRESS_DST]);
        let mut address = read.find(X_ADDRESS_DST).unwrap();
        assert_eq!(address.u32().map(|_| address.socket_address()), Some("[2001:db8::1]:0".parse().ok()));
    }

    #[test]
    fn a_message_that_is_cut_off_is_none() {
        let mut message = Writer::message(ADD, SATYPE_ESP);
        message.host(X_ADDRESS_SRC, [192, 0, 2, 1].into());
        let bytes = message.finish(7, 9);
        for cut in 0..bytes.len() {
            assert!(Message::parse(&bytes[..cut]).is_none(), "{cut}");
        }
        // An extension of no length must not loop.
        let mut hollow = bytes.to_vec();
        hollow[16..18].copy_from_slice(&[0, 0]);
        assert_eq!(Message::parse(&hollow).unwrap().extensions().count(), 0);
    }
}
