//! Rings for host programs that bring their own sound.

use crate::limits::RING_SAMPLES;
use core::fmt;
use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

/// The call's end of a host source: goes into [`Source::Host`](crate::Source::Host).
pub struct HostSource(pub(crate) HeapCons<f32>);

/// The host's end of a source: it writes what the person says.
pub struct HostMicrophone(HeapProd<f32>);

/// The call's end of a host sink: goes into [`Sink::Host`](crate::Sink::Host).
pub struct HostSink(pub(crate) HeapProd<f32>);

/// The host's end of a sink: it reads what the person shall hear.
pub struct HostSpeaker(HeapCons<f32>);

/// A source that the host program fills with 48 kHz mono.
#[must_use]
pub fn host_source() -> (HostMicrophone, HostSource) {
    let (write, read) = HeapRb::new(RING_SAMPLES).split();
    (HostMicrophone(write), HostSource(read))
}

/// A sink that the host program empties of 48 kHz mono.
#[must_use]
pub fn host_sink() -> (HostSpeaker, HostSink) {
    let (write, read) = HeapRb::new(RING_SAMPLES).split();
    (HostSpeaker(read), HostSink(write))
}

impl HostMicrophone {
    /// Appends samples; returns how many fitted. Neither blocks nor allocates.
    pub fn write(&mut self, samples: &[f32]) -> usize {
        self.0.push_slice(samples)
    }
}

impl HostSpeaker {
    /// Fills `out` from the front; returns how many samples there were, the rest is untouched.
    /// Neither blocks nor allocates.
    pub fn read(&mut self, out: &mut [f32]) -> usize {
        self.0.pop_slice(out)
    }

    /// Samples that wait to be read.
    #[must_use]
    pub fn available(&self) -> usize {
        self.0.occupied_len()
    }
}

macro_rules! opaque_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}
opaque_debug!(HostSource, HostMicrophone, HostSink, HostSpeaker);
