//! Name constraints (RFC 5280 §4.2.1.10): which names an authority may certify.

use std::net::IpAddr;

use charon_types::identity::Identity;

use super::PathError;
use crate::certificate::{Certificate, NameConstraints, Subtree};

/// Checks every certificate against the authorities above it. A self-issued authority is exempt: it is the same authority
/// with a new key.
pub(super) fn check(path: &[Certificate]) -> Result<(), PathError> {
    for (index, certificate) in path.iter().enumerate() {
        if index > 0 && certificate.is_self_issued() {
            continue;
        }
        let names = names_of(certificate);
        let above = path.iter().skip(index.saturating_add(1)).filter_map(Certificate::name_constraints);
        for constraints in above {
            if !names.iter().all(|name| allows(constraints, name)) {
                return Err(PathError::NameConstraint { subject: certificate.subject().clone() });
            }
        }
    }
    Ok(())
}

/// The subject, its mail addresses if the alternative names have none, and the alternative names.
fn names_of(certificate: &Certificate) -> Vec<Identity> {
    let mut names = certificate.alternative_names().to_vec();
    if !names.iter().any(|name| matches!(name, Identity::Rfc822(_))) {
        let emails = certificate.subject().email_addresses();
        names.extend(emails.into_iter().map(|email| Identity::Rfc822(email.to_owned())));
    }
    if !certificate.subject().is_empty() {
        names.push(Identity::Dn(certificate.subject().clone()));
    }
    names
}

/// A name must lie in a permitted subtree of its kind, if there is one, and in no excluded one. Kinds that are not computed
/// with fail closed: neither are they known to be permitted, nor known not to be excluded.
fn allows(constraints: &NameConstraints, name: &Identity) -> bool {
    let mut permitted = constraints.permitted.iter().filter(|base| same_kind(base, name)).peekable();
    let is_permitted = permitted.peek().is_none() || permitted.any(|base| lies_in(name, base) == Some(true));
    let mut excluded = constraints.excluded.iter().filter(|base| same_kind(base, name));
    is_permitted && excluded.all(|base| lies_in(name, base) == Some(false))
}

fn same_kind(base: &Subtree, name: &Identity) -> bool {
    match (base, name) {
        (Subtree::Dns(_), Identity::Fqdn(_))
        | (Subtree::Rfc822(_), Identity::Rfc822(_))
        | (Subtree::Directory(_), Identity::Dn(_))
        | (Subtree::Ip(..), Identity::Address(_)) => true,
        (Subtree::Uri(_), Identity::Gn(der)) => tag_number(der) == Some(URI),
        (Subtree::Other(kind), Identity::Gn(der)) => tag_number(der) == Some(*kind),
        // Names of a computed kind that were malformed are kept as DER: a constraint on the kind must not miss them.
        (Subtree::Dns(_), Identity::Gn(der)) => tag_number(der) == Some(2),
        (Subtree::Rfc822(_), Identity::Gn(der)) => tag_number(der) == Some(1),
        (Subtree::Directory(_), Identity::Gn(der)) => tag_number(der) == Some(4),
        (Subtree::Ip(..), Identity::Gn(der)) => tag_number(der) == Some(7),
        _ => false,
    }
}

/// `None` where it cannot be told.
fn lies_in(name: &Identity, base: &Subtree) -> Option<bool> {
    Some(match (base, name) {
        (Subtree::Dns(base), Identity::Fqdn(name)) => is_domain_within(name, base),
        (Subtree::Rfc822(base), Identity::Rfc822(name)) => is_mailbox_within(name, base),
        (Subtree::Directory(base), Identity::Dn(name)) => name.starts_with(base),
        (Subtree::Ip(network, mask), Identity::Address(address)) => {
            is_address_within(*address, *network, *mask)
        }
        (Subtree::Uri(base), Identity::Gn(der)) => is_host_within(host_of(der)?, base),
        _ => return None,
    })
}

