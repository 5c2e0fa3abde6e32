//! One direction of a proxied connection: in order, late by the link's delay, never unbounded.
use std::collections::VecDeque;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustix::net::sockopt::set_tcp_quickack;
use tokio::net::TcpStream;

use super::timer::PreciseTimer;
use super::wires::Wire;
use crate::delay::Delay;

/// What one read takes at most.
const READ_SIZE: usize = 16 * 1024;
/// What one direction buffers; beyond it nothing is read, so that the sender's TCP slows down.
const MAX_QUEUED: usize = 4 * 1024 * 1024;
#[derive(Debug)]
struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
    written: usize,
}

/// What the head of the queue waits for.
enum Head {
    Empty,
    Until(Instant),
    Writable,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Pump<'a> {
    from: &'a TcpStream,
    to: &'a TcpStream,
    delay: Delay,
    delivered: &'a AtomicU64,
    wire: &'a Wire,
    nagle: bool,
    timer: PreciseTimer,
    queue: VecDeque<Chunk>,
    queued: usize,
    ended: bool,
    /// The end of the last stall that this direction waited for.
    waited_until: Option<Instant>,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        from: &'a TcpStream,
        to: &'a TcpStream,
        delay: Delay,
        delivered: &'a AtomicU64,
        wire: &'a Wire,
        nagle: bool,
    ) -> io::Result<Self> {
        let timer = PreciseTimer::new()?;
        let (queue, queued, ended, waited_until) = (VecDeque::new(), 0, false, None);
        let pump = Self {
            from,
            to,
            delay,
            delivered,
            wire,
            nagle,
            timer,
            queue,
            queued,
            ended,
            waited_until,
        };
        pump.acknowledge()?;
        Ok(pump)
    }

    /// Carries bytes until the sender closes and all is delivered.
    pub(super) async fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; READ_SIZE];
        loop {
            let head = self.release()?;
            if self.ended && matches!(head, Head::Empty) {
                return Ok(rustix::net::shutdown(
                    self.to,
                    rustix::net::Shutdown::Write,
                )?);
            }
            let (from, to) = (self.from, self.to);
            let room = !self.ended && self.queued < MAX_QUEUED;
            let timer = &mut self.timer;
            let next = async move {
                match head {
                    Head::Empty => pending().await,
                    Head::Until(at) => timer.until(at).await,
                    Head::Writable => to.writable().await,
                }
            };
            tokio::select! {
                ready = next => ready?,
                ready = from.readable(), if room => {
                    ready?;
                    self.take(&mut buffer)?;
                }
            }
        }
    }

    /// Reads what is there.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match self.from.try_read(buffer) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                self.acknowledge()?;
                let due = self.delay.due(Instant::now());
                let bytes = buffer[..count].to_vec();
                self.queue.push_back(Chunk {
                    due,
                    bytes,
                    written: 0,
                });
                self.queued += count;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// Writes all that is due.
    fn release(&mut self) -> io::Result<Head> {
        let now = Instant::now();
        while let Some(chunk) = self.queue.front_mut() {
            if chunk.due > now {
                return Ok(Head::Until(chunk.due));
            }
            if let Some(held) = self.wire.held_until().filter(|held| *held > now) {
                self.waited_until = Some(held);
                return Ok(Head::Until(held));
            }
            match self.to.try_write(&chunk.bytes[chunk.written..]) {
                Ok(count) => {
                    let count64 = count as u64;
                    self.delivered.fetch_add(count64, Ordering::Relaxed);
                    if self.waited_until.is_some_and(|until| chunk.due < until) {
                        self.wire.stalled.fetch_add(count64, Ordering::Relaxed);
                    }
                    self.queued -= count;
                    chunk.written += count;
                    if chunk.written == chunk.bytes.len() {
                        self.queue.pop_front();
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Head::Writable),
                Err(e) => return Err(e),
            }
        }
        Ok(Head::Empty)
    }

    /// Sends the acknowledgement now instead of up to 40 ms later.
    fn acknowledge(&self) -> io::Result<()> {
        if !self.nagle {
            set_tcp_quickack(self.from, true)?;
        }
        Ok(())
    }
}
