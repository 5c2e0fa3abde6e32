//! In mode `tor` no packet leaves a client except to Tor relays: shown in network namespaces, where
//! nothing can leave unseen.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tacit_e2e::demo::meet;
use tacit_e2e::person::{Person, Place};
use tacit_e2e::scenarios::{Scenarios, lacking, tell, wanted};
use tacit_e2e::stage::{person, server};
use tacit_legs::coturn::{Coturn, CoturnOptions};
use tacit_quality::signal::write_wav;
use tacit_quality::skipped;
use tacit_quality::speech::{Text, assemble};
use tacit_tornet::{Config, Contact, Link, Namespace, Network, Protocol};

/// For steps of a call; only a hang takes this long.
const STEP: Duration = Duration::from_secs(120);
/// Client namespaces: two people, the TURN server, the mailbox and credential server.
const ALICE: usize = 0;
const BOB: usize = 1;
const TURN: usize = 2;
const SERVER: usize = 3;

type Outcome = Result<(), String>;

fn check(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(what()) }
}

/// What a namespace sent anywhere but to relays.
fn leaks(network: &Network, space: &Namespace) -> Vec<Contact> {
    let relays: Vec<SocketAddr> = network
        .relays()
        .iter()
        .map(|r| r.or_address().into())
        .collect();
    let allowed = |c: &Contact| {
        c.protocol == Protocol::Tcp && relays.contains(&SocketAddr::new(c.address, c.port))
    };
    space
        .contacts()
        .into_iter()
        .filter(|c| !allowed(c))
        .collect()
}

fn client(network: &Network, index: usize) -> &Namespace {
    network
        .client(index)
        .expect("the network was started with it")
}

fn nothing_leaked(network: &Network) -> Outcome {
    for (who, index) in [("alice", ALICE), ("bob", BOB)] {
        let space = client(network, index);
        let (all, leaked) = (space.contacts(), leaks(network, space));
        let packets: u64 = all.iter().map(|c| c.packets).sum();
        tell(&format!(
            "  {who}: {packets} packets to {} relays",
            all.len() - leaked.len()
        ));
        check(packets > 1_000, || {
            format!("{who} sent only {packets} packets")
        })?;
        check(leaked.is_empty(), || {
            format!("{who} sent packets elsewhere: {leaked:?}")
        })?;
    }
    Ok(())
}

/// The control run: a datagram and a connection of another program in the caller's namespace.
fn planted_leaks_are_found(network: &Network) -> Outcome {
    let space = client(network, ALICE);
    let turn = client(network, TURN).address();
    let script =
        format!("echo leak > /dev/udp/192.0.2.1/53; timeout 5 bash -c '</dev/tcp/{turn}/9'; true");
    let mut planted = Command::new("bash");
    planted
        .args(["-c", &script])
        .stderr(std::process::Stdio::null());
    let mut child = space.spawn(planted).map_err(|e| e.to_string())?;
    child.wait().map_err(|e| e.to_string())?;
    let expected = [
        (IpAddr::from([192, 0, 2, 1]), 53, Protocol::Udp),
        (turn.into(), 9, Protocol::Tcp),
    ];
    // The router reads its devices on a thread of its own.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let found = leaks(network, space);
        let seen = |e: &(IpAddr, u16, Protocol)| {
            found.iter().any(|c| (c.address, c.port, c.protocol) == *e)
        };
        if expected.iter().all(seen) {
            return Ok(());
        }
        check(Instant::now() < deadline, || {
            format!("not all were found: {found:?}")
        })?;
        std::thread::yield_now();
    }
}

struct World {
    network: Arc<Network>,
    alice: Person,
    bob: Person,
    spoken: String,
}

impl World {
    async fn call(&self, legs: &str, bob: &mut tacit_e2e::person::Running) -> Outcome {
        let heard = self.alice.dir.join("heard.wav").display().to_string();
        let files = ["--audio-in", &self.spoken, "--audio-out", &heard];
        let fixed = ["call", "bob", "--legs", legs, "--duration", "8"];
        let mut alice = self.alice.tacit(&[&fixed[..], &files].concat())?;
        let connected = |e: &serde_json::Value| e["state"] == "connected";
        alice.wait_for("connection", STEP, connected).await?;
        for who in [&mut alice, bob] {
            who.wait_for("end of the call", STEP, |e| e["event"] == "ended")
                .await?;
        }
        let ended = alice.end_at_once(STEP).await?;
        check(ended.code == Some(0), || format!("{ended:?}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_tor_leaves_a_client() {
    let mut wanted = wanted("leak");
    if let Some(why) = lacking() {
        return skipped("leaks", &why);
    }
    wanted.link_delay = Duration::from_millis(5);
    let config = Config {
        link: Link::Namespaces {
            clients: 4,
            one_way: wanted.link_delay,
            jitter: Duration::from_millis(1),
        },
        ..Config::default()
    };
    let network = match Network::start(config, |progress| tell(&format!("  {progress}"))).await {
        Ok(network) => Arc::new(network),
        Err(error) if error.is_unavailable() => return skipped("leaks", &error),
        Err(error) => panic!("{error}"),
    };
    let place = |index| Place::Namespace(Arc::clone(&network), index);
    let space = client(&network, TURN);
    let options = CoturnOptions {
        ip: space.address().into(),
        ..CoturnOptions::default()
    };
    let coturn = space
        .run(move || Coturn::start(options))
        .expect("coturn starts");
    let (server, address) = server(&wanted, &network, &coturn, &place(SERVER))
        .await
        .expect("the server starts");
    let mut alice = person("alice", &wanted, &network, &address).expect("a folder");
    let mut bob = person("bob", &wanted, &network, &address).expect("a folder");
    (alice.place, bob.place) = (place(ALICE), place(BOB));
    let spoken = wanted.out.join("spoken.wav");
    write_wav(&spoken, &assemble(Text::A, 15).expect("speech")).expect("written");
    let spoken = spoken.display().to_string();
    let world = World {
        network,
        alice,
        bob,
        spoken,
    };
    let mut all = Scenarios::default();
    run(&world, &mut all).await;
    all.run("the server stops", async {
        server.interrupt(STEP).await.map(drop)
    })
    .await;
    all.run("control: planted leaks are found", async {
        planted_leaks_are_found(&world.network)
    })
    .await;
    all.finish();
}

async fn run(world: &World, all: &mut Scenarios) {
    let say = |line: &str| tell(&format!("  {line}"));
    let met = all
        .run("invite and accept", meet(&world.alice, &world.bob, &say))
        .await;
    if met.is_none() {
        return;
    }
    let heard = world.bob.dir.join("heard-{call}.wav").display().to_string();
    let args = [
        "listen",
        "--answer",
        "4",
        "--audio-in",
        &world.spoken,
        "--audio-out",
        &heard,
    ];
    let listening = all.run("listening", async {
        let mut bob = world.bob.tacit(&args)?;
        bob.wait_for("reachability", STEP, |e| {
            e["event"] == "listening" && e["reachable"] == e["total"] && e["total"] != 0
        })
        .await?;
        Ok(bob)
    });
    let Some(mut bob) = listening.await else {
        return;
    };
    all.run("a call over onion legs", world.call("onion", &mut bob))
        .await;
    all.run("a call over TURN legs", world.call("turn", &mut bob))
        .await;
    all.run("the callee stops", async {
        bob.interrupt(STEP).await.map(drop)
    })
    .await;
    all.run("no packet but to relays", async {
        nothing_leaked(&world.network)
    })
    .await;
}
