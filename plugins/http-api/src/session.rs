//! Sessions: four cookies, of which the last authenticates the others.
//!
//! token = HMAC-SHA3-256(secret, user || ts || nonce), numbers as decimal text, in lower-case hex.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use charon_types::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha3::Sha3_256;
use subtle::ConstantTimeEq;

/// How far the clock of whoever made a token may be ahead.
const AHEAD_MAX: Duration = Duration::from_secs(60);

/// Makes and checks tokens.
pub(crate) struct Sessions {
    secret: Secret,
    lifetime: Duration,
}

/// The cookies of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cookies {
    pub(crate) user: String,
    /// Seconds since the epoch.
    pub(crate) ts: u64,
    pub(crate) nonce: u64,
    pub(crate) token: String,
}

impl Sessions {
    pub(crate) const fn new(secret: Secret, lifetime: Duration) -> Self {
        Self { secret, lifetime }
    }

    /// A session of a user who gave the right password.
    pub(crate) fn begin(&self, user: &str, nonce: u64, now: SystemTime) -> Cookies {
        let ts = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Cookies { user: user.to_owned(), ts, nonce, token: self.token(user, ts, nonce) }
    }

    /// Whether the cookies are ours and not too old.
    pub(crate) fn is_valid(&self, cookies: &Cookies, now: SystemTime) -> bool {
        let token = self.token(&cookies.user, cookies.ts, cookies.nonce);
        let authentic: bool = token.as_bytes().ct_eq(cookies.token.as_bytes()).into();
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let begun = Duration::from_secs(cookies.ts);
        authentic && begun <= now + AHEAD_MAX && now.saturating_sub(begun) <= self.lifetime
    }

    fn token(&self, user: &str, ts: u64, nonce: u64) -> String {
        let mut mac =
            Hmac::<Sha3_256>::new_from_slice(self.secret.expose()).expect("HMAC takes a key of any length");
        mac.update(user.as_bytes());
        mac.update(ts.to_string().as_bytes());
        mac.update(nonce.to_string().as_bytes());
        mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect()
    }
}

impl Cookies {
    /// From the values of `Cookie` headers; `None` if one is missing, there twice or no number.
    pub(crate) fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut user, mut ts, mut nonce, mut token) = (None, None, None, None);
        for pair in headers.flat_map(|header| header.split(';')) {
            let Some((name, value)) = pair.trim().split_once('=') else { continue };
            let slot = match name {
                "user" => &mut user,
                "ts" => &mut ts,
                "nonce" => &mut nonce,
                "token" => &mut token,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return None;
            }
        }
        Some(Self {
            user: user?.to_owned(),
            ts: ts?.parse().ok()?,
            nonce: nonce?.parse().ok()?,
            token: token?.to_owned(),
        })
    }

    /// Values of `Set-Cookie` headers.
    pub(crate) fn set(&self, transport: Transport) -> [String; 4] {
        let attributes = match transport {
            Transport::Plain => "HttpOnly; SameSite=Strict",
            Transport::Tls => "HttpOnly; Secure; SameSite=Strict",
        };
        let Self { user, ts, nonce, token } = self;
        [
            format!("user={user}; {attributes}"),
            format!("ts={ts}; {attributes}"),
            format!("nonce={nonce}; {attributes}"),
            format!("token={token}; {attributes}"),
        ]
    }
}

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Tls,
}
