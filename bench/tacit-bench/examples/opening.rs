//! What the first seconds of simulated calls sound like:
//!
//! ```console
//! $ cargo run --release -p tacit-bench --no-default-features --example opening -- turn 100 7
//! ```
//!
//! Network (`turn`, `onion`, or either behind `idle-`: relays without other traffic), calls, seed. Each
//! direction's seconds 2 to 12 are really decoded and scored with PESQ-WB, as `--pesq` does later in a
//! call; what is concealed, stretched and how late what is heard is, is counted over its first 5 s.
#![forbid(unsafe_code)]

use std::env::args;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rayon::prelude::*;
use tacit_bench::hearing::{Buffer, CAPTURE, Hearing, LOOK_AHEAD, OUTPUT, Sound, Voice};
use tacit_bench::speech::Spoken;
use tacit_circuits::strategies::{Contents, Kind, Packed, Unpacked};
use tacit_circuits::{Arrival, Mode, Observer, Params, Scenario, Side, random, run};
use tacit_codec::{Decoder, Encoder, FrameSamples, lookahead};
use tacit_playout::Pace;
use tacit_quality::pesq::Scorer;
use tacit_quality::speech::{Text, assemble};
use tacit_stretch::{Change, Stretcher};
use tacit_types::limits::{FRAME_DURATION, FRAME_SAMPLES};
use tacit_types::{EncodedFrame, Reach, Timestamp};

/// Of each text.
const SECONDS: usize = 25;
const LENGTH: Duration = Duration::from_secs(14);
/// What is scored, and what is counted apart: frames.
const SCORED: core::ops::Range<u32> = 100..600;
const EARLY: u32 = 250;
/// One-way floor of an idle circuit.
const IDLE: Duration = Duration::from_millis(45);

struct Recording {
    spoken: Vec<f32>,
    frames: Vec<EncodedFrame>,
}

impl Recording {
    fn new() -> Result<Self, Box<dyn Error>> {
        let mut all = Self {
            spoken: Vec::new(),
            frames: Vec::new(),
        };
        for text in [Text::A, Text::B] {
            let samples = assemble(text, SECONDS)?;
            let mut encoder = Encoder::new()?;
            let (chunks, _) = samples.as_chunks::<FRAME_SAMPLES>();
            for chunk in chunks {
                all.frames.push(encoder.encode(chunk)?);
            }
            all.spoken.extend(samples);
        }
        Ok(all)
    }
}

/// One direction.
struct Ear {
    recording: Arc<Recording>,
    /// The same place in the tables.
    spoken: Spoken,
    offset: usize,
    decoder: Decoder,
    stretcher: Stretcher,
    /// When the output wants more.
    at: Duration,
    heard: Vec<f32>,
    /// Of each frame: when it was played.
    played: Vec<Option<Duration>>,
    concealed: u32,
    /// Frames that were changed: in the first 5 s, and of those that are scored.
    changed: [u32; 2],
}

impl Ear {
    fn new(recording: &Arc<Recording>, phase: u64, seed: u64) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            recording: Arc::clone(recording),
            spoken: Spoken::new(seed),
            offset: random::Random::new(seed).below(recording.frames.len()),
            decoder: Decoder::new()?,
            stretcher: Stretcher::default(),
            at: Duration::from_millis(phase),
            heard: Vec::new(),
            played: vec![None; SCORED.end as usize],
            concealed: 0,
            changed: [0; 2],
        })
    }

    fn place(&self, frame: u32) -> usize {
        (self.offset + frame as usize) % self.recording.frames.len()
    }

    fn decode(&mut self, sound: Sound) -> Box<FrameSamples> {
        let mut out = Box::new([0.0; FRAME_SAMPLES]);
        let recording = Arc::clone(&self.recording);
        let frame = |frame: u32| &recording.frames[self.place(frame)];
        let done = match sound {
            Sound::Frame(number) | Sound::Skipped(number) => {
                let payload = frame(number).short;
                self.decoder.decode(&payload, &mut out)
            }
            Sound::Repaired(number, back) => {
                let payload = frame(number + back).full;
                self.decoder.repair(&payload, back, &mut out)
            }
            _ => self.decoder.conceal(&mut out),
        };
        if done.is_err() {
            out.fill(0.0);
        }
        out
    }

    fn original(&self) -> Vec<f32> {
        let all = &self.recording.spoken;
        let first = self.place(SCORED.start) * FRAME_SAMPLES + all.len() - lookahead();
        let samples = first..first + SCORED.len() * FRAME_SAMPLES;
        samples.map(|at| all[at % all.len()]).collect()
    }
}

