//! `main_log`, `error_log`, `debug`, `time_format` and `time_zone`: the log as rVRRPd's file wants it, beside that of the settings.

use charon_core::log::{Levels, LogFile, Sink, Zone};
use rvrrpd_conf::Document;

/// What errors alone are.
const LEVEL_ERROR: i8 = 0;
/// What people should see.
const LEVEL_INFO: i8 = 1;
const LEVEL_DEBUG: i8 = 2;
const LEVEL_EXTENSIVE: i8 = 3;
/// From this value of `debug` on everything is told.
const DEBUG_EXTENSIVE: u8 = 5;

/// Opens the files that are named. `Err` has what cannot be opened.
pub(crate) fn open(document: &Document) -> Result<Vec<Sink>, String> {
    let everything = match document.debug.unwrap_or(0) {
        0 => LEVEL_INFO,
        DEBUG_EXTENSIVE.. => LEVEL_EXTENSIVE,
        _ => LEVEL_DEBUG,
    };
    let files =
        [("main_log", &document.main_log, everything), ("error_log", &document.error_log, LEVEL_ERROR)];
    let mut sinks = Vec::new();
    for (directive, path, level) in files {
        let Some(path) = path else { continue };
        let path = document.path(path).display().to_string();
        let log = LogFile { path: &path, levels: Levels::all(level), time: time(document) };
        sinks.push(Sink::file(&log).map_err(|error| format!("{directive}: cannot open '{path}': {error}"))?);
    }
    Ok(sinks)
}

fn time(document: &Document) -> Option<(&'static str, Zone)> {
    let format = match document.time_format.as_deref() {
        Some("short") => "[%b %e %Y %T]",
        Some("rfc2822") => "[%a, %d %b %Y %T %z]",
        _ => return None,
    };
    let zone = if document.time_zone.as_deref() == Some("utc") { Zone::Utc } else { Zone::Local };
    Some((format, zone))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use charon_core::bus::Bus;
    use charon_core::log::{LogHub, LogLayer};
    use rvrrpd_conf::Format;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn written(directives: &str) -> (String, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let file = format!(
            "main_log = '{}'\nerror_log = '{}'\n{directives}\n[[vrouter]]\ngroup = 1\ninterface = 'e0'\nvip = '192.0.2.1'",
            path("main"),
            path("error")
        );
        let document = Document::parse(&file, Format::Toml).unwrap();
        let hub = LogHub::new(Arc::new(Bus::default()));
        hub.keep_sinks(open(&document).unwrap());
        // They stay when the settings are read again.
        hub.set_sinks(Vec::new());
        let subscriber = tracing_subscriber::registry().with(LogLayer::new(hub.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(target: "IKE", "an error");
            tracing::info!(target: "IKE", "a change");
            tracing::debug!(target: "IKE", "a detail");
        });
        hub.keep_sinks(Vec::new());
        let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
        (read("main"), read("error"))
    }

    #[test]
    fn debug_decides_what_is_told_and_errors_have_a_file_of_their_own() {
        let (main, error) = written("");
        assert!(
            main.contains("an error") && main.contains("a change") && !main.contains("a detail"),
            "{main}"
        );
        assert!(error.contains("an error") && !error.contains("a change"), "{error}");
        assert!(!main.starts_with('['), "{main}");
        let (main, _) = written("debug = 2");
        assert!(main.contains("a detail"), "{main}");
    }

    #[test]
    fn the_time_stands_in_front_as_the_file_says() {
        let (main, _) = written("time_format = 'short'\ntime_zone = 'utc'");
        let stamp = main.split(']').next().unwrap();
        assert_eq!(stamp.len(), "[Nov 21 2026 06:37:26".len(), "{main}");
        assert!(main.starts_with('[') && stamp.contains(" 20"), "{main}");
        let (main, _) = written("time_format = 'rfc2822'\ntime_zone = 'utc'");
        assert!(main.split(']').next().unwrap().ends_with("+0000"), "{main}");
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named_with_its_directive() {
        let file =
            "main_log = '/no/such/place/log'\n[[vrouter]]\ngroup = 1\ninterface = 'e0'\nvip = '192.0.2.1'";
        let document = Document::parse(file, Format::Toml).unwrap();
        let error = open(&document).err().unwrap();
        assert!(error.starts_with("main_log: cannot open '/no/such/place/log'"), "{error}");
    }
}
