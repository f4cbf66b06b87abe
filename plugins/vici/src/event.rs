//! The events that a client can register for, and how often it did.

macro_rules! events {
    ($($variant:ident $name:literal)*) => {
        /// An event by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EventKind {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl EventKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

events! {
    ListSa "list-sa"
    ListPolicy "list-policy"
    ListConn "list-conn"
    ListCert "list-cert"
    ListAuthority "list-authority"
    IkeUpdown "ike-updown"
    IkeRekey "ike-rekey"
    IkeUpdate "ike-update"
    ChildUpdown "child-updown"
    ChildRekey "child-rekey"
    Alert "alert"
    Log "log"
    ControlLog "control-log"
    ListVrouter "list-vrouter"
    VrouterState "vrouter-state"
}

impl EventKind {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// How often a client registered for each event: as often it is sent.
#[derive(Default)]
pub(crate) struct Registrations([u32; EventKind::ALL.len()]);

impl Registrations {
    /// How often the event is to be sent.
    pub(crate) fn count(&self, kind: EventKind) -> u32 {
        self.0[kind as usize]
    }

    /// Counts one more; how many there were before. `None` if there are too many.
    pub(crate) fn add(&mut self, kind: EventKind) -> Option<u32> {
        let count = &mut self.0[kind as usize];
        let before = *count;
        *count = before.checked_add(1).filter(|count| *count <= REGISTRATIONS_MAX)?;
        Some(before)
    }

    /// Counts one less; how many are left. `None` if there was none.
    pub(crate) fn remove(&mut self, kind: EventKind) -> Option<u32> {
        let count = &mut self.0[kind as usize];
        *count = count.checked_sub(1)?;
        Some(*count)
    }
}

/// How often one client may register for one event. Each event costs as many copies.
const REGISTRATIONS_MAX: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_registration_counts_and_is_undone_by_one_unregistration() {
        let mut registrations = Registrations::default();
        assert_eq!(registrations.remove(EventKind::Log), None);
        assert_eq!(registrations.add(EventKind::Log), Some(0));
        assert_eq!(registrations.add(EventKind::Log), Some(1));
        assert_eq!(registrations.count(EventKind::Log), 2);
        assert_eq!(registrations.count(EventKind::ControlLog), 0);
        assert_eq!(registrations.remove(EventKind::Log), Some(1));
        assert_eq!(registrations.remove(EventKind::Log), Some(0));
        assert_eq!(registrations.remove(EventKind::Log), None);
    }

    #[test]
    fn names_are_found_exactly() {
        assert_eq!(EventKind::from_name("list-sa"), Some(EventKind::ListSa));
        assert_eq!(EventKind::from_name("List-sa"), None);
        assert_eq!(EventKind::from_name(""), None);
    }
}
