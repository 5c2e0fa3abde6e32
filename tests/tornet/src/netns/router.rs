//! The router between namespaces: takes packets from their TUN devices, delays them, and puts them
//! into the device of the namespace that has the destination's address.
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::capture::{Capture, destination};
use super::holds::Holds;
use crate::delay::Delay;

/// Larger than any device's packet.
const PACKET_SIZE: usize = 65_536;
/// What may wait at once; beyond it packets are dropped, as a router does, and TCP slows down.
const MAX_QUEUED: usize = 65_536;
/// Reads from one device before the others get a turn.
const READS_A_TURN: usize = 64;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    due: Instant,
    /// Breaks ties, so that packets stay in order.
    sequence: u64,
    from: usize,
    to: usize,
    packet: Vec<u8>,
}

/// The router; it runs on a thread of its own.
#[derive(Debug)]
pub(super) struct Router {
    devices: Vec<OwnedFd>,
    stop: OwnedFd,
    addresses: BTreeMap<Ipv4Addr, usize>,
    capture: Arc<Capture>,
    holds: Arc<Holds>,
    /// For every ordered pair, so that each keeps its order.
    delays: Vec<Vec<Delay>>,
    queue: BinaryHeap<Reverse<Waiting>>,
    sequence: u64,
}

impl Router {
    pub(super) fn new(
        devices: Vec<OwnedFd>,
        stop: OwnedFd,
        addresses: &[Ipv4Addr],
        (one_way, jitter): (Duration, Duration),
        capture: Arc<Capture>,
        holds: Arc<Holds>,
    ) -> Self {
        let count = addresses.len();
        let delay = |i: usize, j: usize| Delay::new(one_way, jitter, (i * count + j + 1) as u64);
        Self {
            devices,
            stop,
            addresses: addresses.iter().copied().zip(0..).collect(),
            capture,
            holds,
            delays: (0..count)
                .map(|i| (0..count).map(|j| delay(i, j)).collect())
                .collect(),
            queue: BinaryHeap::new(),
            sequence: 0,
        }
    }

    /// Routes until something can be read from `stop`.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; PACKET_SIZE];
        loop {
            let next = self.deliver();
            let wait = next.map(|at| at.saturating_duration_since(Instant::now()));
            let wait = wait.map(|wait| Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: wait.subsec_nanos().into(),
            });
            let ready = self.wait(wait.as_ref())?;
            if ready.contains(&self.devices.len()) {
                return Ok(());
            }
            for from in ready {
                self.take(from, &mut buffer);
            }
        }
    }

    /// The indices of devices that can be read; one past the last stands for `stop`.
    fn wait(&self, time: Option<&Timespec>) -> io::Result<Vec<usize>> {
        let fds = self.devices.iter().chain([&self.stop]);
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        match poll(&mut fds, time) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let ready = fds
            .iter()
            .enumerate()
            .filter(|(_, fd)| fd.revents().contains(PollFlags::IN));
        Ok(ready.map(|(i, _)| i).collect())
    }

    fn take(&mut self, from: usize, buffer: &mut [u8]) {
        for _ in 0..READS_A_TURN {
            // An error is that nothing is there; a device lives as long as its namespace.
            let Ok(length) = rustix::io::read(&self.devices[from], &mut *buffer) else {
                return;
            };
            let packet = &buffer[..length];
            let Some(to) = destination(packet) else {
                continue;
            };
            self.capture.record(from, to, length);
            let IpAddr::V4(address) = to.0 else { continue };
            let Some(&to) = self.addresses.get(&address) else {
                continue;
            };
            if self.queue.len() < MAX_QUEUED {
                let due = self.delays[from][to].due(Instant::now());
                self.push(due, from, to, packet.to_vec());
            }
        }
    }

    fn push(&mut self, due: Instant, from: usize, to: usize, packet: Vec<u8>) {
        self.sequence += 1;
        let sequence = self.sequence;
        self.queue.push(Reverse(Waiting {
            due,
            sequence,
            from,
            to,
            packet,
        }));
    }

    /// Delivers what is due and returns when the next is.
    fn deliver(&mut self) -> Option<Instant> {
        let now = Instant::now();
        while let Some(Reverse(first)) = self.queue.peek() {
            if first.due > now {
                return Some(first.due);
            }
            let Reverse(mut waiting) = self.queue.pop().expect("it was just seen");
            match self
                .holds
                .until(waiting.from, waiting.to)
                .filter(|held| *held > now)
            {
                // It keeps its sequence number, and with it its place.
                Some(held) => {
                    waiting.due = held;
                    self.queue.push(Reverse(waiting));
                }
                // A device that takes no more drops the packet, as a full link does.
                None => drop(rustix::io::write(
                    &self.devices[waiting.to],
                    &waiting.packet,
                )),
            }
        }
        None
    }
}
