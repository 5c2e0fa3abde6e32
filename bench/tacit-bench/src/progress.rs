//! How far a simulation is: a bar where somebody looks on, and otherwise a line now and then.

use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time between two lines where there is no bar.
const INTERVAL: Duration = Duration::from_secs(10);

/// Says on standard error how far it is, until it is dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    plain: Option<Plain>,
}

impl Progress {
    /// Of so many calls.
    pub(crate) fn new(calls: u64, quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        let bar = if quiet || !terminal {
            ProgressBar::hidden()
        } else {
            bar(calls)
        };
        let plain =
            (!quiet && !terminal).then(|| Plain::start(calls, INTERVAL, Box::new(io::stderr())));
        Self { bar, plain }
    }

    /// What it is at.
    pub(crate) fn doing(&self, what: String) {
        if let Some(plain) = &self.plain {
            plain.change(|state| state.what.clone_from(&what));
        }
        self.bar.set_message(what);
    }

    /// So many calls more.
    pub(crate) fn done(&self, calls: u64) {
        self.bar.inc(calls);
        if let Some(plain) = &self.plain {
            plain.change(|state| state.done += calls);
        }
    }

    /// So many calls need not be simulated.
    pub(crate) fn skipped(&self, calls: u64) {
        self.bar.inc(calls);
        if let Some(plain) = &self.plain {
            plain.change(|state| state.skipped += calls);
        }
    }

    /// Prints something that the bar must not be in the way of.
    pub(crate) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn bar(calls: u64) -> ProgressBar {
    let bar = ProgressBar::new(calls);
    let style = "simulating {msg}: {wide_bar} {pos} of {len} calls, {eta} left";
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

/// How far it is.
#[derive(Clone, Debug, Default)]
struct State {
    what: String,
    all: u64,
    done: u64,
    /// Those that were there before.
    skipped: u64,
}

impl State {
    fn line(&self, taken: Duration) -> String {
        let Self {
            what,
            all,
            done,
            skipped,
        } = self;
        let so_far = done + skipped;
        let left = if *done == 0 {
            String::new()
        } else {
            let remaining = all.saturating_sub(so_far) as f64;
            let seconds = taken.as_secs_f64() * remaining / *done as f64;
            format!(", about {} left", rough(seconds))
        };
        format!("simulating {what}: {so_far} of {all} calls{left}")
    }
}

/// As exactly as a guess deserves.
fn rough(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

/// Lines at even times, even while no call ends.
struct Plain {
    state: Arc<Mutex<State>>,
    /// Dropped first, which ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Plain {
    fn start(calls: u64, interval: Duration, out: Box<dyn Write + Send>) -> Self {
        let state = Arc::new(Mutex::new(State {
            all: calls,
            ..State::default()
        }));
        let (stop, stopped) = channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || tell(&shared, interval, &stopped, out));
        Self {
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn tell(
    state: &Mutex<State>,
    interval: Duration,
    stopped: &Receiver<()>,
    mut out: Box<dyn Write + Send>,
) {
    let started = Instant::now();
    while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        let now = state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // In one piece, since others may write there, too.
        let line = format!("{}\n", now.line(started.elapsed()));
        if out.write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It only prints; there is nothing to do about a panic there.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Lines(Sender<String>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            self.0.send(text).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_while_nothing_ends_and_stop_with_it() {
        let (sender, lines) = channel();
        let plain = Plain::start(7, Duration::from_millis(1), Box::new(Lines(sender)));
        plain.change(|state| {
            state.what = "tacit (tacit)".to_owned();
            state.done = 3;
        });
        let wanted = "simulating tacit (tacit): 3 of 7 calls, about ";
        let mut text = String::new();
        while !text.contains(wanted) {
            text.push_str(&lines.recv().unwrap());
        }
        drop(plain);
        // This ends because the thread's end of the channel is gone.
        lines.iter().for_each(drop);
    }

    #[test]
    fn what_is_left_is_told_from_what_was_simulated() {
        let mut state = State {
            what: "single (tacit)".to_owned(),
            all: 100,
            done: 0,
            skipped: 40,
        };
        let taken = Duration::from_secs(20);
        assert_eq!(
            state.line(taken),
            "simulating single (tacit): 40 of 100 calls"
        );
        state.done = 20;
        assert!(
            state
                .line(taken)
                .ends_with("60 of 100 calls, about 40 s left")
        );
        state.done = 10;
        assert!(
            state
                .line(taken)
                .ends_with("50 of 100 calls, about 2 min left")
        );
    }
}
