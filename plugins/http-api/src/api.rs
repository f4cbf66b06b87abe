//! What all routes share.

use std::sync::Arc;
use std::time::SystemTime;

use charon_core::service::VrrpEngine;
use charon_crypto::CryptoProvider;
use rvrrpd_conf::Document;

use crate::login::Users;
use crate::session::{Cookies, Sessions, Transport};

/// The API.
pub(crate) struct Api {
    pub(crate) document: Document,
    pub(crate) engine: Arc<dyn VrrpEngine>,
    pub(crate) sessions: Sessions,
    pub(crate) users: Users,
    pub(crate) transport: Transport,
    pub(crate) crypto: Arc<CryptoProvider>,
    /// The present moment.
    pub(crate) clock: fn() -> SystemTime,
    /// Hardware address of an interface.
    pub(crate) link_address: fn(&str) -> Option<String>,
}

impl Api {
    /// Whether these cookies are those of a session of somebody who still may ask.
    pub(crate) fn admits<'a>(&self, headers: impl Iterator<Item = &'a str>) -> bool {
        Cookies::parse(headers).is_some_and(|cookies| {
            self.users.knows(&cookies.user) && self.sessions.is_valid(&cookies, (self.clock)())
        })
    }

    /// A number by chance.
    pub(crate) fn random(&self) -> u128 {
        let mut octets = [0; 16];
        self.crypto.random().fill(&mut octets);
        u128::from_be_bytes(octets)
    }
}
