//! Starting Arti: progress, and why it does not get on.

use core::time::Duration;
use std::time::Instant;

use arti_client::status::{BlockageKind, BootstrapEvents, BootstrapStatus};
use arti_client::{ErrorKind, HasKind as _};
use futures::StreamExt as _;
use tacit_types::Reason;
use tokio::sync::watch;

use super::TorClient;
use crate::{TorError, TorErrorKind, TorProgress};

/// A start that Arti calls blocked ends after this time without change. Long enough for some retries
/// at other relays, short enough for somebody who looks at it.
const BLOCKED_PATIENCE: Duration = Duration::from_secs(30);

/// The status depends on time too, not only on events.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Bootstraps, telling `progress`; ends with a reason when blocked or out of time.
pub(super) async fn bootstrap(
    tor: &TorClient,
    timeout: Duration,
    progress: &watch::Sender<TorProgress>,
) -> Result<(), TorError> {
    let mut events = tor.bootstrap_events();
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut patience = Patience::default();
    let deadline = tokio::time::sleep(timeout);
    let ready = tor.bootstrap();
    tokio::pin!(deadline, ready);
    loop {
        tokio::select! {
            outcome = &mut ready => {
                outcome.map_err(|e| failure(&tor.bootstrap_status(), &e))?;
                progress.send_replace(TorProgress { percent: 100, stage: READY.into(), blocked: None });
                return Ok(());
            }
            Some(_) = events.next() => {}
            _ = look.tick() => {}
            () = &mut deadline => return Err(out_of_time(&tor.bootstrap_status())),
        }
        let status = tor.bootstrap_status();
        show(&status, progress);
        patience.check(&status)?;
    }
}

/// Keeps `progress` current once Tor runs.
pub(super) async fn monitor(mut events: BootstrapEvents, progress: watch::Sender<TorProgress>) {
    let mut behind = Behind::default();
    while let Some(status) = events.next().await {
        if behind.counts(percent(&status), blockage(&status).is_some()) {
            show(&status, &progress);
        }
    }
}

/// With the directory of an earlier run Arti is ready before its status says so: what the status goes
/// through then is no loss of Tor. (The stream of events begins with the status of that moment.)
#[derive(Default)]
struct Behind {
    caught_up: bool,
}

impl Behind {
    /// Whether a status counts that comes after the start: each after the first that says that Tor is
    /// ready, or that something is in the way.
    const fn counts(&mut self, percent: u8, blocked: bool) -> bool {
        self.caught_up |= percent == 100 || blocked;
        self.caught_up
    }
}

/// How long the start has been blocked, and by what.
#[derive(Default)]
struct Patience(Option<(TorErrorKind, Instant)>);

impl Patience {
    fn check(&mut self, status: &BootstrapStatus) -> Result<(), TorError> {
        let Some(kind) = blockage(status) else {
            self.0 = None;
            return Ok(());
        };
        let (_, since) = *self.0.get_or_insert_with(|| (kind, Instant::now()));
        if since.elapsed() < BLOCKED_PATIENCE {
            Ok(())
        } else {
            Err(TorError::new(kind))
        }
    }
}

const READY: &str = "Connected to Tor";

fn show(status: &BootstrapStatus, progress: &watch::Sender<TorProgress>) {
    let percent = percent(status);
    let blocked = blockage(status).map(TorErrorKind::reason);
    let stage = match (blocked, percent) {
        (Some(Reason::TorClock), _) => "The clock seems to be wrong",
        (Some(_), _) => "Tor seems to be blocked here",
        (None, 100) => READY,
        // Arti counts the connection as 15 of 100, the directory as the rest.
        (None, 0..15) => "Connecting to a Tor relay",
        (None, 15..58) => "Fetching the list of relays",
        (None, _) => "Fetching the relays' keys",
    };
    let now = TorProgress {
        percent,
        stage: stage.into(),
        blocked,
    };
    progress.send_if_modified(|shown| {
        let changed = *shown != now;
        if changed {
            *shown = now;
        }
        changed
    });
}

fn percent(status: &BootstrapStatus) -> u8 {
    if status.ready_for_traffic() {
        return 100;
    }
    // 100 is kept for "ready"; the cast cannot overflow after the clamp.
    (status.as_frac() * 100.0).clamp(0.0, 99.0) as u8
}

fn blockage(status: &BootstrapStatus) -> Option<TorErrorKind> {
    match status.blocked()?.kind() {
        BlockageKind::Disabled => None,
        BlockageKind::ClockSkewed => Some(TorErrorKind::Clock),
        // Directory trouble without connection trouble: often a wrong clock, which Arti then tells
        // in the status's text only.
        BlockageKind::CantBootstrap => clock_is_suspect(status).then_some(TorErrorKind::Clock),
        _ => Some(TorErrorKind::Blocked),
    }
}

/// Arti has no accessor for its estimate of the clock's skew; the text has it, if it is noteworthy.
fn clock_is_suspect(status: &BootstrapStatus) -> bool {
    status.to_string().contains("Clock is")
}

fn out_of_time(status: &BootstrapStatus) -> TorError {
    let kind = blockage(status)
        .or_else(|| clock_is_suspect(status).then_some(TorErrorKind::Clock))
        .unwrap_or(TorErrorKind::BootstrapTimeout);
    let at = percent(status);
    TorError::with_detail(kind, format_args!("stopped at {at} %"))
}

fn failure(status: &BootstrapStatus, error: &arti_client::Error) -> TorError {
    match error.kind() {
        ErrorKind::TorAccessFailed
        | ErrorKind::TorDirectoryError
        | ErrorKind::TorNetworkTimeout
        | ErrorKind::TorDirectoryUnusable
        | ErrorKind::DirectoryExpired => out_of_time(status),
        _ => start_error(error),
    }
}

/// Failures that do not come from the network.
pub(super) fn start_error(error: &arti_client::Error) -> TorError {
    let kind = match error.kind() {
        ErrorKind::SoftwareDeprecated => TorErrorKind::Obsolete,
        ErrorKind::ClockSkew => TorErrorKind::Clock,
        ErrorKind::LocalResourceAlreadyInUse => TorErrorKind::InUse,
        ErrorKind::InvalidConfig | ErrorKind::NoHomeDirectory => TorErrorKind::Config,
        ErrorKind::ArtiShuttingDown | ErrorKind::ReactorShuttingDown => TorErrorKind::Stopped,
        ErrorKind::FsPermissions
        | ErrorKind::PersistentStateAccessFailed
        | ErrorKind::PersistentStateCorrupted
        | ErrorKind::CacheAccessFailed
        | ErrorKind::CacheCorrupted => TorErrorKind::Storage,
        _ => TorErrorKind::Internal,
    };
    // These errors name folders and settings, never addresses.
    TorError::with_detail(kind, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_is_behind_is_no_loss() {
        let mut behind = Behind::default();
        let started = [(0, false), (85, false), (100, false), (92, false)];
        let counts = started.map(|(percent, blocked)| behind.counts(percent, blocked));
        assert_eq!(counts, [false, false, true, true]);
        let mut behind = Behind::default();
        assert!(
            behind.counts(15, true),
            "what is in the way is told at once"
        );
        assert!(behind.counts(15, false));
    }
}
