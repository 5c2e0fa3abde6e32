//! A TURN leg that dies in mid-call gives way to a new one, of which the peer learns inside the packets.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;
use tacit_e2e::analysis::Trace;
use tacit_e2e::hearing;
use tacit_e2e::person::Running;
use tacit_e2e::recovery::{Ends, Recovery, Stalled};
use tacit_e2e::scenarios::tell;
use tacit_e2e::stall::{self, Halves, Plan, Reach, note_leg};

use crate::world::*;

/// A leg is dead when nothing has come for 10 s. That is looked for once a second, and not believed while
/// half of a side's legs are late.
const STALL: Duration = Duration::from_secs(16);
/// Frames that are heard before the stall: six seconds, so that there is a delay to compare with.
const HEARD_BEFORE: u64 = 300;
/// The call goes on for so long after the stall: a second longer than [`Recovery`] looks at.
const AFTERWARDS: Duration = Duration::from_secs(6);
/// Legs a side, by default.
const LEGS: usize = 12;
/// The longest time without sound around the stall. The demonstration's goal is 100 ms, on a machine
/// that does nothing else, which this one may not be.
const GAP_MS: f64 = 400.0;

/// The plan of a world in which this can be tried.
pub(crate) fn plan() -> Plan {
    Plan {
        seconds: 34,
        time: STALL,
        reach: Reach::Some,
        ..Plan::default()
    }
}

impl World {
    pub(crate) async fn turn_leg_replaced(&self) -> Outcome {
        let circuits = "--dangerous-report-circuits";
        let once = ["--answer", "4", "--calls", "1", circuits];
        let bob = self.listen_with_files(&once).await?;
        let alice = self.call("replaced", &["--legs", "turn", circuits])?;
        let mut sides = [Side::new("alice", alice), Side::new("bob", bob)];
        until(&mut sides, "sound over all legs", |sides| {
            sides.iter().all(Side::is_in_full_swing)
        })
        .await?;

        let (network, plan) = (&self.stage.network, &self.stage.plan);
        let legs = [&sides[0].legs[..], &sides[1].legs[..]];
        let stalling = stall::begin(network, plan, legs, Halves::Apart)?;
        let began = Instant::now();
        let what = format!("{}: legs {:?}", stalling.what, stalling.legs);
        until(&mut sides, "new legs that both use", |sides| {
            (0..2).all(|side| {
                let of_side = stalling.legs.iter().filter(|(of, _)| *of == side);
                let mut of_side = of_side.map(|(_, leg)| *leg).peekable();
                of_side.peek().is_none() || of_side.any(|leg| is_replaced(sides, side, leg))
            })
        })
        .await
        .map_err(|why| format!("{what}: {why}"))?;
        tell(&format!(
            "  {what}; replaced after {:.1} s: {:?}",
            began.elapsed().as_secs_f64(),
            sides.each_ref().map(|side| &side.replaced),
        ));
        let stall = Stalled(stalling.begun_us..stalling.begun_us + micros(STALL));
        let end = stall.0.end + micros(AFTERWARDS);
        until(&mut sides, "the time after the stall", |sides| {
            let at = |side: &Side| side.quality["at_us"].as_u64();
            sides.iter().all(|side| at(side) >= Some(end))
        })
        .await?;

        let number = sides[1].call.ok_or("a call without number")?;
        let [mut alice, mut bob] = sides.map(|side| side.who);
        alice.type_line("h").await?;
        ended_with(&mut alice, "call.hung_up").await?;
        ended_with(&mut bob, "call.peer_hung_up").await?;
        for who in [alice, bob] {
            well(who.end_at_once(END).await?)?;
        }
        self.sound_and_clock("replaced", "bob", number)?;
        self.no_gap(number, &stall)
    }

    /// Both voices were heard through the stall.
    fn no_gap(&self, number: u64, stall: &Stalled) -> Outcome {
        let (alice, bob) = ("alice-replaced".to_owned(), format!("bob-{number}"));
        let trace = |who: &str| Trace::read(&self.out(&format!("trace-{who}.txt")));
        let heard = |who: &str| hearing::read(&self.out(&format!("heard-by-{who}.wav")));
        for (from, to, speech) in [
            (&alice, &bob, &self.stage.caller_speech),
            (&bob, &alice, &self.stage.callee_speech),
        ] {
            let ends = Ends {
                speaker: &trace(from)?,
                listener: &trace(to)?,
                spoken: &hearing::read(&speech.wav)?,
                heard: &heard(to)?,
            };
            let found = Recovery::of(ends, stall).ok_or("nothing was heard around the stall")?;
            tell(&format!("  through the stall, by {to}: {found:?}"));
            check(found.gap_ms <= GAP_MS, || {
                format!("{to} heard nothing for {} ms", found.gap_ms)
            })?;
        }
        Ok(())
    }
}

