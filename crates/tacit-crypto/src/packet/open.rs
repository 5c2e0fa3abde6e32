//! The receiver's half of the packet cipher.

use core::fmt;
use std::collections::BTreeMap;

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::AeadInPlace;
use tacit_types::limits::{PACKET_BYTES, PACKET_COUNTER_BYTES, PACKET_PLAINTEXT_BYTES};
use tacit_types::{LegIndex, Path, Timestamp};

use super::keys::{Chain, LegSet, SAMPLE_BYTES, epoch_at, mask, nonce};
use super::window::ReplayWindow;
use super::{DropReason, EPOCHS_AHEAD, EPOCHS_BEHIND, MAX_PATHS, PacketCounter};
use crate::kdf::Key;
use crate::session::MediaKeys;

/// Opens packets. Nothing but an authentic packet moves its state, except that its own clock makes
/// it erase old keys.
///
/// Its own epoch is the highest one authenticated so far, or one less than its clock's epoch where
/// that is more: a silence of minutes must not shut the other side out.
pub struct PacketOpener {
    start: Timestamp,
    /// Highest epoch, see above.
    own: u16,
    /// Stands at the oldest epoch still taken, `own − 1`.
    chain: Chain,
    mask: Key,
    paths: BTreeMap<Path, PathState>,
    retired_senders: LegSet,
    retired_receivers: LegSet,
}

struct PathState {
    window: ReplayWindow,
    /// The two keys in use around a ratchet step, newest first.
    ciphers: [Option<(u16, ChaCha20Poly1305)>; 2],
}

impl PacketOpener {
    /// `start` should be near the sender's; a second of difference is nothing.
    #[must_use]
    pub fn new(keys: &MediaKeys, start: Timestamp) -> Self {
        Self {
            start,
            own: 0,
            chain: Chain::new(keys.open_chain.clone()),
            mask: keys.open_mask.clone(),
            paths: BTreeMap::new(),
            retired_senders: LegSet::default(),
            retired_receivers: LegSet::default(),
        }
    }

    /// Opens a packet that arrived on `path` into `out`. On a drop `out` holds zeros.
    /// Allocates only on a path's first authentic packet.
    pub fn open(
        &mut self,
        path: Path,
        packet: &[u8; PACKET_BYTES],
        now: Timestamp,
        out: &mut [u8; PACKET_PLAINTEXT_BYTES],
    ) -> Result<PacketCounter, DropReason> {
        let opened = self.try_open(path, packet, now, out);
        if opened.is_err() {
            out.fill(0);
        }
        opened
    }

    fn try_open(
        &mut self,
        path: Path,
        packet: &[u8; PACKET_BYTES],
        now: Timestamp,
        out: &mut [u8; PACKET_PLAINTEXT_BYTES],
    ) -> Result<PacketCounter, DropReason> {
        self.follow_clock(now);
        let counter = self.check(path, packet)?;
        let fresh = self.decrypt(path, counter, packet, out)?;
        self.commit(path, counter, fresh);
        Ok(counter)
    }

    /// Unmasks the counter and refuses what cannot be accepted, before any cipher work.
    fn check(&self, path: Path, packet: &[u8; PACKET_BYTES]) -> Result<PacketCounter, DropReason> {
        if self.retired_senders.contains(path.sender)
            || self.retired_receivers.contains(path.receiver)
        {
            return Err(DropReason::RetiredLeg);
        }
        let (mut header, rest) = packet
            .split_first_chunk::<PACKET_COUNTER_BYTES>()
            .map(|(header, rest)| (*header, rest))
            .expect("a packet is longer than its counter");
        let sample = rest
            .first_chunk::<SAMPLE_BYTES>()
            .expect("a packet holds a sample");
        mask(&self.mask, sample, &mut header);
        let counter = PacketCounter::from_bytes(header);
        let newest = self.own.saturating_add(EPOCHS_AHEAD);
        if !(self.chain.epoch()..=newest).contains(&counter.epoch) {
            return Err(DropReason::Epoch);
        }
        match self.paths.get(&path) {
            Some(state) => state.window.check(counter.sequence)?,
            None if self.paths.len() >= MAX_PATHS => return Err(DropReason::TooManyPaths),
            None => {}
        }
        Ok(counter)
    }

