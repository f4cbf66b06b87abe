//! `charon.*` settings that concern IKE, from text to values. Defaults are those of the option table.

mod attributes;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use charon_conf::ValueError;
use charon_conf::options::Configured;
use charon_core::plugin::{SettingsHandle, daemon_settings};
use charon_types::config_attribute::ConfigAttribute;
use charon_types::connection::Toggle;
use ikev2_proto::Settings;
use ikev2_proto::admission::AdmissionLimits;
use ikev2_proto::env::Retransmission;
use tracing::error;

use crate::name_servers::Resolver;
use crate::socket::SocketConfig;

/// Size of a fragment's packet over IPv4 where the settings leave it to us: what every host must be able to take (RFC 791).
const FRAGMENT_SIZE_IPV4: u16 = 576;
/// The same over IPv6 (RFC 8200 §5).
const FRAGMENT_SIZE_IPV6: u16 = 1280;

/// What may change while the daemon runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// Of IKE_SAs. SPI range and ports stay what they were at start.
    pub(crate) ike: Settings,
    /// Flood protection.
    pub(crate) limits: AdmissionLimits,
    /// IKE_SAs from which on no further one is let in; `None` for no limit.
    pub(crate) ike_sas_max: Option<NonZeroU32>,
    /// Whether requests of others to open an IKE_SA are ignored.
    pub(crate) initiator_only: Toggle,
    /// Whether the packet that asks for a child is kept out of its negotiation.
    pub(crate) ignore_acquire_ts: Toggle,
    /// Whether changes of addresses and routes make IKE_SAs look for other paths.
    pub(crate) roam_events: Toggle,
    /// Whether the IKE_SA of an only child goes with it when that was idle.
    pub(crate) inactivity_close_ike: Toggle,
    /// Until the name of a peer is looked up again after that failed; zero for never.
    pub(crate) retry_initiate_interval: Duration,
    /// Whether virtual addresses are put on an interface.
    pub(crate) install_virtual_ip: Toggle,
    /// Which interface that is; `None`: the outbound one.
    pub(crate) install_virtual_ip_on: Option<String>,
    /// Handed to every client that gets a virtual address.
    pub(crate) attributes: Vec<ConfigAttribute>,
    /// Where name servers of gateways are written to.
    pub(crate) resolver: Resolver,
}

/// [`Options`] as of now: read anew after the settings were.
pub(crate) struct LiveOptions {
    settings: SettingsHandle,
    ports: (u16, u16),
    current: ArcSwap<Reading>,
}

/// Options, and what they were read from.
struct Reading {
    from: Arc<charon_conf::Settings>,
    options: Arc<Options>,
}

impl LiveOptions {
    /// Reads the options; `ports` are those that the sockets got.
    ///
    /// # Errors
    /// As [`Options::read`].
    pub(crate) fn new(settings: SettingsHandle, ports: (u16, u16)) -> Result<Self, ValueError> {
        let from = settings.current();
        let options = Arc::new(Options::read(&daemon_settings(&from), ports)?);
        Ok(Self { settings, ports, current: ArcSwap::from_pointee(Reading { from, options }) })
    }

    /// The options. Without a lock; settings with a fault leave them as they are.
    pub(crate) fn current(&self) -> Arc<Options> {
        let held = self.current.load();
        let from = self.settings.current();
        if Arc::ptr_eq(&held.from, &from) {
            return Arc::clone(&held.options);
        }
        let options = match Options::read(&daemon_settings(&from), self.ports) {
            Ok(options) => Arc::new(options),
            Err(fault) => {
                error!(target: "CFG", "{fault}");
                Arc::clone(&held.options)
            }
        };
        self.current.store(Arc::new(Reading { from, options: Arc::clone(&options) }));
        options
    }
}

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// A value that cannot be used, with file, line and key.
    pub(crate) fn read(daemon: &Configured<'_>, ports: (u16, u16)) -> Result<Self, ValueError> {
        Ok(Self {
            ike: ike_settings(daemon, ports)?,
            limits: admission_limits(daemon)?,
            ike_sas_max: NonZeroU32::new(daemon.int("ikesa_limit")?),
            initiator_only: toggle(daemon, "initiator_only")?,
            ignore_acquire_ts: toggle(daemon, "ignore_acquire_ts")?,
            roam_events: toggle(daemon, "plugins.kernel-netlink.roam_events")?,
            inactivity_close_ike: toggle(daemon, "inactivity_close_ike")?,
            retry_initiate_interval: daemon.time("retry_initiate_interval")?,
            install_virtual_ip: toggle(daemon, "install_virtual_ip")?,
            install_virtual_ip_on: daemon
                .text("install_virtual_ip_on")?
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
            attributes: attributes::read(daemon)?,
            resolver: resolver(daemon)?,
        })
    }
}

