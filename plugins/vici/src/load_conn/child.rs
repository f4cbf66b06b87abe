//! `children.<name>`: what may flow, how it is protected, and for how long.

use std::time::Duration;

use charon_types::connection::{Action, ChildConfig, Toggle};
use charon_types::kernel_op::{Mode, SaOptions};
use charon_types::lifetime::{ChildLifetime, Limit};
use charon_types::proposal::{Protocol, default_proposals};
use charon_types::selector::SelectorPattern;
use charon_types::tag::{SetMark, TagRules};
use vici::{List, Section, Value};

use super::ike::{append, proposals, shrink_proposals, toggle, word};
use super::refusal::{Refusal, only, required};
use super::{Environment, sa_options, value};

pub(super) fn parse(
    name: &str,
    section: Section<'_>,
    environment: &Environment<'_>,
) -> Result<ChildConfig, Refusal> {
    let mut reader = Reader::new(name);
    for (key, value) in section {
        let key = key.as_str();
        match value {
            Value::Data(value) => reader.key(key, value)?,
            Value::List(items) => reader.list(key, items, environment)?,
            Value::Section(_) => return Err(Refusal::InvalidSection(key.to_owned())),
        }
    }
    Ok(reader.finish(environment))
}

/// A child while its keys come in.
struct Reader {
    child: ChildConfig,
    time: Given,
    bytes: Given,
    packets: Given,
}

/// A limit as given, before defaults.
#[derive(Default)]
struct Given {
    rekey: Option<u64>,
    life: Option<u64>,
    jitter: Option<u64>,
}

impl Reader {
    fn new(name: &str) -> Self {
        Self {
            child: ChildConfig {
                name: name.into(),
                proposals: Vec::new(),
                local_ts: Vec::new(),
                remote_ts: Vec::new(),
                mode: Mode::Tunnel,
                lifetime: ChildLifetime::default(),
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
                updown: None,
                hostaccess: Toggle::Disabled,
                sa_options: SaOptions::default(),
                set_mark_in: SetMark::default(),
                set_mark_out: SetMark::default(),
                sha256_96: Toggle::Disabled,
                policies_fwd_out: Toggle::Disabled,
            },
            time: Given::default(),
            bytes: Given::default(),
            packets: Given::default(),
        }
    }

    fn key(&mut self, key: &str, value: &[u8]) -> Result<(), Refusal> {
        let child = &mut self.child;
        match key {
            "rekey_time" => self.time.rekey = Some(required(key, value::seconds(value))?),
            "life_time" => self.time.life = Some(required(key, value::seconds(value))?),
            "rand_time" => self.time.jitter = Some(required(key, value::seconds(value))?),
            "rekey_bytes" => self.bytes.rekey = Some(required(key, value::octets(value))?),
            "life_bytes" => self.bytes.life = Some(required(key, value::octets(value))?),
            "rand_bytes" => self.bytes.jitter = Some(required(key, value::octets(value))?),
            "rekey_packets" => self.packets.rekey = Some(required(key, value::unsigned64(value))?),
            "life_packets" => self.packets.life = Some(required(key, value::unsigned64(value))?),
            "rand_packets" => self.packets.jitter = Some(required(key, value::unsigned64(value))?),
            "mode" => child.mode = mode(key, value)?,
            "start_action" => child.start_action = action(key, value)?,
            "close_action" => child.close_action = action(key, value)?,
            "dpd_action" => child.dpd_action = action(key, value)?,
            "inactivity" => child.inactivity = Duration::from_secs(required(key, value::seconds(value))?),
            "replay_window" => child.replay_window = Some(required(key, value::unsigned(value))?),
            "policies" => child.policies = toggle(key, value)?,
            "policies_fwd_out" => child.policies_fwd_out = toggle(key, value)?,
            "sha256_96" => child.sha256_96 = toggle(key, value)?,
            "reqid" => child.reqid = required(key, value::unsigned(value))?,
            "priority" => child.priority = required(key, value::unsigned(value))?,
            "interface" => child.interface = name(key, value)?,
            "updown" => child.updown = name(key, value)?.map(Into::into),
            "hostaccess" => child.hostaccess = toggle(key, value)?,
            _ if sa_options::is_one(key) => sa_options::read(child, key, value)?,
            _ => return unbuilt(key, value),
        }
        Ok(())
    }

