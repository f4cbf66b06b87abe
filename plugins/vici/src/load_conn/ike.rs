//! The connection itself: endpoints, proposals, behaviour and lifetimes of its IKE_SA.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use charon_types::connection::{
    AuthConfig, Childless, Connection, Fragmentation, IkeConfig, IkeVersion, SendCert, Toggle, Unique,
    VrouterBinding, VrouterLoss,
};
use charon_types::endpoint::{EndpointPattern, PORT_IKE, PORT_NAT_T};
use charon_types::lifetime::GivenIkeLifetime;
use charon_types::proposal::{Proposal, Protocol, TransformType, default_proposals};
use vici::{List, Section, Value};

use super::auth::{self, Round};
use super::refusal::{Refusal, only, required};
use super::{Environment, Parsed, child, value};

pub(super) fn parse(
    name: &str,
    section: Section<'_>,
    environment: &Environment<'_>,
) -> Result<Parsed, Refusal> {
    let mut reader = Reader::new();
    for (key, value) in section {
        let key = key.as_str();
        match value {
            Value::Data(value) => reader.key(key, value)?,
            Value::List(items) => reader.list(key, items, environment)?,
            Value::Section(section) => reader.section(key, section, environment)?,
        }
    }
    reader.finish(name, environment)
}

/// Adds to a list that is to have no room to spare, most often all that will be in it. Lists that grow and are cut leave holes of
/// all sizes in the heap.
pub(super) fn append<T>(list: &mut Vec<T>, more: Vec<T>) {
    if list.is_empty() {
        *list = more;
    } else {
        list.reserve_exact(more.len());
        list.extend(more);
    }
}

/// There may be very many connections, and they are kept for long: lists that grew have room to spare.
fn give_back_room(connection: &mut Connection) {
    connection.ike.local_addrs.shrink_to_fit();
    connection.ike.remote_addrs.shrink_to_fit();
    shrink_proposals(&mut connection.ike.proposals);
    connection.children.shrink_to_fit();
    for rounds in [&mut connection.local, &mut connection.remote] {
        rounds.shrink_to_fit();
    }
}

pub(super) fn shrink_proposals(proposals: &mut Vec<Proposal>) {
    proposals.iter_mut().for_each(|proposal| proposal.transforms.shrink_to_fit());
    proposals.shrink_to_fit();
}

/// A connection while its keys come in.
struct Reader {
    ike: IkeConfig,
    lifetime: GivenIkeLifetime,
    local: Vec<Round>,
    remote: Vec<Round>,
    children: Vec<Arc<charon_types::connection::ChildConfig>>,
    warnings: Vec<&'static str>,
    vrouter: Option<Arc<str>>,
    vrouter_loss: VrouterLoss,
}

impl Reader {
    fn new() -> Self {
        Self {
            ike: IkeConfig::default(),
            lifetime: GivenIkeLifetime::default(),
            local: Vec::new(),
            remote: Vec::new(),
            children: Vec::new(),
            warnings: Vec::new(),
            vrouter: None,
            vrouter_loss: VrouterLoss::default(),
        }
    }