    /// Decrypts with the path's cached key or a derived one, which is returned if it worked.
    fn decrypt(
        &self,
        path: Path,
        counter: PacketCounter,
        packet: &[u8; PACKET_BYTES],
        out: &mut [u8; PACKET_PLAINTEXT_BYTES],
    ) -> Result<Option<ChaCha20Poly1305>, DropReason> {
        let body = &packet[PACKET_COUNTER_BYTES..];
        let (ciphertext, tag) = body.split_at(PACKET_PLAINTEXT_BYTES);
        out.copy_from_slice(ciphertext);
        let mut run = |cipher: &ChaCha20Poly1305| {
            let header = counter.to_bytes();
            cipher
                .decrypt_in_place_detached(&nonce(counter).into(), &header, out, tag.into())
                .map_err(|_| DropReason::Unauthentic)
        };
        if let Some(cipher) = self
            .paths
            .get(&path)
            .and_then(|state| state.cipher(counter.epoch))
        {
            return run(cipher).map(|()| None);
        }
        let mut chain = self.chain.clone();
        chain.advance_to(counter.epoch);
        let cipher = chain.path_cipher(path);
        run(&cipher).map(|()| Some(cipher))
    }

    fn commit(&mut self, path: Path, counter: PacketCounter, fresh: Option<ChaCha20Poly1305>) {
        self.advance_own(counter.epoch);
        let state = self.paths.entry(path).or_insert_with(|| PathState {
            window: ReplayWindow::new(),
            ciphers: [None, None],
        });
        state.window.commit(counter.sequence);
        if let Some(cipher) = fresh {
            state.remember(counter.epoch, cipher);
        }
    }

    fn follow_clock(&mut self, now: Timestamp) {
        let clock = epoch_at(now.saturating_since(self.start)).unwrap_or(u16::MAX);
        self.advance_own(clock.saturating_sub(1));
    }

    /// Moves forward and erases every key older than the one before.
    fn advance_own(&mut self, epoch: u16) {
        if epoch <= self.own {
            return;
        }
        self.own = epoch;
        let oldest = epoch - EPOCHS_BEHIND;
        self.chain.advance_to(oldest);
        for state in self.paths.values_mut() {
            state.forget_before(oldest);
        }
    }

    /// One of this side's legs is gone for good: its paths are forgotten and its index refused.
    pub fn retire_receiver_leg(&mut self, leg: LegIndex) {
        self.retired_receivers.insert(leg);
        self.paths.retain(|path, _| path.receiver != leg);
    }

    /// One of the other side's legs is gone for good.
    pub fn retire_sender_leg(&mut self, leg: LegIndex) {
        self.retired_senders.insert(leg);
        self.paths.retain(|path, _| path.sender != leg);
    }
}

impl PathState {
    fn cipher(&self, epoch: u16) -> Option<&ChaCha20Poly1305> {
        self.ciphers
            .iter()
            .flatten()
            .find(|(of, _)| *of == epoch)
            .map(|(_, cipher)| cipher)
    }

    fn remember(&mut self, epoch: u16, cipher: ChaCha20Poly1305) {
        let newer = self.ciphers[0]
            .as_ref()
            .is_none_or(|(newest, _)| epoch > *newest);
        if newer {
            self.ciphers.swap(0, 1);
            self.ciphers[0] = Some((epoch, cipher));
        } else {
            self.ciphers[1] = Some((epoch, cipher));
        }
    }

    fn forget_before(&mut self, oldest: u16) {
        for slot in &mut self.ciphers {
            if slot.as_ref().is_some_and(|(epoch, _)| *epoch < oldest) {
                *slot = None;
            }
        }
    }
}

impl fmt::Debug for PacketOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketOpener")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}
