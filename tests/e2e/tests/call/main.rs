//! Calls between `tacit` processes through real Tor relays, and what can go wrong with them.
//!
//! One private network, one scenario after another: the order matters, since each starts where the
//! one before left the two people.

mod failures;
mod operated;
mod replaced;
mod world;

use tacit_e2e::demo::meet;
use tacit_e2e::scenarios::{Scenarios, lacking, no_panics, tell, wanted};
use tacit_e2e::stage::{Set, person, person_with, set};
use tacit_legs::coturn::Coturn;
use tacit_quality::pulse::{PulseError, PulseNullSinks};
use tacit_quality::skipped;
use world::*;

/// A sound server for each, or a line that says why not.
fn sound() -> Option<[PulseNullSinks; 2]> {
    match (PulseNullSinks::start(), PulseNullSinks::start()) {
        (Ok(a), Ok(b)) => Some([a, b]),
        (Err(error @ PulseError::Missing(_)), _) => {
            skipped("a call through sound devices", &error);
            None
        }
        (Err(e), _) | (_, Err(e)) => panic!("{e}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_call_each_other_and_things_go_wrong() {
    let mut wanted = wanted("call");
    wanted.plan = replaced::plan();
    if let Some(why) = lacking() {
        return skipped("calls through real relays", &why);
    }
    let mut all = Scenarios::default();
    let say = |line: &str| tell(&format!("  {line}"));
    let set = set(&wanted, &say).await.expect("the stage is set");
    let Set {
        stage,
        mut coturn,
        server,
    } = set;
    let address = std::fs::read_to_string(&stage.caller.config).expect("a configuration");
    let address = address
        .split('"')
        .find(|s| s.ends_with(".onion"))
        .expect("an address");
    let other = |name| person(name, &wanted, &stage.network, address).expect("a folder");
    let (carol, dave) = (other("carol"), other("dave"));
    let erin = person_with("erin", &wanted, &stage.network, &[("mailbox", address)]);
    let erin = erin.expect("a folder");
    let (alice, bob) = (stage.caller.clone(), stage.callee.clone());
    let met = all.run("invite and accept", meet(&alice, &bob, &say)).await;
    met.expect("without contacts there are no calls");
    let world = World { stage };
    with_files(&mut all, &world).await;
    all.run("a TURN leg is replaced", world.turn_leg_replaced())
        .await;
    operated::scenarios(&mut all, &world, &erin).await;
    all.run("an invite taken twice", world.used_invite([&carol, &dave]))
        .await;
    all.run("callee offline", world.offline()).await;
    all.run("Ctrl-C while inviting", world.ctrl_c_while_inviting())
        .await;
    with_devices(&mut all, &world, &mut coturn).await;
    all.run("contacts are intact", async {
        verified_contact(&alice, "bob").await?;
        verified_contact(&bob, "alice").await
    })
    .await;
    all.run("the server ends without Tor", async {
        let code = server.interrupt(END).await?;
        check(code == Some(130) || code == Some(0), || format!("{code:?}"))
    })
    .await;
    all.run("no panic", async { no_panics(&wanted.out) }).await;
    all.finish();
}

/// Bob listens, answers by himself, and speaks from a file.
async fn with_files(all: &mut Scenarios, world: &World) {
    let answering = world.listen_with_files(&["--answer", "4"]);
    let Some(mut bob) = all.run("listening", answering).await else {
        return;
    };
    all.run("a call over onion legs", world.first_call(&mut bob))
        .await;
    all.run(
        "the caller's contact is verified",
        verified_contact(world.alice(), "bob"),
    )
    .await;
    all.run("profile in use", async {
        let refused = world
            .bob()
            .refused(&["contacts"], "profile.in_use", STEP)
            .await;
        refused.map(drop)
    })
    .await;
    all.run("a second call", world.second_call(&mut bob)).await;
    all.run("unknown contact", async {
        let args = ["call", "nobody"];
        world
            .alice()
            .refused(&args, "contact.unknown", STEP)
            .await
            .map(drop)
    })
    .await;
    all.run(
        "TURN without a credentials server",
        world.without_credentials_server(),
    )
    .await;
    all.run("Ctrl-C while listening", interrupted_at_once(bob))
        .await;
    all.run(
        "the callee's contact is verified",
        verified_contact(world.bob(), "alice"),
    )
    .await;
}

/// Bob listens with sound devices and is told when to answer.
async fn with_devices(all: &mut Scenarios, world: &World, coturn: &mut Coturn) {
    let sound = sound();
    let mut person = world.bob().clone();
    let listening = match &sound {
        Some([_, own]) => {
            person.env = env(own);
            all.run("listening with devices", world.listen(&person, &[]))
                .await
        }
        None => {
            all.run("listening again", world.listen_with_files(&[]))
                .await
        }
    };
    let Some(mut bob) = listening else { return };
    all.run("Ctrl-C while ringing", world.ctrl_c_while_ringing(&mut bob))
        .await;
    if let Some(sound) = &sound {
        all.run(
            "a call through sound devices",
            world.devices(&mut bob, sound),
        )
        .await;
    }
    all.run(
        "Ctrl-C while connected",
        world.ctrl_c_while_connected(&mut bob),
    )
    .await;
    all.run(
        "coturn killed in mid-call",
        world.coturn_gone(&mut bob, coturn),
    )
    .await;
    all.run("every relay killed in mid-call", world.tor_gone(&mut bob))
        .await;
    all.run("Ctrl-C without Tor", interrupted(bob)).await;
}
