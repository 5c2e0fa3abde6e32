//! Two people on one network, and calls that go well.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tacit_e2e::analysis::{Trace, rate};
use tacit_e2e::demo::Stage;
use tacit_e2e::hearing::{heard, heard_around};
use tacit_e2e::person::{Ended, Person, Running};
use tacit_e2e::scenarios::tell;
use tacit_quality::align::Search;
use tacit_quality::pulse::{PulseError, PulseNullSinks};

/// For steps of a call; only a hang takes this long.
pub(crate) const STEP: Duration = Duration::from_secs(120);
/// For a process to end after its call: the circuits carry cover for up to half a minute.
pub(crate) const END: Duration = Duration::from_secs(90);
/// For a call whose every circuit is gone: a minute to come back, then the end.
pub(crate) const LOST: Duration = Duration::from_secs(240);

pub(crate) type Outcome = Result<(), String>;

/// Fails with what was found instead.
pub(crate) fn check(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(what()) }
}

pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

pub(crate) async fn connected(who: &mut Running) -> Result<u64, String> {
    let event = who
        .wait_for("connection", STEP, |e| {
            e["event"] == "state" && e["state"] == "connected"
        })
        .await?;
    event["call"]
        .as_u64()
        .ok_or_else(|| "a call without number".into())
}

pub(crate) async fn state(who: &mut Running, state: &str) -> Outcome {
    let wanted = |e: &Value| e["event"] == "state" && e["state"] == state;
    who.wait_for(state, STEP, wanted).await.map(drop)
}

/// Waits for the end of a call and returns its reason.
pub(crate) async fn reason(who: &mut Running, limit: Duration) -> Result<String, String> {
    let event = who
        .wait_for("end of the call", limit, |e| e["event"] == "ended")
        .await?;
    Ok(event["reason"].as_str().unwrap_or_default().to_owned())
}

pub(crate) async fn ended_with(who: &mut Running, code: &str) -> Outcome {
    let found = reason(who, STEP).await?;
    check(found == code, || {
        format!("the call ended with {found}, not {code}")
    })
}

/// Waits until a second of a call has passed over legs.
pub(crate) async fn sound_flows(who: &mut Running) -> Outcome {
    connected(who).await?;
    let flows = |e: &Value| {
        e["event"] == "quality" && e["legs"].as_array().is_some_and(|legs| !legs.is_empty())
    };
    who.wait_for("sound", STEP, flows).await.map(drop)
}

/// As [`interrupted`], while a call's circuits still carry cover: the second Ctrl-C ends that.
pub(crate) async fn interrupted_at_once(who: Running) -> Outcome {
    who.press_ctrl_c()?;
    let ended = who.end_at_once(END).await?;
    check(ended.code == Some(130), || format!("{ended:?}"))
}

/// Presses Ctrl-C: the program ends by itself with the shell's code for it.
pub(crate) async fn interrupted(who: Running) -> Outcome {
    who.press_ctrl_c()?;
    let ended = who.end(END).await?;
    check(ended.code == Some(130), || format!("{ended:?}"))
}

pub(crate) fn well(ended: Ended) -> Outcome {
    check(ended.code == Some(0), || format!("{ended:?}"))
}

pub(crate) async fn verified_contact(who: &Person, name: &str) -> Outcome {
    let events = who.run(&["contacts"], STEP).await?;
    let contact = events.iter().find(|e| e["name"] == name);
    check(contact.is_some_and(|c| c["verified"] == true), || {
        format!("{} should know {name}, verified: {events:?}", who.name)
    })
}

pub(crate) struct World {
    pub(crate) stage: Stage,
}

impl World {
    pub(crate) fn alice(&self) -> &Person {
        &self.stage.caller
    }

    pub(crate) fn bob(&self) -> &Person {
        &self.stage.callee
    }

    pub(crate) fn out(&self, name: &str) -> PathBuf {
        self.stage.out.join(name)
    }

    pub(crate) fn call(&self, name: &str, more: &[&str]) -> Result<Running, String> {
        self.call_to("bob", self.alice(), name, more)
    }

    /// Alice calls somebody; `alice` may have another configuration than usual.
    pub(crate) fn call_to(
        &self,
        whom: &str,
        alice: &Person,
        name: &str,
        more: &[&str],
    ) -> Result<Running, String> {
        let spoken = text(&self.stage.caller_speech.wav);
        let heard = text(&self.out(&format!("heard-by-alice-{name}.wav")));
        let trace = text(&self.out(&format!("trace-alice-{name}.txt")));
        let fixed = [
            "call",
            whom,
            "--audio-in",
            &spoken,
            "--audio-out",
            &heard,
            "--trace",
            &trace,
        ];
        alice.tacit(&[&fixed, more].concat())
    }

    pub(crate) async fn listen(&self, who: &Person, more: &[&str]) -> Result<Running, String> {
        let mut listening = who.tacit(&[&["listen"], more].concat())?;
        listening
            .wait_for("reachability", STEP, |e| {
                e["event"] == "listening" && e["reachable"] == e["total"] && e["total"] != 0
            })
            .await?;
        Ok(listening)
    }

