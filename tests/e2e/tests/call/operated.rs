//! Somebody whose mailbox is on `tacit-server`. Neither side names a server for credentials: both come
//! to the mailbox server's by themselves.

use tacit_e2e::demo::introduce;
use tacit_e2e::person::{Person, Running};
use tacit_e2e::scenarios::Scenarios;

use crate::world::*;

pub(crate) async fn scenarios(all: &mut Scenarios, world: &World, erin: &Person) {
    let met = all.run("an invite from behind a mailbox server", async {
        erin.run(&["init"], STEP).await?;
        introduce(world.alice(), erin).await
    });
    if met.await.is_none() {
        return;
    }
    let listening = world.listen_to_files(erin, &["--answer", "4"]);
    let listening = all.run("listening at a mailbox server", listening).await;
    let Some(mut listening) = listening else {
        return;
    };
    all.run(
        "onion legs to a mailbox server",
        world.onion_legs_to_a_mailbox_server(),
    )
    .await;
    all.run(
        "a call through a mailbox server",
        world.through_a_mailbox_server(&mut listening),
    )
    .await;
    all.run(
        "Ctrl-C while listening at a mailbox server",
        interrupted_at_once(listening),
    )
    .await;
}

impl World {
    async fn onion_legs_to_a_mailbox_server(&self) -> Outcome {
        let refused = self
            .alice()
            .refused(&["call", "erin"], "call.needs_turn", STEP);
        refused.await.map(drop)
    }

    /// A whole call, heard on both sides.
    async fn through_a_mailbox_server(&self, erin: &mut Running) -> Outcome {
        let alice = self.alice_without_credentials_server()?;
        let more = ["--legs", "turn", "--duration", "12"];
        let mut alice = self.call_to("erin", &alice, "operated", &more)?;
        connected(&mut alice).await?;
        let number = connected(erin).await?;
        ended_with(&mut alice, "call.hung_up").await?;
        ended_with(erin, "call.peer_hung_up").await?;
        well(alice.end_at_once(END).await?)?;
        self.sound_and_clock("operated", "erin", number)
    }
}
