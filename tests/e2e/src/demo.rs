//! The demonstration: two people, two processes, real relays, two calls.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use tacit_tornet::Network;

use crate::analysis::{Direction, MeterReport, Trace, direction};
use crate::hearing;
use crate::person::{Person, Running, Usage, usage};
use crate::recovery::{Ends, Recovery, Stalled};
use crate::speech::Speech;
use crate::stall::{self, Halves, Plan, Stalling, note_leg};

/// PINGs that measure the onion round trip before the ring.
const PINGS: &str = "5";

/// One call of the report.
#[derive(Clone, Debug, Serialize)]
pub struct CallReport {
    /// `onion` or `turn`.
    pub legs: &'static str,
    /// Legs that were up when the stall began.
    pub leg_count: usize,
    /// RING sent until the callee's device rings.
    pub ring_ms: f64,
    /// RING sent until the caller has ringback and keys.
    pub ringback_ms: f64,
    /// Median round trip of a PING on the same stream.
    pub onion_rtt_ms: f64,
    /// Accepted until the callee's first sound is played at the caller.
    pub accept_to_audio_ms: f64,
    /// Both screens showed the same two words; `None` where the words were not compared.
    pub sas_match: Option<bool>,
    /// Legs that the stall stopped.
    pub legs_stalled: usize,
    /// Both directions.
    pub directions: Vec<Direction>,
    /// Both processes.
    pub processes: Vec<ProcessReport>,
    /// When the stall began, seconds after the answer.
    pub stall_at_s: f64,
    /// How long it lasted, seconds.
    pub stall_s: f64,
}

/// What a process used.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessReport {
    /// Caller or callee.
    pub who: String,
    /// Process CPU time over the call, per cent of one core.
    pub cpu_percent: f64,
    /// Peak resident memory, MB.
    pub peak_rss_mb: f64,
}

/// Everything that both calls need.
#[derive(Debug)]
pub struct Stage {
    /// The private Tor network.
    pub network: Arc<Network>,
    /// Who calls.
    pub caller: Person,
    /// Who is called.
    pub callee: Person,
    /// What the caller says.
    pub caller_speech: Speech,
    /// What the callee says.
    pub callee_speech: Speech,
    /// What is to happen in each call.
    pub plan: Plan,
    /// Where recordings, traces and the report go.
    pub out: PathBuf,
}

/// A call in progress, as seen from outside.
struct Call<'a> {
    stage: &'a Stage,
    legs: &'static str,
    caller: Running,
    links: Vec<(u64, Vec<String>)>,
}

impl Stage {
    /// Makes both profiles and passes an invite.
    ///
    /// # Errors
    /// What failed, in plain words.
    pub async fn meet(&self, say: &(dyn Fn(&str) + Sync)) -> Result<(), String> {
        meet(&self.caller, &self.callee, say).await.map(drop)
    }

