//! Two processes, as two people have them.

use std::path::PathBuf;
use std::process::Stdio;

use rand_core::OsRng;
use tacit_tor::{
    Audience, DiscoveryKeypair, OnionHost, OnionIdentity, Tor, TorConfig, TorProgress,
};
use tacit_types::SecretBytes;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::watch;

use crate::support::{Bench, Echo, arti_config, connect, round_trip, target, usage};

const FOLDER: &str = "TACIT_TOR_TEST_FOLDER";
const READER: &str = "TACIT_TOR_TEST_READER";

/// Not a test of its own: the second process of [`two_processes_talk`].
#[test]
fn child_process() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let reader: [u8; 32] = serde_bytes(&std::env::var(READER).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let toml = std::fs::read_to_string(folder.join("network.toml")).unwrap();
        let config = TorConfig::Arti(arti_config(toml, &folder));
        let progress = watch::Sender::new(TorProgress::default());
        let tor = Tor::start(config, progress).await.expect("bootstrap");
        let host = OnionHost {
            identity: OnionIdentity::from_seed(SecretBytes::new([42; 32])),
            audience: Audience::Only(vec![tacit_tor::DiscoveryKey(reader)]),
            ports: vec![1],
        };
        let echo = Echo::host(&tor, host).await;
        println!("CHILD ready");
        // Until the parent closes the pipe.
        let mut line = String::new();
        let _ = BufReader::new(tokio::io::stdin())
            .read_line(&mut line)
            .await;
        println!("CHILD {}", usage("hosting process"));
        echo.close().await;
        tor.shutdown().await;
        println!("CHILD done");
    });
}

fn serde_bytes(hex: &str) -> [u8; 32] {
    std::array::from_fn(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap())
}

pub(crate) async fn two_processes_talk(bench: &mut Bench) {
    let folder = bench.folder.path().join("child");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(
        folder.join("network.toml"),
        bench.network().arti_config_toml(),
    )
    .unwrap();
    let reader = DiscoveryKeypair::generate(&mut OsRng);
    let hex: String = reader
        .public()
        .0
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child::child_process", "--nocapture"])
        .env(FOLDER, &folder)
        .env(READER, hex)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    until(&mut lines, "CHILD ready").await;
    let identity = OnionIdentity::from_seed(SecretBytes::new([42; 32]));
    let target = target(identity.public(), Some(&reader));
    let mut stream = connect(&bench.client, &target).await.expect("a stream");
    for n in 0..25 {
        round_trip(&mut stream, &[n; 480]).await;
    }
    stdin.write_all(b"\n").await.unwrap();
    println!("   {}", until(&mut lines, "CHILD hosting process").await);
    until(&mut lines, "CHILD done").await;
    assert!(child.wait().await.unwrap().success());
}

async fn until(
    lines: &mut tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    wanted: &str,
) -> String {
    loop {
        let line = lines
            .next_line()
            .await
            .unwrap()
            .expect("the child ended early");
        if let Some(at) = line.find(wanted) {
            return line[at..].to_owned();
        }
    }
}
