//! What can go wrong, as values.

/// Why a frame could not be encoded or decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The payload is not one mono 20 ms Opus frame. Conceal it and count it.
    #[error("the payload is not one mono 20 ms Opus frame")]
    Damaged,
    /// The payload's DRED does not restore the frame that was asked for. Conceal it and count it.
    #[error("the payload's DRED does not reach the missing frame")]
    OutOfReach,
    /// libopus refused a call that it should accept; the text is its own.
    #[error("libopus: {call}: {message}")]
    Library {
        /// The function that failed.
        call: &'static str,
        /// libopus's description of the failure.
        message: &'static str,
    },
    /// The encoder wrote nothing, or more than a frame may have.
    #[error("the encoder wrote {0} bytes")]
    Size(usize),
}

impl From<opus::Error> for CodecError {
    fn from(e: opus::Error) -> Self {
        Self::Library {
            call: e.function(),
            message: e.description(),
        }
    }
}
