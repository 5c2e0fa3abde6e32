//! The page: everything in it is computed.

use core::fmt::Write as _;
use std::fs;
use std::path::Path;

use tacit_bench::hearing::Buffer;
use tacit_bench::html::{aloud, ear_p99, network_p99};
use tacit_bench::line::CallLine;
use tacit_bench::notes;
use tacit_bench::plots::{self, Curve};
use tacit_bench::row::Row;
use tacit_bench::sim::Contender;
use tacit_circuits::fit::{MODELLED, table};
use tacit_circuits::strategies::Kind;
use tacit_circuits::{CONGESTION, CORRELATION, MODEL, Mode, Place, VERSION};

use super::goals::{self, Value};
use super::grid::{
    ALOUD, ALOUD_BESIDE, ALOUD_CALLS, BASE, BASELINES, CALLS, CELLS, Grid, HEADLINE, LEGS, LONG,
    MODES,
};
use super::{Calls, LiveTor, Program, tables};
use crate::Failure;

/// Share of its calls below its bar with which `donar-double` does as well as it was published to.
const PREMISE: (f64, f64) = (0.80, 0.92);

/// Writes `results.md` and the plots beside it.
pub(super) fn write(
    out: &Path,
    grid: &Grid,
    program: &Program,
    calls: &Calls,
    live: &LiveTor,
) -> Result<usize, Failure> {
    let folder = out.join("results");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for (name, svg) in drawings(grid, calls)? {
        fs::write(folder.join(name), svg)?;
    }
    let path = out.join("results.md");
    fs::write(&path, text(grid, program, calls, live))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    println!("written: {} and {}", path.display(), folder.display());
    let missed = goals::all(goals::SHIPPED).into_iter().flat_map(|goal| {
        MODES.map(|mode| {
            goal.measure(calls, mode)
                .value()
                .map(|v| goal.is_reached(mode, v.value))
        })
    });
    let premises = MODES.map(|mode| goals::donars_own(calls, mode, BASE));
    let broken = premises.into_iter().flatten().filter(|v| !is_premise(v));
    Ok(missed.filter(|reached| *reached == Some(false)).count() + broken.count())
}

fn text(grid: &Grid, program: &Program, calls: &Calls, live: &LiveTor) -> String {
    let mut page = about(grid, program);
    page.push_str(&own_clients(calls));
    page.push_str(&precondition(grid, calls));
    page.push_str("## Goals\n\n");
    page.push_str(&tables::goals(calls, goals::SHIPPED));
    let _ = write!(
        page,
        "\n### With the circuits that a call begins with\n\n\
         The same if nobody replaces circuits that have not failed; over {} calls, {} of 90 minutes, and {} at 25 packets a second and with correlation, paired with the first ones of `donar-double`.\n\n",
        grid.kept_calls(),
        grid.long.0.div_ceil(4),
        grid.beside,
    );
    page.push_str(&tables::goals(calls, goals::CIRCUITS_KEPT));
    page.push_str(
        "\n### What replacing does\n\n`donar-*` keep their 12 links, as published. Of both people together; with `onion` a pair of circuits is one.\n\n",
    );
    page.push_str(&tables::replaced(calls));
    let _ = write!(
        page,
        "\n### What knowing circuits better brings, with the same policy\n\n\
         Over {} calls of 5 minutes, the same circuits at the same times for all four. *Told* is no contestant: the production scheduler, to which the simulator tells at every moment how long each circuit's queues are over seconds and minutes (levels), and which stalls have begun, without any delay; so it need not measure any leg now and then (`stale_interval` is without end). \
         No call can know that. It is no bound: another policy that is told the same may do better, as this one does with less crowding. The oracle knows each single packet's queues besides, which are new within 45 ms ([0014](decisions/0014-scheduler-policy.md)).\n\n",
        grid.beside,
    );
    page.push_str(&tables::told(calls));
    for mode in MODES {
        let _ = write!(page, "\n## `{mode}`\n\n");
        page.push_str(&tables::strategies(mode, calls));
        page.push_str(&plots_of(mode));
    }
    page.push_str("\n## Beside the goals\n\n");
    page.push_str(&clients());
    page.push_str(&tables::beside(calls));
    page.push_str("\n## Other places\n\n");
    page.push_str(&tables::places(calls));
    page.push_str("\n## Beside live Tor\n\n");
    page.push_str(&tables::live(live));
    page.push_str("\n## The fit of the model\n\n");
    page.push_str(&fit());
    page
}

