//! `tacit server`: mailboxes for many people behind one onion service, and TURN credentials.

use std::path::Path;

use rand_core::OsRng;
use serde_json::json;
use tacit_engine::network::Network as _;
use tacit_legs::tls::SpkiPin;
use tacit_mailbox_server::{BoxedStream, CredentialMint, OperatedConfig, serve_operated};
use tacit_signaling::frame::Transport;
use tacit_tor::{Audience, OnionHost, OnionIdentity, onion_address};
use tacit_types::limits::ONION_PORT_SIGNALING;
use tacit_types::{Reason, SecretBytes};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::args::{Global, Server};
use crate::interact::ctrl_c;
use crate::output::Output;
use crate::private_file::PrivateFile;
use crate::{Failure, setup};

/// Streams that may wait for the server.
const INCOMING: usize = 256;

/// Serves until Ctrl-C.
pub(crate) async fn run(
    global: &Global,
    args: &Server,
    output: &mut Output,
) -> Result<(), Failure> {
    let config = setup::config(global)?;
    let mint = mint(args)?;
    let mints = mint.is_some();
    let identity = identity(args.identity.as_deref())?;
    let address = onion_address(identity.public());
    let tor = setup::launch_tor(global, &config)?;
    setup::tor_ready(&tor, output).await?;
    let host = OnionHost {
        identity,
        audience: Audience::Anyone,
        ports: vec![ONION_PORT_SIGNALING],
    };
    let mut hosted = tor.host(host).await.map_err(Failure::from)?;
    let (streams, incoming) = mpsc::channel::<BoxedStream>(INCOMING);
    let operated = OperatedConfig {
        max_connections: args.max_connections,
        mint,
    };
    let server = serve_operated(operated, incoming);
    let value = json!({"event": "server", "address": address});
    output.say(&value, &format!("Mailbox server at {address}"));
    if !mints {
        output.say(
            &json!({"event": "no_credentials"}),
            "Without --turn nobody gets TURN credentials here. People whose mailbox is here can be \
             called only if they and their callers have `servers.credentials` set to another server.",
        );
    }
    let reachable = hosted.reachable();
    tokio::pin!(reachable);
    let mut told = false;
    let outcome = loop {
        tokio::select! {
            up = &mut reachable, if !told => {
                told = true;
                if up {
                    output.say(&json!({"event": "reachable"}), "Reachable. Ctrl-C to stop.");
                }
            }
            stream = hosted.accept() => match stream {
                // A full queue means a flood: the stream is dropped.
                Some((_, stream)) => drop(streams.try_send(Box::new(stream))),
                None => break Err(Reason::TorLost.into()),
            },
            () = ctrl_c() => break Ok(()),
        }
    };
    let summary = server.stop().await;
    let value =
        json!({"event": "stopped", "streams": summary.streams, "dropped": summary.drops.total()});
    output.say(
        &value,
        &format!("Stopped after {} streams.", summary.streams),
    );
    tor.shutdown().await;
    outcome
}

fn mint(args: &Server) -> Result<Option<CredentialMint>, Failure> {
    let (Some(server), Some(secret), Some(certificate)) =
        (args.turn, &args.turn_secret_file, &args.turn_certificate)
    else {
        return Ok(None);
    };
    let invalid = |what: &Path, e: &dyn std::fmt::Display| {
        Failure::new(Reason::ConfigInvalid, format!("{}: {e}", what.display()))
    };
    let secret_text =
        Zeroizing::new(std::fs::read_to_string(secret).map_err(|e| invalid(secret, &e))?);
    let secret_bytes = secret_text.trim().as_bytes().to_vec();
    if secret_bytes.is_empty() {
        return Err(invalid(secret, &"the secret is empty"));
    }
    let pem = std::fs::read(certificate).map_err(|e| invalid(certificate, &e))?;
    let pin = SpkiPin::of_pem(&pem).map_err(|e| invalid(certificate, &e))?;
    Ok(Some(CredentialMint::new(
        Transport::Tls,
        server,
        pin.0,
        Zeroizing::new(secret_bytes),
    )))
}

/// Reads the identity, or makes it and keeps it where it was asked to be.
fn identity(path: Option<&Path>) -> Result<OnionIdentity, Failure> {
    let Some(path) = path else {
        return Ok(OnionIdentity::generate(&mut OsRng));
    };
    let failed = |e: &dyn std::fmt::Display| {
        Failure::new(Reason::ConfigInvalid, format!("{}: {e}", path.display()))
    };
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let seed =
                unhex(text.trim()).ok_or_else(|| failed(&"not an identity of tacit-server"))?;
            Ok(OnionIdentity::from_seed(SecretBytes::new(seed)))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let identity = OnionIdentity::generate(&mut OsRng);
            let text: String = identity
                .seed()
                .expose()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            PrivateFile::create(path)
                .and_then(|file| file.write(text.as_bytes()))
                .map_err(|e| failed(&e))?;
            Ok(identity)
        }
        Err(e) => Err(failed(&e)),
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(bytes)
}
