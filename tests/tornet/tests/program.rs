//! The program `tornet`: its output, its commands, and its end by a signal or by force.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::Value;

/// A running `tornet up --json`; `None` where this machine has no tor.
struct Program {
    child: Child,
    lines: Box<dyn Iterator<Item = Value>>,
    up: Value,
}

impl Program {
    fn start() -> Option<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tornet"))
            .args(["up", "--json", "--middles", "2", "--exits", "1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output
            .lines()
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        match lines.find(|line| line["event"] == "up") {
            Some(up) => Some(Self {
                child,
                lines: Box::new(lines),
                up,
            }),
            None => {
                let error = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
                assert!(error.contains("package `tor`"), "{error}");
                println!("SKIPPED: {error}");
                None
            }
        }
    }

    fn pids(&self) -> Vec<u64> {
        let pids = self.up["pids"].as_array().unwrap();
        pids.iter().map(|pair| pair[1].as_u64().unwrap()).collect()
    }

    fn directory(&self) -> PathBuf {
        PathBuf::from(self.up["directory"].as_str().unwrap())
    }

    fn ask(&mut self, command: &str) -> Value {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{command}").unwrap();
        self.lines.next().unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A killed owner does not wait for its processes; they have ended all the same.
fn wait_until_gone(pids: &[u64]) {
    let limit = Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    for pid in pids {
        let pid = Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
        match pidfd_open(pid, PidfdFlags::empty()) {
            // A process can be read when it has ended.
            Ok(process) => {
                let mut ended = [PollFd::new(&process, PollFlags::IN)];
                let ended = poll(&mut ended, Some(&limit)).unwrap();
                assert_eq!(ended, 1, "a process is left");
            }
            Err(error) => assert_eq!(error, Errno::SRCH),
        }
    }
}

#[test]
fn it_obeys_commands_and_an_interrupt_leaves_nothing() {
    let Some(mut program) = Program::start() else {
        return;
    };
    assert!(Path::new(program.up["arti_config"].as_str().unwrap()).is_file());
    assert_eq!(program.up["relays"].as_array().unwrap().len(), 6);
    let stalled = program.ask("stall auth1 mid1 50");
    assert_eq!(stalled["event"], "stalled");
    assert!(stalled["lasted_ms"].as_f64().unwrap() >= 50.0);
    let connections = program.ask("connections");
    let connections = connections["connections"].as_array().unwrap();
    assert!(
        connections.iter().any(|c| c["from"]["relay"].is_string()),
        "{connections:?}"
    );
    assert_eq!(program.ask("stall auth1 nobody 5")["event"], "error");
    assert_eq!(program.ask("dance")["event"], "error");

    let (pids, directory) = (program.pids(), program.directory());
    program.signal(Signal::INT);
    assert!(program.child.wait().unwrap().success());
    wait_until_gone(&pids);
    assert!(!directory.exists());
}

#[test]
fn killed_hard_it_leaves_no_process() {
    let Some(mut program) = Program::start() else {
        return;
    };
    let (pids, directory) = (program.pids(), program.directory());
    program.signal(Signal::KILL);
    program.child.wait().unwrap();
    wait_until_gone(&pids);
    // Its directory is the next start's to sweep, once it is older than a minute; here it is ours.
    std::fs::remove_dir_all(directory).unwrap();
}
