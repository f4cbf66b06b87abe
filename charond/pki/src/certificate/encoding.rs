//! The outer form of what X.509 signs, and the fields of a certificate.

use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use charon_types::distinguished_name::DistinguishedName;
use der::asn1::{AnyRef, BitStringRef, IntRef};
use der::{Decode, Encode, Reader, Sequence, SliceReader, Tag, Tagged};
use spki::AlgorithmIdentifierRef;
use x509_cert::time::{Time, Validity};

use super::{CERTIFICATE_LEN_MAX, Extensions, Inner};
use crate::{ParseError, PublicKey, algorithm};

/// `SEQUENCE { signed part, AlgorithmIdentifier, BIT STRING }`
pub(crate) struct Signed<'a> {
    /// The octets that the signature covers.
    pub(crate) part: &'a [u8],
    /// Where they are.
    pub(crate) range: Range<usize>,
    /// How they were signed.
    pub(crate) algorithm: AlgorithmIdentifierRef<'a>,
    /// The signature.
    pub(crate) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Splits the octets; nothing may follow.
    pub(crate) fn parse(octets: &'a [u8]) -> Result<Self, ParseError> {
        let whole = AnyRef::from_der(octets)?;
        if whole.tag() != Tag::Sequence {
            return Err(ParseError::Malformed);
        }
        let mut reader = SliceReader::new(whole.value())?;
        let part = reader.tlv_bytes()?;
        let algorithm = AlgorithmIdentifierRef::decode(&mut reader)?;
        let signature = BitStringRef::decode(&mut reader)?.as_bytes().ok_or(ParseError::Malformed)?;
        reader.finish()?;
        let begin = octets.len().saturating_sub(whole.value().len());
        Ok(Self { part, range: begin..begin.saturating_add(part.len()), algorithm, signature })
    }
}

/// TBSCertificate. Names stay as they are encoded.
#[derive(Sequence)]
struct Fields<'a> {
    #[asn1(context_specific = "0", default = "Default::default")]
    _version: x509_cert::Version,
    serial: IntRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    public_key: AnyRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    _issuer_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    _subject_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<super::Extension<'a>>>,
}

pub(super) fn parse(octets: &[u8]) -> Result<Inner, ParseError> {
    if octets.len() > CERTIFICATE_LEN_MAX {
        return Err(ParseError::TooLong { limit: CERTIFICATE_LEN_MAX });
    }
    let signed = Signed::parse(octets)?;
    let fields = Fields::from_der(signed.part)?;
    if fields.algorithm != signed.algorithm {
        return Err(ParseError::AlgorithmMismatch);
    }
    Ok(Inner {
        der: octets.into(),
        signed: signed.range,
        scheme: algorithm::signature_scheme(&signed.algorithm),
        signature: signed.signature.into(),
        serial: fields.serial.as_bytes().into(),
        issuer: name(fields.issuer)?,
        subject: name(fields.subject)?,
        not_before: unix_time(fields.validity.not_before),
        not_after: unix_time(fields.validity.not_after),
        public_key: PublicKey::from_info_der(&fields.public_key.to_der()?)?,
        extensions: Extensions::parse(&fields.extensions.unwrap_or_default())?,
        verified_by: OnceLock::new(),
    })
}

/// Since 1970.
pub(crate) fn unix_time(time: Time) -> Duration {
    time.to_unix_duration()
}

fn name(element: AnyRef<'_>) -> Result<DistinguishedName, ParseError> {
    DistinguishedName::from_der(&element.to_der()?).map_err(|_| ParseError::Malformed)
}

/// Elements of a SEQUENCE OF anything.
pub(crate) fn list_element(list: &[u8]) -> Result<Vec<AnyRef<'_>>, ParseError> {
    Ok(Vec::<AnyRef<'_>>::from_der(list)?)
}
