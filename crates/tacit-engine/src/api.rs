//! Commands, events and configuration: the vocabulary of an embedding program.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tacit_audio::{DeviceChoice, Sink, Source};
pub use tacit_paths::{BestChange as PathChange, ChoiceReason, Fault as LegFault, Side};
use tacit_types::limits::DEFAULT_LEGS;
use tacit_types::{Cells, LegKind, OnionKey, Reason, Redacted, UnixTime};

use crate::network::Network;
pub use crate::quality::{
    FrameCounts, LatencyBreakdown, LegQuality, LegState, PathChoice, Quality,
};
use crate::store::Store;

/// A call of this engine, numbered from 1; never reused while the engine lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A contact's local name. It never leaves this device and never reaches a log.
pub type ContactName = Redacted<String>;

/// Chooses microphone and loudspeaker, or files, for a call.
pub type AudioFactory = Box<dyn FnMut(CallId) -> (Source, Sink) + Send>;

/// How an engine is put together.
#[non_exhaustive]
pub struct EngineConfig {
    /// Streams in and out.
    pub network: Arc<dyn Network>,
    /// Where the state is kept.
    pub store: Box<dyn Store>,
    /// The snapshot that `store` was last given, or nothing for a new person.
    pub snapshot: Option<Vec<u8>>,
    /// Where a call's sound comes from and goes to; asked once a call.
    pub audio: AudioFactory,
    /// Legs to open in a call, 2 to 16. Default 12. More legs lower the delay and cost circuits.
    pub legs: u8,
    /// Packets a second that this side sends in a call. Default 50; 25 saves half of them and costs
    /// delay.
    pub cells: Cells,
    /// Address of the server that mints TURN credentials. Without it they come from the mailbox
    /// server of the contact or of this person; where there is neither, TURN legs are refused.
    pub credentials: Option<OnionKey>,
    /// Mailbox server for addresses made from now on; `None` embeds the mailbox in this engine.
    pub mailbox_server: Option<OnionKey>,
    /// How long a call whose legs are all lost tries to come back. Default one minute.
    pub resume_within: Duration,
    /// Test networks only: TURN candidates on loopback and private addresses are taken.
    pub dangerous_allow_local_candidates: bool,
    /// Test networks only: leg events name the relays of our half of each circuit.
    pub dangerous_report_circuits: bool,
    /// Where a call's frame times are written; benchmarks only. Nowhere by default.
    pub trace: Box<dyn FnMut(CallId) -> Option<PathBuf> + Send>,
    /// PINGs to send before each ring to measure the round trip; benchmarks only. Default 0.
    pub measure_pings: u8,
}

impl EngineConfig {
    /// A configuration with the defaults: default devices, 12 legs, embedded mailboxes, no TURN.
    #[must_use]
    pub fn new(network: Arc<dyn Network>, store: Box<dyn Store>) -> Self {
        Self {
            network,
            store,
            snapshot: None,
            audio: Box::new(|_| {
                (
                    Source::Device(DeviceChoice::Default),
                    Sink::Device(DeviceChoice::Default),
                )
            }),
            legs: DEFAULT_LEGS,
            cells: Cells::default(),
            credentials: None,
            mailbox_server: None,
            resume_within: Duration::from_secs(60),
            dangerous_allow_local_candidates: false,
            dangerous_report_circuits: false,
            trace: Box::new(|_| None),
            measure_pings: 0,
        }
    }
}

impl core::fmt::Debug for EngineConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EngineConfig")
            .field("legs", &self.legs)
            .finish_non_exhaustive()
    }
}

/// What the person, or the program on their behalf, wants done. None of these blocks; the outcome
/// arrives as events.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Answer a ringing call.
    Accept(CallId),
    /// Let a ringing call ring out; nothing is sent, so it looks like no answer.
    Decline(CallId),
    /// End a call.
    HangUp(CallId),
    /// Send silence instead of the microphone. Sizes and clock on the wire stay the same.
    SetMuted(CallId, bool),
    /// Say whether the two words were the same on both screens. `false` ends the call.
    Verify(CallId, bool),
    /// Go on with another microphone and loudspeaker. Only where a call's sound goes through
    /// devices: a file or a host's ring keeps its place. A device that cannot be used is told by
    /// [`Event::AudioChanged`] (`audio.unavailable`), and the call goes on with the one before.
    SetDevices {
        /// The call.
        call: CallId,
        /// Microphone.
        input: DeviceChoice,
        /// Loudspeaker.
        output: DeviceChoice,
    },
}

/// How a call is to be placed.
#[derive(Clone, Copy, Debug)]
pub struct DialOptions {
    /// Kind of legs.
    pub legs: LegKind,
}

/// How a contact is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Their rings look unanswered for ever and are never shown.
    Ghost,
    /// Their address is withdrawn: they see this person offline for good.
    Drop,
}

/// A contact as shown to the person.
#[derive(Clone, Debug)]
pub struct ContactInfo {
    /// Local name.
    pub name: ContactName,
    /// Whether this person has confirmed the two words.
    pub verified: bool,
    /// Whether the contact has told us that they confirmed them, too. It is their word only.
    pub peer_verified: bool,
    /// Comparisons of words that this contact's side began and broke off since the last one that
    /// was confirmed: with each of them somebody in between may have had a guess.
    pub broken_off: u32,
    /// Somebody else tried this contact's invite after it was taken: the invite was read by two.
    pub invite_reused: bool,
    /// Calls that can be placed before tokens must be renewed.
    pub tokens: usize,
    /// Whether the address is embedded in this engine or on a mailbox server.
    pub embedded: bool,
    /// They are reached by a mailbox server, so only a call over TURN legs can be placed.
    pub needs_turn: bool,
}

