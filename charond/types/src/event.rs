//! Facts that the daemon tells whoever subscribed. Events observe; they never decide.

use std::sync::Arc;

use crate::alert::Alert;
use crate::endpoint::Path;
use crate::id::UniqueId;
use crate::snapshot::{ChildSaSnapshot, IkeSaSnapshot};
use crate::vrouter::{VrouterSnapshot, VrouterState};

/// Up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Came up.
    Up,
    /// Went down.
    Down,
}

/// One fact.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An IKE_SA was established or ended. A failed initiation is a `Down`, too.
    IkeUpDown(Change, Arc<IkeSaSnapshot>),
    /// An IKE_SA, the first, was replaced by another, the second. Neither shows children.
    IkeRekeyed(Arc<IkeSaSnapshot>, Arc<IkeSaSnapshot>),
    /// An IKE_SA, as it was before, goes on at other addresses.
    IkeMoved(Arc<IkeSaSnapshot>, Path),
    /// A CHILD_SA was installed or removed. The IKE_SA's `children` holds that one only.
    ChildUpDown(Change, Arc<IkeSaSnapshot>, Arc<ChildSaSnapshot>),
    /// A CHILD_SA, the first, was replaced by another, the second.
    ChildRekeyed(Arc<IkeSaSnapshot>, Arc<ChildSaSnapshot>, Arc<ChildSaSnapshot>),
    /// A virtual router changed its role; before, it had the one given.
    VrouterState(Arc<VrouterSnapshot>, VrouterState),
    /// Something that an operator should hear of, and the IKE_SA concerned.
    Alert(Alert, Option<Arc<IkeSaSnapshot>>),
    /// A line of the log.
    Log(Arc<LogRecord>),
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Its group.
    pub group: LogGroup,
    /// -1 silent, 0 audit, 1 control, 2 more control, 3 raw; 4 (secrets) does not exist here.
    pub level: i8,
    /// Number of the worker thread.
    pub thread: u32,
    /// The IKE_SA it speaks of.
    pub ike_sa: Option<(Arc<str>, UniqueId)>,
    /// The text, possibly of several lines.
    pub message: String,
}

macro_rules! log_groups {
    ($($variant:ident $text:literal $doc:literal;)*) => {
        /// Log groups of strongSwan; also the `target` of the daemon's `tracing` events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum LogGroup {
            $(#[doc = $doc] $variant,)*
        }

        impl LogGroup {
            /// All groups, in strongSwan's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Upper-case name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The group of that name, upper or lower case.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|group| group.name().eq_ignore_ascii_case(name))
            }
        }
    };
}

log_groups! {
    Dmn "DMN" "Start, stop, signals.";
    Mgr "MGR" "IKE_SA manager.";
    Ike "IKE" "IKE_SAs.";
    Chd "CHD" "CHILD_SAs.";
    Job "JOB" "Queues.";
    Wch "WCH" "File descriptors.";
    Cfg "CFG" "Configuration and plugins.";
    Knl "KNL" "Kernel interface.";
    Net "NET" "IKE packets.";
    Asn "ASN" "ASN.1 and certificates.";
    Enc "ENC" "Encoding, decoding, encryption of packets.";
    Tnc "TNC" "Trusted network connect.";
    Imc "IMC" "Integrity collectors.";
    Imv "IMV" "Integrity verifiers.";
    Pts "PTS" "Platform trust service.";
    Tls "TLS" "TLS inside EAP.";
    App "APP" "Applications beside the daemon.";
    Esp "ESP" "Userspace ESP.";
    Lib "LIB" "The libraries.";
}
