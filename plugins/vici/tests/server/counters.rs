//! Counters as they stood when a conversation was recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use charon_core::counters::{Counter, Counters};
use vici::{Message, Packet, Section};

use crate::recording::Recording;

/// Sets them to what the recording tells before anything in it is reset.
pub(crate) fn set(counters: &Counters, recording: &Recording) {
    counters.reset_all();
    counters.reset_global();
    let mut sets = BTreeMap::new();
    for frame in &recording.frames {
        match frame.packet() {
            Some(Packet::Request { name, .. }) if name == "reset-counters" => break,
            Some(Packet::Response { message }) => {
                let Ok(message) = Message::decode(message) else { continue };
                let told = message.section("counters").into_iter().flat_map(Section::sections);
                for (name, set) in told {
                    sets.entry(name.to_string()).or_insert_with(|| Message::from(set));
                }
            }
            _ => {}
        }
    }
    let global = sets.remove("").unwrap_or_default();
    for counter in Counter::ALL {
        let told = |set: &Message| set.text(counter.name()).map_or(0, |count| count.parse::<u64>().unwrap());
        let mut of_connections = 0;
        for (name, set) in &sets {
            of_connections += told(set);
            counters.add(1, *counter, Some(&Arc::from(name.as_str())), told(set));
        }
        counters.add(2, *counter, None, told(&global).saturating_sub(of_connections));
    }
}
