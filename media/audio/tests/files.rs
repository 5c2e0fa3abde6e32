//! WAV files in and out: the usual ones are played, the odd ones are refused with a reason.

use std::path::{Path, PathBuf};
use tacit_audio::{
    AudioError, AudioIo, BadFile, SILENCE, Sink, Source, WavReader, WavWriter, open,
};
use tacit_types::Reason;

fn tone(hertz: f64, rate: u32, samples: usize) -> impl Iterator<Item = f64> {
    let step = 2.0 * std::f64::consts::PI * hertz / f64::from(rate);
    (0..samples).map(move |i| 0.5 * (i as f64 * step).sin())
}

fn spec(channels: u16, rate: u32, bits: u16, format: hound::SampleFormat) -> hound::WavSpec {
    hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: bits,
        sample_format: format,
    }
}

/// One second of 440 Hz in every channel.
fn write_tone(path: &Path, spec: hound::WavSpec) {
    let mut writer = hound::WavWriter::create(path, spec).expect("created");
    for sample in tone(440.0, spec.sample_rate, spec.sample_rate as usize) {
        for _ in 0..spec.channels {
            match spec.sample_format {
                hound::SampleFormat::Float => writer.write_sample(sample as f32),
                hound::SampleFormat::Int => {
                    let full_scale = f64::from((1_u32 << (spec.bits_per_sample - 1)) - 1);
                    writer.write_sample((sample * full_scale) as i32)
                }
            }
            .expect("written");
        }
    }
    writer.finalize().expect("finalised");
}

fn read_all(path: &Path) -> Vec<f32> {
    let mut reader = WavReader::open(path).expect("a good file");
    let (mut samples, mut block) = (Vec::new(), SILENCE);
    while reader.next_block(&mut block) {
        samples.extend(block);
    }
    samples
}

/// Largest difference to the 440 Hz tone at the phase that fits best.
fn difference(heard: &[f32]) -> f64 {
    let expected: Vec<f64> = tone(440.0, 48_000, 24_000).collect();
    let heard = &heard[12_000..24_000];
    (0..400)
        .map(|shift| {
            let pairs = heard.iter().zip(&expected[shift..]);
            pairs
                .map(|(a, b)| (f64::from(*a) - b).abs())
                .fold(0.0, f64::max)
        })
        .fold(f64::MAX, f64::min)
}

#[test]
fn every_usual_kind_of_file_sounds_the_same() {
    use hound::SampleFormat::{Float, Int};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tone.wav");
    for rate in [
        8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000,
    ] {
        write_tone(&path, spec(1, rate, 16, Int));
        let heard = read_all(&path);
        assert!(
            heard.len().abs_diff(48_000) <= 480,
            "{rate}: {}",
            heard.len()
        );
        // The phase is found to the nearest sample only: up to 0.03 at 440 Hz.
        assert!(difference(&heard) < 0.035, "{rate}: {}", difference(&heard));
    }
    for (channels, bits, format) in [
        (2, 16, Int),
        (1, 8, Int),
        (2, 8, Int),
        (1, 24, Int),
        (2, 24, Int),
        (1, 32, Int),
        (2, 32, Float),
    ] {
        write_tone(&path, spec(channels, 48_000, bits, format));
        let heard = read_all(&path);
        assert_eq!(heard.len(), 48_000);
        assert!(
            difference(&heard) < 0.035,
            "{channels} × {bits}: {}",
            difference(&heard)
        );
    }
}

#[test]
fn odd_files_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = folder.path().join("good.wav");
    write_tone(&good, spec(1, 48_000, 16, hound::SampleFormat::Int));
    let good = std::fs::read(&good).expect("read");
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no bytes", Vec::new()),
        (
            "text",
            b"this is not a sound file, whatever its name says".to_vec(),
        ),
        ("an MP3", [b"ID3\x04\x00".as_slice(), &[0; 500]].concat()),
        ("half a header", good[..20].to_vec()),
        ("a header alone", good[..44].to_vec()),
        ("half the samples", good[..good.len() / 2].to_vec()),
        ("no channels", with(22, &[0, 0])),
        ("70 channels", with(22, &[70, 0])),
        ("rate 0", with(24, &[0; 4])),
        ("rate 4 GHz", with(24, &[0xff; 4])),
        ("3 bits", with(34, &[3, 0])),
        ("0 bits", with(34, &[0, 0])),
        ("65535 bits", with(34, &[0xff, 0xff])),
        ("block align 0", with(32, &[0, 0])),
        ("a data chunk of 4 GB", with(40, &[0xff; 4])),
        ("a data chunk of 0 bytes", with(40, &[0; 4])),
        ("µ-law", with(20, &[7, 0])),
        ("a format chunk of 4 GB", with(16, &[0xff; 4])),
    ];
    let path = folder.path().join("odd.wav");
    for (what, bytes) in cases {
        std::fs::write(&path, bytes).expect("written");
        let error = open(Source::Wav(path.clone()), Sink::Discard).expect_err(what);
        assert_eq!(error.reason(), Reason::AudioBadFile, "{what}: {error}");
    }
}

