//! A CHILD_SA of a connection as configured.

use std::sync::Arc;
use std::time::Duration;

use super::Toggle;
use crate::kernel_op::{Mode, SaOptions};
use crate::lifetime::{ChildLifetime, GivenChildLifetime};
use crate::proposal::Proposal;
use crate::selector::SelectorPattern;
use crate::tag::{SetMark, TagRules};

/// A CHILD_SA as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildConfig {
    /// Its name, unique within the connection.
    pub name: Arc<str>,
    /// ESP or AH proposals in order of preference.
    pub proposals: Vec<Proposal>,
    /// Our side of the traffic; never empty.
    pub local_ts: Vec<SelectorPattern>,
    /// The peer's side; never empty.
    pub remote_ts: Vec<SelectorPattern>,
    /// Tunnel, transport ...
    pub mode: Mode,
    /// Soft and hard limits.
    pub lifetime: ChildLifetime,
    /// On load.
    pub start_action: Action,
    /// When the peer closes it.
    pub close_action: Action,
    /// When the peer is dead.
    pub dpd_action: Action,
    /// Close after that long without traffic; zero for never.
    pub inactivity: Duration,
    /// Fixed reqid; 0 for automatic.
    pub reqid: u32,
    /// Fixed policy priority; 0 for computed.
    pub priority: u32,
    /// Interface that policies are restricted to.
    pub interface: Option<String>,
    /// Marks and XFRM interface ids.
    pub tags: TagRules,
    /// Whether the inbound SA has `mark_in`, too, so that only packets with it are opened.
    pub mark_in_sa: Toggle,
    /// Anti-replay window in packets; `None` takes the daemon's default, 0 turns it off.
    pub replay_window: Option<u32>,
    /// Whether policies are installed.
    pub policies: Toggle,
    /// How the kernel treats headers, devices and marks of both SAs; its `set_mark` is unused here.
    pub sa_options: SaOptions,
    /// Mark that packets get after they were opened.
    pub set_mark_in: SetMark,
    /// Mark that packets get after they were sealed.
    pub set_mark_out: SetMark,
    /// Whether HMAC-SHA2-256 is negotiated under its number for 128 bits and truncated to 96, as old kernels do.
    pub sha256_96: Toggle,
    /// Whether there are forward policies for outbound packets as well, so that policies that drop do not meet them.
    pub policies_fwd_out: Toggle,
    /// Command line that is told of the child going up and down.
    pub updown: Option<Arc<str>>,
    /// Passed to `updown`: whether the host itself may be reached.
    pub hostaccess: Toggle,
}

impl ChildConfig {
    /// One of which nothing but the name is configured: a tunnel for the traffic between the two ends. No proposals.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            proposals: Vec::new(),
            local_ts: vec![SelectorPattern::DYNAMIC],
            remote_ts: vec![SelectorPattern::DYNAMIC],
            mode: Mode::Tunnel,
            lifetime: GivenChildLifetime::default().complete(),
            start_action: Action::default(),
            close_action: Action::default(),
            dpd_action: Action::default(),
            inactivity: Duration::ZERO,
            reqid: 0,
            priority: 0,
            interface: None,
            tags: TagRules::default(),
            mark_in_sa: Toggle::Disabled,
            replay_window: None,
            policies: Toggle::Enabled,
            sa_options: SaOptions::default(),
            set_mark_in: SetMark::default(),
            set_mark_out: SetMark::default(),
            sha256_96: Toggle::Disabled,
            policies_fwd_out: Toggle::Disabled,
            updown: None,
            hostaccess: Toggle::Disabled,
        }
    }

    /// Whether it is no CHILD_SA, but says which packets pass in clear or are dropped.
    #[must_use]
    pub const fn is_shunt(&self) -> bool {
        matches!(self.mode, Mode::Pass | Mode::Drop)
    }
}

/// What to do with a child: at start, when the peer closes it, when the peer is found dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Install trap policies.
    pub trap: bool,
    /// Initiate.
    pub start: bool,
}
