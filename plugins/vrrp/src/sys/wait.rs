//! Waiting on epoll with deadlines finer than milliseconds, which the runtime's own does not have.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use libc::c_long;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollTimeout};

/// Descriptors that one call tells of.
const EVENTS_MAX: usize = 64;

/// Waits for the timeout at most, without one for ever, and puts the numbers of what can be read into `ready`. A signal ends it early.
pub(crate) fn wait_for_epoll(
    epoll: &Epoll,
    timeout: Option<Duration>,
    ready: &mut Vec<u64>,
) -> io::Result<()> {
    ready.clear();
    let mut events = [EpollEvent::empty(); EVENTS_MAX];
    let waited = match wait_exactly(epoll, timeout, &mut events) {
        // Before Linux 5.11.
        Err(Errno::ENOSYS) => wait_roughly(epoll, timeout, &mut events),
        waited => waited,
    };
    let count = match waited {
        Err(Errno::EINTR) => 0,
        waited => waited?,
    };
    ready.extend(events.iter().take(count).map(EpollEvent::data));
    Ok(())
}

fn wait_exactly(epoll: &Epoll, timeout: Option<Duration>, events: &mut [EpollEvent]) -> nix::Result<usize> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: c_long::from(timeout.subsec_nanos()),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let no_signals: *const libc::sigset_t = std::ptr::null();
    // SAFETY: the descriptor is open while `epoll` is borrowed; the time lives through the call, and so do the events, of which it
    // writes at most as many as there are. An `EpollEvent` is laid out as the kernel's.
    let count = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll.0.as_raw_fd(),
            events.as_mut_ptr(),
            c_long::try_from(events.len()).unwrap_or(c_long::MAX),
            timeout,
            no_signals,
            0_usize,
        )
    };
    usize::try_from(count).map_err(|_| Errno::last())
}

/// Up to a millisecond late.
fn wait_roughly(epoll: &Epoll, timeout: Option<Duration>, events: &mut [EpollEvent]) -> nix::Result<usize> {
    let millis = |timeout: Duration| {
        EpollTimeout::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(EpollTimeout::MAX)
    };
    epoll.wait(events, timeout.map(millis))
}

#[cfg(test)]
mod tests {
    use nix::sys::epoll::EpollCreateFlags;

    use super::*;

    #[test]
    fn old_kernels_wait_in_milliseconds_and_never_too_short() {
        let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
        let begin = std::time::Instant::now();
        let wait = Duration::from_micros(1100);
        assert_eq!(wait_roughly(&epoll, Some(wait), &mut [EpollEvent::empty()]), Ok(0));
        assert!(begin.elapsed() >= wait);
    }
}
