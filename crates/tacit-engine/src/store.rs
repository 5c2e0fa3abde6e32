//! Where the engine keeps what must survive: contacts, keys, wallets.

use std::sync::Mutex;

use tacit_types::Reason;

/// Durable storage for one opaque snapshot. Encrypting it is the implementor's duty: it holds keys.
pub trait Store: Send + 'static {
    /// Replaces the stored snapshot. When this returns `Ok`, a crash at any later moment finds this
    /// snapshot or a newer one; on `Err` the old one is still there.
    ///
    /// # Errors
    /// The reason to show, usually [`Reason::ProfileIo`].
    fn save(&mut self, snapshot: &[u8]) -> Result<(), Reason>;
}

/// Keeps the snapshot in memory: for examples, tests and one-off calls.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Vec<u8>>);

impl Store for MemoryStore {
    fn save(&mut self, snapshot: &[u8]) -> Result<(), Reason> {
        let mut kept = self
            .0
            .lock()
            .expect("no code panics while it holds this lock");
        kept.clear();
        kept.extend_from_slice(snapshot);
        Ok(())
    }
}
