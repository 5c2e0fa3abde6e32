//! A call: one task that owns its keys, legs, sound and signaling.

mod ending;
mod legs;
mod session;

pub(crate) use legs::{
    LegPlan, OpenedTurn, TurnAccess, TurnPlan, open_turn_legs, random_up_to, seed as fresh_seed,
};
pub(crate) use session::{Call, CallCommand, Handshake, Link, LinkEvent, Sound};
