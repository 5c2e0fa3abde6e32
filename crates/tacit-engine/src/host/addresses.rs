//! Which addresses of ours are attended: they come and go with contacts and invites, and leave at the
//! engine's end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::start::{Gate, Reached};
use super::{Address, Key, SPREAD};
use crate::api::Event;
use crate::call::random_up_to;
use crate::clock::unix_now;
use crate::ledger::{For, Reachable};
use crate::shared::Shared;

/// What is said last at a mailbox needs so long to be on its way.
const LAST_WORD: Duration = Duration::from_secs(1);

/// An engine's life, as its addresses see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Calls end; their cover traffic runs out.
    Leaving,
    Over,
}

/// Hosts whatever the ledger says, until the engine ends.
pub(crate) async fn attend_all(shared: Arc<Shared>, mut phase: watch::Receiver<Phase>) {
    let mut changed = shared.watch_addresses();
    let (tell, mut reached) = mpsc::channel::<(Key, bool)>(16);
    let mut attended = Attended::new(Arc::clone(&shared), tell);
    // A task of its own, which ends with this one.
    let mut renewing = tokio::task::JoinSet::new();
    renewing.spawn(crate::resync::renew_all(Arc::clone(&shared)));
    loop {
        attended.follow_ledger();
        attended.tell();
        tokio::select! {
            change = changed.changed() => if change.is_err() { break },
            () = next_expiry(&shared) => {}
            Some((key, up)) = reached.recv() => attended.on_reached(key, up),
            _ = phase.wait_for(|p| *p != Phase::Running) => break,
        }
    }
    drop(renewing);
    attended.leave(reached, phase).await;
}

/// Waits until an invite expires, for ever without one.
async fn next_expiry(shared: &Shared) {
    match shared.with_ledger(|l| l.next_expiry()) {
        Some(at) => {
            let left = at.0.saturating_sub(unix_now().0).max(1);
            tokio::time::sleep(Duration::from_secs(left)).await;
        }
        None => std::future::pending().await,
    }
}

struct Running {
    up: bool,
    purpose: For,
    operated: bool,
    task: tokio::task::JoinHandle<()>,
}

struct Attended {
    shared: Arc<Shared>,
    running: BTreeMap<Key, Running>,
    /// Reachable and all addresses, as last told.
    told: (usize, usize),
    /// Nothing is attended yet.
    first: bool,
    gate: Gate,
    reached: mpsc::Sender<(Key, bool)>,
}

impl Attended {
    fn new(shared: Arc<Shared>, reached: mpsc::Sender<(Key, bool)>) -> Self {
        Self {
            shared,
            running: BTreeMap::new(),
            told: (0, 0),
            first: true,
            gate: Gate::new(),
            reached,
        }
    }

    fn follow_ledger(&mut self) {
        // A disk that cannot be written must not withdraw what is reachable.
        let wanted = self.shared.with_ledger(|l| l.reachable(unix_now()));
        let keys: BTreeMap<Key, Reachable> = wanted
            .iter()
            .flatten()
            .map(|r| ((r.own.server, r.own.mailbox.id()), r.clone()))
            .collect();
        self.running.retain(|key, r| {
            let keep = wanted.is_err() || keys.contains_key(key);
            if !keep {
                r.task.abort();
            }
            keep
        });
        let operated = keys.values().filter(|r| r.own.identity.is_none());
        // One that comes later comes alone.
        let spread = std::mem::replace(&mut self.first, false) && operated.count() > 1;
        for (key, reachable) in keys {
            let purpose = reachable.purpose;
            let entry = self.running.entry(key).or_insert_with(|| {
                let operated = reachable.own.identity.is_none();
                let tell = self.reached.clone();
                let reached = Reached { key, tell };
                let (shared, gate) = (Arc::clone(&self.shared), self.gate.clone());
                let address = Address::new(shared, reachable, gate, spread, reached);
                Running {
                    up: false,
                    purpose,
                    operated,
                    task: tokio::spawn(address.attend()),
                }
            });
            // An invite may have been used since.
            entry.purpose = purpose;
        }
    }

    fn tell(&mut self) {
        // Used invites are up for others to be told so, not for anybody to reach us.
        let counted = || {
            let running = self.running.values();
            running.filter(|r| r.purpose != For::UsedInvite)
        };
        let (reachable, total) = (counted().filter(|r| r.up).count(), counted().count());
        if std::mem::replace(&mut self.told, (reachable, total)) != (reachable, total) {
            self.shared.event(Event::Listening { reachable, total });
        }
    }

    fn on_reached(&mut self, key: Key, up: bool) {
        if let Some(r) = self.running.get_mut(&key) {
            r.up = up;
            if r.purpose == For::Invite && up {
                self.shared.event(Event::InviteReachable);
            }
        }
    }

    /// Ends everything. Mailboxes on servers go one by one, at random moments while the calls' cover
    /// runs out: connections that end in one instant would be seen to be one person's. The others go
    /// when the calls are over, whose legs they carry.
    async fn leave(
        mut self,
        mut reached: mpsc::Receiver<(Key, bool)>,
        mut phase: watch::Receiver<Phase>,
    ) {
        while let Ok((key, up)) = reached.try_recv() {
            self.on_reached(key, up);
        }
        let running = self.running.into_values();
        let (on_servers, mut others): (Vec<_>, Vec<_>) = running.partition(|r| r.operated);
        // What was never there, or is gone for now, does not come any more.
        let (mut on_servers, not_there): (Vec<_>, Vec<_>) =
            on_servers.into_iter().partition(|r| r.up);
        not_there.iter().for_each(|r| r.task.abort());
        if on_servers.len() == 1 {
            // With nothing to be matched with, it stays for what the calls have to say.
            others.append(&mut on_servers);
        }
        let one_by_one = on_servers.into_iter().map(|r| async move {
            tokio::time::sleep(LAST_WORD + random_up_to(SPREAD)).await;
            r.task.abort();
        });
        let with_the_calls = async {
            // An engine that is dropped is over, too.
            let _ = phase.wait_for(|p| *p == Phase::Over).await;
            others.iter().for_each(|r| r.task.abort());
        };
        tokio::join!(futures::future::join_all(one_by_one), with_the_calls);
    }
}
