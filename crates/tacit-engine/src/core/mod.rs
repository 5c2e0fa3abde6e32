//! The sans-IO core of a call's media: what happens to a frame between the encoder and the legs,
//! and between the legs and the decoder.

mod best;
mod legs;
mod media;
mod meter;
mod record;
mod slots;

pub use best::BestPath;
pub use media::{Arrivals, DropCounts, MediaCore, MediaEvent, Outgoing, Terms};
pub use meter::{LegQueue, Meter, Surroundings};
pub use record::{Noted, RECENT_SECONDS, Record};
