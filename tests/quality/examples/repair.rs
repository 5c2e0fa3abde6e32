//! What repair does to really encoded speech, and how large its frames are:
//!
//! ```console
//! $ cargo run --release -p tacit-quality --example repair
//! ```
//!
//! Writes bench/data/frames.csv and bench/data/repair.csv, prints both as tables for
//! docs/decisions/0015-codec-and-repair.md. Deterministic on one machine; another processor may
//! round a last digit otherwise.
//! Takes about two minutes of one core.
#![forbid(unsafe_code)]

mod common;

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use common::{Encoded, Rows, encode, in_place, segments};
use tacit_codec::Decoder;
use tacit_quality::pesq::{Measured, Scorer};
use tacit_quality::speech::Text;
use tacit_types::EncodedFrame;
use tacit_types::limits::{FRAME_SAMPLES, REPEATED_FRAMES_MAX};

/// One gap begins every so many frames: 2 s.
const PERIOD: usize = 100;
/// Each length is measured with the gaps in these places.
const OFFSETS: [usize; 2] = [55, 80];
/// Frames.
const GAPS: [usize; 10] = [1, 2, 3, 5, 7, 10, 15, 20, 25, 35];
/// A frame is speech above this mean square, −50 dBFS.
const LOUD: f32 = 1e-5;
/// Bytes for frames in a packet with eight reports and no message, each frame's length included.
const ROOM: usize = 355;

/// What a receiver does about lost packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// Deep PLC for every lost frame.
    Plc,
    /// DRED of the first packet after the gap, PLC beyond its reach.
    Dred,
    /// That packet's four repeats, then DRED, then PLC: what Tacit does.
    Packet,
}

const MEANS: [(Means, &str); 3] = [
    (Means::Plc, "plc"),
    (Means::Dred, "dred"),
    (Means::Packet, "packet"),
];

/// Which frames are speech.
fn loud(encoded: &Encoded) -> Vec<bool> {
    let (chunks, _) = encoded.spoken.as_chunks::<FRAME_SAMPLES>();
    let is_loud = |samples: &[f32; FRAME_SAMPLES]| {
        samples.iter().map(|s| s * s).sum::<f32>() / FRAME_SAMPLES as f32 > LOUD
    };
    chunks.iter().map(is_loud).collect()
}

/// How the lost frames of a call were made good.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    lost: usize,
    repeated: usize,
    repaired: usize,
}

/// What is heard when `gap` packets in a row are lost, again and again.
fn hear(
    encoded: &Encoded,
    means: Means,
    gap: usize,
    offset: usize,
) -> Result<(Vec<f32>, Count), Box<dyn Error>> {
    let mut decoder = Decoder::new()?;
    let mut heard = Vec::with_capacity(encoded.spoken.len());
    let mut count = Count::default();
    for (number, frame) in encoded.frames.iter().enumerate() {
        let mut out = [0.0; FRAME_SAMPLES];
        let place = (number + PERIOD - offset) % PERIOD;
        let back = gap.saturating_sub(place);
        let after = encoded.frames.get(number + back);
        if back == 0 || number < offset {
            decoder.decode(&frame.full, &mut out)?;
        } else {
            count.lost += 1;
            let distance = u32::try_from(back)?;
            match after {
                Some(_) if means == Means::Packet && back <= 4 => {
                    count.repeated += 1;
                    decoder.decode(&frame.short, &mut out)?;
                }
                Some(later) if means != Means::Plc && later.reach.covers(distance) => {
                    count.repaired += 1;
                    decoder.repair(&later.full, distance, &mut out)?;
                }
                _ => decoder.conceal(&mut out)?,
            }
        }
        heard.extend(out);
    }
    Ok((in_place(heard, &encoded.spoken), count))
}

/// The mean over both texts, both offsets and their segments.
fn score(
    scorer: &Scorer,
    texts: &[Encoded],
    means: Means,
    gap: usize,
) -> Result<(Measured, Count), Box<dyn Error>> {
    let mut total = Count::default();
    let mut heards = Vec::new();
    for encoded in texts {
        for offset in OFFSETS {
            let (heard, count) = hear(encoded, means, gap, offset)?;
            total.lost += count.lost;
            total.repeated += count.repeated;
            total.repaired += count.repaired;
            heards.push((encoded, heard));
        }
    }
    let pairs: Vec<(&[f32], &[f32])> = segments(&heards).collect();
    let measured = scorer.measure(&pairs)?;
    let mean = |value: fn(&Measured) -> f64| {
        measured.iter().map(value).sum::<f64>() / measured.len() as f64
    };
    let mean = Measured {
        pesq_wb: mean(|m| m.pesq_wb),
        estoi: mean(|m| m.estoi),
    };
    Ok((mean, total))
}

