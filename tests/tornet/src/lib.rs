//! A private Tor network of real relays on loopback.
