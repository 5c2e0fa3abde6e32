//! TCP_NODELAY on sockets of processes that never ask for it, such as tor's.
//!
//! The kernel gives a process that may trace another a duplicate of any of its descriptors
//! (`pidfd_getfd`), and a socket's options belong to the socket, not to the descriptor. So Nagle's
//! algorithm can be turned off and on again on the connections of a running relay, and what tor itself
//! has set can be read, without a preloaded library.
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{SocketType, getpeername, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::Error;

/// TCP connections on which TCP_NODELAY was looked at and set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nodelay {
    /// Connections in all.
    pub connections: usize,
    /// Those that had it before.
    pub had: usize,
    /// Those that have it now.
    pub have: usize,
}

impl Nodelay {
    /// Counts those of another process, too.
    pub(crate) const fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.had += other.had;
        self.have += other.have;
    }
}

/// Sets TCP_NODELAY on every open TCP connection of a process as `choose` says, which is told the other
/// end's address and whether it is on. Connections made later keep what the process sets.
///
/// # Errors
/// [`Error::NotPermitted`] unless this process may trace that one; a process that is gone.
pub fn set_nodelay(pid: u32, choose: impl Fn(SocketAddr, bool) -> bool) -> Result<Nodelay, Error> {
    let mut all = Nodelay::default();
    for (socket, peer) in connections(pid)? {
        all.add(set(&socket, |had| choose(peer, had)));
    }
    Ok(all)
}

/// Duplicates of a process's connected TCP sockets, each with the other end's address.
fn connections(pid: u32) -> Result<Vec<(OwnedFd, SocketAddr)>, Error> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let process = process
        .ok_or(Errno::SRCH)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()))
        .map_err(gone)?;
    let mut all = Vec::new();
    for descriptor in sockets(pid)? {
        let socket = match pidfd_getfd(&process, descriptor, PidfdGetfdFlags::empty()) {
            Ok(socket) => socket,
            // Closed since it was listed.
            Err(Errno::BADF) => continue,
            Err(e @ (Errno::PERM | Errno::NOSYS)) => return Err(not_permitted(e)),
            Err(e) => return Err(gone(e)),
        };
        if let Some(peer) = tcp_peer(&socket) {
            all.push((socket, peer));
        }
    }
    Ok(all)
}

/// Descriptors that are sockets of some kind.
fn sockets(pid: u32) -> Result<Vec<i32>, Error> {
    let folder = format!("/proc/{pid}/fd");
    let entries = fs::read_dir(&folder).map_err(|e| Error::file(&folder, e))?;
    let is_socket = |entry: &fs::DirEntry| {
        fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
    };
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    Ok(entries
        .flatten()
        .filter(is_socket)
        .filter_map(number)
        .collect())
}

/// The other end, if it is a connected TCP socket.
fn tcp_peer(socket: &OwnedFd) -> Option<SocketAddr> {
    let stream = sockopt::socket_type(socket).ok()? == SocketType::STREAM;
    let peer = getpeername(socket).ok()??;
    SocketAddr::try_from(peer).ok().filter(|_| stream)
}

/// A connection that ends at this moment counts as it was.
fn set(socket: &OwnedFd, choose: impl Fn(bool) -> bool) -> Nodelay {
    let had = sockopt::tcp_nodelay(socket).unwrap_or(false);
    let wanted = choose(had);
    let set = had == wanted || sockopt::set_tcp_nodelay(socket, wanted).is_ok();
    Nodelay {
        connections: 1,
        had: usize::from(had),
        have: usize::from(if set { wanted } else { had }),
    }
}

fn gone(source: Errno) -> Error {
    Error::System {
        what: "looking at another process's connections",
        source: source.into(),
    }
}

fn not_permitted(source: Errno) -> Error {
    Error::NotPermitted {
        what: "options of another process's connections",
        source: io::Error::from(source),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn is_set_where_chosen_and_read_back() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("an address");
        let near = TcpStream::connect(address).expect("a connection");
        let _far = listener.accept().expect("its other end");
        let own = std::process::id();
        let on = match set_nodelay(own, |peer, had| had || peer == address) {
            Ok(on) => on,
            Err(error) if error.is_unavailable() => return println!("SKIPPED: {error}"),
            Err(error) => panic!("{error}"),
        };
        // Other tests of this process may have connections of their own.
        assert!(on.connections >= 2 && on.have >= 1 && on.had < on.connections);
        assert!(near.nodelay().expect("an option"));
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(set_nodelay(u32::MAX, |_, had| had).is_err());
        assert!(set_nodelay(0, |_, had| had).is_err());
    }
}
