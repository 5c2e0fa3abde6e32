//! Sound through real device code: cpal and PulseAudio's null sinks.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tacit_quality::pulse::{PulseError, PulseNullSinks};
use tacit_quality::signal::{read_wav, tone, usual_amplitude_at, write_wav};
use tacit_quality::skipped;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tacit-quality");

/// A daemon, or a line that says why not.
fn daemon() -> Option<PulseNullSinks> {
    match PulseNullSinks::start() {
        Ok(daemon) => Some(daemon),
        Err(error @ PulseError::Missing(_)) => {
            skipped("sound devices", &error);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn loopback(daemon: &PulseNullSinks, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .arg("loopback")
        .arg(out)
        .args(more)
        .envs(daemon.env())
        .stdin(Stdio::null());
    command
}

fn report(output: &Output) -> serde_json::Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().expect("a report")).expect("JSON")
}

/// What is left without its first second, in which streams start.
fn settled(path: &Path) -> Vec<f32> {
    let samples = read_wav(path).expect("a WAV file");
    samples[samples.len().min(48_000)..].to_vec()
}

#[test]
fn a_tone_goes_out_to_one_device_while_another_comes_in() {
    let Some(daemon) = daemon() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    write_wav(&file("question.wav"), &tone(1_000.0, 0.5, 48_000 * 8)).expect("written");
    let recorder = daemon
        .record("loudspeaker", &file("loudspeaker.wav"))
        .expect("parec");
    let player = daemon
        .play("microphone", &file("question.wav"))
        .expect("paplay");

    let output = loopback(
        &daemon,
        &file("heard.wav"),
        &["--seconds", "4", "--hertz", "440"],
    )
    .output()
    .expect("the program runs");
    let report = report(&output);
    drop((player, recorder));

    let heard = settled(&file("heard.wav"));
    assert!(
        (usual_amplitude_at(&heard, 1_000.0) - 0.5).abs() < 0.05,
        "{}",
        usual_amplitude_at(&heard, 1_000.0)
    );
    assert!(usual_amplitude_at(&heard, 440.0) < 0.01);
    let played = settled(&file("loudspeaker.wav"));
    let middle = &played[..played.len() - 48_000];
    assert!(
        (usual_amplitude_at(middle, 440.0) - 0.25).abs() < 0.03,
        "{}",
        usual_amplitude_at(middle, 440.0)
    );
    // 4 s are 400 blocks; what the devices take to start is missing.
    assert!(report["captured_blocks"].as_u64() > Some(330), "{report}");
}

#[test]
fn a_lost_sound_server_is_reported_and_found_again() {
    let Some(mut daemon) = daemon() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let heard = folder.path().join("heard.wav");
    let mut child = loopback(&daemon, &heard, &["--seconds", "12"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut event = || {
        let line = lines.next().expect("another line").expect("readable");
        serde_json::from_str::<serde_json::Value>(&line).expect("JSON")["event"].clone()
    };
    assert_eq!(event(), "started");
    daemon.stop();
    let mut lost = [event(), event()].map(|e| e.as_str().unwrap_or_default().to_owned());
    lost.sort();
    assert_eq!(lost, ["audio.no_input", "audio.no_output"]);
    daemon.restart().expect("it starts again");
    assert_eq!(
        (event(), event()),
        ("audio.switched".into(), "audio.switched".into())
    );
    // And sound flows again: the tone reaches the new loudspeaker.
    let file = folder.path().join("loudspeaker.wav");
    let recorder = daemon.record("loudspeaker", &file).expect("parec");
    assert!(child.wait().expect("it ends").success());
    drop(recorder);
    let played = settled(&file);
    assert!(
        (usual_amplitude_at(&played, 440.0) - 0.25).abs() < 0.05,
        "{}",
        usual_amplitude_at(&played, 440.0)
    );
}

/// Plays a tone; when `events` have been told (the first is "started", after which `change` is
/// made), it comes out of `sink` as it should.
fn tone_comes_out_of(
    sink: &str,
    more: &[&str],
    events: &[&str],
    change: impl Fn(&PulseNullSinks) -> bool,
) {
    let Some(daemon) = daemon() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("played.wav");
    let heard = folder.path().join("heard.wav");
    let mut child = loopback(&daemon, &heard, &[&["--seconds", "6"], more].concat())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut expect = |event: &str| {
        let line = lines.next().expect("a line").expect("readable");
        assert!(line.contains(event), "{line}");
    };
    expect("started");
    assert!(change(&daemon));
    events.iter().copied().for_each(&mut expect);
    let recorder = daemon.record(sink, &file).expect("parec");
    // What the program says at its end must have a reader.
    let rest = std::thread::spawn(move || lines.count());
    assert!(child.wait().expect("it ends").success());
    drop(recorder);
    assert_eq!(rest.join().expect("no panic"), 1, "the report alone");
    let played = settled(&file);
    assert!((usual_amplitude_at(&played, 440.0) - 0.25).abs() < 0.05);
}

#[test]
fn a_changed_default_is_followed() {
    // Crosswise: the tone now goes to the sink whose monitor was the microphone.
    let crosswise = |daemon: &PulseNullSinks| daemon.set_defaults("loudspeaker", "microphone");
    let switched = ["audio.switched"; 2];
    tone_comes_out_of("microphone", &[], &switched, crosswise);
}

#[test]
fn another_loudspeaker_is_chosen_in_mid_call() {
    let more = ["--then-to", "microphone"];
    tone_comes_out_of("microphone", &more, &["audio.switched"], |_| true);
}

#[test]
fn a_loudspeaker_that_is_not_there_is_told_and_the_one_before_goes_on() {
    let more = ["--then-to", "no such thing"];
    tone_comes_out_of("loudspeaker", &more, &["audio.unavailable"], |_| true);
}

#[test]
fn without_a_sound_server_the_reason_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("asound.conf");
    std::fs::write(&config, "pcm.nothing { type null }\n").expect("written");
    let output = Command::new(PROGRAM)
        .args(["loopback", "--seconds", "1"])
        .arg(folder.path().join("heard.wav"))
        .env("ALSA_CONFIG_PATH", &config)
        .env("PULSE_SERVER", "unix:/nonexistent/tacit")
        .env("XDG_RUNTIME_DIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("audio.no_input"), "{told}");
}
