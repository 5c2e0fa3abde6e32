//! A call whose legs are all lost: how it comes back, or ends.

use std::sync::Arc;
use std::time::Duration;

use tacit_types::Reason;

use super::{Call, CallCommand, Handshake, Session};
use crate::core::{BestPath, Meter};

/// A resume that failed is tried again after this time.
const RESUME_RETRY: Duration = Duration::from_secs(3);

impl Call {
    /// All legs are lost: the caller rings again and again, the callee of TURN legs waits for it. (The
    /// callee of onion legs goes on taking legs instead.)
    pub(super) async fn resume(&mut self, s: &mut Session) -> Result<Box<Handshake>, Reason> {
        s.close_legs();
        self.tell_interrupted();
        self.meter = Meter::default();
        self.best = BestPath::default();
        let (shared, role, id, contact, kind) = (
            Arc::clone(&self.shared),
            self.role,
            self.id,
            self.contact,
            s.kind,
        );
        let again = async {
            loop {
                match shared.redial(role, id, contact, kind).await {
                    Ok(next) => return Box::new(next),
                    Err(reason) => tracing::debug!(code = reason.code(), "not resumed yet"),
                }
                tokio::time::sleep(RESUME_RETRY).await;
            }
        };
        tokio::pin!(again);
        let deadline = tokio::time::sleep(self.shared.resume_within());
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                next = &mut again => return Ok(next),
                command = self.commands.recv() => match command {
                    Some(CallCommand::Resume(next)) => return Ok(next),
                    Some(CallCommand::SetMuted(muted)) => {
                        self.sound.muted = muted;
                        if let Some(voice) = &mut self.voice {
                            voice.set_muted(muted);
                        }
                    }
                    Some(CallCommand::SetDevices(input, output)) => {
                        self.set_devices(input, output);
                    }
                    // Stored at once; it is told once the call is back.
                    Some(CallCommand::Verify(true)) => self.verify(),
                    Some(CallCommand::Verify(false)) => {
                        self.doubt();
                        return Err(Reason::NotVerified);
                    }
                    Some(CallCommand::HangUp) | None => return Err(Reason::HungUp),
                    Some(_) => {}
                },
                () = &mut deadline => return Err(Reason::LegsLost),
            }
        }
    }
}
