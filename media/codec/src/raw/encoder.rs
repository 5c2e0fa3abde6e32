//! An owned `OpusEncoder`: 48 kHz, mono, for speech.

use super::{MONO, RATE, accepted, library_error};
use crate::{CodecError, FrameSamples};
use core::ffi::c_int;
use core::ptr::NonNull;
use opusic_sys as sys;
use tacit_types::limits::{FRAME_MAX_BYTES, FRAME_SAMPLES};

pub(crate) struct RawEncoder {
    state: NonNull<sys::OpusEncoder>,
}

// SAFETY: libopus keeps no thread-local or global mutable state; the state is owned by this value
// alone and every use goes through `&mut self`, so it may move between threads.
unsafe impl Send for RawEncoder {}

impl RawEncoder {
    pub(crate) fn new() -> Result<Self, CodecError> {
        let mut error: c_int = 0;
        // SAFETY: rate, channel count and application are values libopus documents as valid, and
        // `error` points to a live c_int for the length of the call.
        let state = unsafe {
            sys::opus_encoder_create(RATE, MONO, sys::OPUS_APPLICATION_VOIP, &raw mut error)
        };
        NonNull::new(state)
            .filter(|_| error == sys::OPUS_OK)
            .map(|state| Self { state })
            .ok_or_else(|| library_error("opus_encoder_create", error))
    }

    pub(crate) fn set(&mut self, setting: Setting, value: i32) -> Result<(), CodecError> {
        // SAFETY: the state is live until drop; every request that `Setting` can name reads exactly
        // one variadic argument of type opus_int32, which i32 is.
        let code = unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), setting as c_int, value) };
        accepted("opus_encoder_ctl", code)
    }

    /// The number of bytes written, 1 to [`FRAME_MAX_BYTES`].
    pub(crate) fn encode(
        &mut self,
        samples: &FrameSamples,
        out: &mut [u8; FRAME_MAX_BYTES],
    ) -> Result<usize, CodecError> {
        // SAFETY: the state is live until drop; `samples` holds FRAME_SAMPLES mono samples and
        // `out` has room for FRAME_MAX_BYTES bytes, the most that libopus writes when told so.
        let written = unsafe {
            sys::opus_encode_float(
                self.state.as_ptr(),
                samples.as_ptr(),
                FRAME_SAMPLES as c_int,
                out.as_mut_ptr(),
                FRAME_MAX_BYTES as i32,
            )
        };
        usize::try_from(written).map_err(|_| library_error("opus_encode_float", written))
    }
}

/// The settings in use: each takes one opus_int32.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub(crate) enum Setting {
    BitRate = sys::OPUS_SET_BITRATE_REQUEST,
    Vbr = sys::OPUS_SET_VBR_REQUEST,
    Dtx = sys::OPUS_SET_DTX_REQUEST,
    InbandFec = sys::OPUS_SET_INBAND_FEC_REQUEST,
    PacketLoss = sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST,
    Signal = sys::OPUS_SET_SIGNAL_REQUEST,
    MaxBandwidth = sys::OPUS_SET_MAX_BANDWIDTH_REQUEST,
    Complexity = sys::OPUS_SET_COMPLEXITY_REQUEST,
    DredDuration = sys::OPUS_SET_DRED_DURATION_REQUEST,
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        // SAFETY: made by opus_encoder_create, destroyed once, never used afterwards.
        unsafe { sys::opus_encoder_destroy(self.state.as_ptr()) }
    }
}
