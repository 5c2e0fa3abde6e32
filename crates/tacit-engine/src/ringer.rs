//! Drives the caller's and the callee's signaling machines over their streams.

use tacit_signaling::{Callee, CalleeEvent, Caller, CallerEvent};
use tacit_types::Timestamp;

use crate::clock::{deadline, now};
use crate::frames::FrameIo;

/// Waits until `at`, or for ever.
pub(crate) async fn until(at: Option<Timestamp>) {
    match at {
        Some(at) => tokio::time::sleep_until(deadline(at)).await,
        None => std::future::pending().await,
    }
}

/// A machine with its stream. The two machines have the same verbs and no trait in common.
macro_rules! driven {
    ($(#[$doc:meta])* $name:ident, $machine:ty, $event:ty) => {
        $(#[$doc])*
        pub(crate) struct $name {
            pub machine: $machine,
            pub io: FrameIo,
        }

        impl $name {
            /// The next event; `None` once the stream is gone. Cancelling it loses nothing.
            pub(crate) async fn next(&mut self) -> Option<$event> {
                loop {
                    self.flush()?;
                    if let Some(event) = self.machine.poll_event() {
                        return Some(event);
                    }
                    let wake = self.machine.poll_timeout().map(|(at, _)| at);
                    tokio::select! {
                        frame = self.io.incoming.recv() => {
                            self.machine.handle_input(&frame?, now());
                        }
                        () = until(wake) => self.machine.handle_timeout(now()),
                    }
                }
            }

            /// Hands queued frames to the stream; `None` if it takes no more.
            pub(crate) fn flush(&mut self) -> Option<()> {
                while let Some(frame) = self.machine.poll_transmit() {
                    self.io.outgoing.try_send(frame).ok()?;
                }
                Some(())
            }
        }
    };
}

driven! {
    /// The caller's machine with its stream.
    Ringer, Caller, CallerEvent
}

driven! {
    /// The callee's machine of one mailbox with its stream, or with the embedded server.
    Attended, Callee, CalleeEvent
}
