//! Sound devices: finding them, running a stream, staying alive when they change.

mod config;
mod input;
mod list;
mod output;
mod quiet;
mod stream;
mod supervisor;

pub(crate) use input::InputStream;
pub use list::{DeviceInfo, list_devices};
pub(crate) use output::OutputStream;

/// Which half of a conversation a device serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// A microphone.
    Input,
    /// A loudspeaker.
    Output,
}
