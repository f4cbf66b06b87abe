//! `charon.*` settings that concern IKE, from text to values.

use std::num::NonZeroU32;
use std::time::Duration;

use charon_conf::View;
use charon_types::connection::Toggle;
use charon_types::endpoint::{PORT_IKE, PORT_NAT_T};
use ikev2_proto::Settings;
use ikev2_proto::admission::AdmissionLimits;
use ikev2_proto::env::Retransmission;

use crate::socket::SocketConfig;

/// Largest jitter of retransmissions, percent.
const JITTER_MAX: u8 = 20;

/// Reads one kind of value under its default; errors name file, line and key.
struct Reader<'v, 'a>(&'v View<'a>);

impl Reader<'_, '_> {
    fn int<T: TryFrom<i128>>(&self, key: &str, default: T) -> Result<T, String> {
        Ok(self.0.int(key).map_err(|error| error.to_string())?.unwrap_or(default))
    }

    fn toggle(&self, key: &str, default: Toggle) -> Result<Toggle, String> {
        Ok(self.0.bool(key).map_err(|error| error.to_string())?.map_or(default, Toggle::from))
    }

    fn time(&self, key: &str, default: Duration) -> Result<Duration, String> {
        Ok(self.0.time(key).map_err(|error| error.to_string())?.unwrap_or(default))
    }

    fn float(&self, key: &str, default: f64) -> Result<f64, String> {
        Ok(self.0.float(key).map_err(|error| error.to_string())?.unwrap_or(default))
    }

    fn seconds(&self, key: &str, default: Duration) -> Result<Duration, String> {
        let seconds = self.float(key, default.as_secs_f64())?;
        Duration::try_from_secs_f64(seconds).map_err(|_| format!("{key}: {seconds} is not a time in seconds"))
    }
}

/// What the sockets are opened with.
pub(crate) fn socket_config(daemon: &View<'_>) -> Result<SocketConfig, String> {
    let read = Reader(daemon);
    let fwmark = daemon.text("plugins.socket-default.fwmark").map_err(|error| error.to_string())?;
    Ok(SocketConfig {
        port: read.int("port", PORT_IKE)?,
        port_nat_t: read.int("port_nat_t", PORT_NAT_T)?,
        fwmark: fwmark.map_or(Ok(0), mark)?,
        ipv4: read.toggle("plugins.socket-default.use_ipv4", Toggle::Enabled)?,
        ipv6: read.toggle("plugins.socket-default.use_ipv6", Toggle::Enabled)?,
    })
}

/// The value of `[!]mark[/mask]`, which is what sockets set.
fn mark(text: &str) -> Result<u32, String> {
    let value = text.trim_start_matches('!').split('/').next().unwrap_or_default().trim();
    let parsed = match value.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => value.parse(),
    };
    parsed.map_err(|_| format!("plugins.socket-default.fwmark: '{text}' is not a mark"))
}

/// Settings of IKE_SAs; `ports` are those that the sockets got.
pub(crate) fn ike_settings(daemon: &View<'_>, ports: (u16, u16)) -> Result<Settings, String> {
    let read = Reader(daemon);
    let default = Settings::default();
    let retransmission = Retransmission {
        timeout: read.seconds("retransmit_timeout", default.retransmission.timeout)?,
        base: read.float("retransmit_base", default.retransmission.base)?,
        tries: read.int("retransmit_tries", default.retransmission.tries)?,
        jitter_percent: read.int("retransmit_jitter", default.retransmission.jitter_percent)?.min(JITTER_MAX),
        limit: read.seconds("retransmit_limit", default.retransmission.limit)?,
    };
    let fragment_size = read.int("fragment_size", default.fragment_size_v4)?;
    Ok(Settings {
        retransmission,
        half_open_timeout: read.time("half_open_timeout", default.half_open_timeout)?,
        delete_rekeyed_delay: read.time("delete_rekeyed_delay", default.delete_rekeyed_delay)?,
        keep_alive: read.time("keep_alive", default.keep_alive)?,
        fragment_size_v4: read.int("fragment_size_v4", fragment_size)?,
        fragment_size_v6: read.int("fragment_size_v6", fragment_size)?,
        packet_len_max: read.int("max_packet", default.packet_len_max)?,
        port: ports.0,
        port_nat_t: ports.1,
        spi_min: read.int("spi_min", default.spi_min)?,
        spi_max: read.int("spi_max", default.spi_max)?,
        replay_window: read.int("replay_window", default.replay_window)?,
        prefer_configured_proposals: read
            .toggle("prefer_configured_proposals", default.prefer_configured_proposals)?,
        signature_authentication: read
            .toggle("signature_authentication", default.signature_authentication)?,
        rsa_pss: read.toggle("rsa_pss", default.rsa_pss)?,
        close_ike_on_child_failure: read
            .toggle("close_ike_on_child_failure", default.close_ike_on_child_failure)?,
        reuse_ikesa: read.toggle("reuse_ikesa", default.reuse_ikesa)?,
    })
}

/// Limits of flood protection; all off without `dos_protection`.
pub(crate) fn admission_limits(daemon: &View<'_>) -> Result<AdmissionLimits, String> {
    let read = Reader(daemon);
    let default = AdmissionLimits::default();
    let init_limit_half_open = read.int("init_limit_half_open", default.init_limit_half_open)?;
    if !read.toggle("dos_protection", Toggle::Enabled)?.is_enabled() {
        return Ok(AdmissionLimits {
            cookie_threshold: 0,
            cookie_threshold_ip: 0,
            block_threshold: 0,
            init_limit_half_open,
        });
    }
    Ok(AdmissionLimits {
        cookie_threshold: read.int("cookie_threshold", default.cookie_threshold)?,
        cookie_threshold_ip: read.int("cookie_threshold_ip", default.cookie_threshold_ip)?,
        block_threshold: read.int("block_threshold", default.block_threshold)?,
        init_limit_half_open,
    })
}

/// First automatic reqid.
pub(crate) fn reqid_base(daemon: &View<'_>) -> Result<NonZeroU32, String> {
    let base = Reader(daemon).int("reqid_base", 1_u32)?;
    NonZeroU32::new(base).ok_or_else(|| "reqid_base: must not be 0".to_owned())
}
