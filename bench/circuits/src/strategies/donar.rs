//! Donar (NSDI 2022): 12 links, of which 3 are fast, 3 slow and the others idle.
//!
//! ```text
//!   every 2 s:  score of a link = mean out-of-order delay of the packets on it,
//!               ours and the other side's averaged
//!               active links sorted: 3 fast, 3 slow; the worst gives way to the idle link that was
//!               not used for longest
//!   a packet:   alternate   fast, slow, fast, slow …   within a class the one not used for longest
//!               double      one fast and one slow
//! ```
//!
//! The out-of-order delay of a packet is the time between the arrival of a later one, on any link,
//! and its own. One that has not come is as late as it is by now. The links of the packets before it
//! ride in each packet, so that the receiver knows which links owe it something. Each packet repeats
//! the one before it.

use core::time::Duration;

use tacit_types::{LegIndex, Path, Timestamp};

use super::{COPIES, Contents, Copies, LINKS, Note, Older, PAST_LINKS, Received, Strategy};
use crate::network::{Network, Side};
use crate::scenario::Client;

/// Time between rankings.
const WINDOW: Duration = Duration::from_millis(2_000);
/// Links of each class.
const CLASS: usize = 3;
/// Packets of the other side that are remembered: over 10 s.
const REMEMBERED: usize = 256;

/// How many copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Alternate,
    Double,
}

/// A packet of the other side.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    packet: u32,
    /// When a later packet came; until then it is not late.
    overtaken: Option<Timestamp>,
    /// The links that still owe a copy of it.
    owing: [Option<u8>; COPIES],
    /// Whether its links are known.
    known: bool,
    used: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    total: f64,
    count: u32,
}

/// One side of a call with Donar.
pub(super) struct Donar {
    policy: Policy,
    /// Active links, best first, then idle ones, longest unused first.
    active: Vec<u8>,
    idle: Vec<u8>,
    /// When each link was last used, in packets.
    used: [u32; LINKS],
    past: [[Option<u8>; COPIES]; PAST_LINKS],
    ranked_at: Timestamp,
    scores: [Option<f32>; LINKS],
    theirs: [Option<f32>; LINKS],
    sums: [Sum; LINKS],
    expected: Vec<Expected>,
    newest: Option<u32>,
    /// The newest packet of the other side whose scores we have.
    told: Option<u32>,
}

impl Donar {
    pub(super) fn new(policy: Policy, links: usize) -> Self {
        let links = u8::try_from(links.min(LINKS)).unwrap_or(0);
        let active = links.min(2 * CLASS as u8);
        Self {
            policy,
            active: (0..active).collect(),
            idle: (active..links).collect(),
            used: [0; LINKS],
            past: [[None; COPIES]; PAST_LINKS],
            ranked_at: Timestamp::ZERO,
            scores: [None; LINKS],
            theirs: [None; LINKS],
            sums: [Sum::default(); LINKS],
            expected: vec![Expected::default(); REMEMBERED],
            newest: None,
            told: None,
        }
    }

    /// The link of a class that was not used for longest.
    fn turn(&self, class: usize) -> Option<u8> {
        let links = self.active.iter().skip(class * CLASS).take(CLASS);
        links
            .copied()
            .min_by_key(|link| self.used[usize::from(*link)])
    }

    fn expected(&mut self, packet: u32) -> Option<&mut Expected> {
        let newest = self.newest?;
        if packet > newest || newest - packet >= REMEMBERED as u32 {
            return None;
        }
        let place = packet as usize % REMEMBERED;
        let entry = &mut self.expected[place];
        if !entry.used || entry.packet != packet {
            *entry = Expected {
                packet,
                used: true,
                ..Expected::default()
            };
        }
        Some(entry)
    }

    /// Packets up to `packet` exist; those before it that have not come have been overtaken.
    fn advance(&mut self, packet: u32, now: Timestamp) {
        let first = match self.newest {
            Some(newest) if packet <= newest => return,
            // The one that was newest is overtaken too: other copies of it may be on their way.
            Some(newest) => newest.max(packet.saturating_sub(REMEMBERED as u32 - 1)),
            None => 0,
        };
        self.newest = Some(packet);
        for number in first..packet {
            if let Some(entry) = self.expected(number) {
                entry.overtaken.get_or_insert(now);
            }
        }
    }

