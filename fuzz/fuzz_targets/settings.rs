//! Any bytes parse or fail cleanly; what parses survives printing, and every reference comes to an end.
#![no_main]

use charon_conf::{Settings, View, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    match Settings::parse("fuzz", text) {
        Ok(settings) => {
            assert_eq!(Settings::parse("fuzz", &settings.to_bytes()).ok().as_ref(), Some(&settings));
            check(&settings);
            visit(&settings.root(), 4);
        }
        Err(error) => {
            let _ = (error.to_string(), error.picture());
        }
    }
});

fn visit(view: &View<'_>, depth: usize) {
    for (key, _) in view.keys() {
        let _ = (view.bool(key).is_ok(), view.time(key).is_ok(), view.bytes(key).is_ok());
        let _ = (view.int::<u16>(key).is_ok(), view.float(key).is_ok(), view.list(key).is_ok());
    }
    if depth > 0 {
        for section in view.sections() {
            visit(&section, depth - 1);
        }
    }
}