/// An invite that nobody has become a contact by yet.
#[derive(Clone, Debug)]
pub struct InviteInfo {
    /// Local name of the person invited.
    pub name: ContactName,
    /// When it expires.
    pub expires: UnixTime,
    /// Somebody has begun to take it, and that has not gone through.
    pub begun: bool,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Allocating TURN legs, before the ring.
    OpeningCircuits,
    /// Opening the circuit to the other person's address.
    Reaching,
    /// The other device rings.
    Ringing,
    /// Accepted; waiting for the first leg.
    Securing,
    /// Sound flows.
    Connected,
}

/// What happened. Owned values; nothing calls back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// How far the connection to Tor is: while it starts, and whenever that changes.
    TorProgress {
        /// 0 to 100; 100 means ready.
        percent: u8,
        /// What is happening, in words for people.
        stage: String,
        /// What seems to be in the way. Tor may still get past it.
        blocked: Option<Reason>,
    },
    /// Our addresses can be reached by this many of `total` contacts and invites.
    Listening {
        /// Reachable addresses.
        reachable: usize,
        /// All addresses.
        total: usize,
    },
    /// A mailbox of ours on a server was lost in a way that the person should know of. It is tried
    /// again after some minutes; until it is back its contact cannot reach us.
    MailboxLost(Reason),
    /// Somebody rings.
    Incoming {
        /// The call.
        call: CallId,
        /// Who.
        contact: ContactName,
        /// Another call is going on; this one can only be answered after it.
        busy: bool,
        /// The legs of this call if it is answered.
        legs: LegKind,
    },
    /// A call reached another state.
    State(CallId, CallState),
    /// Time stamps of set-up, for benchmarks, on the machine's monotonic clock.
    Timing(CallId, Timing),
    /// A leg came up; `live` legs are up now.
    LegUp {
        /// The call.
        call: CallId,
        /// Our leg.
        leg: u8,
        /// How many are up.
        live: usize,
        /// Relays of our half of the circuit, only with `dangerous_report_circuits`.
        hops: Option<Vec<String>>,
    },
    /// A leg was lost; `live` legs are up now.
    LegDown {
        /// The call.
        call: CallId,
        /// Our leg.
        leg: u8,
        /// How many are up.
        live: usize,
    },
    /// A leg gave way to a new one, which works; its [`Self::LegDown`] follows.
    LegReplaced {
        /// The call.
        call: CallId,
        /// The old leg.
        leg: u8,
        /// The new one.
        by: u8,
        /// What was wrong with the old one.
        reason: LegFault,
    },
    /// Both screens should show these two words.
    Words {
        /// The call.
        call: CallId,
        /// The words.
        words: [String; 2],
        /// This person has confirmed words with the contact before; the other has not.
        verified: bool,
        /// As [`ContactInfo::broken_off`].
        broken_off: u32,
    },
    /// This person confirmed the words, and that is stored.
    Verified(CallId),
    /// The other person says that they confirmed the words, in this call or before. Told once; it
    /// says nothing about whether the words are the same.
    PeerVerified(CallId),
    /// Once a second while connected.
    Quality(CallId, Box<Quality>),
    /// Another path is the best one now: our leg and the other person's, which with onion legs are
    /// the same. At most once a second.
    PathChanged {
        /// The call.
        call: CallId,
        /// Our leg.
        sender: u8,
        /// The other person's leg.
        receiver: u8,
        /// Why it is another one.
        reason: PathChange,
    },
    /// All legs are lost, or nothing has come over any of them for three seconds; the call tries to
    /// go on.
    Interrupted(CallId),
    /// Sound flows again.
    Resumed(CallId),
    /// The sound device changed or vanished; the call goes on.
    AudioChanged(CallId, Reason),
    /// The sound file given as source has been played to its end.
    SourceEnded(CallId),
    /// A call ended.
    Ended(CallId, Reason),
    /// An invite can be reached from now on.
    InviteReachable,
    /// An invite was taken: a contact was added, not verified yet.
    ContactAdded(ContactName),
    /// Somebody else tried an invite that was already taken.
    InviteReused(ContactName),
    /// The network could not start and will not: no call can be placed or taken any more.
    Stopped(Reason),
}

impl Event {
    /// The call that the event is about, if it is about one.
    #[must_use]
    pub const fn call(&self) -> Option<CallId> {
        match self {
            Self::Incoming { call, .. }
            | Self::LegUp { call, .. }
            | Self::LegDown { call, .. }
            | Self::LegReplaced { call, .. }
            | Self::PathChanged { call, .. }
            | Self::Words { call, .. } => Some(*call),
            Self::State(call, _)
            | Self::Timing(call, _)
            | Self::Verified(call)
            | Self::PeerVerified(call)
            | Self::Quality(call, _)
            | Self::Interrupted(call)
            | Self::Resumed(call)
            | Self::AudioChanged(call, _)
            | Self::SourceEnded(call)
            | Self::Ended(call, _) => Some(*call),
            Self::TorProgress { .. }
            | Self::Listening { .. }
            | Self::MailboxLost(_)
            | Self::InviteReachable
            | Self::ContactAdded(_)
            | Self::InviteReused(_)
            | Self::Stopped(_) => None,
        }
    }
}

/// Time stamps of a call's set-up.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Timing {
    /// A PING's round trip to the peer's mailbox.
    OnionRoundTrip(Duration),
    /// The RING frame was flushed.
    RingSent(u64),
    /// The ring was authenticated at the callee.
    RingSeen(u64),
    /// Message 2 was authenticated at the caller: ringback and keys.
    AnswerSeen(u64),
    /// The callee accepted.
    Accepted(u64),
    /// The first frame of the peer's voice was played.
    FirstAudio(u64),
}
