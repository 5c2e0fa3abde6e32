//! How far the start has come.
use std::fmt;
use std::time::Duration;

/// One step of the start, with the time since it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Time since [`Network::start`](crate::Network::start).
    pub elapsed: Duration,
    /// The step.
    pub stage: Stage,
}

/// The steps of a start, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Every relay has its keys.
    Keys {
        /// Relays whose keys had to be made.
        made: usize,
    },
    /// Every tor process runs.
    Started {
        /// How many.
        relays: usize,
    },
    /// Authorities learn the relays' descriptors.
    Descriptors {
        /// Descriptors at the authority that has the fewest.
        known: usize,
        /// Relays in all.
        of: usize,
    },
    /// The authorities will publish the first consensus in so many seconds.
    Voting {
        /// Seconds until then.
        seconds: u64,
    },
    /// Relays fetch the consensus and the microdescriptors.
    Directory {
        /// Relays that have all of it.
        ready: usize,
        /// Relays in all.
        of: usize,
    },
    /// The C tor client's own bootstrap.
    Client {
        /// Its percentage.
        percent: u8,
    },
    /// Clients may come.
    Usable,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:5.1} s  ", self.elapsed.as_secs_f64())?;
        match &self.stage {
            Stage::Keys { made: 0 } => write!(f, "keys: all from the cache"),
            Stage::Keys { made } => write!(f, "keys: made for {made} relays"),
            Stage::Started { relays } => write!(f, "started {relays} relays"),
            Stage::Descriptors { known, of } => {
                write!(f, "authorities know {known} of {of} relays")
            }
            Stage::Voting { seconds } => write!(f, "authorities publish in {seconds} s"),
            Stage::Directory { ready, of } => {
                write!(f, "{ready} of {of} relays have the whole directory")
            }
            Stage::Client { percent } => write!(f, "C tor client at {percent} %"),
            Stage::Usable => write!(f, "usable"),
        }
    }
}