    pub(crate) async fn listen_with_files(&self, answer: &[&str]) -> Result<Running, String> {
        self.listen_to_files(self.bob(), answer).await
    }

    /// Somebody listens, and speaks what Bob speaks.
    pub(crate) async fn listen_to_files(
        &self,
        who: &Person,
        answer: &[&str],
    ) -> Result<Running, String> {
        let spoken = text(&self.stage.callee_speech.wav);
        let heard = text(&self.out(&format!("heard-by-{}-{{call}}.wav", who.name)));
        let trace = text(&self.out(&format!("trace-{}-{{call}}.txt", who.name)));
        let fixed = [
            "--audio-in",
            &spoken,
            "--audio-out",
            &heard,
            "--trace",
            &trace,
        ];
        self.listen(who, &[&fixed, answer].concat()).await
    }

    /// A whole call with words, sound and clock.
    pub(crate) async fn first_call(&self, bob: &mut Running) -> Outcome {
        let mut alice = self.call("first", &["--duration", "12"])?;
        connected(&mut alice).await?;
        let number = connected(bob).await?;
        let mut shown = Vec::new();
        for who in [&mut alice, bob] {
            let words = who
                .wait_for("words", STEP, |e| e["event"] == "words")
                .await?;
            shown.push(words["words"].clone());
            who.type_line("v").await?;
        }
        check(shown[0] == shown[1], || {
            format!("different words: {shown:?}")
        })?;
        for who in [&mut alice, bob] {
            who.wait_for("verification", STEP, |e| e["event"] == "verified")
                .await?;
        }
        ended_with(&mut alice, "call.hung_up").await?;
        ended_with(bob, "call.peer_hung_up").await?;
        alice.finish(END).await?;
        self.sound_and_clock("first", "bob", number)
    }

    /// Alice's call of this name, which is the callee's call of this number, was heard at both ends.
    pub(crate) fn sound_and_clock(&self, name: &str, callee: &str, number: u64) -> Outcome {
        let (alice, bob) = (&self.stage.caller_speech.wav, &self.stage.callee_speech.wav);
        for (spoken, who) in [
            (bob, format!("alice-{name}")),
            (alice, format!("{callee}-{number}")),
        ] {
            let found = heard(spoken, &self.out(&format!("heard-by-{who}.wav")), 2..9)?;
            tell(&format!("  heard by {who}: {found:?}"));
            let trace = Trace::read(&self.out(&format!("trace-{who}.txt")))?;
            let clock = rate(&trace.sent);
            check((49.5..=50.5).contains(&clock), || {
                format!("{clock} packets a second")
            })?;
        }
        Ok(())
    }

    /// The same contact again, ended by the other side.
    pub(crate) async fn second_call(&self, bob: &mut Running) -> Outcome {
        let mut alice = self.call("second", &[])?;
        connected(&mut alice).await?;
        connected(bob).await?;
        bob.type_line("h").await?;
        ended_with(bob, "call.hung_up").await?;
        ended_with(&mut alice, "call.peer_hung_up").await?;
        well(alice.end_at_once(END).await?)
    }

    /// Both people with sound devices of their own.
    pub(crate) async fn devices(&self, bob: &mut Running, sound: &[PulseNullSinks; 2]) -> Outcome {
        let fail = |e: PulseError| e.to_string();
        // Before the call, so that nothing of it is missed.
        let recorded = [self.out("devices-alice.wav"), self.out("devices-bob.wav")];
        let mut clients = Vec::new();
        let spoken = [&self.stage.caller_speech.wav, &self.stage.callee_speech.wav];
        for (sinks, wav) in sound.iter().zip(&recorded) {
            clients.push(sinks.record("loudspeaker", wav).map_err(fail)?);
        }
        let mut person = self.alice().clone();
        person.env = env(&sound[0]);
        let mut alice = person.tacit(&["call", "bob", "--duration", "14"])?;
        bob.wait_for("ring", STEP, |e| e["event"] == "incoming")
            .await?;
        bob.type_line("a").await?;
        connected(&mut alice).await?;
        connected(bob).await?;
        for (sinks, wav) in sound.iter().zip(spoken) {
            clients.push(sinks.play("microphone", wav).map_err(fail)?);
        }
        ended_with(&mut alice, "call.hung_up").await?;
        ended_with(bob, "call.peer_hung_up").await?;
        drop(clients);
        well(alice.end_at_once(END).await?)?;
        for (spoken, heard) in [(spoken[1], &recorded[0]), (spoken[0], &recorded[1])] {
            let search = Search {
                least: -2 * 48_000,
                most: 20 * 48_000,
            };
            let found = heard_around(spoken, heard, 3..9, search)?;
            tell(&format!("  {}: {found:?}", heard.display()));
        }
        Ok(())
    }
}

pub(crate) fn env(sound: &PulseNullSinks) -> Vec<(String, String)> {
    sound
        .env()
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v))
        .collect()
}
