//! Signaling frames over a byte stream: 480 bytes at a time, one write and one flush a frame.

use tacit_signaling::FrameBytes;
use tacit_types::limits::SIGNALING_FRAME_BYTES;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::network::BoxStream;

/// Frames that wait for the stream; a stream that is this far behind is lost.
const QUEUE: usize = 64;

/// Both directions of a stream of frames.
#[derive(Debug)]
pub(crate) struct FrameIo {
    pub incoming: mpsc::Receiver<FrameBytes>,
    pub outgoing: mpsc::Sender<FrameBytes>,
}

impl FrameIo {
    /// Reads and writes `stream` in two tasks, which end with it or with this value.
    pub(crate) fn over(stream: BoxStream) -> Self {
        let (mut read, mut write) = tokio::io::split(stream);
        let (arrived, incoming) = mpsc::channel(QUEUE);
        let (outgoing, mut queued) = mpsc::channel::<FrameBytes>(QUEUE);
        let reader = tokio::spawn(async move {
            let mut frame = [0; SIGNALING_FRAME_BYTES];
            while read.read_exact(&mut frame).await.is_ok() {
                if arrived.send(frame).await.is_err() {
                    break;
                }
            }
        });
        tokio::spawn(async move {
            while let Some(frame) = queued.recv().await {
                if write.write_all(&frame).await.is_err() || write.flush().await.is_err() {
                    break;
                }
            }
            // The owner is gone or the stream is broken: either way nobody reads on.
            reader.abort();
            let _ = write.shutdown().await;
        });
        Self { incoming, outgoing }
    }
}
