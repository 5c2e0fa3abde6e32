//! `tacit-demo`: two people, two processes, real relays, two calls; see `cargo xtask demo`.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::Value;
use tacit_e2e::demo::{CallReport, report};
use tacit_e2e::hearing::pesq_wb;
use tacit_e2e::stage::{Set, Wanted, set};
use tacit_e2e::stall::{Plan, Reach};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long a listening callee may take to be reachable.
const LISTEN_LIMIT: Duration = Duration::from_secs(120);
/// The callee answers once this many legs are up: what a person needs to reach for the mouse.
const ANSWER_AT: &str = "8";

/// What was measured, beside the recordings.
const REPORT: &str = "report.json";

/// The parts of a call that PESQ scores: after the first seconds, before the stall; and a second after
/// the stall, until before the end.
const PESQ_BEFORE: [f64; 2] = [2.0, 12.0];
const PESQ_AFTER_S: f64 = 1.0;
const PESQ_TAIL_S: f64 = 2.0;

/// Seconds of a call beside its stall.
const BESIDE_STALL_S: u64 = 22;
/// After a stall of everything, a voice is to be heard again within this.
const BACK_MS: f64 = 5_000.0;
/// How far sound around a stall may be above what was spoken: louder in decibels, and steps between
/// samples as a multiple. Clicks and feedback are far above.
const LOUDER_DB: f64 = 6.0;
const STEPS: f64 = 2.0;
/// What a long concealment may leave of itself: hiss, not a buzz.
const FADED_DBFS: f64 = -45.0;

/// Places two calls between two people through real Tor relays on this machine: one over onion
/// legs, one over TURN legs through exits. Leaves all recordings and report.json.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask demo", max_term_width = 100)]
struct Args {
    /// Print the report as the last line
    #[arg(long)]
    json: bool,
    /// Folder for recordings and report [default: demo in the target folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// One-way delay of each link between relays, in milliseconds
    #[arg(long, default_value_t = 15)]
    link_delay_ms: u64,
    /// Only this kind of call
    #[arg(long, value_parser = ["onion", "turn"])]
    only: Option<String>,
    /// Also score the sound before and after the stall: PESQ-WB, which needs the Python package of
    /// that name
    #[arg(long)]
    pesq: bool,
    /// How long the stall in each call lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=20))]
    stall_seconds: u64,
    /// What stalls: some legs (one connection between two relays, with under half of the legs) or all
    #[arg(long, value_name = "WHICH", default_value = "some", value_parser = ["some", "all"])]
    stall_legs: String,
    /// How long each call lasts [default: 22, and the stall]
    #[arg(long, value_parser = clap::value_parser!(u64).range(20..=600))]
    seconds: Option<u64>,
}

