//! The page: everything in it is computed.

use core::fmt::Write as _;
use std::fs;
use std::path::Path;

use tacit_bench::exit;
use tacit_bench::hearing::Buffer;
use tacit_bench::html::{aloud, ear_p50, ear_p99, network_p99};
use tacit_bench::line::CallLine;
use tacit_bench::plots::{self, Curve};
use tacit_bench::row::{INTERACTIVE, NEVER, Row};
use tacit_bench::sim::Contender;
use tacit_bench::summary::share;
use tacit_circuits::strategies::Kind;
use tacit_circuits::{CORRELATION, Mode, VERSION};

use super::goals::{self, Goal, Unit, Value};
use super::grid::{
    ALOUD, ALOUD_BESIDE, ALOUD_CALLS, BASE, C_TOR, CALLS, DE_US, EIGHT_LEGS, Grid, HEADLINE, LEGS,
    LONG, LONG_FLOORS, MODES, NO_NAGLE, OUR_CLIENT, REPLACING, TWO_GUARDS, US_US,
};
use super::{Calls, LiveTor, Program};
use crate::Failure;

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
    let missed = goals::all().into_iter().flat_map(|goal| {
        MODES.map(|mode| {
            goal.measure(calls, mode)
                .map(|v| goal.is_reached(mode, v.value))
        })
    });
    Ok(missed.filter(|reached| *reached == Some(false)).count())
}

fn text(grid: &Grid, program: &Program, calls: &Calls, live: &LiveTor) -> String {
    let mut page = about(grid, program);
    page.push_str(&precondition(calls));
    page.push_str("## Goals\n\n");
    page.push_str(&goals_table(calls));
    for mode in MODES {
        let _ = write!(page, "\n## `{mode}`\n\n");
        page.push_str(&strategies_table(mode, calls));
        page.push_str(&plots_of(mode));
    }
    page.push_str("\n## Beside the goals\n\n");
    page.push_str(&beside_table(calls));
    page.push_str("\n## Other places\n\n");
    page.push_str(&places_table(calls));
    page.push_str("\n## Beside live Tor\n\n");
    page.push_str(&live_table(live));
    page
}

fn live_table(live: &LiveTor) -> String {
    let mut table = format!(
        "A check of speech over simulated circuits: calls of 30 s over one exit circuit of today's model, 50 packets a second with one frame each, \
         played from a fixed buffer. Published for Opus over live Tor: {:.1} % of calls at PESQ 3.0 or more; how long that buffer was is not known, nor was there deep PLC.\n\n\
         | fixed buffer, ms | calls | PESQ-WB ≥ 3.0 |\n|---|---|---|\n",
        100.0 * exit::PUBLISHED
    );
    for (ms, calls, good) in live {
        let (value, [low, high]) = share(*good, *calls);
        let (value, low, high) = (100.0 * value, 100.0 * low, 100.0 * high);
        let _ = writeln!(
            table,
            "| {ms} | {calls} | {value:.1} % ({low:.0}–{high:.0}) |"
        );
    }
    table
}

