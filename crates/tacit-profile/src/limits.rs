//! Bounds of the profile file.

/// Smallest file. A profile of a few dozen contacts fits, so that a new profile and a used one look
/// the same on disk.
pub const SMALLEST_FILE_BYTES: usize = 64 * 1024;

/// Largest file that is written or read: sizes double from [`SMALLEST_FILE_BYTES`] up to this.
pub const LARGEST_FILE_BYTES: usize = 16 * 1024 * 1024;

/// Most memory that a file may ask Argon2id to take. A hostile file must not exhaust the machine.
pub const MAX_KDF_MEMORY_KIB: u32 = 256 * 1024;

/// Most passes over that memory.
pub const MAX_KDF_PASSES: u32 = 10;

/// Most Argon2id lanes.
pub const MAX_KDF_LANES: u32 = 4;
