//! Where things are on this computer (XDG Base Directory Specification).

use std::path::PathBuf;

use tacit_types::Reason;

use crate::Failure;
use crate::args::Global;

/// A folder of ours; nothing if neither its variable nor HOME says where.
fn xdg(variable: &str, fallback: &str) -> Option<PathBuf> {
    // The specification says to ignore relative values.
    let absolute = |name: &str| {
        let value = std::env::var_os(name).map(PathBuf::from);
        value.filter(|p| p.is_absolute())
    };
    let base = absolute(variable).or_else(|| Some(absolute("HOME")?.join(fallback)));
    base.map(|p| p.join("tacit"))
}

fn named_profile(global: &Global) -> Option<PathBuf> {
    let named = global.profile.clone();
    named.or_else(|| xdg("XDG_DATA_HOME", ".local/share"))
}

/// Refuses to run where it is not known where a person's files are: what was kept in the current
/// folder would not be found from another one.
///
/// # Errors
/// [`Reason::ProfileNoPlace`].
pub(crate) fn check(global: &Global) -> Result<(), Failure> {
    named_profile(global).map_or_else(|| Err(Reason::ProfileNoPlace.into()), |_| Ok(()))
}

/// The encrypted profile's folder, which [`check`] has asked for.
#[must_use]
pub(crate) fn profile(global: &Global) -> PathBuf {
    named_profile(global).unwrap_or_default()
}

/// The configuration file, and whether it was named by the person. Without any other place it is in
/// the profile's folder.
#[must_use]
pub(crate) fn config(global: &Global) -> (PathBuf, bool) {
    match &global.config {
        Some(path) => (path.clone(), true),
        None => {
            let folder = xdg("XDG_CONFIG_HOME", ".config").unwrap_or_else(|| profile(global));
            (folder.join("config.toml"), false)
        }
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
    let shared = xdg("XDG_CACHE_HOME", ".cache").filter(|_| global.profile.is_none());
    shared.map_or_else(|| profile(global).join("tor-cache"), |p| p.join("tor"))
}
