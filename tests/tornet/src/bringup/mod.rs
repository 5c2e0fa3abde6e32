//! From nothing to a usable network, each step waited for by what it leaves behind.
//!
//! The authorities' schedule is parked far away while the relays start. Once every authority has
//! every relay's descriptor the schedule is moved so that the first vote comes at once; the first
//! consensus then lists all relays, and the next one is half an hour away.
mod directory;
mod steps;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::process::{Processes, TorProcess};
use crate::progress::{Progress, Stage};
use crate::workdir::WorkDir;
use crate::{Error, keys};

const POLL: Duration = Duration::from_millis(50);
/// The name of the C tor client's directory.
pub(crate) const CLIENT: &str = "client";

/// The callback's type.
pub(crate) type OnProgress = Box<dyn FnMut(Progress) + Send>;

/// A network while it starts.
pub(crate) struct Starting {
    // Fields drop in this order: processes before their directory, and the callback last, so that
    // who waits for its end knows that all has stopped.
    pub(crate) processes: Processes,
    pub(crate) work: WorkDir,
    pub(crate) config: Config,
    cancel: Arc<AtomicBool>,
    begun: Instant,
    deadline: Instant,
    last: Option<Stage>,
    on_progress: OnProgress,
}

impl Starting {
    pub(crate) fn new(
        config: Config,
        on_progress: OnProgress,
        cancel: Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        config.check()?;
        let work = WorkDir::create(config.directory.as_deref())?;
        let begun = Instant::now();
        let deadline = begun + config.timeout;
        let processes = Processes::default();
        Ok(Self {
            config,
            work,
            processes,
            cancel,
            begun,
            deadline,
            on_progress,
            last: None,
        })
    }

    /// Reports a stage unless it is the one reported last.
    pub(crate) fn report(&mut self, stage: Stage) -> Result<(), Error> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        if self.last.as_ref() != Some(&stage) {
            (self.on_progress)(Progress {
                elapsed: self.begun.elapsed(),
                stage: stage.clone(),
            });
            self.last = Some(stage);
        }
        Ok(())
    }

    fn command(&mut self, name: &str, command: &str) -> Result<Vec<String>, Error> {
        self.processes
            .get(name)
            .expect("every relay has a process")
            .command(command)
    }

    /// Polls until `done`; the outside world (files, sockets of other processes) has no other
    /// way to tell.
    fn until(
        &mut self,
        waiting_for: &str,
        mut done: impl FnMut(&mut Self) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        while !done(self)? {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            for process in &mut self.processes.0 {
                process.check()?;
            }
            if Instant::now() > self.deadline {
                return Err(self.timed_out(waiting_for));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn timed_out(&self, waiting_for: &str) -> Error {
        let log = |p: &TorProcess| format!("{}: {}", p.name(), p.complaint());
        Error::Timeout {
            seconds: self.config.timeout.as_secs(),
            waiting_for: format!("waited until {waiting_for}"),
            logs: self
                .processes
                .0
                .iter()
                .map(log)
                .collect::<Vec<_>>()
                .join("; "),
        }
    }
}

/// Whether `tor` answers to `--version`, and what it says.
pub(crate) fn tor_version(tor: &Path) -> Result<String, Error> {
    let output = std::process::Command::new(tor)
        .arg("--version")
        .output()
        .map_err(|e| keys::spawn_error(e, "tor"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().unwrap_or_default();
    Ok(first
        .trim_start_matches("Tor version ")
        .trim_end_matches('.')
        .to_owned())
}
