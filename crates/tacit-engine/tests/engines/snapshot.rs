//! A stored profile of today must be read tomorrow: the layout cannot change unnoticed.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tacit_engine::store::Store;
use tacit_engine::{AddressBook, Command, Event, Removal};
use tacit_types::Reason;

use crate::common::{Disk, World, connect, meet};

/// Bob's profile, as version 1 of the snapshot stores it: a verified contact, a ghost, a contact
/// without tokens, an open invite, used invites, and an invite that he could not take. All keys in
/// it are of people who do not exist.
///
/// After a change on purpose, with another version number or before a first release:
/// `TACIT_WRITE_SNAPSHOT=1 cargo test -p tacit-engine --test engines snapshot`.
const VERSION_1: &[u8] = include_bytes!("../data/snapshot-1.bin");

/// Keeps what was saved last.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Store for Kept {
    fn save(&mut self, snapshot: &[u8]) -> Result<(), Reason> {
        *self.0.lock().unwrap() = snapshot.to_vec();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_version_1_is_read_and_written_back_the_same() {
    if std::env::var_os("TACIT_WRITE_SNAPSHOT").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/snapshot-1.bin");
        std::fs::write(file, story().await.snapshot().unwrap()).unwrap();
        return;
    }
    let kept = Kept::default();
    let mut book = AddressBook::open(Box::new(kept.clone()), Some(VERSION_1)).unwrap();
    let shown: Vec<_> = book
        .contacts()
        .into_iter()
        .map(|c| (c.name.reveal().clone(), c.verified, c.tokens > 0))
        .collect();
    assert_eq!(
        shown,
        [
            ("Alice".to_owned(), true, true),
            ("Dave".to_owned(), false, true)
        ]
    );
    // There and back: every field has been read and is written where it was.
    book.rename("Alice", "somebody").unwrap();
    book.rename("somebody", "Alice").unwrap();
    let written = kept.0.lock().unwrap().clone();
    assert!(
        written == VERSION_1,
        "the layout has changed: raise its version"
    );
}

#[test]
fn other_versions_and_damage_are_told_apart() {
    let open = |bytes: &[u8]| {
        let opened = AddressBook::open(Box::new(Kept::default()), Some(bytes));
        opened.err().map(Reason::from)
    };
    assert_eq!(VERSION_1[0], 1, "the version comes first");
    for version in [0, 2, 100] {
        let mut other = VERSION_1.to_vec();
        other[0] = version;
        assert_eq!(open(&other), Some(Reason::ProfileVersion));
        // Whatever another version wrote after it.
        assert_eq!(open(&[version, 0xff, 0xff]), Some(Reason::ProfileVersion));
    }
    let half = &VERSION_1[..VERSION_1.len() / 2];
    let longer = [VERSION_1, &[0]].concat();
    for damaged in [&[][..], half, &longer] {
        assert_eq!(open(damaged), Some(Reason::ProfileCorrupt));
    }
}

/// What Bob's profile is after a few things have happened.
async fn story() -> Disk {
    let world = World::new();
    let mut bob = world.person("bob");
    let mut alice = world.person("alice");
    let mut carol = world.person("carol");
    let mut dave = world.person("dave");
    meet(&mut bob, "Bob", &mut alice, "Alice").await;
    meet(&mut bob, "Bob", &mut carol, "Carol").await;
    meet(&mut dave, "Dave", &mut bob, "Bob").await;
    let (ours, theirs) = connect(&mut alice, "Bob", &mut bob).await;
    bob.words().await;
    bob.command(Command::Verify(theirs, true)).unwrap();
    let verified = |e| matches!(e, Event::Verified(_)).then_some(());
    bob.until("verification", verified).await;
    alice.command(Command::HangUp(ours)).unwrap();
    bob.ended().await;
    bob.engine.remove("Carol", Removal::Ghost).unwrap();
    bob.engine
        .invite("Erin", Duration::from_secs(3600))
        .unwrap();
    let gone = dave.invite("Frank");
    dave.crash().await;
    bob.join(&gone, "Frank").await.unwrap_err();
    bob.crash().await
}
