//! What the person or a program sees: JSON Lines on standard output, or plain lines and a live
//! call line.

use std::io::{IsTerminal as _, Write as _};

use serde_json::{Value, json};
use tacit_engine::{CallState, Event, LatencyBreakdown, Quality, Timing};
use tacit_types::{LegKind, Reason};

use crate::Failure;
use crate::line::Note;
use crate::live::{self, clip};
use crate::progress::{Shown, TorProgress};

/// Prints events.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    /// Standard output is a terminal, so a line may be drawn over.
    live: bool,
    /// A live line stands on the screen.
    drawn: bool,
    colour: bool,
    /// What was said last of Tor.
    tor: TorProgress,
    tor_json: Option<(u8, String)>,
    /// How the first thing that could not be written failed.
    lost: Option<std::io::Error>,
}

/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

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
            drawn: false,
            colour,
            tor: TorProgress::default(),
            tor_json: None,
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
            let words = clip(words, columns());
            self.draw_fitted(&words);
        }
    }

    /// The state of a call, in the live line.
    pub(crate) fn meter(&mut self, q: &Quality, muted: bool) {
        if !self.live {
            return;
        }
        let text = live::meter(q, muted, columns());
        let (word, colour) = live::quality(q);
        match text.strip_prefix(word).filter(|_| self.colour) {
            Some(rest) => self.draw_fitted(&format!("{colour}{word}\x1b[0m{rest}")),
            None => self.draw_fitted(&text),
        }
    }

    fn draw_fitted(&mut self, words: &str) {
        let mut out = std::io::stdout().lock();
        // A terminal that has gone is noticed by whoever reads standard input.
        let _ = write!(out, "\r\x1b[2K{words}");
        let _ = out.flush();
        self.drawn = true;
    }

    fn clear(&mut self) {
        if self.drawn {
            let mut out = std::io::stdout().lock();
            // What comes next may go to standard error.
            let _ = write!(out, "\r\x1b[2K").and_then(|()| out.flush());
            self.drawn = false;
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

/// Columns for the live line: the terminal's, which may change at any time, but for the last one,
/// after which some terminals go on in the next line.
fn columns() -> usize {
    let told = rustix::termios::tcgetwinsize(std::io::stdout());
    let wide = told.map_or(0, |size| usize::from(size.ws_col));
    if wide == 0 { COLUMNS - 1 } else { wide - 1 }
}

fn state_name(state: CallState) -> &'static str {
    match state {
        CallState::OpeningCircuits => "opening_circuits",
        CallState::Reaching => "reaching",
        CallState::Ringing => "ringing",
        CallState::Securing => "securing",
        CallState::Connected => "connected",
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

fn json_of(event: &Event) -> Value {
    match event {
        Event::Listening { reachable, total } => {
            json!({"event": "listening", "reachable": reachable, "total": total})
        }
        Event::Incoming {
            call,
            contact,
            busy,
            legs,
        } => {
            json!({"event": "incoming", "call": call.0, "contact": contact.reveal(), "busy": busy,
                "legs": legs})
        }
        Event::State(call, state) => {
            json!({"event": "state", "call": call.0, "state": state_name(*state)})
        }
        Event::Timing(call, timing) => timing_json(call.0, *timing),
        Event::LegUp {
            call,
            leg,
            live,
            hops,
        } => {
            json!({"event": "leg_up", "call": call.0, "leg": leg, "live": live, "hops": hops})
        }
        Event::LegDown { call, leg, live } => {
            json!({"event": "leg_down", "call": call.0, "leg": leg, "live": live})
        }
        Event::Words {
            call,
            words,
            verified,
            broken_off,
        } => {
            json!({"event": "words", "call": call.0, "words": words, "verified": verified,
                "broken_off": broken_off})
        }
        Event::Verified(call) => json!({"event": "verified", "call": call.0}),
        Event::PeerVerified(call) => json!({"event": "peer_verified", "call": call.0}),
        Event::Quality(call, q) => quality_json(call.0, q),
        Event::PathChanged {
            call,
            sender,
            receiver,
            reason,
        } => {
            json!({"event": "path", "call": call.0, "sender": sender, "receiver": receiver,
                "reason": reason.to_string()})
        }
        Event::Interrupted(call) => json!({"event": "interrupted", "call": call.0}),
        Event::Resumed(call) => json!({"event": "resumed", "call": call.0}),
        Event::AudioChanged(call, reason) => {
            json!({"event": "audio", "call": call.0, "reason": reason.code()})
        }
        Event::SourceEnded(call) => json!({"event": "source_ended", "call": call.0}),
        Event::Ended(call, reason) => {
            json!({"event": "ended", "call": call.0, "reason": reason.code(), "text": reason.text()})
        }
        Event::InviteReachable => json!({"event": "invite_reachable"}),
        Event::ContactAdded(name) => json!({"event": "contact_added", "name": name.reveal()}),
        Event::InviteReused(name) => json!({"event": "invite_reused", "name": name.reveal()}),
        Event::MailboxLost(reason) => json!({"event": "mailbox_lost", "reason": reason.code()}),
        Event::Stopped(reason) => json!({"event": "stopped", "reason": reason.code()}),
        _ => json!({"event": "other"}),
    }
}

fn timing_json(call: u64, timing: Timing) -> Value {
    let (what, at_us) = match timing {
        Timing::OnionRoundTrip(rtt) => {
            return json!({"event": "onion_rtt", "call": call, "ms": rtt.as_secs_f64() * 1e3});
        }
        Timing::RingSent(at) => ("ring_sent", at),
        Timing::RingSeen(at) => ("ring_seen", at),
        Timing::AnswerSeen(at) => ("answer_seen", at),
        Timing::Accepted(at) => ("accepted", at),
        Timing::FirstAudio(at) => ("first_audio", at),
        _ => ("other", 0),
    };
    json!({"event": "timing", "call": call, "what": what, "at_us": at_us})
}

fn quality_json(call: u64, q: &Quality) -> Value {
    let LatencyBreakdown {
        capture,
        frame,
        look_ahead,
        send_queue,
        network,
        playout_wait,
        output,
    } = q.latency;
    let legs: Vec<Value> = q
        .legs
        .iter()
        .map(|l| json!({"leg": l.leg, "relative_delay_ms": l.relative_delay_ms, "loss": l.loss, "suspect": l.suspect}))
        .collect();
    json!({
        "event": "quality", "call": call,
        "mouth_to_ear_ms": q.latency.mouth_to_ear(),
        "stages_ms": {"capture": capture, "frame": frame, "look_ahead": look_ahead,
            "send_queue": send_queue, "network": network, "playout_wait": playout_wait,
            "output": output},
        "repaired": q.repaired, "concealed": q.concealed, "input_dbfs": q.input_level, "output_dbfs": q.output_level,
        "legs": legs,
    })
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