/// The network is as congested as the one that Donar was measured in, if Donar does as well in it.
fn precondition(calls: &Calls) -> String {
    let mut said = String::from(
        "`donar-double` with two guards, of whose calls 80 to 92 % must stay below 360 ms for the rest to mean anything (published: 86 %):",
    );
    for mode in MODES {
        let _ = match goals::donars_own(calls, mode) {
            Some(Value {
                value,
                interval: [low, high],
            }) => {
                let word = if (0.80..=0.92).contains(&value) {
                    "within"
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
    said.push_str(".\n\n");
    said
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
        String::new()
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
         How it is simulated, and what the figures mean, is in [Benchmarks](benchmarks.md).\n\n{warning}\
         - `de` to `de`, {LEGS} legs, 50 packets a second and direction, correlation 0, one guard for `tacit` and two for `donar-*`, unless said otherwise; nobody replaces circuits, and `oracle` has `tacit`'s. Seed {seed}; program {}{commit}.\n\
         - {calls} calls of 5 minutes; {long} of {minutes} minutes; {beside} for what stands beside the goals; {aloud} with real speech (a quarter as many of the baselines), four segments of ten seconds each.\n\
         - In brackets: 95 % intervals over calls, Wilson's for shares, by resampling paired calls for ratios. All calls speak the same two recordings, from different places: intervals hold what circuits differ in, not voices.\n\n",
        "circuits.md", arguments, program.hash,
    )
}

fn goals_table(calls: &Calls) -> String {
    let mut table =
        String::from("| | `turn` | goal | | `onion` | goal | |\n|---|---|---|---|---|---|---|\n");
    let (mut reached, mut run) = (0, 0);
    for goal in goals::all() {
        let _ = write!(table, "| {} |", goal.what);
        for mode in MODES {
            let value = goal.measure(calls, mode);
            let sign = if goal.at_least { "≥" } else { "≤" };
            let limit = number(goal.unit, goal.limit(mode));
            let good = value.map(|value| goal.is_reached(mode, value.value));
            reached += usize::from(good == Some(true));
            run += usize::from(good.is_some());
            let word = match good {
                Some(true) => "reached",
                Some(false) => "**missed**",
                None => "not run",
            };
            let _ = write!(
                table,
                " {} | {sign} {limit} | {word} |",
                shown(&goal, value)
            );
        }
        table.push('\n');
    }
    let _ = write!(table, "\n{reached} of {run} reached.\n");
    table
}

fn shown(goal: &Goal, value: Option<Value>) -> String {
    value.map_or_else(
        || "–".to_owned(),
        |Value {
             value,
             interval: [low, high],
         }| {
            let unit = goal.unit;
            format!(
                "{} ({}–{})",
                number(unit, value),
                bare(unit, low),
                number(unit, high)
            )
        },
    )
}

fn bare(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => format!("{:.1}", 100.0 * value),
        Unit::SmallShare => format!("{:.2}", 100.0 * value),
        Unit::Ratio => format!("{value:.2}"),
    }
}

fn number(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share | Unit::SmallShare => format!("{} %", bare(unit, value)),
        Unit::Ratio => bare(unit, value),
    }
}

const HEAD: &str = "| strategy | playout | calls | network p50 | p99, median call | p99 < 360 ms | mouth-to-ear p50 | p99 < 400 | < 450 | < 500 | concealed | repaired | MOS | with echo | PESQ-WB, ≥ 3.0 |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";

fn strategies_table(mode: Mode, calls: &Calls) -> String {
    use Kind::{DonarAlternate, DonarDouble, Oracle, Single, Tacit, Torfone};
    let mut table = HEAD.to_owned();
    for (scene, kind, buffer) in [
        ("baselines", Single, Buffer::Tacit),
        ("baselines", Single, Buffer::DONAR),
        ("baselines", Torfone, Buffer::Tacit),
        ("baselines", DonarAlternate, Buffer::Tacit),
        (BASE, DonarDouble, Buffer::Tacit),
        ("baselines", DonarDouble, Buffer::DONAR),
        (BASE, Tacit, Buffer::Tacit),
        (BASE, Oracle, Buffer::Tacit),
        (ALOUD_BESIDE, Single, Buffer::DONAR),
        (ALOUD_BESIDE, DonarDouble, Buffer::DONAR),
        (ALOUD, Tacit, Buffer::Tacit),
        (LONG, Tacit, Buffer::Tacit),
    ] {
        let what = match scene {
            ALOUD | ALOUD_BESIDE => ", with speech",
            LONG => ", long calls",
            _ => "",
        };
        line(&mut table, calls.of(mode, scene, kind, buffer), what);
    }
    table.push_str("\nMilliseconds. MOS is the E-model's for the median call, without and with the talker's echo at 65 dB; in rows with speech what is heard is really decoded, in the others what repair does is drawn from tables.\n\n");
    table
}

fn line(table: &mut String, calls: &[CallLine], what: &str) {
    let Some(row) = Row::of(calls) else { return };
    let share = |(value, [low, high]): (f64, [f64; 2])| {
        format!(
            "{:.1} % ({:.0}–{:.0})",
            100.0 * value,
            100.0 * low,
            100.0 * high
        )
    };
    let plain = |limit| format!("{:.1} %", 100.0 * row.ear_share(limit).0);
    let pesq = row.pesq.as_ref().map_or_else(String::new, |pesq| {
        format!(
            "{:.2}, {}",
            pesq.mean,
            share((pesq.share_3_or_more, pesq.share_interval))
        )
    });
    let _ = writeln!(
        table,
        "| `{}`{what} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.2} % | {:.2} % | {:.2} | {:.2} | {pesq} |",
        row.setting.strategy,
        row.setting.playout,
        row.calls,
        ms(row.network_ms.p50),
        around(
            row.network_ms.p99_median_call,
            row.intervals.network_p99_median_call
        ),
        share((
            row.share_network_p99_below_360,
            row.intervals.share_network_p99_below_360
        )),
        around(row.mouth_to_ear_ms.p50, row.intervals.mouth_to_ear_p50),
        plain(400),
        share(row.ear_share(450)),
        plain(500),
        100.0 * row.concealed,
        100.0 * row.repaired,
        row.mos,
        row.mos_with_echo,
    );
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "∞".to_owned(), |ms| format!("{ms:.0}"))
}

