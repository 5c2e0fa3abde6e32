//! What time-stretch does to really decoded speech:
//!
//! ```console
//! $ cargo run --release -p tacit-quality --example stretch
//! ```
//!
//! Writes bench/data/stretch.csv, how much one stretch changes each frame, beside frames.csv and in its
//! order; prints the scores for docs/decisions/0016-playout-stretches.md. Every 2 s of speech a run of
//! frames is played faster and the next run slower, so that the texts keep their length; what comes
//! between is up to 60 ms early, which costs points too, though nobody hears it.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use tacit_codec::{Decoder, Encoder, FrameSamples, lookahead};
use tacit_quality::RATE;
use tacit_quality::pesq::{Measured, Scorer};
use tacit_quality::speech::{Text, assemble};
use tacit_stretch::{Change, Stretcher};
use tacit_types::limits::FRAME_SAMPLES;

const SECONDS: usize = 25;
const FROM: usize = RATE;
/// P.862.3: 8 to 12 s.
const SEGMENT: usize = 12 * RATE;
/// A run begins every so many frames: 2 s.
const PERIOD: usize = 100;
const RUNS: [usize; 5] = [0, 1, 3, 5, 10];

struct Decoded {
    spoken: Vec<f32>,
    frames: Vec<FrameSamples>,
}

fn decode(text: Text) -> Result<Decoded, Box<dyn Error>> {
    let spoken = assemble(text, SECONDS)?;
    let (mut encoder, mut decoder) = (Encoder::new()?, Decoder::new()?);
    let mut frames = Vec::new();
    for samples in spoken.chunks_exact(FRAME_SAMPLES) {
        let samples: &FrameSamples = samples.try_into()?;
        let encoded = encoder.encode(samples)?;
        let mut heard = [0.0; FRAME_SAMPLES];
        decoder.decode(&encoded.full, &mut heard)?;
        frames.push(heard);
    }
    Ok(Decoded { spoken, frames })
}

/// What is heard with runs of this length, and how many frames were really changed.
fn hear(decoded: &Decoded, run: usize) -> (Vec<f32>, usize) {
    let mut stretcher = Stretcher::default();
    let (mut heard, mut changed) = (Vec::new(), 0);
    // What the first run has taken away, samples.
    let mut early = 0_usize;
    for (number, frame) in decoded.frames.iter().enumerate() {
        let place = number % PERIOD;
        let change = if place < run {
            Change::Shorten
        } else if early > 0 {
            Change::Lengthen
        } else {
            Change::None
        };
        let out = stretcher.apply(frame, change);
        changed += usize::from(out.len() != FRAME_SAMPLES);
        early = (early + FRAME_SAMPLES).saturating_sub(out.len());
        heard.extend_from_slice(out);
    }
    (heard, changed)
}

fn main() -> Result<(), Box<dyn Error>> {
    let texts = [decode(Text::A)?, decode(Text::B)?];
    let mut csv = String::from("text,stretch_us\n");
    for (decoded, name) in texts.iter().zip(["a", "b"]) {
        let mut stretcher = Stretcher::default();
        for frame in &decoded.frames {
            let shorter = FRAME_SAMPLES - stretcher.apply(frame, Change::Shorten).len();
            writeln!(csv, "{name},{}", shorter * 1_000_000 / RATE)?;
        }
    }
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/data/stretch.csv");
    std::fs::write(data, csv)?;
    let scorer = Scorer::prepare()?;
    let late = lookahead();
    println!("| frames faster, then slower, every 2 s | frames changed | PESQ-WB | ESTOI |");
    println!("|---|---|---|---|");
    for run in RUNS {
        let mut pairs = Vec::new();
        let mut total = 0;
        for decoded in &texts {
            let (heard, changed) = hear(decoded, run);
            total += changed;
            let spoken = decoded.spoken[FROM..FROM + SEGMENT].to_vec();
            let heard = heard[FROM + late..FROM + late + SEGMENT].to_vec();
            pairs.push((spoken, heard));
        }
        let pairs: Vec<(&[f32], &[f32])> = pairs
            .iter()
            .map(|(spoken, heard): &(Vec<f32>, Vec<f32>)| (&spoken[..], &heard[..]))
            .collect();
        let measured = scorer.measure(&pairs)?;
        let count = pairs.len() as f64;
        let mean = |value: fn(&Measured) -> f64| measured.iter().map(value).sum::<f64>() / count;
        println!(
            "| {run} | {:.1} % | {:.2} | {:.3} |",
            100.0 * total as f64 / (texts[0].frames.len() + texts[1].frames.len()) as f64,
            mean(|m| m.pesq_wb),
            mean(|m| m.estoi)
        );
    }
    Ok(())
}
