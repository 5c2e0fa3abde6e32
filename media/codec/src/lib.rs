//! Opus at one constant size.
