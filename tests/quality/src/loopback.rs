//! A tone out of the default loudspeaker while the default microphone is recorded, through the
//! same code as a call's.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tacit_audio::{AudioIo, DeviceChoice, SILENCE, Sink, Source, WavWriter};
use tacit_quality::signal;
use tacit_types::Timestamp;

/// Half a block: the tone must not wait for the poll.
const POLL: Duration = Duration::from_millis(5);

#[derive(clap::Args)]
pub(crate) struct Loopback {
    /// WAV file for what the microphone hears
    out: PathBuf,
    /// How long
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Frequency of the tone, hertz
    #[arg(long, default_value_t = 440.0)]
    hertz: f64,
    /// Amplitude of the tone, 1 is full scale
    #[arg(long, default_value_t = 0.25)]
    amplitude: f32,
    /// Loudspeaker to go over to once the tone plays
    #[arg(long)]
    then_to: Option<String>,
}

impl Loopback {
    pub(crate) fn run(&self) -> Result<(), Box<dyn Error>> {
        let device = || DeviceChoice::Default;
        let AudioIo {
            mut capture,
            mut playback,
            monitor,
        } = tacit_audio::open(Source::Device(device()), Sink::Device(device()))
            .map_err(|e| format!("{}: {e}", e.reason().code()))?;
        let mut heard = WavWriter::create(&self.out)?;
        // A whole number of periods lasts one second, so the second repeats without a click.
        let second = signal::tone(self.hertz.round(), self.amplitude, tacit_quality::RATE);
        let mut tone = second.chunks_exact(SILENCE.len()).cycle();
        let (begin, mut block, mut captured) = (Instant::now(), SILENCE, 0_u32);
        let mut started = false;
        while begin.elapsed() < Duration::from_secs(self.seconds) {
            let now = Timestamp::ZERO + begin.elapsed();
            while playback.ready(now) {
                let samples = tone.next().expect("an endless cycle");
                playback.push(samples.try_into().expect("chunks of one block"));
            }
            while capture.pop(&mut block) {
                heard.write(&block)?;
                captured += 1;
            }
            if !started && captured > 0 {
                started = true;
                report("started", begin.elapsed());
                if let Some(name) = &self.then_to {
                    playback.choose(DeviceChoice::Named(name.clone()));
                }
            }
            while let Some(event) = monitor.poll_event() {
                println!(
                    "{{\"event\":\"{}\",\"at_ms\":{}}}",
                    event.reason().code(),
                    begin.elapsed().as_millis()
                );
            }
            std::thread::sleep(POLL);
        }
        let counters = monitor.counters();
        println!(
            "{{\"captured_blocks\":{captured},\"underrun\":{},\"overrun\":{},\"xruns\":{},\
             \"reopened\":{},\"capture_delay_ms\":{},\"playback_delay_ms\":{}}}",
            counters.playback_underrun_samples,
            counters.capture_overrun_samples,
            counters.device_xruns,
            counters.reopened,
            capture.delay().as_millis(),
            playback.delay().as_millis(),
        );
        Ok(heard.finalize()?)
    }
}

fn report(event: &str, at: Duration) {
    println!("{{\"event\":\"{event}\",\"at_ms\":{}}}", at.as_millis());
}
