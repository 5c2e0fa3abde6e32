//! What each response does to the client.

use core::time::Duration;
use std::net::SocketAddr;

use tacit_types::{LegIndex, Redacted, Timestamp};

use super::{Pending, Phase, TurnLeg};
use crate::leg::{DropReason, Failure, LegEvent, Refusal};
use crate::limits::{
    ALLOCATION_REFRESH_PER_MILLE, BIND_LAG, BIND_REFRESH, MAX_EARLY_BINDS, MAX_LIFETIME,
    MAX_STALE_NONCES, MIN_LIFETIME,
};
use crate::turn::bindings::BindState;
use crate::turn::codec::{Integrity, Outcome, Request, Response};

impl TurnLeg {
    pub(super) fn handle_response(&mut self, response: Response, now: Timestamp) {
        let asked = |p: &Pending| p.id == response.id && response.answers(&p.request);
        let Some(position) = self.pending.iter().position(asked) else {
            return self.drops.count(DropReason::Unexpected);
        };
        let pending = self.pending.remove(position);
        match response.outcome {
            // Not signed with our key by somebody who says so: the passwords differ.
            Outcome::Error {
                code: code @ (401 | 441),
                ..
            } if response.integrity == Integrity::Wrong => {
                self.fail(Failure::WrongCredentials { code });
            }
            _ if response.integrity == Integrity::Wrong => self.fail(Failure::NotAuthentic),
            Outcome::Success { .. } if response.integrity == Integrity::Absent => {
                self.fail(Failure::NotAuthentic);
            }
            Outcome::Success { relayed, lifetime } => {
                self.on_success(pending.request, relayed, lifetime, now);
            }
            Outcome::Error { code, realm, nonce } => {
                self.on_error(&pending, code, realm, nonce, now);
            }
        }
    }

    fn on_success(
        &mut self,
        request: Request,
        relayed: Option<SocketAddr>,
        lifetime: Option<Duration>,
        now: Timestamp,
    ) {
        match request {
            Request::Allocate => match relayed.zip(usable(lifetime)) {
                Some((relayed, lifetime)) => self.on_allocated(relayed, lifetime, now),
                None => self.fail(Failure::BadResponse),
            },
            Request::Refresh => match usable(lifetime) {
                Some(lifetime) => self.schedule_refresh(lifetime, now),
                None => self.fail(Failure::BadResponse),
            },
            Request::Bind { leg, .. } => self.on_bound(leg, now),
            // Its success could not have been authentic, and nothing follows a release.
            Request::Probe | Request::Release => {}
        }
    }

    fn on_allocated(&mut self, relayed: SocketAddr, lifetime: Duration, now: Timestamp) {
        if !self.policy.accepts(relayed) {
            return self.fail(Failure::RelayNotPublic);
        }
        self.phase = match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Allocating { login, .. } => Phase::Live {
                login,
                refresh_at: None,
            },
            other => other,
        };
        self.schedule_refresh(lifetime, now);
        self.report(LegEvent::Allocated(Redacted::new(relayed)));
        self.ask_wanted(now);
    }

    fn schedule_refresh(&mut self, lifetime: Duration, now: Timestamp) {
        let share = |per_mille: u64| {
            let micros = u64::try_from(lifetime.as_micros()).unwrap_or(u64::MAX);
            Duration::from_micros(micros.saturating_mul(per_mille) / 1000)
        };
        let (from, to) = ALLOCATION_REFRESH_PER_MILLE;
        let at = self.later((share(from), share(to)), now);
        if let Phase::Live { refresh_at, .. } = &mut self.phase {
            *refresh_at = Some(at);
        }
    }

    fn on_bound(&mut self, leg: LegIndex, now: Timestamp) {
        let renew_at = self.later(BIND_REFRESH, now);
        let Some(binding) = self.bindings.get_mut(leg) else {
            return;
        };
        match binding.state {
            BindState::Requested => {
                binding.state = BindState::Bound { renew_at };
                self.report(LegEvent::Bound(leg));
            }
            BindState::Renewing => binding.state = BindState::Bound { renew_at },
            BindState::Wanted | BindState::Bound { .. } | BindState::Gone => {}
        }
    }

    fn on_error(
        &mut self,
        pending: &Pending,
        code: u16,
        realm: Option<String>,
        nonce: Option<String>,
        now: Timestamp,
    ) {
        match (pending.request, code) {
            (Request::Probe, 401) => match realm.zip(nonce) {
                Some((realm, nonce)) => self.on_challenge(realm, nonce, now),
                None => self.fail(Failure::BadResponse),
            },
            (Request::Release, _) => {}
            (request, 438) => match nonce {
                Some(nonce) if pending.stale < MAX_STALE_NONCES => {
                    self.set_nonce(nonce);
                    self.ask(request, pending.stale + 1, now);
                }
                _ => self.fail(Failure::BadResponse),
            },
            (Request::Bind { leg, .. }, 437) => self.on_early_bind(leg, now),
            (Request::Bind { leg, .. }, 400) if matches!(self.phase, Phase::Allocating { .. }) => {
                self.on_early_bind(leg, now);
            }
            (Request::Bind { leg, .. }, code) if !matches!(code, 401 | 441) => {
                if let Some(binding) = self.bindings.get_mut(leg) {
                    binding.state = BindState::Gone;
                    self.report(LegEvent::PeerRefused(leg, Refusal { code }));
                }
            }
            (_, code) => self.fail(failure_of(code)),
        }
    }

    /// The first round trip is done: everything else goes out without waiting for responses.
    fn on_challenge(&mut self, realm: String, nonce: String, now: Timestamp) {
        match self.codec.login(&self.credentials, realm, nonce) {
            Ok(login) => {
                self.phase = Phase::Allocating {
                    login,
                    binds_at: Some(now + BIND_LAG),
                };
                self.ask(Request::Allocate, 0, now);
            }
            Err(failure) => self.fail(failure),
        }
    }

    pub(super) fn ask_wanted(&mut self, now: Timestamp) {
        let wanted = self.bindings.request_wanted();
        self.ask_all(wanted, now);
    }

    fn set_nonce(&mut self, nonce: String) {
        if let Phase::Allocating { login, .. } | Phase::Live { login, .. } = &mut self.phase {
            login.set_nonce(nonce);
        }
    }

    /// A bind that overtook the Allocate is repeated after it; any other has lost its allocation.
    fn on_early_bind(&mut self, leg: LegIndex, now: Timestamp) {
        let Some(binding) = self.bindings.get_mut(leg) else {
            return;
        };
        if binding.state != BindState::Requested || binding.early == MAX_EARLY_BINDS {
            return self.fail(Failure::AllocationMismatch);
        }
        binding.early += 1;
        binding.state = BindState::Wanted;
        if matches!(self.phase, Phase::Live { .. }) {
            self.ask_wanted(now);
        }
    }
}

fn usable(lifetime: Option<Duration>) -> Option<Duration> {
    lifetime
        .filter(|l| *l >= MIN_LIFETIME)
        .map(|l| l.min(MAX_LIFETIME))
}

const fn failure_of(code: u16) -> Failure {
    match code {
        401 | 441 => Failure::WrongCredentials { code },
        437 => Failure::AllocationMismatch,
        486 | 508 => Failure::Quota { code },
        code => Failure::Refused { code },
    }
}