/// The network is as congested as the one that Donar was measured in, if Donar does as well in it.
fn precondition(grid: &Grid, calls: &Calls) -> String {
    let mut said = format!(
        "The network is at {CONGESTION:.1} times the congestion of 2025, so that of the calls of `donar-double` with two guards 80 to 92 % stay below 360 ms, without which the rest means nothing (published: 86 %):",
    );
    said.push_str(&shares(calls, BASE));
    let _ = write!(
        said,
        " At a correlation of {CORRELATION}, over fewer calls:"
    );
    said.push_str(&shares(calls, HEADLINE));
    let (long, length) = grid.long;
    let minutes = length.as_secs() / 60;
    let _ = write!(said, " Over {long} calls of {minutes} minutes, at 0 again:");
    said.push_str(&shares(calls, LONG));
    said.push_str(" [Simulated circuits](circuits.md#congestion-2025-and-the-years-of-donar) has more of them, on other seeds.\n\n");
    said
}

/// Whether the premise holds in a scene.
fn shares(calls: &Calls, scene: &str) -> String {
    let mut said = String::new();
    for mode in MODES {
        let _ = match goals::donars_own(calls, mode, scene) {
            Some(share) => {
                let Value {
                    value,
                    interval: [low, high],
                    ..
                } = share;
                let word = if is_premise(&share) {
                    "within"
                } else if high >= PREMISE.0 && low <= PREMISE.1 {
                    "outside, with an interval that covers part of the band"
                } else {
                    "**outside**"
                };
                let (value, low, high) = (100.0 * value, 100.0 * low, 100.0 * high);
                write!(said, " `{mode}` {value:.1} % ({low:.0}–{high:.0}), {word};")
            }
            None => write!(said, " `{mode}` not run;"),
        };
    }
    said.pop();
    said.push('.');
    said
}

/// For whom the figures are, as far as that depends on the connection to the guard.
fn clients() -> String {
    let round_trip =
        |place: Place| MODEL.ack_distance * (MODEL.floor + MODEL.access[place.index()]);
    format!(
        "`tacit`'s Tor client acknowledges at once what its guard sends, which Linux and Android can do (TCP_QUICKACK); elsewhere the row with delayed acknowledgements holds. \
         How much that is worth depends on how near the guard is: the model's median round trip to it is {:.1} ms from `de`, below the 20 ms between packets, and {:.0} ms from `us`.\n\n",
        round_trip(Place::De),
        round_trip(Place::Us),
    )
}

/// Whether `donar-double` does as well as it was published to.
fn is_premise(share: &Value) -> bool {
    (PREMISE.0..=PREMISE.1).contains(&share.value)
}

/// Whose Tor client the figures are of.
fn own_clients(calls: &Calls) -> String {
    let ratio = |mode: Mode| {
        let ratio = tables::equal_clients(calls, mode)?;
        Some(format!("{ratio} in `{mode}`"))
    };
    let ratios: Vec<String> = MODES.into_iter().filter_map(ratio).collect();
    let equal = if ratios.is_empty() {
        String::new()
    } else {
        format!(
            " If both have Tacit's, `tacit` ÷ `donar-double` in network p99 of the median call is {} ([What replacing does](#what-replacing-does)).",
            ratios.join(" and ")
        )
    };
    format!(
        "- `tacit` and `oracle` run over Tacit's own Tor client (TCP_NODELAY, acknowledgements at once), `donar-*`, `torfone` and `single` over C tor, as they were published: part of what `tacit` is ahead of them is the client's.{equal}\n\n"
    )
}

/// How well the model fits, in numbers.
fn fit() -> String {
    format!(
        "What was published about Tor circuits beside what {VERSION} gives, at the congestion of 2025 and before a call's connections are in it; times in ms. \\* was not seen by the fit, of † nothing of its kind was. \
         Mean errors: {}. Where it is from, what does not fit, and why, is in [Simulated circuits](circuits.md#the-fit).\n\n{}",
        notes::mean_errors(),
        table::markdown(&MODELLED)
    )
}

