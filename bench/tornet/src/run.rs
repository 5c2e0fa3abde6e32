//! From nothing to a report.

use core::fmt;
use core::pin::{Pin, pin};
use core::time::Duration;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use tacit_circuits::Mode;
use tacit_legs::coturn::{Coturn, CoturnOptions};
use tacit_legs::shell::Clock;
use tacit_tornet::{Config, Link, Namespace, Network, Nodelay, Progress, SystemTor, set_nodelay};
use tacit_types::Timestamp;
use tokio::sync::mpsc;

use crate::Error;
use crate::legs::{self, Pair, Scene};
use crate::measure::{Plan, measure};
use crate::options::{NagleOff, Options, Pattern};
use crate::person::Person;
use crate::predict::{Question, predict};
use crate::report::{Delays, Report, Row};

/// Namespaces of the two people and of coturn.
const CLIENTS: u8 = 3;
const COTURN: usize = 2;

/// How far it is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// The network starts.
    Network(Progress),
    /// Both people's Tor clients start.
    People,
    /// Legs of a mode are opened: so many.
    Legs(Mode, u8),
    /// A measurement begins.
    Measuring {
        /// Which.
        number: usize,
        /// Of how many.
        of: usize,
        /// What all that are left will take.
        left: Duration,
    },
    /// One is done.
    Measured(Box<Row>),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(progress) => write!(f, "relays: {progress}"),
            Self::People => write!(f, "starting two Tor clients"),
            Self::Legs(mode, legs) => write!(f, "opening {legs} {mode} legs"),
            Self::Measuring { number, of, left } => {
                write!(f, "measuring {number} of {of}, {} s left", left.as_secs())
            }
            Self::Measured(row) => write!(f, "{row}"),
        }
    }
}

/// Starts a network, measures, and ends it. Once `stop` is over, everything ends as well, with
/// [`Error::Interrupted`]; when this returns, all relays have ended.
///
/// # Errors
/// When a program or the right to make network namespaces is missing, or a part does not come up.
pub async fn run(
    options: &Options,
    mut progress: impl FnMut(Step),
    stop: impl Future<Output = ()>,
) -> Result<Report, Error> {
    options.check()?;
    if options.modes.contains(&Mode::Turn) && !Coturn::is_installed() {
        let what = "`turnserver` is not installed: install Debian's package `coturn`";
        return Err(Error::Missing(what.into()));
    }
    let mut stop = pin!(stop);
    let network = start(options, &mut progress, stop.as_mut()).await?;
    let measured = tokio::select! {
        measured = with_people(options, &network, &mut progress) => measured,
        () = stop => Err(Error::Interrupted),
    };
    // Waits for processes, which a runtime's worker should not.
    let ended = tokio::task::spawn_blocking(move || network.stop()).await;
    ended.map_err(|e| Error::leg("ending the relays", e))?;
    measured
}