#[test]
fn what_is_no_file_is_refused_without_blocking() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in [
        folder.path().to_owned(),
        PathBuf::from("/dev/zero"),
        folder.path().join("none"),
    ] {
        assert!(WavReader::open(&path).is_err());
    }
    assert!(matches!(
        WavReader::open(folder.path()),
        Err(BadFile::NotAFile)
    ));
    assert!(WavWriter::create(folder.path()).is_err());
    assert!(WavWriter::create(Path::new("/dev/full")).is_err());
    let error = open(
        Source::Silence,
        Sink::Wav(folder.path().join("none/heard.wav")),
    )
    .err();
    assert_eq!(error.map(|e| e.reason()), Some(Reason::AudioBadFile));
}

#[test]
fn damaged_headers_never_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("odd.wav");
    write_tone(&path, spec(2, 16_000, 24, hound::SampleFormat::Int));
    let good = std::fs::read(&path).expect("read")[..4_000].to_vec();
    let mut state = 1_u64;
    let mut dice = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for _ in 0..3_000 {
        let mut file = good.clone();
        for _ in 0..=dice() % 6 {
            file[dice() % 80] = dice() as u8;
        }
        file.truncate(dice() % 4_000);
        std::fs::write(&path, file).expect("written");
        if let Ok(mut reader) = WavReader::open(&path) {
            let mut block = SILENCE;
            while reader.next_block(&mut block) {
                assert!(block.iter().all(|s| s.abs() <= 1.0));
            }
        }
    }
}

#[test]
fn a_file_is_played_block_by_block_and_silence_follows_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tone.wav");
    write_tone(&path, spec(1, 48_000, 16, hound::SampleFormat::Int));
    let AudioIo {
        mut capture,
        monitor,
        ..
    } = open(Source::Wav(path), Sink::Discard).expect("a good file");
    let mut block = SILENCE;
    for _ in 0..100 {
        assert!(capture.pop(&mut block) && !capture.ended());
    }
    assert!(
        (monitor.input_level().dbfs() + 9.0).abs() < 0.2,
        "{:?}",
        monitor.input_level()
    );
    assert!(capture.pop(&mut block) && capture.ended());
    assert_eq!(block, SILENCE);
}

#[test]
fn a_written_file_is_valid_at_every_moment_and_complete_after_drop() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heard.wav");
    let AudioIo { mut playback, .. } =
        open(Source::Silence, Sink::Wav(path.clone())).expect("a new file");
    assert_eq!(hound::WavReader::open(&path).expect("valid").len(), 0);
    for _ in 0..60 {
        assert!(playback.push(&[0.25; 480]));
    }
    // As if the process were killed now: at most the last quarter of a second is missing.
    assert!(hound::WavReader::open(&path).expect("valid").len() >= 35 * 480);
    drop(playback);
    let reader = hound::WavReader::open(&path).expect("valid");
    assert_eq!(reader.spec(), spec(1, 48_000, 16, hound::SampleFormat::Int));
    assert!(
        reader
            .into_samples::<i16>()
            .all(|s| s.expect("a sample") == 8_192)
    );
}

#[cfg(unix)]
#[test]
fn what_was_heard_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heard.wav");
    WavWriter::create(&path).expect("created");
    assert_eq!(
        std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
}

#[test]
fn speaking_and_hearing_the_same_file_is_refused_before_it_is_destroyed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tone.wav");
    write_tone(&path, spec(1, 48_000, 16, hound::SampleFormat::Int));
    let before = std::fs::read(&path).expect("read");
    let error = open(Source::Wav(path.clone()), Sink::Wav(path.clone())).err();
    assert!(matches!(error, Some(AudioError::BadFile(_))), "{error:?}");
    assert_eq!(std::fs::read(&path).expect("read"), before);
}
