//! `tacit doctor`: what works on this computer and what does not.

use serde_json::json;
use tacit_engine::network::Network as _;
use tacit_profile::Profile;

use tacit_audio::{DeviceChoice, Direction};

use crate::args::{Doctor, Global};
use crate::output::Output;
use crate::{Failure, folders, setup};

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
                    &format!(
                        "  WRONG {what}: {}. {}",
                        text.trim_end_matches('.'),
                        failure.reason.next_action()
                    ),
                );
                first.get_or_insert(failure);
            }
        };
    let config = setup::checked_config(global);
    let (file, _) = folders::config(global);
    let mut words = file.display().to_string();
    if !file.exists() {
        words.push_str(" is not there, so everything is as it is without one");
    }
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
        .map_err(|e| Failure::new(e.reason(), format!("{e} ({})", folder.display())));
    check(output, "profile", profile);
    let (input, loudspeaker) = config
        .as_ref()
        .map_or_else(Default::default, setup::devices);
    let opened = setup::check_devices(Some(input.clone()), None).await;
    check(output, "microphone", opened.map(|()| chosen(&input)));
    let opened = setup::check_devices(None, Some(loudspeaker.clone())).await;
    check(output, "loudspeaker", opened.map(|()| chosen(&loudspeaker)));
    list_devices(output);
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

fn chosen(device: &DeviceChoice) -> String {
    match device {
        DeviceChoice::Default => "the system's default can be used".into(),
        DeviceChoice::Named(name) => format!("{name} can be used"),
    }
}

/// What --input and --output take.
fn list_devices(output: &mut Output) {
    for device in tacit_audio::list_devices() {
        let (direction, option) = match device.direction {
            Direction::Input => ("input", "--input"),
            Direction::Output => ("output", "--output"),
        };
        let value = json!({"event": "device", "direction": direction, "id": device.id,
            "name": device.name, "default": device.is_default});
        let default = if device.is_default {
            ", the default"
        } else {
            ""
        };
        output.say(
            &value,
            &format!("        {option} '{}': {}{default}", device.id, device.name),
        );
    }
}