impl Args {
    fn plan(&self) -> Result<Plan, String> {
        let beside = || BESIDE_STALL_S + self.stall_seconds;
        let plan = Plan {
            seconds: self.seconds.unwrap_or_else(beside),
            time: Duration::from_secs(self.stall_seconds),
            reach: if self.stall_legs == "all" {
                Reach::All
            } else {
                Reach::Some
            },
            ..Plan::default()
        };
        // Enough to hear, and to score, what comes after.
        if plan.afterwards() < Duration::from_secs(7) {
            let least = plan.at.as_secs() + self.stall_seconds + 7;
            return Err(format!("with that stall a call lasts at least {least} s"));
        }
        Ok(plan)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let work = tokio::select! {
        done = run(&args) => done,
        code = told_to_stop() => {
            eprintln!("demo: stopped");
            return ExitCode::from(code);
        }
    };
    match work {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("demo: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C, a closed terminal or a plain `kill`: in each case what was started has to go, which it does
/// when it is dropped. The exit code is the shell's for that signal.
async fn told_to_stop() -> u8 {
    let of = |kind| signal(kind).ok();
    let (mut hangup, mut terminate) = (of(SignalKind::hangup()), of(SignalKind::terminate()));
    let wait = async |signal: &mut Option<Signal>| match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => 130,
        _ = wait(&mut hangup) => 129,
        _ = wait(&mut terminate) => 143,
    }
}

async fn run(args: &Args) -> Result<(), String> {
    let programs = std::env::current_exe().map_err(|e| e.to_string())?;
    let programs = programs
        .parent()
        .ok_or("the program is in no folder")?
        .to_owned();
    let target = programs
        .parent()
        .ok_or("the program is in no target folder")?
        .to_owned();
    let wanted = Wanted {
        out: args.out.clone().unwrap_or_else(|| target.join("demo")),
        programs,
        link_delay: Duration::from_millis(args.link_delay_ms),
        key_cache: None,
        more: Vec::new(),
        plan: args.plan()?,
    };
    let say = |text: &str| eprintln!("demo: {text}");
    let Set {
        stage,
        coturn,
        server,
    } = set(&wanted, &say).await?;
    stage.meet(&say).await?;
    // Of an earlier demonstration: beside the recordings of one that is broken off it would be wrong.
    match std::fs::remove_file(stage.out.join(REPORT)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.to_string()),
        _ => {}
    }
    let heard = stage.out.join("heard-by-bob-{call}.wav");
    let trace = stage.out.join("trace-bob-{call}.txt");
    let path = |p: &std::path::Path| p.to_str().map(str::to_owned).ok_or("a path is not UTF-8");
    let mut listening = stage.callee.tacit(&[
        "listen",
        "--answer",
        ANSWER_AT,
        "--audio-in",
        &path(&stage.callee_speech.wav)?,
        "--audio-out",
        &path(&heard)?,
        "--trace",
        &path(&trace)?,
        "--dangerous-report-circuits",
    ])?;
    listening
        .wait_for("reachability", LISTEN_LIMIT, |e| {
            e["event"] == "listening" && e["reachable"] == e["total"] && e["total"] != 0
        })
        .await?;
    say(&format!(
        "bob listens. alice calls, {} s each time.",
        wanted.plan.seconds
    ));
    let mut calls: Vec<CallReport> = Vec::new();
    for legs in ["onion", "turn"] {
        if args.only.as_deref().is_none_or(|only| only == legs) {
            say(&format!("Call over {legs} legs…"));
            calls.push(
                stage
                    .call(legs, &mut listening, calls.is_empty(), &say)
                    .await?,
            );
        }
    }
    let mut value = report(
        stage.network.tor_version(),
        stage.network.relays().len(),
        args.link_delay_ms,
        &calls,
    );
    if args.pesq {
        scores(&mut value, &wanted.plan)?;
    }
    std::fs::write(stage.out.join(REPORT), format!("{value:#}\n")).map_err(|e| e.to_string())?;
    // Ctrl-C is how a person ends `tacit listen`, and pressed again its cover of the last call, which here
    // covers nothing.
    listening.press_ctrl_c()?;
    listening.end_at_once(Duration::from_secs(60)).await?;
    server.interrupt(Duration::from_secs(60)).await?;
    drop(coturn);
    let table = table(&value, args.stall_seconds);
    if args.json {
        eprintln!("\n{table}");
    } else {
        println!("\n{table}");
    }
    verdict(&value, wanted.plan.reach, &say);
    say(&format!(
        "In {}: report.json, spoken-by-*.wav and heard-by-*.wav. Compare what one said with what the \
         other heard.",
        stage.out.display()
    ));
    if args.json {
        println!("{value}");
    }
    Ok(())
}

/// Adds the PESQ-WB of each direction of each call, before its stall and after it.
fn scores(report: &mut Value, plan: &Plan) -> Result<(), String> {
    let after = (plan.at + plan.time).as_secs_f64() + PESQ_AFTER_S;
    let end = Duration::from_secs(plan.seconds).as_secs_f64() - PESQ_TAIL_S;
    let calls = report["calls"].as_array_mut().into_iter().flatten();
    for way in calls.flat_map(|call| call["directions"].as_array_mut().into_iter().flatten()) {
        let file = |key: &str| PathBuf::from(way[key].as_str().unwrap_or_default());
        let (spoken, heard) = (file("spoken_wav"), file("heard_wav"));
        let score = |[from_s, to_s]: [f64; 2]| {
            let score = pesq_wb(&spoken, &heard, from_s, to_s)?;
            Ok::<_, String>((score * 100.0).round() / 100.0)
        };
        let (before, after) = (score(PESQ_BEFORE)?, score([after, end])?);
        way["pesq_wb"] = serde_json::json!({"before": before, "after": after});
    }
    Ok(())
}

/// Says in a sentence a call whether it was as good as it is meant to be.
fn verdict(report: &Value, reach: Reach, say: &dyn Fn(&str)) {
    for call in report["calls"].as_array().into_iter().flatten() {
        let missed = missed(call, reach);
        let legs = show(&call["legs"]);
        if missed.is_empty() {
            let voices = match reach {
                Reach::Some => "neither voice had a gap that could be heard, the stall included",
                Reach::All => "both voices came back soon after the stall",
            };
            say(&format!(
                "The call over {legs} legs went well: it rang and connected in time, and {voices}."
            ));
        } else {
            say(&format!(
                "The call over {legs} legs missed its goal in: {}. A busy computer is a common cause.",
                missed.join("; ")
            ));
        }
    }
}

/// What of a call is not as it should be.
fn missed(call: &Value, reach: Reach) -> Vec<String> {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::INFINITY);
    let round_trip = number(&call["onion_rtt_ms"]);
    let mut missed = Vec::new();
    let mut at_most = |what: String, value: f64, limit: f64| {
        if value > limit {
            missed.push(format!("{what}: {value:.0}, not at most {limit:.0}"));
        }
    };
    at_most(
        "ringing, ms".into(),
        number(&call["ring_ms"]),
        1.3 * round_trip / 2.0,
    );
    at_most(
        "ringback, ms".into(),
        number(&call["ringback_ms"]),
        1.3 * round_trip,
    );
    for way in call["directions"].as_array().into_iter().flatten() {
        match reach {
            Reach::Some => voice(way, &mut at_most),
            Reach::All => at_most(
                format!("{}'s voice back after, ms", show(&way["from"])),
                back(&way["recovery"]),
                BACK_MS,
            ),
        }
        sound(way, &mut at_most);
    }
    for process in call["processes"].as_array().into_iter().flatten() {
        let who = show(&process["who"]);
        at_most(
            format!("{who}'s CPU, %"),
            number(&process["cpu_percent"]),
            15.0,
        );
        at_most(
            format!("{who}'s memory, MB"),
            number(&process["peak_rss_mb"]),
            120.0,
        );
    }
    let both = |list: &Value| list.as_array().is_some_and(|parts| parts.len() == 2);
    if !both(&call["directions"]) || !both(&call["processes"]) {
        missed.push("the report does not have both people in it".into());
    }
    if call["sas_match"] == false {
        missed.push("the two words differ".into());
    }
    missed
}

/// When a voice was heard again after the stall: at its begin if it never stopped.
fn back(recovery: &Value) -> f64 {
    match (recovery["gap_ms"].as_f64(), &recovery["heard_again_ms"]) {
        (Some(_), Value::Null) => 0.0,
        (_, again) => again.as_f64().unwrap_or(f64::INFINITY),
    }
}

/// What a voice is to be like although some legs stall.
fn voice(way: &Value, at_most: &mut dyn FnMut(String, f64, f64)) {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::INFINITY);
    let from = show(&way["from"]);
    let ear = number(&way["mouth_to_ear_ms"]["p99"]);
    let network = number(&way["network_ms"]["p99"]);
    let what = format!("{from}'s voice from mouth to ear, ms");
    at_most(what, ear, network + 130.0);
    let gap = number(&way["longest_gap_ms"]);
    at_most(format!("longest gap in {from}'s voice, ms"), gap, 100.0);
    let lost = 100.0 * number(&way["frames"]["concealed"]) / number(&way["frames"]["played"]);
    let lost = if lost.is_nan() { f64::INFINITY } else { lost };
    at_most(format!("concealed of {from}'s voice, %"), lost, 1.0);
}

