//! Where things are on this computer (XDG Base Directory Specification).

use std::path::PathBuf;

use crate::args::Global;

fn xdg(variable: &str, fallback: &str) -> PathBuf {
    // The specification says to ignore relative values.
    let set = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|p| p.is_absolute());
    set.unwrap_or_else(|| {
        let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
        home.join(fallback)
    })
    .join("tacit")
}

/// The encrypted profile's folder.
#[must_use]
pub(crate) fn profile(global: &Global) -> PathBuf {
    global
        .profile
        .clone()
        .unwrap_or_else(|| xdg("XDG_DATA_HOME", ".local/share"))
}

/// The configuration file, and whether it was named by the person.
#[must_use]
pub(crate) fn config(global: &Global) -> (PathBuf, bool) {
    match &global.config {
        Some(path) => (path.clone(), true),
        None => (xdg("XDG_CONFIG_HOME", ".config").join("config.toml"), false),
    }
}

/// Tor's guards and vanguards: beside the profile, so that each profile has its own.
#[must_use]
pub(crate) fn tor_state(global: &Global) -> PathBuf {
    profile(global).join("tor")
}

/// The public Tor directory: beside the profile if that was named, so that two profiles on one
/// machine do not wait for each other.
#[must_use]
pub(crate) fn tor_cache(global: &Global) -> PathBuf {
    match &global.profile {
        Some(profile) => profile.join("tor-cache"),
        None => xdg("XDG_CACHE_HOME", ".cache").join("tor"),
    }
}
