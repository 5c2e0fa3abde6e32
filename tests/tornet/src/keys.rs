//! Keys and fingerprints of relays, made once and cached between runs.
//!
//! A 3072-bit authority identity takes seconds to make, so each relay name has a directory in the
//! cache with tor's own key files and `identity.json`. Relays run on copies.
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::Error;
use crate::identity::Role;
use crate::workdir::private_directory;

const IDENTITY_FILE: &str = "identity.json";
/// Authority certificates are made for twelve months and replaced two months before the end.
const CERTIFICATE_MONTHS: &str = "12";
const MAX_AGE: Duration = Duration::from_secs(300 * 24 * 3600);
/// Any non-empty passphrase does: the identity key only ever signs for this network.
const PASSPHRASE: &[u8] = b"test network\n";

/// A relay's public identities.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Identity {
    pub(crate) rsa: String,
    pub(crate) ed: String,
    pub(crate) v3: Option<String>,
}

/// The cache directory that is used when none is given.
pub(crate) fn default_cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    base.join("tacit-tornet").join("keys")
}

/// Puts the keys of relay `name` into `data/keys`, from the cache or made now. Returns whether
/// they were made.
pub(crate) fn provide(
    tor: &Path,
    cache: &Path,
    name: &str,
    role: Role,
    data: &Path,
) -> Result<(Identity, bool), Error> {
    let cached = cache.join(name);
    let keys = data.join("keys");
    private_directory(&keys)?;
    if let Some(identity) = load(&cached) {
        copy_files(&cached, &keys)?;
        return Ok((identity, false));
    }
    let v3 = match role {
        Role::Authority => Some(authority_certificate(&keys, name)?),
        Role::Middle | Role::Exit => None,
    };
    let rsa = fingerprint(tor, data, name, &[])?
        .split_whitespace()
        .skip(1)
        .collect();
    let ed = fingerprint(tor, data, name, &["ed25519"])?
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .trim_end_matches('=')
        .to_owned();
    let identity = Identity { rsa, ed, v3 };
    store(cache, name, &keys, &identity)?;
    Ok((identity, true))
}

fn load(cached: &Path) -> Option<Identity> {
    let path = cached.join(IDENTITY_FILE);
    let made = fs::metadata(&path).ok()?.modified().ok()?;
    if SystemTime::now()
        .duration_since(made)
        .is_ok_and(|age| age > MAX_AGE)
    {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes to a neighbour first, so that a cache entry is whole or absent, whoever else writes it.
fn store(cache: &Path, name: &str, keys: &Path, identity: &Identity) -> Result<(), Error> {
    private_directory(cache)?;
    let fresh = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(cache)
        .map_err(|e| Error::file(cache, e))?;
    copy_files(keys, fresh.path())?;
    let json = serde_json::to_vec(identity).expect("strings serialise");
    let file = fresh.path().join(IDENTITY_FILE);
    fs::write(&file, json).map_err(|e| Error::file(file, e))?;
    let target = cache.join(name);
    if load(&target).is_some() {
        return Ok(()); // another network was faster; ours run with what they have
    }
    let _ = fs::remove_dir_all(&target);
    fs::rename(fresh.path(), &target).or_else(|e| match load(&target) {
        Some(_) => Ok(()),
        None => Err(Error::file(target, e)),
    })
}

fn copy_files(from: &Path, to: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(from).map_err(|e| Error::file(from, e))? {
        let entry = entry.map_err(|e| Error::file(from, e))?;
        let target = to.join(entry.file_name());
        fs::copy(entry.path(), &target).map_err(|e| Error::file(target, e))?;
    }
    Ok(())
}

/// Runs tor-gencert and returns the v3 identity's fingerprint.
fn authority_certificate(keys: &Path, name: &str) -> Result<String, Error> {
    let mut child = Command::new("tor-gencert")
        .args([
            "--create-identity-key",
            "--passphrase-fd",
            "0",
            "-m",
            CERTIFICATE_MONTHS,
        ])
        .args(["-i".into(), keys.join("authority_identity_key")])
        .args(["-s".into(), keys.join("authority_signing_key")])
        .args(["-c".into(), keys.join("authority_certificate")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| spawn_error(e, "tor-gencert"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // If it ended early its own message, below, says more than a broken pipe.
        let _ = stdin.write_all(PASSPHRASE);
    }
    let output = child.wait_with_output().map_err(|source| Error::System {
        what: "waiting for tor-gencert",
        source,
    })?;
    let path = keys.join("authority_certificate");
    let certificate = fs::read_to_string(path).unwrap_or_default();
    certificate
        .lines()
        .find_map(|line| line.strip_prefix("fingerprint "))
        .map(str::to_owned)
        .ok_or_else(|| Error::Program {
            program: format!("tor-gencert for {name}"),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
}

/// The last line of `tor --list-fingerprint`, which makes the keys if they do not exist.
fn fingerprint(tor: &Path, data: &Path, name: &str, kind: &[&str]) -> Result<String, Error> {
    // tor refuses /dev/null as a configuration file, and without one reads the system's.
    let empty = data.join("empty");
    fs::write(&empty, "").map_err(|e| Error::file(&empty, e))?;
    let output = Command::new(tor)
        .arg("--quiet")
        .arg("-f")
        .arg(&empty)
        .arg("--defaults-torrc")
        .arg(&empty)
        .arg("--DataDirectory")
        .arg(data)
        .args(["--Nickname", name, "--ORPort", "1", "--list-fingerprint"])
        .args(kind)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| spawn_error(e, "tor"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().rfind(|line| line.starts_with(name)) {
        Some(line) if output.status.success() => Ok(line.to_owned()),
        _ => Err(Error::Program {
            program: format!("tor --list-fingerprint for {name}"),
            output: format!(
                "{} {}",
                text.trim(),
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        }),
    }
}

pub(crate) fn spawn_error(source: std::io::Error, program: &str) -> Error {
    match source.kind() {
        std::io::ErrorKind::NotFound => Error::Missing {
            program: program.into(),
            package: "tor",
        },
        _ => Error::System {
            what: "starting a program",
            source,
        },
    }
}
