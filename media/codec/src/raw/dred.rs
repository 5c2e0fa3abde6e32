//! An owned `OpusDREDDecoder` with the `OpusDRED` that it parses into.

use super::{RATE, accepted, library_error};
use crate::CodecError;
use core::ffi::c_int;
use core::ptr::NonNull;
use opusic_sys as sys;
use tacit_types::FramePayload;

pub(crate) struct RawDred {
    parser: NonNull<sys::OpusDREDDecoder>,
    /// Initialised: [`RawDred::new`] parses into it before anything else can read it.
    state: NonNull<sys::OpusDRED>,
}

// SAFETY: libopus keeps no thread-local or global mutable state; both objects are owned by this
// value alone, and what `as_ptr` gives out is only read, while this value is borrowed.
unsafe impl Send for RawDred {}

/// What DRED covers, samples before the packet's own first: from `end` back to `begin`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) begin: i32,
    pub(crate) end: i32,
}

impl RawDred {
    pub(crate) fn new() -> Result<Self, CodecError> {
        let mut error: c_int = 0;
        // SAFETY: `error` points to a live c_int for the length of the call.
        let parser = unsafe { sys::opus_dred_decoder_create(&raw mut error) };
        let parser =
            NonNull::new(parser).ok_or_else(|| library_error("opus_dred_decoder_create", error))?;
        // SAFETY: as above.
        let state = unsafe { sys::opus_dred_alloc(&raw mut error) };
        let Some(state) = NonNull::new(state) else {
            // SAFETY: made above, destroyed once, and nothing else has seen it.
            unsafe { sys::opus_dred_decoder_destroy(parser.as_ptr()) };
            return Err(library_error("opus_dred_alloc", error));
        };
        let mut dred = Self { parser, state };
        // libopus leaves the state uninitialised, and marks it as empty when parsing begins: a
        // frame without DRED makes it safe to read.
        let silence = FramePayload::new(&[0]).ok_or(CodecError::Damaged)?;
        dred.parse(&silence, 0)?;
        Ok(dred)
    }

    /// Reads what DRED a payload has, back to `longest` samples, without the neural network's part.
    /// A payload that does not parse is an error and leaves nothing to decode.
    pub(crate) fn parse(
        &mut self,
        payload: &FramePayload,
        longest: i32,
    ) -> Result<Span, CodecError> {
        let bytes = payload.as_slice();
        let mut end: c_int = 0;
        // SAFETY: both states are live until drop; `bytes` is valid for as many bytes as its
        // length, which is at most 255; `end` points to a live c_int. libopus bounds the number of
        // latents by the state's room whatever the payload says.
        let begin = unsafe {
            sys::opus_dred_parse(
                self.parser.as_ptr(),
                self.state.as_ptr(),
                bytes.as_ptr(),
                i32::from(payload.length()),
                longest,
                RATE,
                &raw mut end,
                1,
            )
        };
        if begin < 0 {
            return Err(library_error("opus_dred_parse", begin));
        }
        Ok(Span { begin, end })
    }

    /// The neural network's part of what was parsed last. An error when that was nothing.
    pub(crate) fn process(&mut self) -> Result<(), CodecError> {
        let state = self.state.as_ptr();
        // SAFETY: both states are live and initialised; source and destination may be the same.
        let code = unsafe { sys::opus_dred_process(self.parser.as_ptr(), state, state) };
        accepted("opus_dred_process", code)
    }

    pub(super) const fn as_ptr(&self) -> *const sys::OpusDRED {
        self.state.as_ptr()
    }
}

impl Drop for RawDred {
    fn drop(&mut self) {
        // SAFETY: made by opus_dred_alloc and opus_dred_decoder_create, destroyed once, never used
        // afterwards.
        unsafe {
            sys::opus_dred_free(self.state.as_ptr());
            sys::opus_dred_decoder_destroy(self.parser.as_ptr());
        }
    }
}
