//! From the command line to a running engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tacit_audio::{DeviceChoice, Sink, Source};
use tacit_engine::network::{Network, NetworkState};
use tacit_engine::store::Store;
use tacit_engine::tor::TorNetwork;
use tacit_engine::{Engine, EngineConfig, EventStream};
use tacit_profile::Profile;
use tacit_tor::{ArtiConfig, ControlAuth, ControlPort, SystemTorConfig, TorConfig};
use tacit_types::{Cells, OnionKey, Reason};

use crate::Failure;
use crate::args::{Audio, Global, Lab};
use crate::config::{Config, TorMode};
use crate::folders;
use crate::interact::ctrl_c;
use crate::output::Output;
use crate::passphrase;

/// The profile as the engine's store.
struct ProfileStore(Profile);

impl Store for ProfileStore {
    fn save(&mut self, snapshot: &[u8]) -> Result<(), Reason> {
        self.0.save(snapshot).map_err(|e| e.reason())
    }
}

/// Reads the configuration.
pub(crate) fn config(global: &Global) -> Result<Config, Failure> {
    let (path, named) = folders::config(global);
    Config::load(&path, named).map_err(|e| Failure::new(Reason::ConfigInvalid, e))
}

/// An open profile, and the snapshot in it unless it is new.
pub(crate) type Opened = (Box<dyn Store>, Option<Vec<u8>>);

/// Opens the profile with its passphrase.
pub(crate) fn open_profile(global: &Global) -> Result<Opened, Failure> {
    let folder = folders::profile(global);
    if !Profile::exists(&folder) {
        return Err(Reason::ProfileMissing.into());
    }
    let passphrase = passphrase::read(global.passphrase_file.as_deref(), "Passphrase: ")
        .map_err(|(reason, detail)| Failure::new(reason, detail))?;
    let (profile, content) =
        Profile::open(&folder, passphrase.as_bytes()).map_err(|e| Failure::new(e.reason(), e))?;
    let snapshot = (!content.is_empty()).then(|| content.to_vec());
    Ok((Box::new(ProfileStore(profile)), snapshot))
}

/// Makes an empty profile.
pub(crate) fn create_profile(global: &Global) -> Result<PathBuf, Failure> {
    let folder = folders::profile(global);
    if Profile::exists(&folder) {
        return Err(Reason::ProfileExists.into());
    }
    let passphrase =
        passphrase::read_new(global.passphrase_file.as_deref()).map_err(|(reason, detail)| {
            match reason {
                // There is nothing yet that could be locked.
                Reason::ProfileLocked => Failure::new(Reason::ProfileNewPassphrase, detail),
                reason => Failure::new(reason, detail),
            }
        })?;
    Profile::create(&folder, passphrase.as_bytes(), &[])
        .map_err(|e| Failure::new(e.reason(), e))?;
    Ok(folder)
}

/// What the configuration says about Tor.
pub(crate) fn tor_config(global: &Global, config: &Config) -> Result<TorConfig, Failure> {
    let tor = &config.tor;
    if tor.mode == TorMode::System {
        let control = tor.control.map(|addr| ControlPort {
            addr,
            auth: ControlAuth::Cookie,
        });
        return Ok(TorConfig::System(SystemTorConfig::new(tor.socks, control)));
    }
    let mut arti = ArtiConfig::new(folders::tor_state(global), folders::tor_cache(global));
    arti.bootstrap_timeout = Duration::from_secs(tor.start_timeout_s);
    arti.dangerous_allow_local_exits = tor.dangerous_allow_local_exits;
    arti.dangerous_double_guard_exposure = tor.dangerous_double_guard_exposure;
    if let Some(path) = &tor.arti {
        let path = &beside_configuration(global, path);
        let text = std::fs::read_to_string(path).map_err(|e| {
            Failure::new(
                Reason::ConfigInvalid,
                format!("tor.arti: {}: {e}", path.display()),
            )
        })?;
        arti.extra_toml = Some(text);
    }
    Ok(TorConfig::Arti(arti))
}

/// A relative path in the configuration is relative to it.
fn beside_configuration(global: &Global, path: &Path) -> PathBuf {
    let (file, _) = folders::config(global);
    file.parent()
        .map_or_else(|| path.to_owned(), |folder| folder.join(path))
}

/// Reads the configuration and everything that it names.
pub(crate) fn checked_config(global: &Global) -> Result<Config, Failure> {
    let config = config(global)?;
    tor_config(global, &config)?
        .check()
        .map_err(|e| Failure::new(Reason::ConfigInvalid, format!("tor.arti: {e}")))?;
    Ok(config)
}

/// Whether nobody can reach this person's own addresses.
pub(crate) fn is_unreachable(config: &Config) -> bool {
    config.tor.mode == TorMode::System && config.tor.control.is_none()
}

/// Begins to start Tor.
pub(crate) fn launch_tor(global: &Global, config: &Config) -> Result<TorNetwork, Failure> {
    Ok(TorNetwork::launch(tor_config(global, config)?))
}

/// Waits until Tor is ready, showing how far it is.
pub(crate) async fn tor_ready(tor: &TorNetwork, output: &mut Output) -> Result<(), Failure> {
    let mut states = tor.watch();
    let ready = tor.ready();
    tokio::pin!(ready);
    loop {
        if let NetworkState::Running(now) = &*states.borrow_and_update() {
            output.tor_progress(now.percent, &now.stage);
        }
        tokio::select! {
            outcome = &mut ready => return Ok(outcome?),
            Ok(()) = states.changed() => {}
            () = ctrl_c() => return Err(Reason::Interrupted.into()),
        }
    }
}

