//! What the person or a program sees: JSON Lines on standard output, or plain lines and a live
//! call line.

use std::io::{IsTerminal as _, Write as _};

use serde_json::{Value, json};
use tacit_engine::{CallState, Event, Quality};
use tacit_types::{LegKind, Reason};

use crate::Failure;
use crate::json::json_of;
use crate::legs::{LegsView, Room};
use crate::line::Note;
use crate::live::{self, clip};
use crate::progress::{Shown, TorProgress};

/// Prints events.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    /// Standard output is a terminal, so a line may be drawn over.
    live: bool,
    /// Rows on the screen that are drawn over: those of the legs, if they are shown, and the live
    /// line, on which the cursor stands.
    drawn: usize,
    colour: bool,
    /// What was said last of Tor.
    tor: TorProgress,
    tor_json: Option<(u8, String)>,
    /// The legs of the call that goes on.
    legs: LegsView,
    /// Reports since one was printed, where nothing can be drawn over.
    reports: usize,
    /// How the first thing that could not be written failed.
    lost: Option<std::io::Error>,
}

/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;
/// Rows of a terminal that does not say how many it has.
const ROWS: usize = 24;
/// Reports of a call, one a second, of which one is printed where nothing can be drawn over.
const PRINTED: usize = 10;

impl Output {
    /// Output in the form asked for.
    #[must_use]
    pub(crate) fn new(json: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let live = !json && !dumb && std::io::stdout().is_terminal();
        // As no-color.org has it: set, and not to nothing.
        let colour = live && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self {
            json,
            live,
            drawn: 0,
            colour,
            tor: TorProgress::default(),
            tor_json: None,
            legs: LegsView::default(),
            reports: 0,
            lost: None,
        }
    }

    /// Whether the output is JSON.
    #[must_use]
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a JSON object, or its plain words.
    pub(crate) fn say(&mut self, value: &Value, words: &str) {
        if self.json {
            self.line(&value.to_string());
        } else if !words.is_empty() {
            self.clear();
            self.line(words);
        }
    }

    /// Prints what the line has to tell.
    pub(crate) fn note(&mut self, note: &Note) {
        match &note.value {
            Some(value) => self.say(value, &note.words),
            None => self.hint(&note.words),
        }
    }

    /// Tells a person something that a program need not know.
    pub(crate) fn hint(&mut self, words: &str) {
        if !self.json {
            self.say(&Value::Null, words);
        }
    }

    /// Draws over the live line; nothing when the output is not a terminal.
    fn draw(&mut self, words: &str) {
        if self.live {
            let words = clip(words, room().columns);
            self.draw_fitted(&words);
        }
    }

    /// The state of a call, in the live line and, if they are wanted, its legs above it.
    pub(crate) fn meter(&mut self, q: &Quality, muted: bool) {
        self.legs.quality(q);
        if !self.live {
            self.reports = (self.reports + 1) % PRINTED;
            if self.reports == 0 {
                self.hint(&live::meter(q, muted, usize::MAX));
            }
            return;
        }
        let Room { columns, rows } = room();
        let text = live::meter(q, muted, columns);
        let (word, colour) = live::quality(q);
        let line = match text.strip_prefix(word).filter(|_| self.colour) {
            Some(rest) => format!("{colour}{word}\x1b[0m{rest}"),
            None => text,
        };
        let mut lines = Vec::new();
        if self.legs.shown {
            let rows = rows.saturating_sub(1);
            lines = self.legs.lines(Room { columns, rows });
        }
        lines.push(line);
        self.draw_rows(&lines);
    }

    /// Shows the legs from now on, or no longer. Where nothing can be drawn over they are printed
    /// once; a program that reads JSON has them in every report.
    pub(crate) fn toggle_legs(&mut self) {
        if self.live {
            self.legs.shown = !self.legs.shown;
            if !self.legs.shown {
                return;
            }
        }
        let room = Room {
            rows: usize::MAX,
            ..room()
        };
        let lines = self.legs.lines(room);
        if lines.is_empty() {
            self.hint("The legs are shown once a second has been heard.");
        } else if !self.live {
            self.hint(&lines.join("\n"));
        }
    }

