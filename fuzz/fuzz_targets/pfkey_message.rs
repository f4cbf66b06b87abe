//! What a PF_KEY socket gives: events, answers, rubbish.
#![no_main]

use charon_kernel_pfkey::event::read;
use charon_kernel_pfkey::scripted;
use charon_kernel_pfkey::wire::Message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(message) = Message::parse(data) {
        let _ = read(&message);
    }
    scripted::listen_to(data);
});
