//! Frames on byte streams.

use std::io;
use tacit_signaling::FrameBytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Any stream that carries bytes both ways.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A stream whose kind does not matter.
pub type BoxedStream = Box<dyn ByteStream>;

/// Writes one frame: one write, one flush, so that it leaves as one cell.
///
/// # Errors
/// When the stream is gone.
pub async fn write_frame<W: AsyncWrite + Unpin>(w: &mut W, frame: &FrameBytes) -> io::Result<()> {
    w.write_all(frame).await?;
    w.flush().await
}

/// Reads one frame. Not cancel-safe: what was read of an incomplete frame is lost with the future.
///
/// # Errors
/// When the stream ends or fails.
pub async fn read_frame<R: AsyncRead + Unpin>(r: &mut R) -> io::Result<FrameBytes> {
    let mut frame = [0; tacit_signaling::limits::SIGNALING_FRAME_BYTES];
    r.read_exact(&mut frame).await?;
    Ok(frame)
}
