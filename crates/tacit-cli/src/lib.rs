//! The programs tacit and tacit-server.
