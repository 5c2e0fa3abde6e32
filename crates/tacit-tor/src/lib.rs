//! Tor: Arti in process, or a system tor by SOCKS.
