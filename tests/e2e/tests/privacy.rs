//! What a call gives away: nothing to logs and files, nothing to whoever watches the wire.
//!
//! One call over real relays with every log on. Seeded secrets are searched for in all that the
//! programs left behind; and the caller's connections are watched while they speak, are silent and
//! are muted.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tacit_crypto::invite::Invite;
use tacit_e2e::analysis::Trace;
use tacit_e2e::canary::{Canary, search};
use tacit_e2e::demo::{Stage, meet};
use tacit_e2e::person::Running;
use tacit_e2e::scenarios::{Scenarios, lacking, tell, wanted};
use tacit_e2e::stage::{Set, set};
use tacit_e2e::tap::{Tap, Window, chance, sent_a_second, told_apart, whole_cells};
use tacit_quality::signal::write_wav;
use tacit_quality::speech::{Text, assemble};
use tacit_quality::{RATE, skipped};

/// For steps of a call; only a hang takes this long.
const STEP: Duration = Duration::from_secs(120);
/// Names that are nowhere else.
const NAMES: [&str; 2] = ["Quetzalcoatl-7731", "Melusine-0042-B"];
/// Seconds of speech and of silence in turn.
const BLOCK_S: usize = 4;
/// Blocks before the part in which the caller is muted by turns.
const BLOCKS: usize = 10;
/// Seconds of that part's stretches. They are unlike each other because Tor's SENDMEs come in bunches,
/// one every thirty-one cells of each of a dozen circuits, so every six or seven seconds: with stretches
/// of three seconds one kind met nearly all bunches.
const STRETCHES: [usize; 14] = [3, 2, 4, 5, 2, 3, 5, 4, 3, 3, 2, 5, 4, 3];
/// What is left out around a change, where both kinds may be under way.
const EDGE: Duration = Duration::from_millis(300);
/// Files that hold what their owner put there.
const OWN_FILES: [&str; 3] = ["passphrase", "config.toml", "turn-secret"];

type Outcome = Result<(), String>;

fn check(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(what()) }
}

/// Speech and silence in turn, then speech.
fn speak_in_blocks(wav: &Path) -> Outcome {
    let seconds = BLOCK_S * BLOCKS + STRETCHES.iter().sum::<usize>() + 18;
    let mut samples = assemble(Text::A, seconds).map_err(|e| e.to_string())?;
    for block in (1..BLOCKS).step_by(2) {
        let from = block * BLOCK_S * RATE;
        samples[from..from + BLOCK_S * RATE].fill(0.0);
    }
    write_wav(wav, &samples).map_err(|e| e.to_string())
}

/// What the observer saw of one call.
struct Seen {
    speech: Vec<Window>,
    silence: Vec<Window>,
    open: Vec<Window>,
    muted: Vec<Window>,
}

/// Waits until a call has lasted some seconds more.
async fn seconds(who: &mut Running, n: usize) -> Outcome {
    let mut left = n;
    let second = |e: &Value| {
        left -= usize::from(e["event"] == "quality");
        left == 0
    };
    who.wait_for("quality", STEP, second).await.map(drop)
}

async fn watched_call(stage: &Stage, bob: &mut Running) -> Result<Seen, String> {
    let spoken = stage.out.join("blocks.wav");
    speak_in_blocks(&spoken)?;
    let trace = stage.out.join("trace-watched.txt");
    let (spoken, traced) = (spoken.display().to_string(), trace.display().to_string());
    let heard = stage.out.join("heard.wav").display().to_string();
    let name = stage.callee.name;
    let files = [
        "--audio-in",
        &spoken,
        "--audio-out",
        &heard,
        "--trace",
        &traced,
    ];
    let mut alice = stage
        .caller
        .tacit(&[&["call", name][..], &files].concat())?;
    let pid = alice.pid().ok_or("the caller ended at once")?;
    let tap = Tap::start(Arc::clone(&stage.network), pid);
    let audio = alice
        .wait_for("sound", STEP, |e| e["what"] == "first_audio")
        .await?;
    let at = audio["at_us"].as_u64().ok_or("no time")?;
    // Both clocks are the machine's monotonic one; this one only lacks a way to be read.
    let zero = Instant::now() - Duration::from_micros(at);
    seconds(&mut alice, BLOCK_S * BLOCKS + 1).await?;
    let mut turns = Vec::new();
    for stretch in STRETCHES {
        alice.type_line("m").await?;
        turns.push(Instant::now());
        seconds(&mut alice, stretch).await?;
    }
    turns.push(Instant::now());
    alice.type_line("h").await?;
    bob.wait_for("end", STEP, |e| e["event"] == "ended").await?;
    alice.end_at_once(STEP).await?;
    let trace = Trace::read(&trace)?;
    let time_of = |sample: usize| {
        let sample = i64::try_from(sample).ok()?;
        let (frame, _) = trace.position.iter().find(|(_, p)| **p >= sample)?;
        Some(zero + Duration::from_micros(*trace.captured.get(frame)?))
    };
    let mut seen = Seen {
        speech: vec![],
        silence: vec![],
        open: vec![],
        muted: vec![],
    };
    // The first two have the circuits' set-up beside them.
    for block in 2..BLOCKS {
        let edge = |n: usize| time_of(n * BLOCK_S * RATE).ok_or("the trace is too short");
        let windows = tap.windows(edge(block)? + EDGE, edge(block + 1)? - EDGE);
        let kind = if block % 2 == 0 {
            &mut seen.speech
        } else {
            &mut seen.silence
        };
        kind.extend(windows);
    }
    for (n, turn) in turns.windows(2).enumerate() {
        let windows = tap.windows(turn[0] + EDGE, turn[1] - EDGE);
        let kind = if n % 2 == 0 {
            &mut seen.muted
        } else {
            &mut seen.open
        };
        kind.extend(windows);
    }
    Ok(seen)
}

