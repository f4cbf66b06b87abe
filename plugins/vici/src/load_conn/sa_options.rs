//! Keys of a child that are the kernel's business alone: marks, XFRM interfaces, header bits, offload.

use charon_types::connection::ChildConfig;
use charon_types::kernel_op::{DscpCopy, HeaderBit, Offload};

use super::ike::{toggle, word};
use super::refusal::{Refusal, required};
use super::value;

/// Whether that key is one of these.
pub(super) fn is_one(key: &str) -> bool {
    matches!(
        key,
        "mark_in"
            | "mark_out"
            | "set_mark_in"
            | "set_mark_out"
            | "mark_in_sa"
            | "if_id_in"
            | "if_id_out"
            | "hw_offload"
            | "copy_df"
            | "copy_ecn"
            | "copy_dscp"
            | "tfc_padding"
    )
}

/// Reads it into the child.
pub(super) fn read(child: &mut ChildConfig, key: &str, value: &[u8]) -> Result<(), Refusal> {
    let options = &mut child.sa_options;
    match key {
        "mark_in" => child.tags.mark_in = required(key, value::mark(value))?,
        "mark_out" => child.tags.mark_out = required(key, value::mark(value))?,
        "set_mark_in" => child.set_mark_in = required(key, value::set_mark(value))?,
        "set_mark_out" => child.set_mark_out = required(key, value::set_mark(value))?,
        "mark_in_sa" => child.mark_in_sa = toggle(key, value)?,
        "if_id_in" => child.tags.if_id_in = required(key, value::interface_id(value))?,
        "if_id_out" => child.tags.if_id_out = required(key, value::interface_id(value))?,
        "tfc_padding" => options.tfc_padding = required(key, value::padding(value))?,
        "hw_offload" => {
            let modes = [
                ("no", Offload::No),
                ("auto", Offload::Auto),
                ("yes", Offload::Crypto),
                ("crypto", Offload::Crypto),
                ("packet", Offload::Packet),
            ];
            options.offload = word(key, value, &modes)?;
        }
        "copy_df" => options.df = header_bit(key, value)?,
        "copy_ecn" => options.ecn = header_bit(key, value)?,
        "copy_dscp" => {
            let modes = [
                ("out", DscpCopy::Out),
                ("in", DscpCopy::In),
                ("yes", DscpCopy::Both),
                ("no", DscpCopy::None),
            ];
            options.dscp = word(key, value, &modes)?;
        }
        _ => return Err(Refusal::unknown(key)),
    }
    Ok(())
}

fn header_bit(key: &str, value: &[u8]) -> Result<HeaderBit, Refusal> {
    let copied = required(key, value::boolean(value))?;
    Ok(if copied { HeaderBit::Copy } else { HeaderBit::Leave })
}
