//! `results`: the grid of the goals, and the page that tells whether they were reached.

mod goals;
mod grid;
mod page;
mod tables;

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use tacit_bench::audio::Studio;
use tacit_bench::exit::{self, Scored};
use tacit_bench::hearing::Buffer;
use tacit_bench::line::{CallLine, Setting};
use tacit_bench::sim::Contender;
use tacit_circuits::Mode;
use tacit_circuits::strategies::Kind;

use crate::Failure;
use crate::args::ResultsArgs;
use crate::progress::Progress;
use crate::runner::Runner;

use self::grid::{ALOUD_CALLS, CALLS, Grid, SCORED, Scene, TUNING};

/// Simulates the grid, and writes the page.
pub(crate) fn run(args: &ResultsArgs) -> Result<ExitCode, Failure> {
    let grid = if args.quick {
        Grid::quick()
    } else {
        let whole = args.calls >= CALLS && args.pesq >= ALOUD_CALLS;
        let seed = if whole { SCORED } else { TUNING };
        Grid::full(args.calls, args.pesq, args.seed.unwrap_or(seed))
    };
    let program = Program::running()?;
    let cache = Cache::new(args, &grid, &program)?;
    let calls = simulate(args, &grid, &cache)?;
    let live = live_tor(args, &grid, &cache)?;
    let missed = page::write(&args.out, &grid, &program, &calls, &live)?;
    Ok(if args.fail_if_missed && missed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Which code the figures are of.
pub(crate) struct Program {
    /// Of the executable's bytes.
    hash: String,
    /// What git says about the folder, if there is any.
    commit: Option<String>,
}

impl Program {
    fn running() -> Result<Self, Failure> {
        let bytes = fs::read(std::env::current_exe()?)?;
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        let git = Command::new("git")
            .args(["describe", "--always", "--dirty"])
            .stderr(Stdio::null())
            .output();
        let said = git.ok().filter(|output| output.status.success());
        Ok(Self {
            hash: format!("{:016x}", hasher.finish()),
            commit: said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        })
    }
}

/// Calls as they were measured over live Tor, by the buffer's name.
type LiveTor = Vec<(String, Vec<Scored>)>;

fn live_tor(args: &ResultsArgs, grid: &Grid, cache: &Cache) -> Result<LiveTor, Failure> {
    // A file of its own, as the calls have.
    let file = cache.folder.join("live-tor.json");
    if args.resume && file.is_file() {
        return Ok(serde_json::from_str(&fs::read_to_string(file)?)?);
    }
    if args.no_simulate {
        return Ok(LiveTor::new());
    }
    let studio = Studio::new()?;
    let runner = Runner::new(args.jobs, args.quiet)?;
    let progress = runner.progress(u64::from(grid.aloud) * exit::BUFFERS.len() as u64);
    let one = |buffer: Buffer| -> Result<_, Failure> {
        progress.doing(format!("live Tor ({})", buffer.name()));
        let scores = runner.install(|| exit::scores(&studio, buffer, grid.aloud, grid.seed))?;
        progress.done(u64::from(grid.aloud));
        Ok((buffer.name(), scores))
    };
    let scored: LiveTor = exit::BUFFERS
        .into_iter()
        .map(one)
        .collect::<Result<_, _>>()?;
    drop(progress);
    fs::write(file, serde_json::to_string(&scored)?)?;
    Ok(scored)
}

/// Everything that was simulated, by scene and contender.
pub(crate) struct Calls(HashMap<String, Vec<CallLine>>);

impl Calls {
    /// The calls of a contender in a scene; none if it was not run.
    fn of(&self, mode: Mode, scene: &str, strategy: Kind, buffer: Buffer) -> &[CallLine] {
        let key = key(mode, scene, Contender::new(strategy, buffer));
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }

    /// With our playout.
    fn ours(&self, mode: Mode, scene: &str, strategy: Kind) -> &[CallLine] {
        self.of(mode, scene, strategy, Buffer::Tacit)
    }
}

fn key(mode: Mode, scene: &str, contender: Contender) -> String {
    let Contender { strategy, buffer } = contender;
    format!("{mode}-{scene}-{strategy}-{}", buffer.name())
}

fn simulate(args: &ResultsArgs, grid: &Grid, cache: &Cache) -> Result<Calls, Failure> {
    let runner = Runner::new(args.jobs, args.quiet)?;
    let scenes = grid.scenes();
    let progress = runner.progress(scenes.iter().map(Scene::calls).sum());
    let mut all = HashMap::new();
    let mut studio = None;
    for scene in &scenes {
        for contender in &scene.contenders {
            let key = key(scene.plan.scenario.mode, scene.name, *contender);
            let calls = match cache.read(&key, scene, *contender)? {
                Some(calls) => {
                    progress.skipped(u64::from(scene.plan.calls));
                    calls
                }
                None if args.no_simulate => continue,
                None => one(
                    &runner,
                    scene,
                    *contender,
                    &mut studio,
                    &progress,
                    cache,
                    &key,
                )?,
            };
            all.insert(key, calls);
        }
    }
    Ok(Calls(all))
}

fn one(
    runner: &Runner,
    scene: &Scene,
    contender: Contender,
    studio: &mut Option<Studio>,
    progress: &Progress,
    cache: &Cache,
    key: &str,
) -> Result<Vec<CallLine>, Failure> {
    let aloud = if scene.aloud { scene.plan.calls } else { 0 };
    if scene.aloud && studio.is_none() {
        *studio = Some(Studio::new()?);
    }
    let sound = (aloud, studio.as_ref());
    let (calls, _) = runner.calls(&scene.plan, contender, sound, progress, |_| Ok(()))?;
    cache.write(key, &calls)?;
    Ok(calls)
}

/// A file of lines for each contender in a scene.
struct Cache {
    folder: PathBuf,
    resume: bool,
}

impl Cache {
    fn new(args: &ResultsArgs, grid: &Grid, program: &Program) -> Result<Self, Failure> {
        let name = format!("{}-{}", program.hash, grid.name());
        let folder = args.cache.join(name);
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Self {
            folder,
            resume: args.resume,
        })
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.jsonl"))
    }

    /// What is there, if it is what is wanted.
    fn read(
        &self,
        key: &str,
        scene: &Scene,
        contender: Contender,
    ) -> Result<Option<Vec<CallLine>>, Failure> {
        let path = self.path(key);
        if !self.resume || !path.is_file() {
            return Ok(None);
        }
        let lines = BufReader::new(fs::File::open(&path)?).lines();
        let parse = |line: Result<String, std::io::Error>| -> Result<CallLine, Failure> {
            Ok(serde_json::from_str(&line?)?)
        };
        let calls: Result<Vec<CallLine>, Failure> = lines.map(parse).collect();
        let calls = calls.map_err(|e| format!("{}: {e}", path.display()))?;
        let setting = Setting::new(&scene.plan, contender);
        let wanted =
            |call: &CallLine| call.setting == setting && call.pesq.is_some() == scene.aloud;
        let complete = calls.len() == scene.plan.calls as usize && calls.iter().all(wanted);
        Ok(complete.then_some(calls))
    }

    /// Whole files only, so that a run that was broken off can be resumed.
    fn write(&self, key: &str, calls: &[CallLine]) -> Result<(), Failure> {
        let partial = self.folder.join(format!("{key}.partial"));
        let mut file = fs::File::create(&partial)?;
        for call in calls {
            writeln!(file, "{}", serde_json::to_string(call)?)?;
        }
        Ok(fs::rename(partial, self.path(key))?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
