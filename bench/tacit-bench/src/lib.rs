//! What a call over simulated Tor circuits is like to the ear, and how strategies compare.
//!
//! ```text
//!   tacit-circuits: strategy ─► circuits ─► arrivals ─► playout ─► mouth-to-ear, gaps ─► CallLine
//!                   (production scheduler)             (production)                       │
//!                                                      one line a strategy: Row ◄─────────┘
//! ```
//!
//! The program `tacit-bench` is a thin shell over this. Everything it prints says "simulated", names
//! the model's version, and depends on the seed alone: same seed, same bytes.
//!
//! **Not in this crate:** the circuits and strategies (tacit-circuits), the scheduler (tacit-paths), the
//! playout (tacit-playout), the codec (tacit-codec), PESQ itself (tacit-quality installs it).
#![forbid(unsafe_code)]

pub mod audio;
pub mod emodel;
pub mod exit;
pub mod hearing;
pub mod html;
pub mod line;
pub mod notes;
mod player;
pub mod plots;
pub mod row;
pub mod sim;
pub mod speech;
pub mod summary;
pub mod text;
