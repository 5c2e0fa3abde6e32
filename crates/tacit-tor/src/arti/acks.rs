//! Acknowledging at once what a guard sends.
//!
//! A relay's Nagle algorithm holds a cell back while an earlier one is unacknowledged, and the kernel
//! acknowledges up to 40 ms late on a connection whose two ends talk by turns, as those of a call do.
//! So each read asks for the acknowledgement that is due (TCP_QUICKACK). The kernel forgets the wish
//! whenever something is sent, hence after every read anew.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpStream;

/// Whether it is done; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Acks(Arc<AtomicBool>);

impl Default for Acks {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Acks {
    pub(super) fn at_once(&self, wanted: bool) {
        self.0.store(wanted, Ordering::Relaxed);
    }

    /// For the reads of this connection.
    pub(super) fn of(&self, stream: &TcpStream) -> io::Result<Acknowledging> {
        Ok(Acknowledging {
            wanted: self.clone(),
            socket: system::Socket::of(stream)?,
        })
    }
}

/// One connection's acknowledgements.
#[derive(Debug)]
pub(super) struct Acknowledging {
    wanted: Acks,
    socket: system::Socket,
}

impl Acknowledging {
    /// To be called when something was read.
    pub(super) fn has_read(&self) {
        if self.wanted.0.load(Ordering::Relaxed) {
            self.socket.acknowledge();
        }
    }

    /// Whether the kernel means to acknowledge at once what comes next.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn is_quick(&self) -> bool {
        self.socket.is_quick()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::io;
    use std::os::fd::{AsFd as _, OwnedFd};

    use rustix::net::sockopt;
    use tokio::net::TcpStream;

    /// A duplicate, because a stream that Arti has does not show its socket. Both are closed together.
    #[derive(Debug)]
    pub(super) struct Socket(OwnedFd);

    impl Socket {
        pub(super) fn of(stream: &TcpStream) -> io::Result<Self> {
            stream.as_fd().try_clone_to_owned().map(Self)
        }

        pub(super) fn acknowledge(&self) {
            // A connection that has ended has nothing to acknowledge, and the next read says so.
            let _ = sockopt::set_tcp_quickack(&self.0, true);
        }

        #[cfg(test)]
        pub(super) fn is_quick(&self) -> bool {
            sockopt::tcp_quickack(&self.0).expect("an open connection")
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use std::io;

    use tokio::net::TcpStream;

    /// Other systems have no such wish: they acknowledge when they like.
    #[derive(Debug)]
    pub(super) struct Socket;

    impl Socket {
        pub(super) fn of(_stream: &TcpStream) -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn acknowledge(&self) {}
    }
}
