//! `children.<name>`: what may flow, how it is protected, and for how long.

use std::time::Duration;

use charon_types::connection::{Action, ChildConfig};
use charon_types::kernel_op::Mode;
use charon_types::lifetime::GivenChildLifetime;
use charon_types::proposal::{Protocol, default_proposals};
use charon_types::selector::SelectorPattern;
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
    lifetime: GivenChildLifetime,
}

impl Reader {
    fn new(name: &str) -> Self {
        Self {
            // Selectors that are given add up; the default ones are no part of them.
            child: ChildConfig { local_ts: Vec::new(), remote_ts: Vec::new(), ..ChildConfig::new(name) },
            lifetime: GivenChildLifetime::default(),
        }
    }

    fn key(&mut self, key: &str, value: &[u8]) -> Result<(), Refusal> {
        let child = &mut self.child;
        let GivenChildLifetime { time, bytes, packets } = &mut self.lifetime;
        match key {
            "rekey_time" => time.rekey = Some(required(key, value::seconds(value))?),
            "life_time" => time.life = Some(required(key, value::seconds(value))?),
            "rand_time" => time.jitter = Some(required(key, value::seconds(value))?),
            "rekey_bytes" => bytes.rekey = Some(required(key, value::octets(value))?),
            "life_bytes" => bytes.life = Some(required(key, value::octets(value))?),
            "rand_bytes" => bytes.jitter = Some(required(key, value::octets(value))?),
            "rekey_packets" => packets.rekey = Some(required(key, value::unsigned64(value))?),
            "life_packets" => packets.life = Some(required(key, value::unsigned64(value))?),
            "rand_packets" => packets.jitter = Some(required(key, value::unsigned64(value))?),
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
                selectors.push(SelectorPattern::DYNAMIC);
            }
            selectors.shrink_to_fit();
        }
        shrink_proposals(&mut child.proposals);
        child.lifetime = self.lifetime.complete();
        self.child
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
