//! A private PulseAudio daemon with null sinks: real sound devices on a machine without any.
//!
//! ```text
//!   program (or paplay) --> null sink --> its monitor --> parec, or a program's microphone
//! ```
//!
//! The daemon is this process's own child with a run-time folder of its own, and ends with the
//! value, or by itself after two minutes without a client when its starter was killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The daemon answers within half a second; a loaded machine gets more.
const START_TIMEOUT: Duration = Duration::from_secs(20);

const POLL: Duration = Duration::from_millis(50);

/// For programs that use ALSA: the daemon, and nothing else.
const ALSA_CONFIG: &str = "\
pcm.!default { type pulse hint { show on description \"PulseAudio\" } }
ctl.!default { type pulse }
pcm.pulse { type pulse hint { show on description \"PulseAudio\" } }
";

/// Debian packages that this module needs.
pub const PACKAGES: [&str; 2] = ["pulseaudio", "pulseaudio-utils"];

/// Why there are no null sinks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PulseError {
    /// A program is not installed: the test reports itself as skipped.
    #[error("{0} is not installed (Debian: {packages})", packages = PACKAGES.join(", "))]
    Missing(&'static str),
    /// The daemon did not come up.
    #[error("pulseaudio did not start: {0}")]
    Start(String),
    /// The operating system refused something.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// A running daemon. Dropping it stops it.
#[derive(Debug)]
pub struct PulseNullSinks {
    daemon: Child,
    folder: TempDir,
    sinks: Vec<String>,
}

impl PulseNullSinks {
    /// Two sinks, `microphone` and `loudspeaker`; the default input is the microphone's monitor,
    /// the default output the loudspeaker.
    ///
    /// # Errors
    /// [`PulseError::Missing`] where it is not installed.
    pub fn start() -> Result<Self, PulseError> {
        Self::start_with(&["microphone", "loudspeaker"])
    }

    /// Sinks of these names. The first one's monitor is the default input, the last one the default
    /// output. Two people in a call take a daemon each, or name their devices.
    ///
    /// # Errors
    /// [`PulseError::Missing`] where it is not installed.
    pub fn start_with(sinks: &[&str]) -> Result<Self, PulseError> {
        for program in ["pulseaudio", "pactl", "parec", "paplay"] {
            require(program)?;
        }
        let folder = tempfile::Builder::new().prefix("tacit-pulse-").tempdir()?;
        std::fs::create_dir(folder.path().join("home"))?;
        std::fs::write(folder.path().join("asound.conf"), ALSA_CONFIG)?;
        let sinks = sinks.iter().map(|&s| s.to_owned()).collect::<Vec<_>>();
        let daemon = spawn_daemon(folder.path(), &sinks)?;
        let mut this = Self {
            daemon,
            folder,
            sinks,
        };
        this.wait_until_it_answers()?;
        Ok(this)
    }

    /// Stops the daemon and starts it again at the same place: every client loses its device.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> Result<(), PulseError> {
        self.stop();
        self.daemon = spawn_daemon(self.folder.path(), &self.sinks)?;
        self.wait_until_it_answers()
    }

    /// Stops the daemon: every client loses its device. [`restart`](Self::restart) brings it back.
    pub fn stop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = std::fs::remove_file(socket(self.folder.path()));
    }

    /// Environment for a program that shall find this daemon and no other sound.
    #[must_use]
    pub fn env(&self) -> Vec<(&'static str, String)> {
        client_env(self.folder.path())
    }

    /// Makes another sink the default output and another sink's monitor the default input.
    #[must_use]
    pub fn set_defaults(&self, source: &str, sink: &str) -> bool {
        self.pactl(&["set-default-source", &format!("{source}.monitor")])
            && self.pactl(&["set-default-sink", sink])
    }

    /// Records what is played to a sink into a WAV file (48 kHz mono 16 bits) until the value is
    /// dropped.
    ///
    /// # Errors
    /// When `parec` cannot be started.
    pub fn record(&self, sink: &str, wav: &Path) -> Result<PulseClient, PulseError> {
        self.client(
            "parec",
            &format!("{sink}.monitor"),
            wav,
            &["--file-format=wav"],
        )
    }

    /// Plays a WAV file into a sink. [`PulseClient::wait`] waits for its end.
    ///
    /// # Errors
    /// When `paplay` cannot be started.
    pub fn play(&self, sink: &str, wav: &Path) -> Result<PulseClient, PulseError> {
        self.client("paplay", sink, wav, &[])
    }

    fn client(
        &self,
        program: &str,
        device: &str,
        wav: &Path,
        more: &[&str],
    ) -> Result<PulseClient, PulseError> {
        let format: &[&str] = match program {
            "parec" => &["--rate=48000", "--channels=1", "--format=s16le"],
            _ => &[],
        };
        let child = Command::new(program)
            .arg(format!("--device={device}"))
            .args(["--latency-msec=20"])
            .args(format)
            .args(more)
            .arg(wav)
            .envs(self.env())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(PulseClient(child))
    }

    fn wait_until_it_answers(&mut self) -> Result<(), PulseError> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.daemon.try_wait()? {
                return Err(PulseError::Start(format!(
                    "{status}; {}",
                    self.last_words()
                )));
            }
            if self.answers() {
                return Ok(());
            }
            if begin.elapsed() > START_TIMEOUT {
                return Err(PulseError::Start(format!(
                    "no answer; {}",
                    self.last_words()
                )));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Whether it answers and has taken the default devices.
    fn answers(&self) -> bool {
        match self.sinks.as_slice() {
            [first, .., last] => self.set_defaults(first, last),
            _ => self.pactl(&["info"]),
        }
    }

    fn pactl(&self, args: &[&str]) -> bool {
        Command::new("pactl")
            .args(args)
            .envs(self.env())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines().last().unwrap_or("it wrote nothing").to_owned()
    }
}

impl Drop for PulseNullSinks {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A running `parec` or `paplay`. Dropping it ends it, politely: a recorder completes its file.
#[derive(Debug)]
pub struct PulseClient(Child);

impl PulseClient {
    /// Waits until the program ends by itself; true when it was content.
    ///
    /// # Errors
    /// When the operating system cannot tell.
    pub fn wait(mut self) -> Result<bool, PulseError> {
        Ok(self.0.wait()?.success())
    }
}

impl Drop for PulseClient {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        // SIGINT by the shell's own kill: std can only send SIGKILL, which loses the WAV header.
        let asked = Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .status();
        let begin = Instant::now();
        while asked.as_ref().is_ok_and(std::process::ExitStatus::success)
            && begin.elapsed() < Duration::from_secs(2)
            && self.0.try_wait().is_ok_and(|status| status.is_none())
        {
            std::thread::sleep(POLL);
        }
        // Already gone in most cases.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn require(program: &'static str) -> Result<(), PulseError> {
    match Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
    {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(PulseError::Missing(program)),
        Err(e) => Err(e.into()),
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("native")
}

fn client_env(folder: &Path) -> Vec<(&'static str, String)> {
    let path = |name: &str| folder.join(name).display().to_string();
    vec![
        ("XDG_RUNTIME_DIR", folder.display().to_string()),
        ("PULSE_RUNTIME_PATH", folder.display().to_string()),
        ("PULSE_SERVER", format!("unix:{}", socket(folder).display())),
        ("PULSE_COOKIE", path("cookie")),
        ("ALSA_CONFIG_PATH", path("asound.conf")),
    ]
}

fn spawn_daemon(folder: &Path, sinks: &[String]) -> Result<Child, PulseError> {
    let log = std::fs::File::create(folder.join("log"))?;
    let mut command = Command::new("pulseaudio");
    command
        .args([
            "-n",
            "--daemonize=no",
            "--system=false",
            "--use-pid-file=no",
        ])
        .args([
            "--exit-idle-time=120",
            "--disable-shm=yes",
            "--realtime=no",
            "--high-priority=no",
        ])
        .arg(format!(
            "--load=module-native-protocol-unix auth-anonymous=1 socket={}",
            socket(folder).display()
        ));
    for sink in sinks {
        command.arg(format!(
            "--load=module-null-sink sink_name={sink} rate=48000 channels=2"
        ));
    }
    let child = command
        .envs(client_env(folder))
        .env_remove("PULSE_SERVER")
        .env("HOME", folder.join("home"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    Ok(child)
}
