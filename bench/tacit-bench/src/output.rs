//! Rows as a table and as CSV.

use std::io::{self, Write};

use tacit_bench::notes;
use tacit_bench::row::{EAR_LIMIT, EarMs, Pesq, Row};
use tacit_bench::text::{ms, ms_around, percent, share};

/// What a table's words mean.
const LEGEND: &str = "
network: from a frame's being ready until the first packet with it arrives; ear: from mouth to ear, playout
included; p99: of the median call, and of the one that 90 % of calls stay below. tacit: production's code;
torfone, donar-*: published systems, rebuilt; oracle, bound: they know the future. More: docs/benchmarks.md";

/// A table for people for each setting.
pub(crate) fn table(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    for group in rows.chunk_by(|a, b| a.caption() == b.caption()) {
        one_table(group, out)?;
    }
    writeln!(out, "{LEGEND}")?;
    if rows.iter().any(|row| notes::clients_differ(&row.setting)) {
        writeln!(out, "{}", notes::CLIENTS)?;
    }
    if rows.iter().any(|row| notes::is_fitted(&row.setting)) {
        writeln!(
            out,
            "mean errors of the circuits' model: {}; each: docs/circuits.md",
            notes::mean_errors()
        )?;
    }
    Ok(())
}

fn one_table(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let caption = rows.first().map(Row::caption).unwrap_or_default();
    let few = if rows.iter().any(|row| row.calls < notes::ENOUGH) {
        notes::FEW
    } else {
        ""
    };
    writeln!(
        out,
        "simulated, {caption}; times in ms, 95 % intervals in brackets{few}\n"
    )?;
    let head = [
        ["strategy", ""],
        ["playout", ""],
        ["legs", ""],
        ["replaced", ""],
        ["guards", ""],
        ["network", "p50"],
        ["p99", "median call"],
        ["p99", "90 %"],
        ["p99 < 360", "calls"],
        ["ear", "p50"],
        ["p99", "median"],
        ["p99 < 450", "calls"],
        ["concealed", ""],
        ["repaired", ""],
        ["MOS", ""],
        ["PESQ-WB", "mean, 3.0 or more"],
    ];
    let mut lines = vec![
        head.map(|[name, _]| name.to_owned()),
        head.map(|[_, what]| what.to_owned()),
    ];
    lines.extend(rows.iter().map(cells));
    let spoken = rows.iter().any(|row| row.pesq.is_some());
    let columns = head.len() - usize::from(!spoken);
    aligned(&lines, columns, out)
}

/// So many columns, as wide as what is in them, all but the first two to the right.
fn aligned<const N: usize>(
    lines: &[[String; N]],
    columns: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let width = |column: usize| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or(0)
    };
    for line in lines {
        let mut text = String::new();
        for (column, cell) in line.iter().enumerate().take(columns) {
            let width = width(column);
            text.push_str(&if column < 2 {
                format!("{cell:<width$}  ")
            } else {
                format!("{cell:>width$}  ")
            });
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

fn cells(row: &Row) -> [String; 16] {
    let intervals = &row.intervals;
    let network = (
        row.share_network_p99_below_360,
        intervals.share_network_p99_below_360,
    );
    let pesq = row.pesq.as_ref().map_or_else(String::new, |pesq| {
        let good = share((pesq.share_3_or_more, pesq.share_interval));
        format!("{:.2}, {good} of {}", pesq.mean, pesq.calls)
    });
    [
        row.setting.label(),
        row.setting.playout.clone(),
        row.setting.circuits().to_string(),
        row.replacements.to_string(),
        row.setting.guards.to_string(),
        ms(row.network_ms.p50),
        ms_around(
            row.network_ms.p99_median_call,
            intervals.network_p99_median_call,
        ),
        ms(row.network_ms.p99_p90_call),
        share(network),
        ms_around(row.mouth_to_ear_ms.p50, intervals.mouth_to_ear_p50),
        ms(row.mouth_to_ear_ms.p99_median_call),
        share(row.ear_share(EAR_LIMIT)),
        percent(row.concealed, 2),
        percent(row.repaired, 2),
        format!("{:.2}", row.mos),
        pesq,
    ]
}

/// One line a strategy, with a header. An empty field is infinite, was not measured or does not
/// apply.
pub(crate) fn csv(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "simulated,model,strategy,playout,mode,from,to,minutes,calls,legs,correlation,guards,cells_per_s,clients,quick_ack,nagle,congestion,floor_factor,replace,traces,seed,network_p50_ms,\
         network_p99_median_call_ms,network_p99_p90_call_ms,share_network_p99_below_360,mouth_to_ear_p50_ms,\
         mouth_to_ear_p95_median_call_ms,mouth_to_ear_p99_median_call_ms,speech_p50_ms,speech_p95_median_call_ms,speech_p99_median_call_ms,\
         first_p50_ms,first_p95_median_call_ms,first_p99_median_call_ms,share_mouth_to_ear_p99_below_400,share_mouth_to_ear_p99_below_450,\
         share_mouth_to_ear_p99_below_500,concealed,repaired,stretched,replacements,cells_sent_per_s,longest_gap_ms,mos,mos_with_echo,pesq_calls,pesq_mean,pesq_p10,pesq_share_3_or_more,cpu_percent"
    )?;
    for row in rows {
        let s = &row.setting;
        let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        let yes = |value: Option<bool>| value.map(|v| v.to_string()).unwrap_or_default();
        let traces = s.traces.as_ref();
        let traces = traces.map(|of| format!("{} half of {} files {}", of.half, of.files, of.hash));
        let pesq = |value: fn(&Pesq) -> f64| number(row.pesq.as_ref().map(value));
        let below = |limit: &str| number(row.share_mouth_to_ear_p99_below.get(limit).copied());
        let ear = |ear: &EarMs| [ear.p50, ear.p95_median_call, ear.p99_median_call].map(number);
        let [ear, speech, first] = [
            &row.mouth_to_ear_ms,
            &row.mouth_to_ear_speech_ms,
            &row.mouth_to_ear_first_ms,
        ]
        .map(|of| ear(of).join(","));
        let fields = [
            s.simulated.to_string(),
            s.model.clone(),
            s.strategy.clone(),
            s.playout.clone(),
            s.mode.clone(),
            s.from.clone(),
            s.to.clone(),
            s.minutes.to_string(),
            row.calls.to_string(),
            s.legs.to_string(),
            number(s.correlation),
            s.guards.to_string(),
            s.cells_per_s.to_string(),
            s.clients.clone().unwrap_or_default(),
            yes(s.quick_ack),
            yes(s.nagle),
            number(s.congestion),
            s.floor_factor.to_string(),
            s.replace.to_string(),
            traces.unwrap_or_default(),
            s.seed.to_string(),
            number(row.network_ms.p50),
            number(row.network_ms.p99_median_call),
            number(row.network_ms.p99_p90_call),
            row.share_network_p99_below_360.to_string(),
            ear,
            speech,
            first,
            below("400"),
            below("450"),
            below("500"),
            row.concealed.to_string(),
            row.repaired.to_string(),
            row.stretched.to_string(),
            row.replacements.to_string(),
            row.cells_sent_per_s.to_string(),
            row.longest_gap_ms.to_string(),
            row.mos.to_string(),
            row.mos_with_echo.to_string(),
            pesq(|p| p.calls as f64),
            pesq(|p| p.mean),
            pesq(|p| p.p10),
            pesq(|p| p.share_3_or_more),
            number(row.cpu_percent),
        ];
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}
