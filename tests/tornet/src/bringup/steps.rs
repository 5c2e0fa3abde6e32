//! The steps of a start.
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::directory::{bootstrap_percent, has_directory};
use super::{CLIENT, Starting};
use crate::addresses::Addresses;
use crate::config::Config;
use crate::identity::{self, Relay, Role};
use crate::process::TorProcess;
use crate::progress::Stage;
use crate::proxy::Proxies;
use crate::torrc::{self, Listen, VOTE_DELAY, VOTING_INTERVAL};
use crate::{Error, history, keys};

/// From moving the schedule to the first consensus: both delays, and time to move it everywhere.
const FIRST_CONSENSUS: u64 = 2 * VOTE_DELAY + 2;
/// A consensus that has not come by then will not come.
const VOTE_AGAIN: Duration = Duration::from_secs(FIRST_CONSENSUS + 10);
/// Where the schedule is parked: further away than any start may take.
const PARKED: u64 = VOTING_INTERVAL - 60;

impl Starting {
    /// Makes every relay's directory, with keys.
    pub(crate) fn relays(&mut self, addresses: &Addresses) -> Result<Vec<Relay>, Error> {
        let Config {
            authorities,
            middles,
            exits,
            ..
        } = self.config;
        let plan = identity::plan(authorities, middles, exits);
        let provided = self.keys(&plan)?;
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

    /// Every relay's keys, in its directory, and whether they were made now.
    fn keys(&self, plan: &[(String, Role)]) -> Result<Vec<(keys::Identity, bool)>, Error> {
        let cache = self.config.key_cache.clone();
        let cache = &cache.unwrap_or_else(keys::default_cache);
        let tor = &self.config.tor;
        let dirs = plan
            .iter()
            .map(|(name, _)| self.work.fresh_node(name))
            .collect::<Result<Vec<PathBuf>, Error>>()?;
        thread::scope(|scope| {
            let threads: Vec<_> = plan
                .iter()
                .zip(&dirs)
                .map(|((name, role), dir)| {
                    scope.spawn(move || keys::provide(tor, cache, name, *role, dir))
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("key making does not panic"))
                .collect()
        })
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
            let torrc = torrc::relay(relay, &data, &authorities, listen, offset);
            write(&data, "torrc", &torrc)?;
            write(&data, "state", &history::state_file(unix_seconds()))?;
            let (tor, space) = (&self.config.tor, addresses.space(Some(index)));
            let process = TorProcess::spawn(tor, &relay.name, &data, space)?;
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

    /// Waits until every authority has every descriptor.
    pub(crate) fn introduce(&mut self, relays: &[Relay]) -> Result<(), Error> {
        let of = relays.len();
        self.until("authorities learn the relays' descriptors", |this| {
            let mut known = of;
            for authority in authorities(relays) {
                let lines = this.command(&authority.name, "GETINFO desc/all-recent")?;
                known = known.min(lines.iter().filter(|l| l.contains("router ")).count());
            }
            this.report(Stage::Descriptors { known, of })?;
            Ok(known == of)
        })
    }

    /// Has the authorities vote at once, and again if the machine was too slow for that.
    pub(crate) fn vote(&mut self, relays: &[Relay]) -> Result<(), Error> {
        let mut again = Instant::now();
        self.until("authorities agree on a consensus", |this| {
            if Instant::now() >= again {
                this.schedule_vote(relays)?;
                again = Instant::now() + VOTE_AGAIN;
            }
            let directory = this.work.path();
            Ok(authorities(relays)
                .all(|authority| has_directory(&directory.join(&authority.name), relays.len())))
        })
    }

    fn schedule_vote(&mut self, relays: &[Relay]) -> Result<(), Error> {
        let offset = (unix_seconds() + FIRST_CONSENSUS) % VOTING_INTERVAL;
        for authority in authorities(relays) {
            let set = format!("SETCONF TestingV3AuthVotingStartOffset={offset}");
            self.command(&authority.name, &set)?;
        }
        self.report(Stage::Voting {
            seconds: FIRST_CONSENSUS,
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
}

fn authorities(relays: &[Relay]) -> impl Iterator<Item = &Relay> {
    relays.iter().filter(|relay| relay.role == Role::Authority)
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
