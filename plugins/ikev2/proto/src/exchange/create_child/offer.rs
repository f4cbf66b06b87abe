//! Our half of a CHILD_SA's negotiation: what we offer, and what becomes of the answer. IKE_AUTH and CREATE_CHILD_SA share it.

use std::sync::Arc;

use charon_types::algorithm::KeMethod;
use charon_types::connection::ChildConfig;
use charon_types::id::{EspSpi, UniqueId};
use charon_types::kernel_op::{KernelOp, Mode, TfcPadding};
use charon_types::proposal::{ChildSuite, Offer, Proposal, Protocol, Selected, accept_answer};
use charon_types::selector::{PacketSelectors, TrafficSelector, covers, narrow};
use charon_types::tag::Tags;

use super::install::Agreed;
use super::mode;
use super::spis::OwnSpis;
use crate::child_sa::ChildSa;
use crate::failure::{Failure, Incompatibility, LocalFault, Misbehaviour};
use crate::ike_sa::CHILDREN_MAX;
use crate::output::CommandToken;
use crate::proposal::{ke_methods, unusable, usable_for_child};
use crate::sa::{Cx, Sa};
use crate::wire::{Message, Notify, NotifyType, Payload, PayloadType};

/// A child that we want.
#[derive(Clone, Debug)]
pub(crate) struct ChildOffer {
    pub(crate) config: Arc<ChildConfig>,
    pub(crate) unique_id: UniqueId,
    pub(crate) token: Option<CommandToken>,
    proposals: Vec<Proposal>,
    local_ts: Vec<TrafficSelector>,
    remote_ts: Vec<TrafficSelector>,
    tags: Tags,
    mode: Mode,
    replaces: Option<Replaced>,
}

/// Which child is wanted, and why.
#[derive(Clone, Debug)]
pub(crate) struct ChildWish {
    pub(crate) config: Arc<ChildConfig>,
    /// The packet that asks for it: its selectors are offered first (RFC 7296 §2.9).
    pub(crate) packet: Option<PacketSelectors>,
}

impl From<Arc<ChildConfig>> for ChildWish {
    fn from(config: Arc<ChildConfig>) -> Self {
        Self { config, packet: None }
    }
}

impl ChildWish {
    /// Our selectors and the peer's, resolved, behind those of the packet if they hold it.
    fn selectors(&self, sa: &Sa) -> (Vec<TrafficSelector>, Vec<TrafficSelector>) {
        let mut local = sa.local_selectors(&self.config.local_ts);
        let mut remote = sa.remote_selectors(&self.config.remote_ts);
        let held = |packet: &PacketSelectors| {
            covers(&local, std::slice::from_ref(&packet.local))
                && covers(&remote, std::slice::from_ref(&packet.remote))
        };
        if let Some(packet) = self.packet.filter(held) {
            local.insert(0, packet.local);
            remote.insert(0, packet.remote);
        }
        (local, remote)
    }
}

/// A child to be replaced, as the REKEY_SA notify names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced {
    /// Which.
    pub(crate) unique_id: UniqueId,
    /// ESP or AH.
    protocol: Protocol,
    /// Our SPI of it.
    spi_in: EspSpi,
    /// Its own key exchange, to be tried first.
    ke: Option<KeMethod>,
}

/// Whether the exchange negotiates a key exchange of the child's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnKe {
    /// IKE_AUTH: never.
    Never,
    /// CREATE_CHILD_SA: if configured.
    AsConfigured,
}

impl ChildOffer {
    /// What to offer for `config`.
    pub(crate) fn new(
        sa: &mut Sa,
        cx: Cx<'_>,
        wanted: ChildWish,
        token: Option<CommandToken>,
        own_ke: OwnKe,
    ) -> Result<Self, Failure> {
        let mut offer = Self::without_tags(sa, cx, wanted, token, own_ke)?;
        offer.tags = sa.tags(cx, &offer.config);
        Ok(offer)
    }

