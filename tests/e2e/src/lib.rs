//! Calls through real relays.
