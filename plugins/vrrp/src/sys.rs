//! Packet sockets and waiting for them: the system calls that no safe crate offers.
#![expect(unsafe_code, reason = "AF_PACKET addresses and options, many frames at once, epoll_pwait2")]

mod wait;

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use charon_core::service::kernel_net::InterfaceIndex;
use libc::{c_int, c_void, socklen_t};

use crate::frames::Frames;

pub(crate) use wait::wait_for_epoll;

/// An instruction of a classic BPF program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jump_true: u8,
    pub(crate) jump_false: u8,
    pub(crate) operand: u32,
}

const PACKET_IGNORE_OUTGOING: c_int = 23;

/// A packet socket that receives nothing yet and sends nowhere.
pub(crate) fn packet_socket() -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers only.
    let fd = unsafe {
        libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Receives every frame of an interface from now on, and sends there.
pub(crate) fn bind_packet(socket: &impl AsRawFd, index: InterfaceIndex) -> io::Result<()> {
    let index = c_int::try_from(index.0).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).expect("families fit"),
        sll_protocol: u16::try_from(libc::ETH_P_ALL).expect("protocols fit").to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let len = socklen_t::try_from(size_of::<libc::sockaddr_ll>()).expect("addresses are short");
    // SAFETY: the descriptor is open while `socket` is borrowed; the address lives through the call and has that length.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets through what the program returns a length for.
pub(crate) fn attach_filter(socket: &impl AsRawFd, program: &[Instruction]) -> io::Result<()> {
    let mut filters: Vec<libc::sock_filter> = program
        .iter()
        .map(|one| libc::sock_filter {
            code: one.code,
            jt: one.jump_true,
            jf: one.jump_false,
            k: one.operand,
        })
        .collect();
    let len = u16::try_from(filters.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog { len, filter: filters.as_mut_ptr() };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// Leaves out what the host itself sends. Kernels before 4.20 do not know it; the filter does the same.
pub(crate) fn ignore_outgoing(socket: &impl AsRawFd) -> io::Result<()> {
    let on: c_int = 1;
    set_option(socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &on)
}

/// A receive buffer of that many bytes, beyond the system's limit.
pub(crate) fn force_receive_buffer(socket: &impl AsRawFd, bytes: c_int) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &bytes)
}

/// Sends frames from the one of that number on in as few system calls as the kernel allows; how many went.
pub(crate) fn send_frames(socket: &impl AsRawFd, frames: &Frames, first: usize) -> io::Result<usize> {
    let mut parts: Vec<libc::iovec> = frames
        .from(first)
        .map(|frame| libc::iovec {
            iov_base: frame.as_ptr().cast_mut().cast::<c_void>(),
            iov_len: frame.len(),
        })
        .collect();
    let mut headers: Vec<libc::mmsghdr> = parts.iter_mut().map(header_of).collect();
    let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
    // SAFETY: every header points to one iovec of `parts`, and that to a frame; all live through the call, which only reads frames.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Receives frames, each into `room` octets of `octets`, and notes how long each is. How many came, 0 if none is there.
pub(crate) fn receive_frames(
    socket: &impl AsRawFd,
    octets: &mut [u8],
    room: usize,
    lens: &mut [usize; FRAMES_AT_ONCE],
) -> io::Result<usize> {
    let nowhere = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    let mut parts = [nowhere; FRAMES_AT_ONCE];
    for (part, place) in parts.iter_mut().zip(octets.chunks_exact_mut(room)) {
        *part = libc::iovec { iov_base: place.as_mut_ptr().cast::<c_void>(), iov_len: place.len() };
    }
    let mut headers = parts.each_mut().map(header_of);
    let count = u32::try_from(FRAMES_AT_ONCE).expect("a small number");
    // SAFETY: every header points to one iovec of `parts`, and that to a place of its own in `octets`, or to none of length 0; all live
    // through the call.
    let received = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            count,
            libc::MSG_DONTWAIT,
            std::ptr::null_mut(),
        )
    };
    let Ok(received) = usize::try_from(received) else {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
            _ => Err(error),
        };
    };
    for (len, header) in lens.iter_mut().zip(&headers) {
        *len = usize::try_from(header.msg_len).expect("frames are short");
    }
    Ok(received)
}

/// Frames that one call receives at most.
pub(crate) const FRAMES_AT_ONCE: usize = 16;

const fn header_of(part: &mut libc::iovec) -> libc::mmsghdr {
    libc::mmsghdr {
        msg_hdr: libc::msghdr {
            msg_name: std::ptr::null_mut(),
            msg_namelen: 0,
            msg_iov: part,
            msg_iovlen: 1,
            msg_control: std::ptr::null_mut(),
            msg_controllen: 0,
            msg_flags: 0,
        },
        msg_len: 0,
    }
}

/// Gives the thread a real-time priority, 1 to 99.
pub(crate) fn set_realtime_priority(priority: c_int) -> io::Result<()> {
    let parameter = libc::sched_param { sched_priority: priority };
    // SAFETY: 0 is the calling thread; the parameter lives through the call.
    let result = unsafe {
        libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const parameter)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set_option<T>(socket: &impl AsRawFd, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let len = socklen_t::try_from(size_of::<T>()).expect("options are short");
    // SAFETY: the descriptor is open while `socket` is borrowed; the value lives through the call and has that length. What it
    // points to, if anything, lives in the caller.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
