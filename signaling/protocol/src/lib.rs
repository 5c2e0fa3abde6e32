//! Signaling: the 480-byte frames, what they carry, and the machines of caller, callee and mailbox
//! server.
//!
//! ```text
//!   Caller ──stream──▶ Server ──stream or in process──▶ Callee
//!     │  RING            │ mailbox, tag, bucket, bit      │ IncomingRing
//!     │                  │            RING-IN ──────────▶ │  .authenticate(..) AuthenticatedRing
//!     │ ◀─────────────── ANSWER ◀──────────────────────── │  Callee::answer(..)
//!     │ ◀══════════════  PIPE  ══════════════════════════▶│
//! ```
//!
//! Every machine has the five verbs: `handle_input`, `handle_timeout`, `poll_transmit`,
//! `poll_event`, `poll_timeout`; time is an argument and randomness comes from a seed. After each
//! call, drain transmits and events. Hostile input is a counted [`DropReason`].
//!
//! **Not in this crate:** streams, tasks, clocks and entropy (`tacit-mailbox-server` and the engine
//! have them), wallets and keys (`tacit-crypto`), which address ranges a TURN candidate may be in
//! (`tacit-legs`), media.
#![forbid(unsafe_code)]

mod bucket;
pub mod callee;
pub mod caller;
mod dropped;
pub mod frame;
pub mod glare;
pub mod limits;
pub mod payload;
mod pings;
pub mod server;
mod session;
mod wire;

pub use bucket::Rate;
pub use callee::{AuthenticatedRing, Authority, Callee, CalleeEvent, IncomingRing};
pub use caller::{Caller, CallerEvent, RingError, RingTo};
pub use dropped::{DropCounts, DropReason};
pub use frame::{Attach, Frame, FrameBytes, Handle, Malformed};
pub use payload::{Opening, PipeMessage, Response};
pub use server::{CloseReason, ConnectionId, Server, ServerConfig, ServerEvent};
pub use session::ClientWake;
