//! The accepting side's first packet.

use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::Clock;
use crate::limits::JOIN_TIMEOUT;
use crate::onion::{JoinAcceptor, JoinRefusal, PendingJoin};
use tacit_types::LegIndex;

/// Reads a stream's join packet and decides which leg it is; reads nothing after it. On an error
/// the caller drops the stream.
///
/// # Errors
///
/// When the stream is nobody's leg.
pub async fn accept_join<S>(
    stream: &mut S,
    acceptor: &Mutex<JoinAcceptor>,
    clock: &Clock,
) -> Result<LegIndex, JoinRefusal>
where
    S: AsyncRead + Unpin,
{
    let lock = || acceptor.lock().unwrap_or_else(PoisonError::into_inner);
    let mut join = lock().open(clock())?;
    // Out of time, ended and broken are the same to the acceptor: an incomplete join packet.
    let _ = timeout(JOIN_TIMEOUT, read_join(stream, &mut join)).await;
    lock().finish(join, clock())
}

async fn read_join<S: AsyncRead + Unpin>(stream: &mut S, join: &mut PendingJoin) {
    while let Ok(read @ 1..) = stream.read(join.unfilled()).await {
        if join.advance(read) {
            break;
        }
    }
}
