//! Where a VICI daemon listens: `unix:///path`, `tcp://host:port` or `vsock://cid:port`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The address of a VICI daemon.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Uri {
    /// `unix://<path>`: a stream socket in the file system.
    Unix(PathBuf),
    /// `tcp://<host>:<port>`. An IPv6 address stands in brackets; nothing but the network protects this socket.
    Tcp {
        /// An address (without brackets) or a DNS name.
        host: String,
        /// The port, in host byte order.
        port: u16,
    },
    /// `vsock://<cid>:<port>`: a virtual machine and its host (vsock(7)).
    Vsock {
        /// Whose: 2 is the host; a server listens for any with 4294967295.
        cid: u32,
        /// The port.
        port: u32,
    },
}

/// Why a text is not a VICI address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// Neither `unix://`, `tcp://` nor `vsock://` stands in front.
    #[error("unknown scheme, expected unix://, tcp:// or vsock://")]
    Scheme,
    /// The path of a `unix://` address is empty.
    #[error("path is empty")]
    PathEmpty,
    /// The part behind `tcp://` is not `host:port`.
    #[error("expected host:port, or [address]:port for IPv6")]
    Authority,
    /// The part behind `vsock://` is not `cid:port`.
    #[error("expected cid:port, two numbers")]
    Vsock,
}

impl Default for Uri {
    /// `unix:///var/run/charon.vici`, where charon listens unless told otherwise.
    fn default() -> Self {
        Self::Unix(PathBuf::from("/var/run/charon.vici"))
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.is_empty() { Err(UriError::PathEmpty) } else { Ok(Self::Unix(path.into())) };
        }
        if let Some(authority) = text.strip_prefix("vsock://") {
            let (cid, port) = authority.split_once(':').ok_or(UriError::Vsock)?;
            let number = |text: &str| {
                text.parse()
                    .ok()
                    .filter(|_| text.starts_with(|c: char| c.is_ascii_digit()))
                    .ok_or(UriError::Vsock)
            };
            return Ok(Self::Vsock { cid: number(cid)?, port: number(port)? });
        }
        let authority = text.strip_prefix("tcp://").ok_or(UriError::Scheme)?;
        let (host, port) = authority.rsplit_once(':').ok_or(UriError::Authority)?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        if host.is_empty()
            || (bracketed.is_none() && host.contains(':'))
            || !port.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(UriError::Authority);
        }
        Ok(Self::Tcp { host: host.to_owned(), port: port.parse().map_err(|_| UriError::Authority)? })
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Vsock { cid, port } => write!(f, "vsock://{cid}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_were_written() {
        for text in [
            "unix:///run/charon.vici",
            "tcp://127.0.0.1:4502",
            "tcp://[::1]:0",
            "tcp://moon.example.org:4502",
            "vsock://2:4502",
        ] {
            assert_eq!(text.parse::<Uri>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        assert_eq!("/run/charon.vici".parse::<Uri>(), Err(UriError::Scheme));
        assert_eq!("unix://".parse::<Uri>(), Err(UriError::PathEmpty));
        for text in [
            "tcp://",
            "tcp://host",
            "tcp://host:",
            "tcp://host:+1",
            "tcp://:1",
            "tcp://::1:4502",
            "tcp://host:65536",
        ] {
            assert_eq!(text.parse::<Uri>(), Err(UriError::Authority), "{text}");
        }
        for text in ["vsock://", "vsock://2", "vsock://2:", "vsock://+2:1", "vsock://2:4294967296"] {
            assert_eq!(text.parse::<Uri>(), Err(UriError::Vsock), "{text}");
        }
    }
}
