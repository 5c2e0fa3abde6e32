//! Arti's configuration and folders.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use arti_client::TorClientConfig;
use arti_client::config::TorClientConfigBuilder;
use toml::{Table, Value};

use crate::{ArtiConfig, TorError, TorErrorKind, Vanguards};

/// Name of the file whose lock says that the state folder is in use.
const LOCK_FILE: &str = "tacit.lock";

/// Where Arti keeps the state of hosted services, below the state folder.
const SERVICE_STATE: &str = "hss";

/// Sections of Arti's configuration that are about the program `arti`, not about its client.
const PROGRAM_SECTIONS: &[&str] = &[
    "application",
    "logging",
    "metrics",
    "onion_services",
    "proxy",
    "rpc",
];

/// How many of the primary guards carry circuits side by side (Tor's guard specification).
const GUARDS_IN_USE: &str = "guard-n-primary-guards-to-use";

/// Makes the folders, takes the lock, and removes what an earlier run left of hosted services: their
/// keys were in memory only, so it is of no use, and nobody should count the services in it.
pub(super) fn prepare_folders(config: &ArtiConfig) -> Result<File, TorError> {
    let storage = |e: io::Error| TorError::with_detail(TorErrorKind::Storage, e);
    for folder in [&config.state_dir, &config.cache_dir] {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(storage)?;
    }
    let path = config.state_dir.join(LOCK_FILE);
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(storage)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(TorError::new(TorErrorKind::InUse)),
        Err(TryLockError::Error(e)) => return Err(storage(e)),
    }
    remove_service_state(&config.state_dir);
    Ok(lock)
}

/// Removes Arti's files about hosted services.
pub(super) fn remove_service_state(state_dir: &Path) {
    match std::fs::remove_dir_all(state_dir.join(SERVICE_STATE)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("old state of onion services could not be removed: {e}");
        }
        _ => {}
    }
}

/// The caller's extra settings, overlaid with ours.
pub(super) fn build(config: &ArtiConfig) -> Result<TorClientConfig, TorError> {
    let invalid = |e: &dyn core::fmt::Display| TorError::with_detail(TorErrorKind::Config, e);
    let mut table: Table = config
        .extra_toml
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|e| invalid(&e))?;
    table.retain(|section, _| !PROGRAM_SECTIONS.contains(&section));
    overlay(&mut table, ours(config)?);
    let mut unknown = Vec::new();
    let note = |path: serde_ignored::Path<'_>| unknown.push(path.to_string());
    let builder: TorClientConfigBuilder =
        serde_ignored::deserialize(Value::Table(table), note).map_err(|e| invalid(&e))?;
    // A mistyped `[bridges]` must not mean no bridges.
    if let Some(setting) = unknown.first() {
        return Err(invalid(&format_args!("Arti has no setting `{setting}`")));
    }
    builder.build().map_err(|e| invalid(&e))
}

fn ours(config: &ArtiConfig) -> Result<Table, TorError> {
    let text = |path: &Path| {
        let text = path.to_str().ok_or_else(|| {
            TorError::with_detail(TorErrorKind::Config, "a folder's name is not Unicode")
        })?;
        // Arti expands `~` and `${…}` in paths; ours are meant as they are.
        Ok(Value::Table(Table::from_iter([(
            "literal".into(),
            Value::String(text.into()),
        )])))
    };
    let keystore = toml::toml! { primary.kind = "ephemeral" };
    let vanguards = match config.vanguards {
        Vanguards::Lite => "lite",
        Vanguards::Full => "full",
    };
    let mut ours = Table::new();
    let mode = Table::from_iter([("mode".into(), Value::String(vanguards.into()))]);
    ours.insert("vanguards".into(), Value::Table(mode));
    let mut storage = Table::new();
    storage.insert("state_dir".into(), text(&config.state_dir)?);
    storage.insert("cache_dir".into(), text(&config.cache_dir)?);
    storage.insert("keystore".into(), Value::Table(keystore));
    ours.insert("storage".into(), Value::Table(storage));
    let local = Value::Boolean(config.dangerous_allow_local_exits);
    let filter = Table::from_iter([("allow_local_addrs".into(), local)]);
    ours.insert("address_filter".into(), Value::Table(filter));
    // The network's own value has been 2 since 2022: this one is said either way.
    let guards = if config.dangerous_double_guard_exposure {
        2
    } else {
        1
    };
    let parameters = Table::from_iter([(GUARDS_IN_USE.into(), Value::Integer(guards))]);
    ours.insert("override_net_params".into(), Value::Table(parameters));
    Ok(ours)
}

