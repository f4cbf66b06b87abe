//! Connections as `list-conn` shows them.

use std::sync::Arc;

use charon_types::connection::{
    Action, AuthConfig, AuthMethod, AuthRule, ChildConfig, Connection, IkeVersion, Revocation, Unique,
};
use charon_types::endpoint::EndpointPattern;
use charon_types::services::ServiceNames;
use vici::Message;

use super::child_sa::mode;

/// The section of a connection. `subject` tells the subject of a certificate.
pub(crate) fn push(
    message: &mut Message,
    connection: &Connection,
    names: &ServiceNames,
    subject: &dyn Fn(&[u8]) -> String,
) {
    message.nest(&connection.name, |section| {
        let ike = &connection.ike;
        push_addresses(section, "local_addrs", &ike.local_addrs);
        push_addresses(section, "remote_addrs", &ike.remote_addrs);
        section.push_number("local_port", ike.local_port);
        section.push_number("remote_port", ike.remote_port);
        section.push(
            "version",
            match ike.version {
                IkeVersion::Any => "IKEv1/2",
                IkeVersion::V2 => "IKEv2",
            },
        );
        section.push_number("reauth_time", ike.lifetime.reauth_time.as_secs());
        section.push_number("rekey_time", ike.lifetime.rekey_time.as_secs());
        section.push("unique", unique(ike.unique));
        for (key, time) in [("dpd_delay", ike.dpd_delay), ("dpd_timeout", ike.dpd_timeout)] {
            if !time.is_zero() {
                section.push_number(key, time.as_secs());
            }
        }
        push_rounds(section, "local", &connection.local, subject);
        push_rounds(section, "remote", &connection.remote, subject);
        section.nest("children", |section| {
            for child in &connection.children {
                push_child(section, child, names);
            }
        });
    });
}

fn push_addresses(section: &mut Message, key: &str, patterns: &[EndpointPattern]) {
    if patterns.is_empty() {
        section.push_list_display(key, [EndpointPattern::Any]);
    } else {
        section.push_list_display(key, patterns);
    }
}

fn push_rounds(section: &mut Message, side: &str, rounds: &[AuthConfig], subject: &dyn Fn(&[u8]) -> String) {
    for (number, round) in (1..).zip(rounds) {
        let name = match (side, number) {
            ("local", 1) => "local-1",
            ("remote", 1) => "remote-1",
            _ => &format!("{side}-{number}"),
        };
        section.nest(name, |section| push_round(section, round, subject));
    }
}

/// The scalar rules come in the reverse of the order in which they were loaded, except those that may occur several times.
fn push_round(section: &mut Message, round: &AuthConfig, subject: &dyn Fn(&[u8]) -> String) {
    for rule in round.order.rules().rev() {
        match rule {
            AuthRule::Class => push_class(section, &round.method),
            AuthRule::Id => {
                if let Some(id) = &round.id {
                    section.push_display("id", id);
                }
            }
            AuthRule::Revocation => {}
        }
    }
    match round.revocation {
        Revocation::Strict => section.push("revocation", "GOOD"),
        Revocation::IfUri => section.push("revocation", "SKIPPED"),
        Revocation::Relaxed => {}
    }
    let none: [&str; 0] = [];
    section.push_list("groups", none);
    section.push_list("cert_policy", none);
    push_certificates(section, "certs", &round.certs, subject);
    push_certificates(section, "cacerts", &round.cacerts, subject);
}

fn push_class(section: &mut Message, method: &AuthMethod) {
    match method {
        AuthMethod::Unspecified => {}
        AuthMethod::Psk => section.push("class", "pre-shared key"),
        AuthMethod::PublicKey(_) => section.push("class", "public key"),
    }
}

fn push_certificates(
    section: &mut Message,
    key: &str,
    certificates: &[Arc<[u8]>],
    subject: &dyn Fn(&[u8]) -> String,
) {
    section.push_list(key, certificates.iter().map(|certificate| subject(certificate)));
}

fn push_child(message: &mut Message, child: &ChildConfig, names: &ServiceNames) {
    message.nest(&child.name, |section| {
        section.push("mode", mode(child.mode));
        section.push_number("rekey_time", child.lifetime.time.rekey);
        section.push_number("rekey_bytes", child.lifetime.bytes.rekey);
        section.push_number("rekey_packets", child.lifetime.packets.rekey);
        section.push("dpd_action", action(child.dpd_action));
        section.push("close_action", action(child.close_action));
        section.push_list_display("local-ts", child.local_ts.iter().map(|ts| ts.display(names)));
        section.push_list_display("remote-ts", child.remote_ts.iter().map(|ts| ts.display(names)));
        if let Some(interface) = &child.interface {
            section.push("interface", interface);
        }
        if child.priority != 0 {
            section.push_number("priority", child.priority);
        }
    });
}

fn unique(unique: Unique) -> &'static str {
    match unique {
        Unique::Never => "UNIQUE_NEVER",
        Unique::No => "UNIQUE_NO",
        Unique::Keep => "UNIQUE_KEEP",
        Unique::Replace => "UNIQUE_REPLACE",
    }
}

fn action(action: Action) -> &'static str {
    match (action.trap, action.start) {
        (false, false) => "none",
        (true, false) => "trap",
        (false, true) => "start",
        (true, true) => "trap | start",
    }
}
