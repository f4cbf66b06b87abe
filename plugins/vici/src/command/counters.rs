//! `get-counters`, `reset-counters`: no plugin counts exchanges, which is said in the words that clients of strongSwan know.

use vici::Message;

use crate::reply;

pub(super) fn run() -> Message {
    reply::failure("no counters available (plugin missing?)")
}
