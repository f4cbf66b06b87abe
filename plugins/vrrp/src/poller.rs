//! What the thread of virtual routers sleeps on: sockets, a deadline, and whoever wants it awake. One system call a turn.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use tracing::warn;

use crate::sys;

/// Deadlines that fall together are served together: the thread wakes late by this much, and what the kernel adds.
const SLACK: Duration = Duration::from_micros(200);
/// The kernel adds up to a thousandth of the time: what is far away is approached in two steps.
const FAR: Duration = Duration::from_millis(1500);
const NEAR: Duration = Duration::from_secs(1);
/// What the kernel knows the waker by; interfaces count from 0.
const WAKER: u64 = u64::MAX;

/// Wakes the thread.
#[derive(Clone)]
pub(crate) struct Waker(Arc<EventFd>);

impl Waker {
    /// The next turn begins at once.
    pub(crate) fn wake(&self) {
        match self.0.write(1) {
            // A full counter wakes just as well.
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(error) => warn!(target: "DMN", "virtual routers cannot be woken: {error}"),
        }
    }
}

/// Puts sockets under watch.
#[derive(Clone)]
pub(crate) struct Watch {
    epoll: Arc<Epoll>,
    number: u64,
}

impl Watch {
    /// For the sockets of another interface.
    pub(crate) fn with_number(&self, number: u64) -> Self {
        Self { epoll: Arc::clone(&self.epoll), number }
    }

    /// The thread wakes whenever `socket` can be read, until it is closed.
    pub(crate) fn add(&self, socket: &impl AsFd) -> io::Result<()> {
        Ok(self.epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, self.number))?)
    }
}

/// Why the thread woke.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// Somebody woke it.
    pub(crate) woken: bool,
    /// Interfaces whose sockets can be read.
    pub(crate) readable: Vec<u64>,
}

/// Where it sleeps.
pub(crate) struct Poller {
    epoll: Arc<Epoll>,
    waker: Waker,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let epoll = Arc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
        let poller = Self { epoll, waker: Waker(Arc::new(event)) };
        poller.watch(WAKER).add(&*poller.waker.0)?;
        Ok(poller)
    }

    pub(crate) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// For the sockets of an interface.
    pub(crate) fn watch(&self, number: u64) -> Watch {
        Watch { epoll: Arc::clone(&self.epoll), number }
    }

    /// Sleeps until something can be read, somebody wakes it, or the deadline has passed; it may wake for nothing.
    pub(crate) fn wait(&self, deadline: Option<Instant>, turn: &mut Turn) -> io::Result<()> {
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                left
            } else if left > FAR {
                left.saturating_sub(NEAR)
            } else {
                left + SLACK
            }
        });
        turn.woken = false;
        sys::wait_for_epoll(&self.epoll, timeout, &mut turn.readable)?;
        if let Some(at) = turn.readable.iter().position(|number| *number == WAKER) {
            turn.readable.swap_remove(at);
            turn.woken = true;
            match self.waker.0.read() {
                Ok(_) | Err(Errno::EAGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn it_never_wakes_before_a_deadline_and_at_once_if_it_has_passed() {
        let (poller, mut turn) = (Poller::new().unwrap(), Turn::default());
        let begin = Instant::now();
        let deadline = begin + Duration::from_millis(20);
        poller.wait(Some(deadline), &mut turn).unwrap();
        assert!(Instant::now() >= deadline);
        poller.wait(Some(begin), &mut turn).unwrap();
        assert!(!turn.woken && turn.readable.is_empty());
    }

    #[test]
    fn whoever_wakes_it_and_what_can_be_read_is_told_once_and_until_it_is_read() {
        let (poller, mut turn) = (Poller::new().unwrap(), Turn::default());
        poller.waker().wake();
        poller.waker().wake();
        poller.wait(None, &mut turn).unwrap();
        assert!(turn.woken && turn.readable.is_empty());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        poller.watch(7).add(&socket).unwrap();
        socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        for _ in 0..2 {
            poller.wait(None, &mut turn).unwrap();
            assert!(!turn.woken);
            assert_eq!(turn.readable, [7]);
        }
        drop(socket);
        poller.wait(Some(Instant::now()), &mut turn).unwrap();
        assert!(turn.readable.is_empty());
    }
}
