//! What time-stretch does to really decoded speech:
//!
//! ```console
//! $ cargo run --release -p tacit-quality --example stretch
//! ```
//!
//! Writes bench/data/stretch.csv, how much one stretch changes each frame, beside frames.csv and in its
//! order; prints the scores for docs/decisions/0016-playout-stretches.md. So that what is heard stays
//! beside what was spoken, which both scores need, a frame that is played faster is made up for by the
//! next ones that are played slower. In between speech is up to 10 ms early; that costs points, though
//! nobody hears it: what stretching itself costs is less than what is printed.
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
/// A frame in so many is to be played faster.
const EVERY: [usize; 6] = [usize::MAX, 100, 50, 25, 10, 4];

/// Nothing is made up for up to here, samples: 2 ms.
const ASTRAY: isize = 96;

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

/// What is heard if one frame in `every` is to be played faster, and how many were really changed.
fn hear(decoded: &Decoded, every: usize) -> (Vec<f32>, usize) {
    let mut stretcher = Stretcher::default();
    let (mut heard, mut changed) = (Vec::new(), 0);
    // What has been taken away and not been given back, samples.
    let mut early = 0_isize;
    for (number, frame) in decoded.frames.iter().enumerate() {
        let change = if early > ASTRAY {
            Change::Lengthen
        } else if early < -ASTRAY || number % every == every - 1 {
            Change::Shorten
        } else {
            Change::None
        };
        let out = stretcher.apply(frame, change);
        changed += usize::from(out.len() != FRAME_SAMPLES);
        early += FRAME_SAMPLES.cast_signed() - out.len().cast_signed();
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
    println!("| frames changed | PESQ-WB | ESTOI |");
    println!("|---|---|---|");
    for every in EVERY {
        let mut pairs = Vec::new();
        let mut total = 0;
        for decoded in &texts {
            let (heard, changed) = hear(decoded, every);
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
            "| {:.1} % | {:.2} | {:.3} |",
            100.0 * total as f64 / (texts[0].frames.len() + texts[1].frames.len()) as f64,
            mean(|m| m.pesq_wb),
            mean(|m| m.estoi)
        );
    }
    Ok(())
}
