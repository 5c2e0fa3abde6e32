//! Signaling frames and the caller, callee and server machines; sans-IO.
