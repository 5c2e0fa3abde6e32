//! What Tacit needs of Debian, why, and how to see that it is there.

use crate::command::{is_installed, program};

/// What is to be done on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Build, and place the demonstration's calls.
    Demo,
    /// That, and every test.
    Test,
}

/// A Debian package.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
    needed: Need,
    probe: Probe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Always,
    Tests,
    /// For the test through PulseAudio. A desktop may run another sound server that this one would
    /// replace, so it is asked for apart, and never at the price of removing anything.
    SoundTest,
}

/// How to see that a package's content is there, whoever installed it.
#[derive(Debug)]
enum Probe {
    Program(&'static str),
    Library(&'static str),
    Python(&'static str),
    Installed,
}

const PACKAGES: &[Package] = &[
    Package::new(
        "tor",
        Need::Always,
        Probe::Program("tor"),
        "relays of the private Tor network",
    ),
    Package::new(
        "coturn",
        Need::Always,
        Probe::Program("turnserver"),
        "the TURN server of TURN legs",
    ),
    Package::new(
        "cmake",
        Need::Always,
        Probe::Program("cmake"),
        "builds libopus, the audio codec",
    ),
    Package::new(
        "pkg-config",
        Need::Always,
        Probe::Program("pkg-config"),
        "finds ALSA when building",
    ),
    Package::new(
        "libasound2-dev",
        Need::Always,
        Probe::Library("alsa"),
        "sound devices (ALSA)",
    ),
    Package::new(
        "asterisk-core-sounds-en-g722",
        Need::Always,
        Probe::Installed,
        "recorded speech for the demonstration's calls (CC BY-SA 3.0)",
    ),
    Package::new(
        "iproute2",
        Need::Tests,
        Probe::Program("ip"),
        "network namespaces of the leak test",
    ),
    Package::new(
        "python3",
        Need::Tests,
        Probe::Program("python3"),
        "the second implementation of the protocol",
    ),
    Package::new(
        "python3-venv",
        Need::Tests,
        Probe::Python("import venv, ensurepip"),
        "the second implementation of the protocol",
    ),
    Package::new(
        "pulseaudio",
        Need::SoundTest,
        Probe::Program("pulseaudio"),
        "sound devices without hardware",
    ),
    Package::new(
        "pulseaudio-utils",
        Need::SoundTest,
        Probe::Program("pactl"),
        "sets those devices up",
    ),
    Package::new(
        "libasound2-plugins",
        Need::SoundTest,
        Probe::Installed,
        "leads ALSA to PulseAudio",
    ),
];

impl Package {
    const fn new(name: &'static str, needed: Need, probe: Probe, why: &'static str) -> Self {
        Self {
            name,
            why,
            needed,
            probe,
        }
    }

    fn is_there(&self) -> bool {
        match self.probe {
            Probe::Program(name) => is_installed(name),
            Probe::Library(name) => program("pkg-config", &["--exists", name]).succeeds(),
            Probe::Python(code) => program("python3", &["-c", code]).succeeds(),
            Probe::Installed => program("dpkg", &["-s", self.name]).succeeds(),
        }
    }
}

/// Packages without which the purpose fails.
pub(crate) fn missing(purpose: Purpose) -> Vec<&'static Package> {
    let needed = |need| need == Need::Always || (need == Need::Tests && purpose == Purpose::Test);
    PACKAGES
        .iter()
        .filter(|p| needed(p.needed) && !p.is_there())
        .collect()
}

/// Packages without which one test is skipped.
pub(crate) fn missing_for_sound(purpose: Purpose) -> Vec<&'static Package> {
    let wanted = purpose == Purpose::Test;
    PACKAGES
        .iter()
        .filter(|p| wanted && p.needed == Need::SoundTest && !p.is_there())
        .collect()
}
