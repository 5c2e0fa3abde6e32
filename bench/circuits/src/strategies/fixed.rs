//! `single` and `torfone`: always the same circuits, every packet on all of them.

use core::time::Duration;

use tacit_types::{LegIndex, Path, Timestamp};

use super::{Contents, Copies, Note, Older, Received, Strategy};
use crate::network::{Network, Side};
use crate::scenario::Client;

/// The first circuits of the call.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    copies: Copies,
}

impl Fixed {
    pub(super) fn new(circuits: u8) -> Self {
        let mut copies = Copies::default();
        for link in 0..circuits {
            copies.push(Path {
                sender: LegIndex(link),
                receiver: LegIndex(link),
            });
        }
        Self { copies }
    }
}

impl Strategy for Fixed {
    fn contents(&self) -> Contents {
        Contents::plain(Duration::from_millis(40), Older::NONE)
    }

    fn client(&self) -> Client {
        Client::CTor
    }

    fn send(&mut self, _: u32, _: &mut Network, _: Timestamp) -> Copies {
        self.copies
    }

    fn note(&mut self, _: Timestamp) -> Note {
        Note::Nothing
    }

    fn receive(&mut self, _: Received<'_>, _: Timestamp) {}

    fn leg_changed(&mut self, _: Side, _: u8, _: bool, _: Timestamp) {}
}
