//! The thin tokio shell: a stream, a machine, and the two tasks between them.
//!
//! ```text
//!   LegHandle::try_send ──► machine ──► writer task: one write_all + one flush a packet ──► stream
//!   outputs channel ◄────── machine ◄── reader task: clock read first, then handle_input ◄── stream
//! ```
//!
//! The machine sits behind a short lock that is never held across an await. The reader never waits
//! for whoever takes the events: what is not taken stays in the machine, bounded, packets dropped
//! oldest first. In steady state neither task allocates; what the stream does is its own.

mod drive;
mod handle;
mod join;

use std::sync::Arc;

use tacit_types::{LegIndex, SecretBytes, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

pub use drive::drive;
pub use handle::{LegHandle, SharedLeg, Written};
pub use join::accept_join;

use crate::leg::{Leg, LegEvent};
use crate::onion::{LEG_SECRET_BYTES, OnionLeg};
use crate::tls::{self, SpkiPin, TlsError};
use crate::turn::{TurnConfig, TurnLeg};

/// The process's monotonic clock, read at the moment that bytes arrive.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a leg reports, with the leg it comes from, so that all legs can share one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegOutput {
    /// Our index of the leg.
    pub leg: LegIndex,
    /// What happened. [`LegEvent::Closed`] is the last of every leg, exactly once.
    pub event: LegEvent,
}

/// How a leg is wired to its surroundings.
#[derive(Clone)]
pub struct Wiring {
    /// Our index of the leg.
    pub leg: LegIndex,
    /// Where timestamps come from.
    pub clock: Clock,
    /// Where its events go. A leg whose receiver is gone closes.
    pub outputs: mpsc::Sender<LegOutput>,
}

impl core::fmt::Debug for Wiring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Wiring")
            .field("leg", &self.leg)
            .finish_non_exhaustive()
    }
}

/// Which end of an onion leg this is.
#[derive(Clone, Debug)]
pub enum OnionEnd {
    /// We opened the stream and show this secret first.
    Joining {
        /// The leg's one-time secret from the handshake.
        secret: SecretBytes<LEG_SECRET_BYTES>,
        /// Fresh from the system's entropy.
        fill_seed: [u8; 32],
    },
    /// [`accept_join`] recognised the stream.
    Accepted,
}

/// How the bytes to a TURN server are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TurnSecurity {
    /// TLS to the server whose public key has this pin.
    Pinned(SpkiPin),
    /// None: an exit relay reads along. For tests only.
    DangerousPlainTcp,
}

impl TurnSecurity {
    /// No TLS: an exit relay reads along. For tests only.
    #[must_use]
    pub const fn dangerous_plain_tcp() -> Self {
        Self::DangerousPlainTcp
    }
}

/// Runs an onion leg over `stream` in tasks of its own. Must be called inside a tokio runtime.
pub fn spawn_onion_leg<S>(stream: S, end: OnionEnd, wiring: Wiring) -> LegHandle
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let machine = match end {
        OnionEnd::Joining { secret, fill_seed } => {
            OnionLeg::joining(wiring.leg, &secret, fill_seed)
        }
        OnionEnd::Accepted => OnionLeg::accepted(wiring.leg),
    };
    spawn(stream, machine, wiring)
}

/// Runs a TURN leg over `stream`, which is already protected (or a test), in tasks of its own.
/// Must be called inside a tokio runtime.
pub fn spawn_turn_leg<S>(stream: S, config: TurnConfig, wiring: Wiring) -> LegHandle
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let now = (wiring.clock)();
    spawn(stream, TurnLeg::new(config, now), wiring)
}

/// Makes the stream to a TURN server secure, then runs a TURN leg over it. The TLS handshake takes
/// one round trip; the caller bounds the time.
///
/// # Errors
///
/// When the TLS handshake fails, above all because the server's key is not the pinned one.
pub async fn open_turn_leg<S>(
    stream: S,
    security: TurnSecurity,
    config: TurnConfig,
    wiring: Wiring,
) -> Result<LegHandle, TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match security {
        TurnSecurity::Pinned(pin) => {
            let stream = tls::connect(stream, pin).await?;
            Ok(spawn_turn_leg(stream, config, wiring))
        }
        TurnSecurity::DangerousPlainTcp => Ok(spawn_turn_leg(stream, config, wiring)),
    }
}

fn spawn<S, L>(stream: S, machine: L, wiring: Wiring) -> LegHandle
where
    S: AsyncRead + AsyncWrite + Send + 'static,
    L: Leg + Send + 'static,
{
    let shared = SharedLeg::new(machine);
    let handle = LegHandle::new(wiring.leg, shared.clone(), wiring.clock.clone());
    tokio::spawn(drive(stream, shared, wiring));
    handle
}
