//! A thread that owns one stream: opens it, watches it, and opens it again when the device is gone
//! or the system's default has changed.

use super::Direction;
use super::list::{default_id, find};
use super::quiet::Quiet;
use super::stream::{self, Health, Ring, Status, Wiring, new_ring};
use crate::limits::{
    CALLBACK_TIMEOUT, CLOSE_TIMEOUT, ERROR_TIMEOUT, OPEN_TIMEOUT, SUPERVISION_PERIOD,
};
use crate::meter::count;
use crate::monitor::{AudioEvent, Shared};
use crate::{AudioError, DeviceChoice};
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use cpal::{Error, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Instant;
use tacit_types::Reason;

/// One input and one output stream a process: four in one process starved each other (measured).
static IN_USE: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

/// A running stream; dropping it stops the stream and its thread.
pub(super) struct Supervised {
    pub(super) ring: Ring,
    pub(super) status: Arc<Status>,
    stop: Arc<AtomicBool>,
    /// The device to go over to.
    wanted: Arc<Mutex<Option<DeviceChoice>>>,
    thread: std::thread::Thread,
    /// Disconnected when the thread has ended.
    ended: mpsc::Receiver<()>,
}

impl Supervised {
    /// Opens a device and waits until it runs.
    pub(super) fn start(
        direction: Direction,
        choice: DeviceChoice,
        shared: Arc<Shared>,
    ) -> Result<Self, AudioError> {
        let claim = Claim::take(direction)?;
        let (ring, status) = (new_ring(), Arc::new(Status::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let wanted = Arc::new(Mutex::new(None));
        let (opened, first) = mpsc::sync_channel(1);
        let (running, ended) = mpsc::channel();
        let parts = (Arc::clone(&ring), Arc::clone(&status));
        let orders = (Arc::clone(&stop), Arc::clone(&wanted));
        let thread = std::thread::Builder::new()
            .name("tacit-audio".into())
            .spawn(move || {
                let (ring, status) = parts;
                let supervisor = std::thread::current();
                let wiring = Wiring {
                    direction,
                    ring,
                    status,
                    shared,
                    supervisor,
                };
                run(&wiring, choice, &orders.0, &orders.1, &opened);
                drop((claim, running));
            })
            .map_err(|e| {
                failure(
                    direction,
                    &Error::with_message(ErrorKind::Other, e.to_string()),
                )
            })?;
        let this = Self {
            ring,
            status,
            stop,
            wanted,
            thread: thread.thread().clone(),
            ended,
        };
        match first.recv_timeout(OPEN_TIMEOUT) {
            Ok(Ok(())) => Ok(this),
            Ok(Err(error)) => Err(failure(direction, &error)),
            Err(_) => {
                let error = Error::with_message(ErrorKind::Other, "no answer in time");
                Err(failure(direction, &error))
            }
        }
    }

    /// Goes over to another device, if it is there. Does not wait for it.
    pub(super) fn choose(&self, choice: DeviceChoice) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(choice);
        self.thread.unpark();
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.stop.store(true, Release);
        self.thread.unpark();
        // Waits for the stream to close, but not for ever: a sound system may hang.
        let _ = self.ended.recv_timeout(CLOSE_TIMEOUT);
    }
}

/// The process's right to one stream of a direction.
struct Claim(Direction);

impl Claim {
    fn take(direction: Direction) -> Result<Self, AudioError> {
        if IN_USE[direction as usize].swap(true, AcqRel) {
            let error = Error::with_message(ErrorKind::DeviceBusy, "this process has one open");
            return Err(failure(direction, &error));
        }
        Ok(Self(direction))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        IN_USE[self.0 as usize].store(false, Release);
    }
}

fn failure(direction: Direction, error: &Error) -> AudioError {
    match (error.kind(), direction) {
        (ErrorKind::PermissionDenied, _) => AudioError::Denied(error.to_string()),
        (_, Direction::Input) => AudioError::NoInput(error.to_string()),
        (_, Direction::Output) => AudioError::NoOutput(error.to_string()),
    }
}

const fn loss(direction: Direction, refused: bool) -> AudioEvent {
    let reason = match (refused, direction) {
        (true, _) => Reason::AudioDenied,
        (false, Direction::Input) => Reason::AudioNoInput,
        (false, Direction::Output) => Reason::AudioNoOutput,
    };
    AudioEvent::Lost { direction, reason }
}

/// An open stream and what is watched about it.
struct Open {
    _stream: cpal::Stream,
    host: cpal::Host,
    default_id: Option<String>,
    callbacks: u64,
    errors: u64,
    last_callback: Instant,
}

impl Open {
    /// No callback for a long time, or for a short one with errors since.
    fn stands_still(&mut self, status: &Status) -> bool {
        let callbacks = status.callbacks.load(Relaxed);
        let errors = status.errors.load(Relaxed);
        if callbacks != self.callbacks {
            (self.callbacks, self.errors) = (callbacks, errors);
            self.last_callback = Instant::now();
        }
        let patience = if errors == self.errors {
            CALLBACK_TIMEOUT
        } else {
            ERROR_TIMEOUT
        };
        self.last_callback.elapsed() > patience
    }
}

fn open(wiring: &Wiring, choice: &DeviceChoice) -> Result<Open, Error> {
    let host = cpal::default_host();
    let device = find(&host, wiring.direction, choice)
        .ok_or_else(|| Error::with_message(ErrorKind::DeviceNotAvailable, "no such device"))?;
    let default_id = default_id(&host, wiring.direction);
    let stream = stream::start(&device, wiring)?;
    wiring.status.lost.store(false, Release);
    Ok(Open {
        _stream: stream,
        host,
        default_id,
        callbacks: wiring.status.callbacks.load(Relaxed),
        errors: wiring.status.errors.load(Relaxed),
        last_callback: Instant::now(),
    })
}

fn run(
    wiring: &Wiring,
    mut choice: DeviceChoice,
    stop: &AtomicBool,
    wanted: &Mutex<Option<DeviceChoice>>,
    opened: &mpsc::SyncSender<Result<(), Error>>,
) {
    let mut quiet = Quiet::on_this_thread();
    let mut current = match open(wiring, &choice) {
        Ok(open) => Some(open),
        Err(error) => return drop(opened.send(Err(error))),
    };
    if opened.send(Ok(())).is_err() {
        return;
    }
    while !stop.load(Acquire) {
        std::thread::park_timeout(SUPERVISION_PERIOD);
        // What was written since goes.
        drop(core::mem::replace(&mut quiet, Quiet::on_this_thread()));
        let next = wanted.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(next) = next {
            current = go_over(wiring, current.take(), &mut choice, next);
            continue;
        }
        let Some(trouble) = current
            .as_mut()
            .map_or(Some(None), |o| trouble(wiring, &choice, o))
        else {
            continue;
        };
        if let Some(event) = trouble {
            wiring.status.lost.store(true, Release);
            wiring.shared.report(event);
        }
        // The old stream ends before the next begins: it holds its end of the ring.
        drop(current.take());
        current = open(wiring, &choice).ok();
        if current.is_some() {
            tell_switched(wiring);
        }
    }
}

/// Goes over to the device `next`; if it is not there or cannot be opened, that is told and the one
/// before goes on.
fn go_over(
    wiring: &Wiring,
    current: Option<Open>,
    choice: &mut DeviceChoice,
    next: DeviceChoice,
) -> Option<Open> {
    let direction = wiring.direction;
    if find(&cpal::default_host(), direction, &next).is_none() {
        wiring.shared.report(AudioEvent::Unavailable { direction });
        return current;
    }
    // The old stream ends before the next begins: it holds its end of the ring.
    drop(current);
    if let Ok(open) = open(wiring, &next) {
        *choice = next;
        tell_switched(wiring);
        return Some(open);
    }
    wiring.shared.report(AudioEvent::Unavailable { direction });
    let before = open(wiring, choice).ok();
    if before.is_none() {
        wiring.status.lost.store(true, Release);
        wiring.shared.report(loss(direction, false));
    }
    before
}

fn tell_switched(wiring: &Wiring) {
    count(&wiring.shared.counters.reopened, 1);
    wiring.shared.report(AudioEvent::Switched {
        direction: wiring.direction,
    });
}

/// `None`: all is well. `Some(None)`: open again, without a loss to report. `Some(event)`: lost.
fn trouble(wiring: &Wiring, choice: &DeviceChoice, open: &mut Open) -> Option<Option<AudioEvent>> {
    let direction = wiring.direction;
    match wiring.status.take_health() {
        Health::Healthy => {}
        Health::Failed => return Some(Some(loss(direction, false))),
        Health::Refused => return Some(Some(loss(direction, true))),
        Health::Rerouted => wiring.shared.report(AudioEvent::Switched { direction }),
    }
    if open.stands_still(&wiring.status) {
        return Some(Some(loss(direction, false)));
    }
    let follows_default = *choice == DeviceChoice::Default;
    let default_now = follows_default.then(|| default_id(&open.host, direction));
    match default_now {
        Some(Some(id)) if open.default_id.as_ref() != Some(&id) => Some(None),
        _ => None,
    }
}
