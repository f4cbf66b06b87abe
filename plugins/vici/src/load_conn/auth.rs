//! `local*` and `remote*`: one round of authentication.

use std::path::Path;

use charon_types::connection::{AuthConfig, AuthRule, Revocation};
use vici::{List, Section, Value};

use super::Environment;
use super::constraint;
use super::ike::word;
use super::refusal::{Refusal, only, required};
use super::value;

/// A round with the number that sorts it.
pub(super) struct Round {
    pub(super) number: u32,
    pub(super) config: AuthConfig,
}

impl Round {
    /// What its user should know.
    pub(super) fn warning(&self) -> Option<&'static str> {
        (self.config.revocation != Revocation::Relaxed).then_some(LISTS_NOT_FETCHED)
    }
}

/// Said when missing revocation lists are not tolerated.
pub(super) const LISTS_NOT_FETCHED: &str = "revocation lists must be loaded: neither CRL nor OCSP is fetched";

pub(super) fn parse(section: Section<'_>, environment: &Environment<'_>) -> Result<Round, Refusal> {
    let mut round = Round { number: 0, config: AuthConfig::default() };
    for (name, value) in section {
        let key = name.as_str();
        match value {
            Value::Data(value) => round.key(key, value)?,
            Value::List(items) => round.list(key, items, environment)?,
            Value::Section(section) => round.certificate_section(key, section, environment)?,
        }
    }
    Ok(round)
}

impl Round {
    fn key(&mut self, key: &str, value: &[u8]) -> Result<(), Refusal> {
        match key {
            "round" => self.number = required(key, value::unsigned(value))?,
            "auth" => {
                self.config.method = constraint::method(key, required(key, value::text(value))?)?;
                self.config.order.note(AuthRule::Class);
            }
            "id" => {
                self.config.id = Some(required(key, value::identity(value))?);
                self.config.order.note(AuthRule::Id);
            }
            "eap_id" | "aaa_id" | "xauth_id" => {
                only(key, value::text(value), &"", "neither EAP nor XAuth is built")?;
            }
            "ca_id" => only(key, value::text(value), &"", "constraints on the CA's identity are not built")?,
            "revocation" => {
                self.config.revocation = word(
                    key,
                    value,
                    &[
                        ("strict", Revocation::Strict),
                        ("ifuri", Revocation::IfUri),
                        ("relaxed", Revocation::Relaxed),
                    ],
                )?;
                self.config.order.note(AuthRule::Revocation);
            }
            _ => return Err(Refusal::unknown(key)),
        }
        Ok(())
    }

    fn list(&mut self, key: &str, items: List<'_>, environment: &Environment<'_>) -> Result<(), Refusal> {
        match key {
            "certs" | "cacerts" => {
                for item in items.iter() {
                    let certificate = required(key, (environment.certificate)(item))?;
                    if key == "certs" {
                        self.config.certs.push(certificate);
                    } else {
                        self.config.cacerts.push(certificate);
                    }
                }
                Ok(())
            }
            "groups" => unless_empty(key, items, "group membership is not built"),
            "cert_policy" => unless_empty(key, items, "certificate policies are not built"),
            "pubkeys" => unless_empty(key, items, "raw public keys are not built"),
            _ => Err(Refusal::unknown(key)),
        }
    }

    /// `cert*` and `cacert*`: a certificate in a file that the daemon reads.
    fn certificate_section(
        &mut self,
        name: &str,
        section: Section<'_>,
        environment: &Environment<'_>,
    ) -> Result<(), Refusal> {
        let lower = name.to_ascii_lowercase();
        let is_ca = lower.starts_with("cacert");
        if !is_ca && !lower.starts_with("cert") {
            return Err(Refusal::InvalidSection(name.to_owned()));
        }
        let (mut file, mut handle) = (None, None);
        for (key, value) in section {
            match (key.as_str(), value) {
                ("file", Value::Data(value)) => file = Some(required("file", value::text(value))?),
                ("handle", Value::Data(value)) => handle = Some(required("handle", value::text(value))?),
                ("slot" | "module", Value::Data(_)) => {}
                (key, _) => return Err(Refusal::unknown(key)),
            }
        }
        let path = match (file, handle) {
            (Some(path), None) => path,
            (Some(_), Some(_)) => return Err(Refusal::CertificateSourceAmbiguous(name.to_owned())),
            (None, Some(_)) => return Err(Refusal::unsupported("handle", "tokens are not built")),
            (None, None) => return Err(Refusal::CertificateSourceMissing(name.to_owned())),
        };
        let certificate = (environment.file)(Path::new(path))
            .and_then(|content| (environment.certificate)(&content))
            .ok_or_else(|| Refusal::CertificateUnusable(name.to_owned()))?;
        if is_ca {
            self.config.cacerts.push(certificate);
        } else {
            self.config.certs.push(certificate);
        }
        Ok(())
    }
}

pub(super) fn unless_empty(key: &str, items: List<'_>, reason: &'static str) -> Result<(), Refusal> {
    if items.is_empty() { Ok(()) } else { Err(Refusal::unsupported(key, reason)) }
}
