//! Layout of XFRM netlink messages: `linux/netlink.h`, `linux/xfrm.h`. Numbers are in the machine's order unless said.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) use charon_core::kernel::{OctetReader as Reader, OctetWriter as Writer};

pub(crate) const NLMSG_NOOP: u16 = 1;
pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;

pub(crate) const NEWSA: u16 = 0x10;
pub(crate) const DELSA: u16 = 0x11;
pub(crate) const GETSA: u16 = 0x12;
pub(crate) const NEWPOLICY: u16 = 0x13;
pub(crate) const DELPOLICY: u16 = 0x14;
pub(crate) const GETPOLICY: u16 = 0x15;
pub(crate) const ALLOCSPI: u16 = 0x16;
pub(crate) const ACQUIRE: u16 = 0x17;
pub(crate) const EXPIRE: u16 = 0x18;
pub(crate) const UPDPOLICY: u16 = 0x19;
pub(crate) const UPDSA: u16 = 0x1a;
pub(crate) const MIGRATE: u16 = 0x21;
pub(crate) const NEWSPDINFO: u16 = 0x24;
pub(crate) const MAPPING: u16 = 0x26;

pub(crate) const F_REQUEST: u16 = 0x01;
pub(crate) const F_ACK: u16 = 0x04;
pub(crate) const F_CREATE: u16 = 0x400;
pub(crate) const F_EXCL: u16 = 0x200;
pub(crate) const F_DUMP: u16 = 0x300;
pub(crate) const F_DUMP_INTR: u16 = 0x10;

pub(crate) const A_ALG_CRYPT: u16 = 2;
pub(crate) const A_ENCAP: u16 = 4;
pub(crate) const A_TMPL: u16 = 5;
pub(crate) const A_LTIME_VAL: u16 = 9;
pub(crate) const A_REPLAY_VAL: u16 = 10;
pub(crate) const A_LASTUSED: u16 = 15;
pub(crate) const A_MIGRATE: u16 = 17;
pub(crate) const A_ALG_AEAD: u16 = 18;
pub(crate) const A_ALG_AUTH_TRUNC: u16 = 20;
pub(crate) const A_MARK: u16 = 21;
pub(crate) const A_TFCPAD: u16 = 22;
pub(crate) const A_REPLAY_ESN_VAL: u16 = 23;
pub(crate) const A_SA_EXTRA_FLAGS: u16 = 24;
pub(crate) const A_ADDRESS_FILTER: u16 = 26;
pub(crate) const A_OFFLOAD_DEV: u16 = 28;
pub(crate) const A_SET_MARK: u16 = 29;
pub(crate) const A_SET_MARK_MASK: u16 = 30;
pub(crate) const A_IF_ID: u16 = 31;

/// Attributes of [`NEWSPDINFO`].
pub(crate) const A_SPD_IPV4_HTHRESH: u16 = 3;
pub(crate) const A_SPD_IPV6_HTHRESH: u16 = 4;

pub(crate) const AF_INET: u16 = 2;
pub(crate) const AF_INET6: u16 = 10;

/// No limit, in `xfrm_lifetime_cfg`.
pub(crate) const INFINITE: u64 = u64::MAX;

pub(crate) const NLMSG_HEADER_LEN: usize = 16;
/// `struct xfrm_usersa_info`
pub(crate) const SA_INFO_LEN: usize = 224;
/// `struct xfrm_userpolicy_info`
pub(crate) const POLICY_INFO_LEN: usize = 168;

/// What XFRM messages have beside plain octets.
pub(crate) trait XfrmWriter {
    /// Messages one behind another, as they are sent.
    fn datagram(messages: &[Self]) -> Self
    where
        Self: Sized;
    /// A message with its header; the sequence number comes with [`Self::finish`].
    fn message(kind: u16, flags: u16) -> Self;
    /// `xfrm_address_t`
    fn address(&mut self, address: IpAddr) -> &mut Self;
    /// An attribute, padded.
    fn attribute(&mut self, kind: u16, payload: &[u8]) -> &mut Self;
    /// The message with its length and that sequence number.
    fn finish(self, sequence: u32) -> Self;
}

impl XfrmWriter for Writer {
    fn datagram(messages: &[Self]) -> Self {
        let mut writer = Self::with_capacity(messages.iter().map(|message| message.len()).sum());
        for message in messages {
            writer.bytes(message);
        }
        writer
    }

    fn message(kind: u16, flags: u16) -> Self {
        let mut writer = Self::new();
        writer.u32(0).u16(kind).u16(F_REQUEST | flags).u32(0).u32(0);
        writer
    }

    fn address(&mut self, address: IpAddr) -> &mut Self {
        match address {
            IpAddr::V4(address) => self.bytes(&address.octets()).zeros(12),
            IpAddr::V6(address) => self.bytes(&address.octets()),
        }
    }

