//! From nothing to a usable network, each step waited for by what it leaves behind.
//!
//! The authorities' schedule is parked far away while the relays start. Once every authority has
//! every relay's descriptor the schedule is moved so that the first vote comes at once; the first
//! consensus then lists all relays, and the next one is half an hour away.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::addresses::Addresses;
use crate::config::Config;
use crate::identity::{self, Relay, Role};
use crate::process::{Processes, TorProcess};
use crate::progress::{Progress, Stage};
use crate::proxy::Proxies;
use crate::torrc::{self, Listen, VOTE_DELAY, VOTING_INTERVAL};
use crate::workdir::WorkDir;
use crate::{Error, history, keys};

const POLL: Duration = Duration::from_millis(50);
/// The name of the C tor client's directory.
pub(crate) const CLIENT: &str = "client";
/// From moving the schedule to the first consensus: both delays, and time to move it everywhere.
const FIRST_CONSENSUS: u64 = 2 * VOTE_DELAY + 2;
/// Where the schedule is parked: further away than any start may take.
const PARKED: u64 = VOTING_INTERVAL - 60;

/// The callback's type.
pub(crate) type OnProgress = Box<dyn FnMut(Progress) + Send>;

/// A network while it starts.
pub(crate) struct Starting {
    pub(crate) config: Config,
    pub(crate) work: WorkDir,
    pub(crate) processes: Processes,
    cancel: Arc<AtomicBool>,
    begun: Instant,
    deadline: Instant,
    on_progress: OnProgress,
    last: Option<Stage>,
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

