//! A running engine with its Tor, from start to end.

use std::sync::Arc;

use serde_json::json;
use tacit_engine::store::MemoryStore;
use tacit_engine::tor::TorNetwork;
use tacit_engine::{AddressBook, Engine, Event, EventStream};
use tacit_types::Reason;

use crate::Failure;
use crate::args::Global;
use crate::calls::show;
use crate::interact::{self, Keys};
use crate::line::Line;
use crate::output::Output;
use crate::setup::{self, Wishes};

/// A running engine with everything that a command needs around it.
pub(crate) struct Session {
    pub engine: Engine,
    pub events: EventStream,
    pub keys: Keys,
    /// The call that goes on and who rings.
    pub line: Line,
}

impl Session {
    /// Starts the engine and waits until it has Tor. `check` looks at the profile before anything is
    /// started: nobody should wait for Tor to learn that a name is wrong.
    pub(crate) async fn start(
        global: &Global,
        wishes: &Wishes<'_>,
        check: impl FnOnce(&AddressBook) -> Result<(), Failure>,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let config = setup::config(global)?;
        let (store, snapshot) = setup::open_profile(global)?;
        check(&AddressBook::open(
            Box::<MemoryStore>::default(),
            snapshot.as_deref(),
        )?)?;
        let tor = setup::launch_tor(global, &config)?;
        let network = Arc::new(tor.clone());
        let (engine, events) = setup::start_engine(network, (store, snapshot), &config, wishes)?;
        let mut session = Self {
            engine,
            events,
            keys: Keys::new(),
            line: Line::default(),
        };
        session.ready(&tor, output).await?;
        Ok(session)
    }

    /// Waits until Tor is ready, showing how far it is.
    async fn ready(&mut self, tor: &TorNetwork, output: &mut Output) -> Result<(), Failure> {
        loop {
            tokio::select! {
                event = self.events.next() => match event {
                    Some(Event::Stopped(_)) | None => return Ok(tor.ready().await?),
                    Some(event) => {
                        output.event(&event);
                        if matches!(event, Event::TorProgress { percent: 100, .. }) {
                            return Ok(());
                        }
                    }
                },
                () = interact::ctrl_c() => return Err(Reason::Interrupted.into()),
            }
        }
    }

    /// Ends the engine: cover traffic runs out first, unless Ctrl-C is pressed (again). What ends
    /// meanwhile is told, who rang in vain is told as missed, and what is typed goes nowhere.
    pub(crate) async fn end(mut self, output: &mut Output) {
        output.say(
            &json!({"event": "closing"}),
            "Closing the circuits within half a minute; Ctrl-C does it at once.",
        );
        self.line.leave();
        let over = self.engine.shutdown();
        tokio::pin!(over);
        let mut open = true;
        loop {
            tokio::select! {
                biased;
                event = self.events.next(), if open => match event {
                    // Who took the same invite at the same time is told now.
                    Some(event @ Event::InviteReused(_)) => output.event(&event),
                    Some(event @ Event::Ended(call, _)) if self.line.knows(call) => {
                        show(&mut self.line, &event, output);
                    }
                    Some(_) => {}
                    None => open = false,
                },
                () = interact::ctrl_c() => break,
                () = &mut over => break,
            }
        }
        interact::forget_typed();
    }
}
