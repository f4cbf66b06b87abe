//! What the clients of a socket may do.

/// What the clients of a socket may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everything.
    Full,
    /// Look, and be told of events.
    ReadOnly,
}

impl Access {
    /// Whether a command may be run.
    pub(crate) fn allows(self, command: &str) -> bool {
        match self {
            Self::Full => true,
            Self::ReadOnly => {
                matches!(command, "version" | "stats")
                    || command.starts_with("list-")
                    || command.starts_with("get-")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_only_look_can_change_nothing() {
        for command in ["version", "stats", "list-sas", "list-conns", "get-keys", "get-counters"] {
            assert!(Access::ReadOnly.allows(command), "{command}");
        }
        for command in ["load-conn", "clear-creds", "terminate", "reset-counters", "reload-settings", ""] {
            assert!(!Access::ReadOnly.allows(command), "{command}");
            assert!(Access::Full.allows(command), "{command}");
        }
    }
}
