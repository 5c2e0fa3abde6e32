//! Installs what is missing from Debian.

use crate::command::{is_installed, program, step};
use crate::failure::{Failure, Outcome};
use crate::packages::{Package, Purpose, missing, missing_for_sound};

/// Installs what `purpose` lacks; does nothing, quickly, when all is there.
pub(crate) fn run(purpose: Purpose) -> Outcome {
    let lacking = missing(purpose);
    if !lacking.is_empty() {
        install(&lacking)?;
        let still: Vec<_> = missing(purpose).iter().map(|p| p.name).collect();
        if !still.is_empty() {
            return Err(Failure::new(format!(
                "still missing after installing: {}",
                still.join(", ")
            ))
            .with_next_action("see apt's messages above"));
        }
    }
    let sound = missing_for_sound(purpose);
    if !sound.is_empty() && install(&sound).is_err() {
        step("going on without them: the test through sound devices will be skipped");
    }
    Ok(())
}

fn install(packages: &[&Package]) -> Outcome {
    step("these Debian packages are missing:");
    for package in packages {
        eprintln!("         {:<30} {}", package.name, package.why);
    }
    let names: Vec<_> = packages.iter().map(|p| p.name).collect();
    let by_hand = format!("apt-get install {}", names.join(" "));
    if !is_installed("apt-get") {
        return Err(
            Failure::new("this system has no apt-get").with_next_action(format!(
                "install what these Debian packages hold: {}",
                names.join(" ")
            )),
        );
    }
    let root = program("id", &["-u"])
        .run_reading(std::io::read_to_string)?
        .0;
    let is_root = root.is_ok_and(|id| id.trim() == "0");
    if !is_root && !is_installed("sudo") {
        return Err(Failure::new("installing needs root, and there is no sudo")
            .with_next_action(format!("as root: apt-get update && {by_hand}")));
    }
    if !is_root {
        step("installing them with sudo, which may ask for your password");
    }
    apt(is_root, &["update", "-q"]).map_err(|failure| {
        failure.with_next_action("check the network and /etc/apt/sources.list, then try again")
    })?;
    // Nothing that is installed is ever removed for Tacit's sake.
    let install = [
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        "--no-remove",
    ];
    let arguments: Vec<_> = install.into_iter().chain(names).collect();
    apt(is_root, &arguments).map_err(|failure| {
        failure.with_next_action(format!("see apt's messages above; by hand: {by_hand}"))
    })
}

fn apt(is_root: bool, arguments: &[&str]) -> Outcome {
    let mut words = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    words.extend(arguments);
    if !is_root {
        words.insert(0, "sudo");
    }
    program(words[0], &words[1..]).run()
}
