//! Addresses come up a few at a time: Tor leaves some of a great many that start at once behind,
//! and needs more memory for them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Key;
use crate::network::Host;

/// Onion services that may be starting at once. Of 192, some were not published after minutes; 64
/// came up within seconds (decision 0013).
const STARTING: usize = 32;
/// One that takes longer makes room for the next.
const LIMIT: Duration = Duration::from_secs(30);

/// Tells whether an address can be reached.
#[derive(Clone)]
pub(super) struct Reached {
    pub(super) key: Key,
    pub(super) tell: mpsc::Sender<(Key, bool)>,
}

impl Reached {
    pub(super) async fn tell(&self, up: bool) {
        // If the engine has ended nobody wants to know.
        let _ = self.tell.send((self.key, up)).await;
    }
}

/// Lets addresses start.
#[derive(Clone)]
pub(super) struct Gate(Arc<Semaphore>);

/// Held while an address starts.
pub(super) struct Starting(Option<OwnedSemaphorePermit>);

impl Gate {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(STARTING)))
    }

    /// Waits for a turn to start.
    pub(super) async fn enter(&self) -> Starting {
        // It is closed by nobody; if it were, nobody would have to wait.
        Starting(Arc::clone(&self.0).acquire_owned().await.ok())
    }
}

/// Reports when the address can be reached, and lets the next one start.
pub(super) fn tell_when_reachable(host: &dyn Host, reached: Reached, starting: Starting) {
    let reachable = host.reachable();
    tokio::spawn(async move {
        let watch = async {
            tokio::pin!(reachable);
            let soon = tokio::time::timeout(LIMIT, &mut reachable).await;
            drop(starting.0);
            match soon {
                Ok(up) => up,
                Err(_) => reachable.await,
            }
        };
        tokio::select! {
            up = watch => if up {
                reached.tell(true).await;
            },
            () = reached.tell.closed() => {}
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn a_few_start_at_once_and_each_makes_room_for_the_next() {
        let gate = Gate::new();
        let mut starting = Vec::new();
        for _ in 0..STARTING {
            starting.push(gate.enter().now_or_never().expect("there is room"));
        }
        assert!(gate.enter().now_or_never().is_none(), "all turns are taken");
        drop(starting.pop());
        assert!(gate.enter().now_or_never().is_some());
    }
}