/// Lays `top` over `base`, table by table.
fn overlay(base: &mut Table, top: Table) {
    for (key, value) in top {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(extra: &str) -> ArtiConfig {
        let folder = std::env::temp_dir();
        let mut config = ArtiConfig::new(folder.join("state"), folder.join("cache"));
        config.extra_toml = Some(extra.into());
        config
    }

    #[test]
    fn settings_that_arti_does_not_have_are_refused() {
        for text in [
            "[nonsense]",
            "[bridge]\nenabled = true",
            "[tor_network]\nx = 1",
        ] {
            let error = build(&config(text)).expect_err(text);
            assert!(error.to_string().contains("has no setting"), "{error}");
        }
        let error = build(&config("not toml")).expect_err("broken");
        assert!(error.to_string().contains("line 1"), "{error}");
        assert!(build(&config("[proxy]\nsocks_listen = 0\n[address_filter]")).is_ok());
    }

    #[test]
    fn our_settings_win() {
        let ours = ours(&config("")).expect("valid");
        let mut table: Table = "[storage]\nstate_dir = \"/elsewhere\"\n\
            [storage.permissions]\ndangerously_trust_everyone = true\n\
            [storage.keystore.primary]\nkind = \"native\""
            .parse()
            .expect("valid");
        overlay(&mut table, ours);
        assert_ne!(
            table["storage"]["state_dir"],
            Value::String("/elsewhere".into())
        );
        assert_eq!(
            table["storage"]["keystore"]["primary"]["kind"],
            Value::String("ephemeral".into())
        );
        assert_eq!(
            table["storage"]["permissions"]["dangerously_trust_everyone"],
            Value::Boolean(true)
        );
        assert_eq!(table["vanguards"]["mode"], Value::String("lite".into()));
    }

    #[test]
    fn one_guard_is_in_use_unless_two_are_asked_for() {
        for (two, guards) in [(false, 1), (true, 2)] {
            let mut config = config("");
            config.dangerous_double_guard_exposure = two;
            let mut table: Table = "[override_net_params]\ncbtdisabled = 1\n\
                guard-n-primary-guards-to-use = 9"
                .parse()
                .expect("valid");
            overlay(&mut table, ours(&config).expect("valid"));
            let parameters = &table["override_net_params"];
            assert_eq!(parameters[GUARDS_IN_USE], Value::Integer(guards));
            assert_eq!(parameters["cbtdisabled"], Value::Integer(1));
            assert!(build(&config).is_ok());
        }
    }

    #[test]
    fn broken_extra_settings_say_so() {
        assert!(build(&config("")).is_ok());
        let error = build(&config("[storage")).map(drop).expect_err("not TOML");
        assert_eq!(error.kind(), TorErrorKind::Config);
        let error = build(&config("path_rules = 7"))
            .map(drop)
            .expect_err("wrong type");
        assert_eq!(error.kind(), TorErrorKind::Config);
    }

    #[test]
    fn one_process_a_state_folder() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let config = ArtiConfig::new(folder.path().join("state"), folder.path().join("cache"));
        let lock = prepare_folders(&config).expect("first");
        std::fs::create_dir_all(config.state_dir.join("hss/old")).expect("left-over");
        let error = prepare_folders(&config).expect_err("second");
        assert_eq!(error.kind(), TorErrorKind::InUse);
        assert!(
            config.state_dir.join("hss/old").exists(),
            "not ours to remove"
        );
        drop(lock);
        let _lock = prepare_folders(&config).expect("free again");
        assert!(!config.state_dir.join("hss").exists());
    }
}
