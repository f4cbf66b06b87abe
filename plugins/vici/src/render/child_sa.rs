//! CHILD_SAs as `list-sa` and `child-updown` show them.

use charon_types::algorithm::Esn;
use charon_types::id::{IfId, Mark};
use charon_types::kernel_op::{Encap, Mode, SaUsage};
use charon_types::services::ServiceNames;
use charon_types::snapshot::{ChildSaSnapshot, ChildSaState, InstalledSa};
use vici::Message;

use super::ike_sa::push_bits;

/// The section of a CHILD_SA, named by child and number.
pub(crate) fn push(message: &mut Message, sa: &ChildSaSnapshot, names: &ServiceNames) {
    push_as(message, &format!("{}-{}", sa.name, sa.unique_id), sa, names);
}

/// The section of a CHILD_SA under another name.
pub(crate) fn push_as(message: &mut Message, section: &str, sa: &ChildSaSnapshot, names: &ServiceNames) {
    message.nest(section, |section| {
        section.push("name", &*sa.name);
        section.push_number("uniqueid", sa.unique_id.0);
        section.push_number("reqid", sa.reqid.map_or(0, |reqid| reqid.0.get()));
        section.push("state", sa.state.name());
        section.push("mode", mode(sa.mode));
        if let Some(installed) = sa.installed.as_ref().filter(|_| is_in_kernel(sa.state)) {
            push_installed(section, installed);
        }
        section.push_list_display("local-ts", sa.local_ts.iter().map(|ts| ts.display(names)));
        section.push_list_display("remote-ts", sa.remote_ts.iter().map(|ts| ts.display(names)));
    });
}

fn is_in_kernel(state: ChildSaState) -> bool {
    match state {
        ChildSaState::Installed
        | ChildSaState::Rekeying
        | ChildSaState::Rekeyed
        | ChildSaState::Deleting
        | ChildSaState::Deleted => true,
        ChildSaState::Created
        | ChildSaState::Routed
        | ChildSaState::Installing
        | ChildSaState::Updating
        | ChildSaState::Retrying
        | ChildSaState::Destroying => false,
    }
}

fn push_installed(section: &mut Message, sa: &InstalledSa) {
    section.push_display("protocol", sa.suite.protocol);
    if sa.encap == Encap::Udp {
        section.push("encap", "yes");
    }
    section.push_display("spi-in", sa.spi_in);
    section.push_display("spi-out", sa.spi_out);
    push_mark(section, ["mark-in", "mark-mask-in"], sa.mark_in);
    push_mark(section, ["mark-out", "mark-mask-out"], sa.mark_out);
    push_if_id(section, "if-id-in", sa.if_id_in);
    push_if_id(section, "if-id-out", sa.if_id_out);
    if let Some(encryption) = sa.suite.encryption {
        section.push_display("encr-alg", encryption);
        push_bits(section, sa.suite.key_bits);
    }
    if let Some(integrity) = sa.suite.integrity {
        section.push_display("integ-alg", integrity);
    }
    if let Some(ke) = sa.suite.ke {
        section.push_display("dh-group", ke);
    }
    if sa.suite.esn == Esn::Enabled {
        section.push("esn", "1");
    }
    push_usage(section, ["bytes-in", "packets-in", "use-in"], sa.usage_in);
    push_usage(section, ["bytes-out", "packets-out", "use-out"], sa.usage_out);
    for (key, seconds) in [("rekey-time", sa.rekey_in), ("life-time", sa.life_in)] {
        if let Some(seconds) = seconds {
            section.push_number(key, seconds);
        }
    }
    section.push_number("install-time", sa.age.as_secs());
}

fn push_mark(section: &mut Message, [value, mask]: [&str; 2], mark: Mark) {
    if mark.value != 0 || mark.mask != 0 {
        section.push_display(value, format_args!("{:08x}", mark.value));
        if mark.mask != u32::MAX {
            section.push_display(mask, format_args!("{:08x}", mark.mask));
        }
    }
}

pub(super) fn push_if_id(section: &mut Message, key: &str, id: IfId) {
    if id.0 != 0 {
        section.push_display(key, format_args!("{:08x}", id.0));
    }
}

fn push_usage(section: &mut Message, [bytes, packets, used]: [&str; 3], usage: SaUsage) {
    section.push_number(bytes, usage.bytes);
    section.push_number(packets, usage.packets);
    if let Some(idle) = usage.idle {
        section.push_number(used, idle.as_secs());
    }
}

/// strongSwan's name of a mode.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Tunnel => "TUNNEL",
        Mode::Transport => "TRANSPORT",
        Mode::Beet => "BEET",
        Mode::Pass => "PASS",
        Mode::Drop => "DROP",
    }
}
