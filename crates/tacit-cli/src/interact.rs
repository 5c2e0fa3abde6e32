//! What comes from the person: signals, and during a call what is typed, one letter or word a line.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU8, Ordering};

use tacit_types::Reason;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// A wish to end that nobody has taken yet. It is kept between two waits: a listener that is made
/// anew for each wait would miss what comes in between.
static INTERRUPTED: Notify = Notify::const_new();
/// The first signal that asked for the end; 0 while none has.
static SIGNAL: AtomicU8 = AtomicU8::new(0);

/// Begins to listen for Ctrl-C, for SIGTERM and for the end of the terminal, which all mean the same;
/// to be called once, inside the runtime.
pub(crate) fn listen_for_signals() -> std::io::Result<()> {
    heed(SignalKind::interrupt())?;
    heed(SignalKind::terminate())?;
    // Who has started this program so that it outlives its terminal (nohup) wants that.
    if !ignored(SignalKind::hangup()) {
        heed(SignalKind::hangup())?;
    }
    Ok(())
}

fn heed(kind: SignalKind) -> std::io::Result<()> {
    let mut signals = signal(kind)?;
    let number = u8::try_from(kind.as_raw_value()).unwrap_or_default();
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            // Only the first one counts for the exit code.
            let _ = SIGNAL.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
            INTERRUPTED.notify_one();
            if kind == SignalKind::hangup() {
                // The kernel and the shell may both tell of one terminal's end, and the second time
                // must not cut the orderly end short as a second Ctrl-C does.
                return;
            }
        }
    });
    Ok(())
}

/// Whether this process was started with a signal ignored.
fn ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_ignored(&status, kind.as_raw_value())
}

/// Reads the mask in Linux's description of a process: bit 0 is signal 1.
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The next wish to end, also one from before this call.
pub(crate) async fn ctrl_c() {
    INTERRUPTED.notified().await;
}

/// The exit code of a program that was asked to end: 128 and the signal, as shells have it.
pub(crate) fn exit_code() -> u8 {
    match SIGNAL.load(Ordering::Relaxed) {
        0 => 130,
        signal => 128 + signal,
    }
}

/// Does what waits for the person, outside of any `await`; Ctrl-C leaves it to itself.
///
/// # Errors
/// [`Reason::Interrupted`].
pub(crate) fn unless_interrupted<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Reason> {
    let wait = async {
        tokio::select! {
            done = tokio::task::spawn_blocking(work) => done.map_err(|_| Reason::Internal),
            () = ctrl_c() => Err(Reason::Interrupted),
        }
    };
    tokio::task::block_in_place(|| Handle::current().block_on(wait))
}

/// Lines of standard input; after its end nothing more comes.
pub(crate) struct Keys {
    lines: Lines<BufReader<Stdin>>,
    open: bool,
}

/// What a line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Accept,
    Decline,
    HangUp,
    ToggleMute,
    Verify(bool),
    Legs,
    Unknown,
    /// The end of the input was typed, and more may be typed after it.
    CtrlD,
    /// The input has ended.
    Closed,
}

impl Key {
    pub(crate) fn parse(line: &str) -> Self {
        match line.trim().to_ascii_lowercase().as_str() {
            "a" | "accept" | "answer" => Self::Accept,
            "d" | "decline" => Self::Decline,
            "h" | "hangup" | "q" | "quit" => Self::HangUp,
            "m" | "mute" | "unmute" => Self::ToggleMute,
            "v" | "verify" | "verify yes" => Self::Verify(true),
            "x" | "verify no" => Self::Verify(false),
            "l" | "legs" => Self::Legs,
            _ => Self::Unknown,
        }
    }
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self {
            lines: BufReader::new(tokio::io::stdin()).lines(),
            open: true,
        }
    }

    /// Whether more may be typed.
    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// The next line that is not empty; waits for ever once standard input has ended and that was
    /// told.
    pub(crate) async fn next(&mut self) -> Key {
        while self.open {
            match self.lines.next_line().await {
                Ok(Some(line)) if line.trim().is_empty() => {}
                Ok(Some(line)) => return Key::parse(&line),
                // Not text, so no key.
                Err(e) if e.kind() == std::io::ErrorKind::InvalidData => return Key::Unknown,
                // One that has gone is no terminal any more.
                Ok(None) if std::io::stdin().is_terminal() => return Key::CtrlD,
                Ok(None) | Err(_) => {
                    self.open = false;
                    return Key::Closed;
                }
            }
        }
        std::future::pending().await
    }
}

/// Throws away what was typed and not read, so that it does not go to the shell.
pub(crate) fn forget_typed() {
    use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};
    let stdin = std::io::stdin();
    // What is typed while this runs in the background is for others, and touching it would stop
    // this program.
    if tcgetpgrp(&stdin) == Ok(rustix::process::getpgrp()) {
        // If it fails, a letter goes to the shell.
        let _ = tcflush(&stdin, QueueSelector::IFlush);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_was_ignored_from_the_start_is_known() {
        let status = "Name:\ttacit\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert!(is_ignored(status, 1));
        assert!(!is_ignored(status, 2));
        assert!(is_ignored(status, 13));
        assert!(!is_ignored("", 1));
    }
}
