//! What must not show up where it could be logged.

use std::time::Duration;

use tacit_engine::{Command, Engine, EngineConfig};

use crate::common::{World, connect, meet};

/// A name that occurs nowhere by chance.
const CANARY: &str = "Quetzalcoatl-7f3a";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_public_prints_names_keys_or_addresses() {
    let world = World::new();
    let mut host = world.person("host");
    let mut guest = world.person("guest");
    meet(&mut host, "Host", &mut guest, CANARY).await;
    let (ours, _) = connect(&mut guest, "Host", &mut host).await;
    guest.words().await;
    guest.command(Command::HangUp(ours)).unwrap();
    host.ended().await;
    let open = host
        .engine
        .invite("Other", Duration::from_secs(60))
        .unwrap();
    let contacts = host.engine.contacts();
    assert!(contacts.iter().any(|c| c.name.reveal() == CANARY));
    let printed = format!(
        "{:#?} {:#?} {:#?} {open:#?} {:#?} {:#?}",
        host.seen,
        guest.seen,
        contacts,
        host.engine,
        EngineConfig::new(
            std::sync::Arc::new(host.tap.clone()),
            Box::new(host.disk.clone())
        ),
    );
    assert!(printed.len() > 1000, "there is something to look at");
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let list = |bytes: &[u8]| -> String {
        let bytes: Vec<_> = bytes.iter().map(u8::to_string).collect();
        bytes.join(", ")
    };
    let flat: String = printed.split_whitespace().collect();
    let keys: [&[u8]; 4] = [
        &open.server.0,
        &open.mailbox.0,
        open.discovery.expose(),
        &open.token.to_bytes(),
    ];
    for key in keys {
        for shown in [hex(key), list(&key[..6])] {
            assert!(!flat.contains(&shown.replace(' ', "")), "{shown} is shown");
        }
    }
    for secret in [CANARY.to_owned(), "Host".to_owned(), open.to_link()] {
        assert!(!printed.contains(&secret), "{secret} is shown");
    }
    // The control: what is searched for would be found.
    assert!(format!("{:?}", contacts[0].name.reveal()).contains(CANARY));
}

/// The same for a link that somebody mistyped: the error does not repeat it.
#[test]
fn a_malformed_link_is_not_repeated() {
    let link = format!("tacit:{CANARY}");
    let error = Engine::read_invite(&link).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(CANARY));
}
