//! Socket options that no safe crate sets.
#![expect(
    unsafe_code,
    reason = "setsockopt of IP_MTU_DISCOVER, IP_XFRM_POLICY, UDP_ENCAP and SO_ATTACH_REUSEPORT_CBPF"
)]

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use libc::{
    IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, IPV6_MTU_DISCOVER,
    SO_ATTACH_REUSEPORT_CBPF, SOL_SOCKET, c_int, sock_filter, sock_fprog, socklen_t,
};

/// Lets the kernel fragment what is too long for the path, as IKE without RFC 7383 needs it.
///
/// # Errors
/// As the system says.
pub(crate) fn allow_fragments(socket: &impl AsRawFd, address: SocketAddr) -> io::Result<()> {
    let (level, option) =
        if address.is_ipv4() { (IPPROTO_IP, IP_MTU_DISCOVER) } else { (IPPROTO_IPV6, IPV6_MTU_DISCOVER) };
    set(socket, level, option, &IP_PMTUDISC_DONT.to_ne_bytes())
}

/// Lets IKE pass whatever policies the kernel has, both ways.
///
/// # Errors
/// As the system says; a kernel without XFRM knows no such option.
pub(crate) fn bypass_policies(socket: &impl AsRawFd, address: SocketAddr) -> io::Result<()> {
    let (level, option, family): (_, _, u16) = if address.is_ipv4() {
        (IPPROTO_IP, IP_XFRM_POLICY, 2)
    } else {
        (IPPROTO_IPV6, IPV6_XFRM_POLICY, 10)
    };
    for direction in [POLICY_IN, POLICY_OUT] {
        let mut policy = [0; POLICY_INFO_LEN];
        let fields = [(POLICY_FAMILY_AT, family.to_ne_bytes()), (POLICY_DIRECTION_AT, [direction, 0])];
        for (at, value) in fields {
            policy.iter_mut().skip(at).zip(value).for_each(|(octet, value)| *octet = value);
        }
        set(socket, level, option, &policy)?;
    }
    Ok(())
}

/// Lets the kernel open what is ESP in UDP on that socket (RFC 3948); IKE behind its marker still comes to us.
///
/// # Errors
/// As the system says.
pub(crate) fn decapsulate_esp(socket: &impl AsRawFd) -> io::Result<()> {
    set(socket, IPPROTO_UDP, UDP_ENCAP, &UDP_ENCAP_ESPINUDP.to_ne_bytes())
}

/// Lets a filter choose which of the sockets of a port gets a datagram: its result counts them in the order of binding.
///
/// # Errors
/// As the system says; a kernel before 4.5 knows no such option.
pub(crate) fn choose_socket_by(socket: &impl AsRawFd, filter: &[sock_filter]) -> io::Result<()> {
    let program = sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: filter.as_ptr().cast_mut(),
    };
    let len = socklen_t::try_from(size_of::<sock_fprog>()).expect("two words");
    // SAFETY: the descriptor is open for as long as `socket` is borrowed; the program describes a live slice, which the kernel
    // copies and does not change.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            SOL_SOCKET,
            SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            len,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

const UDP_ENCAP: c_int = 100;
const UDP_ENCAP_ESPINUDP: c_int = 2;
const IP_XFRM_POLICY: c_int = 17;
const IPV6_XFRM_POLICY: c_int = 35;
/// `struct xfrm_userpolicy_info`; the action is 0, which is "allow".
const POLICY_INFO_LEN: usize = 168;
const POLICY_FAMILY_AT: usize = 40;
const POLICY_DIRECTION_AT: usize = 160;
const POLICY_IN: u8 = 0;
const POLICY_OUT: u8 = 1;

fn set(socket: &impl AsRawFd, level: c_int, option: c_int, value: &[u8]) -> io::Result<()> {
    let len = socklen_t::try_from(value.len()).expect("options are some octets long");
    // SAFETY: the descriptor is open for as long as `socket` is borrowed, and the value is a live slice of that length.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value.as_ptr().cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