fn around(value: Option<f64>, [low, high]: [f64; 2]) -> String {
    let bound = |value: f64| ms((value < NEVER).then_some(value));
    format!("{} ({}–{})", ms(value), bound(low), bound(high))
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
        let rows: Vec<Row> = shown.iter().filter_map(|calls| Row::of(calls)).collect();
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
        .map(|kind| calls.ours(mode, "baselines", kind))
        .to_vec();
    shown.push(calls.of(mode, "baselines", DonarDouble, Buffer::DONAR));
    shown.extend([DonarDouble, Tacit, Oracle].map(|kind| calls.ours(mode, BASE, kind)));
    shown
}

fn beside_table(calls: &Calls) -> String {
    let mut table = String::from(
        "| | `turn`: network p99, median call | p99 < 360 ms | mouth-to-ear p99 < 450 ms | `onion`: network p99, median call | p99 < 360 ms | mouth-to-ear p99 < 450 ms |\n|---|---|---|---|---|---|---|\n",
    );
    use Kind::{DonarDouble, Oracle, Tacit};
    let [(weak, low), (strong, high)] = super::grid::SAME_GUARDS;
    let headline = format!("correlation {CORRELATION}, the headline");
    let rows = [
        (headline.clone(), HEADLINE, Tacit),
        (
            format!("{headline}, `donar-double`, two guards"),
            HEADLINE,
            DonarDouble,
        ),
        (format!("{headline}, 8 legs"), EIGHT_LEGS, Tacit),
        (
            format!("correlation {low}, `donar-double`, one guard"),
            weak,
            DonarDouble,
        ),
        (format!("correlation {low}, `oracle`"), weak, Oracle),
        (format!("correlation {high}"), strong, Tacit),
        (
            format!("correlation {high}, `donar-double`, one guard"),
            strong,
            DonarDouble,
        ),
        (format!("correlation {high}, `oracle`"), strong, Oracle),
        ("correlation 0, two guards".to_owned(), TWO_GUARDS, Tacit),
        (
            "bad circuits replaced by new ones in the course of the call".to_owned(),
            REPLACING,
            Tacit,
        ),
        ("floors × 1.5".to_owned(), LONG_FLOORS, Tacit),
        (
            "floors × 1.5, `donar-double`".to_owned(),
            LONG_FLOORS,
            DonarDouble,
        ),
        (
            "`donar-double` over Tacit's Tor client".to_owned(),
            OUR_CLIENT,
            DonarDouble,
        ),
        ("over C tor".to_owned(), C_TOR, Tacit),
        ("Nagle off everywhere".to_owned(), NO_NAGLE, Tacit),
        (
            "Nagle off everywhere, `donar-double`".to_owned(),
            NO_NAGLE,
            DonarDouble,
        ),
        (
            "correlation 0, 25 packets a second".to_owned(),
            super::grid::CELLS,
            Tacit,
        ),
    ];
    for (what, scene, kind) in rows {
        let _ = write!(table, "| {what} |");
        for mode in MODES {
            let calls = calls.ours(mode, scene, kind);
            let p99 = Row::of(calls).map_or_else(
                || "–".to_owned(),
                |row| {
                    around(
                        row.network_ms.p99_median_call,
                        row.intervals.network_p99_median_call,
                    )
                },
            );
            let share = |value: Option<Value>| {
                value.map_or_else(
                    || "–".to_owned(),
                    |v| {
                        let [low, high] = v.interval.map(|share| 100.0 * share);
                        format!("{:.1} % ({low:.0}–{high:.0})", 100.0 * v.value)
                    },
                )
            };
            let network = share(goals::below(calls, network_p99, INTERACTIVE));
            let ear = share(goals::below(calls, ear_p99, 450.0));
            let _ = write!(table, " {p99} | {network} | {ear} |");
        }
        table.push('\n');
    }
    table
}

fn places_table(calls: &Calls) -> String {
    let mut table = String::from(
        "`tacit` ÷ `donar-double` with our playout, medians over the same calls (`de` to `de` over as many as the goals, the others over fewer); correlation 0.\n\n\
         | | `turn`: network p99 | mouth-to-ear p50 | `onion`: network p99 | mouth-to-ear p50 |\n|---|---|---|---|---|\n",
    );
    for (what, scene) in [
        ("`de` to `de`", BASE),
        ("`de` to `us`", DE_US),
        ("`us` to `us`", US_US),
    ] {
        let _ = write!(table, "| {what} |");
        for mode in MODES {
            let ours = calls.ours(mode, scene, Kind::Tacit);
            let donar = calls.ours(mode, scene, Kind::DonarDouble);
            for column in [network_p99, ear_p50] {
                let value = goals::medians(ours, donar, column);
                let cell = value.map_or_else(
                    || "–".to_owned(),
                    |v| format!("{:.2} ({:.2}–{:.2})", v.value, v.interval[0], v.interval[1]),
                );
                let _ = write!(table, " {cell} |");
            }
        }
        table.push('\n');
    }
    table
}