    fn key(&mut self, key: &str, value: &[u8]) -> Result<(), Refusal> {
        let ike = &mut self.ike;
        match key {
            "version" => ike.version = version(key, value)?,
            "local_port" => {
                let port = required(key, value::port(value))?;
                // That of NAT traversal has a socket as well.
                if port != PORT_NAT_T {
                    only(key, Some(port), &PORT_IKE, "sockets at further ports are not built")?;
                }
                ike.local_port = port;
            }
            "remote_port" => ike.remote_port = required(key, value::port(value))?,
            "encap" => ike.encap = toggle(key, value)?,
            "mobike" => ike.mobike = toggle(key, value)?,
            "send_certreq" => ike.send_certreq = toggle(key, value)?,
            "dpd_delay" => ike.dpd_delay = required(key, value::time(value))?,
            "dpd_timeout" => ike.dpd_timeout = required(key, value::time(value))?,
            "keyingtries" => ike.keyingtries = required(key, value::unsigned(value))?,
            "fragmentation" => {
                ike.fragmentation = word(
                    key,
                    value,
                    &[
                        ("yes", Fragmentation::Yes),
                        ("accept", Fragmentation::Accept),
                        ("force", Fragmentation::Force),
                        ("no", Fragmentation::No),
                    ],
                )?;
            }
            "childless" => {
                ike.childless = word(
                    key,
                    value,
                    &[
                        ("allow", Childless::Allow),
                        ("prefer", Childless::Prefer),
                        ("force", Childless::Force),
                        ("never", Childless::Never),
                    ],
                )?;
            }
            "send_cert" => {
                ike.send_cert = word(
                    key,
                    value,
                    &[
                        ("always", SendCert::Always),
                        ("ifasked", SendCert::IfAsked),
                        ("never", SendCert::Never),
                    ],
                )?;
            }
            "unique" => {
                ike.unique = word(
                    key,
                    value,
                    &[
                        ("never", Unique::Never),
                        ("no", Unique::No),
                        ("keep", Unique::Keep),
                        ("replace", Unique::Replace),
                    ],
                )?;
            }
            "vrouter" => {
                let name = required(key, value::text(value).filter(|name| !name.is_empty()))?;
                self.vrouter = Some(name.into());
            }
            "vrouter_loss" => {
                self.vrouter_loss =
                    word(key, value, &[("close", VrouterLoss::Close), ("keep", VrouterLoss::Keep)])?;
            }
            "reauth_time" => self.lifetime.reauth_time = Some(required(key, value::time(value))?),
            "rekey_time" => self.lifetime.rekey_time = Some(required(key, value::time(value))?),
            "over_time" => self.lifetime.over_time = Some(required(key, value::time(value))?),
            "rand_time" => self.lifetime.rand_time = Some(required(key, value::time(value))?),
            "aggressive" => only(key, value::boolean(value), &false, "IKEv1 is not built")?,
            "pull" => only(key, value::boolean(value), &true, "IKEv1 is not built")?,
            "dscp" => only(key, dscp(value), &0, "marking IKE packets is not built")?,
            "ocsp" => {
                let modes =
                    [("reply", "reply"), ("never", "never"), ("request", "request"), ("both", "both")];
                only(key, Some(word(key, value, &modes)?), &"reply", "OCSP is not built")?;
            }
            "ppk_id" => only(key, value::text(value), &"", "postquantum pre-shared keys are not built")?,
            "ppk_required" => {
                only(key, value::boolean(value), &false, "postquantum pre-shared keys are not built")?;
            }
            "if_id_in" => ike.if_id_in = required(key, value::interface_id(value))?,
            "if_id_out" => ike.if_id_out = required(key, value::interface_id(value))?,
            _ => return Err(Refusal::unknown(key)),
        }
        Ok(())
    }

    fn list(&mut self, key: &str, items: List<'_>, environment: &Environment<'_>) -> Result<(), Refusal> {
        match key {
            "local_addrs" => addresses(key, items, &mut self.ike.local_addrs),
            "remote_addrs" => addresses(key, items, &mut self.ike.remote_addrs),
            "proposals" => {
                append(&mut self.ike.proposals, proposals(key, Protocol::Ike, items, environment)?);
                Ok(())
            }
            "vips" => {
                for item in items.iter() {
                    self.ike.vips.push(required(key, value::text(item).and_then(virtual_ip))?);
                }
                Ok(())
            }
            "pools" => {
                for item in items.iter() {
                    self.ike.pools.push(required(key, value::text(item))?.into());
                }
                Ok(())
            }
            _ => Err(Refusal::unknown(key)),
        }
    }

    fn section(
        &mut self,
        name: &str,
        section: Section<'_>,
        environment: &Environment<'_>,
    ) -> Result<(), Refusal> {
        let lower = name.to_ascii_lowercase();
        if lower == "children" {
            for (name, value) in section {
                let Value::Section(section) = value else { return Err(Refusal::unknown(name.as_str())) };
                let child = Arc::new(child::parse(name.as_str(), section, environment)?);
                // A child given twice is the last one, in the place of the first.
                match self.children.iter_mut().find(|old| old.name == child.name) {
                    Some(old) => *old = child,
                    None => append(&mut self.children, vec![child]),
                }
            }
        } else if lower.starts_with("local") {
            let round = self.round(section, environment)?;
            append(&mut self.local, vec![round]);
        } else if lower.starts_with("remote") {
            let round = self.round(section, environment)?;
            append(&mut self.remote, vec![round]);
        } else {
            return Err(Refusal::InvalidSection(name.to_owned()));
        }
        Ok(())
    }

    fn round(&mut self, section: Section<'_>, environment: &Environment<'_>) -> Result<Round, Refusal> {
        let round = auth::parse(section, environment)?;
        self.warnings.extend(round.warning());
        Ok(round)
    }

