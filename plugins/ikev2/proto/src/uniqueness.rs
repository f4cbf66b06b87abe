//! What becomes of the older IKE_SAs between a pair of identities when one more is established (RFC 7296 §2.4, and strongSwan's
//! `unique`). Pure: the shell knows the IKE_SAs and carries it out.
//!
//! Two IKE_SAs *cross* if the two ends began them and each was begun before the other was established. Whoever says
//! INITIAL_CONTACT in such a handshake did not know the other IKE_SA yet, and does not speak of it. With `unique = replace` one of
//! the two goes, and both ends must choose the same one from what both know:
//!
//! ```text
//! both said INITIAL_CONTACT   their requests crossed: that of the lower initiator's SPI goes
//! one did                     the other was sent by an end that knew better: the one with INITIAL_CONTACT goes
//! neither did                 there are others beside these two: they do not count as crossing
//! ```

use std::net::IpAddr;

use charon_types::connection::Unique;
use charon_types::id::{IkeSpi, Role, UniqueId};
use charon_types::snapshot::IkeSaSnapshot;

use crate::output::InitialContact;

/// How an established IKE_SA came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its number when it was begun. Numbers are given in order.
    pub began: UniqueId,
    /// The next number when it was established.
    pub horizon: UniqueId,
    /// Our role.
    pub role: Role,
    /// The initiator's SPI.
    pub spi_initiator: Option<IkeSpi>,
    /// What the initiator said.
    pub initial_contact: InitialContact,
}

impl Origin {
    /// Of an IKE_SA that is established now; `horizon` is the number that the next one will have.
    #[must_use]
    pub fn new(sa: &IkeSaSnapshot, initial_contact: InitialContact, horizon: UniqueId) -> Self {
        let (began, role, spi_initiator) = (sa.unique_id, sa.role, sa.spi_initiator);
        Self { began, horizon, role, spi_initiator, initial_contact }
    }

    fn crosses(&self, other: &Self) -> bool {
        self.role != other.role
            && self.began.0 < other.horizon.0
            && other.began.0 < self.horizon.0
            && (self.is_first_contact() || other.is_first_contact())
    }

    const fn is_first_contact(&self) -> bool {
        matches!(self.initial_contact, InitialContact::Sent | InitialContact::Received)
    }

    /// What decides between two that cross: the greater one stays.
    fn claim(&self) -> (bool, [u8; 8]) {
        (!self.is_first_contact(), self.spi_initiator.map_or([0; 8], IkeSpi::to_be_bytes))
    }
}

/// What becomes of the older one of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Stays,
    /// It is deleted at once: the peer has none but the new one, or is elsewhere now.
    Goes,
    /// The peer seems to establish it anew, and has some time to delete it itself.
    GoesLater,
    /// They cross, and the older one is to go once everything that it carries is in the new one.
    YieldsToNew,
    /// They cross, and the new one is to go, in the same way.
    NewYields,
}

/// Whether an IKE_SA that is established may end others; else nobody needs to look for them, and they may be many.
#[must_use]
pub const fn may_end_others(unique: Unique, initial_contact: InitialContact) -> bool {
    match unique {
        Unique::Never => false,
        Unique::No | Unique::Keep => matches!(initial_contact, InitialContact::Received),
        Unique::Replace => true,
    }
}

/// What becomes of `old`, with the peer at `old_peer`, now that `new` is established with the peer at `new_peer`.
#[must_use]
pub fn fate(unique: Unique, (new, new_peer): (&Origin, IpAddr), (old, old_peer): (&Origin, IpAddr)) -> Fate {
    if new.crosses(old) {
        return match unique {
            Unique::Replace if new.claim() > old.claim() => Fate::YieldsToNew,
            Unique::Replace => Fate::NewYields,
            Unique::No | Unique::Keep | Unique::Never => Fate::Stays,
        };
    }
    match (unique, new.initial_contact) {
        (Unique::Never, _) => Fate::Stays,
        (_, InitialContact::Received) => Fate::Goes,
        (Unique::Replace, _) if new.role == Role::Responder => {
            if old_peer == new_peer {
                Fate::GoesLater
            } else {
                Fate::Goes
            }
        }
        _ => Fate::Stays,
    }
}

#[cfg(test)]
mod tests;
