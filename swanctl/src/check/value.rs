//! Whether a value is of its kind.

use std::net::IpAddr;
use std::path::Path;

use charon_conf::options::swanctl_conf::Kind;
use charon_conf::scalar;
use charon_types::endpoint::EndpointPattern;
use charon_types::identity::Identity;
use charon_types::proposal::{Proposal, Protocol};
use charon_types::selector::SelectorPattern;
use charon_types::services::ServiceNames;

use crate::convert;
use crate::credentials::text;

/// What is wrong with a value; nothing if it is of its kind.
pub(super) fn faults(kind: Kind, value: &str, directory: &Path) -> Vec<String> {
    if kind == Kind::Secret {
        // A secret is not shown.
        let fault = text::decoded(value.as_bytes()).err();
        return fault.map(|what| format!("the secret {what}")).into_iter().collect();
    }
    let items: Vec<&str> = if kind.is_list() { scalar::split_list(value).collect() } else { vec![value] };
    items
        .into_iter()
        .filter_map(|item| {
            let shown = if item.starts_with("0x") || item.starts_with("0s") { "the value" } else { item };
            fault(kind, item, directory).map(|what| format!("'{}' {what}", shown.escape_default()))
        })
        .collect()
}

/// What is wrong with a value that is not UTF-8.
pub(super) fn faults_of_bytes(kind: Kind) -> Vec<String> {
    if kind == Kind::Secret { Vec::new() } else { vec!["the value is not UTF-8 text".into()] }
}

fn fault(kind: Kind, item: &str, directory: &Path) -> Option<String> {
    let unless = |good: bool, what: &str| (!good).then(|| what.to_owned());
    match kind {
        Kind::Scalar(scalar) => scalar.check(item).err().map(|problem| problem.to_string()),
        Kind::FineTime => unless(fine_time(item), "is no time"),
        Kind::Packets => scalar::parse_int::<u64>(item).err().map(|problem| problem.to_string()),
        Kind::Dscp => unless(
            item.len() == 6 && item.bytes().all(|b| matches!(b, b'0' | b'1')),
            "is not six binary digits",
        ),
        Kind::InterfaceId => unless(
            matches!(item, "%unique" | "%unique-dir") || scalar::parse_int::<u32>(item).is_ok(),
            "is neither a number nor %unique or %unique-dir",
        ),
        Kind::Mark(word) => unless(mark(item, word), "is not mark[/mask]"),
        Kind::Actions => unless(item.split('|').all(|word| action(word.trim())), "is no action"),
        Kind::Padding => {
            unless(item == "mtu" || scalar::parse_int::<u32>(item).is_ok(), "is neither a number nor mtu")
        }
        Kind::PerCpu => {
            unless(item == "encap" || scalar::parse_bool(item).is_ok(), "is none of yes, no, encap")
        }
        Kind::Identity if !item.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) => {
            Some("is not ASCII, as identities must be".into())
        }
        Kind::Identity => Identity::parse(item).err().map(|error| format!("is no identity: {error}")),
        Kind::Auth => unless(auth(item), "is no way of authentication"),
        Kind::Secret => None,
        Kind::Hexadecimal => unless(text::hexadecimal(item.as_bytes()).is_some(), "is not hexadecimal"),
        Kind::Range => unless(subnet(item) || range(item), "is neither a subnet nor a range of addresses"),
        Kind::Hosts => unless(item.parse::<IpAddr>().is_ok(), "is no address"),
        Kind::Addresses => unless(address(item), "is no address, subnet, range or name"),
        Kind::Attributes | Kind::List => None,
        Kind::IkeProposals => proposal(Protocol::Ike, item),
        Kind::EspProposals => proposal(Protocol::Esp, item),
        Kind::AhProposals => proposal(Protocol::Ah, item),
        Kind::Selectors => {
            let names = ServiceNames::builtin();
            SelectorPattern::parse(item, &names).err().map(|error| format!("is no selector: {error}"))
        }
        Kind::File(within) | Kind::Files(within) => convert::content(item, &directory.join(within))
            .err()
            .map(|what| format!("cannot be sent: {what}")),
        Kind::Section => None,
    }
}

/// Seconds with a fraction, or a whole number with ms, s, m, h or d.
fn fine_time(item: &str) -> bool {
    let end = item.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(item.len());
    let (digits, unit) = item.split_at(end);
    let (whole, fraction) =
        digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    number(whole)
        && fraction.is_none_or(|fraction| number(fraction) && matches!(unit.trim(), "" | "s"))
        && matches!(unit.trim(), "" | "ms" | "s" | "m" | "h" | "d")
}

fn mark(text: &str, word: &str) -> bool {
    let (mark, mask) = text.split_once('/').map_or((text, None), |(mark, mask)| (mark, Some(mask)));
    let number = |text: &str| scalar::parse_int::<u32>(text).is_ok();
    let named = mark == word || word == "%unique" && mark == "%unique-dir";
    (named || number(mark)) && mask.is_none_or(number)
}

fn action(word: &str) -> bool {
    ["none", "clear", "trap", "route", "hold", "start", "restart"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

/// A subnet or a range of addresses, one address, or what may be the name of a host.
fn address(text: &str) -> bool {
    match EndpointPattern::parse(text) {
        EndpointPattern::Name(_) => {
            let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            text.starts_with('%') || text.chars().all(name) && !text.starts_with(['-', '.'])
        }
        _ => true,
    }
}

fn subnet(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, prefix)| {
        let widest = match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return false,
        };
        prefix.parse::<u8>().is_ok_and(|prefix| prefix <= widest)
    })
}

fn range(text: &str) -> bool {
    text.split_once('-').is_some_and(|(from, to)| {
        match (from.trim().parse::<IpAddr>(), to.trim().parse::<IpAddr>()) {
            (Ok(from), Ok(to)) => from.is_ipv4() == to.is_ipv4() && from <= to,
            _ => false,
        }
    })
}

fn proposal(protocol: Protocol, text: &str) -> Option<String> {
    if text.eq_ignore_ascii_case("default") {
        return None;
    }
    Proposal::parse(protocol, text).err().map(|error| format!("is no proposal: {error}"))
}

/// `psk`, `eap...`, `xauth...`, or key types with sizes and hashes behind them.
fn auth(text: &str) -> bool {
    let class =
        |class: &str| text == class || text.strip_prefix(class).is_some_and(|rest| rest.starts_with('-'));
    if text.eq_ignore_ascii_case("psk") || class("xauth") {
        return true;
    }
    if class("eap") {
        let constraints = text.split_once(':').map(|(_, constraints)| constraints);
        return constraints.is_none_or(self::constraints);
    }
    ["pubkey", "rsa", "ecdsa", "ike:"].iter().any(|class| text.starts_with(class)) && constraints(text)
}

fn constraints(text: &str) -> bool {
    const KEYS: [&str; 6] = ["pubkey", "rsa", "rsa/pss", "ecdsa", "ed25519", "ed448"];
    const HASHES: [&str; 7] = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "identity"];
    let mut key: Option<&str> = None;
    text.split('-').all(|token| {
        let bare = token.strip_prefix("ike:").unwrap_or(token);
        if KEYS.contains(&bare) {
            key = Some(bare);
            return true;
        }
        let sized = matches!(key, Some("rsa" | "rsa/pss" | "ecdsa")) && bare.parse::<u16>().is_ok();
        key.is_some() && bare == token && (sized || HASHES.contains(&bare))
    })
}
