//! One module a topic.

pub mod contents;
pub mod derivations;
pub mod frames;
pub mod handshake;
pub mod invite;
pub mod mailbox;
pub mod packet;
pub mod pipe;
pub mod sas;
pub mod wallet;