    fn list(&mut self, key: &str, items: List<'_>, environment: &Environment<'_>) -> Result<(), Refusal> {
        match key {
            "esp_proposals" => {
                append(&mut self.child.proposals, proposals(key, Protocol::Esp, items, environment)?);
                Ok(())
            }
            "ah_proposals" => {
                append(&mut self.child.proposals, proposals(key, Protocol::Ah, items, environment)?);
                Ok(())
            }
            "local_ts" => selectors(key, items, environment, &mut self.child.local_ts),
            "remote_ts" => selectors(key, items, environment, &mut self.child.remote_ts),
            _ => Err(Refusal::unknown(key)),
        }
    }

    fn finish(mut self, environment: &Environment<'_>) -> ChildConfig {
        let child = &mut self.child;
        if child.proposals.is_empty() {
            child.proposals = default_proposals(Protocol::Esp, environment.available);
        }
        for selectors in [&mut child.local_ts, &mut child.remote_ts] {
            if selectors.is_empty() {
                selectors.push(SelectorPattern::Dynamic { protocol: 0, port_start: 0, port_end: u16::MAX });
            }
            selectors.shrink_to_fit();
        }
        shrink_proposals(&mut child.proposals);
        child.lifetime = ChildLifetime {
            time: self.time.complete(REKEY_SECONDS),
            bytes: self.bytes.complete(0),
            packets: self.packets.complete(0),
        };
        self.child
    }
}

impl Given {
    /// A hard limit a tenth above the soft one, and as much taken off it at random.
    fn complete(&self, default: u64) -> Limit {
        let rekey = self.rekey.unwrap_or(default);
        let life = self.life.unwrap_or_else(|| rekey.saturating_add(rekey / 10));
        let jitter = self.jitter.unwrap_or_else(|| life.saturating_sub(rekey)).min(rekey);
        Limit { rekey, life, jitter }
    }
}

/// Keys whose effect is not built: only the value without effect is taken.
fn unbuilt(key: &str, value: &[u8]) -> Result<(), Refusal> {
    match key {
        "ipcomp" => only(key, value::boolean(value), &false, "IPComp is not built"),
        "label" => only(key, value::text(value), &"", "security labels are not built"),
        "label_mode" => {
            let modes = [("system", "system"), ("simple", "simple"), ("selinux", "selinux")];
            only(key, Some(word(key, value, &modes)?), &"system", "security labels are not built")
        }
        "per_cpu_sas" => {
            let wanted = if value == b"encap" { Some(true) } else { value::boolean(value) };
            only(key, wanted, &false, "SAs per CPU are not built")
        }
        "icmp" => only(key, value::boolean(value), &false, "forwarding ICMP errors is not built"),
        _ => Err(Refusal::unknown(key)),
    }
}

fn mode(key: &str, value: &[u8]) -> Result<Mode, Refusal> {
    let mode = word(
        key,
        value,
        &[
            ("tunnel", Ok(Mode::Tunnel)),
            ("transport", Ok(Mode::Transport)),
            ("transport_proxy", Err("proxy transport mode is not built")),
            ("beet", Ok(Mode::Beet)),
            ("iptfs", Err("IP-TFS is not built")),
            ("pass", Ok(Mode::Pass)),
            ("drop", Ok(Mode::Drop)),
        ],
    )?;
    mode.map_err(|reason| Refusal::unsupported(key, reason))
}

/// Text, of which none is nothing.
fn name(key: &str, value: &[u8]) -> Result<Option<String>, Refusal> {
    Ok(Some(required(key, value::text(value))?).filter(|text| !text.is_empty()).map(str::to_owned))
}

fn action(key: &str, value: &[u8]) -> Result<Action, Refusal> {
    required(key, value::action(value))
}

fn selectors(
    key: &str,
    items: List<'_>,
    environment: &Environment<'_>,
    selectors: &mut Vec<SelectorPattern>,
) -> Result<(), Refusal> {
    selectors.reserve_exact(items.iter().count());
    for item in items.iter() {
        let text = required(key, value::text(item))?;
        selectors.push(required(key, SelectorPattern::parse(text, environment.names).ok())?);
    }
    Ok(())
}

/// Rekeying of a CHILD_SA unless anything is configured, in seconds.
const REKEY_SECONDS: u64 = 3600;