impl Voice for Ear {
    fn pack(&self, unpacked: &Unpacked) -> Packed {
        self.spoken.pack(unpacked)
    }

    fn reach(&self, frame: u32) -> Reach {
        self.spoken.reach(frame)
    }

    fn is_speech(&self, frame: u32) -> bool {
        self.spoken.is_speech(frame)
    }

    fn play(&mut self, sound: Sound, pace: Pace) -> Duration {
        let Some(frame) = sound.frame().filter(|frame| *frame < SCORED.end + 50) else {
            self.at += FRAME_DURATION;
            return FRAME_DURATION;
        };
        let decoded = self.decode(sound);
        let change = match (sound, pace) {
            (Sound::Skipped(_), _) => return Duration::ZERO,
            (_, Pace::Even) => Change::None,
            (_, Pace::Faster) => Change::Shorten,
            (_, Pace::Slower) => Change::Lengthen,
        };
        let samples = self.stretcher.apply(&decoded, change);
        let length = Duration::from_micros(samples.len() as u64 * 1_000 / 48);
        let changed = u32::from(samples.len() != FRAME_SAMPLES);
        if SCORED.contains(&frame) {
            self.heard.extend_from_slice(samples);
            self.changed[1] += changed;
        }
        if frame < EARLY {
            self.changed[0] += changed;
            self.concealed += u32::from(matches!(sound, Sound::Concealed(_)));
        }
        let heard = matches!(sound, Sound::Frame(_) | Sound::Repaired(..));
        if let Some(played) = self.played.get_mut(frame as usize).filter(|_| heard) {
            *played = Some(self.at);
        }
        self.at += length;
        length
    }
}

/// Both directions, and when capture began.
struct Call {
    hearing: Hearing<Ear>,
    origin: [Option<i64>; 2],
}

impl Observer for Call {
    fn begins(&mut self, from: Side, contents: &Contents) {
        self.hearing.begins(from, contents);
    }

    fn pack(&mut self, from: Side, unpacked: &Unpacked) -> Packed {
        self.hearing.pack(from, unpacked)
    }

    fn arrived(&mut self, arrival: &Arrival) {
        let before = 20_000_i64 * (i64::from(arrival.packet) + 1);
        let sent = arrival.sent_at.signed_micros_since(Timestamp::ZERO);
        self.origin[arrival.from as usize].get_or_insert(sent - before);
        self.hearing.arrived(arrival);
    }
}

/// One direction's figures.
struct Opening {
    spoken: Vec<f32>,
    heard: Vec<f32>,
    /// From mouth to ear, ms, in the first 5 s and after.
    delays: [Vec<f64>; 2],
    concealed: u32,
    changed: [u32; 2],
}