    /// Makes every relay's directory, with keys.
    pub(crate) fn relays(&mut self, addresses: &Addresses) -> Result<Vec<Relay>, Error> {
        let Config {
            authorities,
            middles,
            exits,
            ..
        } = self.config;
        let plan = identity::plan(authorities, middles, exits);
        let cache = self
            .config
            .key_cache
            .clone()
            .unwrap_or_else(keys::default_cache);
        let dirs = plan
            .iter()
            .map(|(name, _)| self.work.fresh_node(name))
            .collect::<Result<Vec<PathBuf>, Error>>()?;
        let tor = &self.config.tor;
        let provided = thread::scope(|scope| {
            let threads: Vec<_> = plan
                .iter()
                .zip(&dirs)
                .map(|((name, role), dir)| {
                    let cache = &cache;
                    scope.spawn(move || keys::provide(tor, cache, name, *role, dir))
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("key making does not panic"))
                .collect::<Result<Vec<_>, Error>>()
        })?;
        let made = provided.iter().filter(|(_, made)| *made).count();
        // Making keys happens once a machine and has its own bounds; the clock starts here.
        self.deadline = Instant::now() + self.config.timeout;
        self.report(Stage::Keys { made })?;
        let relay = |(i, ((name, role), (keys, _))): (usize, (_, (keys::Identity, bool)))| Relay {
            name,
            role,
            address: addresses.relay(i),
            rsa_identity: keys.rsa,
            ed_identity: keys.ed,
            v3_identity: keys.v3,
        };
        Ok(plan
            .into_iter()
            .zip(provided)
            .enumerate()
            .map(relay)
            .collect())
    }

    /// Starts every relay and waits until each is owned.
    pub(crate) fn start_relays(
        &mut self,
        relays: &[Relay],
        addresses: &Addresses,
        proxies: Option<&Proxies>,
    ) -> Result<(), Error> {
        let listen = if proxies.is_some() {
            Listen::Hidden
        } else {
            Listen::Advertised
        };
        let authorities = torrc::authority_lines(relays);
        let offset = (unix_seconds() + PARKED) % VOTING_INTERVAL;
        for (index, relay) in relays.iter().enumerate() {
            let data = self.work.path().join(&relay.name);
            write(
                &data,
                "torrc",
                &torrc::relay(relay, &data, &authorities, listen, offset),
            )?;
            write(&data, "state", &history::state_file(unix_seconds()))?;
            let process = TorProcess::spawn(
                &self.config.tor,
                &relay.name,
                &data,
                addresses.space(Some(index)),
            )?;
            if let Some(proxies) = proxies {
                proxies.add_process(process.pid(), &relay.name);
            }
            self.processes.0.push(process);
        }
        self.until("relays open their control sockets", |this| {
            let mut all = true;
            for process in &mut this.processes.0 {
                all &= process.own(false)?;
            }
            Ok(all)
        })?;
        self.report(Stage::Started {
            relays: relays.len(),
        })
    }

    /// Waits until every authority has every descriptor, then has them vote.
    pub(crate) fn vote(&mut self, relays: &[Relay]) -> Result<(), Error> {
        let of = relays.len();
        self.until("authorities learn the relays' descriptors", |this| {
            let mut known = of;
            for relay in relays.iter().filter(|relay| relay.role == Role::Authority) {
                let lines = this.command(&relay.name, "GETINFO desc/all-recent")?;
                known = known.min(lines.iter().filter(|l| l.contains("router ")).count());
            }
            this.report(Stage::Descriptors { known, of })?;
            Ok(known == of)
        })?;
        let offset = (unix_seconds() + FIRST_CONSENSUS) % VOTING_INTERVAL;
        for relay in relays.iter().filter(|relay| relay.role == Role::Authority) {
            let set = format!("SETCONF TestingV3AuthVotingStartOffset={offset}");
            self.command(&relay.name, &set)?;
        }
        self.report(Stage::Voting {
            seconds: FIRST_CONSENSUS,
        })?;
        self.until("authorities agree on a consensus", |this| {
            let directory = this.work.path();
            Ok(relays
                .iter()
                .filter(|relay| relay.role == Role::Authority)
                .all(|relay| has_directory(&directory.join(&relay.name), of)))
        })
    }

    /// Has the other relays fetch the directory now rather than when their retry timers fire.
    pub(crate) fn distribute(&mut self, relays: &[Relay]) -> Result<(), Error> {
        let of = relays.len();
        for relay in relays.iter().filter(|relay| relay.role != Role::Authority) {
            self.command(&relay.name, "SIGNAL RELOAD")?;
        }
        self.until("relays fetch the whole directory", |this| {
            let directory = this.work.path();
            let ready = relays
                .iter()
                .filter(|r| has_directory(&directory.join(&r.name), of))
                .count();
            this.report(Stage::Directory { ready, of })?;
            Ok(ready == of)
        })
    }

    /// Starts the C tor client and waits for its bootstrap.
    pub(crate) fn client(&mut self, relays: &[Relay], addresses: &Addresses) -> Result<(), Error> {
        let data = self.work.fresh_node(CLIENT)?;
        let text = torrc::client(
            &data,
            &torrc::authority_lines(relays),
            addresses.system_tor(),
        );
        write(&data, "torrc", &text)?;
        let process = TorProcess::spawn(&self.config.tor, CLIENT, &data, addresses.space(None))?;
        self.processes.0.push(process);
        self.until("the C tor client bootstraps", |this| {
            let process = this.processes.get(CLIENT).expect("it was just added");
            if !process.own(true)? {
                return Ok(false);
            }
            let phase = process.command("GETINFO status/bootstrap-phase")?.join(" ");
            let percent = bootstrap_percent(&phase);
            this.report(Stage::Client { percent })?;
            Ok(percent == 100)
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

fn write(data: &Path, file: &str, text: &str) -> Result<(), Error> {
    let path = data.join(file);
    fs::write(&path, text).map_err(|e| Error::file(path, e))
}

fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Whether a node has a consensus of `relays` relays and all their microdescriptors.
fn has_directory(data: &Path, relays: usize) -> bool {
    let read = |file: &str| fs::read_to_string(data.join(file)).unwrap_or_default();
    let starting = |text: &str, start: &str| text.lines().filter(|l| l.starts_with(start)).count();
    let consensus = read("cached-microdesc-consensus");
    let descriptors = read("cached-microdescs") + &read("cached-microdescs.new");
    starting(&consensus, "r ") >= relays
        && consensus.contains("\ndirectory-signature ")
        && starting(&descriptors, "ntor-onion-key ") >= relays
}

fn bootstrap_percent(phase: &str) -> u8 {
    phase
        .split(' ')
        .find_map(|word| word.strip_prefix("PROGRESS="))
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentage_is_read_from_a_bootstrap_phase() {
        let phase = "status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=75 TAG=enough_dirinfo";
        assert_eq!(bootstrap_percent(phase), 75);
        assert_eq!(bootstrap_percent("nonsense"), 0);
    }

    #[test]
    fn a_directory_counts_when_every_relay_has_its_microdescriptor() {
        let dir = tempfile::tempdir().unwrap();
        let consensus = "r a\nr b\ndirectory-signature x\n";
        fs::write(dir.path().join("cached-microdesc-consensus"), consensus).unwrap();
        fs::write(dir.path().join("cached-microdescs"), "ntor-onion-key x\n").unwrap();
        assert!(!has_directory(dir.path(), 2));
        fs::write(
            dir.path().join("cached-microdescs.new"),
            "ntor-onion-key y\n",
        )
        .unwrap();
        assert!(has_directory(dir.path(), 2));
        assert!(!has_directory(dir.path(), 3));
    }
}
