//! Two tasks a stream: a reader that is never held up, and a writer that alone writes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Clock, LegOutput, SharedLeg, Wiring};
use crate::leg::{Failure, LegEnd, LegEvent, Transmit};
use crate::limits::{CLOSE_GRACE, MAX_CELL_WRITE};

/// Bytes of one read: several packets, so that a burst costs one wake-up.
const READ_BYTES: usize = 4096;

/// Runs a leg over `stream` until it ends, and says why. [`LegEvent::Closed`] with the same reason
/// is the last thing on the outputs channel.
pub async fn drive<S>(stream: S, shared: SharedLeg, wiring: Wiring) -> LegEnd
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (reader, writer) = tokio::io::split(stream);
    let mut writer = tokio::spawn(write_all_packets(
        writer,
        shared.clone(),
        wiring.clock.clone(),
    ));
    let mut ended = Reader {
        shared: &shared,
        wiring: &wiring,
    }
    .run(reader, &mut writer)
    .await;
    // Both halves are gone before the last events are handed over, however long that takes.
    if !writer.is_finished() {
        writer.abort();
        let _ = writer.await;
    }
    let left: Vec<_> = core::iter::from_fn(|| shared.machine().poll_event()).collect();
    for event in left {
        if let LegEvent::Failed(failure) = event {
            ended = LegEnd::Failed(failure);
        }
        let _ = wiring
            .outputs
            .send(LegOutput {
                leg: wiring.leg,
                event,
            })
            .await;
    }
    shared.close((wiring.clock)());
    let event = LegEvent::Closed(ended);
    let _ = wiring
        .outputs
        .send(LegOutput {
            leg: wiring.leg,
            event,
        })
        .await;
    ended
}

/// What came of handing events over.
enum HandedOver {
    /// Nothing is left.
    All,
    /// The channel is full.
    Some,
    /// Nobody listens any more.
    NoReceiver,
    /// One of them was the end.
    Failed(Failure),
}

struct Reader<'a> {
    shared: &'a SharedLeg,
    wiring: &'a Wiring,
}

impl Reader<'_> {
    async fn run<S>(
        &self,
        mut stream: ReadHalf<S>,
        writer: &mut JoinHandle<io::Result<()>>,
    ) -> LegEnd
    where
        S: AsyncRead + AsyncWrite,
    {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let backlog = match self.hand_over() {
                HandedOver::All => false,
                HandedOver::Some => true,
                HandedOver::NoReceiver => return LegEnd::Local,
                HandedOver::Failed(failure) => return LegEnd::Failed(failure),
            };
            if self.shared.is_closing() {
                return close(writer).await;
            }
            tokio::select! {
                read = stream.read(&mut buffer) => {
                    // The clock comes first: this moment is the packet's arrival.
                    let now = (self.wiring.clock)();
                    match read {
                        Ok(0) => return LegEnd::Remote,
                        Ok(n) => self.shared.machine().handle_input(&buffer[..n], now),
                        Err(error) => return LegEnd::Io(error.kind()),
                    }
                    self.shared.wake_writer();
                }
                () = self.deadline() => {
                    self.shared.machine().handle_timeout((self.wiring.clock)());
                    self.shared.wake_writer();
                }
                () = self.shared.changed() => {}
                _ = self.wiring.outputs.reserve(), if backlog => {}
                () = self.wiring.outputs.closed() => return LegEnd::Local,
                written = &mut *writer => return writer_ended(written),
            }
        }
    }

    fn hand_over(&self) -> HandedOver {
        loop {
            let permit = match self.wiring.outputs.try_reserve() {
                Ok(permit) => permit,
                Err(TrySendError::Full(())) => return HandedOver::Some,
                Err(TrySendError::Closed(())) => return HandedOver::NoReceiver,
            };
            let Some(event) = self.shared.machine().poll_event() else {
                return HandedOver::All;
            };
            permit.send(LegOutput {
                leg: self.wiring.leg,
                event,
            });
            if let LegEvent::Failed(failure) = event {
                return HandedOver::Failed(failure);
            }
        }
    }

    async fn deadline(&self) {
        let next = self.shared.machine().poll_timeout();
        match next {
            Some((at, _)) => sleep(at.saturating_since((self.wiring.clock)())).await,
            None => core::future::pending().await,
        }
    }
}

/// Lets the writer finish what it has, for a while.
async fn close(writer: &mut JoinHandle<io::Result<()>>) -> LegEnd {
    let _ = timeout(CLOSE_GRACE, writer).await;
    LegEnd::Local
}

fn writer_ended(written: Result<io::Result<()>, tokio::task::JoinError>) -> LegEnd {
    match written {
        // The writer ends without an error only once the leg is closing.
        Ok(Ok(())) => LegEnd::Local,
        Ok(Err(error)) => LegEnd::Io(error.kind()),
        Err(_) => LegEnd::Io(io::ErrorKind::Other),
    }
}

async fn write_all_packets<S>(
    mut stream: WriteHalf<S>,
    shared: SharedLeg,
    clock: Clock,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite,
{
    let mut bytes = Vec::with_capacity(MAX_CELL_WRITE);
    loop {
        let next = shared.machine().poll_transmit(clock(), &mut bytes);
        match next {
            Some(what) => {
                if let Transmit::Packet { queued_at } = what {
                    shared.begin_write(queued_at);
                }
                stream.write_all(&bytes).await?;
                // A Tor stream and TLS both hold bytes back until they are told to send.
                stream.flush().await?;
                if let Transmit::Packet { queued_at } = what {
                    shared.count_written(clock().saturating_since(queued_at));
                }
            }
            None if shared.is_closing() => return stream.shutdown().await,
            None => shared.writer_woken().await,
        }
    }
}