fn call(
    scenario: &Scenario,
    recording: &Arc<Recording>,
    seed: u64,
) -> Result<[Opening; 2], String> {
    let ear = |phase: u64, side: u64| {
        let seed = random::derive(seed, 0x5bea_0000 + side);
        Ear::new(recording, phase, seed).map_err(|error| error.to_string())
    };
    let mut call = Call {
        hearing: Hearing::new(Buffer::Tacit, LENGTH, [ear(7, 0)?, ear(13, 1)?]),
        origin: [None; 2],
    };
    run(scenario, Kind::Tacit, seed, &mut call);
    let (_, ears) = call.hearing.finish();
    let mut origins = call.origin.into_iter();
    Ok(ears.map(|ear| {
        let origin = origins.next().flatten().unwrap_or(0) as f64 / 1e3;
        let around = (CAPTURE + LOOK_AHEAD + OUTPUT).as_secs_f64() * 1e3;
        let delay = |(frame, played): (usize, &Option<Duration>)| {
            played.map_or(f64::INFINITY, |at| {
                at.as_secs_f64() * 1e3 - origin - 20.0 * frame as f64 + around
            })
        };
        let all: Vec<f64> = ear.played.iter().enumerate().map(delay).collect();
        let (early, late) = all.split_at(EARLY as usize);
        Opening {
            spoken: ear.original(),
            delays: [early.to_vec(), late.to_vec()],
            concealed: ear.concealed,
            changed: ear.changed,
            heard: ear.heard,
        }
    }))
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

fn main() -> ExitCode {
    measure().map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::from(2)
        },
        |()| ExitCode::SUCCESS,
    )
}

fn measure() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = args().skip(1).collect();
    let [network, calls, seed] = &args[..] else {
        return Err(
            "usage: opening NETWORK CALLS SEED (network: turn, onion, idle-turn, idle-onion)"
                .into(),
        );
    };
    let (calls, seed): (u64, u64) = (calls.parse()?, seed.parse()?);
    let mode: Mode = network.trim_start_matches("idle-").parse()?;
    let mut scenario = Scenario::new(mode);
    scenario.length = LENGTH;
    scenario.replace = false;
    if network.starts_with("idle-") {
        scenario.params = Params::idle(IDLE);
    }
    let recording = Arc::new(Recording::new()?);
    let scorer = Scorer::prepare()?;
    let openings: Vec<Opening> = (0..calls)
        .into_par_iter()
        .map(|number| call(&scenario, &recording, random::derive(seed, number)))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect();
    let scores: Vec<f64> = openings
        .par_chunks(10)
        .map(|some| {
            let pairs: Vec<(&[f32], &[f32])> =
                some.iter().map(|o| (&o.spoken[..], &o.heard[..])).collect();
            scorer.scores(&pairs).map_err(|error| error.to_string())
        })
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    let spread = |mut values: Vec<f64>, shares: [f64; 3], digits: usize| {
        let texts = shares.map(|share| format!("{:.digits$}", percentile(&mut values, share)));
        texts.join(", ")
    };
    let mean = |value: &dyn Fn(&Opening) -> f64| {
        openings.iter().map(value).sum::<f64>() / openings.len() as f64
    };
    let at_least = |least: f64| {
        let share = scores.iter().filter(|score| **score >= least).count() as f64;
        100.0 * share / scores.len() as f64
    };
    let delays = |part: usize| -> Vec<f64> {
        openings
            .iter()
            .flat_map(|o| o.delays[part].iter().copied())
            .collect()
    };
    println!("{network}, {calls} calls, seed {seed}, simulated; both directions of each call");
    println!(
        "PESQ-WB of seconds 2 to 12: mean {:.2}; p10, p50, p90: {}; at least 3.5: {:.1} %, at least 3.0: {:.1} %",
        scores.iter().sum::<f64>() / scores.len() as f64,
        spread(scores.clone(), [0.1, 0.5, 0.9], 2),
        at_least(3.5),
        at_least(3.0)
    );
    println!(
        "first 5 s, of 250 frames: {:.1} changed, {:.2} concealed; changed in seconds 2 to 12, of 500: {:.1}",
        mean(&|o| f64::from(o.changed[0])),
        mean(&|o| f64::from(o.concealed)),
        mean(&|o| f64::from(o.changed[1]))
    );
    for (what, part) in [("first 5 s", 0), ("seconds 5 to 12", 1)] {
        let delays = spread(delays(part), [0.5, 0.9, 0.99], 0);
        println!("mouth to ear, {what}, ms: p50, p90, p99: {delays}");
    }
    Ok(())
}
