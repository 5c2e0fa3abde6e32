//! Recorded human speech through the codec, scored as a call is.

use tacit_codec::{Decoder, Encoder, lookahead};
use tacit_quality::align::{Search, align};
use tacit_quality::pesq::{self, PesqError};
use tacit_quality::speech::{SpeechError, Text, assemble};
use tacit_quality::{RATE, gap, skipped};

const SECONDS: usize = 25;

fn speech(text: Text) -> Option<Vec<f32>> {
    match assemble(text, SECONDS) {
        Ok(speech) => Some(speech),
        Err(error @ SpeechError::Missing) => {
            skipped("recorded speech", &error);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Encodes and decodes; the frames for which `lost` says so are concealed.
fn transmitted(spoken: &[f32], lost: impl Fn(usize) -> bool) -> Vec<f32> {
    let mut encoder = Encoder::new().expect("libopus starts");
    let mut decoder = Decoder::new().expect("libopus starts");
    let mut heard = Vec::with_capacity(spoken.len());
    for (number, samples) in spoken.chunks_exact(960).enumerate() {
        let mut out = [0.0; 960];
        let encoded = encoder
            .encode(samples.try_into().expect("960"))
            .expect("speech encodes");
        if lost(number) {
            decoder.conceal(&mut out).expect("it conceals");
        } else {
            decoder
                .decode(&encoded.short, &mut out)
                .expect("it decodes");
        }
        heard.extend(out);
    }
    heard
}

fn score(spoken: &[f32], heard: &[f32]) -> Option<pesq::Report> {
    match pesq::score(spoken, heard, 1.0, SECONDS as f64, Search::within(2.0)) {
        Ok(report) => Some(report),
        Err(error @ PesqError::Install(_)) => {
            skipped("PESQ", &error);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn both_texts_keep_their_quality_through_the_codec() {
    for text in [Text::A, Text::B] {
        let Some(spoken) = speech(text) else { return };
        let heard = transmitted(&spoken, |_| false);
        let Some(report) = score(&spoken, &heard) else {
            return;
        };
        println!("{text:?}: PESQ-WB {:.2}", report.mean);
        assert!(report.mean >= 3.9, "{report:?}");
        for segment in report.segments {
            let expected = lookahead() as f64 * 1_000.0 / RATE as f64;
            assert!((segment.delay_ms - expected).abs() < 1.0, "{segment:?}");
        }
        assert_eq!(
            gap::longest(&spoken, &heard, lookahead() as i64).length_ms,
            0
        );
    }
}

#[test]
fn a_concealed_burst_costs_quality_and_leaves_no_gap() {
    let Some(spoken) = speech(Text::A) else {
        return;
    };
    // 60 ms of every 2 s.
    let heard = transmitted(&spoken, |frame| frame % 100 < 3 && frame > 100);
    let Some(report) = score(&spoken, &heard) else {
        return;
    };
    println!("3 % lost in bursts of 60 ms: PESQ-WB {:.2}", report.mean);
    assert!((3.0..4.2).contains(&report.mean), "{report:?}");
    assert!(gap::longest(&spoken, &heard, lookahead() as i64).length_ms <= 40);
}

#[test]
fn silence_in_the_heard_file_is_found_as_a_gap_and_lowers_the_score() {
    let Some(spoken) = speech(Text::B) else {
        return;
    };
    let mut heard = vec![0.0; RATE / 3];
    heard.extend(&spoken);
    // A second of silence from 6 s on, as a control: the measures must notice.
    heard[6 * RATE + RATE / 3..7 * RATE + RATE / 3].fill(0.0);
    let found = align(&spoken, &heard, 0..spoken.len(), Search::within(2.0)).expect("found");
    assert!((found.delay - (RATE / 3) as i64).abs() <= 3, "{found:?}");
    let gap = gap::longest(&spoken, &heard, found.delay);
    assert!(
        gap.length_ms >= 250 && (5_900..7_000).contains(&gap.at_ms),
        "{gap:?}"
    );
    let Some(report) = score(&spoken, &heard) else {
        return;
    };
    assert!(report.mean < 4.3, "{report:?}");
}

#[test]
fn speech_has_the_length_that_was_asked_for_and_natural_pauses() {
    for (text, seconds) in [(Text::A, 25), (Text::B, 60)] {
        let Ok(spoken) = assemble(text, seconds) else {
            return;
        };
        assert_eq!(spoken.len(), seconds * RATE);
        let levels = tacit_quality::signal::levels_10ms(&spoken);
        let loud = levels.iter().filter(|l| **l > -45.0).count() as f64 / levels.len() as f64;
        assert!((0.6..0.97).contains(&loud), "{loud}");
        let longest_pause = levels
            .split(|l| *l > -50.0)
            .map(<[f32]>::len)
            .max()
            .expect("at least one");
        assert!(longest_pause < 150, "{longest_pause}0 ms");
    }
    assert_ne!(assemble(Text::A, 10).ok(), assemble(Text::B, 10).ok());
}