/// One size and one clock: the same amount of traffic, and an observer who only guesses.
fn alike(names: [&str; 2], a: &[Window], b: &[Window]) -> Outcome {
    let (more, less) = (sent_a_second(a), sent_a_second(b));
    let (right, luck) = (told_apart(a, b), chance(a, b));
    tell(&format!(
        "  {}: {more:.0} bytes a second; {}: {less:.0}; told apart {:.1} % of the time, {:.1} % may be luck",
        names[0],
        names[1],
        right * 100.0,
        luck * 100.0
    ));
    check(a.len() > 60 && b.len() > 60, || {
        "too little was seen".into()
    })?;
    check(less > 15_000.0 && (more / less - 1.0).abs() < 0.05, || {
        format!("{names:?}: {more:.0} and {less:.0} bytes a second")
    })?;
    check(right <= luck, || {
        format!("{names:?} are told apart: {right:.3}, luck {luck:.3}")
    })
}

/// One packet size: whatever the client's connections carry is whole cells.
fn one_size(name: &str, windows: &[Window]) -> Outcome {
    let whole = whole_cells(windows);
    tell(&format!(
        "  {name}: {:.1} % of windows hold whole cells",
        whole * 100.0
    ));
    check(whole > 0.98, || format!("{name}: other sizes, {whole:.3}"))
}

/// A copy of what was seen in which silence sends as voice activity detection would have it.
fn with_violation(silence: &[Window]) -> Vec<Window> {
    let halved = |w: &Window| Window {
        sent: w.sent / 2,
        ..*w
    };
    silence.iter().map(halved).collect()
}

fn canaries(link: &str, stage: &Stage) -> Result<Vec<Canary>, String> {
    let invite = Invite::from_link(link).map_err(|e| e.to_string())?;
    let mut canaries = vec![
        Canary::new("the caller's name", NAMES[0].as_bytes()),
        Canary::new("the callee's name", NAMES[1].as_bytes()),
        Canary::new("the invite's link", link.as_bytes()),
        Canary::new("the invite", &invite.to_bytes()),
        Canary::new("the invite's onion address", &invite.server.0),
        Canary::new("the invite's mailbox", &invite.mailbox.0),
        Canary::new("the invite's discovery secret", invite.discovery.expose()),
        Canary::new("the inviter's key", &invite.inviter.0),
        Canary::new("the invite's token", &invite.token.to_bytes()),
        Canary::new("the invite's PSK", invite.psk.expose()),
    ];
    for (person, what) in [(&stage.caller, "caller's"), (&stage.callee, "callee's")] {
        let passphrase = std::fs::read(person.dir.join("passphrase")).map_err(|e| e.to_string())?;
        canaries.push(Canary::new(&format!("the {what} passphrase"), &passphrase));
    }
    Ok(canaries)
}

