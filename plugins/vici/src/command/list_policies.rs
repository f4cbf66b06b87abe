//! `list-policies`: trap and shunt policies. No connection that has one is taken, so there is none to tell of.

use vici::Message;

pub(super) fn run() -> Message {
    Message::new()
}