/// What no stall may do to the sound.
fn sound(way: &Value, at_most: &mut dyn FnMut(String, f64, f64)) {
    let from = show(&way["from"]);
    let sound = &way["recovery"]["sound"];
    let mut check = |what: &str, key: &str, limit: f64| {
        // What was not found in the recording is not judged here: the gap tells of it.
        let value = sound[key].as_f64().unwrap_or(limit);
        at_most(format!("{what} of {from}'s voice"), value, limit);
    };
    check(
        "loudest 10 ms, dB over what was spoken",
        "level_over_spoken_db",
        LOUDER_DB,
    );
    check(
        "largest sample, dB over what was spoken",
        "peak_over_spoken_db",
        LOUDER_DB,
    );
    check("steps, times what was spoken", "step_over_spoken", STEPS);
    check("rest of a long concealment, dBFS", "faded_dbfs", FADED_DBFS);
}

/// Both calls side by side.
fn table(report: &Value, stall_seconds: u64) -> String {
    let mut table = String::new();
    let Some(calls) = report["calls"].as_array() else {
        return table;
    };
    let mut row = |name: &str, pick: &dyn Fn(&Value) -> String| {
        let cells: Vec<String> = calls.iter().map(|c| format!(" {:>15}", pick(c))).collect();
        let _ = writeln!(table, "  {name:<42}{}", cells.concat());
    };
    let plain = |key: &'static str| move |c: &Value| show(&c[key]);
    row("legs", &plain("legs"));
    row("legs up", &plain("leg_count"));
    row("onion round trip, ms", &plain("onion_rtt_ms"));
    row("bob's device rings after, ms", &plain("ring_ms"));
    row(
        "alice has ringback and keys after, ms",
        &plain("ringback_ms"),
    );
    row("accept to first sound, ms", &plain("accept_to_audio_ms"));
    row(
        "words match (compared once)",
        &|c| match c["sas_match"].as_bool() {
            Some(true) => "yes".into(),
            Some(false) => "NO".into(),
            None => "known already".into(),
        },
    );
    let stalled = format!("legs stalled for {stall_seconds} s");
    row(&stalled, &plain("legs_stalled"));
    for (n, name) in ["alice", "bob"].iter().enumerate() {
        let part = |a: &'static str, b: &'static str| {
            move |c: &Value| {
                let v = &c["directions"][n][a];
                show(if b.is_empty() { v } else { &v[b] })
            }
        };
        // What was never played took for ever.
        let ear = |key: &'static str| {
            move |c: &Value| shown_or(&c["directions"][n]["mouth_to_ear_ms"][key], "∞")
        };
        row(
            &format!("{name} speaks: network p50, ms"),
            &part("network_ms", "p50"),
        );
        row(
            &format!("{name} speaks: network p99, ms"),
            &part("network_ms", "p99"),
        );
        row(&format!("{name} speaks: mouth to ear p50, ms"), &ear("p50"));
        row(&format!("{name} speaks: mouth to ear p99, ms"), &ear("p99"));
        row(&format!("{name} speaks: meter's error p95, ms"), &|c| {
            show(&c["directions"][n]["meter"]["error_ms"]["p95"])
        });
        row(
            &format!("{name} speaks: frames sent"),
            &part("frames", "sent"),
        );
        row(
            &format!("{name} speaks: frames played"),
            &part("frames", "played"),
        );
        row(
            &format!("{name} speaks: repaired"),
            &part("frames", "repaired"),
        );
        row(
            &format!("{name} speaks: concealed"),
            &part("frames", "concealed"),
        );
        row(
            &format!("{name} speaks: longest gap, ms"),
            &part("longest_gap_ms", ""),
        );
        let recovery =
            |key: &'static str| move |c: &Value| show(&c["directions"][n]["recovery"][key]);
        row(&format!("{name} speaks: gap at the stall, ms"), &|c| {
            shown_or(&c["directions"][n]["recovery"]["gap_ms"], "none")
        });
        row(
            &format!("{name} speaks: over after its end, ms"),
            &recovery("heard_again_ms"),
        );
        row(&format!("{name} speaks: delay before, highest, ms"), &|c| {
            let recovery = &c["directions"][n]["recovery"];
            format!(
                "{}, {}",
                show(&recovery["before_ms"]),
                show(&recovery["highest_ms"])
            )
        });
        row(
            &format!("{name} speaks: delay back after, ms"),
            &recovery("delay_back_ms"),
        );
        row(&format!("{name} speaks: PESQ-WB before, after"), &|c| {
            let pesq = &c["directions"][n]["pesq_wb"];
            format!("{}, {}", show(&pesq["before"]), show(&pesq["after"]))
        });
        row(&format!("{name}: cells a second"), &part("cells_per_s", ""));
        let process = |key: &'static str| move |c: &Value| show(&c["processes"][n][key]);
        row(
            &format!("{name}: CPU, % of a core"),
            &process("cpu_percent"),
        );
        row(&format!("{name}: peak memory, MB"), &process("peak_rss_mb"));
    }
    table.push_str("  –: not measured, or nothing to measure\n");
    table
}

