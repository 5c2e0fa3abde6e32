//! A program that was started for tests or the demonstration goes with its owner, however that ends.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// Waits for a line on its standard input or for the end of it, then for nothing more.
const SCRIPT: &str = r#"read -r _; kill -KILL "$1""#;

/// Holds a child of this process: if this process ends before the leash is dropped, even by SIGKILL, the
/// child is killed.
///
/// A shell waits at the other end of a pipe, which the kernel closes with whoever holds this end.
#[derive(Debug)]
pub struct Leash(Child);

impl Leash {
    /// Holds the child with this number. To be dropped before the child is waited for: later the number
    /// may be somebody else's.
    ///
    /// # Errors
    ///
    /// When there is no shell.
    pub fn hold(pid: u32) -> io::Result<Self> {
        Command::new("sh")
            .args(["-c", SCRIPT, "leash"])
            .arg(pid.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal is for the owner alone.
            .process_group(0)
            .spawn()
            .map(Self)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        // In this order: waiting closes the pipe. Failures mean that it has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::time::{Duration, Instant};

    use super::*;

    const OWNER: &str = "TACIT_TEST_LEASH_OWNER";
    /// So long the child lives by itself, in seconds.
    const LIFE: u64 = 60;

    fn child() -> Child {
        let mut sleep = Command::new("sleep");
        sleep.arg(LIFE.to_string()).spawn().unwrap()
    }

    /// Run by the test below in a process of its own, which it kills.
    #[test]
    fn owner() {
        if std::env::var_os(OWNER).is_none() {
            return;
        }
        let mut child = child();
        let _leash = Leash::hold(child.id()).unwrap();
        println!("\nholding");
        child.wait().unwrap();
    }

    #[test]
    fn who_is_killed_takes_along_what_it_holds() {
        let mut owner = Command::new(std::env::current_exe().unwrap());
        let mut owner = owner
            .args(["--exact", "leash::tests::owner", "--nocapture"])
            .env(OWNER, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "holding"));
        let began = Instant::now();
        owner.kill().unwrap();
        owner.wait().unwrap();
        // The child has the same standard output, which ends with the last who has it.
        assert!(lines.all(|line| line.is_ok()));
        assert!(began.elapsed() < Duration::from_secs(LIFE / 2));
    }

    #[test]
    fn what_is_let_go_lives_on() {
        let mut child = child();
        drop(Leash::hold(child.id()).unwrap());
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
