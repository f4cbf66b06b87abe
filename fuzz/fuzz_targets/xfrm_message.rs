//! What an XFRM netlink socket gives: events, answers, rubbish.
#![no_main]

use charon_kernel_netlink::xfrm::{Messages, read_event, scripted};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for message in Messages::new(data) {
        let _ = read_event(message);
    }
    scripted::listen_to(data);
});
