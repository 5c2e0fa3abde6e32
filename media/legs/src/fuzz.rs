//! Entry points for fuzzing: every parser of this crate, fed with hostile bytes.
