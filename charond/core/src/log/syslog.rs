//! The system log, over its socket.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use charon_conf::ValueError;
use charon_conf::options::Configured;
use jiff::Zoned;
use jiff::fmt::strtime;

/// Where the system log listens.
const DEV_LOG: &str = "/dev/log";
/// Name in the system log unless one is configured.
const IDENTIFIER: &str = "charond";

/// Priority of everything unless levels are mapped: informational.
const PRIORITY: u8 = 6;
/// The least urgent priority: debugging.
const PRIORITY_MAX: u8 = 7;

/// A facility of the system log. Messages are sent to the socket by name each time, so that a system log that starts anew is
/// found again; while it is not there they are lost, as with syslog(3).
#[derive(Debug)]
pub(super) struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
    facility: u8,
    identifier: String,
    /// Priority of level 0, if levels are mapped.
    mapped_from: Option<u8>,
}

impl Syslog {
    /// The facility of one `syslog.<facility>` section; `None` for one that is unknown.
    ///
    /// # Errors
    /// The text of a fault, naming file, line and key.
    pub(super) fn of_facility(settings: &Configured<'_>, name: &str) -> Result<Option<Self>, String> {
        // RFC 5424 §6.2.1; `auth` is the one that only the administrator reads.
        let facility = match name {
            "daemon" => 3,
            "auth" => 10,
            _ => return Ok(None),
        };
        let text = |error: ValueError| error.to_string();
        let map_level: i8 = settings.int(&format!("syslog.{name}.map_level")).map_err(text)?;
        let identifier = settings.text("syslog.identifier").map_err(text)?.unwrap_or(IDENTIFIER);
        let socket = UnixDatagram::unbound().and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        Ok(Some(Self {
            socket: socket.map_err(|error| format!("opening a socket for the system log: {error}"))?,
            path: PathBuf::from(DEV_LOG),
            facility,
            identifier: identifier.to_owned(),
            mapped_from: u8::try_from(map_level).ok(),
        }))
    }

    /// Writes one line of that level. Nothing is done about a system log that is absent or full.
    pub(super) fn write(&self, level: i8, line: &str) {
        let priority = self.facility * 8 + self.priority(level);
        let time = strtime::format("%b %e %H:%M:%S", &Zoned::now()).unwrap_or_default();
        let message = format!("<{priority}>{time} {}[{}]: {line}", self.identifier, std::process::id());
        drop(self.socket.send_to(message.as_bytes(), &self.path));
    }

    fn priority(&self, level: i8) -> u8 {
        let level = u8::try_from(level).unwrap_or(0);
        self.mapped_from.map_or(PRIORITY, |first| first.saturating_add(level).min(PRIORITY_MAX))
    }
}

#[cfg(test)]
mod tests {
    use charon_conf::Settings;
    use charon_conf::options::Program;

    use super::*;

    #[test]
    fn a_line_arrives_with_facility_mapped_priority_and_identifier() {
        let path = std::env::temp_dir().join(format!("charon-syslog-{}", std::process::id()));
        drop(std::fs::remove_file(&path));
        let system_log = UnixDatagram::bind(&path).unwrap();
        let text =
            b"charon { syslog { identifier = vpn\n daemon { map_level = 5 }\n auth { default = 0 } } }";
        let settings = Settings::parse("test", text).unwrap();
        let settings = Configured::new(&settings, Program::Daemon);
        let mut daemon = Syslog::of_facility(&settings, "daemon").unwrap().unwrap();
        daemon.path.clone_from(&path);
        daemon.write(1, "07[IKE] hello");
        let mut buffer = [0; 256];
        let len = system_log.recv(&mut buffer).unwrap();
        let message = String::from_utf8(buffer[..len].to_vec()).unwrap();
        assert!(message.starts_with("<30>"), "{message}");
        assert!(message.ends_with(&format!(" vpn[{}]: 07[IKE] hello", std::process::id())), "{message}");
        assert_eq!(daemon.priority(4), 7);
        let auth = Syslog::of_facility(&settings, "auth").unwrap().unwrap();
        assert_eq!((auth.facility, auth.priority(0), auth.priority(3)), (10, 6, 6));
        assert!(Syslog::of_facility(&settings, "mail").unwrap().is_none());
        std::fs::remove_file(path).unwrap();
    }
}
