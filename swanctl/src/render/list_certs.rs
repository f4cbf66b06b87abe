//! Certificates, by kind.

use std::fmt::Write as _;
use std::io::{self, Write};

use der::Decode;
use jiff::Timestamp;
use spki::SubjectPublicKeyInfoOwned;
use vici::Section;
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies,
    CrlDistributionPoints, CrlReason, ExtendedKeyUsage, KeyUsage, NameConstraints, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, Extensions};

use crate::certificate::clock::{Clock, span, timestamp};
use crate::certificate::key::PublicKey;
use crate::certificate::name::{distinguished, general};
use crate::credentials::pem;

/// How much is shown of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Full,
    Short,
    Pem,
}

/// Writes certificates as they come, with a heading at each change of kind.
pub(crate) struct Printer {
    clock: Clock,
    detail: Detail,
    heading: Option<&'static str>,
}

impl Printer {
    pub(crate) fn new(clock: Clock, detail: Detail) -> Self {
        Self { clock, detail, heading: None }
    }

    /// Writes the certificate of an event.
    pub(crate) fn write(&mut self, out: &mut dyn Write, event: Section<'_>) -> io::Result<()> {
        let (Some(kind), Some(data)) = (event.text("type"), event.data("data")) else { return Ok(()) };
        let (heading, label) = match (kind, event.text("flag").unwrap_or_default()) {
            ("X509", "CA") => ("X.509 CA Certificate", "CERTIFICATE"),
            ("X509", "AA") => ("X.509 AA Certificate", "CERTIFICATE"),
            ("X509", "OCSP") => ("X.509 OCSP Signer Certificate", "CERTIFICATE"),
            ("X509", _) => ("X.509 End Entity Certificate", "CERTIFICATE"),
            ("X509_AC", _) => ("X.509 Attribute Certificate", "ATTRIBUTE CERTIFICATE"),
            ("X509_CRL", _) => ("X.509 CRL", "X509 CRL"),
            ("OCSP_RESPONSE", _) => ("OCSP Response", "OCSP RESPONSE"),
            ("PUBKEY", _) => ("Raw Public Key", "PUBLIC KEY"),
            _ => ("Unknown Certificate", "CERTIFICATE"),
        };
        if self.detail == Detail::Pem {
            return out.write_all(pem::write(label, data).as_bytes());
        }
        if self.heading != Some(heading) {
            writeln!(out, "\nList of {heading}s")?;
            self.heading = Some(heading);
        }
        let private = if event.text("has_privkey") == Some("yes") { ", has private key" } else { "" };
        let text = match kind {
            "X509" => self.certificate(data, private),
            "X509_CRL" => self.revocations(data),
            "PUBKEY" => self.raw_key(event, data, private),
            _ => Ok(format!("  {} bytes, which are not shown in detail\n", data.len())),
        };
        match text {
            Ok(text) => write!(out, "\n{text}"),
            Err(error) => writeln!(out, "\n  {} bytes that cannot be read: {error}", data.len()),
        }
    }

    fn certificate(&self, data: &[u8], private: &str) -> der::Result<String> {
        let certificate = Certificate::from_der(data)?;
        let certificate = certificate.tbs_certificate();
        let extensions = certificate.extensions();
        let (subject, issuer) = (certificate.subject(), certificate.issuer());
        let mut text = String::new();
        let _ = writeln!(text, "  subject:  \"{}\"", distinguished(subject));
        let _ = writeln!(text, "  issuer:   \"{}\"", distinguished(issuer));
        let validity = certificate.validity();
        self.validity(&mut text, timestamp(validity.not_before), timestamp(validity.not_after));
        line(&mut text, "serial", &number(certificate.serial_number().as_bytes()));
        if let Some(SubjectAltName(names)) = extension(extensions) {
            line(&mut text, "altNames", &general_names(&names).join(", "));
        }
        let issued_by: Option<AuthorityKeyIdentifier> = extension(extensions);
        let issued_by = issued_by.and_then(|identifier| identifier.key_identifier);
        let own: Option<SubjectKeyIdentifier> = extension(extensions);
        let own = own.map(|SubjectKeyIdentifier(identifier)| identifier);
        if self.detail == Detail::Full {
            let names_itself =
                subject == issuer && (issued_by.is_none() || own.is_none() || issued_by == own);
            let flags = flags(extensions, if names_itself { "self-signed " } else { "" });
            if !flags.is_empty() {
                line(&mut text, "flags", &flags);
            }
            details(&mut text, extensions);
        }
        if let Some(identifier) = issued_by {
            line(&mut text, "authkeyId", &colons(identifier.as_bytes()));
        }
        if let Some(identifier) = own {
            line(&mut text, "subjkeyId", &colons(identifier.as_bytes()));
        }
        public_key(&mut text, certificate.subject_public_key_info(), private);
        Ok(text)
    }