    /// What the person sees of a call's paths.
    pub(crate) fn follow(&mut self, event: &Event) {
        match event {
            Event::PathChanged {
                sender,
                receiver,
                reason,
                ..
            } => self.legs.best(*sender, *receiver, *reason),
            Event::Ended(..) => {
                self.legs.forget();
                self.reports = 0;
            }
            _ => {}
        }
    }

    fn draw_fitted(&mut self, words: &str) {
        self.draw_rows(&[words.to_owned()]);
    }

    /// Draws over what was drawn; the cursor stays at the end of the last row.
    fn draw_rows(&mut self, rows: &[String]) {
        let erase = self.erasure();
        let mut out = std::io::stdout().lock();
        // A terminal that has gone is noticed by whoever reads standard input.
        let _ = write!(out, "{erase}{}", rows.join("\n"));
        let _ = out.flush();
        self.drawn = rows.len();
    }

    /// What takes away what was drawn.
    fn erasure(&self) -> String {
        match self.drawn {
            0 | 1 => "\r\x1b[2K".to_owned(),
            rows => format!("\x1b[{}A\r\x1b[J", rows - 1),
        }
    }

    /// A line was typed: the terminal has shown it, and the cursor stands below what was drawn, which
    /// stays where it is.
    pub(crate) fn typed(&mut self) {
        self.drawn = self.drawn.min(1);
    }

    fn clear(&mut self) {
        if self.drawn > 0 {
            let erase = self.erasure();
            let mut out = std::io::stdout().lock();
            // What comes next may go to standard error.
            let _ = write!(out, "{erase}").and_then(|()| out.flush());
            self.drawn = 0;
        }
    }

    /// Prints an event of the engine.
    pub(crate) fn event(&mut self, event: &Event) {
        if let Event::TorProgress { percent, stage, .. } = event {
            self.tor_progress(*percent, stage);
        } else if self.json {
            self.line(&json_of(event).to_string());
        } else {
            self.plain(event);
        }
    }

    /// How far Tor is; said once for each change.
    pub(crate) fn tor_progress(&mut self, percent: u8, stage: &str) {
        if self.json {
            let now = (percent, stage.to_owned());
            if self.tor_json.as_ref() != Some(&now) {
                self.line(&json!({"event": "tor", "percent": percent, "stage": stage}).to_string());
                self.tor_json = Some(now);
            }
            return;
        }
        match self.tor.next(percent, stage) {
            Shown::Nothing => {}
            Shown::Progress(words) if self.live => self.draw(&words),
            Shown::Progress(words) => self.line(&words),
            Shown::Sentence(words) => self.hint(words),
        }
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        let written = out.write_all(bytes).and_then(|()| out.flush());
        // A call goes on, whoever reads; at the end it is told.
        if let (Err(error), None) = (written, &self.lost) {
            self.lost = Some(error);
        }
    }

    fn line(&mut self, text: &str) {
        self.raw(format!("{text}\n").as_bytes());
    }

    /// Whether everything has been written. A reader that went away, as `head` does, had enough.
    ///
    /// # Errors
    /// [`Reason::OutputLost`].
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.lost {
            Some(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::new(Reason::OutputLost, e))
            }
            _ => Ok(()),
        }
    }

    /// Says on standard error why what was asked for failed, before the program ends.
    pub(crate) fn failed(&mut self, failure: &mut Failure) {
        self.clear();
        crate::report(failure);
        failure.told = true;
    }

    fn plain(&mut self, event: &Event) {
        match event {
            Event::LegUp { live, .. } => self.draw(&format!("Opening circuits: {live} ready")),
            Event::Timing(..) | Event::LegDown { .. } | Event::Quality(..) => {}
            other => {
                let words = words_of(other);
                if !words.is_empty() {
                    self.clear();
                    self.line(&words);
                }
            }
        }
    }
}

