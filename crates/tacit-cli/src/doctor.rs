//! `tacit doctor`: what works on this computer and what does not.

use serde_json::json;
use tacit_engine::network::Network as _;
use tacit_profile::Profile;

use crate::args::{Doctor, Global};
use crate::output::Output;
use crate::{Failure, folders, setup};
use tacit_types::Reason;

/// Checks everything and fails with the first thing that is wrong.
pub(crate) async fn run(
    global: &Global,
    args: &Doctor,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut first: Option<Failure> = None;
    let mut check =
        |output: &mut Output, what: &str, outcome: Result<String, Failure>| match outcome {
            Ok(words) => {
                output.say(
                    &json!({"event": "check", "what": what, "ok": true, "text": words}),
                    &format!("  ok    {what}: {words}"),
                );
            }
            Err(failure) => {
                let text = failure
                    .detail
                    .clone()
                    .unwrap_or_else(|| failure.reason.text().into());
                let value = json!({"event": "check", "what": what, "ok": false,
                    "reason": failure.reason.code(), "text": text});
                output.say(
                    &value,
                    &format!("  WRONG {what}: {text} {}", failure.reason.next_action()),
                );
                first.get_or_insert(failure);
            }
        };
    let config = setup::config(global);
    let words = folders::config(global).0.display().to_string();
    let config = match config {
        Ok(config) => {
            check(output, "configuration", Ok(words));
            Some(config)
        }
        Err(failure) => {
            check(output, "configuration", Err(failure));
            None
        }
    };
    let folder = folders::profile(global);
    let profile = Profile::inspect(&folder)
        .map(|()| folder.display().to_string())
        .map_err(|e| Failure::new(e.reason(), e));
    check(output, "profile", profile);
    let devices = tacit_audio::list_devices();
    for (what, direction, missing) in [
        (
            "microphone",
            tacit_audio::Direction::Input,
            Reason::AudioNoInput,
        ),
        (
            "loudspeaker",
            tacit_audio::Direction::Output,
            Reason::AudioNoOutput,
        ),
    ] {
        let names: Vec<String> = devices
            .iter()
            .filter(|d| d.direction == direction)
            .map(|d| format!("{}{}", d.name, if d.is_default { " (default)" } else { "" }))
            .collect();
        let outcome = if names.is_empty() {
            Err(missing.into())
        } else {
            Ok(names.join(", "))
        };
        check(output, what, outcome);
    }
    if let Some(config) = config.filter(|_| !args.offline) {
        match setup::launch_tor(global, &config) {
            Ok(tor) => {
                let ready = setup::tor_ready(&tor, output).await;
                check(output, "Tor", ready.map(|()| "ready".into()));
                tor.shutdown().await;
            }
            Err(failure) => check(output, "Tor", Err(failure)),
        }
    }
    first.map_or(Ok(()), Err)
}
