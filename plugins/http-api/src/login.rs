//! `POST /auth`: who gives the right password gets a session.

use std::sync::Arc;

use rvrrpd_conf::{Algorithm, UserEntry};
use tokio::sync::Semaphore;

const USER_LEN_MAX: usize = 64;
const PASSWORD_LEN_MAX: usize = 256;
/// Passwords that are checked at a time: each may take 128 MiB.
const CHECKS_MAX: usize = 1;

/// Who may ask.
pub(crate) struct Users {
    entries: Arc<[UserEntry]>,
    /// Checked in place of a user whom nobody knows, so that he is not known by the time it takes.
    nobody: UserEntry,
    checks: Semaphore,
}

/// The body of a login.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    password: &'a str,
}

impl<'a> Login<'a> {
    /// `user=NAME passwd=PASSWORD`: one space, no `&`, nothing encoded, whatever the content type says.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let (user, password) =
            std::str::from_utf8(body).ok()?.strip_prefix("user=")?.split_once(" passwd=")?;
        let good = (1..=USER_LEN_MAX).contains(&user.len())
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && (1..=PASSWORD_LEN_MAX).contains(&password.len())
            && password.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        good.then_some(Self { user, password })
    }
}

impl Users {
    pub(crate) fn new(entries: Vec<UserEntry>) -> Self {
        // What most have decides how long a refusal takes.
        let algorithm = entries.first().map_or(Algorithm::Sha256, |entry| entry.algorithm);
        let nobody = UserEntry::make("nobody", "nobody", algorithm, &[0; 16]).expect("a user and a password");
        Self { entries: entries.into(), nobody, checks: Semaphore::new(CHECKS_MAX) }
    }

    pub(crate) fn knows(&self, user: &str) -> bool {
        self.entries.iter().any(|entry| entry.user == user)
    }

    /// Whether the password is right.
    pub(crate) async fn admit(&self, login: &Login<'_>) -> bool {
        let Ok(_permit) = self.checks.acquire().await else { return false };
        let known = self.entries.iter().find(|entry| entry.user == login.user).cloned();
        let is_known = known.is_some();
        let entry = known.unwrap_or_else(|| self.nobody.clone());
        let password = login.password.to_owned();
        // scrypt takes its time.
        let right = tokio::task::spawn_blocking(move || entry.verify(&password)).await.unwrap_or(false);
        right && is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_one_line_with_one_space() {
        let read = |body: &str| {
            Login::parse(body.as_bytes()).map(|login| (login.user.to_owned(), login.password.to_owned()))
        };
        assert_eq!(read("user=admin passwd=a b&c"), Some(("admin".to_owned(), "a b&c".to_owned())));
        for wrong in [
            "",
            "user=admin&passwd=banana",
            "user= passwd=x",
            "user=a passwd=",
            "user=a.b passwd=x",
            "x user=a passwd=b",
            "user=a passwd=b\n",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read(&format!("user={} passwd=x", "a".repeat(65))), None);
    }
}
