//! One stream's task: complete frames in, queued frames out.

use crate::io::{BoxedStream, write_frame};
use crate::limits::WRITE_TIMEOUT;
use tacit_signaling::limits::SIGNALING_FRAME_BYTES;
use tacit_signaling::{ConnectionId, FrameBytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What a connection tells the server.
#[derive(Debug)]
pub(crate) enum FromConnection {
    /// The beginning of a frame has arrived.
    Started,
    /// A frame has arrived.
    Frame(Box<FrameBytes>),
    /// The stream has ended.
    Gone,
}

/// Runs until the stream ends, or until the server drops the queue and its rest is written.
pub(crate) async fn run(
    id: ConnectionId,
    stream: BoxedStream,
    to_server: mpsc::Sender<(ConnectionId, FromConnection)>,
    queue: mpsc::Receiver<FrameBytes>,
) {
    let (mut reading, mut writing) = tokio::io::split(stream);
    tokio::select! {
        () = read(id, &mut reading, &to_server) => {}
        () = write(&mut writing, queue) => {}
    }
    // The server may be gone already; then nobody needs to know.
    let _ = to_server.send((id, FromConnection::Gone)).await;
    let _ = timeout(WRITE_TIMEOUT, writing.shutdown()).await;
}

async fn read(
    id: ConnectionId,
    reading: &mut (impl AsyncRead + Unpin),
    to_server: &mpsc::Sender<(ConnectionId, FromConnection)>,
) {
    let mut frame = [0; SIGNALING_FRAME_BYTES];
    let mut filled = 0;
    loop {
        match reading.read(&mut frame[filled..]).await {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                let first = filled == 0;
                filled += count;
                let message = if filled == frame.len() {
                    filled = 0;
                    FromConnection::Frame(Box::new(frame))
                } else if first {
                    FromConnection::Started
                } else {
                    continue;
                };
                if to_server.send((id, message)).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn write(writing: &mut (impl AsyncWrite + Unpin), mut queue: mpsc::Receiver<FrameBytes>) {
    while let Some(frame) = queue.recv().await {
        if !matches!(
            timeout(WRITE_TIMEOUT, write_frame(writing, &frame)).await,
            Ok(Ok(()))
        ) {
            return;
        }
    }
}
