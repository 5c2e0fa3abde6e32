//! A network that notes every write of one engine, and can end streams early.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures::future::BoxFuture;
use tacit_engine::memory::MemoryNetwork;
use tacit_engine::network::{BoxStream, ByteStream, Host, Network, NetworkState};
use tacit_tor::{OnionHost, Target, TorProgress};
use tacit_types::limits::{ONION_PORT_LEGS, ONION_PORT_SIGNALING};
use tacit_types::{OnionKey, Reason};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// A RING frame's first byte.
const RING: u8 = 0x0c;
/// An ATTACH frame's first byte.
pub(crate) const ATTACH: u8 = 0x05;

/// One write of an engine to one of its streams.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// The address that the stream leads to or was accepted at.
    pub(crate) key: OnionKey,
    pub(crate) port: u16,
    /// Numbers this engine's streams.
    pub(crate) stream: usize,
    pub(crate) len: usize,
    /// The first byte: a signaling frame's type.
    pub(crate) first: u8,
    pub(crate) at: Instant,
}

#[derive(Default)]
struct Log {
    streams: usize,
    writes: Vec<Write>,
    /// Every RING and every ATTACH, as it was sent.
    frames: Vec<Vec<u8>>,
    /// Streams that have ended, and when.
    ends: Vec<(usize, Instant)>,
    /// Bytes that the next opened streams deliver before they end.
    limits: VecDeque<usize>,
    /// The same for streams through exits.
    exit_limits: VecDeque<usize>,
    /// Legs deliver nothing.
    deaf: bool,
    /// Legs take nothing.
    stalled: bool,
    /// This stream takes nothing.
    stuck: Option<usize>,
    /// These are at their end.
    broken: BTreeSet<usize>,
    /// Who waits to read from which stream.
    readers: BTreeMap<usize, Waker>,
    /// What was asked of the network before it started, and waits.
    waiting: usize,
}

/// The network of one engine.
#[derive(Clone)]
pub(crate) struct Tap {
    inner: MemoryNetwork,
    log: Arc<Mutex<Log>>,
    state: watch::Sender<NetworkState>,
}

fn state(percent: u8) -> NetworkState {
    NetworkState::Running(TorProgress {
        percent,
        ..TorProgress::default()
    })
}

impl Tap {
    pub(crate) fn on(network: &MemoryNetwork) -> Self {
        Self {
            inner: network.clone(),
            log: Arc::default(),
            state: watch::Sender::new(state(100)),
        }
    }

    /// Until [`Self::start`] the network is still starting: whatever is asked of it waits.
    pub(crate) fn hold(&self) {
        self.state.send_replace(state(0));
    }

    /// How often something was asked of the network that had to wait.
    pub(crate) fn waiting(&self) -> usize {
        self.log.lock().unwrap().waiting
    }

    pub(crate) fn start(&self) {
        self.state.send_replace(state(100));
    }

    /// Does something with the network, at once if it has started.
    fn once_started<T: 'static>(
        &self,
        ask: impl FnOnce(&MemoryNetwork) -> BoxFuture<'static, T> + Send + 'static,
    ) -> BoxFuture<'static, T> {
        let mut now = self.state.subscribe();
        if *now.borrow() == state(100) {
            return ask(&self.inner);
        }
        let network = self.inner.clone();
        self.log.lock().unwrap().waiting += 1;
        Box::pin(async move {
            now.wait_for(|s| *s == state(100)).await.unwrap();
            ask(&network).await
        })
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        self.log.lock().unwrap().writes.clone()
    }

    pub(crate) fn rings(&self) -> Vec<Vec<u8>> {
        self.frames(RING)
    }

    pub(crate) fn attaches(&self) -> Vec<Vec<u8>> {
        self.frames(ATTACH)
    }

    fn frames(&self, first: u8) -> Vec<Vec<u8>> {
        let mut frames = self.log.lock().unwrap().frames.clone();
        frames.retain(|f| f[0] == first);
        frames
    }

    /// When this stream ended, if it has.
    pub(crate) fn end_of(&self, stream: usize) -> Option<Instant> {
        let log = self.log.lock().unwrap();
        log.ends.iter().find(|(s, _)| *s == stream).map(|e| e.1)
    }

    /// Each of the next streams that are opened ends after so many bytes were read from it.
    pub(crate) fn end_streams_after(&self, limits: &[usize]) {
        self.log.lock().unwrap().limits.extend(limits);
    }

    /// From now on the legs deliver nothing, though all is sent.
    pub(crate) fn deafen_legs(&self) {
        self.log.lock().unwrap().deaf = true;
    }

    /// From now on the legs take nothing.
    pub(crate) fn stall_legs(&self) {
        self.log.lock().unwrap().stalled = true;
    }

    /// From now on this stream takes nothing.
    pub(crate) fn stall(&self, stream: usize) {
        self.log.lock().unwrap().stuck = Some(stream);
    }

    /// These streams break.
    pub(crate) fn break_streams(&self, streams: impl IntoIterator<Item = usize>) {
        let mut log = self.log.lock().unwrap();
        log.broken.extend(streams);
        let readers = std::mem::take(&mut log.readers);
        drop(log);
        readers.into_values().for_each(Waker::wake);
    }

    /// As [`Self::end_streams_after`], for streams through exits.
    pub(crate) fn end_exit_streams_after(&self, limits: &[usize]) {
        self.log.lock().unwrap().exit_limits.extend(limits);
    }

    fn wrap(&self, stream: BoxStream, key: OnionKey, port: u16, left: Option<usize>) -> BoxStream {
        let mut log = self.log.lock().unwrap();
        log.streams += 1;
        Box::new(Tapped {
            stream,
            log: Arc::clone(&self.log),
            key,
            port,
            number: log.streams,
            left,
        })
    }
}

