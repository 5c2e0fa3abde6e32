//! The two kinds of leg: a TURN client over any byte stream, and onion legs.
