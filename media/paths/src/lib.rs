//! Legs and scheduling: which packet goes on which circuit; sans-IO.