impl Network for Tap {
    fn connect(&self, target: Target) -> BoxFuture<'static, Result<BoxStream, Reason>> {
        let to = target.clone();
        let opened = self.once_started(move |network| network.connect(to));
        let tap = self.clone();
        Box::pin(async move {
            let stream = opened.await?;
            let Target::Onion { key, port, .. } = target else {
                let limit = tap.log.lock().unwrap().exit_limits.pop_front();
                return Ok(tap.wrap(stream, OnionKey([0; 32]), 0, limit));
            };
            let limit = tap.log.lock().unwrap().limits.pop_front();
            Ok(tap.wrap(stream, key, port, limit))
        })
    }

    fn host(&self, host: OnionHost) -> BoxFuture<'static, Result<Box<dyn Host>, Reason>> {
        let (key, tap) = (host.identity.public(), self.clone());
        let hosted = self.once_started(move |network| network.host(host));
        Box::pin(async move {
            let inner = hosted.await?;
            Ok(Box::new(TappedHost { inner, tap, key }) as Box<dyn Host>)
        })
    }

    fn watch(&self) -> Option<watch::Receiver<NetworkState>> {
        Some(self.state.subscribe())
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        // The other engines of the process go on.
        Box::pin(std::future::ready(()))
    }
}

struct TappedHost {
    inner: Box<dyn Host>,
    tap: Tap,
    key: OnionKey,
}

impl Host for TappedHost {
    fn accept(&mut self) -> BoxFuture<'_, Option<(u16, BoxStream)>> {
        Box::pin(async move {
            let (port, stream) = self.inner.accept().await?;
            Some((port, self.tap.wrap(stream, self.key, port, None)))
        })
    }

    fn reachable(&self) -> BoxFuture<'static, bool> {
        self.inner.reachable()
    }
}

struct Tapped {
    stream: BoxStream,
    log: Arc<Mutex<Log>>,
    key: OnionKey,
    port: u16,
    number: usize,
    left: Option<usize>,
}

impl ByteStream for Tapped {}

impl Drop for Tapped {
    fn drop(&mut self) {
        if let Ok(mut log) = self.log.lock() {
            log.ends.push((self.number, Instant::now()));
        }
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut log = self.log.lock().unwrap();
        if log.broken.contains(&self.number) {
            return Poll::Ready(Ok(()));
        }
        if self.port == ONION_PORT_LEGS && log.deaf {
            // Nobody wakes this up again: it lasts until the stream is dropped.
            return Poll::Pending;
        }
        log.readers.insert(self.number, cx.waker().clone());
        drop(log);
        let Some(left) = self.left else {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        };
        // A stream that has delivered what it may is at its end.
        let mut bytes = vec![0; left.min(buf.remaining())];
        let mut part = ReadBuf::new(&mut bytes);
        if left > 0 {
            std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        }
        self.left = Some(left - part.filled().len());
        buf.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stalled = {
            let log = self.log.lock().unwrap();
            if log.broken.contains(&self.number) {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            self.port == ONION_PORT_LEGS && log.stalled || log.stuck == Some(self.number)
        };
        if stalled {
            // Nobody wakes this up again: it lasts until the stream is dropped.
            return Poll::Pending;
        }
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(len)) = poll {
            let write = Write {
                key: self.key,
                port: self.port,
                stream: self.number,
                len,
                first: buf.first().copied().unwrap_or_default(),
                at: Instant::now(),
            };
            let mut log = self.log.lock().unwrap();
            if write.port == ONION_PORT_SIGNALING && [RING, ATTACH].contains(&write.first) {
                log.frames.push(buf[..len].to_vec());
            }
            log.writes.push(write);
        }
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