/// Room on the terminal, which may change at any time, but for the last column, after which some
/// terminals go on in the next line.
fn room() -> Room {
    let told = rustix::termios::tcgetwinsize(std::io::stdout());
    let or = |told: u16, usual: usize| if told == 0 { usual } else { usize::from(told) };
    let (columns, rows) = told.map_or((0, 0), |size| (size.ws_col, size.ws_row));
    Room {
        columns: or(columns, COLUMNS) - 1,
        rows: or(rows, ROWS),
    }
}

/// Asks for the comparison. Who has compared before is asked once more while the other has not.
fn words_to_compare(a: &str, b: &str, verified: bool, broken_off: u32) -> String {
    let warning = match broken_off {
        0 => String::new(),
        1 => "Careful: 1 earlier comparison with this contact was broken off.\n".into(),
        n => format!("Careful: {n} earlier comparisons with this contact were broken off.\n"),
    };
    let why = if verified {
        "You have compared words before, the other person has not yet. The two words: "
    } else {
        "Compare these two words with the other person: "
    };
    format!("{warning}{why}{a} {b}. Type v if they match, x if not.")
}

/// Who rings, and over what if that shows the call to others.
fn rings(name: &str, busy: bool, legs: LegKind) -> String {
    let too = if busy { ", too" } else { "" };
    format!("{name} is calling{too}{}.", over(legs))
}

/// What is said of a ring whose call others would see something of.
pub(crate) const fn over(legs: LegKind) -> &'static str {
    match legs {
        LegKind::Onion => "",
        LegKind::Turn => ", over a TURN server",
    }
}

fn words_of(event: &Event) -> String {
    match event {
        Event::Listening { reachable, total } => {
            if *total == 0 {
                return String::new();
            }
            format!("Reachable at {reachable} of {total} addresses.")
        }
        Event::Incoming {
            contact,
            busy,
            legs,
            ..
        } => rings(contact.reveal(), *busy, *legs),
        Event::State(_, CallState::OpeningCircuits) => "Opening circuits…".into(),
        Event::State(_, CallState::Reaching) => "Reaching…".into(),
        Event::State(_, CallState::Ringing) => "Ringing…".into(),
        Event::State(_, CallState::Securing) => "Securing…".into(),
        Event::State(_, CallState::Connected) => {
            "Connected. Type m to mute, v when the words match, h to hang up.".into()
        }
        Event::Words {
            words: [a, b],
            verified,
            broken_off,
            ..
        } => words_to_compare(a, b, *verified, *broken_off),
        Event::Verified(_) => {
            "You have confirmed the words: this contact counts as verified.".into()
        }
        Event::PeerVerified(_) => {
            "The other person has confirmed the words on their screen.".into()
        }
        Event::Interrupted(_) => {
            "Nothing comes over any circuit; waiting, and calling again if need be…".into()
        }
        Event::Resumed(_) => "Resumed.".into(),
        Event::AudioChanged(_, reason) => reason.text().into(),
        Event::SourceEnded(_) => "The sound file has ended.".into(),
        Event::InviteReachable => "The invite can be used now.".into(),
        Event::ContactAdded(name) => format!("Added {}, not verified.", name.reveal()),
        Event::InviteReused(name) => {
            format!(
                "Warning: somebody else tried the invite for {} after it was used.",
                name.reveal()
            )
        }
        // Why the network has stopped is why the command fails, which says so.
        Event::MailboxLost(reason) => {
            format!("{} {}", reason.text(), reason.next_action())
        }
        _ => String::new(),
    }
}

/// Says on standard error why the program failed: plain words, the next action, the code.
pub(crate) fn failure(reason: Reason, detail: Option<&str>) {
    let detail = detail.map(|d| format!(" ({d})")).unwrap_or_default();
    let mut err = std::io::stderr().lock();
    // If standard error is closed there is nobody to tell.
    let _ = writeln!(
        err,
        "tacit: {}{detail} {} [{}]",
        reason.text(),
        reason.next_action(),
        reason.code()
    );
}