/// What the sockets are opened with.
pub(crate) fn socket_config(daemon: &Configured<'_>) -> Result<SocketConfig, ValueError> {
    Ok(SocketConfig {
        port: daemon.int("port")?,
        port_nat_t: daemon.int("port_nat_t")?,
        fwmark: daemon.mark("plugins.socket-default.fwmark")?.map_or(0, |mark| mark.value),
        ipv4: toggle(daemon, "plugins.socket-default.use_ipv4")?,
        ipv6: toggle(daemon, "plugins.socket-default.use_ipv6")?,
    })
}

/// First automatic reqid.
pub(crate) fn reqid_base(daemon: &Configured<'_>) -> Result<NonZeroU32, ValueError> {
    Ok(NonZeroU32::new(daemon.int("reqid_base")?).expect("the table begins at 1"))
}

/// Whether some interfaces are not to be used.
pub(crate) fn restricts_interfaces(daemon: &Configured<'_>) -> Result<bool, ValueError> {
    Ok(!daemon.list("interfaces_use")?.is_empty() || !daemon.list("interfaces_ignore")?.is_empty())
}

fn ike_settings(daemon: &Configured<'_>, ports: (u16, u16)) -> Result<Settings, ValueError> {
    let toggle = |path| toggle(daemon, path);
    Ok(Settings {
        retransmission: Retransmission {
            timeout: seconds(daemon.float("retransmit_timeout")?),
            base: daemon.float("retransmit_base")?,
            tries: daemon.int("retransmit_tries")?,
            jitter_percent: daemon.int("retransmit_jitter")?,
            limit: daemon.time("retransmit_limit")?,
        },
        half_open_timeout: daemon.time("half_open_timeout")?,
        keep_alive: daemon.time("keep_alive")?,
        fragment_size_v4: fragment_size(daemon, "fragment_size_v4", FRAGMENT_SIZE_IPV4)?,
        fragment_size_v6: fragment_size(daemon, "fragment_size_v6", FRAGMENT_SIZE_IPV6)?,
        packet_len_max: usize::try_from(daemon.bytes("max_packet")?).unwrap_or(usize::MAX),
        port: ports.0,
        port_nat_t: ports.1,
        spi_min: daemon.int("spi_min")?,
        spi_max: daemon.int("spi_max")?,
        replay_window: daemon.int("replay_window")?,
        prefer_configured_proposals: toggle("prefer_configured_proposals")?,
        signature_authentication: toggle("signature_authentication")?,
        chain_constraints_bind: toggle("signature_authentication_constraints")?,
        rsa_pss: toggle("rsa_pss")?,
        close_ike_on_child_failure: toggle("close_ike_on_child_failure")?,
        make_before_break: toggle("make_before_break")?,
        reuse_ikesa: toggle("reuse_ikesa")?,
        send_vendor_id: toggle("send_vendor_id")?,
        delete_rekeyed_delay: daemon.time("delete_rekeyed_delay")?,
    })
}

fn resolver(daemon: &Configured<'_>) -> Result<Resolver, ValueError> {
    let path = |key| daemon.text(key).map(|text| text.map(PathBuf::from));
    Ok(Resolver {
        file: path("plugins.resolve.file")?,
        program: path("plugins.resolve.resolvconf.path")?,
        interface: daemon.text("plugins.resolve.resolvconf.iface")?.unwrap_or_default().to_owned(),
    })
}