    fn without_tags(
        sa: &Sa,
        cx: Cx<'_>,
        wanted: ChildWish,
        token: Option<CommandToken>,
        own_ke: OwnKe,
    ) -> Result<Self, Failure> {
        let (local_ts, remote_ts) = wanted.selectors(sa);
        let config = wanted.config;
        if sa.children.len() >= CHILDREN_MAX {
            return Err(LocalFault::TooManyChildren.into());
        }
        let mut proposals = usable_for_child(sa, cx, &config);
        if own_ke == OwnKe::Never {
            proposals = proposals.iter().map(Proposal::without_ke).collect();
        }
        if config.is_shunt() {
            return Err(LocalFault::Shunt.into());
        }
        if !cx.env.kernel.modes.contains(&config.mode) {
            return Err(LocalFault::UnsupportedMode(config.mode).into());
        }
        let mode = mode::offered(sa, config.mode, &local_ts, &remote_ts);
        if proposals.is_empty() {
            return Err(unusable(sa, cx, &config).into());
        }
        Ok(Self {
            unique_id: cx.env.ids.child_unique_id(),
            token,
            proposals,
            local_ts,
            remote_ts,
            tags: Tags::default(),
            mode,
            replaces: None,
            config,
        })
    }

    /// What to offer in place of a child: its selectors as they are in use, because narrower ones would break connections
    /// (RFC 7296 §2.9.2).
    pub(crate) fn in_place_of(
        sa: &Sa,
        cx: Cx<'_>,
        old: &ChildSa,
        token: Option<CommandToken>,
    ) -> Result<Self, Failure> {
        let wish = Arc::clone(&old.config).into();
        let mut offer = Self::without_tags(sa, cx, wish, token, OwnKe::AsConfigured)?;
        offer.tags = old.tags;
        offer.local_ts.clone_from(&old.local_ts);
        offer.remote_ts.clone_from(&old.remote_ts);
        offer.mode = old.mode;
        offer.replaces = Some(Replaced {
            unique_id: old.unique_id,
            protocol: old.suite.protocol,
            spi_in: old.spi_in,
            ke: old.suite.ke,
        });
        Ok(offer)
    }

    /// The child that it replaces.
    pub(crate) fn replaces(&self) -> Option<UniqueId> {
        self.replaces.map(|replaced| replaced.unique_id)
    }

    /// The key exchange to try first: the one in use, else the first one configured.
    pub(crate) fn first_ke(&self) -> Option<KeMethod> {
        let methods = ke_methods(&self.proposals);
        let in_use = self.replaces.and_then(|replaced| replaced.ke).filter(|ke| methods.contains(ke));
        in_use.or_else(|| methods.first().copied())
    }

    /// The proposals, in the order of their numbers.
    pub(crate) fn proposals(&self) -> &[Proposal] {
        &self.proposals
    }

    /// ESP, AH, or both in the order of the proposals.
    pub(crate) fn protocols(&self) -> Vec<Protocol> {
        let mut protocols = Vec::new();
        for proposal in &self.proposals {
            if !protocols.contains(&proposal.protocol) {
                protocols.push(proposal.protocol);
            }
        }
        protocols
    }

    /// Asks the kernel for our SPIs.
    pub(crate) fn reserve(&self, sa: &Sa, cx: Cx<'_>) -> Vec<KernelOp> {
        self.protocols().into_iter().map(|protocol| reserve_op(sa, cx, protocol)).collect()
    }

    /// What to delete if the peer believes in a child that we do not take: what its answer chose.
    pub(crate) fn chosen(&self, spis: OwnSpis, answer: &Message) -> Option<(Protocol, EspSpi)> {
        let chosen = answer.sa().and_then(<[Offer]>::first).map(|offer| offer.proposal.protocol);
        let protocol = chosen.or_else(|| self.protocols().first().copied())?;
        spis.of(protocol).map(|spi| (protocol, spi))
    }

    /// SA, TSi and TSr payloads, and the mode; nonce and KE payload stand between SA and TSi.
    pub(crate) fn payloads(&self, spis: OwnSpis, between: Vec<Payload>) -> Vec<Payload> {
        let mut payloads = Vec::new();
        if let Some(replaced) = self.replaces {
            payloads.push(Payload::Notify(Notify {
                protocol: replaced.protocol.number(),
                spi: replaced.spi_in.to_be_bytes().to_vec(),
                kind: NotifyType::REKEY_SA,
                data: Vec::new(),
            }));
        }
        payloads.extend(mode::notify(self.mode));
        let numbered = (1..=u8::MAX).zip(&self.proposals);
        payloads.push(Payload::Sa(
            numbered
                .filter_map(|(number, proposal)| {
                    let spi = spis.of(proposal.protocol)?.to_be_bytes().to_vec();
                    Some(Offer { number, spi, proposal: proposal.clone() })
                })
                .collect(),
        ));
        payloads.extend(between);
        payloads.push(Payload::TsI(self.local_ts.clone()));
        payloads.push(Payload::TsR(self.remote_ts.clone()));
        payloads
    }