    fn raw_key(&self, event: Section<'_>, data: &[u8], private: &str) -> der::Result<String> {
        let info = SubjectPublicKeyInfoOwned::from_der(data)?;
        let mut text = String::new();
        if let Some(subject) = event.text("subject") {
            let _ = writeln!(text, "  subject:  \"{subject}\"");
        }
        let time = |key| {
            event.text(key).and_then(|text| jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", text).ok())
        };
        let time = |key| Some(time(key)?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp());
        if let (Some(from), Some(to)) = (time("not-before"), time("not-after")) {
            self.validity(&mut text, from, to);
        }
        public_key(&mut text, &info, private);
        Ok(text)
    }

    fn revocations(&self, data: &[u8]) -> der::Result<String> {
        let list = <CertificateList>::from_der(data)?.tbs_cert_list;
        let extensions = list.crl_extensions.as_ref();
        let mut text = String::new();
        let _ = writeln!(text, "  issuer:   \"{}\"", distinguished(&list.issuer));
        let (this, next) = (timestamp(list.this_update), list.next_update.map_or(Timestamp::MAX, timestamp));
        line(&mut text, "update", &format!("this on {}, {}", self.clock.show(this), self.begun(this)));
        let _ = writeln!(text, "{:13}next on {}, {}", "", self.clock.show(next), self.left(next));
        if let Some(x509_cert::ext::pkix::CrlNumber(serial)) = extension(extensions) {
            line(&mut text, "serial", &number(serial.as_bytes()));
        }
        let issued_by: Option<AuthorityKeyIdentifier> = extension(extensions);
        let issued_by = issued_by.and_then(|identifier| identifier.key_identifier);
        line(&mut text, "authKeyId", &issued_by.map(|id| colons(id.as_bytes())).unwrap_or_default());
        let revoked = list.revoked_certificates.unwrap_or_default();
        let plural = if revoked.len() == 1 { "" } else { "s" };
        let end = if self.detail == Detail::Full && !revoked.is_empty() { ":" } else { "" };
        let _ = writeln!(text, "  {} revoked certificate{plural}{end}", revoked.len());
        if self.detail == Detail::Full {
            for entry in revoked {
                let on = self.clock.show(timestamp(entry.revocation_date));
                let reason = reason(extension(entry.crl_entry_extensions.as_ref()));
                let _ = writeln!(text, "    {}: {on}, {reason}", number(entry.serial_number.as_bytes()));
            }
        }
        Ok(text)
    }

    fn validity(&self, text: &mut String, from: Timestamp, to: Timestamp) {
        line(text, "validity", &format!("not before {}, {}", self.clock.show(from), self.begun(from)));
        let _ = writeln!(text, "{:13}not after  {}, {}", "", self.clock.show(to), self.left(to));
    }

    /// What is to be said of a beginning.
    fn begun(&self, from: Timestamp) -> String {
        match u64::try_from(self.clock.until(from)) {
            Ok(seconds) if seconds > 0 => format!("not valid yet (valid in {})", span(seconds)),
            _ => "ok".to_owned(),
        }
    }

    /// What is to be said of an end.
    fn left(&self, to: Timestamp) -> String {
        let seconds = self.clock.until(to);
        let span = span(seconds.unsigned_abs());
        if seconds < 0 { format!("expired ({span} ago)") } else { format!("ok (expires in {span})") }
    }
}

/// An extension, if it is there and can be read.
fn extension<'a, T: Decode<'a> + const_oid::AssociatedOid>(extensions: Option<&'a Extensions>) -> Option<T> {
    let found: &Extension = extensions?.iter().find(|extension| extension.extn_id == T::OID)?;
    T::from_der(found.extn_value.as_bytes()).ok()
}

fn flags(extensions: Option<&Extensions>, self_signed: &str) -> String {
    const PURPOSES: [(&str, &str); 4] = [
        ("1.3.6.1.5.5.7.3.9", "ocspSigning "),
        ("1.3.6.1.5.5.7.3.1", "serverAuth "),
        ("1.3.6.1.5.5.7.3.2", "clientAuth "),
        ("1.3.6.1.5.5.8.2.2", "ikeIntermediate "),
    ];
    let mut flags = String::new();
    if extension(extensions).is_some_and(|constraints: BasicConstraints| constraints.ca) {
        flags.push_str("CA ");
    }
    if extension(extensions).is_some_and(|usage: KeyUsage| usage.crl_sign()) {
        flags.push_str("CRLSign ");
    }
    if let Some(ExtendedKeyUsage(purposes)) = extension(extensions) {
        let purposes: Vec<String> = purposes.iter().map(ToString::to_string).collect();
        flags.extend(
            PURPOSES
                .iter()
                .filter(|(identifier, _)| purposes.iter().any(|p| p == identifier))
                .map(|(_, name)| *name),
        );
    }
    flags + self_signed
}

/// Where to ask about revocation, and what a CA may issue.
fn details(text: &mut String, extensions: Option<&Extensions>) {
    if let Some(CrlDistributionPoints(points)) = extension(extensions) {
        let uris = points.iter().filter_map(|point| match point.distribution_point.as_ref()? {
            DistributionPointName::FullName(names) => Some(general_names(names)),
            DistributionPointName::NameRelativeToCRLIssuer(_) => None,
        });
        lines(text, "CRL URIs", &uris.flatten().collect::<Vec<_>>());
    }
    if let Some(AuthorityInfoAccessSyntax(accesses)) = extension(extensions) {
        let responders =
            accesses.iter().filter(|access| access.access_method.to_string() == "1.3.6.1.5.5.7.48.1");
        lines(
            text,
            "OCSP URIs",
            &responders.filter_map(|access| general(&access.access_location)).collect::<Vec<_>>(),
        );
    }
    let constraints: Option<BasicConstraints> = extension(extensions);
    if let Some(length) = constraints.and_then(|constraints| constraints.path_len_constraint) {
        line(text, "pathlen", &length.to_string());
    }
    if let Some(constraints) = extension::<NameConstraints>(extensions) {
        for (label, subtrees) in
            [("permitted", constraints.permitted_subtrees), ("excluded", constraints.excluded_subtrees)]
        {
            let names: Vec<String> =
                subtrees.unwrap_or_default().iter().filter_map(|subtree| general(&subtree.base)).collect();
            if !names.is_empty() {
                let _ = writeln!(text, "  {label} nameConstraints:");
                names.iter().for_each(|name| {
                    let _ = writeln!(text, "{:13}{name}", "");
                });
            }
        }
    }
    if let Some(CertificatePolicies(policies)) = extension(extensions) {
        let _ = writeln!(text, "  certificatePolicies:");
        for policy in policies {
            let _ = writeln!(text, "{:13}{}", "", policy.policy_identifier);
        }
    }
}

fn public_key(text: &mut String, info: &SubjectPublicKeyInfoOwned, private: &str) {
    let key = PublicKey::new(info);
    let bits = key.bits.map(|bits| format!(" {bits} bits")).unwrap_or_default();
    line(text, "pubkey", &format!("{}{bits}{private}", key.kind));
    line(text, "keyid", &colons(&key.keyid));
    line(text, "subjkey", &colons(&key.subjkey));
}

fn reason(code: Option<CrlReason>) -> &'static str {
    match code {
        None | Some(CrlReason::Unspecified) => "unspecified",
        Some(CrlReason::KeyCompromise) => "key compromise",
        Some(CrlReason::CaCompromise) => "ca compromise",
        Some(CrlReason::AffiliationChanged) => "affiliation changed",
        Some(CrlReason::Superseded) => "superseded",
        Some(CrlReason::CessationOfOperation) => "cessation of operation",
        Some(CrlReason::CertificateHold) => "certificate hold",
        Some(CrlReason::RemoveFromCRL) => "remove from crl",
        Some(CrlReason::PrivilegeWithdrawn) => "privilege withdrawn",
        Some(CrlReason::AaCompromise) => "aa compromise",
    }
}

fn general_names(names: &[GeneralName]) -> Vec<String> {
    names.iter().filter_map(general).collect()
}

/// A labelled line; values start in column 14.
fn line(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {:<11}{value}", format!("{label}:"));
}

/// A labelled line for the first value, the others below it.
fn lines(text: &mut String, label: &str, values: &[String]) {
    for (at, value) in values.iter().enumerate() {
        if at == 0 {
            line(text, label, value);
        } else {
            let _ = writeln!(text, "{:11}{value}", "");
        }
    }
}

/// A DER integer in hexadecimal, without the octet that only keeps it positive.
fn number(bytes: &[u8]) -> String {
    colons(match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        _ => bytes,
    })
}

/// Bytes in hexadecimal with colons between them.
fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_shown_without_the_octet_that_keeps_it_positive() {
        assert_eq!(number(&[0, 0xb0, 0x81]), "b0:81");
        assert_eq!(number(&[0x7f, 0]), "7f:00");
        assert_eq!(number(&[0]), "00");
    }
}
