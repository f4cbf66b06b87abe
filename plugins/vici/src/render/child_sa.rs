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
        section.push("uniqueid", sa.unique_id.to_string());
        section.push("reqid", sa.reqid.map_or_else(|| "0".to_owned(), |reqid| reqid.to_string()));
        section.push("state", sa.state.name());
        section.push("mode", mode(sa.mode));
        if let Some(installed) = sa.installed.as_ref().filter(|_| is_in_kernel(sa.state)) {
            push_installed(section, installed);
        }
        section.push_list("local-ts", sa.local_ts.iter().map(|ts| ts.display(names).to_string()));
        section.push_list("remote-ts", sa.remote_ts.iter().map(|ts| ts.display(names).to_string()));
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
    section.push("protocol", sa.suite.protocol.to_string());
    if sa.encap == Encap::Udp {
        section.push("encap", "yes");
    }
    section.push("spi-in", sa.spi_in.to_string());
    section.push("spi-out", sa.spi_out.to_string());
    push_mark(section, ["mark-in", "mark-mask-in"], sa.mark_in);
    push_mark(section, ["mark-out", "mark-mask-out"], sa.mark_out);
    push_if_id(section, "if-id-in", sa.if_id_in);
    push_if_id(section, "if-id-out", sa.if_id_out);
    if let Some(encryption) = sa.suite.encryption {
        section.push("encr-alg", encryption.to_string());
        push_bits(section, sa.suite.key_bits);
    }
    if let Some(integrity) = sa.suite.integrity {
        section.push("integ-alg", integrity.to_string());
    }
    if let Some(ke) = sa.suite.ke {
        section.push("dh-group", ke.to_string());
    }
    if sa.suite.esn == Esn::Enabled {
        section.push("esn", "1");
    }
    push_usage(section, ["bytes-in", "packets-in", "use-in"], sa.usage_in);
    push_usage(section, ["bytes-out", "packets-out", "use-out"], sa.usage_out);
    for (key, seconds) in [("rekey-time", sa.rekey_in), ("life-time", sa.life_in)] {
        if let Some(seconds) = seconds {
            section.push(key, seconds.to_string());
        }
    }
    section.push("install-time", sa.age.as_secs().to_string());
}

fn push_mark(section: &mut Message, [value, mask]: [&str; 2], mark: Mark) {
    if mark.value != 0 || mark.mask != 0 {
        section.push(value, format!("{:08x}", mark.value));
        if mark.mask != u32::MAX {
            section.push(mask, format!("{:08x}", mark.mask));
        }
    }
}

fn push_if_id(section: &mut Message, key: &str, id: IfId) {
    if id.0 != 0 {
        section.push(key, format!("{:08x}", id.0));
    }
}

fn push_usage(section: &mut Message, [bytes, packets, used]: [&str; 3], usage: SaUsage) {
    section.push(bytes, usage.bytes.to_string());
    section.push(packets, usage.packets.to_string());
    if let Some(idle) = usage.idle {
        section.push(used, idle.as_secs().to_string());
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
