//! Playout buffer: insert, pull, conceal; sans-IO.
