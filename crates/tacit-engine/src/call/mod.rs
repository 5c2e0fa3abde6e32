//! A call: one task that owns its keys, legs, sound and signaling.

mod allocations;
mod ending;
mod legs;
mod session;

pub(crate) use allocations::open_turn_legs;
pub(crate) use legs::{
    LegPlan, OpenedTurn, TurnAccess, TurnPlan, random_up_to, seed as fresh_seed,
};
pub(crate) use session::{Call, CallCommand, Handshake, Link, LinkEvent, Sound};
