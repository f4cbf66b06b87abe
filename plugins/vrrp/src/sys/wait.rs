//! Waiting: epoll with deadlines finer than milliseconds, which the runtime's own does not have, and an event to wake by.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use libc::{c_int, c_long};

/// Descriptors that one call tells of.
const EVENTS_MAX: usize = 64;

/// An epoll descriptor.
pub(crate) fn epoll() -> io::Result<OwnedFd> {
    // SAFETY: the call takes a number only.
    owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// A descriptor that can be read once it was signalled.
pub(crate) fn event() -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers only.
    owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

/// Lets the event be read.
pub(crate) fn signal_event(event: &impl AsRawFd) -> io::Result<()> {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: the descriptor is open while `event` is borrowed; the eight octets live through the call.
    let written = unsafe { libc::write(event.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    // A full counter wakes just as well.
    if written < 0 { unless(io::ErrorKind::WouldBlock) } else { Ok(()) }
}

/// It can be read no more.
pub(crate) fn clear_event(event: &impl AsRawFd) -> io::Result<()> {
    let mut count = [0; 8];
    // SAFETY: as above; the call writes at most those eight octets.
    let read = unsafe { libc::read(event.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    if read < 0 { unless(io::ErrorKind::WouldBlock) } else { Ok(()) }
}

/// Tells when `watched` can be read, by that number, until it is closed.
pub(crate) fn add_to_epoll(epoll: &impl AsRawFd, watched: &impl AsRawFd, number: u64) -> io::Result<()> {
    let events = u32::try_from(libc::EPOLLIN).expect("a positive number");
    let mut event = libc::epoll_event { events, u64: number };
    // SAFETY: both descriptors are open while they are borrowed; the event lives through the call.
    let result = unsafe {
        libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, watched.as_raw_fd(), &raw mut event)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits for the timeout at most, without one for ever, and puts the numbers of what can be read into `ready`. A signal ends it early.
pub(crate) fn wait_for_epoll(
    epoll: &impl AsRawFd,
    timeout: Option<Duration>,
    ready: &mut Vec<u64>,
) -> io::Result<()> {
    ready.clear();
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
    let count = wait_exactly(epoll.as_raw_fd(), timeout, &mut events).or_else(|error| {
        match error.raw_os_error() {
            // Before Linux 5.11.
            Some(libc::ENOSYS) => wait_roughly(epoll.as_raw_fd(), timeout, &mut events),
            Some(libc::EINTR) => Ok(0),
            _ => Err(error),
        }
    })?;
    ready.extend(events.iter().take(count).map(|event| event.u64));
    Ok(())
}

fn wait_exactly(
    epoll: RawFd,
    timeout: Option<Duration>,
    events: &mut [libc::epoll_event; EVENTS_MAX],
) -> io::Result<usize> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: c_long::from(timeout.subsec_nanos()),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let no_signals: *const libc::sigset_t = std::ptr::null();
    // SAFETY: the descriptor is open while the caller borrows it; the events and the time live through the call, which writes at most
    // that many events.
    let count = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll,
            events.as_mut_ptr(),
            c_long::try_from(EVENTS_MAX).expect("a small number"),
            timeout,
            no_signals,
            0_usize,
        )
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Up to a millisecond late.
fn wait_roughly(
    epoll: RawFd,
    timeout: Option<Duration>,
    events: &mut [libc::epoll_event; EVENTS_MAX],
) -> io::Result<usize> {
    let millis =
        |timeout: Duration| c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX);
    let timeout = timeout.map_or(-1, millis);
    let room = c_int::try_from(EVENTS_MAX).expect("a small number");
    // SAFETY: as above.
    let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), room, timeout) };
    match usize::try_from(count) {
        Ok(count) => Ok(count),
        Err(_) => unless(io::ErrorKind::Interrupted).map(|()| 0),
    }
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The last error, if it is not of that kind.
fn unless(kind: io::ErrorKind) -> io::Result<()> {
    let error = io::Error::last_os_error();
    if error.kind() == kind { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_kernels_wait_in_milliseconds_and_never_too_short() {
        let epoll = epoll().unwrap();
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
        let begin = std::time::Instant::now();
        let wait = Duration::from_micros(1100);
        assert_eq!(wait_roughly(epoll.as_raw_fd(), Some(wait), &mut events).unwrap(), 0);
        assert!(begin.elapsed() >= wait);
    }
}
