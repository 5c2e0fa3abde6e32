//! The two kinds of leg: a TURN client over any byte stream, and onion legs.
//!
//! A *leg* is one ordered byte stream over one Tor circuit of its own. Both kinds carry packets of
//! [`PACKET_BYTES`](tacit_types::limits::PACKET_BYTES) behind one trait, [`Leg`]:
//!
//! ```text
//!              packets, LegIndex of the peer's leg
//!                    |                ^
//!        send() ->   v                |   <- LegEvent::Packet
//!   +--------------------------------------------------+
//!   |  OnionLeg           |  TurnLeg                   |   sans-IO machines
//!   |  join packet, then  |  401 probe | Allocate +    |
//!   |  packet packet …    |  ChannelBinds | ChannelData|
//!   +--------------------------------------------------+
//!        poll_transmit()     |        ^   handle_input()
//!                            v        |
//!   shell::drive: one reader and one writer task, one write and one flush a packet
//!                            |        ^
//!          [tls: pinned key] v        |
//!             any AsyncRead + AsyncWrite (a Tor stream)
//! ```
//!
//! An onion leg ends at the peer itself, so its one peer has its own index. A TURN leg ends at a
//! server and reaches every leg of the peer: n and m legs make n × m paths.
//!
//! Time is an argument and randomness a seed; [`shell`] is the only part that knows tokio.
//!
//! **Not in this crate:** opening streams (Tor), encryption of packets, choosing legs, fetching
//! credentials, ICE, DTLS, SDP, host or reflexive candidates, Send indications, UDP to a server.
#![forbid(unsafe_code)]

pub mod candidate;
#[cfg(feature = "testing")]
pub mod coturn;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod fuzz;
#[cfg(feature = "testing")]
pub mod leash;
pub mod leg;
pub mod limits;
pub mod onion;
mod queue;
pub mod roster;
pub mod shell;
pub mod tls;
pub mod turn;

pub use candidate::{CandidateGate, CandidatePolicy, candidate_is_public};
pub use leg::{
    DropCounts, DropReason, Failure, Leg, LegEnd, LegEvent, Packet, Peer, PeerError, Refusal,
    SendError, Transmit, WakeReason,
};
pub use onion::{JoinAcceptor, JoinRefusal, OnionLeg};
pub use roster::{Roster, RosterError};
pub use turn::{TurnConfig, TurnCredentials, TurnLeg};
