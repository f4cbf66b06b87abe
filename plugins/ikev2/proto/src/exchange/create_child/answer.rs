//! The peer's offer of a CHILD_SA, and our half of the answer. IKE_AUTH and CREATE_CHILD_SA share it.

use std::sync::Arc;

use charon_types::connection::ChildConfig;
use charon_types::id::{EspSpi, UniqueId};
use charon_types::kernel_op::{KernelOp, Mode, TfcPadding};
use charon_types::proposal::{ChildSuite, Offer, Preference, Proposal, Selected, select};
use charon_types::selector::{TrafficSelector, narrow};

use super::install::Agreed;
use super::mode;
use super::offer::{OwnKe, esp_spi, padding, reserve_op};
use crate::failure::{Failure, Incompatibility, Misbehaviour, Refusal};
use crate::ike_sa::CHILDREN_MAX;
use crate::proposal::{unusable, usable_for_child};
use crate::sa::{Cx, Sa};
use crate::wire::{Message, Payload, PayloadType};

/// What we take of a peer's offer.
#[derive(Clone, Debug)]
pub(crate) struct ChildChoice {
    config: Arc<ChildConfig>,
    pub(crate) selected: Selected<ChildSuite>,
    spi_out: EspSpi,
    mode: Mode,
    tfc_padding: TfcPadding,
    local_ts: Vec<TrafficSelector>,
    remote_ts: Vec<TrafficSelector>,
    pub(crate) replaces: Option<UniqueId>,
}

impl ChildChoice {
    /// Chooses one of `configs` for the offer in `request`, and narrows the selectors. `replaces` is the child that the
    /// peer wants replaced.
    pub(crate) fn select(
        sa: &Sa,
        cx: Cx<'_>,
        configs: &[Arc<ChildConfig>],
        request: &Message,
        own_ke: OwnKe,
        replaces: Option<UniqueId>,
    ) -> Result<Self, Failure> {
        if sa.children.len() >= CHILDREN_MAX {
            return Err(Refusal::NoAdditionalSas.into());
        }
        let offered = request.sa().ok_or(Misbehaviour::MissingPayload(PayloadType::SA.0))?;
        let remote = request.ts_i().ok_or(Misbehaviour::MissingPayload(PayloadType::TS_I.0))?;
        let local = request.ts_r().ok_or(Misbehaviour::MissingPayload(PayloadType::TS_R.0))?;
        let mut no_fit = Incompatibility::TrafficSelectors;
        let mut best: Option<(u8, Self)> = None;
        for config in configs.iter().filter(|config| !config.is_shunt()) {
            let mode = wanted_mode(sa, cx, config, request);
            let Some(Fit { rank, mode, local_ts, remote_ts }) = fit(sa, config, mode, local, remote) else {
                continue;
            };
            if best.as_ref().is_some_and(|(best, _)| *best >= rank) {
                continue;
            }
            let Some(selected) = propose(sa, cx, config, offered, own_ke) else {
                if usable_for_child(sa, cx, config).is_empty() {
                    tracing::info!(target: "IKE", "child {}: {}", config.name, unusable(sa, cx, config));
                }
                no_fit = Incompatibility::NoProposal;
                continue;
            };
            let spi_out = esp_spi(&selected.spi).ok_or(Misbehaviour::InvalidSyntax)?;
            let tfc_padding = padding(config, request);
            let config = Arc::clone(config);
            let choice = Self { config, selected, spi_out, mode, tfc_padding, local_ts, remote_ts, replaces };
            best = Some((rank, choice));
        }
        let (_, choice) = best.ok_or(no_fit)?;
        tracing::info!(target: "CFG", "selected proposal: {}", choice.selected.suite);
        Ok(choice)
    }

    /// Asks the kernel for our SPI.
    pub(crate) fn reserve(&self, sa: &Sa, cx: Cx<'_>) -> KernelOp {
        reserve_op(sa, cx, self.selected.suite.protocol)
    }

    /// SA, TSi and TSr payloads, and the mode; nonce and KE payload stand between SA and TSi.
    pub(crate) fn payloads(&self, spi: EspSpi, between: Vec<Payload>) -> Vec<Payload> {
        let mut payloads = Vec::new();
        payloads.extend(mode::notify(self.mode));
        payloads.push(Payload::Sa(vec![Offer {
            number: self.selected.number,
            spi: spi.to_be_bytes().to_vec(),
            proposal: self.selected.proposal.clone(),
        }]));
        payloads.extend(between);
        payloads.push(Payload::TsI(self.remote_ts.clone()));
        payloads.push(Payload::TsR(self.local_ts.clone()));
        payloads
    }