async fn start(
    options: &Options,
    progress: &mut impl FnMut(Step),
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> Result<Network, Error> {
    let config = Config {
        link: Link::Namespaces {
            clients: CLIENTS,
            one_way: options.link,
            jitter: options.jitter,
        },
        system_tor: SystemTor::Stop,
        ..Config::default()
    };
    let (tell, mut told) = mpsc::unbounded_channel();
    // Nobody listens any more once it was interrupted.
    let start = Network::start(config, move |step| drop(tell.send(step)));
    let network = {
        let mut start = pin!(start);
        loop {
            tokio::select! {
                network = &mut start => break Some(network?),
                Some(step) = told.recv() => progress(Step::Network(step)),
                () = &mut stop => break None,
            }
        }
    };
    // After an interruption, the callback goes when all that had started is stopped.
    while let Some(step) = told.recv().await {
        progress(Step::Network(step));
    }
    network.ok_or(Error::Interrupted)
}

async fn with_people(
    options: &Options,
    network: &Network,
    progress: &mut impl FnMut(Step),
) -> Result<Report, Error> {
    progress(Step::People);
    let people = futures::try_join!(
        Person::start(space(network, 0)?, network),
        Person::start(space(network, 1)?, network)
    )?;
    let people = [people.0, people.1];
    let report = Measuring {
        options,
        network,
        people: &people,
        clock: clock(),
        done: 0,
    }
    .all(progress)
    .await;
    futures::future::join_all(people.map(Person::stop)).await;
    report
}

fn space(network: &Network, index: usize) -> Result<&Namespace, Error> {
    let missing = || Error::leg("a network namespace", "there is none");
    network.client(index).ok_or_else(missing)
}

/// One for both people: what makes delays one way.
fn clock() -> Clock {
    let origin = Instant::now();
    Arc::new(move || {
        Timestamp::from_micros(u64::try_from(origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    })
}

struct Measuring<'a> {
    options: &'a Options,
    network: &'a Network,
    people: &'a [Person; 2],
    clock: Clock,
    done: usize,
}

impl Measuring<'_> {
    async fn all(mut self, progress: &mut impl FnMut(Step)) -> Result<Report, Error> {
        let Options { link, jitter, .. } = self.options;
        let ms = |time: &Duration| time.as_secs_f64() * 1e3;
        let mut report = Report {
            tor: self.network.tor_version().to_owned(),
            model: tacit_circuits::VERSION,
            link_ms: ms(link),
            jitter_ms: ms(jitter),
            relay_connections: [0; 2],
            coturn_connections: None,
            load: None,
            rows: Vec::new(),
        };
        for mode in &self.options.modes {
            self.mode(*mode, &mut report, progress).await?;
        }
        report.load = load();
        Ok(report)
    }

    async fn mode(
        &mut self,
        mode: Mode,
        report: &mut Report,
        progress: &mut impl FnMut(Step),
    ) -> Result<(), Error> {
        let legs = self.options.legs();
        progress(Step::Legs(mode, legs));
        let scene = Scene {
            people: [&self.people[0], &self.people[1]],
            clock: &self.clock,
            legs,
        };
        let (mut pairs, coturn) = match mode {
            Mode::Turn => {
                let coturn = coturn(space(self.network, COTURN)?)?;
                (legs::turn(scene, &coturn).await?, Some(coturn))
            }
            Mode::Onion => (legs::onion(scene).await?, None),
        };
        let found = |found: Nodelay| [found.connections, found.had];
        if self.done == 0 {
            // As tor made them, before anything is set.
            report.relay_connections = found(self.network.set_nodelay(|_, had| had)?);
        }
        let server = coturn.as_ref().map(|c| set_nodelay(c.id(), |_, had| had));
        let server = server.transpose()?.map(found);
        report.coturn_connections = report.coturn_connections.or(server);
        let server_holds = server.is_some_and(|[_, had]| had == 0);
        for (pattern, spacing, nagle_off) in self.settings() {
            self.set(nagle_off, coturn.as_ref(), !server_holds)?;
            progress(self.step());
            let plan = Plan {
                pattern,
                spacing,
                length: self.options.length,
            };
            let row = self.row(mode, nagle_off, plan, &mut pairs).await?;
            progress(Step::Measured(Box::new(row.clone())));
            report.rows.push(row);
            self.done += 1;
        }
        Ok(())
    }

    /// Of one mode, those next to each other that are compared.
    fn settings(&self) -> Vec<(Pattern, Duration, NagleOff)> {
        let mut all = Vec::new();
        for pattern in &self.options.patterns {
            for spacing in &self.options.spacings {
                let off = self.options.nagle_off.iter();
                all.extend(off.map(|off| (*pattern, *spacing, *off)));
            }
        }
        all
    }

    fn step(&self) -> Step {
        let of = self.settings().len() * self.options.modes.len();
        let left = u32::try_from(of - self.done).unwrap_or(u32::MAX);
        Step::Measuring {
            number: self.done + 1,
            of,
            left: (self.options.length + Duration::from_secs(1)) * left,
        }
    }

    fn set(&self, off: NagleOff, coturn: Option<&Coturn>, server: bool) -> Result<(), Error> {
        let relays = self
            .network
            .relays()
            .iter()
            .map(|relay| relay.address.into());
        let relays: Vec<IpAddr> = relays.collect();
        let is_relay = |peer: SocketAddr| relays.contains(&peer.ip());
        self.network.set_nodelay(|peer, _| match off {
            NagleOff::None => false,
            NagleOff::Inner | NagleOff::Late => is_relay(peer),
            NagleOff::All => true,
        })?;
        if let Some(coturn) = coturn {
            set_nodelay(coturn.id(), |_, _| off == NagleOff::All || server)?;
        }
        for person in self.people {
            person.tor().acknowledge_at_once(off != NagleOff::Late);
        }
        Ok(())
    }

    async fn row(
        &self,
        mode: Mode,
        nagle_off: NagleOff,
        plan: Plan,
        pairs: &mut [Pair],
    ) -> Result<Row, Error> {
        let measured = measure(pairs, &self.clock, plan).await?;
        let links = pairs.iter().take(plan.legs()).map(|pair| pair.links);
        let shortest = links.min_by_key(|[a, b]| a + b).unwrap_or_default();
        let floors = shortest.map(|links| self.options.link * links);
        let question = Question {
            mode,
            nagle: nagle_off != NagleOff::All,
            quick_ack: nagle_off != NagleOff::Late,
            legs: plan.legs(),
            slot: plan.slot(),
            floors,
        };
        let simulated = tokio::task::spawn_blocking(move || predict(question)).await;
        let simulated = simulated.map_err(|e| Error::leg("the prediction", e))?;
        let nothing = || Error::leg("a measurement", "no packet arrived");
        let least_ms = measured
            .delays
            .iter()
            .copied()
            .fold(f64::INFINITY, f64::min);
        Ok(Row {
            mode: mode.to_string(),
            pattern: plan.pattern,
            spacing_ms: u64::try_from(plan.spacing.as_millis()).unwrap_or(u64::MAX),
            legs: plan.legs(),
            nodelay: nagle_off,
            floor_ms: (floors[0] + floors[1]).as_secs_f64() * 1e3,
            packets: 2 * plan.packets().1,
            lost: measured.lost,
            least_ms,
            measured_ms: Delays::of(measured.delays).ok_or_else(nothing)?,
            simulated_ms: Delays::of(simulated).ok_or_else(nothing)?,
        })
    }
}

fn coturn(space: &Namespace) -> Result<Coturn, Error> {
    let options = CoturnOptions {
        ip: space.address().into(),
        ..CoturnOptions::default()
    };
    let coturn = space.run(move || Coturn::start(options));
    coturn.map_err(|e| Error::leg("starting coturn", e))
}

/// The machine's load over the last minute, where the system tells it.
fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}
