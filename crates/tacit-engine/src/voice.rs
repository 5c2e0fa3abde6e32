//! Between the sound devices and the media core: capture, encode; pull, decode, play.

use tacit_audio::{AudioIo, Block, DeviceChoice, Monitor, Playback, SILENCE};
use tacit_codec::{Decoder, Encoder, FrameSamples};
use tacit_playout::{Loudness, Pace, Pull};
use tacit_stretch::{Change, LONGEST, Stretcher};
use tacit_types::limits::{BLOCK_SAMPLES, FRAME_SAMPLES};
use tacit_types::{FrameNumber, Reason, Timestamp};

use crate::core::MediaCore;
use crate::microphone::Microphone;
use crate::sound::{QUIET_RMS, duration_of, rms};
use crate::trace::{Trace, TraceKind};

/// The sound of one call.
pub(crate) struct Voice {
    microphone: Microphone,
    playback: Playback,
    monitor: Monitor,
    encoder: Encoder,
    decoder: Decoder,
    muted: bool,
    played: Box<FrameSamples>,
    stretcher: Stretcher,
    /// Samples that wait to be handed out, and how many of them have been.
    output: Vec<f32>,
    given: usize,
    pub(crate) trace: Option<Trace>,
    first_played: Option<Timestamp>,
    first_told: bool,
}

impl Voice {
    /// Sound through `io`.
    ///
    /// # Errors
    /// [`Reason::Internal`] if libopus cannot be set up.
    pub(crate) fn new(io: AudioIo, trace: Option<Trace>) -> Result<Self, Reason> {
        Ok(Self {
            microphone: Microphone::new(io.capture),
            playback: io.playback,
            monitor: io.monitor,
            encoder: Encoder::new().map_err(|_| Reason::Internal)?,
            decoder: Decoder::new().map_err(|_| Reason::Internal)?,
            muted: false,
            played: Box::new([0.0; FRAME_SAMPLES]),
            stretcher: Stretcher::default(),
            output: Vec::with_capacity(BLOCK_SAMPLES + LONGEST),
            given: 0,
            trace,
            first_played: None,
            first_told: false,
        })
    }

    /// Silence instead of the source; the packets stay as they are.
    pub(crate) const fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Goes over to other devices; files and host rings stay.
    pub(crate) fn set_devices(&self, input: DeviceChoice, output: DeviceChoice) {
        let changed = (self.microphone.choose(input), self.playback.choose(output));
        tracing::debug!(?changed, "other devices were chosen");
    }

    /// The frames that are captured from now on go to a core of their own.
    pub(crate) fn begin(&mut self) {
        self.microphone.begin();
    }

    /// Takes 20 ms from the source, if they are there, and hands them to the core as the frame of
    /// the slot that is due.
    pub(crate) fn capture(&mut self, core: &mut MediaCore, now: Timestamp) {
        let Some(mut taken) = self.microphone.take() else {
            return;
        };
        if self.muted {
            taken.pcm.fill(0.0);
        }
        let Ok(frame) = self.encoder.encode(&taken.pcm) else {
            // Nothing in 960 finite samples can make libopus fail; the slot goes without a frame.
            return;
        };
        let number = core.next_frame_number();
        core.push_frame(number, &frame);
        self.note(TraceKind::Captured, number, now - taken.age, taken.position);
        self.note(TraceKind::Ready, number, crate::clock::now(), -1);
    }

    /// Gives the sink what it wants now.
    pub(crate) fn play(&mut self, core: &mut MediaCore, now: Timestamp) {
        while self.playback.ready(now) {
            while self.output.len() - self.given < BLOCK_SAMPLES {
                self.output.drain(..core::mem::take(&mut self.given));
                self.next_frame(core, now + duration_of(self.output.len()));
            }
            let mut block: Block = SILENCE;
            block.copy_from_slice(&self.output[self.given..self.given + BLOCK_SAMPLES]);
            self.given += BLOCK_SAMPLES;
            self.playback.push(&block);
        }
    }

    /// Adds what is played from `now` on to the output: at least half a frame.
    fn next_frame(&mut self, core: &mut MediaCore, now: Timestamp) {
        let change = self.fetch(core, now);
        self.output
            .extend_from_slice(self.stretcher.apply(&self.played, change));
    }

