//! A `tacit` process run as a person would run it: commands in, JSON Lines out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tacit_legs::leash::Leash;
use tacit_tornet::Network;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

/// Events that may wait to be looked at.
const EVENT_BACKLOG: usize = 65_536;

/// Where a process runs.
#[derive(Clone, Debug, Default)]
pub enum Place {
    /// In the network namespace of this process.
    #[default]
    Here,
    /// In a client namespace of a private network.
    Namespace(Arc<Network>, usize),
}

impl Place {
    /// Starts `command` there.
    ///
    /// # Errors
    /// If the program cannot be started or there is no such place.
    fn spawn(&self, mut command: Command) -> std::io::Result<Child> {
        command.kill_on_drop(true);
        match self {
            Self::Here => command.spawn(),
            Self::Namespace(network, index) => {
                let space = network.client(*index).ok_or(std::io::ErrorKind::NotFound)?;
                // The child belongs to the namespace's thread; its pipes to this runtime.
                let runtime = tokio::runtime::Handle::current();
                space.run(move || {
                    let _inside = runtime.enter();
                    command.spawn()
                })
            }
        }
    }
}

/// Where a person's files are.
#[derive(Clone, Debug)]
pub struct Person {
    /// What the other person calls them.
    pub name: &'static str,
    /// Folder for profile, configuration and recordings.
    pub dir: PathBuf,
    /// The configuration file.
    pub config: PathBuf,
    /// The program.
    pub program: PathBuf,
    /// More arguments for every command.
    pub more: Vec<String>,
    /// More environment for every command.
    pub env: Vec<(String, String)>,
    /// Where the program runs.
    pub place: Place,
}

impl Person {
    /// Starts `tacit ARGS --json` with this person's profile and configuration.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn tacit(&self, args: &[&str]) -> Result<Running, String> {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .args(&self.more)
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .arg("--json")
            .arg("--profile")
            .arg(self.dir.join("profile"))
            .arg("--config")
            .arg(&self.config)
            .arg("--passphrase-file")
            .arg(self.dir.join("passphrase"));
        let log = self.dir.join(format!("{}.log", args[0]));
        Running::start_in(self.name, command, &log, &self.place)
    }

    /// Runs `tacit ARGS`, which is to fail with this reason's code.
    ///
    /// # Errors
    /// If it succeeds, fails otherwise, panics or takes longer than `limit`.
    pub async fn refused(
        &self,
        args: &[&str],
        code: &str,
        limit: Duration,
    ) -> Result<Ended, String> {
        let ended = self.tacit(args)?.end(limit).await?;
        ended.failed_with(code)?;
        Ok(ended)
    }

    /// Runs `tacit ARGS` to its end and returns its events.
    ///
    /// # Errors
    /// If it cannot be started, fails or takes longer than `limit`.
    pub async fn run(&self, args: &[&str], limit: Duration) -> Result<Vec<Value>, String> {
        self.tacit(args)?.finish(limit).await
    }
}

/// A running process whose standard output is JSON Lines.
#[derive(Debug)]
pub struct Running {
    who: String,
    /// Before the child, so that it is let go first: whoever is killed leaves nothing running.
    leash: Option<Leash>,
    child: Child,
    stdin: Option<ChildStdin>,
    events: mpsc::Receiver<Value>,
    log: PathBuf,
    /// Length of the log when the process started.
    log_from: u64,
}

/// A process that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Events that nobody had looked at.
    pub events: Vec<Value>,
    /// What it wrote to standard error.
    pub said: String,
}

impl Ended {
    /// The events that nobody had looked at, if it has succeeded.
    ///
    /// # Errors
    /// What it did instead.
    pub fn succeeded(self, who: &str) -> Result<Vec<Value>, String> {
        match self.code {
            Some(0) => Ok(self.events),
            code => Err(format!("{who} failed ({code:?}): {}", self.said)),
        }
    }

    /// Checks for exit code 1 and this reason on standard error.
    ///
    /// # Errors
    /// What it did instead.
    pub fn failed_with(&self, code: &str) -> Result<(), String> {
        let named = self
            .said
            .lines()
            .any(|l| l.trim_end().ends_with(&format!("[{code}]")));
        if self.code == Some(1) && named {
            return Ok(());
        }
        Err(format!(
            "expected exit code 1 and [{code}], found {:?} and: {}",
            self.code, self.said
        ))
    }
}

