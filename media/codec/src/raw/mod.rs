//! The one unsafe part: owners of libopus's four kinds of state.
//!
//! The safe binding lacks DRED, and the decoder's complexity. Each type here owns one C object from
//! creation to drop, is used through `&mut self` only, and hands C no pointer without the length
//! that goes with it. Everything else in the crate is safe code on top.
#![allow(unsafe_code)]

mod decoder;
mod dred;
mod encoder;

pub(crate) use decoder::RawDecoder;
pub(crate) use dred::{RawDred, Span};
pub(crate) use encoder::{RawEncoder, Setting};

use crate::CodecError;
use core::ffi::{CStr, c_int};
use opusic_sys as sys;
use tacit_types::limits::SAMPLE_RATE;

const RATE: i32 = SAMPLE_RATE.cast_signed();
const MONO: c_int = 1;

/// What a `…_ctl` call returned.
fn accepted(call: &'static str, code: c_int) -> Result<(), CodecError> {
    if code == sys::OPUS_OK {
        Ok(())
    } else {
        Err(library_error(call, code))
    }
}

fn library_error(call: &'static str, code: c_int) -> CodecError {
    // SAFETY: opus_strerror returns a pointer to a static NUL-terminated string for every code.
    let text = unsafe { CStr::from_ptr(sys::opus_strerror(code)) };
    CodecError::Library {
        call,
        message: text.to_str().unwrap_or("unknown error"),
    }
}
