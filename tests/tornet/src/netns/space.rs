//! One network namespace, kept by a thread that lives in it.
//!
//! A child starts in the namespace of the thread that forks it, and a socket belongs to the
//! namespace of the thread that makes it. So the namespace needs neither a name nor a mount, and
//! vanishes with its last user, however this process ends.
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use super::capture::{Capture, Contact};
use super::device;

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace whose only way out is through the network's router, which records where
/// it sends packets.
#[derive(Debug)]
pub struct Namespace {
    address: Ipv4Addr,
    index: usize,
    capture: Arc<Capture>,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Namespace {
    /// Makes a namespace and returns the router's end of its device.
    pub(super) fn create(
        index: usize,
        v4: Ipv4Addr,
        v6: Ipv6Addr,
        capture: Arc<Capture>,
    ) -> io::Result<(Self, OwnedFd)> {
        let (jobs, work) = channel::<Job>();
        let (made, result) = channel();
        let thread = thread::Builder::new()
            .name(format!("tornet-ns{index}"))
            .spawn(move || {
                let tun = device::enter_new_namespace().and_then(|()| device::make_tun(v4, v6));
                let failed = tun.is_err();
                if made.send(tun).is_err() || failed {
                    return;
                }
                for job in work {
                    job();
                }
            })?;
        let tun = result.recv().map_err(io::Error::other)??;
        let (jobs, thread) = (Some(jobs), Some(thread));
        Ok((
            Self {
                address: v4,
                index,
                capture,
                jobs,
                thread,
            },
            tun,
        ))
    }

    /// The namespace's own address, which every other namespace can reach.
    #[must_use]
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Runs `job` in the namespace: sockets that it makes and children that it starts belong to
    /// it. Blocks until it is done; jobs run one at a time.
    ///
    /// # Panics
    /// If `job` panics.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = channel();
        let job: Job = Box::new(move || drop(done.send(job())));
        let jobs = self
            .jobs
            .as_ref()
            .expect("jobs end with the namespace only");
        // Both fail only if the thread is gone, because this or an earlier job panicked.
        jobs.send(job).expect("an earlier job panicked");
        result.recv().expect("the job panicked")
    }

    /// Starts a command in the namespace. The child is the caller's to stop.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub fn spawn(&self, mut command: Command) -> io::Result<Child> {
        self.run(move || command.spawn())
    }

    /// Where this namespace has sent packets since it began or was last forgotten, delivered or
    /// not.
    #[must_use]
    pub fn contacts(&self) -> Vec<Contact> {
        self.capture.contacts(self.index)
    }

    /// Forgets the contacts so far.
    pub fn forget_contacts(&self) {
        self.capture.forget(self.index);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It only fails if a job panicked, which has been printed.
            let _ = thread.join();
        }
    }
}