    /// What the peer's answer makes of it. An error notify, or an answer that we did not allow, fails.
    pub(crate) fn accept(self, sa: &mut Sa, spis: OwnSpis, answer: &Message) -> Result<Agreed, Failure> {
        let [chosen] = answer.sa().ok_or(Misbehaviour::MissingPayload(PayloadType::SA.0))? else {
            return Err(Misbehaviour::UnofferedProposal.into());
        };
        let selected: Selected<ChildSuite> =
            accept_answer(&self.proposals, chosen).ok_or(Misbehaviour::UnofferedProposal)?;
        let protocol = selected.suite.protocol;
        let spi_in = spis.of(protocol).ok_or(Misbehaviour::UnofferedProposal)?;
        let spi_out = esp_spi(&selected.spi).ok_or(Misbehaviour::InvalidSyntax)?;
        let local_ts = answer.ts_i().ok_or(Misbehaviour::MissingPayload(PayloadType::TS_I.0))?;
        let remote_ts = answer.ts_r().ok_or(Misbehaviour::MissingPayload(PayloadType::TS_R.0))?;
        if local_ts.is_empty() || remote_ts.is_empty() {
            return Err(Incompatibility::TrafficSelectors.into());
        }
        let mode = mode::answered(sa, self.mode, answer)?;
        let (local_ts, remote_ts) = match mode {
            Mode::Transport => (
                mode::substituted(sa, local_ts, sa.path.local.ip()),
                mode::substituted(sa, remote_ts, sa.path.remote.ip()),
            ),
            _ => (local_ts.to_vec(), remote_ts.to_vec()),
        };
        if !covers(&self.local_ts, &local_ts) || !covers(&self.remote_ts, &remote_ts) {
            return Err(Misbehaviour::WiderSelectors.into());
        }
        // Whatever was offered before we had our addresses: traffic of others' is not sent.
        let local_ts = match self.replaces {
            None if !sa.assignment.local.is_empty() => {
                narrow(&sa.local_selectors(&self.config.local_ts), &local_ts)
            }
            _ => local_ts,
        };
        if local_ts.is_empty() {
            return Err(Incompatibility::TrafficSelectors.into());
        }
        let tfc_padding = padding(&self.config, answer);
        spis.release_all_but(sa, protocol);
        Ok(Agreed {
            config: self.config,
            unique_id: self.unique_id,
            token: self.token,
            suite: selected.suite,
            mode,
            spi_in,
            spi_out,
            local_ts,
            remote_ts,
            tags: self.tags,
            tfc_padding,
            replaces: self.replaces.map(|replaced| replaced.unique_id),
        })
    }
}

/// How what we send is padded, unless the peer wants none of it.
pub(super) fn padding(config: &ChildConfig, message: &Message) -> TfcPadding {
    let refused = message.has_notify(NotifyType::ESP_TFC_PADDING_NOT_SUPPORTED);
    if refused { TfcPadding::None } else { config.sa_options.tfc_padding }
}

/// Asks the kernel for an inbound SPI.
pub(super) fn reserve_op(sa: &Sa, cx: Cx<'_>, protocol: Protocol) -> KernelOp {
    let settings = cx.env.settings;
    KernelOp::AllocSpi {
        source: sa.path.remote.ip(),
        destination: sa.path.local.ip(),
        protocol,
        min: settings.spi_min,
        max: settings.spi_max,
    }
}

/// An SPI of ESP or AH: four octets, none of the reserved values (RFC 4303 §2.1).
pub(super) fn esp_spi(octets: &[u8]) -> Option<EspSpi> {
    EspSpi::from_be_bytes(octets.try_into().ok()?).filter(|spi| spi.get() > 255)
}
