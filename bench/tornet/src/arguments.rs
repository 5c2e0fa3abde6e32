//! The options as a command line gives them.

use core::time::Duration;

use clap::Args;
use tacit_circuits::Mode;

use crate::options::{NagleOff, Options, Pattern};

/// What to measure. The defaults take about fifteen minutes.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// TURN legs, onion legs, or one after the other.
    #[arg(long, value_delimiter = ',', default_value = "turn,onion")]
    mode: Vec<Mode>,
    /// Added delay of each link, one way, in milliseconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=1000))]
    link_ms: u64,
    /// Mean random extra of each link, in milliseconds.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=100))]
    jitter_ms: u64,
    /// Times between two packets of one leg, in milliseconds: multiples of 20.
    #[arg(long, value_delimiter = ',', default_value = "20,40,80,160")]
    spacing: Vec<u64>,
    /// alone: one leg and nothing else. call: 50 packets a second, by turns on as many legs as make
    /// the spacing of each.
    #[arg(long, value_delimiter = ',', default_value = "alone,call")]
    pattern: Vec<Pattern>,
    /// Where relays get TCP_NODELAY. none: as tor is. inner: between relays, where the public network's
    /// connections are busy. late: as inner, and clients acknowledge late. all: everywhere.
    #[arg(long, value_delimiter = ',', default_value = "none,late,inner,all")]
    nodelay: Vec<NagleOff>,
    /// Length of each measurement.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(2..=3600))]
    seconds: u64,
}

impl From<Arguments> for Options {
    fn from(arguments: Arguments) -> Self {
        let spacings = arguments.spacing.iter();
        Self {
            modes: arguments.mode,
            link: Duration::from_millis(arguments.link_ms),
            jitter: Duration::from_millis(arguments.jitter_ms),
            spacings: spacings.map(|ms| Duration::from_millis(*ms)).collect(),
            patterns: arguments.pattern,
            nagle_off: arguments.nodelay,
            length: Duration::from_secs(arguments.seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn options(line: &[&str]) -> Result<Options, clap::Error> {
        let line = [&["program"], line].concat();
        Program::try_parse_from(line).map(|program| program.arguments.into())
    }

    #[test]
    fn without_arguments_the_options_are_the_default() {
        assert_eq!(options(&[]).ok(), Some(Options::default()));
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let options = options(&[
            "--mode",
            "onion",
            "--spacing",
            "20,60",
            "--nodelay",
            "none,all",
        ]);
        let options = options.expect("they are fine");
        assert_eq!(options.modes, [Mode::Onion]);
        assert_eq!(options.spacings, [20, 60].map(Duration::from_millis));
        assert_eq!(options.nagle_off, [NagleOff::None, NagleOff::All]);
    }

    #[test]
    fn what_is_no_option_is_refused() {
        assert!(options(&["--mode", "pigeon"]).is_err());
        assert!(options(&["--seconds", "1"]).is_err());
    }
}