/// One of the two, and what its events have told so far.
struct Side {
    name: &'static str,
    who: Running,
    call: Option<u64>,
    /// With their hops.
    legs: Vec<(u64, Vec<String>)>,
    /// Its dead legs, and which came in their place.
    replaced: BTreeMap<u64, u64>,
    /// The last report.
    quality: Value,
}

impl Side {
    fn new(name: &'static str, who: Running) -> Self {
        Self {
            name,
            who,
            call: None,
            legs: Vec::new(),
            replaced: BTreeMap::new(),
            quality: Value::Null,
        }
    }

    /// Takes its next event. The call is to go on.
    async fn follow(&mut self) -> Outcome {
        let name = self.name;
        let event = self.who.next().await;
        let event = event.ok_or_else(|| format!("{name}'s program has ended"))?;
        note_leg(&event, &mut self.legs);
        match event["event"].as_str() {
            Some("state") if event["state"] == "connected" => self.call = event["call"].as_u64(),
            Some("quality") => self.quality = event,
            Some("leg_replaced") if event["reason"] == "dead" => {
                let (old, new) = (event["leg"].as_u64(), event["by"].as_u64());
                self.replaced.extend(old.zip(new));
            }
            Some("interrupted" | "ended") => return Err(format!("{name}: {event}")),
            _ => {}
        }
        Ok(())
    }

    /// Legs of `ours` or `theirs` in the last report.
    fn of(&self, side: &str) -> impl Iterator<Item = &Value> {
        let legs = self.quality["legs"].as_array().into_iter().flatten();
        legs.filter(move |leg| leg["side"] == side)
    }

    fn is_in_full_swing(&self) -> bool {
        let up = |side| self.of(side).filter(|leg| is_used(leg)).count() == LEGS;
        let played = self.quality["frames"]["played"].as_u64();
        played >= Some(HEARD_BEFORE) && up("ours") && up("theirs")
    }

    /// Whether it uses `new` and no longer `old`.
    fn has_changed(&self, side: &str, old: u64, new: u64) -> bool {
        let is = |leg: &Value, index: u64| leg["leg"] == index;
        self.of(side).any(|leg| is(leg, new) && is_used(leg))
            && !self.of(side).any(|leg| is(leg, old))
    }
}

/// Packets of the last five seconds went both ways over it, and some that went were acknowledged.
fn is_used(leg: &Value) -> bool {
    let some = |count: &Value| count.as_u64() > Some(0);
    some(&leg["sent"]) && some(&leg["received"]) && leg["relative_delay_ms"].is_number()
}

/// Whether another leg came in the place of this one, and both sides use it.
fn is_replaced(sides: &[Side; 2], side: usize, leg: u64) -> bool {
    let (own, peer) = (&sides[side], &sides[1 - side]);
    own.replaced.get(&leg).is_some_and(|new| {
        own.has_changed("ours", leg, *new) && peer.has_changed("theirs", leg, *new)
    })
}

/// Follows both until this holds.
async fn until(sides: &mut [Side; 2], what: &str, holds: impl Fn(&[Side; 2]) -> bool) -> Outcome {
    let follow = async {
        while !holds(sides) {
            let [alice, bob] = &mut *sides;
            tokio::select! {
                outcome = alice.follow() => outcome?,
                outcome = bob.follow() => outcome?,
            }
        }
        Ok(())
    };
    let in_time = tokio::time::timeout(STEP, follow).await;
    in_time.unwrap_or_else(|_| {
        let known = sides.each_ref().map(|side| {
            let legs = side.of("ours").chain(side.of("theirs"));
            let used = legs.filter(|leg| is_used(leg));
            (&side.replaced, used.count())
        });
        Err(format!(
            "no {what} within {} s; replaced legs and how many are used at each side: {known:?}",
            STEP.as_secs()
        ))
    })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