    /// Settled, with our SPI.
    pub(crate) fn agree(self, sa: &mut Sa, cx: Cx<'_>, spi_in: EspSpi) -> Agreed {
        let replaced = self.replaces.and_then(|old| sa.child_mut(old)).map(|old| old.tags);
        let tags = replaced.unwrap_or_else(|| sa.tags(cx, &self.config));
        Agreed {
            config: self.config,
            unique_id: cx.env.ids.child_unique_id(),
            token: None,
            suite: self.selected.suite,
            mode: self.mode,
            spi_in,
            spi_out: self.spi_out,
            local_ts: self.local_ts,
            remote_ts: self.remote_ts,
            tags,
            tfc_padding: self.tfc_padding,
            replaces: self.replaces,
        }
    }
}

/// What both sides' selectors have in common.
struct Fit {
    /// How well it fits: 2 if the peer asked for just what is configured.
    rank: u8,
    mode: Mode,
    local_ts: Vec<TrafficSelector>,
    remote_ts: Vec<TrafficSelector>,
}

/// What is configured and offered, in that mode if it can carry it, else as a tunnel.
fn fit(
    sa: &Sa,
    config: &ChildConfig,
    mode: Mode,
    local: &[TrafficSelector],
    remote: &[TrafficSelector],
) -> Option<Fit> {
    let as_tunnel = || narrowed(sa, config, Mode::Tunnel, local, remote);
    let wanted = match mode {
        // The peer may know the hosts by other addresses (RFC 7296 §2.23.1); for a tunnel they stay as they were.
        Mode::Transport => {
            let local = mode::substituted(sa, local, sa.path.local.ip());
            let remote = mode::substituted(sa, remote, sa.path.remote.ip());
            narrowed(sa, config, mode, &local, &remote)
        }
        Mode::Beet => narrowed(sa, config, mode, local, remote),
        Mode::Tunnel | Mode::Pass | Mode::Drop => return as_tunnel(),
    };
    let fitting = wanted.filter(|fit| mode::fits(sa, mode, &fit.local_ts, &fit.remote_ts));
    fitting.or_else(|| {
        tracing::info!(target: "IKE", "not using {mode:?} mode, not host-to-host");
        as_tunnel()
    })
}

fn narrowed(
    sa: &Sa,
    config: &ChildConfig,
    mode: Mode,
    local: &[TrafficSelector],
    remote: &[TrafficSelector],
) -> Option<Fit> {
    let ours = sa.local_selectors(&config.local_ts);
    let theirs = sa.remote_selectors(&config.remote_ts);
    let (local_ts, remote_ts) = (narrow(&ours, local), narrow(&theirs, remote));
    if local_ts.is_empty() || remote_ts.is_empty() {
        return None;
    }
    let exact = local_ts == ours && remote_ts == theirs && local_ts == local && remote_ts == remote;
    Some(Fit { rank: if exact { 2 } else { 1 }, mode, local_ts, remote_ts })
}

/// The configured mode if the peer names it, too, and the kernel can do it; else a tunnel.
fn wanted_mode(sa: &Sa, cx: Cx<'_>, config: &ChildConfig, request: &Message) -> Mode {
    let both = mode::is_named(sa, request, config.mode) && cx.env.kernel.modes.contains(&config.mode);
    if both { config.mode } else { Mode::Tunnel }
}

fn propose(
    sa: &Sa,
    cx: Cx<'_>,
    config: &ChildConfig,
    offered: &[Offer],
    own_ke: OwnKe,
) -> Option<Selected<ChildSuite>> {
    let mut usable = usable_for_child(sa, cx, config);
    let mut stripped = Vec::new();
    let mut offered = offered;
    if own_ke == OwnKe::Never {
        usable = usable.iter().map(Proposal::without_ke).collect();
        stripped.extend(
            offered.iter().map(|offer| Offer { proposal: offer.proposal.without_ke(), ..offer.clone() }),
        );
        offered = &stripped;
    }
    let configured_first = cx.env.settings.prefer_configured_proposals.is_enabled();
    select(&usable, offered, if configured_first { Preference::Configured } else { Preference::Offered })
}