/// What a command adds to the configuration.
#[derive(Default)]
pub(crate) struct Wishes<'a> {
    pub audio: Option<&'a Audio>,
    pub lab: Option<&'a Lab>,
    pub cells: Option<Cells>,
}

/// Starts an engine on a network.
pub(crate) fn start_engine(
    network: Arc<dyn Network>,
    profile: (Box<dyn Store>, Option<Vec<u8>>),
    config: &Config,
    wishes: &Wishes<'_>,
) -> Result<(Engine, EventStream), Failure> {
    let (store, snapshot) = profile;
    let mut engine = EngineConfig::new(network, store);
    engine.snapshot = snapshot;
    engine.legs = config.calls.legs;
    engine.cells = wishes.cells.unwrap_or(config.calls.cells);
    engine.credentials = onion(config.servers.credentials.as_deref())?;
    engine.mailbox_server = mailbox_server(config)?;
    engine.dangerous_allow_local_candidates = config.servers.dangerous_allow_local_candidates;
    let audio = AudioPlan::new(config, wishes.audio);
    engine.audio = Box::new(move |call| audio.open(call.0));
    if let Some(lab) = wishes.lab {
        engine.measure_pings = lab.measure_pings;
        engine.dangerous_report_circuits = lab.dangerous_report_circuits;
        let trace = lab.trace.clone();
        engine.trace = Box::new(move |call| trace.as_deref().map(|t| for_call(t, call.0)));
    }
    Ok(Engine::start(engine)?)
}

/// The mailbox server for new addresses, if one is set.
pub(crate) fn mailbox_server(config: &Config) -> Result<Option<OnionKey>, Failure> {
    onion(config.servers.mailbox.as_deref())
}

fn onion(text: Option<&str>) -> Result<Option<OnionKey>, Failure> {
    text.map(|t| {
        tacit_tor::parse_onion_address(t).map_err(|e| Failure::new(Reason::ConfigInvalid, e))
    })
    .transpose()
}

/// `{call}` in a file name becomes the call's number.
fn for_call(path: &Path, call: u64) -> PathBuf {
    path.to_str().map_or_else(
        || path.to_owned(),
        |p| p.replace("{call}", &call.to_string()).into(),
    )
}

struct AudioPlan {
    audio_in: Option<PathBuf>,
    audio_out: Option<PathBuf>,
    input: DeviceChoice,
    output: DeviceChoice,
}

impl AudioPlan {
    fn new(config: &Config, wish: Option<&Audio>) -> Self {
        let device = |name: Option<&String>| {
            name.map_or(DeviceChoice::Default, |n| DeviceChoice::Named(n.clone()))
        };
        Self {
            audio_in: wish.and_then(|a| a.audio_in.clone()),
            audio_out: wish.and_then(|a| a.audio_out.clone()),
            input: device(
                wish.and_then(|a| a.input.as_ref())
                    .or(config.audio.input.as_ref()),
            ),
            output: device(
                wish.and_then(|a| a.output.as_ref())
                    .or(config.audio.output.as_ref()),
            ),
        }
    }

    fn open(&self, call: u64) -> (Source, Sink) {
        let source = match &self.audio_in {
            Some(path) => Source::Wav(path.clone()),
            None => Source::Device(self.input.clone()),
        };
        let sink = match &self.audio_out {
            Some(path) => Sink::Wav(for_call(path, call)),
            None => Sink::Device(self.output.clone()),
        };
        (source, sink)
    }
}

/// Refuses sound files and devices that cannot be used, before anybody is rung.
pub(crate) async fn check_audio(global: &Global, audio: &Audio) -> Result<(), Failure> {
    check_files(audio)?;
    check_chosen_devices(&config(global)?, audio).await
}

/// Refuses sound files that cannot be used.
pub(crate) fn check_files(audio: &Audio) -> Result<(), Failure> {
    if let Some(path) = &audio.audio_in {
        tacit_audio::WavReader::open(path).map_err(|e| Failure::new(Reason::AudioBadFile, e))?;
    }
    if let Some(path) = &audio.audio_out {
        can_be_written(path)
            .map_err(|e| Failure::new(Reason::AudioBadFile, format!("{}: {e}", path.display())))?;
    }
    Ok(())
}

/// Opens the devices that a call would use, for a moment.
pub(crate) async fn check_chosen_devices(config: &Config, audio: &Audio) -> Result<(), Failure> {
    let plan = AudioPlan::new(config, Some(audio));
    let input = plan.audio_in.is_none().then_some(plan.input);
    let output = plan.audio_out.is_none().then_some(plan.output);
    check_devices(input, output).await
}

/// Opens the devices for a moment.
pub(crate) async fn check_devices(
    input: Option<DeviceChoice>,
    output: Option<DeviceChoice>,
) -> Result<(), Failure> {
    let source = input.map_or(Source::Silence, Source::Device);
    let sink = output.map_or(Sink::Discard, Sink::Device);
    let open = move || tacit_audio::open(source, sink).map(drop);
    match tokio::task::spawn_blocking(open).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(Failure::new(e.reason(), e)),
        Err(e) => Err(Failure::new(Reason::Internal, e)),
    }
}

/// Whether a file could be made or replaced there. It is not touched: the call may not come about.
fn can_be_written(path: &Path) -> std::io::Result<()> {
    use rustix::fs::{Access, access};
    if path.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    if path.exists() {
        access(path, Access::WRITE_OK)?;
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    Ok(access(
        folder.unwrap_or(Path::new(".")),
        Access::WRITE_OK | Access::EXEC_OK,
    )?)
}

/// The devices that the configuration names.
pub(crate) fn devices(config: &Config) -> (DeviceChoice, DeviceChoice) {
    let plan = AudioPlan::new(config, None);
    (plan.input, plan.output)
}
