//! Tor processes: started, owned, and stopped by their own pid.
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Error;
use crate::control::Control;
use crate::keys::spawn_error;
use crate::netns::Namespace;

/// tor exits within milliseconds of SIGTERM; what does not is killed.
const TERM_GRACE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(10);
/// How much of a log's end is looked at.
const LOG_TAIL: usize = 64 * 1024;

/// One running tor.
#[derive(Debug)]
pub(crate) struct TorProcess {
    name: String,
    data: PathBuf,
    child: Child,
    control: Option<Control>,
}

impl TorProcess {
    /// Starts tor on `data/torrc`, in a namespace if there is one.
    pub(crate) fn spawn(
        tor: &Path,
        name: &str,
        data: &Path,
        space: Option<&Namespace>,
    ) -> Result<Self, Error> {
        let empty = data.join("empty");
        fs::write(&empty, "").map_err(|e| Error::file(&empty, e))?;
        let out = data.join("stdout.log");
        let log = File::create(&out).map_err(|e| Error::file(&out, e))?;
        let log2 = log.try_clone().map_err(|e| Error::file(&out, e))?;
        let mut command = Command::new(tor);
        command
            .arg("-f")
            .arg(data.join("torrc"))
            .arg("--defaults-torrc")
            .arg(&empty)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log2)
            // Ctrl-C in a terminal goes to the owner alone, which then stops in its own order.
            .process_group(0);
        let child = match space {
            Some(space) => space.spawn(command),
            None => command.spawn(),
        };
        let child = child.map_err(|e| spawn_error(e, "tor"))?;
        Ok(Self {
            name: name.to_owned(),
            data: data.to_owned(),
            child,
            control: None,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Takes ownership over the control socket once it exists.
    pub(crate) fn own(&mut self, cookie: bool) -> Result<bool, Error> {
        self.check()?;
        if self.control.is_none() {
            self.control = Control::connect(&self.name, &self.data, cookie)?;
        }
        Ok(self.control.is_some())
    }

    /// Sends a control command.
    pub(crate) fn command(&mut self, command: &str) -> Result<Vec<String>, Error> {
        match &mut self.control {
            Some(control) => control.command(command),
            None => Err(Error::Control {
                relay: self.name.clone(),
                reply: "not connected".into(),
            }),
        }
    }

    /// Fails if the process ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(Error::RelayEnded {
                relay: self.name.clone(),
                log: self.complaint(),
            }),
            Err(source) => Err(Error::System {
                what: "waiting for tor",
                source,
            }),
        }
    }

    /// The last warning or error in the log, or its last line.
    pub(crate) fn complaint(&self) -> String {
        let text = ["notice.log", "stdout.log"]
            .iter()
            .map(|file| fs::read(self.data.join(file)).unwrap_or_default())
            .find(|bytes| !bytes.is_empty())
            .unwrap_or_default();
        let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_TAIL)..]);
        let complains = |line: &&str| line.contains("[warn]") || line.contains("[err]");
        tail.lines()
            .rfind(complains)
            .or(tail.lines().last())
            .unwrap_or("nothing")
            .to_owned()
    }

    /// Ends the process at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.control = None;
        // Failures mean that it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn terminate(&mut self) {
        if self.ended() {
            return;
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // The child has not been waited for, so the pid cannot belong to anyone else.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

/// All tor processes of a network; dropping stops them.
#[derive(Debug, Default)]
pub(crate) struct Processes(pub(crate) Vec<TorProcess>);

impl Processes {
    /// The process called `name`.
    pub(crate) fn get(&mut self, name: &str) -> Option<&mut TorProcess> {
        self.0.iter_mut().find(|process| process.name == name)
    }

    /// Stops one process gently and forgets it.
    pub(crate) fn stop(&mut self, name: &str) {
        if let Some(index) = self.0.iter().position(|process| process.name == name) {
            drop(Self(vec![self.0.swap_remove(index)]));
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(TorProcess::terminate);
        let deadline = Instant::now() + TERM_GRACE;
        while Instant::now() < deadline && !self.0.iter_mut().all(TorProcess::ended) {
            thread::sleep(POLL);
        }
        self.0.iter_mut().for_each(TorProcess::kill);
    }
}