fn repair_table(texts: &[Encoded]) -> Result<String, Box<dyn Error>> {
    let scorer = Scorer::prepare()?;
    let mut csv = String::from("gap_frames,means,lost,from_repeats,from_dred,pesq_wb,estoi\n");
    let mut rows = Rows::new(1 + GAPS.len() * MEANS.len());
    let mut row = |means, name, gap| -> Result<(), Box<dyn Error>> {
        let (measured, count) = score(&scorer, texts, means, gap)?;
        writeln!(
            csv,
            "{gap},{name},{},{},{},{:.2},{:.3}",
            count.lost, count.repeated, count.repaired, measured.pesq_wb, measured.estoi
        )?;
        let Measured { pesq_wb, estoi } = measured;
        rows.tell(&format!(
            "gap of {gap} frames, {name}: PESQ-WB {pesq_wb:.2}, ESTOI {estoi:.3}; {} lost, {} from repeats, {} from DRED",
            count.lost, count.repeated, count.repaired
        ));
        Ok(())
    };
    row(Means::Plc, "none", 0)?;
    for gap in GAPS {
        for (means, name) in MEANS {
            row(means, name, gap)?;
        }
    }
    Ok(csv)
}

/// One line a frame, one text after the other.
fn frames_table(texts: &[Encoded]) -> Result<String, Box<dyn Error>> {
    let mut csv = String::from("text,speech,full_bytes,short_bytes,nearest,farthest\n");
    for (encoded, name) in texts.iter().zip(["a", "b"]) {
        for (frame, loud) in encoded.frames.iter().zip(loud(encoded)) {
            writeln!(
                csv,
                "{name},{},{},{},{},{}",
                u8::from(loud),
                frame.full.length(),
                frame.short.length(),
                frame.reach.nearest(),
                frame.reach.farthest()
            )?;
        }
    }
    Ok(csv)
}

/// Repeats that find room in each packet of speech.
fn repeats(encoded: &Encoded) -> Vec<usize> {
    let short = |number: usize| 1 + encoded.frames[number].short.as_slice().len();
    let loud = loud(encoded);
    (REPEATED_FRAMES_MAX..encoded.frames.len())
        .filter(|&number| loud[number])
        .map(|number| {
            let mut room = ROOM - 1 - encoded.frames[number].full.as_slice().len();
            (1..=REPEATED_FRAMES_MAX)
                .filter(|back| {
                    let fits = short(number - back) <= room;
                    room -= if fits {
                        short(number - back)
                    } else {
                        room.min(1)
                    };
                    fits
                })
                .count()
        })
        .collect()
}

fn percentiles(name: &str, mut values: Vec<usize>) {
    values.sort_unstable();
    let at = |share: usize| values[(values.len() - 1) * share / 100];
    println!(
        "{name}: 1 % {}, 10 % {}, median {}, 90 % {}, 99 % {}, most {}",
        at(1),
        at(10),
        at(50),
        at(90),
        at(99),
        at(100)
    );
}

fn print_sizes(texts: &[Encoded]) {
    let of = |value: fn(&EncodedFrame) -> u8| -> Vec<usize> {
        texts
            .iter()
            .flat_map(|t| t.frames.iter().zip(loud(t)))
            .filter(|(_, loud)| *loud)
            .map(|(frame, _)| value(frame).into())
            .collect()
    };
    println!("in speech:");
    percentiles("full, bytes", of(|f| f.full.length()));
    percentiles("short, bytes", of(|f| f.short.length()));
    percentiles("reach, frames", of(|f| f.reach.farthest()));
    let repeats: Vec<usize> = texts.iter().flat_map(repeats).collect();
    for least in 3..=REPEATED_FRAMES_MAX {
        let share = repeats.iter().filter(|&&r| r >= least).count() as f64 / repeats.len() as f64;
        println!("at least {least} repeats: {:.1} %", share * 100.0);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let texts = [encode(Text::A)?, encode(Text::B)?];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/data");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("frames.csv"), frames_table(&texts)?)?;
    print_sizes(&texts);
    let table = repair_table(&texts)?;
    std::fs::write(folder.join("repair.csv"), &table)?;
    print!("{table}");
    Ok(())
}
