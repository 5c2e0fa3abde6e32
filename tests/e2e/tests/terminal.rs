//! What a person sees and presses in a terminal, without any network: `script` of util-linux makes
//! one.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tacit_e2e::scenarios::wanted;

/// Only a hang takes this long: the circuits of a call carry cover for half a minute after it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program whose standard output is read while it runs.
struct Screen {
    child: Child,
    stdin: ChildStdin,
    pieces: mpsc::Receiver<Vec<u8>>,
    /// All that was shown so far, as bytes and as text.
    bytes: Vec<u8>,
    shown: String,
    /// How much of it was looked at.
    at: usize,
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Screen {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let (sender, pieces) = mpsc::channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut piece) {
                if sender.send(piece[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            stdin,
            pieces,
            bytes: Vec::new(),
            shown: String::new(),
            at: 0,
        }
    }

    /// A shell in a terminal.
    fn terminal(script: &str) -> Self {
        Self::start(Command::new("script").args(["-qfec", script, "/dev/null"]))
    }

    /// Waits until this is shown, after what was waited for before.
    fn wait_for(&mut self, wanted: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.shown[self.at..].find(wanted) {
                self.at += found + wanted.len();
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            let piece = self.pieces.recv_timeout(left);
            let piece = piece.unwrap_or_else(|_| panic!("no {wanted:?} in {:?}", self.shown));
            self.show(&piece);
        }
    }

    /// Waits until nothing more has been shown for so long.
    fn wait_until_idle(&mut self, time: Duration) {
        while let Ok(piece) = self.pieces.recv_timeout(time) {
            self.show(&piece);
        }
    }

    /// A character may come in two pieces.
    fn show(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        self.shown = String::from_utf8_lossy(&self.bytes).into_owned();
    }

    fn press(&mut self, keys: &str) {
        self.stdin.write_all(keys.as_bytes()).unwrap();
        self.stdin.flush().unwrap();
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn end(mut self) -> (ExitStatus, String) {
        while let Ok(piece) = self.pieces.recv_timeout(PATIENCE) {
            self.show(&piece);
        }
        let status = self.child.wait().unwrap();
        (status, std::mem::take(&mut self.shown))
    }
}

/// A folder, and the program.
struct Place {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Place {
    fn new(test: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            program: wanted(test).programs.join("tacit"),
        }
    }

    /// `tacit COMMAND`, for a shell.
    fn tacit(&self, command: &str) -> String {
        let (program, folder) = (self.program.display(), self.folder.path().display());
        format!(
            "'{program}' {command} --profile '{folder}/profile' --config '{folder}/config.toml'"
        )
    }

    /// A call inside the program, without devices.
    fn demo(&self, more: &str) -> String {
        let folder = self.folder.path();
        std::fs::write(folder.join("silence.wav"), silence()).unwrap();
        std::fs::write(folder.join("config.toml"), "").unwrap();
        let folder = folder.display();
        let sound = format!("--audio-in '{folder}/silence.wav' --audio-out '{folder}/heard.wav'");
        self.tacit(&format!("demo --delay-ms 20 {sound} {more}"))
    }
}

/// A second of silence as a WAV file: 48 kHz, 16 bits, one channel.
fn silence() -> Vec<u8> {
    let data = 96_000_u32;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(48_000_u32.to_le_bytes());
    file.extend(96_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(data.to_le_bytes());
    file.resize(file.len() + data as usize, 0);
    file
}

#[test]
fn ctrl_c_at_the_passphrase_ends_at_once_and_shows_what_is_typed_again() {
    let place = Place::new("terminal-passphrase");
    let tacit = place.tacit("init");
    let mut screen = Screen::terminal(&format!("trap : INT; {tacit}; echo code=$?; stty -a"));
    screen.wait_for("New passphrase: ");
    screen.press("half of it");
    screen.press("\x03");
    screen.wait_for("[interrupted]");
    screen.wait_for("code=130");
    let (_, shown) = screen.end();
    assert!(shown.contains(" echo "), "{shown}");
    assert!(!shown.contains("half of it"), "{shown}");
    assert!(!place.folder.path().join("profile").exists());
}

/// What was drawn over, one drawing after the other. What ends its line is a sentence, or was typed
/// into.
fn drawings(shown: &str) -> Vec<&str> {
    let drawn = shown.split("\r\x1b[2K").skip(1);
    drawn.filter(|d| !d.contains(['\n', '\x08'])).collect()
}

#[test]
fn the_live_line_fits_the_terminal_and_shows_that_the_microphone_is_muted() {
    let place = Place::new("terminal-line");
    let demo = place.demo("--duration 100");
    for (columns, named) in [(80, true), (60, false), (40, false)] {
        let script = format!("stty cols {columns}; trap : INT; NO_COLOR=1 {demo}; echo code=$?");
        let mut screen = Screen::terminal(&script);
        screen.wait_for("Connected");
        screen.wait_for(" · you ▯");
        screen.press("\x04");
        screen.wait_for("Ctrl-D means nothing here");
        screen.press("m\n");
        screen.wait_for("Muted.");
        screen.wait_for("you muted");
        screen.press("m\n");
        screen.wait_for("Unmuted.");
        screen.press("h\n");
        screen.wait_for("Closing the circuits");
        screen.press("\x03");
        screen.wait_for("code=0");
        let (_, shown) = screen.end();
        let drawn = drawings(&shown);
        assert!(drawn.iter().any(|d| d.contains("they ")), "{shown}");
        for line in drawn {
            assert!(line.chars().count() < columns, "{columns}: {line:?}");
        }
        assert_eq!(shown.contains("mouth to ear"), named, "{shown}");
        assert!(!shown.contains("Compare"), "with whom? {shown}");
    }
}

/// What stands on a terminal after this was shown: as far as a table is drawn with it.
fn screen_of(shown: &str) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut at = 0;
    let mut rest = shown;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' => {
                at += 1;
                rows.resize(rows.len().max(at + 1), String::new());
            }
            // What is drawn begins by erasing its rows.
            '\r' => {}
            '\x1b' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let (number, tail) = rest.split_at(end);
                match &tail[..1] {
                    "A" => at -= number[1..].parse::<usize>().unwrap(),
                    "J" => rows.truncate(at),
                    "K" => rows[at].clear(),
                    _ => {}
                }
                rows.resize(rows.len().max(at + 1), String::new());
                rest = &tail[1..];
            }
            c => rows[at].push(c),
        }
    }
    rows
}

