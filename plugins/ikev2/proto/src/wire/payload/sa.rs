//! Security association payload (RFC 7296 §3.3): proposals, each with its transforms.
//!
//! ```text
//! proposal:  last 0/2 (1), reserved (1), length (2), number (1), protocol (1), SPI size (1), transforms (1), SPI, transforms
//! transform: last 0/3 (1), reserved (1), length (2), type (1), reserved (1), id (2), attributes
//! ```

use charon_types::proposal::{Offer, Proposal, Protocol, Transform, TransformType};
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16};
use nom::{IResult, Parser};

/// Most proposals in a payload.
const PROPOSALS_MAX: usize = 64;
const MORE_PROPOSALS: u8 = 2;
const MORE_TRANSFORMS: u8 = 3;
/// Key Length in TV form.
const ATTRIBUTE_KEY_LENGTH: u16 = 0x800e;
const ATTRIBUTE_TV: u16 = 0x8000;
/// What a transform with an attribute that we do not know is taken for: in no configuration, so never selected.
const UNUSABLE: u16 = u16::MAX;

/// Proposals for protocols that we do not know are left out.
pub(super) fn parse(body: &[u8]) -> Option<Vec<Offer>> {
    let mut offers = Vec::new();
    let mut input = body;
    for _ in 0..PROPOSALS_MAX {
        let (rest, (more, offer)) = proposal(input).ok()?;
        input = rest;
        offers.extend(offer?);
        if !more {
            return input.is_empty().then_some(offers);
        }
    }
    None
}

/// Outer `None`: malformed; inner `None`: for a protocol that we do not know.
type ParsedOffer = Option<Option<Offer>>;

fn proposal(input: &[u8]) -> IResult<&[u8], (bool, ParsedOffer)> {
    let (input, (more, _, len)) = (be_u8, be_u8, be_u16).parse(input)?;
    let (input, body) = take(len.saturating_sub(4))(input)?;
    Ok((
        input,
        (
            more == MORE_PROPOSALS,
            proposal_body(body).ok().map(|(_, offer)| offer).filter(|_| len >= 8).and_then(|offer| offer),
        ),
    ))
}

fn proposal_body(body: &[u8]) -> IResult<&[u8], ParsedOffer> {
    let (body, (number, protocol, spi_len, count)) = (be_u8, be_u8, be_u8, be_u8).parse(body)?;
    let (mut body, spi) = take(spi_len)(body)?;
    let mut transforms = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let (rest, transform) = transform(body)?;
        body = rest;
        match transform {
            Some(transform) => transforms.push(transform),
            None => return Ok((body, None)),
        }
    }
    let whole = body.is_empty() && !transforms.is_empty();
    let offer = Protocol::from_number(protocol).map(|protocol| Offer {
        number,
        spi: spi.to_vec(),
        proposal: Proposal { protocol, transforms },
    });
    Ok((body, whole.then_some(offer)))
}

/// `None`: malformed.
fn transform(input: &[u8]) -> IResult<&[u8], Option<Transform>> {
    let (input, (_, _, len)) = (be_u8, be_u8, be_u16).parse(input)?;
    let (input, body) = take(len.saturating_sub(4))(input)?;
    let fields: IResult<&[u8], (u8, u8, u16)> = (be_u8, be_u8, be_u16).parse(body);
    let Ok((mut attributes, (kind, _, id))) = fields else { return Ok((input, None)) };
    let mut transform = Transform { kind: TransformType(kind), id, key_bits: None };
    while !attributes.is_empty() {
        let Ok((rest, (attribute, value))) = attribute(attributes) else { return Ok((input, None)) };
        attributes = rest;
        match (attribute, transform.key_bits) {
            (ATTRIBUTE_KEY_LENGTH, None) => transform.key_bits = Some(value),
            _ => transform.id = UNUSABLE,
        }
    }
    Ok((input, Some(transform)))
}

/// Type with its format bit, and the value of a short one.
fn attribute(input: &[u8]) -> IResult<&[u8], (u16, u16)> {
    let (input, (kind, value)) = (be_u16, be_u16).parse(input)?;
    if kind & ATTRIBUTE_TV != 0 {
        return Ok((input, (kind, value)));
    }
    let (input, _) = take(value)(input)?;
    Ok((input, (kind, 0)))
}

pub(super) fn emit(offers: &[Offer], out: &mut Vec<u8>) {
    for (at, offer) in offers.iter().enumerate() {
        let start = out.len();
        let more = if at + 1 < offers.len() { MORE_PROPOSALS } else { 0 };
        let (proposal, count) = (&offer.proposal, offer.proposal.transforms.len());
        out.extend_from_slice(&[more, 0, 0, 0, offer.number, proposal.protocol.number()]);
        out.push(u8::try_from(offer.spi.len()).unwrap_or(u8::MAX));
        out.push(u8::try_from(count).unwrap_or(u8::MAX));
        out.extend_from_slice(&offer.spi);
        for (at, transform) in proposal.transforms.iter().enumerate() {
            emit_transform(transform, at + 1 < count, out);
        }
        patch_len(out, start);
    }
}

fn emit_transform(transform: &Transform, more: bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[if more { MORE_TRANSFORMS } else { 0 }, 0, 0, 0, transform.kind.0, 0]);
    out.extend_from_slice(&transform.id.to_be_bytes());
    if let Some(bits) = transform.key_bits {
        out.extend_from_slice(&ATTRIBUTE_KEY_LENGTH.to_be_bytes());
        out.extend_from_slice(&bits.to_be_bytes());
    }
    patch_len(out, start);
}

/// Writes the length of what begins at `start` into its third and fourth octet.
fn patch_len(out: &mut [u8], start: usize) {
    let len = u16::try_from(out.len() - start).unwrap_or(u16::MAX).to_be_bytes();
    out[start + 2..start + 4].copy_from_slice(&len);
}
