//! The call engine: sans-IO core, tokio shell, public API.
