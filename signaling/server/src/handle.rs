//! The embedded server's owner: the same frames, in process.

use tacit_signaling::{Attach, FrameBytes};
use tokio::sync::mpsc;

/// The server has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mailbox server has stopped")]
pub struct Stopped;

#[derive(Debug)]
pub(crate) enum FromOwner {
    Attach(Box<Attach>),
    Frame(Box<FrameBytes>),
}

/// Sends to an embedded server. Clones share the queue.
#[derive(Clone, Debug)]
pub struct MailboxSender(pub(crate) mpsc::Sender<FromOwner>);

impl MailboxSender {
    /// Sends ANSWER or PIPE; waits while the queue is full.
    ///
    /// # Errors
    /// When the server has stopped.
    pub async fn send(&self, frame: FrameBytes) -> Result<(), Stopped> {
        self.0
            .send(FromOwner::Frame(Box::new(frame)))
            .await
            .map_err(|_| Stopped)
    }

    /// Attaches a mailbox or a further generation.
    ///
    /// # Errors
    /// When the server has stopped.
    pub async fn attach(&self, attach: Attach) -> Result<(), Stopped> {
        self.0
            .send(FromOwner::Attach(Box::new(attach)))
            .await
            .map_err(|_| Stopped)
    }
}

/// The owner's end of an embedded server: RING-IN and PIPE come out, ANSWER and PIPE go in.
#[derive(Debug)]
pub struct MailboxHandle {
    pub(crate) sender: MailboxSender,
    pub(crate) frames: mpsc::Receiver<FrameBytes>,
}

impl MailboxHandle {
    /// The next frame; `None` when the server has stopped. Cancel-safe.
    pub async fn recv(&mut self) -> Option<FrameBytes> {
        self.frames.recv().await
    }

    /// Something to send with, from anywhere.
    #[must_use]
    pub fn sender(&self) -> MailboxSender {
        self.sender.clone()
    }

    /// As [`MailboxSender::send`].
    ///
    /// # Errors
    /// When the server has stopped.
    pub async fn send(&self, frame: FrameBytes) -> Result<(), Stopped> {
        self.sender.send(frame).await
    }

    /// As [`MailboxSender::attach`].
    ///
    /// # Errors
    /// When the server has stopped.
    pub async fn attach(&self, attach: Attach) -> Result<(), Stopped> {
        self.sender.attach(attach).await
    }
}
