//! A stall between two relays: begun at once, over after its time.
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// A stall that has begun. It ends after its time, whether or not anyone waits for it.
#[derive(Debug)]
pub struct Stall {
    begun: Instant,
    connections: Option<usize>,
    over: oneshot::Receiver<()>,
}

/// What a stall did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StallReport {
    /// Connections between the two relays that were open when it began; unknown with
    /// [`Link::Namespaces`](crate::Link::Namespaces), where packets are held.
    pub connections: Option<usize>,
    /// How long it lasted.
    pub lasted: Duration,
}

impl Stall {
    /// For a hold that was just set.
    pub(crate) fn new(time: Duration, connections: Option<usize>) -> Self {
        let begun = Instant::now();
        let (done, over) = oneshot::channel();
        // A thread rather than a runtime's timer, so that it can be awaited on any executor.
        thread::spawn(move || {
            thread::sleep(time);
            drop(done);
        });
        Self {
            begun,
            connections,
            over,
        }
    }

    /// Waits until it is over.
    pub async fn over(self) -> StallReport {
        // The sender never sends: it is gone when the time is over.
        let _ = self.over.await;
        StallReport {
            connections: self.connections,
            lasted: self.begun.elapsed(),
        }
    }
}
