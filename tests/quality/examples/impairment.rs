//! What lost frames cost, for the E-model's equipment impairment:
//!
//! ```console
//! $ cargo run --release -p tacit-quality --example impairment
//! ```
//!
//! Writes bench/data/impairment.csv: PESQ on the narrowband scale (P.862.1) of encoded speech from
//! which a Gilbert process takes frames, once all concealed by PLC and once repaired by the DRED of
//! the next frame that is there. `tacit-bench` fits Ie and Bpl to it. Deterministic on one machine.
//! Takes about a minute and a half of one core.
#![forbid(unsafe_code)]

mod common;

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use common::{Encoded, FROM, Rows, encode, in_place, segments};
use tacit_codec::Decoder;
use tacit_quality::pesq::Scorer;
use tacit_quality::speech::Text;
use tacit_types::limits::FRAME_SAMPLES;

/// Percent of all frames.
const LOSSES: [u32; 5] = [1, 2, 4, 8, 16];
/// Mean length of a burst, frames.
const BURSTS: [u32; 4] = [1, 2, 4, 8];
/// Each is measured so many times.
const DRAWS: u64 = 2;

/// A number in 0..1; the sequence depends on the state alone.
fn unit(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Which frames are lost: bursts of this mean length, this share in all.
fn lost(frames: usize, percent: u32, burst: u32, draw: u64) -> Vec<bool> {
    let share = f64::from(percent) / 100.0;
    let ends = 1.0 / f64::from(burst);
    let begins = ends * share / (1.0 - share);
    let mut state = draw * 1_000_003 + u64::from(percent) * 101 + u64::from(burst);
    let mut bad = false;
    let mut one = |number: usize| {
        let chance = if bad { 1.0 - ends } else { begins };
        bad = unit(&mut state) < chance;
        bad && number * FRAME_SAMPLES >= FROM
    };
    (0..frames).map(&mut one).collect()
}

fn hear(encoded: &Encoded, lost: &[bool], dred: bool) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut decoder = Decoder::new()?;
    let mut heard = Vec::with_capacity(encoded.spoken.len());
    for (number, frame) in encoded.frames.iter().enumerate() {
        let mut out = [0.0; FRAME_SAMPLES];
        let repairer = (1..50).find(|back| {
            let later = number + *back as usize;
            lost.get(later) == Some(&false) && encoded.frames[later].reach.covers(*back)
        });
        match repairer.filter(|_| dred) {
            _ if !lost[number] => decoder.decode(&frame.full, &mut out)?,
            Some(back) => {
                decoder.repair(&encoded.frames[number + back as usize].full, back, &mut out)?;
            }
            None => decoder.conceal(&mut out)?,
        }
        heard.extend(out);
    }
    Ok(in_place(heard, &encoded.spoken))
}

/// Share in percent, and G.107's BurstR, of what was lost.
fn describe(patterns: &[Vec<bool>]) -> (f64, f64) {
    let (mut all, mut gone, mut runs) = (0, 0, 0);
    for pattern in patterns {
        let scored = &pattern[FROM / FRAME_SAMPLES..];
        all += scored.len();
        gone += scored.iter().filter(|lost| **lost).count();
        runs += usize::from(scored[0]);
        runs += scored.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    }
    let share = gone as f64 / all as f64;
    let burst = gone as f64 / runs.max(1) as f64 * (1.0 - share);
    (100.0 * share, burst.max(1.0))
}

fn score(scorer: &Scorer, heards: &[(&Encoded, Vec<f32>)]) -> Result<f64, Box<dyn Error>> {
    let pairs: Vec<(&[f32], &[f32])> = segments(heards).collect();
    let scores = scorer.narrowband(&pairs)?;
    Ok(scores.iter().sum::<f64>() / scores.len() as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let texts = [encode(Text::A)?, encode(Text::B)?];
    let scorer = Scorer::prepare()?;
    let mut csv = String::from("means,mean_burst_frames,loss_percent,burst_r,pesq_nb\n");
    let clean = texts.each_ref().map(|t| vec![false; t.frames.len()]);
    let mut heards = Vec::new();
    for (encoded, pattern) in texts.iter().zip(&clean) {
        heards.push((encoded, hear(encoded, pattern, false)?));
    }
    let mut rows = Rows::new(1 + 2 * LOSSES.len() * BURSTS.len());
    let whole = score(&scorer, &heards)?;
    writeln!(csv, "none,0,0,1,{whole:.3}")?;
    rows.tell(&format!("nothing lost: {whole:.3}"));
    for (name, dred) in [("plc", false), ("dred", true)] {
        for percent in LOSSES {
            for burst in BURSTS {
                let (mut heards, mut patterns) = (Vec::new(), Vec::new());
                for (text, encoded) in (0_u64..).zip(&texts) {
                    for draw in 0..DRAWS {
                        let seed = 2 * draw + text;
                        let pattern = lost(encoded.frames.len(), percent, burst, seed);
                        heards.push((encoded, hear(encoded, &pattern, dred)?));
                        patterns.push(pattern);
                    }
                }
                let (loss, burst_r) = describe(&patterns);
                let score = score(&scorer, &heards)?;
                writeln!(csv, "{name},{burst},{loss:.2},{burst_r:.2},{score:.3}")?;
                rows.tell(&format!(
                    "{name} {burst} {loss:.2} % {burst_r:.2}: {score:.3}"
                ));
            }
        }
    }
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/data/impairment.csv");
    std::fs::write(data, csv)?;
    Ok(())
}
