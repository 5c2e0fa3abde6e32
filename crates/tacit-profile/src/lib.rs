//! The encrypted profile file.
