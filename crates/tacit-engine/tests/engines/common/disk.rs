//! A store that can break at a chosen write.

use std::sync::{Arc, Mutex};

use tacit_engine::store::Store;
use tacit_types::Reason;
use tokio::sync::watch;

#[derive(Default)]
struct Inner {
    kept: Option<Vec<u8>>,
    writes_left: Option<usize>,
}

/// Clones are the same disk.
#[derive(Clone)]
pub(crate) struct Disk {
    inner: Arc<Mutex<Inner>>,
    broken: watch::Sender<bool>,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            inner: Arc::default(),
            broken: watch::Sender::new(false),
        }
    }
}

impl Disk {
    pub(crate) fn with(snapshot: Option<Vec<u8>>) -> Self {
        let disk = Self::default();
        disk.inner.lock().unwrap().kept = snapshot;
        disk
    }

    pub(crate) fn snapshot(&self) -> Option<Vec<u8>> {
        self.inner.lock().unwrap().kept.clone()
    }

    /// Takes so many more writes and then none.
    pub(crate) fn break_after(&self, writes: usize) {
        self.inner.lock().unwrap().writes_left = Some(writes);
    }

    pub(crate) fn repair(&self) {
        self.inner.lock().unwrap().writes_left = None;
        self.broken.send_replace(false);
    }

    /// Resolves when a write has failed.
    pub(crate) async fn broke(&self) {
        self.broken.subscribe().wait_for(|b| *b).await.unwrap();
    }

    pub(crate) fn is_broken(&self) -> bool {
        *self.broken.borrow()
    }
}

impl Store for Disk {
    fn save(&mut self, snapshot: &[u8]) -> Result<(), Reason> {
        let mut inner = self.inner.lock().unwrap();
        match &mut inner.writes_left {
            Some(0) => {
                self.broken.send_replace(true);
                return Err(Reason::ProfileIo);
            }
            Some(left) => *left -= 1,
            None => {}
        }
        inner.kept = Some(snapshot.to_vec());
        Ok(())
    }
}
