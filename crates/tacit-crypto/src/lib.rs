//! Invites, tokens, Noise handshake, media keys, packet cipher and SAS.