    fn finish(mut self, name: &str, environment: &Environment<'_>) -> Result<Parsed, Refusal> {
        if self.ike.proposals.is_empty() {
            self.ike.proposals = default_proposals(Protocol::Ike, environment.available);
        }
        self.ike.lifetime = self.lifetime.complete();
        self.warnings.dedup();
        let mut connection = Connection {
            name: name.into(),
            ike: self.ike,
            local: in_rounds("local", self.local)?,
            remote: in_rounds("remote", self.remote)?,
            children: self.children,
            vrouter: self.vrouter.map(|name| VrouterBinding { name, on_loss: self.vrouter_loss }),
        };
        give_back_room(&mut connection);
        Ok(Parsed { connection, warnings: self.warnings })
    }
}

/// Rounds by their numbers; those of equal number stay in their order.
fn in_rounds(side: &str, mut rounds: Vec<Round>) -> Result<Vec<AuthConfig>, Refusal> {
    rounds.sort_by_key(|round| round.number);
    if rounds.len() > 1 {
        return Err(Refusal::unsupported(side, "several rounds of authentication are not built"));
    }
    let configs: Vec<_> = rounds.into_iter().map(|round| round.config).collect();
    Ok(if configs.is_empty() { vec![AuthConfig::default()] } else { configs })
}

fn version(key: &str, value: &[u8]) -> Result<IkeVersion, Refusal> {
    match required(key, value::unsigned(value))? {
        0 => Ok(IkeVersion::Any),
        1 => Err(Refusal::unsupported(key, "IKEv1 is not built")),
        2 => Ok(IkeVersion::V2),
        _ => Err(Refusal::invalid(key)),
    }
}

/// Six binary digits.
fn dscp(value: &[u8]) -> Option<u8> {
    u8::from_str_radix(value::text(value)?, 2).ok().map(|dscp| dscp & 0x3f)
}

/// An address to ask for; unspecified: any of its family.
fn virtual_ip(text: &str) -> Option<IpAddr> {
    match text {
        "%any" | "%any4" => Some(Ipv4Addr::UNSPECIFIED.into()),
        "%any6" => Some(Ipv6Addr::UNSPECIFIED.into()),
        text => text.parse().ok(),
    }
}

fn addresses(key: &str, items: List<'_>, patterns: &mut Vec<EndpointPattern>) -> Result<(), Refusal> {
    patterns.reserve_exact(items.iter().count());
    for item in items.iter() {
        patterns.push(EndpointPattern::parse(required(key, value::text(item))?));
    }
    Ok(())
}

/// A list of proposals. What cannot be computed here must not be offered to a peer.
pub(super) fn proposals(
    key: &str,
    protocol: Protocol,
    items: List<'_>,
    environment: &Environment<'_>,
) -> Result<Vec<Proposal>, Refusal> {
    let items = items.iter().map(value::text).collect::<Option<Vec<_>>>();
    let proposals = Proposal::parse_list(protocol, required(key, items)?, environment.available).ok();
    let proposals = required(key, proposals)?;
    if proposals.iter().any(|proposal| proposal.additional_kes().next().is_some()) {
        return Err(Refusal::unsupported(key, "additional key exchanges are not built"));
    }
    if proposals.iter().any(|proposal| !is_available(proposal, environment)) {
        return Err(Refusal::unsupported(key, "an algorithm in it is provided by no plugin"));
    }
    // Copies have no room to spare.
    Ok(Vec::from(proposals.as_slice()))
}

fn is_available(proposal: &Proposal, environment: &Environment<'_>) -> bool {
    let available = environment.available;
    proposal.transforms.iter().all(|transform| match transform.kind {
        TransformType::ENCRYPTION => available.encryption.iter().any(|(id, bits)| {
            id.0 == transform.id && transform.key_bits.is_none_or(|wanted| wanted == *bits)
        }),
        TransformType::INTEGRITY => available.integrity.iter().any(|id| id.0 == transform.id),
        TransformType::PRF => available.prf.iter().any(|id| id.0 == transform.id),
        TransformType::KE => transform.id == 0 || available.ke.iter().any(|id| id.0 == transform.id),
        _ => true,
    })
}

pub(super) fn toggle(key: &str, value: &[u8]) -> Result<Toggle, Refusal> {
    required(key, value::boolean(value)).map(Toggle::from)
}

/// One of several words.
pub(super) fn word<T: Copy>(key: &str, value: &[u8], words: &[(&str, T)]) -> Result<T, Refusal> {
    let given = required(key, value::text(value))?;
    let meaning =
        words.iter().find(|(word, _)| given.eq_ignore_ascii_case(word)).map(|(_, meaning)| *meaning);
    required(key, meaning)
}
