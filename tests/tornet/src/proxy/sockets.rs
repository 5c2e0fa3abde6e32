//! Which relay a connection comes from.
//!
//! tor does not apply `OutboundBindAddressOR` when it dials a loopback address, so on loopback
//! the source address says nothing. The kernel does: `/proc/net/tcp` has the socket of the other
//! end, and `/proc/<pid>/fd` the process that holds it.
use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Mutex, PoisonError};

/// The relays' processes.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    relays: Mutex<BTreeMap<u32, String>>,
}

impl Sockets {
    pub(super) fn add(&self, pid: u32, relay: &str) {
        let mut relays = self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        relays.insert(pid, relay.to_owned());
    }

    /// The relay that holds the other end, `peer`, of a connection to `local`. Reads many small
    /// files: not for a thread that moves packets.
    pub(super) fn owner(&self, peer: SocketAddr, local: SocketAddr) -> Option<String> {
        let (SocketAddr::V4(peer), SocketAddr::V4(local)) = (peer, local) else {
            return None;
        };
        let table = fs::read_to_string("/proc/net/tcp").ok()?;
        let socket = format!("socket:[{}]", inode(&table, peer, local)?);
        let relays = self
            .relays
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        relays
            .into_iter()
            .find(|(pid, _)| holds(*pid, &socket))
            .map(|(_, name)| name)
    }
}

/// The inode of the socket with these ends.
fn inode(table: &str, local: SocketAddrV4, remote: SocketAddrV4) -> Option<&str> {
    let (local, remote) = (as_in_table(local), as_in_table(remote));
    table.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let found = fields.next()? == local && fields.next()? == remote;
        fields.nth(6).filter(|_| found)
    })
}

/// The kernel prints the address as a native integer in network order.
fn as_in_table(address: SocketAddrV4) -> String {
    let ip = u32::from_ne_bytes(address.ip().octets());
    format!("{ip:08X}:{:04X}", address.port())
}

fn holds(pid: u32, socket: &str) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == socket))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_owner_of_the_other_end_is_found_by_its_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_server, peer) = listener.accept().unwrap();
        let sockets = Sockets::default();
        assert_eq!(sockets.owner(peer, client.peer_addr().unwrap()), None);
        sockets.add(std::process::id(), "mid1");
        assert_eq!(
            sockets.owner(peer, client.peer_addr().unwrap()).as_deref(),
            Some("mid1")
        );
    }
}
