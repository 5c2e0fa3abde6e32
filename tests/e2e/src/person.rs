//! A `tacit` process run as a person would run it: commands in, JSON Lines out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

/// Events that may wait to be looked at.
const EVENT_BACKLOG: usize = 65_536;

/// Where a person's files are.
#[derive(Clone, Debug)]
pub struct Person {
    /// How the demo calls them.
    pub name: &'static str,
    /// Folder for profile, configuration and recordings.
    pub dir: PathBuf,
    /// The program.
    pub program: PathBuf,
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
            .arg("--json")
            .arg("--profile")
            .arg(self.dir.join("profile"))
            .arg("--config")
            .arg(self.dir.join("config.toml"))
            .arg("--passphrase-file")
            .arg(self.dir.join("passphrase"));
        Running::start(
            self.name,
            &mut command,
            &self.dir.join(format!("{}.log", args[0])),
        )
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
    child: Child,
    stdin: Option<ChildStdin>,
    events: mpsc::Receiver<Value>,
    log: PathBuf,
}

impl Running {
    /// Starts `command`; what it writes to standard error goes to `log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(who: &str, command: &mut Command, log: &Path) -> Result<Self, String> {
        let fail = |e: std::io::Error| format!("{who}: {e}");
        let stderr = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(fail)?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .map_err(fail)?;
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
            let mut copy = std::fs::File::create(&copy).ok();
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
            child,
            stdin,
            events,
            log: log.into(),
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
    pub async fn finish(mut self, limit: Duration) -> Result<Vec<Value>, String> {
        let end = async {
            let mut events = Vec::new();
            while let Some(event) = self.events.recv().await {
                events.push(event);
            }
            (events, self.child.wait().await)
        };
        let (events, status) = tokio::time::timeout(limit, end).await.map_err(|_| {
            format!(
                "{} did not end within {} s; {}",
                self.who,
                limit.as_secs(),
                last_line(&self.log)
            )
        })?;
        match status {
            Ok(status) if status.success() => Ok(events),
            Ok(status) => Err(format!(
                "{} failed ({status}); {}",
                self.who,
                self.last_words()
            )),
            Err(e) => Err(format!("{}: {e}", self.who)),
        }
    }

    /// Asks the process to end as Ctrl-C does, and waits for it.
    ///
    /// # Errors
    /// If it does not end within `limit`; it is killed then.
    pub async fn interrupt(mut self, limit: Duration) -> Result<Option<i32>, String> {
        if let Some(pid) = self
            .child
            .id()
            .and_then(|p| i32::try_from(p).ok())
            .and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process(pid, rustix::process::Signal::INT)
                .map_err(|e| format!("{}: {e}", self.who))?;
        }
        // Keep reading, or a full pipe would hold the process up.
        let end = async {
            while self.events.recv().await.is_some() {}
            self.child.wait().await
        };
        match tokio::time::timeout(limit, end).await {
            Ok(Ok(status)) => Ok(status.code()),
            Ok(Err(e)) => Err(format!("{}: {e}", self.who)),
            Err(_) => Err(format!(
                "{} did not end {} s after Ctrl-C",
                self.who,
                limit.as_secs()
            )),
        }
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
