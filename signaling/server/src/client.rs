//! Fetching TURN credentials from an operated server. Give it a stream of its own, on a circuit of
//! its own: a connection that rings or attaches gets none.

use crate::io::{read_frame, write_frame};
use crate::limits::FETCH_TIMEOUT;
use std::io;
use tacit_signaling::frame::{Cred, Frame, FrameBytes};
use tacit_signaling::limits::{CRED_BURST, MAX_CREDENTIALS};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The stream failed.
    #[error("the stream to the mailbox server failed")]
    Stream(#[from] io::Error),
    /// The server took too long.
    #[error("the mailbox server took too long")]
    Timeout,
    /// The server offers no credentials, or no more now.
    #[error("the mailbox server gives no credentials")]
    Refused,
    /// The server does not speak this protocol.
    #[error("the mailbox server does not speak this version of the protocol")]
    Protocol,
}

/// Fetches at least `wanted` credentials over a fresh stream, at most twenty-four.
///
/// # Errors
/// When the server is gone, late, or refuses before `wanted` are there.
pub async fn fetch_credentials<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    wanted: usize,
) -> Result<Vec<Cred>, FetchError> {
    timeout(FETCH_TIMEOUT, fetch(stream, wanted))
        .await
        .map_err(|_| FetchError::Timeout)?
}

async fn fetch<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    wanted: usize,
) -> Result<Vec<Cred>, FetchError> {
    match decode(&read_frame(stream).await?)? {
        Frame::Hello(hello) if !hello.speaks_our_version() => return Err(FetchError::Protocol),
        Frame::Hello(hello) if !hello.services.credentials => return Err(FetchError::Refused),
        Frame::Hello(_) => {}
        _ => return Err(FetchError::Protocol),
    }
    let frames = wanted
        .div_ceil(MAX_CREDENTIALS)
        .clamp(1, usize::from(CRED_BURST));
    let mut creds = Vec::with_capacity(frames);
    for _ in 0..frames {
        write_frame(stream, &Frame::CredGet.encode()).await?;
    }
    for _ in 0..frames {
        match decode(&read_frame(stream).await?)? {
            Frame::Cred(cred) => creds.push(cred),
            Frame::Nak => return Err(FetchError::Refused),
            _ => return Err(FetchError::Protocol),
        }
    }
    Ok(creds)
}

fn decode(frame: &FrameBytes) -> Result<Frame, FetchError> {
    Frame::decode(frame).map_err(|_| FetchError::Protocol)
}