fn show(value: &Value) -> String {
    shown_or(value, "–")
}

fn shown_or(value: &Value, without: &str) -> String {
    match value {
        Value::Null => without.into(),
        Value::String(s) => s.clone(),
        // More digits than were measured say nothing.
        Value::Number(n) if n.is_f64() => {
            let value = n.as_f64().unwrap_or(f64::NAN);
            let parts = if value.abs() < 10.0 { 100.0 } else { 10.0 };
            ((value * parts).round() / parts).to_string()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(ear: f64, gap: f64, concealed: u32) -> Value {
        let recovery = json!({"gap_ms": 3_100.0, "heard_again_ms": 800.0, "sound": {"peak_over_spoken_db": -1.0,
            "level_over_spoken_db": 0.1, "step_over_spoken": 0.9, "faded_dbfs": -80.0}});
        let way = |from| {
            json!({"from": from, "network_ms": {"p99": 130.0}, "mouth_to_ear_ms": {"p99": ear},
                "longest_gap_ms": gap, "frames": {"played": 1200, "concealed": concealed},
                "recovery": recovery})
        };
        let process = |who| json!({"who": who, "cpu_percent": 6.0, "peak_rss_mb": 80.0});
        json!({"legs": "onion", "onion_rtt_ms": 230.0, "ring_ms": 120.0, "ringback_ms": 235.0,
            "sas_match": true, "directions": [way("alice"), way("bob")],
            "processes": [process("alice"), process("bob")]})
    }

    #[test]
    fn the_verdict_knows_good_from_bad() {
        assert!(missed(&call(210.0, 12.0, 0), Reach::Some).is_empty());
        assert_eq!(missed(&call(300.0, 120.0, 40), Reach::Some).len(), 6);
        assert!(!missed(&json!({}), Reach::Some).is_empty());
        let mut never = call(210.0, 12.0, 0);
        never["directions"][0]["mouth_to_ear_ms"]["p99"] = Value::Null;
        assert_eq!(missed(&never, Reach::Some).len(), 1);
    }

    #[test]
    fn after_a_stall_of_everything_a_voice_has_to_come_back_without_noise() {
        let mut all = call(300.0, 3_200.0, 150);
        assert!(missed(&all, Reach::All).is_empty());
        let recovery = &mut all["directions"][1]["recovery"];
        recovery["heard_again_ms"] = json!(5_100.0);
        recovery["sound"]["step_over_spoken"] = json!(4.0);
        recovery["sound"]["faded_dbfs"] = json!(-20.0);
        assert_eq!(missed(&all, Reach::All).len(), 3);
        assert_eq!(back(&json!({"gap_ms": 12.0, "heard_again_ms": null})), 0.0);
        assert_eq!(back(&Value::Null), f64::INFINITY);
    }

    #[test]
    fn columns_of_the_table_stay_apart() {
        let mut call = call(236.720_000_000_000_03, 12.0, 0);
        call["directions"][1]["mouth_to_ear_ms"] = Value::Null;
        let table = table(&json!({"calls": [call, call]}), 2);
        let row = |name: &str| {
            let line = table.lines().find(|l| l.contains(name)).expect("is there");
            let cells = line.split_once(", ms").expect("has a unit").1;
            cells
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(row("alice speaks: mouth to ear p99"), ["236.7", "236.7"]);
        assert_eq!(row("bob speaks: mouth to ear p99"), ["∞", "∞"]);
        assert_eq!(show(&json!(3.856)), "3.86");
    }

    #[test]
    fn a_longer_stall_makes_a_longer_call() {
        let plan = |line: &[&str]| Args::parse_from([&["demo"], line].concat()).plan();
        assert_eq!(plan(&[]).map(|plan| plan.seconds), Ok(24));
        let long = plan(&["--stall-seconds", "5", "--stall-legs", "all"]).expect("it is fine");
        assert_eq!((long.seconds, long.reach), (27, Reach::All));
        assert!(plan(&["--stall-seconds", "5", "--seconds", "20"]).is_err());
    }
}