/// Limits of flood protection; those that `dos_protection` stands for are off without it.
fn admission_limits(daemon: &Configured<'_>) -> Result<AdmissionLimits, ValueError> {
    let protected = daemon.bool("dos_protection")?;
    let limit = |path| if protected { daemon.int(path) } else { Ok(0) };
    Ok(AdmissionLimits {
        cookie_threshold: limit("cookie_threshold")?,
        cookie_threshold_ip: limit("cookie_threshold_ip")?,
        block_threshold: limit("block_threshold")?,
        init_limit_half_open: daemon.int("init_limit_half_open")?,
    })
}

fn toggle(daemon: &Configured<'_>, path: &str) -> Result<Toggle, ValueError> {
    daemon.bool(path).map(Toggle::from)
}

/// A size of its family, else that of all, else our own.
fn fragment_size(daemon: &Configured<'_>, path: &str, own: u16) -> Result<u16, ValueError> {
    let size = match daemon.int_if_set(path)? {
        Some(size) => size,
        None => daemon.int("fragment_size")?,
    };
    Ok(if size == 0 { own } else { size })
}

/// Seconds; more than fits is for ever.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use charon_conf::Settings as Stored;

    use super::*;

    fn handle(text: &str) -> SettingsHandle {
        SettingsHandle::new(Stored::parse("s.conf", text.as_bytes()).unwrap())
    }

    fn options(text: &str) -> Result<Arc<Options>, String> {
        let live = LiveOptions::new(handle(text), (500, 4500)).map_err(|error| error.to_string())?;
        Ok(live.current())
    }

    #[test]
    fn the_table_and_the_protocol_agree_on_the_defaults() {
        let options = options("").unwrap();
        assert_eq!(options.ike, Settings::default());
        assert_eq!(options.limits, AdmissionLimits::default());
        assert_eq!((options.ike_sas_max, options.initiator_only), (None, Toggle::Disabled));
    }

    #[test]
    fn what_is_set_arrives() {
        let options = options(
            "charon {\n retransmit_timeout = 0.5\n retransmit_limit = 1m\n fragment_size = 0\n fragment_size_v6 = 1400
             ikesa_limit = 7\n initiator_only = yes\n dos_protection = no\n init_limit_half_open = 9\n max_packet = 20k }",
        )
        .unwrap();
        let Options { ike, limits, .. } = &*options;
        assert_eq!(ike.retransmission.timeout, Duration::from_millis(500));
        assert_eq!(ike.retransmission.limit, Duration::from_secs(60));
        assert_eq!((ike.fragment_size_v4, ike.fragment_size_v6), (576, 1400));
        assert_eq!(ike.packet_len_max, 20 << 10);
        assert_eq!(options.ike_sas_max, NonZeroU32::new(7));
        assert!(options.initiator_only.is_enabled());
        let all_but_one_off = AdmissionLimits {
            cookie_threshold: 0,
            cookie_threshold_ip: 0,
            block_threshold: 0,
            init_limit_half_open: 9,
        };
        assert_eq!(*limits, all_but_one_off);
    }

    #[test]
    fn a_fault_names_file_line_and_key() {
        let fault = options("charon {\n retransmit_timeout = 4s\n}").unwrap_err();
        assert_eq!(fault, "s.conf:2: charon.retransmit_timeout: '4s' is not a number");
    }

    #[test]
    fn settings_read_anew_are_in_effect_at_the_next_use() {
        let settings = handle("charon { keep_alive = 5 }");
        let live = LiveOptions::new(settings.clone(), (500, 4500)).unwrap();
        assert_eq!(live.current().ike.keep_alive, Duration::from_secs(5));
        settings.replace(Stored::parse("s.conf", b"charon { keep_alive = 7 }").unwrap());
        assert_eq!(live.current().ike.keep_alive, Duration::from_secs(7));
        settings.replace(Stored::parse("s.conf", b"charon { keep_alive = often }").unwrap());
        assert_eq!(live.current().ike.keep_alive, Duration::from_secs(7), "a fault changes nothing");
    }
}