    /// Gets the next 20 ms, and how they are to be played.
    fn fetch(&mut self, core: &mut MediaCore, now: Timestamp) -> Change {
        let heard_at = now + self.playback.delay();
        loop {
            let pull = core.pull(now);
            let (kind, frame, pace) = match &pull {
                Pull::Decode {
                    frame,
                    payload,
                    pace,
                } => {
                    let good = self.decoder.decode(payload, &mut self.played).is_ok();
                    self.first_played.get_or_insert(heard_at);
                    let kind = self.made_good(core, &pull, good, TraceKind::Played);
                    (kind, *frame, *pace)
                }
                Pull::Repair {
                    frame,
                    back,
                    later,
                    pace,
                } => {
                    let good = self.decoder.repair(later, *back, &mut self.played).is_ok();
                    let kind = self.made_good(core, &pull, good, TraceKind::Repaired);
                    (kind, *frame, *pace)
                }
                Pull::Conceal { frame, .. } => {
                    self.conceal();
                    (TraceKind::Concealed, *frame, Pace::Even)
                }
                Pull::Skip { frame, payload } => {
                    // Decoded and thrown away, so that the decoder does not lose its thread.
                    if let Some(payload) = payload {
                        let _ = self.decoder.decode(payload, &mut self.played);
                    }
                    self.note(TraceKind::Skipped, *frame, heard_at, -1);
                    continue;
                }
                _ => {
                    self.played.fill(0.0);
                    return Change::None;
                }
            };
            core.heard(loudness(&self.played));
            self.note(kind, frame, heard_at, -1);
            return match pace {
                Pace::Even => Change::None,
                Pace::Faster => Change::Shorten,
                Pace::Slower => Change::Lengthen,
            };
        }
    }

    /// What was played: `kind`, or concealment where the decoder could do nothing with what the
    /// peer sent.
    fn made_good(
        &mut self,
        core: &mut MediaCore,
        pull: &Pull,
        good: bool,
        kind: TraceKind,
    ) -> TraceKind {
        if good {
            return kind;
        }
        self.conceal();
        core.failed(pull);
        TraceKind::Concealed
    }

    fn conceal(&mut self) {
        if self.decoder.conceal(&mut self.played).is_err() {
            self.played.fill(0.0);
        }
    }

    /// Notes something in the trace, if there is one.
    pub(crate) fn note(
        &mut self,
        kind: TraceKind,
        frame: FrameNumber,
        at: Timestamp,
        position: i64,
    ) {
        if let Some(trace) = &mut self.trace {
            trace.push(kind, frame, at, position);
        }
    }

    /// When the peer's first frame was heard; told once.
    pub(crate) const fn take_first_played(&mut self) -> Option<Timestamp> {
        if self.first_told {
            return None;
        }
        self.first_told = self.first_played.is_some();
        self.first_played
    }

    /// The next thing that happened to a device.
    pub(crate) fn poll_event(&mut self) -> Option<Reason> {
        self.monitor
            .poll_event()
            .map(tacit_audio::AudioEvent::reason)
    }

    /// True once, when the source's file has come to its end.
    pub(crate) fn just_ended(&mut self) -> bool {
        self.microphone.just_ended()
    }

    /// Levels of source and sink, dBFS.
    #[must_use]
    pub(crate) fn levels(&self) -> (f32, f32) {
        (
            self.monitor.input_level().dbfs(),
            self.monitor.output_level().dbfs(),
        )
    }

    /// What waits in the output device, ms.
    #[must_use]
    pub(crate) fn output_delay_ms(&self) -> f32 {
        self.playback.delay().as_secs_f32() * 1e3
    }

    /// Completes files. Failures are told, not fatal: the call is over anyway.
    pub(crate) fn close(self) {
        if let Some(trace) = &self.trace
            && let Err(error) = trace.write()
        {
            tracing::warn!(%error, "the trace could not be written");
        }
        if let Err(error) = self.playback.close() {
            tracing::warn!(%error, "the sound file could not be completed");
        }
    }
}

impl core::fmt::Debug for Voice {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Voice")
            .field("muted", &self.muted)
            .finish_non_exhaustive()
    }
}

fn loudness(samples: &FrameSamples) -> Loudness {
    if rms(samples) < QUIET_RMS {
        Loudness::Quiet
    } else {
        Loudness::Loud
    }
}
