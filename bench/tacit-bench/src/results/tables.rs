//! The page's tables.

use core::fmt::Write as _;

use tacit_bench::exit::{self, Scored};
use tacit_bench::hearing::Buffer;
use tacit_bench::html::{ear_p50, ear_p99, network_p99};
use tacit_bench::line::CallLine;
use tacit_bench::row::{EAR_LIMIT, GOOD, INTERACTIVE, Row};
use tacit_bench::summary;
use tacit_bench::text::{ms, ms_around, or_dash, percent, share};
use tacit_circuits::strategies::{Kind, Told};
use tacit_circuits::{CORRELATION, Mode};

use super::goals::{self, Goal, Measured, Reading, Unit, Value};
use super::grid::{
    ALOUD, ALOUD_BESIDE, BASE, BASELINES, C_TOR, CELLS, DE_US, DELAYED_ACKS, EIGHT_LEGS, FLOORS,
    HEADLINE, HEADLINE_EIGHT_LEGS, KEPT, LONG, MODES, NO_NAGLE, OUR_CLIENT, SAME_GUARDS, TODAY,
    TOLD, TWO_GUARDS, US_US,
};
use super::{Calls, LiveTor};

/// The goals, and how many of those that were run are reached.
pub(super) fn goals(calls: &Calls, reading: Reading) -> String {
    let mut table =
        String::from("| | `turn` | goal | | `onion` | goal | |\n|---|---|---|---|---|---|---|\n");
    let (mut reached, mut run) = (0, 0);
    for goal in goals::all(reading) {
        let _ = write!(table, "| {} |", goal.what);
        for mode in MODES {
            let measured = goal.measure(calls, mode);
            let value = measured.value();
            let sign = if goal.at_least { "≥" } else { "≤" };
            let limit = number(goal.unit, goal.limit(mode));
            let good = value.map(|value| goal.is_reached(mode, value.value));
            reached += usize::from(good == Some(true));
            run += usize::from(good.is_some());
            let word = match (good, measured) {
                (Some(true), _) => "reached",
                (Some(false), _) => "**missed**",
                (None, Measured::Nothing) => "not measurable",
                (None, _) => "not run",
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
    or_dash(value.map(|value| with_interval(goal.unit, value)))
}

fn with_interval(unit: Unit, value: Value) -> String {
    let [low, high] = value.interval;
    let left_out = match value.left_out {
        0 => String::new(),
        draws => format!(", {draws} of {} draws left out", summary::DRAWS),
    };
    format!(
        "{} ({}–{}{left_out})",
        number(unit, value.value),
        bare(unit, low),
        number(unit, high)
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

/// What replacing circuits does, and how many are replaced.
pub(super) fn replaced(calls: &Calls) -> String {
    use Kind::{Oracle, Tacit};
    let mut table = String::from("| | `turn` | `onion` |\n|---|---|---|\n");
    let mut line = |what: &str, cell: &dyn Fn(Mode) -> Option<String>| {
        let [turn, onion] = MODES.map(|mode| or_dash(cell(mode)));
        let _ = writeln!(table, "| {what} | {turn} | {onion} |");
    };
    for (what, scene) in [
        (
            "circuits that `tacit` had replaced in a call of 5 minutes, and `oracle` got: median, most",
            BASE,
        ),
        ("`tacit` in a call of 90 minutes", LONG),
    ] {
        line(what, &|mode| {
            let calls = calls.ours(mode, scene, Tacit);
            let most = calls.iter().map(|call| call.replacements).max()?;
            Some(format!("{}, {most}", Row::of(calls)?.replacements))
        });
    }
    let ratio = |ours: (&'static str, Kind), theirs: (&'static str, Kind)| {
        move |mode: Mode| {
            let value = goals::medians(
                calls.ours(mode, ours.0, ours.1),
                calls.ours(mode, theirs.0, theirs.1),
                network_p99,
            )?;
            Some(with_interval(Unit::Ratio, value))
        }
    };
    line(
        "network p99 of the median call: `tacit` that replaces ÷ `tacit` that keeps its 12",
        &ratio((BASE, Tacit), (KEPT, Tacit)),
    );
    line(
        "`tacit` ÷ `donar-double` if both have Tacit's Tor client",
        &|mode| equal_clients(calls, mode),
    );
    line(
        "`oracle` with the circuits of a `tacit` that replaces ÷ `oracle` with the 12 that its call begins with",
        &ratio((BASE, Oracle), (KEPT, Oracle)),
    );
    line(
        "*unlike circuits*: `tacit` that replaces ÷ `oracle` with the 12 that its call begins with",
        &ratio((BASE, Tacit), (KEPT, Oracle)),
    );
    table
}

/// Ratio of network p99 to `donar-double`'s if both have Tacit's Tor client.
pub(super) fn equal_clients(calls: &Calls, mode: Mode) -> Option<String> {
    let ours = calls.ours(mode, BASE, Kind::Tacit);
    let donars = calls.ours(mode, OUR_CLIENT, Kind::DonarDouble);
    let value = goals::medians(ours, donars, network_p99)?;
    Some(with_interval(Unit::Ratio, value))
}

/// What knowing circuits better would bring, with the same circuits.
pub(super) fn told(calls: &Calls) -> String {
    use Kind::{Oracle, Tacit};
    let mut table = String::from(
        "| | `turn`: network p50 | p99, median call | ÷ `oracle` | `onion`: network p50 | p99, median call | ÷ `oracle` |\n|---|---|---|---|---|---|---|\n",
    );
    let [levels, stalls] = Told::BOTH.map(Kind::Told);
    for (what, scene, kind) in [
        ("`tacit`", BASE, Tacit),
        ("told levels", TOLD, levels),
        ("told levels and stalls", TOLD, stalls),
        ("`oracle`", BASE, Oracle),
    ] {
        let cells = MODES.map(|mode| {
            let number = calls.ours(mode, TOLD, levels).len();
            let first = |calls| <[CallLine]>::get(calls, ..number).unwrap_or_default();
            let these = first(calls.ours(mode, scene, kind));
            let oracles = first(calls.ours(mode, BASE, Oracle));
            let row = Row::of(these).map(|row| {
                let interval = row.intervals.network_p99_median_call;
                let p99 = ms_around(row.network_ms.p99_median_call, interval);
                [ms(row.network_ms.p50), p99]
            });
            let [p50, p99] = row.map_or([None, None], |cells| cells.map(Some));
            let ratio = goals::medians(these, oracles, network_p99);
            let ratio = ratio.map(|value| with_interval(Unit::Ratio, value));
            [p50, p99, ratio].map(or_dash)
        });
        let _ = writeln!(table, "| {what} | {} |", cells.as_flattened().join(" | "));
    }
    table
}

const HEAD: &str = "| strategy | playout | calls | replaced | network p50 | p99, median call | p99 < 360 ms | mouth-to-ear p50 | p95, speech | p99 < 400 | < 450 | < 500 | p95, first 5 s | concealed | repaired | stretched | MOS | with echo | PESQ-WB, ≥ 3.0 |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";

/// Every strategy.
pub(super) fn strategies(mode: Mode, calls: &Calls) -> String {
    use Kind::{DonarAlternate, DonarDouble, Oracle, Single, Tacit, Torfone};
    let mut table = HEAD.to_owned();
    for (scene, kind, buffer) in [
        (BASELINES, Single, Buffer::Tacit),
        (BASELINES, Single, Buffer::DONAR),
        (BASELINES, Torfone, Buffer::Tacit),
        (BASELINES, DonarAlternate, Buffer::Tacit),
        (BASE, DonarDouble, Buffer::Tacit),
        (BASELINES, DonarDouble, Buffer::DONAR),
        (BASE, Tacit, Buffer::Tacit),
        (BASE, Oracle, Buffer::Tacit),
        (KEPT, Tacit, Buffer::Tacit),
        (KEPT, Oracle, Buffer::Tacit),
        (ALOUD_BESIDE, Single, Buffer::DONAR),
        (ALOUD_BESIDE, DonarDouble, Buffer::DONAR),
        (ALOUD, Tacit, Buffer::Tacit),
        (LONG, DonarDouble, Buffer::Tacit),
        (LONG, Tacit, Buffer::Tacit),
    ] {
        let what = match scene {
            ALOUD | ALOUD_BESIDE => ", with speech",
            LONG => ", long calls",
            KEPT => ", circuits kept",
            _ => "",
        };
        line(&mut table, calls.of(mode, scene, kind, buffer), what);
    }
    table.push_str("\nMilliseconds. *Replaced*: circuits (`onion`: pairs of them) of both people that gave way to others, median call. MOS is the E-model's for the median call, without and with the talker's echo at 65 dB; in rows with speech what is heard is really decoded, in the others what repair does is drawn from tables.\n\n");
    table
}

fn line(table: &mut String, calls: &[CallLine], what: &str) {
    let Some(row) = Row::of(calls) else { return };
    let plain = |limit| percent(row.ear_share(limit).0, 1);
    let intervals = &row.intervals;
    let network = (
        row.share_network_p99_below_360,
        intervals.share_network_p99_below_360,
    );
    let pesq = row.pesq.as_ref().map_or_else(String::new, |pesq| {
        let good = share((pesq.share_3_or_more, pesq.share_interval));
        format!("{:.2}, {good}", pesq.mean)
    });
    let cells = [
        format!("`{}`{what}", row.setting.strategy),
        row.setting.playout.clone(),
        row.calls.to_string(),
        row.replacements.to_string(),
        ms(row.network_ms.p50),
        ms_around(
            row.network_ms.p99_median_call,
            intervals.network_p99_median_call,
        ),
        share(network),
        ms_around(row.mouth_to_ear_ms.p50, intervals.mouth_to_ear_p50),
        ms(row.mouth_to_ear_speech_ms.p95_median_call),
        plain(400),
        share(row.ear_share(EAR_LIMIT)),
        plain(500),
        ms(row.mouth_to_ear_first_ms.p95_median_call),
        percent(row.concealed, 2),
        percent(row.repaired, 2),
        percent(row.stretched, 1),
        format!("{:.2}", row.mos),
        format!("{:.2}", row.mos_with_echo),
        pesq,
    ];
    let _ = writeln!(table, "| {} |", cells.join(" | "));
}

/// What the model and the setting do to it.
pub(super) fn beside(calls: &Calls) -> String {
    use Kind::{DonarDouble, Oracle, Tacit};
    let mut table = String::from(
        "| | `turn`: network p99, median call | p99 < 360 ms | mouth-to-ear p99 < 450 ms | `onion`: network p99, median call | p99 < 360 ms | mouth-to-ear p99 < 450 ms |\n|---|---|---|---|---|---|---|\n",
    );
    let mut line = |what: &str, scene: &str, kind: Kind| {
        let cells = MODES.map(|mode| three(calls.ours(mode, scene, kind)));
        let what = match kind {
            Tacit => what.to_owned(),
            other => format!("{what}, `{other}`"),
        };
        let _ = writeln!(table, "| {what} | {} |", cells.as_flattened().join(" | "));
    };
    let default = format!("correlation {CORRELATION}, the default of `compare`");
    line(&default, HEADLINE, Tacit);
    line(&default, HEADLINE, DonarDouble);
    line(&format!("{default}, 8 legs"), HEADLINE_EIGHT_LEGS, Tacit);
    for (scene, correlation) in SAME_GUARDS {
        let what = format!("correlation {correlation}, one guard each");
        for kind in [Tacit, DonarDouble, Oracle] {
            line(&what, scene, kind);
        }
    }
    for (scene, correlation) in TWO_GUARDS {
        let what = format!("correlation {correlation}, two guards");
        line(&what, scene, Tacit);
        if correlation > CORRELATION {
            line(&what, scene, DonarDouble);
        }
    }
    line("8 legs", EIGHT_LEGS, Tacit);
    line("25 packets a second", CELLS, Tacit);
    for (what, scene) in [
        ("congestion of 2025 (factor 1)", TODAY),
        ("Nagle off everywhere", NO_NAGLE),
    ] {
        line(what, scene, Tacit);
        line(what, scene, DonarDouble);
    }
    line(
        "delayed acknowledgements (macOS, Windows)",
        DELAYED_ACKS,
        Tacit,
    );
    line("over C tor", C_TOR, Tacit);
    line("over Tacit's Tor client", OUR_CLIENT, DonarDouble);
    for (scene, factor) in FLOORS {
        let what = format!("floors × {factor}");
        line(&what, scene, Tacit);
        line(&what, scene, DonarDouble);
    }
    table
}

fn three(calls: &[CallLine]) -> [String; 3] {
    let below = |column, limit| {
        let value = goals::below(calls, column, limit);
        or_dash(value.map(|value| share((value.value, value.interval))))
    };
    let p99 = Row::of(calls).map(|row| {
        let interval = row.intervals.network_p99_median_call;
        ms_around(row.network_ms.p99_median_call, interval)
    });
    [
        or_dash(p99),
        below(network_p99, INTERACTIVE),
        below(ear_p99, EAR_LIMIT.into()),
    ]
}

/// Other places, as ratios.
pub(super) fn places(calls: &Calls) -> String {
    let mut table = String::from(
        "`tacit` ÷ `donar-double` with our playout, medians over the same calls (`de` to `de` over as many as the goals, the others over fewer); correlation 0.\n\n\
         | | `turn`: network p99 | mouth-to-ear p50 | `onion`: network p99 | mouth-to-ear p50 |\n|---|---|---|---|---|\n",
    );
    for (what, scene) in [
        ("`de` to `de`", BASE),
        ("`de` to `us`", DE_US),
        ("`us` to `us`", US_US),
    ] {
        let cells = MODES.map(|mode| {
            let ours = calls.ours(mode, scene, Kind::Tacit);
            let donar = calls.ours(mode, scene, Kind::DonarDouble);
            [network_p99, ear_p50].map(|column| {
                let value = goals::medians(ours, donar, column);
                or_dash(value.map(|value| with_interval(Unit::Ratio, value)))
            })
        });
        let _ = writeln!(table, "| {what} | {} |", cells.as_flattened().join(" | "));
    }
    table
}

/// Speech over one circuit, as it was measured over live Tor.
pub(super) fn live(live: &LiveTor) -> String {
    let mut table = format!(
        "A check of speech over simulated circuits: calls of 30 s over one exit circuit of today's model, 50 packets a second with one frame each. \
         Published for Opus over live Tor: {} of calls above PESQ 3.0, on the narrowband scale. Their client was PJSUA 2.6 as it comes, whose buffer waits for what is late \
         and holds 500 ms at most: `waiting-500` is a plain one like it. Each call is one measurement; how to read this is in [Benchmarks](benchmarks.md#beside-live-tor).\n\n\
         | playout | calls | PESQ, narrowband: mean, ≥ 3.0 | PESQ-WB: mean, ≥ 3.0 |\n|---|---|---|---|\n",
        percent(exit::PUBLISHED, 1)
    );
    for (playout, scores) in live {
        let column = |band: fn(&Scored) -> f64| {
            let good = scores.iter().filter(|score| band(score) >= GOOD).count();
            let sum: f64 = scores.iter().map(band).sum();
            let mean = sum / scores.len().max(1) as f64;
            format!("{mean:.2}, {}", share(summary::share(good, scores.len())))
        };
        let (narrow, wide) = (column(|score| score.narrow), column(|score| score.wide));
        let calls = scores.len();
        let _ = writeln!(table, "| `{playout}` | {calls} | {narrow} | {wide} |");
    }
    let like_theirs = live
        .iter()
        .find(|(name, _)| *name == Buffer::TELEPHONE.name());
    table.push_str(&like_theirs.map_or_else(String::new, |(_, scores)| checked(scores)));
    table
}

/// Whether the buffer that is like the published one's gives what was published.
fn checked(scores: &[Scored]) -> String {
    let good = scores.iter().filter(|score| score.narrow >= GOOD).count();
    let (value, interval @ [low, high]) = summary::share(good, scores.len());
    let (own, published) = (share((value, interval)), percent(exit::PUBLISHED, 1));
    let name = Buffer::TELEPHONE.name();
    if (low..=high).contains(&exit::PUBLISHED) {
        return format!(
            "\nWith the buffer like theirs, `{name}`, {own} of calls reach 3.0, and {published} was published: the check holds, within its interval.\n"
        );
    }
    format!(
        "\n**This check is missed**: with the buffer like theirs, `{name}`, {own} of calls reach 3.0, where {published} was published, and the interval does not reach there. \
         How much of that is the model and how much the client is not known: our buffer is plain and not PJSUA's, segments and concealment differ ([Benchmarks](benchmarks.md#beside-live-tor)), \
         and the model's worse streams have more and higher stalls than the published ones ([below](#the-fit-of-the-model)). PESQ of other buffers on this page rests on the same streams.\n"
    )
}