fn about(grid: &Grid, program: &Program) -> String {
    let Grid {
        calls,
        beside,
        long: (long, length),
        aloud,
        seed,
        quick,
    } = grid;
    let commit = program
        .commit
        .as_ref()
        .map_or_else(String::new, |c| format!(", commit {c}"));
    let arguments = if *quick {
        " --quick".to_owned()
    } else if (*calls, *aloud) == (CALLS, ALOUD_CALLS) {
        format!(" --seed {seed}")
    } else {
        format!(" --calls {calls} --pesq {aloud} --seed {seed}")
    };
    let minutes = length.as_secs() / 60;
    let warning = if *quick {
        "**A quick look with a few calls, on a seed that nothing is scored on: the intervals say how little it tells.**\n\n"
    } else {
        ""
    };
    format!(
        "# Results\n\n<!-- Written by `cargo xtask bench`: change the program, not this page. -->\n\n\
         Everything on this page is **simulated**, over [circuits of a model]({}) ({VERSION}), and was written by `cargo xtask bench{}`. \
         How it is simulated, what the figures mean, and which options of `tacit-bench compare` print which rows, is in [Benchmarks](benchmarks.md#simulated-calls): `--correlation 0` for the goals and the main tables, since `compare` has 0.15 by default.\n\n{warning}\
         - `de` to `de`, {LEGS} legs, 50 packets a second and direction, correlation 0, one guard for `tacit` and two for `donar-*`, unless said otherwise. `tacit` replaces bad circuits in the course of a call, as it is shipped; `oracle` has exactly its circuits, the same at the same times; `donar-*` keep the 12 that they begin with. Seed {seed}; program {}{commit}.\n\
         - {calls} calls of 5 minutes; {long} of {minutes} minutes; {beside} for what stands beside the goals; {aloud} with real speech (a quarter as many of the baselines), four segments of ten seconds each.\n\
         - In brackets: 95 % intervals over calls, Wilson's for shares, by resampling paired calls for ratios (the median call of an even number is the upper of the two in the middle): draws in which the oracle gains nothing on Donar say nothing, are left out, and counted. All calls speak the same two recordings, from different places: intervals hold what circuits differ in, not voices.\n",
        "circuits.md", arguments, program.hash,
    )
}

fn plots_of(mode: Mode) -> String {
    let alt = [
        (
            "network",
            "Distribution over calls of the network delay's 99th percentile",
        ),
        (
            "ear",
            "Distribution over calls of the mouth-to-ear delay's 99th percentile",
        ),
        ("pesq", "Distribution over calls of PESQ-WB"),
        (
            "call-donar-double",
            "Forty seconds of one call with donar-double",
        ),
        ("call-tacit", "The same seconds with tacit"),
        ("cells", "Quality against cells"),
    ];
    alt.iter()
        .map(|(name, alt)| format!("![{alt}, simulated](results/{mode}-{name}.svg)\n\n"))
        .collect()
}

/// Names and contents of the SVG files.
fn drawings(grid: &Grid, calls: &Calls) -> Result<Vec<(String, String)>, Failure> {
    let mut files = Vec::new();
    for mode in MODES {
        let shown = shown_calls(mode, calls);
        let curves = |value: fn(&CallLine) -> Option<f64>| -> Vec<Curve> {
            shown.iter().filter_map(|c| plots::cdf(c, value)).collect()
        };
        let scored: Vec<Curve> = [
            calls.of(mode, ALOUD_BESIDE, Kind::Single, Buffer::DONAR),
            calls.of(mode, ALOUD_BESIDE, Kind::DonarDouble, Buffer::DONAR),
            calls.ours(mode, ALOUD, Kind::Tacit),
        ]
        .into_iter()
        .filter_map(aloud)
        .collect();
        let sparse = calls.ours(mode, CELLS, Kind::Tacit);
        let rows: Vec<Row> = shown
            .iter()
            .chain([&sparse])
            .filter_map(|calls| Row::of(calls))
            .collect();
        let title = |what: &str| format!("{what}, {mode}, simulated");
        let network = title("99th percentile of the network delay, ms");
        let ear = title("99th percentile of the mouth-to-ear delay, ms");
        let mut add = |name: &str, svg: String| files.push((format!("{mode}-{name}.svg"), svg));
        add(
            "network",
            plots::distributions(&network, &curves(network_p99), 0.0, 1_000.0)?,
        );
        add(
            "ear",
            plots::distributions(&ear, &curves(ear_p99), 0.0, 1_500.0)?,
        );
        add(
            "pesq",
            plots::distributions(&title("PESQ-WB"), &scored, 1.0, 4.7)?,
        );
        add(
            "cells",
            plots::quality_against_cells(&rows.iter().collect::<Vec<_>>())?,
        );
        let scenes = grid.scenes();
        let base = scenes
            .iter()
            .find(|s| s.name == BASE && s.plan.scenario.mode == mode);
        for (kind, scene) in plots::DRAWN.into_iter().zip(base.into_iter().cycle()) {
            let contender = Contender::new(kind, Buffer::Tacit);
            add(
                &format!("call-{kind}"),
                plots::one_call(&scene.plan, contender, 0)?,
            );
        }
    }
    Ok(files)
}

fn shown_calls(mode: Mode, calls: &Calls) -> Vec<&[CallLine]> {
    use Kind::{DonarAlternate, DonarDouble, Oracle, Single, Tacit, Torfone};
    let mut shown: Vec<&[CallLine]> = [Single, Torfone, DonarAlternate]
        .map(|kind| calls.ours(mode, BASELINES, kind))
        .to_vec();
    shown.push(calls.of(mode, BASELINES, DonarDouble, Buffer::DONAR));
    shown.extend([DonarDouble, Tacit, Oracle].map(|kind| calls.ours(mode, BASE, kind)));
    shown
}
