//! Mailbox server shell over any byte stream, and TURN credential minting.
