//! The mailbox server's shell: tasks, queues and a clock around [`tacit_signaling::Server`].
//!
//! ```text
//!   incoming streams ─▶ connection task ─ frames ─▶ ┌────────┐
//!     (Tor, or tests)      one a stream  ◀─ frames ─ │ server │ ⇄ MailboxHandle (embedded owner)
//!                                                    └────────┘
//! ```
//!
//! Generic over byte streams: whoever has an onion service hands its streams in. One frame is one
//! write and one flush, so that Tor sends it as one cell. Nothing is written to disk, and no log
//! line names a mailbox or a connection.
//!
//! **Not in this crate:** Tor, the protocol's rules (`tacit-signaling`), configuration files and the
//! program `tacit-server` (`tacit-cli`).
#![forbid(unsafe_code)]

pub mod client;
mod connection;
mod handle;
pub mod io;
pub mod limits;
mod task;
pub mod turn;

pub use handle::{MailboxHandle, MailboxSender, Stopped};
pub use io::{BoxedStream, ByteStream};
pub use task::{OperatedConfig, ServerTask, Summary, serve_embedded, serve_operated};
pub use turn::CredentialMint;
