//! Traffic selector payload (RFC 7296 §3.13): count 1, reserved 3, selectors of type 1, protocol 1, length 2, ports 2 + 2, addresses.

use std::net::IpAddr;

use charon_types::selector::TrafficSelector;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16};
use nom::{IResult, Parser};

const IPV4_RANGE: u8 = 7;
const IPV6_RANGE: u8 = 8;
const FIXED_LEN: u16 = 8;

/// Selectors of types that we do not know are left out; a payload without selectors is malformed, one that has none left is not.
pub(super) fn parse(body: &[u8]) -> Option<Vec<TrafficSelector>> {
    let ([count, _, _, _], mut input) = body.split_first_chunk::<4>()?;
    if *count == 0 {
        return None;
    }
    let mut selectors = Vec::with_capacity(usize::from(*count));
    for _ in 0..*count {
        let (rest, selector) = selector(input).ok()?;
        input = rest;
        match selector {
            Parsed::Known(selector) => selectors.push(selector),
            Parsed::Malformed => return None,
            Parsed::Unknown => {}
        }
    }
    input.is_empty().then_some(selectors)
}

enum Parsed {
    Known(TrafficSelector),
    Unknown,
    Malformed,
}

fn selector(input: &[u8]) -> IResult<&[u8], Parsed> {
    let (input, (kind, protocol, len)) = (be_u8, be_u8, be_u16).parse(input)?;
    let (input, body) = take(len.saturating_sub(4))(input)?;
    let octets: usize = match kind {
        IPV4_RANGE => 4,
        IPV6_RANGE => 16,
        _ if len < 4 => return Ok((input, Parsed::Malformed)),
        _ => return Ok((input, Parsed::Unknown)),
    };
    let fields: IResult<&[u8], _> = (be_u16, be_u16, take(octets), take(octets)).parse(body);
    let Ok(([], (port_start, port_end, start, end))) = fields else { return Ok((input, Parsed::Malformed)) };
    let selector = match (address(start), address(end)) {
        (Some(start), Some(end)) if start <= end => {
            Parsed::Known(TrafficSelector { start, end, protocol, port_start, port_end })
        }
        _ => Parsed::Malformed,
    };
    Ok((input, selector))
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        _ => None,
    }
}

/// At most 255 selectors fit; callers bound them below that.
pub(super) fn emit(selectors: &[TrafficSelector], out: &mut Vec<u8>) {
    let selectors = &selectors[..selectors.len().min(usize::from(u8::MAX))];
    out.extend_from_slice(&[u8::try_from(selectors.len()).unwrap_or(u8::MAX), 0, 0, 0]);
    for selector in selectors {
        let (kind, addresses_len) = if selector.start.is_ipv4() { (IPV4_RANGE, 8) } else { (IPV6_RANGE, 32) };
        out.extend_from_slice(&[kind, selector.protocol]);
        out.extend_from_slice(&(FIXED_LEN + addresses_len).to_be_bytes());
        out.extend_from_slice(&selector.port_start.to_be_bytes());
        out.extend_from_slice(&selector.port_end.to_be_bytes());
        for address in [selector.start, selector.end] {
            match address {
                IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
                IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
            }
        }
    }
}
