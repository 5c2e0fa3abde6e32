//! What the person types during a call: one letter or word a line.

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Ctrl-C that nobody has taken yet. It is kept between two waits: a listener that is made anew for
/// each wait would miss what comes in between.
static INTERRUPTED: Notify = Notify::const_new();

/// Begins to listen for Ctrl-C; to be called once, inside the runtime.
pub(crate) fn listen_for_ctrl_c() -> std::io::Result<()> {
    let mut signals = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            INTERRUPTED.notify_one();
        }
    });
    Ok(())
}

/// The next Ctrl-C, also one that was pressed before this call.
pub(crate) async fn ctrl_c() {
    INTERRUPTED.notified().await;
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
    Unknown,
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

    /// The next line that is not empty; waits for ever once standard input has ended.
    pub(crate) async fn next(&mut self) -> Key {
        while self.open {
            match self.lines.next_line().await {
                Ok(Some(line)) if line.trim().is_empty() => {}
                Ok(Some(line)) => return Key::parse(&line),
                Ok(None) | Err(_) => self.open = false,
            }
        }
        std::future::pending().await
    }
}
