//! Replies that tell of success or failure, in strongSwan's order of keys.

use std::fmt::Display;

use vici::Message;

/// `success = yes`.
pub(crate) fn success() -> Message {
    Message::new().with("success", "yes")
}

/// `success = no` with the reason.
pub(crate) fn failure(reason: impl Display) -> Message {
    let mut message = Message::new().with("success", "no");
    push_reason(&mut message, reason);
    message
}

/// The reply to either outcome.
pub(crate) fn of<E: Display>(result: Result<(), E>) -> Message {
    match result {
        Ok(()) => success(),
        Err(reason) => failure(reason),
    }
}

/// `errmsg`, cut where it would not fit: an answer with part of a reason is better than none.
pub(crate) fn push_reason(message: &mut Message, reason: impl Display) {
    let mut text = reason.to_string();
    if text.len() > REASON_LEN_MAX {
        let end = (0..=REASON_LEN_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    message.push("errmsg", text);
}

/// The longest reason, in bytes.
const REASON_LEN_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_too_long_for_the_wire_is_cut_not_withheld() {
        let reply = failure(format!("config '{}' not found", "ü".repeat(40_000)));
        assert_eq!(reply.text("success"), Some("no"));
        assert!(reply.encode().is_ok());
        assert!(reply.text("errmsg").is_some_and(|reason| reason.starts_with("config 'ü")));
    }
}
