//! `version`: what this daemon is and what it runs on.

use nix::sys::utsname::uname;
use vici::Message;

/// The answer, made once.
pub(crate) fn answer() -> Message {
    let mut message = Message::new().with("daemon", "charond").with("version", env!("CARGO_PKG_VERSION"));
    // uname(2) fails for a bad pointer only.
    if let Ok(system) = uname() {
        message.push("sysname", system.sysname().to_string_lossy().as_ref());
        message.push("release", system.release().to_string_lossy().as_ref());
        message.push("machine", system.machine().to_string_lossy().as_ref());
    }
    message.with("vici", VICI_SURFACE)
}

/// The version of strongSwan whose commands, events and keys are kept.
const VICI_SURFACE: &str = "6.0.6";
