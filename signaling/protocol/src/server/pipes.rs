//! Pipes between a caller's and a callee's connection, and the frames that go through them.

use super::connection::{CloseReason, Phase};
use super::{ConnectionId, Server};
use crate::bucket::{Bucket, Rate};
use crate::dropped::DropReason;
use crate::frame::{Answer, Frame, Handle, Pipe};
use crate::limits::{PIPE_BURST, PIPE_INTERVAL};
use std::collections::BTreeMap;
use tacit_types::Timestamp;

/// What the callee's handle leads to.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) caller: ConnectionId,
    pub(super) answered: bool,
    pipes: Bucket,
}

impl Link {
    pub(super) fn new(caller: ConnectionId) -> Self {
        Self {
            caller,
            answered: false,
            pipes: Bucket::default(),
        }
    }
}

/// All pipes, by the callee's connection and handle.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<(ConnectionId, Handle), Link>);

impl Links {
    pub(super) fn insert(&mut self, callee: ConnectionId, handle: Handle, link: Link) {
        self.0.insert((callee, handle), link);
    }

    fn get_mut(&mut self, callee: ConnectionId, handle: Handle) -> Option<&mut Link> {
        self.0.get_mut(&(callee, handle))
    }

    /// Takes all of a callee's pipes away and names their callers.
    pub(super) fn remove_callee(&mut self, callee: ConnectionId) -> Vec<ConnectionId> {
        let all = (callee, Handle(0))..=(callee, Handle(u32::MAX));
        let handles: Vec<_> = self.0.range(all).map(|(key, _)| *key).collect();
        handles
            .iter()
            .filter_map(|key| self.0.remove(key))
            .map(|link| link.caller)
            .collect()
    }
}

const PIPE_RATE: Rate = Rate {
    burst: PIPE_BURST,
    interval: PIPE_INTERVAL,
};

impl Server {
    /// Forgets one pipe of a callee.
    pub(super) fn unlink(&mut self, callee: ConnectionId, handle: Handle) {
        if self.links.0.remove(&(callee, handle)).is_some()
            && let Some(callee) = self.connections.get_mut(&callee)
        {
            callee.handles = callee.handles.saturating_sub(1);
        }
    }

    /// ANSWER: the callee could read message 1, so the caller counts as authenticated.
    pub(super) fn answer(&mut self, conn: ConnectionId, answer: &Answer) -> Result<(), DropReason> {
        let link = self
            .links
            .get_mut(conn, answer.handle)
            .ok_or(DropReason::UnknownHandle)?;
        if link.answered {
            return Err(DropReason::Unexpected);
        }
        link.answered = true;
        let caller = link.caller;
        let here = self.handle_at(caller).ok_or(DropReason::UnknownHandle)?;
        self.unauthenticated.retain(|other| *other != caller);
        self.send(
            caller,
            &Frame::Answer(Answer {
                handle: here,
                ..answer.clone()
            }),
        );
        Ok(())
    }

    /// PIPE, from either end. A pipe's messages are numbered by its ends, so one that is over its
    /// rate is closed: leaving out a message would only break it later.
    pub(super) fn pipe(
        &mut self,
        conn: ConnectionId,
        pipe: &Pipe,
        now: Timestamp,
    ) -> Result<(), DropReason> {
        let connection = self
            .connections
            .get_mut(&conn)
            .ok_or(DropReason::UnknownConnection)?;
        let (to, handle, caller, in_rate) = match &connection.phase {
            Phase::Ringing(ringing) if ringing.here == pipe.handle => {
                let (callee, there) = (ringing.callee, ringing.there);
                let in_rate = connection.pipes.take(PIPE_RATE, now);
                let link = self
                    .links
                    .get_mut(callee, there)
                    .ok_or(DropReason::UnknownHandle)?;
                if !link.answered {
                    return Err(DropReason::Unexpected);
                }
                (callee, there, conn, in_rate)
            }
            Phase::Attached { .. } => {
                let link = self
                    .links
                    .get_mut(conn, pipe.handle)
                    .ok_or(DropReason::UnknownHandle)?;
                if !link.answered {
                    return Err(DropReason::Unexpected);
                }
                let (caller, in_rate) = (link.caller, link.pipes.take(PIPE_RATE, now));
                let here = self.handle_at(caller).ok_or(DropReason::UnknownHandle)?;
                (caller, here, caller, in_rate)
            }
            _ => return Err(DropReason::UnknownHandle),
        };
        if in_rate {
            self.send(to, &Frame::Pipe(Pipe { handle, ..*pipe }));
        } else {
            self.drops.count(DropReason::RateLimited);
            self.close(caller, CloseReason::Violation, now);
        }
        Ok(())
    }

    /// The name that a caller's connection knows its pipe by.
    fn handle_at(&self, caller: ConnectionId) -> Option<Handle> {
        match &self.connections.get(&caller)?.phase {
            Phase::Ringing(ringing) => Some(ringing.here),
            _ => None,
        }
    }
}
