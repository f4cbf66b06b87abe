//! Conformance: 74 numbered cases, from the RFCs and from what other programs were seen to do. `cases.rs` says which test
//! holds which case.

#![expect(clippy::unwrap_used, reason = "a test that fails should")]

mod bench;
mod cases;
mod encoding;
mod fuzzed;
mod golden;
mod group;
mod habits;
mod reload;
mod timers;
mod transitions;
mod validation;