fn nothing_leaks(stage: &Stage, canaries: &[Canary]) -> Outcome {
    let mut searched = 0;
    for person in [&stage.caller, &stage.callee] {
        searched += search(&person.dir, &OWN_FILES, canaries)?;
        let log = std::fs::read_to_string(person.dir.join(if person.name == NAMES[0] {
            "call.log"
        } else {
            "listen.log"
        }));
        // Without a single line of the lowest level the search would prove nothing.
        let log = log.map_err(|e| e.to_string())?;
        check(log.contains("TRACE") || log.contains("DEBUG"), || {
            "the logs are empty".into()
        })?;
    }
    tell(&format!(
        "  {searched} files searched for {} secrets",
        canaries.len()
    ));
    let trace = std::fs::read(stage.out.join("trace-watched.txt")).map_err(|e| e.to_string())?;
    let found = tacit_e2e::canary::found(&trace, canaries);
    check(found.is_empty(), || format!("{found:?} in the trace"))
}

/// The control run: one planted line must be found.
fn a_planted_leak_is_found(stage: &Stage, canaries: &[Canary]) -> Outcome {
    let planted = stage.caller.dir.join("planted.log");
    let line = format!("DEBUG calling contact={:?}\n", NAMES[1].to_owned());
    std::fs::write(&planted, line).map_err(|e| e.to_string())?;
    let outcome = search(&stage.caller.dir, &OWN_FILES, canaries);
    std::fs::remove_file(&planted).map_err(|e| e.to_string())?;
    match outcome {
        Err(why) if why.contains("planted.log") => Ok(()),
        other => Err(format!("the planted name was not found: {other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_gives_nothing_away() {
    let mut wanted = wanted("privacy");
    if let Some(why) = lacking() {
        return skipped("canaries and capture", &why);
    }
    wanted.more = vec!["-vvv".into()];
    let mut all = Scenarios::default();
    let say = |line: &str| tell(&format!("  {line}"));
    let Set {
        mut stage,
        coturn,
        server,
    } = set(&wanted, &say).await.expect("the stage is set");
    (stage.caller.name, stage.callee.name) = (NAMES[0], NAMES[1]);
    let met = all
        .run(
            "invite and accept",
            meet(&stage.caller, &stage.callee, &say),
        )
        .await;
    let link = met.expect("without contacts there are no calls");
    let spoken = stage.callee_speech.wav.display().to_string();
    let heard = stage.out.join("heard-{call}.wav").display().to_string();
    let args = [
        "listen",
        "--answer",
        "4",
        "--audio-in",
        &spoken,
        "--audio-out",
        &heard,
    ];
    let mut bob = stage.callee.tacit(&args).expect("tacit starts");
    let reachable =
        |e: &Value| e["event"] == "listening" && e["reachable"] == e["total"] && e["total"] != 0;
    bob.wait_for("reachability", STEP, reachable)
        .await
        .expect("reachable");
    if let Some(seen) = all
        .run("a watched call", watched_call(&stage, &mut bob))
        .await
    {
        all.run("speech and silence look alike", async {
            alike(["speech", "silence"], &seen.speech, &seen.silence)
        })
        .await;
        all.run("open and muted microphones look alike", async {
            alike(["open", "muted"], &seen.open, &seen.muted)
        })
        .await;
        all.run("every record holds whole cells", async {
            one_size("speech", &seen.speech)?;
            one_size("silence", &seen.silence)?;
            one_size("open", &seen.open)?;
            one_size("muted", &seen.muted)
        })
        .await;
        all.run("control: a planted size is found", async {
            let planted = with_violation(&seen.silence);
            check(one_size("planted", &planted).is_err(), || {
                "it is not".into()
            })
        })
        .await;
        all.run("control: a planted difference is told apart", async {
            let planted = with_violation(&seen.silence);
            check(
                alike(["speech", "planted"], &seen.speech, &planted).is_err(),
                || "it is not".into(),
            )?;
            check(told_apart(&seen.speech, &planted) > 0.9, || "hardly".into())
        })
        .await;
    }
    // The names of a busy line and of failures pass through the logs, too.
    all.run("a refused call", async {
        let refused =
            stage
                .caller
                .refused(&["call", "nobody-of-this-name"], "contact.unknown", STEP);
        refused.await.map(drop)
    })
    .await;
    all.run("the callee stops", async {
        bob.interrupt(STEP).await.map(drop)
    })
    .await;
    all.run("the server stops", async {
        server.interrupt(STEP).await.map(drop)
    })
    .await;
    drop(coturn);
    match canaries(&link, &stage) {
        Ok(canaries) => {
            all.run("no seeded secret in any output", async {
                nothing_leaks(&stage, &canaries)
            })
            .await;
            all.run("control: a planted secret is found", async {
                a_planted_leak_is_found(&stage, &canaries)
            })
            .await;
        }
        Err(why) => panic!("{why}"),
    }
    all.finish();
}
