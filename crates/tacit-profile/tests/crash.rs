//! A process that is killed while it saves never loses what it had saved.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tacit_profile::{KdfParams, Profile};

const CHILD: &str = "TACIT_TEST_PROFILE_FOLDER";
const ROUNDS: u32 = 24;
const SAVES_BEFORE_THE_KILL: u32 = 3;

#[test]
fn a_profile_whose_writer_is_killed_opens_with_what_was_saved_last() {
    if let Some(folder) = std::env::var_os(CHILD) {
        save_until_killed(Path::new(&folder));
    }
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("p");
    drop(Profile::create_with(&folder, "p", &content(0), KdfParams::dangerous_fast()).unwrap());
    for round in 0..ROUNDS {
        let reported = kill_a_writer(&folder, round);
        let (_, found) = Profile::open(&folder, "p").expect("the lock died with its process");
        let saved = u32::from_be_bytes(found[..4].try_into().unwrap());
        assert_eq!(*found, content(saved), "one save's content, whole");
        assert!(
            saved >= reported,
            "save {reported} was reported, {saved} was found"
        );
    }
}

/// A content that shows whether it is from one save; its size moves between two file sizes.
fn content(save: u32) -> Vec<u8> {
    let mut bytes = save.to_be_bytes().to_vec();
    bytes.resize(
        if save.is_multiple_of(2) { 1000 } else { 70_000 },
        save.to_be_bytes()[3],
    );
    bytes
}

/// Starts a writer, kills it after some saves and a moment that differs by round, and gives the
/// last save that it reported as done.
fn kill_a_writer(folder: &Path, round: u32) -> u32 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("a_profile_whose_writer_is_killed_opens_with_what_was_saved_last")
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut reports = lines
        .by_ref()
        .filter_map(|line| line.strip_prefix("saved ")?.parse().ok());
    let mut last: u32 = 0;
    for _ in 0..SAVES_BEFORE_THE_KILL {
        last = reports
            .next()
            .expect("the writer reports until it is killed");
    }
    // Not a wait for anything: it moves the kill through the phases of a save.
    let until = Instant::now() + Duration::from_micros(u64::from(round) * 131);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    reports.last().unwrap_or(last)
}

fn save_until_killed(folder: &Path) -> ! {
    let (mut profile, found) = Profile::open(folder, "p").unwrap();
    let mut save = u32::from_be_bytes(found[..4].try_into().unwrap());
    println!();
    loop {
        save += 1;
        profile.save(&content(save)).unwrap();
        println!("saved {save}");
        std::io::stdout().flush().unwrap();
    }
}
