//! An owned `OpusDecoder`: 48 kHz, mono.

use super::{MONO, RATE, RawDred, accepted, library_error};
use crate::{CodecError, FrameSamples};
use core::ffi::c_int;
use core::ptr::NonNull;
use opusic_sys as sys;
use tacit_types::FramePayload;
use tacit_types::limits::FRAME_SAMPLES;

pub(crate) struct RawDecoder {
    state: NonNull<sys::OpusDecoder>,
}

// SAFETY: libopus keeps no thread-local or global mutable state; the state is owned by this value
// alone and every use goes through `&mut self`, so it may move between threads.
unsafe impl Send for RawDecoder {}

impl RawDecoder {
    pub(crate) fn new() -> Result<Self, CodecError> {
        let mut error: c_int = 0;
        // SAFETY: rate and channel count are values libopus documents as valid, and `error` points
        // to a live c_int for the length of the call.
        let state = unsafe { sys::opus_decoder_create(RATE, MONO, &raw mut error) };
        NonNull::new(state)
            .filter(|_| error == sys::OPUS_OK)
            .map(|state| Self { state })
            .ok_or_else(|| library_error("opus_decoder_create", error))
    }

    pub(crate) fn set_complexity(&mut self, complexity: c_int) -> Result<(), CodecError> {
        // SAFETY: the state is live until drop; OPUS_SET_COMPLEXITY reads exactly one variadic
        // argument of type opus_int32, which c_int is.
        let code = unsafe {
            sys::opus_decoder_ctl(
                self.state.as_ptr(),
                sys::OPUS_SET_COMPLEXITY_REQUEST,
                complexity,
            )
        };
        accepted("opus_decoder_ctl", code)
    }

    /// Decodes a payload, or conceals where there is none. The number of samples written.
    pub(crate) fn decode(
        &mut self,
        payload: Option<&FramePayload>,
        out: &mut FrameSamples,
    ) -> Result<usize, CodecError> {
        let (data, len) = match payload {
            Some(payload) => (payload.as_slice().as_ptr(), i32::from(payload.length())),
            // A null pointer asks for concealment.
            None => (core::ptr::null(), 0),
        };
        // SAFETY: the state is live until drop; `data` is null with length 0 or points to exactly
        // `len` readable bytes; `out` has room for FRAME_SAMPLES mono samples, the most that
        // libopus writes when told so by `frame_size`.
        let written = unsafe {
            sys::opus_decode_float(
                self.state.as_ptr(),
                data,
                len,
                out.as_mut_ptr(),
                FRAME_SAMPLES as c_int,
                0,
            )
        };
        usize::try_from(written).map_err(|_| library_error("opus_decode_float", written))
    }

    /// Conceals the frame that begins `back` samples before the packet that `dred` came in, with
    /// the help of what is in it.
    pub(crate) fn decode_dred(
        &mut self,
        dred: &RawDred,
        back: i32,
        out: &mut FrameSamples,
    ) -> Result<usize, CodecError> {
        // SAFETY: both states are live for the length of the call; libopus only reads the DRED
        // state, which `RawDred` has initialised, and checks every index into it against its
        // number of latents; `out` has room for FRAME_SAMPLES mono samples, as `frame_size` says.
        let written = unsafe {
            sys::opus_decoder_dred_decode_float(
                self.state.as_ptr(),
                dred.as_ptr(),
                back,
                out.as_mut_ptr(),
                FRAME_SAMPLES as i32,
            )
        };
        usize::try_from(written)
            .map_err(|_| library_error("opus_decoder_dred_decode_float", written))
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: made by opus_decoder_create, destroyed once, never used afterwards.
        unsafe { sys::opus_decoder_destroy(self.state.as_ptr()) }
    }
}
