//! Where the server listens.

use std::fmt;
use std::str::FromStr;

use vici::{Uri, UriError};

/// An address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// What clients connect to as well.
    Uri(Uri),
    /// `systemd://<name>`: the listening socket that systemd hands over under that `FileDescriptorName=`.
    Systemd(String),
}

impl Address {
    /// The addresses in a list separated by white space or commas.
    ///
    /// # Errors
    /// The first one that is none.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, UriError> {
        text.split([',', ' ', '\t', '\n']).filter(|part| !part.is_empty()).map(str::parse).collect()
    }
}

impl From<Uri> for Address {
    fn from(uri: Uri) -> Self {
        Self::Uri(uri)
    }
}

impl FromStr for Address {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        match text.strip_prefix("systemd://") {
            Some("") => Err(UriError::PathEmpty),
            Some(name) => Ok(Self::Systemd(name.to_owned())),
            None => text.parse().map(Self::Uri),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(uri) => uri.fmt(f),
            Self::Systemd(name) => write!(f, "systemd://{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_may_list_several_addresses() {
        let text = "unix:///run/charon.vici, tcp://127.0.0.1:4502 systemd://vici\tvsock://2:4502";
        let addresses = Address::parse_list(text).unwrap();
        let printed: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(
            printed,
            ["unix:///run/charon.vici", "tcp://127.0.0.1:4502", "systemd://vici", "vsock://2:4502"]
        );
        assert!(Address::parse_list(" ").unwrap().is_empty());
    }

    #[test]
    fn one_that_is_none_spoils_the_list() {
        assert_eq!(Address::parse_list("unix:///a, /b"), Err(UriError::Scheme));
        assert_eq!(Address::parse_list("systemd://"), Err(UriError::PathEmpty));
    }
}
