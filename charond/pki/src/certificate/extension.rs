//! Extensions (RFC 5280 §4.2) that matter here.

use charon_types::identity::Identity;
use const_oid::db::rfc5280;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Sequence, Tag, TagNumber, Tagged};
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, CrlDistributionPoints};

use super::{Subtree, general_name, list_element};
use crate::ParseError;

/// Most extensions taken; real certificates have a dozen.
const EXTENSIONS_MAX: usize = 64;

/// One extension as encoded.
#[derive(Sequence)]
pub(crate) struct Extension<'a> {
    pub(crate) oid: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    pub(crate) critical: bool,
    pub(crate) value: &'a OctetStringRef,
}

/// Whether the subject is an authority, and how many authorities may follow below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasicConstraints {
    /// `cA`
    pub is_ca: bool,
    /// Most intermediate authorities below this one; `None` is unlimited.
    pub path_len: Option<u8>,
}

/// What the key may be used for (RFC 5280 §4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage {
    /// Bits from `digitalSignature`, the lowest.
    bits: u16,
}

impl KeyUsage {
    /// `digitalSignature` or `nonRepudiation`, either of which lets a key sign for IKE (RFC 4945 §5.1.3.2).
    #[must_use]
    pub const fn signs_data(self) -> bool {
        self.bits & 0b11 != 0
    }

    /// `keyCertSign`
    #[must_use]
    pub const fn signs_certificates(self) -> bool {
        self.bits & (1 << 5) != 0
    }

    /// `cRLSign`
    #[must_use]
    pub const fn signs_crls(self) -> bool {
        self.bits & (1 << 6) != 0
    }
}

/// Subtrees that names below an authority must or must not lie in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NameConstraints {
    pub(crate) permitted: Vec<Subtree>,
    pub(crate) excluded: Vec<Subtree>,
}

/// All of a certificate's.
#[derive(Default)]
pub(crate) struct Extensions {
    pub(crate) alternative_names: Vec<Identity>,
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) extended_key_usages: Vec<ObjectIdentifier>,
    pub(crate) subject_key_id: Option<Box<[u8]>>,
    pub(crate) authority_key_id: Option<Box<[u8]>>,
    pub(crate) name_constraints: Option<NameConstraints>,
    pub(crate) crl_uris: Vec<String>,
    pub(crate) ocsp_uris: Vec<String>,
    pub(crate) unknown_critical: Option<ObjectIdentifier>,
}

impl Extensions {
    pub(crate) fn parse(list: &[Extension<'_>]) -> Result<Self, ParseError> {
        let mut extensions = Self::default();
        if list.len() > EXTENSIONS_MAX {
            return Err(ParseError::Malformed);
        }
        for (index, extension) in list.iter().enumerate() {
            let repeated = list.iter().take(index).any(|earlier| earlier.oid == extension.oid);
            let taken = extensions.take(extension);
            if repeated || taken.is_err() {
                return Err(ParseError::Extension { oid: extension.oid });
            }
        }
        Ok(extensions)
    }

    fn take(&mut self, extension: &Extension<'_>) -> Result<(), ParseError> {
        let value = extension.value.as_bytes();
        match extension.oid {
            rfc5280::ID_CE_SUBJECT_ALT_NAME => {
                self.alternative_names = list_element(value)?.into_iter().filter_map(general_name).collect();
            }
            rfc5280::ID_CE_BASIC_CONSTRAINTS => {
                let parsed = x509_cert::ext::pkix::BasicConstraints::from_der(value)?;
                self.basic_constraints =
                    Some(BasicConstraints { is_ca: parsed.ca, path_len: parsed.path_len_constraint });
            }
            rfc5280::ID_CE_KEY_USAGE => {
                let usages = BitStringRef::from_der(value)?.bits().take(9).enumerate();
                let bits = usages.fold(0, |bits, (place, set)| if set { bits | (1 << place) } else { bits });
                self.key_usage = Some(KeyUsage { bits });
            }
            rfc5280::ID_CE_EXT_KEY_USAGE => {
                self.extended_key_usages = Vec::<ObjectIdentifier>::from_der(value)?;
            }
            rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER => {
                let id: &OctetStringRef = Decode::from_der(value)?;
                self.subject_key_id = Some(id.as_bytes().into());
            }
            rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER => {
                let id = list_element(value)?.into_iter().find(|element| context_number(*element) == Some(0));
                self.authority_key_id = id.map(|id| id.value().into());
            }
            rfc5280::ID_CE_NAME_CONSTRAINTS => self.name_constraints = Some(name_constraints(value)?),
            // Hints only; one in a form that we do not read is no reason to refuse the certificate.
            rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS => self.crl_uris = crl_uris(value).unwrap_or_default(),
            rfc5280::ID_PE_AUTHORITY_INFO_ACCESS => self.ocsp_uris = ocsp_uris(value).unwrap_or_default(),
            // No policy is asked for, so that policies restrict nothing; constraints on them are unknown below.
            rfc5280::ID_CE_CERTIFICATE_POLICIES | rfc5280::ID_CE_INHIBIT_ANY_POLICY => {}
            oid if extension.critical => self.unknown_critical = Some(oid),
            _ => {}
        }
        Ok(())
    }
}

fn name_constraints(value: &[u8]) -> Result<NameConstraints, ParseError> {
    let mut constraints = NameConstraints::default();
    for element in list_element(value)? {
        let bases = subtrees(element.value())?;
        match context_number(element) {
            Some(0) => constraints.permitted = bases,
            Some(1) => constraints.excluded = bases,
            _ => return Err(ParseError::Malformed),
        }
    }
    Ok(constraints)
}

/// GeneralSubtrees, of which the tag is taken off already: elements up to the end.
fn subtrees(mut content: &[u8]) -> Result<Vec<Subtree>, ParseError> {
    let mut bases = Vec::new();
    while !content.is_empty() {
        let (subtree, rest) = AnyRef::from_der_partial(content)?;
        let mut parts = list_element_of(subtree)?.into_iter();
        let base = parts.next().and_then(Subtree::parse).ok_or(ParseError::Malformed)?;
        // A minimum or a maximum must not be there (RFC 5280 §4.2.1.10).
        if parts.next().is_some() {
            return Err(ParseError::Malformed);
        }
        bases.push(base);
        content = rest;
    }
    Ok(bases)
}

fn list_element_of(element: AnyRef<'_>) -> Result<Vec<AnyRef<'_>>, ParseError> {
    Ok(element.decode_as::<Vec<AnyRef<'_>>>()?)
}

fn context_number(element: AnyRef<'_>) -> Option<u32> {
    match element.tag() {
        Tag::ContextSpecific { number: TagNumber(number), .. } => Some(number),
        _ => None,
    }
}

fn crl_uris(value: &[u8]) -> Option<Vec<String>> {
    let points = CrlDistributionPoints::from_der(value).ok()?.0;
    let names = points.into_iter().filter_map(|point| match point.distribution_point {
        Some(DistributionPointName::FullName(names)) => Some(names),
        _ => None,
    });
    Some(names.flatten().filter_map(uri).collect())
}

fn ocsp_uris(value: &[u8]) -> Option<Vec<String>> {
    let accesses = AuthorityInfoAccessSyntax::from_der(value).ok()?.0;
    let ocsp =
        accesses.into_iter().filter(|access| access.access_method == const_oid::db::rfc5912::ID_AD_OCSP);
    Some(ocsp.filter_map(|access| uri(access.access_location)).collect())
}

fn uri(name: GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
        _ => None,
    }
}
