//! The calls into the C library that nothing safe wraps.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use parking_lot::Mutex;
use socket2::Socket;
use tokio::io::unix::AsyncFd;

/// A moment in the local calendar.
pub(crate) struct LocalTime {
    pub(crate) year: i64,
    /// 0 is January.
    pub(crate) month: usize,
    pub(crate) day: i32,
    pub(crate) hour: i32,
    pub(crate) minute: i32,
    pub(crate) second: i32,
}

/// The local time of a moment in seconds since 1970.
pub(crate) fn local_time(seconds: u64) -> Option<LocalTime> {
    let seconds = libc::time_t::try_from(seconds).ok()?;
    let mut broken_down = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are valid for the call, and on success the result is completely written.
    let broken_down = unsafe {
        if libc::localtime_r(&raw const seconds, broken_down.as_mut_ptr()).is_null() {
            return None;
        }
        broken_down.assume_init()
    };
    Some(LocalTime {
        year: i64::from(broken_down.tm_year) + 1900,
        month: usize::try_from(broken_down.tm_mon).ok()?,
        day: broken_down.tm_mday,
        hour: broken_down.tm_hour,
        minute: broken_down.tm_min,
        second: broken_down.tm_sec,
    })
}

/// What the C library's allocator holds, in bytes.
#[cfg(target_env = "gnu")]
pub(crate) struct HeapUsage {
    /// From the break.
    pub(crate) sbrk: usize,
    /// Mapped.
    pub(crate) mmap: usize,
    pub(crate) used: usize,
    pub(crate) free: usize,
}

/// The heap now.
#[cfg(target_env = "gnu")]
pub(crate) fn heap_usage() -> HeapUsage {
    // SAFETY: the call takes nothing and returns a plain struct by value.
    let info = unsafe { libc::mallinfo2() };
    HeapUsage { sbrk: info.arena, mmap: info.hblkhd, used: info.uordblks, free: info.fordblks }
}

/// Takes over a file descriptor that this process was started with; `None` if it is not open, or was taken before.
pub(crate) fn take_inherited(number: RawFd) -> Option<OwnedFd> {
    static TAKEN: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());
    let mut taken = TAKEN.lock();
    // SAFETY: the call only reads the descriptor's flags, whatever the number.
    if taken.contains(&number) || unsafe { libc::fcntl(number, libc::F_GETFD) } == -1 {
        return None;
    }
    taken.push(number);
    // SAFETY: it is open, was opened by whoever started the process for it to own, and is taken once only.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    // SAFETY: the call only changes the flags of a descriptor that is owned here.
    unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    Some(fd)
}

/// Has the runtime watch a socket.
pub(crate) fn watch(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: the socket owns its descriptor, and tells the same one as long as it lives.
    unsafe { AsyncFd::register(socket) }.map_err(io::Error::from)
}