    /// Places one call and reports on it.
    ///
    /// # Errors
    /// What failed, in plain words.
    pub async fn call(
        &self,
        legs: &'static str,
        callee: &mut Running,
        verify: bool,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<CallReport, String> {
        let heard = self
            .out
            .join(format!("heard-by-{}-{legs}.wav", self.caller.name));
        let trace = self
            .out
            .join(format!("trace-{}-{legs}.txt", self.caller.name));
        let duration = self.plan.seconds.to_string();
        let caller = self.caller.tacit(&[
            "call",
            self.callee.name,
            "--legs",
            legs,
            "--duration",
            &duration,
            "--audio-in",
            path(&self.caller_speech.wav)?,
            "--audio-out",
            path(&heard)?,
            "--trace",
            path(&trace)?,
            "--measure-pings",
            PINGS,
            "--dangerous-report-circuits",
        ])?;
        Call {
            stage: self,
            legs,
            caller,
            links: Vec::new(),
        }
        .run(callee, verify, say)
        .await
    }
}

/// Makes both profiles; the callee invites the caller. Returns the invite, which is used now.
///
/// # Errors
/// What failed, in plain words.
pub async fn meet(
    caller: &Person,
    callee: &Person,
    say: &(dyn Fn(&str) + Sync),
) -> Result<String, String> {
    for person in [caller, callee] {
        person.run(&["init"], Duration::from_secs(30)).await?;
    }
    say(&format!(
        "Both have a profile. {} invites {}…",
        callee.name, caller.name
    ));
    let link = introduce(caller, callee).await?;
    say("They are each other's contacts now, not verified yet.");
    Ok(link)
}

/// The callee invites the caller; both have a profile. Returns the invite, which is used now.
///
/// # Errors
/// What failed, in plain words.
pub async fn introduce(caller: &Person, callee: &Person) -> Result<String, String> {
    let mut inviting = callee.tacit(&["invite", caller.name])?;
    let invite = inviting
        .wait_for("invite", Duration::from_secs(120), |e| {
            e["event"] == "invite"
        })
        .await?;
    let link = invite["link"]
        .as_str()
        .ok_or("the invite has no link")?
        .to_owned();
    inviting
        .wait_for("invite to be reachable", Duration::from_secs(120), |e| {
            e["event"] == "invite_reachable"
        })
        .await?;
    let args = ["accept", &link, "--name", callee.name];
    caller.run(&args, Duration::from_secs(120)).await?;
    inviting.finish(Duration::from_secs(60)).await?;
    Ok(link)
}

fn path(path: &Path) -> Result<&str, String> {
    path.to_str()
        .ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

impl Call<'_> {
    async fn run(
        mut self,
        callee: &mut Running,
        verify: bool,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<CallReport, String> {
        let mut rtts = Vec::new();
        let mut times = std::collections::BTreeMap::new();
        let links = &mut self.links;
        self.caller
            .wait_for("connection", Duration::from_secs(180), |e| {
                note(e, "", &mut times, &mut rtts);
                note_leg(e, links);
                e["event"] == "state" && e["state"] == "connected"
            })
            .await?;
        let mut callee_links = Vec::new();
        let mut callee_call = 0;
        callee
            .wait_for("connection", Duration::from_secs(30), |e| {
                note(e, "callee_", &mut times, &mut Vec::new());
                note_leg(e, &mut callee_links);
                callee_call = e["call"].as_u64().unwrap_or(callee_call);
                e["event"] == "state" && e["state"] == "connected"
            })
            .await?;
        let plan = &self.stage.plan;
        say(&format!("Connected. Both speak for {} s…", plan.seconds));
        let began = Instant::now();
        let before = self.usages(callee);
        let mut words = [Value::Null, Value::Null];
        let mut meters = [Vec::new(), Vec::new()];
        let mut stalled: Option<Stalling> = None;
        let halves = if self.legs == "turn" {
            Halves::Apart
        } else {
            Halves::Joined
        };
        let mut live = 0;
        let mut verified = [false, false];
        loop {
            let stall_in = plan.at.saturating_sub(began.elapsed());
            tokio::select! {
                event = self.caller.next() => {
                    let event = event.ok_or("the caller ended in mid-call")?;
                    note(&event, "", &mut times, &mut rtts);
                    note_leg(&event, &mut self.links);
                    meters[0].extend(meter(&event));
                    verified[0] |= event["event"] == "verified";
                    if event["event"] == "words" { words[0] = event["words"].clone(); }
                    if event["event"] == "ended" {
                        finish(&event)?;
                        break;
                    }
                }
                event = callee.next() => {
                    let event = event.ok_or("the callee ended in mid-call")?;
                    note(&event, "callee_", &mut times, &mut Vec::new());
                    note_leg(&event, &mut callee_links);
                    meters[1].extend(meter(&event));
                    verified[1] |= event["event"] == "verified";
                    if event["event"] == "words" { words[1] = event["words"].clone(); }
                }
                () = tokio::time::sleep(stall_in), if stalled.is_none() => {
                    live = stall::all(&self.links, &callee_links, halves).len();
                    let legs = [&self.links[..], &callee_links[..]];
                    let stalling = stall::begin(&self.stage.network, plan, legs, halves)?;
                    say(&format!(
                        "Stalling {} for {} s: {} of {live} legs.",
                        stalling.what, plan.time.as_secs_f64(), stalling.legs.len()
                    ));
                    stalled = Some(stalling);
                }
            }
            if verify && words.iter().all(|w| !w.is_null()) && verified == [false, false] {
                say(&format!("Both screens: {} | {}", words[0], words[1]));
                let answer = if words[0] == words[1] { "v" } else { "x" };
                self.caller.type_line(answer).await?;
                callee.type_line(answer).await?;
                verified = [true, true];
            }
        }
        let elapsed = began.elapsed().as_secs_f64();
        let processes = self.processes(callee, &before, elapsed);
        callee
            .wait_for("end of the call", Duration::from_secs(60), |e| {
                note(e, "callee_", &mut times, &mut Vec::new());
                e["event"] == "ended"
            })
            .await?;
        // Nobody watches these circuits: cover after the call would only take half a minute.
        let ended = self.caller.end_at_once(Duration::from_secs(60)).await?;
        ended.succeeded(self.stage.caller.name)?;
        let stalled = stalled.ok_or("the call ended before the stall")?;
        let length = u64::try_from(plan.time.as_micros()).unwrap_or(u64::MAX);
        let stall = Stalled(stalled.begun_us..stalled.begun_us.saturating_add(length));
        let between = |from: &str, to: &str| -> Result<f64, String> {
            let at = |what: &str| {
                times
                    .get(what)
                    .copied()
                    .ok_or(format!("no time stamp `{what}`"))
            };
            Ok((at(to)? as f64 - at(from)? as f64) / 1e3)
        };
        rtts.sort_by(f64::total_cmp);
        Ok(CallReport {
            legs: self.legs,
            leg_count: live,
            ring_ms: between("ring_sent", "callee_ring_seen")?,
            ringback_ms: between("ring_sent", "answer_seen")?,
            onion_rtt_ms: rtts
                .get(rtts.len() / 2)
                .copied()
                .ok_or("no PING was measured")?,
            accept_to_audio_ms: between("callee_accepted", "first_audio")?,
            sas_match: verify.then(|| words[0] == words[1] && !words[0].is_null()),
            legs_stalled: stalled.legs.len(),
            directions: directions(self.stage, self.legs, callee_call, &meters, &stall)?,
            processes,
            stall_at_s: plan.at.as_secs_f64(),
            stall_s: plan.time.as_secs_f64(),
        })
    }

    fn usages(&self, callee: &Running) -> [Option<Usage>; 2] {
        [
            self.caller.pid().and_then(usage),
            callee.pid().and_then(usage),
        ]
    }

    fn processes(
        &self,
        callee: &Running,
        before: &[Option<Usage>; 2],
        s: f64,
    ) -> Vec<ProcessReport> {
        let after = self.usages(callee);
        let names = [self.stage.caller.name, self.stage.callee.name];
        names
            .iter()
            .zip(before.iter().zip(after))
            .filter_map(|(who, (before, after))| {
                let (before, after) = ((*before)?, after?);
                Some(ProcessReport {
                    who: (*who).into(),
                    cpu_percent: ((after.cpu_s - before.cpu_s) / s * 1000.0).round() / 10.0,
                    peak_rss_mb: after.peak_rss_mb.round(),
                })
            })
            .collect()
    }
}

fn note(
    event: &Value,
    prefix: &str,
    times: &mut std::collections::BTreeMap<String, u64>,
    rtts: &mut Vec<f64>,
) {
    if event["event"] == "onion_rtt" {
        rtts.extend(event["ms"].as_f64());
    }
    if event["event"] == "timing"
        && let (Some(what), Some(at)) = (event["what"].as_str(), event["at_us"].as_u64())
    {
        times.insert(format!("{prefix}{what}"), at);
    }
}

/// What a person's live meter says.
fn meter(event: &Value) -> Option<MeterReport> {
    let report = MeterReport {
        at_us: event["at_us"].as_u64()?,
        mouth_to_ear_ms: event["mouth_to_ear_ms"].as_f64()?,
    };
    (event["event"] == "quality").then_some(report)
}

fn finish(event: &Value) -> Result<(), String> {
    match event["reason"].as_str() {
        Some("call.hung_up") => Ok(()),
        other => Err(format!("the call ended with {other:?}")),
    }
}

/// Reads both traces and computes both directions; `meters` are the caller's and the callee's.
fn directions(
    stage: &Stage,
    legs: &str,
    callee_call: u64,
    meters: &[Vec<MeterReport>; 2],
    stall: &Stalled,
) -> Result<Vec<Direction>, String> {
    let caller_trace = Trace::read(
        &stage
            .out
            .join(format!("trace-{}-{legs}.txt", stage.caller.name)),
    )?;
    let callee_trace = Trace::read(
        &stage
            .out
            .join(format!("trace-{}-{callee_call}.txt", stage.callee.name)),
    )?;
    let heard_by_caller = stage
        .out
        .join(format!("heard-by-{}-{legs}.wav", stage.caller.name));
    let heard_by_callee = stage
        .out
        .join(format!("heard-by-{}-{legs}.wav", stage.callee.name));
    let recorded = stage
        .out
        .join(format!("heard-by-{}-{callee_call}.wav", stage.callee.name));
    std::fs::rename(&recorded, &heard_by_callee)
        .map_err(|e| format!("{}: {e}", recorded.display()))?;
    let one = |who: (&Person, &Speech), heard: &Path, traces: [&Trace; 2], meter: &[_]| {
        let (person, speech) = who;
        let names = (
            person.name.to_owned(),
            speech.wav.display().to_string(),
            heard.display().to_string(),
        );
        let [from, to] = traces;
        let is_speech = |position| speech.is_speech(position);
        let (spoken, heard) = (hearing::read(&speech.wav)?, hearing::read(heard)?);
        let ends = Ends {
            speaker: from,
            listener: to,
            spoken: &spoken,
            heard: &heard,
        };
        Ok::<_, String>(Direction {
            recovery: Recovery::of(ends, stall),
            ..direction(names, from, to, meter, is_speech)
        })
    };
    let [caller_meter, callee_meter] = meters;
    Ok(vec![
        one(
            (&stage.caller, &stage.caller_speech),
            &heard_by_callee,
            [&caller_trace, &callee_trace],
            callee_meter,
        )?,
        one(
            (&stage.callee, &stage.callee_speech),
            &heard_by_caller,
            [&callee_trace, &caller_trace],
            caller_meter,
        )?,
    ])
}

/// The report's form.
#[must_use]
pub fn report(tor_version: &str, relays: usize, link_delay_ms: u64, calls: &[CallReport]) -> Value {
    json!({
        "schema": 1,
        "tor": {"version": tor_version, "relays": relays, "link_delay_ms": link_delay_ms},
        "calls": calls,
    })
}