#[test]
fn the_legs_are_drawn_over_once_a_second_until_they_are_not_wanted() {
    let place = Place::new("terminal-legs");
    let demo = place.demo("--duration 100");
    for (columns, because) in [(100, true), (40, false)] {
        let size = format!("stty cols {columns} rows 30");
        let script = format!("{size}; trap : INT; NO_COLOR=1 {demo}; echo code=$?");
        let mut screen = Screen::terminal(&script);
        screen.wait_for(" · you ▯");
        screen.press("l\n");
        for _ in 0..3 {
            screen.wait_for("loss %");
            screen.wait_for("packets by reason: ");
            screen.wait_for(" · you ▯");
        }
        let rows = screen_of(&screen.shown);
        // Three times drawn, it stands there once.
        let heads = rows.iter().filter(|row| row.starts_with("leg  state"));
        assert_eq!(heads.count(), 1, "{rows:#?}");
        assert_eq!(screen.shown.contains("last because"), because, "{rows:#?}");
        assert!(rows.iter().any(|row| row.contains("  good")), "{rows:#?}");
        let above = |row: &&String| !row.starts_with("capture 10");
        for row in rows.iter().skip_while(above) {
            assert!(row.chars().count() < columns, "{columns}: {row:?}");
        }
        screen.press("l\n");
        let before = screen.shown.matches("leg  state").count();
        for _ in 0..2 {
            screen.wait_for(" · you ▯");
        }
        let after = screen.shown.matches("leg  state").count();
        assert!(after <= before + 1, "{:?}", screen.shown);
        screen.press("h\n");
        screen.wait_for("Closing the circuits");
        screen.press("\x03");
        screen.wait_for("code=0");
        screen.end();
    }
}

#[test]
fn sigterm_and_the_end_of_the_terminal_hang_up() {
    let place = Place::new("terminal-signals");
    let demo = place.demo("--duration 100 --json");
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        // The shell becomes the program, so that the signal is for it. Whoever runs the tests may
        // ignore some (`nohup`), and the program would respect that.
        let defaults = "exec env --default-signal=HUP,INT,TERM";
        let mut screen =
            Screen::start(Command::new("sh").args(["-c", &format!("{defaults} {demo}")]));
        screen.wait_for("\"quality\"");
        screen.signal(signal);
        screen.wait_for("call.hung_up");
        screen.wait_for("\"closing\"");
        // The second time closes the circuits at once, but for the end of the terminal, which the
        // kernel and the shell may both tell.
        screen.signal(signal);
        let (status, shown) = screen.end();
        assert_eq!(status.code(), Some(code), "{shown}");
    }
}

/// What nobody could hear was no silence, and nothing is caught up. (Both people are in this program; that one
/// side alone was stopped is tested in `tacit-engine`.)
#[test]
fn a_call_goes_on_after_its_program_was_stopped() {
    let place = Place::new("terminal-stopped");
    let demo = place.demo("--duration 100 --json");
    let script = format!("exec env --default-signal=INT {demo}");
    let mut screen = Screen::start(Command::new("sh").args(["-c", &script]));
    screen.wait_for("\"quality\"");
    screen.signal(Signal::STOP);
    // Longer than a silence that is told.
    screen.wait_until_idle(Duration::from_secs(5));
    screen.signal(Signal::CONT);
    for _ in 0..3 {
        screen.wait_for("\"quality\"");
    }
    screen.signal(Signal::INT);
    screen.wait_for("call.hung_up");
    screen.wait_for("\"closing\"");
    screen.signal(Signal::INT);
    let (_, shown) = screen.end();
    assert!(!shown.contains("\"event\":\"interrupted\""), "{shown}");
}
