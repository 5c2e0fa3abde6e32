//! A timer finer than tokio's millisecond: a Linux timerfd.
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// One reusable timer.
#[derive(Debug)]
pub(super) struct PreciseTimer {
    fd: AsyncFd<OwnedFd>,
    armed: Option<Instant>,
}

impl PreciseTimer {
    // The successor is unsafe, because a generic owner might change its descriptor under the
    // reactor. An OwnedFd does not.
    #[allow(deprecated)]
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self {
            fd: AsyncFd::with_interest(fd, Interest::READABLE)?,
            armed: None,
        })
    }

    /// Waits until `at`. Cancelling is safe; the timer stays armed and is used again.
    pub(super) async fn until(&mut self, at: Instant) -> io::Result<()> {
        if self.armed != Some(at) {
            self.arm(at.saturating_duration_since(Instant::now()))?;
            self.armed = Some(at);
        }
        loop {
            let mut ready = self.fd.readable().await?;
            let mut expirations = [0; 8];
            let read = |fd: &AsyncFd<OwnedFd>| Ok(rustix::io::read(fd, &mut expirations)?);
            match ready.try_io(read) {
                Ok(result) => {
                    self.armed = None;
                    return result.map(|_| ());
                }
                Err(_would_block) => {}
            }
        }
    }

    fn arm(&self, after: Duration) -> io::Result<()> {
        // Zero would disarm it.
        let after = after.max(Duration::from_nanos(1));
        let it_value = Timespec::try_from(after).map_err(io::Error::other)?;
        let it_interval = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = Itimerspec {
            it_interval,
            it_value,
        };
        timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &value)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_fires_after_the_instant_and_can_be_rearmed() {
        let mut timer = PreciseTimer::new().unwrap();
        for millis in [5, 0, 3] {
            let at = Instant::now() + Duration::from_millis(millis);
            timer.until(at).await.unwrap();
            assert!(Instant::now() >= at);
        }
    }

    #[tokio::test]
    async fn an_earlier_instant_replaces_an_armed_one() {
        let mut timer = PreciseTimer::new().unwrap();
        let late = Instant::now() + Duration::from_secs(3600);
        tokio::select! {
            biased;
            _ = timer.until(late) => panic!("an hour has not passed"),
            () = std::future::ready(()) => {}
        }
        timer
            .until(Instant::now() + Duration::from_millis(1))
            .await
            .unwrap();
        assert!(Instant::now() < late);
    }
}