    /// The links that a packet was sent on are known now.
    fn learn(&mut self, packet: u32, links: [Option<u8>; COPIES]) {
        if let Some(entry) = self.expected(packet).filter(|entry| !entry.known) {
            entry.known = true;
            entry.owing = links;
        }
    }

    fn score(&mut self, link: u8, late: Duration) {
        if let Some(sum) = self.sums.get_mut(usize::from(link)) {
            sum.total += late.as_secs_f64() * 1e3;
            sum.count += 1;
        }
    }

    /// What has not come by now counts as late as it is.
    fn score_missing(&mut self, now: Timestamp) {
        for place in 0..REMEMBERED {
            let entry = self.expected[place];
            let (true, Some(overtaken)) = (entry.used && entry.known, entry.overtaken) else {
                continue;
            };
            for link in entry.owing.into_iter().flatten() {
                self.score(link, now.saturating_since(overtaken));
            }
        }
    }

    fn rank(&mut self, now: Timestamp) {
        self.ranked_at = now;
        self.score_missing(now);
        for (score, sum) in self.scores.iter_mut().zip(&mut self.sums) {
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds")]
            let mean = (sum.count > 0).then(|| (sum.total / f64::from(sum.count)) as f32);
            *score = mean;
            *sum = Sum::default();
        }
        let both = |link: &u8| {
            let link = usize::from(*link);
            match (self.scores[link], self.theirs[link]) {
                (Some(ours), Some(theirs)) => f32::midpoint(ours, theirs),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => f32::MAX,
            }
        };
        self.active.sort_by(|a, b| both(a).total_cmp(&both(b)));
        if self.idle.is_empty() {
            return;
        }
        if let Some(worst) = self.active.pop() {
            self.active.push(self.idle.remove(0));
            self.idle.push(worst);
        }
    }
}

impl Strategy for Donar {
    fn contents(&self) -> Contents {
        Contents::plain(Duration::from_millis(40), Older(0b1))
    }

    fn client(&self) -> Client {
        Client::CTor
    }

    fn send(&mut self, packet: u32, _: &mut Network, now: Timestamp) -> Copies {
        if now.saturating_since(self.ranked_at) >= WINDOW {
            self.rank(now);
        }
        let classes: &[usize] = match self.policy {
            Policy::Double => &[0, 1],
            Policy::Alternate if packet.is_multiple_of(2) => &[0],
            Policy::Alternate => &[1],
        };
        let mut copies = Copies::default();
        let mut links = [None; COPIES];
        for (place, class) in classes.iter().enumerate() {
            if let Some(link) = self.turn(*class) {
                self.used[usize::from(link)] = packet + 1;
                links[place] = Some(link);
                copies.push(Path {
                    sender: LegIndex(link),
                    receiver: LegIndex(link),
                });
            }
        }
        self.past.rotate_right(1);
        self.past[0] = links;
        copies
    }

    fn note(&mut self, _: Timestamp) -> Note {
        Note::Scores {
            scores: self.scores,
            past: self.past,
        }
    }

    fn receive(&mut self, received: Received<'_>, now: Timestamp) {
        let number = received.packet;
        self.advance(number, now);
        if let Note::Scores { scores, past } = received.note {
            if self.told.is_none_or(|told| number > told) {
                self.told = Some(number);
                self.theirs = *scores;
            }
            for (links, packet) in past.iter().zip((0..=number).rev()) {
                self.learn(packet, *links);
            }
        }
        let link = received.path.sender.0;
        let Some(entry) = self.expected(number) else {
            return;
        };
        for owing in &mut entry.owing {
            if *owing == Some(link) {
                *owing = None;
            }
        }
        let late = entry
            .overtaken
            .map_or(Duration::ZERO, |at| now.saturating_since(at));
        self.score(link, late);
    }

    fn leg_changed(&mut self, _: Side, _: u8, _: bool, _: Timestamp) {}
}
