//! Counters by the names of ietf-vrrp (RFC 8347), and a few that it lacks.

use crate::receive::Rejection;

/// Counters of one virtual router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Times that it became Active.
    pub master_transitions: u64,
    /// Advertisements accepted.
    pub advertisement_rcvd: u64,
    /// Advertisements sent.
    pub advertisement_sent: u64,
    /// Advertisements with another interval than ours.
    pub interval_errors: u64,
    /// Advertisements of priority 0 accepted.
    pub priority_zero_pkts_rcvd: u64,
    /// Advertisements of priority 0 sent.
    pub priority_zero_pkts_sent: u64,
    /// Packets that are no advertisements.
    pub invalid_type_pkts_rcvd: u64,
    /// Advertisements with other addresses than ours.
    pub address_list_errors: u64,
    /// Packets of a wrong length.
    pub packet_length_errors: u64,
    /// Not in ietf-vrrp: an authentication type that is unknown or not ours.
    pub auth_type_errors: u64,
    /// Not in ietf-vrrp: authentication failed, or a replay.
    pub auth_failures: u64,
    /// Not in ietf-vrrp: not to the group, or not from a peer.
    pub peer_errors: u64,
    /// Not in ietf-vrrp: advertisements heard by the owner of the addresses.
    pub owner_conflicts: u64,
}

impl Statistics {
    /// Names and values, in a fixed order.
    #[must_use]
    pub const fn leaves(&self) -> [(&'static str, u64); 13] {
        [
            ("master-transitions", self.master_transitions),
            ("advertisement-rcvd", self.advertisement_rcvd),
            ("advertisement-sent", self.advertisement_sent),
            ("interval-errors", self.interval_errors),
            ("priority-zero-pkts-rcvd", self.priority_zero_pkts_rcvd),
            ("priority-zero-pkts-sent", self.priority_zero_pkts_sent),
            ("invalid-type-pkts-rcvd", self.invalid_type_pkts_rcvd),
            ("address-list-errors", self.address_list_errors),
            ("packet-length-errors", self.packet_length_errors),
            ("auth-type-errors", self.auth_type_errors),
            ("auth-failures", self.auth_failures),
            ("peer-errors", self.peer_errors),
            ("owner-conflicts", self.owner_conflicts),
        ]
    }

    pub(crate) const fn count(&mut self, rejection: &Rejection) {
        match rejection {
            Rejection::Length { .. } => self.packet_length_errors += 1,
            Rejection::Type { .. } => self.invalid_type_pkts_rcvd += 1,
            Rejection::OwnerConflict { .. } => self.owner_conflicts += 1,
            Rejection::AuthType { .. } | Rejection::Unsigned | Rejection::MalformedTrailer => {
                self.auth_type_errors += 1
            }
            Rejection::AuthFailed | Rejection::UnknownKey { .. } | Rejection::Stale | Rejection::Replay => {
                self.auth_failures += 1;
            }
            Rejection::Interval { .. } => self.interval_errors += 1,
            Rejection::AddressList => self.address_list_errors += 1,
            Rejection::Destination { .. } | Rejection::Peer => self.peer_errors += 1,
            Rejection::Ttl { .. }
            | Rejection::Version { .. }
            | Rejection::Checksum
            | Rejection::Vrid { .. } => {}
            Rejection::Looped => {}
        }
    }
}

/// Counters of all virtual routers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalStatistics {
    /// Packets with a wrong checksum.
    pub checksum_errors: u64,
    /// Packets of a version that is not spoken.
    pub version_errors: u64,
    /// Packets for a virtual router that is not configured.
    pub vrid_errors: u64,
    /// Packets with a TTL or hop limit other than 255.
    pub ip_ttl_errors: u64,
}

impl GlobalStatistics {
    /// Names and values, in a fixed order.
    #[must_use]
    pub const fn leaves(&self) -> [(&'static str, u64); 4] {
        [
            ("checksum-errors", self.checksum_errors),
            ("version-errors", self.version_errors),
            ("vrid-errors", self.vrid_errors),
            ("ip-ttl-errors", self.ip_ttl_errors),
        ]
    }

    /// Counts a packet that was dropped; [`crate::VirtualRouter::handle_advert`] returns why. Reasons that a virtual
    /// router counts itself change nothing here.
    pub const fn count(&mut self, rejection: &Rejection) {
        match rejection {
            Rejection::Ttl { .. } => self.ip_ttl_errors += 1,
            Rejection::Version { .. } => self.version_errors += 1,
            Rejection::Checksum => self.checksum_errors += 1,
            Rejection::Vrid { .. } => self.vrid_errors += 1,
            Rejection::Length { .. }
            | Rejection::Type { .. }
            | Rejection::OwnerConflict { .. }
            | Rejection::AuthType { .. }
            | Rejection::AuthFailed
            | Rejection::Unsigned
            | Rejection::MalformedTrailer
            | Rejection::UnknownKey { .. }
            | Rejection::Stale
            | Rejection::Replay
            | Rejection::Interval { .. }
            | Rejection::AddressList
            | Rejection::Destination { .. }
            | Rejection::Peer
            | Rejection::Looped => {}
        }
    }

    /// Adds another's counters, for shells that count per interface.
    pub const fn add(&mut self, other: &Self) {
        self.checksum_errors += other.checksum_errors;
        self.version_errors += other.version_errors;
        self.vrid_errors += other.vrid_errors;
        self.ip_ttl_errors += other.ip_ttl_errors;
    }
}
