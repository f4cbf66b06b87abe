//! One timer with the resolution of the kernel's: the runtime's own counts milliseconds, too coarse for adverts every ten.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

use crate::sys;

/// Routers whose deadlines fall together are served together: an alarm comes late by this much at most.
const SLACK: Duration = Duration::from_micros(200);
/// A timer that is set to zero would never go off.
const SHORTEST: Duration = Duration::from_nanos(1);

/// The timer.
pub(crate) struct Alarm {
    timer: AsyncFd<Descriptor>,
    armed: Option<Instant>,
}

/// The runtime wants to know a descriptor in both ways.
struct Descriptor(TimerFd);

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Alarm {
    /// Needs a runtime.
    pub(crate) fn new() -> io::Result<Self> {
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        Ok(Self { timer: sys::watch_readable(Descriptor(timer))?, armed: None })
    }

    /// Goes off at the deadline, or not at all.
    pub(crate) fn set(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        if deadline == self.armed {
            return Ok(());
        }
        let timer = &self.timer.get_ref().0;
        match deadline {
            Some(deadline) => {
                let wait = deadline.saturating_duration_since(Instant::now()) + SLACK;
                let expiration = Expiration::OneShot(TimeSpec::from_duration(wait.max(SHORTEST)));
                timer.set(expiration, TimerSetTimeFlags::empty())?;
            }
            None => timer.unset()?,
        }
        self.armed = deadline;
        Ok(())
    }

    /// Ready when it went off; it has to be set again then. Cancel safe.
    pub(crate) async fn rings(&mut self) -> io::Result<()> {
        loop {
            let mut guard = self.timer.readable().await?;
            let mut count = [0; 8];
            match guard
                .try_io(|timer| nix::unistd::read(timer.get_ref(), &mut count).map_err(io::Error::from))
            {
                Ok(Ok(_)) => {
                    self.armed = None;
                    return Ok(());
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_never_rings_early_and_can_be_put_off() {
        let mut alarm = Alarm::new().unwrap();
        let begin = Instant::now();
        alarm.set(Some(begin + Duration::from_millis(2))).unwrap();
        alarm.set(Some(begin + Duration::from_millis(20))).unwrap();
        alarm.rings().await.unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(20));
        // One that is overdue rings at once.
        alarm.set(Some(begin)).unwrap();
        alarm.rings().await.unwrap();
    }
}
