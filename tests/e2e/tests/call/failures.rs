//! What can go wrong with a call, each time with a plain end.

use tacit_e2e::person::{Ended, Person, Running};
use tacit_e2e::scenarios::tell;
use tacit_legs::coturn::Coturn;

use crate::world::*;

impl World {
    /// Somebody takes an invite that another one has taken before: they are told, and so is the
    /// inviter, whose program has been started again meanwhile.
    pub(crate) async fn used_invite(&self, takers: [&Person; 2]) -> Outcome {
        let mut inviting = self.bob().tacit(&["invite", "whoever-is-first"])?;
        let invite = inviting
            .wait_for("invite", STEP, |e| e["event"] == "invite")
            .await?;
        let link = invite["link"].as_str().ok_or("no link")?;
        inviting
            .wait_for("reachability", STEP, |e| e["event"] == "invite_reachable")
            .await?;
        let accept = ["accept", link, "--name", "bob"];
        for taker in takers {
            taker.run(&["init"], STEP).await?;
        }
        takers[0].run(&accept, STEP).await?;
        well(inviting.end(END).await?)?;
        let mut bob = self.listen_with_files(&[]).await?;
        let mut late = takers[1].tacit(&accept)?.end(LOST).await?;
        if late.failed_with("peer.unreachable").is_ok() {
            // No event tells when the address of a used invite is up again.
            late = takers[1].tacit(&accept)?.end(LOST).await?;
        }
        late.failed_with("invite.used")?;
        bob.wait_for("warning", STEP, |e| {
            e["event"] == "invite_reused" && e["name"] == "whoever-is-first"
        })
        .await?;
        interrupted_at_once(bob).await?;
        let known = self.bob().run(&["contacts"], STEP).await?;
        let marked = |e: &serde_json::Value| e["invite_reused"] == true;
        check(known.iter().any(marked), || {
            format!("the contact is not marked: {known:?}")
        })?;
        let events = takers[1].run(&["contacts"], STEP).await?;
        check(events.iter().all(|e| e["event"] != "contact"), || {
            format!("a refused invite left a contact: {events:?}")
        })
    }

    pub(crate) async fn ctrl_c_while_ringing(&self, bob: &mut Running) -> Outcome {
        let mut alice = self.call("ringing", &[])?;
        state(&mut alice, "ringing").await?;
        bob.wait_for("ring", STEP, |e| e["event"] == "incoming")
            .await?;
        interrupted(alice).await?;
        ended_with(bob, "call.peer_hung_up").await?;
        bob.wait_for("missed call", STEP, |e| e["event"] == "missed")
            .await
            .map(drop)
    }

    pub(crate) async fn ctrl_c_while_connected(&self, bob: &mut Running) -> Outcome {
        let mut alice = self.call("interrupted", &[])?;
        bob.wait_for("ring", STEP, |e| e["event"] == "incoming")
            .await?;
        bob.type_line("a").await?;
        sound_flows(&mut alice).await?;
        alice.press_ctrl_c()?;
        ended_with(bob, "call.peer_hung_up").await?;
        // Once more, and the circuits close at once.
        let ended = alice.end_at_once(END).await?;
        check(ended.code == Some(130), || format!("{ended:?}"))
    }

    pub(crate) async fn without_credentials_server(&self) -> Outcome {
        let spoken = self.stage.caller_speech.wav.to_string_lossy().into_owned();
        let heard = self
            .out("heard-of-nobody.wav")
            .to_string_lossy()
            .into_owned();
        let call = ["call", "bob", "--legs", "turn"];
        let files = ["--audio-in", &spoken, "--audio-out", &heard];
        self.alice_without_credentials_server()?
            .refused(&[&call[..], &files].concat(), "turn.none", STEP)
            .await
            .map(drop)
    }

    /// Alice with a configuration that names no server.
    pub(crate) fn alice_without_credentials_server(&self) -> Result<Person, String> {
        let mut alice = self.alice().clone();
        let config = std::fs::read_to_string(&alice.config).map_err(|e| e.to_string())?;
        let without: Vec<&str> = config
            .lines()
            .filter(|l| !l.starts_with("credentials"))
            .collect();
        alice.config = self.out("without-credentials.toml");
        std::fs::write(&alice.config, without.join("\n")).map_err(|e| e.to_string())?;
        Ok(alice)
    }

    /// All legs are on one coturn: the call comes back or ends with a reason.
    pub(crate) async fn coturn_gone(&self, bob: &mut Running, coturn: &mut Coturn) -> Outcome {
        let mut alice = self.call("coturn", &["--legs", "turn"])?;
        bob.wait_for("ring", STEP, |e| e["event"] == "incoming")
            .await?;
        bob.type_line("a").await?;
        sound_flows(&mut alice).await?;
        connected(bob).await?;
        coturn.kill();
        let (a, b) = tokio::join!(reason(&mut alice, LOST), reason(bob, LOST));
        let (a, b) = (a?, b?);
        tell(&format!(
            "  ended with {a} at the caller, {b} at the callee"
        ));
        let plain = ["call.legs_lost", "call.peer_hung_up", "turn.unreachable"];
        check([&a, &b].iter().all(|r| plain.contains(&r.as_str())), || {
            format!("{a}, {b}")
        })?;
        ended_for(alice.end_at_once(END).await?, &a)
    }

    /// Every relay dies in mid-call.
    pub(crate) async fn tor_gone(&self, bob: &mut Running) -> Outcome {
        let mut alice = self.call("tor", &[])?;
        bob.wait_for("ring", STEP, |e| e["event"] == "incoming")
            .await?;
        bob.type_line("a").await?;
        sound_flows(&mut alice).await?;
        connected(bob).await?;
        let network = &self.stage.network;
        for relay in network.relays() {
            network.kill_relay(&relay.name).map_err(|e| e.to_string())?;
        }
        let (a, b) = tokio::join!(reason(&mut alice, LOST), reason(bob, LOST));
        let (a, b) = (a?, b?);
        tell(&format!(
            "  ended with {a} at the caller, {b} at the callee"
        ));
        let plain = ["call.legs_lost", "tor.lost", "call.peer_hung_up"];
        check([&a, &b].iter().all(|r| plain.contains(&r.as_str())), || {
            format!("{a}, {b}")
        })?;
        ended_for(alice.end_at_once(END).await?, &a)
    }

    pub(crate) async fn offline(&self) -> Outcome {
        let mut reaching = self.call("reaching", &[])?;
        state(&mut reaching, "reaching").await?;
        interrupted(reaching).await?;
        let ended = self.call("offline", &[])?.end(LOST).await?;
        ended.failed_with("peer.unreachable")?;
        let told = ended
            .events
            .iter()
            .any(|e| e["reason"] == "peer.unreachable");
        check(told, || format!("no event tells why: {:?}", ended.events))
    }

    pub(crate) async fn ctrl_c_while_inviting(&self) -> Outcome {
        let mut inviting = self.bob().tacit(&["invite", "erin"])?;
        inviting
            .wait_for("invite", STEP, |e| e["event"] == "invite")
            .await?;
        interrupted(inviting).await
    }
}

/// A call that ended by the other's hand is a success, another end is not.
fn ended_for(ended: Ended, reason: &str) -> Outcome {
    match reason {
        "call.peer_hung_up" => well(ended),
        code => ended.failed_with(code),
    }
}
