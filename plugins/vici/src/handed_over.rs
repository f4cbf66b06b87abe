//! Listening sockets that whoever started the daemon has opened for it (`sd_listen_fds(3)`).

use std::collections::BTreeMap;
use std::io;

use nix::sys::socket::{getsockopt, sockopt};
use socket2::Socket;

use crate::sys;

/// Sockets by `FileDescriptorName=`, each to be taken once.
#[derive(Default)]
pub(crate) struct HandedOver(BTreeMap<String, Vec<Socket>>);

impl HandedOver {
    /// The sockets of this process. They are meant for the one that `LISTEN_PID` names, and can be taken once only.
    pub(crate) fn from_environment() -> Self {
        let variable = |name| std::env::var(name).unwrap_or_default();
        if variable("LISTEN_PID").parse() != Ok(std::process::id()) {
            return Self::default();
        }
        let mut sockets = BTreeMap::<_, Vec<_>>::new();
        for (name, number) in named(&variable("LISTEN_FDS"), &variable("LISTEN_FDNAMES")) {
            if let Some(fd) = sys::take_inherited(number) {
                sockets.entry(name).or_default().push(Socket::from(fd));
            }
        }
        Self(sockets)
    }

    /// The listening stream socket of that name.
    pub(crate) fn take(&mut self, name: &str) -> io::Result<Socket> {
        let socket = self.0.get_mut(name).and_then(Vec::pop).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("no socket named '{name}' was handed over"))
        })?;
        if !getsockopt(&socket, sockopt::AcceptConn)? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket does not listen"));
        }
        Ok(socket)
    }
}

/// Numbers of file descriptors with their names, as in `LISTEN_FDS` and `LISTEN_FDNAMES`.
fn named(count: &str, names: &str) -> Vec<(String, i32)> {
    let count: i32 = count.parse().unwrap_or(0).clamp(0, FDS_MAX);
    let names =
        names.split(':').map(str::to_owned).chain(std::iter::repeat_n(UNNAMED.to_owned(), FDS_MAX_LEN));
    names
        .zip(FIRST..FIRST + count)
        .map(|(name, number)| (if name.is_empty() { UNNAMED.to_owned() } else { name }, number))
        .collect()
}

/// The first descriptor handed over.
const FIRST: i32 = 3;
/// Most that are looked at.
const FDS_MAX: i32 = 64;
const FDS_MAX_LEN: usize = 64;
/// Name of those without one.
const UNNAMED: &str = "unknown";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_named_in_their_order() {
        let named = |count, names| named(count, names);
        assert_eq!(named("2", "vici:other"), [("vici".to_owned(), 3), ("other".to_owned(), 4)]);
        assert_eq!(named("2", "vici"), [("vici".to_owned(), 3), ("unknown".to_owned(), 4)]);
        assert_eq!(named("1", ""), [("unknown".to_owned(), 3)]);
        assert_eq!(named("", "vici"), []);
        assert_eq!(named("-1", "vici"), []);
    }

    #[test]
    fn a_name_that_was_not_handed_over_is_an_error() {
        assert_eq!(HandedOver::default().take("vici").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