/// The domain itself and everything below it; an empty base holds every domain.
fn is_domain_within(name: &str, base: &str) -> bool {
    let (name, base) = (name.as_bytes(), base.strip_prefix('.').unwrap_or(base).as_bytes());
    let Some(begin) = name.len().checked_sub(base.len()) else { return false };
    let (head, tail) = name.split_at(begin);
    tail.eq_ignore_ascii_case(base) && (base.is_empty() || head.is_empty() || head.ends_with(b"."))
}

/// A base with `@` is one mailbox, one with a leading dot all hosts below a domain, else all mailboxes of a host.
fn is_mailbox_within(name: &str, base: &str) -> bool {
    let Some((local, host)) = name.rsplit_once('@') else { return false };
    match base.rsplit_once('@') {
        Some((own, own_host)) => local == own && host.eq_ignore_ascii_case(own_host),
        None => is_host_within(host, base),
    }
}

/// A base with a leading dot holds all hosts below the domain, else the host alone; an empty one holds all.
fn is_host_within(host: &str, base: &str) -> bool {
    match base.strip_prefix('.') {
        Some(domain) => host.len() > domain.len() && is_domain_within(host, domain),
        None => base.is_empty() || host.eq_ignore_ascii_case(base),
    }
}

fn is_address_within(address: IpAddr, network: IpAddr, mask: IpAddr) -> bool {
    match (address, network, mask) {
        (IpAddr::V4(address), IpAddr::V4(network), IpAddr::V4(mask)) => address & mask == network & mask,
        (IpAddr::V6(address), IpAddr::V6(network), IpAddr::V6(mask)) => address & mask == network & mask,
        _ => false,
    }
}

const URI: u32 = 6;

/// Number of the context-specific tag.
fn tag_number(der: &[u8]) -> Option<u32> {
    der.first().filter(|tag| *tag & 0xc0 == 0x80).map(|tag| u32::from(tag & 0x1f))
}

/// The host of a URI with an authority part; without one, constraints cannot be judged.
fn host_of(der: &[u8]) -> Option<&str> {
    let element = <der::asn1::AnyRef<'_> as der::Decode<'_>>::from_der(der).ok()?;
    let uri = std::str::from_utf8(element.value()).ok()?;
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let is_name = !host.is_empty() && !host.starts_with('[') && host.parse::<IpAddr>().is_err();
    is_name.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_holds_itself_and_what_is_below_it() {
        assert!(is_domain_within("moon.Example.org", "example.org"));
        assert!(is_domain_within("example.org", "example.org"));
        assert!(is_domain_within("moon.example.org", ".example.org"));
        assert!(is_domain_within("anything", ""));
        assert!(!is_domain_within("badexample.org", "example.org"));
        assert!(!is_domain_within("org", "example.org"));
    }

    #[test]
    fn mailboxes_are_held_by_mailbox_host_or_domain() {
        assert!(is_mailbox_within("carol@example.org", "carol@Example.org"));
        assert!(!is_mailbox_within("Carol@example.org", "carol@example.org"));
        assert!(is_mailbox_within("carol@example.org", "example.org"));
        assert!(!is_mailbox_within("carol@mail.example.org", "example.org"));
        assert!(is_mailbox_within("carol@mail.example.org", ".example.org"));
        assert!(!is_mailbox_within("carol@example.org", ".example.org"));
        assert!(!is_mailbox_within("carol", "example.org"));
    }

    #[test]
    fn hosts_are_taken_out_of_uris() {
        let Identity::Gn(der) = Identity::uri("https://user@moon.example.org:8443/x") else {
            panic!("a name")
        };
        assert_eq!(host_of(&der), Some("moon.example.org"));
        let Identity::Gn(der) = Identity::uri("urn:x") else { panic!("a name") };
        assert_eq!(host_of(&der), None);
    }

    #[test]
    fn names_of_a_kind_that_cannot_be_judged_are_refused() {
        let urn = Identity::uri("urn:x");
        let permitted =
            NameConstraints { permitted: vec![Subtree::Uri(".example.org".into())], excluded: vec![] };
        let excluded =
            NameConstraints { permitted: vec![], excluded: vec![Subtree::Uri(".example.org".into())] };
        assert!(!allows(&permitted, &urn) && !allows(&excluded, &urn));
        assert!(allows(&permitted, &Identity::Fqdn("x".into())));
    }
}
