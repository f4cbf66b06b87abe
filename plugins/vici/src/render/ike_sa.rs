//! IKE_SAs as `list-sa`, `ike-updown` and `child-updown` show them.

use charon_types::endpoint::{AddressText, Path};
use charon_types::id::{IkeSpi, Role};
use charon_types::services::ServiceNames;
use charon_types::snapshot::{ChildSaSnapshot, IkeSaSnapshot, IkeSaState};
use vici::Message;

use super::child_sa;

/// The section of an IKE_SA with those of its children.
pub(crate) fn with_children<'c>(
    message: &mut Message,
    sa: &IkeSaSnapshot,
    children: impl IntoIterator<Item = &'c ChildSaSnapshot>,
    names: &ServiceNames,
) {
    message.nest(&sa.name, |section| {
        push(section, sa);
        section.nest("child-sas", |section| {
            for child in children {
                child_sa::push(section, child, names);
            }
        });
    });
}

/// The section of an IKE_SA with a child that was rekeyed, before and after.
pub(crate) fn with_rekeyed(
    message: &mut Message,
    sa: &IkeSaSnapshot,
    old: &ChildSaSnapshot,
    new: &ChildSaSnapshot,
    names: &ServiceNames,
) {
    message.nest(&sa.name, |section| {
        push(section, sa);
        section.nest("child-sas", |section| {
            section.nest(&old.name, |section| {
                child_sa::push_as(section, "old", old, names);
                child_sa::push_as(section, "new", new, names);
            });
        });
    });
}

/// The section of an IKE_SA that was replaced, before and after.
pub(crate) fn replaced(message: &mut Message, old: &IkeSaSnapshot, new: &IkeSaSnapshot) {
    message.nest(&old.name, |section| {
        section.nest("old", |section| push(section, old));
        section.nest("new", |section| push(section, new));
    });
}

/// Where an IKE_SA goes on, and its section as it was before.
pub(crate) fn moved(message: &mut Message, sa: &IkeSaSnapshot, path: &Path) {
    message.push("local-host", path.local.ip().to_string());
    message.push("local-port", path.local.port().to_string());
    message.push("remote-host", path.remote.ip().to_string());
    message.push("remote-port", path.remote.port().to_string());
    alone(message, sa);
}

/// The section of an IKE_SA without its children.
pub(crate) fn alone(message: &mut Message, sa: &IkeSaSnapshot) {
    message.nest(&sa.name, |section| push(section, sa));
}

fn push(section: &mut Message, sa: &IkeSaSnapshot) {
    section.push_number("uniqueid", sa.unique_id.0);
    section.push("version", "2");
    section.push("state", sa.state.name());
    section.push_display("local-host", AddressText(sa.path.local.ip()));
    section.push_number("local-port", sa.path.local.port());
    section.push_display("local-id", &sa.local_id);
    section.push_display("remote-host", AddressText(sa.path.remote.ip()));
    section.push_number("remote-port", sa.path.remote.port());
    section.push_display("remote-id", &sa.remote_id);
    if sa.role == Role::Initiator {
        section.push("initiator", "yes");
    }
    push_spi(section, "initiator-spi", sa.spi_initiator);
    push_spi(section, "responder-spi", sa.spi_responder);
    for (key, condition) in [
        ("nat-local", sa.nat.local),
        ("nat-remote", sa.nat.remote),
        ("nat-fake", sa.nat.fake),
        ("nat-any", sa.nat.any()),
    ] {
        if condition {
            section.push(key, "yes");
        }
    }
    child_sa::push_if_id(section, "if-id-in", sa.if_ids.inbound);
    child_sa::push_if_id(section, "if-id-out", sa.if_ids.outbound);
    if let Some(suite) = &sa.suite {
        section.push_display("encr-alg", suite.encryption);
        push_bits(section, suite.key_bits);
        if let Some(integrity) = suite.integrity {
            section.push_display("integ-alg", integrity);
        }
        section.push_display("prf-alg", suite.prf);
        section.push_display("dh-group", suite.ke);
    }
    if sa.state == IkeSaState::Established {
        if let Some(established) = sa.established {
            section.push_number("established", established.as_secs());
        }
        for (key, seconds) in [("rekey-time", sa.rekey_in), ("reauth-time", sa.reauth_in)] {
            if let Some(seconds) = seconds {
                section.push_number(key, seconds);
            }
        }
    }
    for (key, addresses) in [("local-vips", &sa.local_vips), ("remote-vips", &sa.remote_vips)] {
        if !addresses.is_empty() {
            section.push_list_display(key, addresses.iter().map(|address| AddressText(*address)));
        }
    }
    for (key, tasks) in [
        ("tasks-queued", &sa.tasks_queued),
        ("tasks-active", &sa.tasks_active),
        ("tasks-passive", &sa.tasks_passive),
    ] {
        if !tasks.is_empty() {
            section.push_list(key, tasks);
        }
    }
}

fn push_spi(section: &mut Message, key: &str, spi: Option<IkeSpi>) {
    match spi {
        Some(spi) => section.push_display(key, spi),
        None => section.push(key, "0000000000000000"),
    }
}

/// The key length, where the algorithm has several.
pub(super) fn push_bits(section: &mut Message, bits: Option<u16>) {
    if let Some(bits) = bits.filter(|bits| *bits != 0) {
        section.push_number("encr-keysize", bits);
    }
}
