//! The peer's offer of a CHILD_SA, and our half of the answer. IKE_AUTH and CREATE_CHILD_SA share it.

use std::sync::Arc;

use charon_types::connection::ChildConfig;
use charon_types::id::{EspSpi, UniqueId};
use charon_types::kernel_op::{KernelOp, Mode};
use charon_types::proposal::{ChildSuite, Offer, Preference, Proposal, Selected, select};
use charon_types::selector::{TrafficSelector, narrow};

use super::install::Agreed;
use super::offer::{OwnKe, esp_spi, reserve_op};
use crate::failure::{Failure, Incompatibility, Misbehaviour, Refusal};
use crate::ike_sa::CHILDREN_MAX;
use crate::proposal::usable_for_child;
use crate::sa::{Cx, Sa};
use crate::wire::{Message, NotifyType, Payload, PayloadType};

/// What we take of a peer's offer.
#[derive(Clone, Debug)]
pub(crate) struct ChildChoice {
    config: Arc<ChildConfig>,
    pub(crate) selected: Selected<ChildSuite>,
    spi_out: EspSpi,
    mode: Mode,
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
            let Some((rank, local_ts, remote_ts)) = narrowed(sa, config, local, remote) else { continue };
            if best.as_ref().is_some_and(|(best, _)| *best >= rank) {
                continue;
            }
            let Some(selected) = propose(cx, config, offered, own_ke) else {
                no_fit = Incompatibility::NoProposal;
                continue;
            };
            let spi_out = esp_spi(&selected.spi).ok_or(Misbehaviour::InvalidSyntax)?;
            let mode = choose_mode(sa, cx, config, request, &local_ts, &remote_ts);
            best = Some((
                rank,
                Self { config: Arc::clone(config), selected, spi_out, mode, local_ts, remote_ts, replaces },
            ));
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
        if self.mode == Mode::Transport {
            payloads.push(Payload::status(NotifyType::USE_TRANSPORT_MODE));
        }
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
    pub(crate) fn agree(self, sa: &Sa, cx: Cx<'_>, spi_in: EspSpi) -> Agreed {
        Agreed {
            config: self.config,
            unique_id: cx.env.ids.child_unique_id(),
            token: None,
            suite: self.selected.suite,
            mode: self.mode,
            path: sa.path,
            spi_in,
            spi_out: self.spi_out,
            local_ts: self.local_ts,
            remote_ts: self.remote_ts,
            replaces: self.replaces,
        }
    }
}

/// The common part of both sides' selectors, and how well it fits: 2 if the peer asked for just what is configured.
fn narrowed(
    sa: &Sa,
    config: &ChildConfig,
    local: &[TrafficSelector],
    remote: &[TrafficSelector],
) -> Option<(u8, Vec<TrafficSelector>, Vec<TrafficSelector>)> {
    let ours = sa.local_selectors(&config.local_ts);
    let theirs = sa.remote_selectors(&config.remote_ts);
    let (local_ts, remote_ts) = (narrow(&ours, local), narrow(&theirs, remote));
    if local_ts.is_empty() || remote_ts.is_empty() {
        return None;
    }
    let exact = local_ts == ours && remote_ts == theirs && local_ts == local && remote_ts == remote;
    Some((if exact { 2 } else { 1 }, local_ts, remote_ts))
}

fn propose(
    cx: Cx<'_>,
    config: &ChildConfig,
    offered: &[Offer],
    own_ke: OwnKe,
) -> Option<Selected<ChildSuite>> {
    let mut usable = usable_for_child(&config.proposals, cx.env.crypto, cx.env.kernel);
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

/// Transport mode if both want it, the kernel can do it, nothing but the two hosts talks, and no NAT rewrites them.
fn choose_mode(
    sa: &Sa,
    cx: Cx<'_>,
    config: &ChildConfig,
    request: &Message,
    local_ts: &[TrafficSelector],
    remote_ts: &[TrafficSelector],
) -> Mode {
    if config.mode != Mode::Transport || !request.has_notify(NotifyType::USE_TRANSPORT_MODE) {
        return Mode::Tunnel;
    }
    let hosts = local_ts.iter().all(|ts| ts.is_host() && ts.start == sa.path.local.ip())
        && remote_ts.iter().all(|ts| ts.is_host() && ts.start == sa.path.remote.ip());
    if hosts && !sa.nat.any() && cx.env.kernel.modes.contains(&Mode::Transport) {
        return Mode::Transport;
    }
    tracing::info!(target: "IKE", "not using transport mode, not host-to-host");
    Mode::Tunnel
}
