//! `tacit-demo`: two people, two processes, real relays, two calls; see `cargo xtask demo`.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::Value;
use tacit_e2e::demo::{CALL_SECONDS, CallReport, report};
use tacit_e2e::hearing::pesq_wb;
use tacit_e2e::stage::{Set, Wanted, set};

/// How long a listening callee may take to be reachable.
const LISTEN_LIMIT: Duration = Duration::from_secs(120);
/// The callee answers once this many legs are up: what a person needs to reach for the mouse.
const ANSWER_AT: &str = "8";

/// The part of a call that PESQ scores: after the first seconds, before the stall.
const PESQ_SECONDS: [f64; 2] = [2.0, 12.0];

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
    /// Also score the sound before the stall: PESQ-WB, which needs the Python package of that name
    #[arg(long)]
    pesq: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let work = tokio::select! {
        done = run(&args) => done,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("demo: stopped");
            return ExitCode::from(130);
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
    };
    let say = |text: &str| eprintln!("demo: {text}");
    let Set {
        stage,
        coturn,
        server,
    } = set(&wanted, &say).await?;
    stage.meet(&say).await?;
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
        "bob listens. alice calls, {CALL_SECONDS} s each time."
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
    let value = report(
        stage.network.tor_version(),
        stage.network.relays().len(),
        args.link_delay_ms,
        &calls,
    );
    let file = stage.out.join("report.json");
    std::fs::write(&file, format!("{value:#}\n")).map_err(|e| e.to_string())?;
    // Ctrl-C is how a person ends `tacit listen`: 130 is its exit code then.
    listening.interrupt(Duration::from_secs(60)).await?;
    server.interrupt(Duration::from_secs(60)).await?;
    drop(coturn);
    table(&value);
    if args.pesq {
        scores(&value)?;
    }
    verdict(&value, &say);
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

/// PESQ-WB of each direction of each call, between its first seconds and its stall.
fn scores(report: &Value) -> Result<(), String> {
    let [from_s, to_s] = PESQ_SECONDS;
    for call in report["calls"].as_array().into_iter().flatten() {
        for way in call["directions"].as_array().into_iter().flatten() {
            let file = |key: &str| PathBuf::from(way[key].as_str().unwrap_or_default());
            let score = pesq_wb(&file("spoken_wav"), &file("heard_wav"), from_s, to_s)?;
            eprintln!(
                "  PESQ-WB, {} legs, {} speaks, seconds {from_s} to {to_s}: {score:.2}",
                show(&call["legs"]),
                show(&way["from"])
            );
        }
    }
    Ok(())
}

/// Says in a sentence a call whether it was as good as it is meant to be.
fn verdict(report: &Value, say: &dyn Fn(&str)) {
    for call in report["calls"].as_array().into_iter().flatten() {
        let missed = missed(call);
        let legs = show(&call["legs"]);
        if missed.is_empty() {
            say(&format!(
                "The call over {legs} legs went well: it rang and connected in time, and neither \
                 voice had a gap that could be heard, the stall included."
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
fn missed(call: &Value) -> Vec<String> {
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
        let from = show(&way["from"]);
        let network = number(&way["network_ms"]["p99"]);
        let ear = number(&way["mouth_to_ear_ms"]["p99"]);
        at_most(
            format!("{from}'s voice from mouth to ear, ms"),
            ear,
            network + 130.0,
        );
        at_most(
            format!("longest gap in {from}'s voice, ms"),
            number(&way["longest_gap_ms"]),
            100.0,
        );
    }
    for way in call["directions"].as_array().into_iter().flatten() {
        let lost = 100.0 * number(&way["frames"]["concealed"]) / number(&way["frames"]["played"]);
        at_most(
            format!("concealed of {}'s voice, %", show(&way["from"])),
            if lost.is_nan() { f64::INFINITY } else { lost },
            1.0,
        );
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

/// Both calls side by side.
fn table(report: &Value) {
    let Some(calls) = report["calls"].as_array() else {
        return;
    };
    let row = |name: &str, pick: &dyn Fn(&Value) -> String| {
        let cells: Vec<String> = calls.iter().map(|c| format!("{:>16}", pick(c))).collect();
        eprintln!("  {name:<42}{}", cells.join(""));
    };
    let plain = |key: &'static str| move |c: &Value| show(&c[key]);
    eprintln!();
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
    row("legs stalled for 2 s", &plain("legs_stalled"));
    for (n, name) in ["alice", "bob"].iter().enumerate() {
        let part = |a: &'static str, b: &'static str| {
            move |c: &Value| {
                let v = &c["directions"][n][a];
                show(if b.is_empty() { v } else { &v[b] })
            }
        };
        row(
            &format!("{name} speaks: network p50, ms"),
            &part("network_ms", "p50"),
        );
        row(
            &format!("{name} speaks: network p99, ms"),
            &part("network_ms", "p99"),
        );
        row(
            &format!("{name} speaks: mouth to ear p50, ms"),
            &part("mouth_to_ear_ms", "p50"),
        );
        row(
            &format!("{name} speaks: mouth to ear p99, ms"),
            &part("mouth_to_ear_ms", "p99"),
        );
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
        row(&format!("{name}: cells a second"), &part("cells_per_s", ""));
        let process = |key: &'static str| move |c: &Value| show(&c["processes"][n][key]);
        row(
            &format!("{name}: CPU, % of a core"),
            &process("cpu_percent"),
        );
        row(&format!("{name}: peak memory, MB"), &process("peak_rss_mb"));
    }
    eprintln!();
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "–".into(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(ear: f64, gap: f64, concealed: u32) -> Value {
        let way = |from| {
            json!({"from": from, "network_ms": {"p99": 130.0}, "mouth_to_ear_ms": {"p99": ear},
                "longest_gap_ms": gap, "frames": {"played": 1200, "concealed": concealed}})
        };
        let process = |who| json!({"who": who, "cpu_percent": 6.0, "peak_rss_mb": 80.0});
        json!({"legs": "onion", "onion_rtt_ms": 230.0, "ring_ms": 120.0, "ringback_ms": 235.0,
            "sas_match": true, "directions": [way("alice"), way("bob")],
            "processes": [process("alice"), process("bob")]})
    }

    #[test]
    fn the_verdict_knows_good_from_bad() {
        assert!(missed(&call(210.0, 12.0, 0)).is_empty());
        assert_eq!(missed(&call(300.0, 120.0, 40)).len(), 6);
        assert!(!missed(&json!({})).is_empty());
        let mut never = call(210.0, 12.0, 0);
        never["directions"][0]["mouth_to_ear_ms"]["p99"] = Value::Null;
        assert_eq!(missed(&never).len(), 1);
    }
}