impl Running {
    /// Starts `command`; what it writes to standard error goes to `log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(who: &str, command: Command, log: &Path) -> Result<Self, String> {
        Self::start_in(who, command, log, &Place::Here)
    }

    /// As [`Running::start`], somewhere else.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_in(
        who: &str,
        mut command: Command,
        log: &Path,
        place: &Place,
    ) -> Result<Self, String> {
        let fail = |e: std::io::Error| format!("{who}: {e}");
        let stderr = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(fail)?;
        let log_from = stderr.metadata().map_err(fail)?.len();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let mut child = place.spawn(command).map_err(fail)?;
        let leash = child.id().map(Leash::hold).transpose().map_err(fail)?;
        let stdout = child
            .stdout
            .take()
            .expect("standard output was piped above");
        let stdin = child.stdin.take();
        let (sender, events) = mpsc::channel(EVENT_BACKLOG);
        let copy = log.with_extension("jsonl");
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            // Left behind for whoever wants to look; a full disk only loses the copy.
            let copy = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&copy);
            let mut copy = copy.ok();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(copy) = &mut copy {
                    let _ = writeln!(copy, "{line}");
                }
                let event = serde_json::from_str(&line)
                    .unwrap_or_else(|_| serde_json::json!({ "event": "not_json", "line": line }));
                if sender.send(event).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            who: who.into(),
            leash,
            child,
            stdin,
            events,
            log: log.into(),
            log_from,
        })
    }

    /// The process's id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for an event that `wanted` accepts, dropping the others.
    ///
    /// # Errors
    /// If it does not come within `limit` or the process ends first.
    pub async fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value, String> {
        let search = async {
            while let Some(event) = self.events.recv().await {
                if wanted(&event) {
                    return Some(event);
                }
            }
            None
        };
        match tokio::time::timeout(limit, search).await {
            Ok(Some(event)) => Ok(event),
            Ok(None) => Err(format!(
                "{} ended before {what}; {}",
                self.who,
                self.last_words()
            )),
            Err(_) => Err(format!(
                "{}: no {what} within {} s; {}",
                self.who,
                limit.as_secs(),
                self.last_words()
            )),
        }
    }

    /// The next event, or `None` once the process has ended.
    pub async fn next(&mut self) -> Option<Value> {
        self.events.recv().await
    }

    /// Types a line.
    ///
    /// # Errors
    /// If the process does not read any more.
    pub async fn type_line(&mut self, line: &str) -> Result<(), String> {
        let stdin = self.stdin.as_mut().ok_or("standard input is closed")?;
        let fail = |e: std::io::Error| format!("{}: {e}", self.who);
        stdin
            .write_all(format!("{line}\n").as_bytes())
            .await
            .map_err(fail)?;
        stdin.flush().await.map_err(fail)
    }

    /// Lets the process come to its own end and returns the events that were left.
    ///
    /// # Errors
    /// If it fails or takes longer than `limit`.
    pub async fn finish(self, limit: Duration) -> Result<Vec<Value>, String> {
        let who = self.who.clone();
        self.end(limit).await?.succeeded(&who)
    }

    /// Waits for the process's own end, however it goes.
    ///
    /// # Errors
    /// If it panicked or takes longer than `limit`; it is killed then.
    pub async fn end(mut self, limit: Duration) -> Result<Ended, String> {
        // Keep reading, or a full pipe would hold the process up.
        let end = async {
            let mut events = Vec::new();
            while let Some(event) = self.events.recv().await {
                events.push(event);
            }
            self.leash = None;
            (events, self.child.wait().await)
        };
        let Ok((events, status)) = tokio::time::timeout(limit, end).await else {
            let (who, s) = (&self.who, limit.as_secs());
            return Err(format!(
                "{who} did not end within {s} s; {}",
                self.last_words()
            ));
        };
        let status = status.map_err(|e| format!("{}: {e}", self.who))?;
        let said = self.said();
        if said.contains("panicked at") {
            return Err(format!("{} panicked: {said}", self.who));
        }
        Ok(Ended {
            code: status.code(),
            events,
            said,
        })
    }

    /// As [`Running::end`], without the cover traffic after a call: presses Ctrl-C once more.
    ///
    /// # Errors
    /// As [`Running::end`].
    pub async fn end_at_once(mut self, limit: Duration) -> Result<Ended, String> {
        self.wait_for("close of the circuits", limit, |e| e["event"] == "closing")
            .await?;
        // It may have ended by itself.
        let _ = self.press_ctrl_c();
        self.end(limit).await
    }

    /// Presses Ctrl-C.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn press_ctrl_c(&self) -> Result<(), String> {
        let pid = self.child.id().and_then(|p| i32::try_from(p).ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or_else(|| format!("{} has ended already", self.who))?;
        rustix::process::kill_process(pid, rustix::process::Signal::INT)
            .map_err(|e| format!("{}: {e}", self.who))
    }

    /// Asks the process to end as Ctrl-C does, and waits for it.
    ///
    /// # Errors
    /// If it does not end within `limit`; it is killed then.
    pub async fn interrupt(self, limit: Duration) -> Result<Option<i32>, String> {
        self.press_ctrl_c()?;
        Ok(self.end(limit).await?.code)
    }

    fn said(&self) -> String {
        let all = std::fs::read(&self.log).unwrap_or_default();
        let from = usize::try_from(self.log_from).unwrap_or(usize::MAX);
        String::from_utf8_lossy(all.get(from..).unwrap_or_default()).into_owned()
    }

    fn last_words(&self) -> String {
        last_line(&self.log)
    }
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let line = text.lines().next_back().unwrap_or("nothing was said");
    format!("its last words: {line} (all of them: {})", log.display())
}

/// CPU time so far and largest resident memory of a process.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system time, seconds.
    pub cpu_s: f64,
    /// Peak resident memory, MB (10⁶ bytes).
    pub peak_rss_mb: f64,
}

/// Reads a process's usage from the kernel.
#[must_use]
pub fn usage(pid: u32) -> Option<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak_kib: f64 = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))?
        .trim()
        .split(' ')
        .next()?
        .parse()
        .ok()?;
    // Fields 14 and 15 after the name in brackets: user and system time in clock ticks of 10 ms,
    // of all threads, those that have ended included.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(Usage {
        cpu_s: ticks / 100.0,
        peak_rss_mb: peak_kib * 1024.0 / 1e6,
    })
}
