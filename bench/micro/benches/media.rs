//! What every 20 ms cost: the codec in all its ways, a packet's contents, the playout and a stretch.

use divan::Bencher;
use tacit_codec::{Decoder, Encoder, Enhancement, FrameSamples};
use tacit_packet::{Content, MediaTime, Packetizer};
use tacit_playout::{Config, Loudness, Playout};
use tacit_stretch::{Change, Stretcher};
use tacit_types::limits::FRAME_SAMPLES;
use tacit_types::{Cells, EncodedFrame, FrameNumber, FramePayload, Reach, SlotNumber, Timestamp};

/// Frames after which the encoder has something to say again.
const SETTLED: usize = 100;

fn main() {
    divan::main();
}

/// A buzz with a moving pitch: takes the codec as long as a vowel.
fn voice(frame: usize) -> FrameSamples {
    core::array::from_fn(|i| {
        let t = (frame * FRAME_SAMPLES + i) as f32 / 48_000.0;
        let pitch = 120.0 + 8.0 * (19.0 * t).sin();
        let harmonic = |n: f32| (core::f32::consts::TAU * n * pitch * t).sin() / n;
        (1..12_u8).map(|n| harmonic(f32::from(n))).sum::<f32>() * 0.2
    })
}

fn encoded() -> Vec<EncodedFrame> {
    let mut encoder = Encoder::new().expect("libopus starts");
    (0..SETTLED)
        .map(|n| encoder.encode(&voice(n)).expect("any sound encodes"))
        .collect()
}

fn decoder(enhancement: Enhancement, frames: &[EncodedFrame]) -> Decoder {
    let mut decoder = Decoder::with(enhancement).expect("libopus starts");
    let mut out = [0.0; FRAME_SAMPLES];
    for frame in frames {
        decoder.decode(&frame.full, &mut out).expect("genuine");
    }
    decoder
}

/// With DRED and its reach.
#[divan::bench]
fn encode(bencher: Bencher<'_, '_>) {
    let mut encoder = Encoder::new().expect("libopus starts");
    let sounds: Vec<FrameSamples> = (0..SETTLED).map(voice).collect();
    let mut next = (0..SETTLED).cycle();
    bencher.bench_local(|| {
        let sound = &sounds[next.next().unwrap_or(0)];
        encoder.encode(sound).expect("any sound encodes")
    });
}

#[divan::bench(args = [Enhancement::Lace, Enhancement::NoLace])]
fn decode(bencher: Bencher<'_, '_>, enhancement: Enhancement) {
    let frames = encoded();
    let mut decoder = decoder(enhancement, &frames);
    let mut next = (0..SETTLED).cycle();
    let mut out = [0.0; FRAME_SAMPLES];
    bencher.bench_local(|| {
        let frame = &frames[next.next().unwrap_or(0)];
        decoder.decode(&frame.full, &mut out).expect("genuine");
        out[0]
    });
}

/// PLC alone.
#[divan::bench]
fn conceal(bencher: Bencher<'_, '_>) {
    let mut decoder = decoder(Enhancement::Lace, &encoded());
    let mut out = [0.0; FRAME_SAMPLES];
    bencher.bench_local(|| {
        decoder.conceal(&mut out).expect("it conceals");
        out[0]
    });
}

/// The first missing frame that a payload restores: its DRED is parsed and goes through the network.
#[divan::bench]
fn repair_first(bencher: Bencher<'_, '_>) {
    let frames = encoded();
    let mut decoder = decoder(Enhancement::Lace, &frames);
    let mut next = (SETTLED / 2..SETTLED).cycle();
    let mut out = [0.0; FRAME_SAMPLES];
    bencher.bench_local(|| {
        let later = &frames[next.next().unwrap_or(0)];
        decoder
            .repair(&later.full, 5, &mut out)
            .expect("it reaches");
        out[0]
    });
}

/// Every further one.
#[divan::bench]
fn repair_next(bencher: Bencher<'_, '_>) {
    let frames = encoded();
    let mut decoder = decoder(Enhancement::Lace, &frames);
    let later = &frames[SETTLED - 1];
    let mut back = (1..=20_u32).rev().cycle();
    let mut out = [0.0; FRAME_SAMPLES];
    bencher.bench_local(|| {
        let back = back.next().unwrap_or(1);
        decoder
            .repair(&later.full, back, &mut out)
            .expect("it reaches");
        out[0]
    });
}

/// A packet's contents, put together and taken apart.
#[divan::bench]
fn packet_contents(bencher: Bencher<'_, '_>) {
    let frames = encoded();
    let mut packetizer = Packetizer::new(Cells::Fifty);
    let mut number = 0_u32;
    bencher.bench_local(|| {
        let frame = &frames[number as usize % SETTLED];
        packetizer.push_frame(FrameNumber(number), frame);
        let plain = packetizer.next(SlotNumber(number), MediaTime(number * 160));
        number += 1;
        Content::decode(&plain).expect("ours").frames().count()
    });
}

/// A packet's five frames put into the playout, one taken out: some packets come late.
#[divan::bench]
fn playout(bencher: Bencher<'_, '_>) {
    let payload = FramePayload::new(&[1; 60]).expect("not too long");
    let mut playout = Playout::new(Config::default());
    let mut newest = 4_u32;
    let mut step = || {
        newest += 1;
        let late = u64::from(newest.wrapping_mul(2_654_435_761) >> 8) % 60_000;
        let now = Timestamp::from_micros(u64::from(newest) * 20_000 + late);
        for back in 0..5 {
            let full = Reach::new(1, if back == 0 { 24 } else { 0 });
            playout.insert(FrameNumber(newest - back), &payload, full, now);
        }
        playout.heard(Loudness::Loud);
        playout.pull(now)
    };
    // As many as it remembers.
    for _ in 0..2_000 {
        let _ = step();
    }
    bencher.bench_local(step);
}

/// A vowel made shorter.
#[divan::bench]
fn stretch(bencher: Bencher<'_, '_>) {
    let mut stretcher = Stretcher::default();
    let sound = voice(7);
    bencher.bench_local(|| {
        stretcher
            .apply(divan::black_box(&sound), Change::Shorten)
            .len()
    });
}
