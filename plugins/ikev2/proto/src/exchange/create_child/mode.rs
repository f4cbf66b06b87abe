//! Modes of a CHILD_SA (RFC 7296 §1.3.1): both sides must say the same, else it is a tunnel; and what a NAT makes of the
//! selectors of transport mode (§2.23.1).

use std::net::IpAddr;

use charon_types::kernel_op::Mode;
use charon_types::selector::TrafficSelector;

use crate::failure::{Failure, Misbehaviour};
use crate::sa::Sa;
use crate::wire::{Message, NotifyType, Payload};

/// What says that a mode other than tunnel is wanted, or taken.
pub(super) fn notify(mode: Mode) -> Option<Payload> {
    let kind = match mode {
        Mode::Transport => NotifyType::USE_TRANSPORT_MODE,
        Mode::Beet => NotifyType::USE_BEET_MODE,
        Mode::Tunnel | Mode::Pass | Mode::Drop => return None,
    };
    Some(Payload::status(kind))
}

/// Whether a message says that.
pub(super) fn is_named(sa: &Sa, message: &Message, mode: Mode) -> bool {
    match mode {
        Mode::Transport => message.has_notify(NotifyType::USE_TRANSPORT_MODE),
        // The number is of the private range: from others it may mean anything.
        Mode::Beet => sa.peer.private_extensions && message.has_notify(NotifyType::USE_BEET_MODE),
        Mode::Tunnel | Mode::Pass | Mode::Drop => false,
    }
}

/// The mode that we offer for these selectors: that of the configuration, if both ends are hosts.
pub(super) fn offered(
    sa: &Sa,
    configured: Mode,
    local_ts: &[TrafficSelector],
    remote_ts: &[TrafficSelector],
) -> Mode {
    if configured == Mode::Beet && !sa.peer.private_extensions {
        tracing::info!(target: "IKE", "not using Beet mode, which both sides must announce by send_vendor_id");
        return Mode::Tunnel;
    }
    if fits(sa, configured, local_ts, remote_ts) {
        return configured;
    }
    tracing::info!(target: "IKE", "not using {configured:?} mode, not host-to-host");
    Mode::Tunnel
}

/// Whether a mode can carry packets between these selectors: transport mode those of the IKE_SA's own hosts, BEET those of any two
/// hosts.
pub(super) fn fits(sa: &Sa, mode: Mode, local_ts: &[TrafficSelector], remote_ts: &[TrafficSelector]) -> bool {
    let is = |selectors: &[TrafficSelector], host: IpAddr| {
        selectors.iter().all(|selector| selector.is_host() && selector.start == host)
    };
    let one_host =
        |selectors: &[TrafficSelector]| selectors.first().is_some_and(|first| is(selectors, first.start));
    match mode {
        Mode::Transport => is(local_ts, sa.path.local.ip()) && is(remote_ts, sa.path.remote.ip()),
        Mode::Beet => one_host(local_ts) && one_host(remote_ts),
        Mode::Tunnel | Mode::Pass | Mode::Drop => true,
    }
}

/// What the peer's answer makes of the mode that we offered. A peer may decline; it may not choose another one.
pub(super) fn answered(sa: &Sa, offered: Mode, answer: &Message) -> Result<Mode, Failure> {
    let named = |mode| is_named(sa, answer, mode);
    match offered {
        _ if named(Mode::Transport) && offered != Mode::Transport => Err(Misbehaviour::UnofferedMode.into()),
        _ if named(Mode::Beet) && offered != Mode::Beet => Err(Misbehaviour::UnofferedMode.into()),
        Mode::Transport | Mode::Beet if !named(offered) => {
            tracing::info!(target: "IKE", "the peer declines {offered:?} mode, using tunnel mode");
            Ok(Mode::Tunnel)
        }
        mode => Ok(mode),
    }
}

/// The selectors of transport mode as they are seen from here: behind a NAT, a host names itself by another address than the one
/// that its packets have. Only selectors of single hosts are touched.
pub(super) fn substituted(sa: &Sa, selectors: &[TrafficSelector], here: IpAddr) -> Vec<TrafficSelector> {
    let as_here = |selector: &TrafficSelector| {
        if sa.nat.any() && selector.is_host() && selector.start.is_ipv4() == here.is_ipv4() {
            TrafficSelector { start: here, end: here, ..*selector }
        } else {
            *selector
        }
    };
    selectors.iter().map(as_here).collect()
}