    fn attribute(&mut self, kind: u16, payload: &[u8]) -> &mut Self {
        let len = u16::try_from(payload.len() + 4).expect("attributes are some hundred octets");
        self.u16(len).u16(kind).bytes(payload).zeros(padding(payload.len()))
    }

    fn finish(mut self, sequence: u32) -> Self {
        let octets = self.as_bytes().len();
        let len = u32::try_from(octets).expect("messages are some hundred octets");
        self.zeros(padding(octets)).overwrite(0, &len.to_ne_bytes()).overwrite(8, &sequence.to_ne_bytes());
        self
    }
}

/// The family of an address, as the kernel numbers it.
pub(crate) const fn family(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    }
}

const fn padding(len: usize) -> usize {
    len.wrapping_neg() % 4
}

/// What XFRM messages have beside plain octets.
pub(crate) trait XfrmReader {
    /// `xfrm_address_t`, whose family stands elsewhere.
    fn address(&mut self) -> Option<RawAddress>;
}

impl XfrmReader for Reader<'_> {
    fn address(&mut self) -> Option<RawAddress> {
        self.array().map(RawAddress)
    }
}

/// An address before its family is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawAddress([u8; 16]);

impl RawAddress {
    pub(crate) fn of_family(self, family: u16) -> Option<IpAddr> {
        match family {
            AF_INET => self.0.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into()),
            AF_INET6 => Some(Ipv6Addr::from(self.0).into()),
            _ => None,
        }
    }
}

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

/// The whole messages in what a socket gave; what is behind the last one is left out.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a>(Reader<'a>);

impl<'a> Messages<'a> {
    /// The messages of one datagram.
    #[must_use]
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self(Reader::new(datagram))
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let mut reader = self.0;
        let len = usize::try_from(reader.u32()?).ok()?;
        let kind = reader.u16()?;
        let flags = reader.u16()?;
        let sequence = reader.u32()?;
        let _port = reader.u32()?;
        let payload = reader.bytes(len.checked_sub(NLMSG_HEADER_LEN)?)?;
        // The last one may come without padding.
        let _padding = reader.bytes(padding(len)).or_else(|| reader.bytes(reader.rest().len()));
        self.0 = reader;
        Some(Message { kind, flags, sequence, payload })
    }
}

/// Attributes: type and value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a>(Reader<'a>);

impl<'a> Attributes<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(Reader::new(bytes))
    }

    /// The value of the first of that type.
    pub(crate) fn find(mut self, wanted: u16) -> Option<&'a [u8]> {
        self.find_map(|(kind, value)| (kind == wanted).then_some(value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.0;
        let len = usize::from(reader.u16()?);
        // The two highest bits say "nested" and "network byte order".
        let kind = reader.u16()? & 0x3fff;
        let value = reader.bytes(len.checked_sub(4)?)?;
        let _padding = reader.bytes(padding(len)).or_else(|| reader.bytes(reader.rest().len()));
        self.0 = reader;
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, sequence: u32) -> Vec<u8> {
        let mut writer = Writer::message(kind, F_ACK);
        writer.attribute(A_MARK, &[1, 2, 3, 4, 5]).attribute(A_IF_ID, &[6, 7]);
        writer.finish(sequence).to_vec()
    }

    #[test]
    fn messages_and_attributes_are_found_again() {
        let datagram = [message(NEWSA, 7), message(DELSA, 8)].concat();
        let read: Vec<_> = Messages::new(&datagram).collect();
        assert_eq!(read.iter().map(|m| (m.kind, m.sequence)).collect::<Vec<_>>(), [(NEWSA, 7), (DELSA, 8)]);
        let attributes = Attributes::new(read[1].payload);
        assert_eq!(attributes.find(A_MARK), Some([1, 2, 3, 4, 5].as_slice()));
        assert_eq!(attributes.find(A_IF_ID), Some([6, 7].as_slice()));
        assert_eq!(attributes.find(A_ENCAP), None);
    }

    #[test]
    fn whatever_is_cut_off_ends_the_list() {
        let datagram = [message(NEWSA, 7), message(DELSA, 8)].concat();
        for cut in 0..datagram.len() {
            let whole = Messages::new(&datagram[..cut]).count();
            assert!(whole <= usize::from(cut >= datagram.len() / 2 - 2), "{cut}: {whole}");
        }
        // A length shorter than the header must not loop.
        assert_eq!(Messages::new(&[0; 64]).count(), 0);
        assert_eq!(Attributes::new(&[0; 64]).count(), 0);
        assert_eq!(Attributes::new(&[3, 0, 1, 0]).count(), 0);
    }
}
