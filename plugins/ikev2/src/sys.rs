//! The one socket option that no safe crate sets.
#![expect(unsafe_code, reason = "setsockopt of IP_MTU_DISCOVER")]

use std::io;
use std::mem::size_of_val;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use libc::{
    IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IPPROTO_IP, IPPROTO_IPV6, IPV6_MTU_DISCOVER, c_int, socklen_t,
};

/// Lets the kernel fragment what is too long for the path, as IKE without RFC 7383 needs it.
///
/// # Errors
/// As the system says.
pub(crate) fn allow_fragments(socket: &impl AsRawFd, address: SocketAddr) -> io::Result<()> {
    let (level, option) =
        if address.is_ipv4() { (IPPROTO_IP, IP_MTU_DISCOVER) } else { (IPPROTO_IPV6, IPV6_MTU_DISCOVER) };
    let value: c_int = IP_PMTUDISC_DONT;
    let len = socklen_t::try_from(size_of_val(&value)).expect("the size of an int fits");
    // SAFETY: the descriptor is open for as long as `socket` is borrowed, and the option's value is a live int of that length.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
