//! Rows as a table and as CSV.

use std::io::{self, Write};

use tacit_bench::row::{NEVER, Pesq, Row};

/// A table for people for each setting.
pub(crate) fn table(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    for group in rows.chunk_by(|a, b| a.caption() == b.caption()) {
        one_table(group, out)?;
    }
    Ok(())
}

fn one_table(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let caption = rows.first().map(Row::caption).unwrap_or_default();
    writeln!(out, "simulated, {caption}; times in ms, [95 % intervals]\n")?;
    writeln!(
        out,
        "{:<16} {:<9} {:>4} {:>6}  {:>7} {:>15} {:>7}  {:<20} {:>15} {:>7}  {:<20} {:>9} {:>8} {:>5}  PESQ-WB",
        "strategy",
        "playout",
        "legs",
        "guards",
        "network",
        "p99",
        "p99",
        "p99 < 360",
        "ear",
        "p99",
        "p99 < 450",
        "concealed",
        "repaired",
        "MOS"
    )?;
    writeln!(
        out,
        "{:<38}  {:>7} {:>15} {:>7}  {:<20} {:>15} {:>7}  {:<46} mean, 3.0 or more",
        "", "p50", "median", "90 %", "", "p50", "median", ""
    )?;
    rows.iter().try_for_each(|row| line(row, out))
}

fn line(row: &Row, out: &mut impl Write) -> io::Result<()> {
    let intervals = &row.intervals;
    let network = (
        row.share_network_p99_below_360,
        intervals.share_network_p99_below_360,
    );
    let pesq = row.pesq.as_ref().map_or_else(String::new, |pesq| {
        let good = share((pesq.share_3_or_more, pesq.share_interval));
        format!("{:.2}, {good} of {}", pesq.mean, pesq.calls)
    });
    writeln!(
        out,
        "{:<16} {:<9} {:>4} {:>6}  {:>7} {:>15} {:>7}  {:<20} {:>15} {:>7}  {:<20} {:>7.2} % {:>6.2} % {:>5.2}  {pesq}",
        row.setting.strategy,
        row.setting.playout,
        row.setting.legs,
        row.setting.guards,
        ms(row.network_ms.p50),
        around(
            row.network_ms.p99_median_call,
            intervals.network_p99_median_call
        ),
        ms(row.network_ms.p99_p90_call),
        share(network),
        around(row.mouth_to_ear_ms.p50, intervals.mouth_to_ear_p50),
        ms(row.mouth_to_ear_ms.p99_median_call),
        share(row.ear_share(450)),
        100.0 * row.concealed,
        100.0 * row.repaired,
        row.mos,
    )
}

fn share((share, [low, high]): (f64, [f64; 2])) -> String {
    format!(
        "{:.1} % [{:.0}, {:.0}]",
        100.0 * share,
        100.0 * low,
        100.0 * high
    )
}

fn around(value: Option<f64>, [low, high]: [f64; 2]) -> String {
    let bound = |value: f64| ms((value < NEVER).then_some(value));
    format!("{} [{}, {}]", ms(value), bound(low), bound(high))
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "inf".to_owned(), |ms| format!("{ms:.0}"))
}

/// One line a strategy, with a header. An empty field is infinite or was not measured.
pub(crate) fn csv(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "simulated,model,strategy,playout,mode,from,to,minutes,calls,legs,correlation,guards,cells_per_s,clients,quick_ack,nagle,floor_factor,replace,traces,seed,network_p50_ms,\
         network_p99_median_call_ms,network_p99_p90_call_ms,share_network_p99_below_360,mouth_to_ear_p50_ms,\
         mouth_to_ear_p99_median_call_ms,share_mouth_to_ear_p99_below_400,share_mouth_to_ear_p99_below_450,\
         share_mouth_to_ear_p99_below_500,concealed,repaired,longest_gap_ms,mos,mos_with_echo,pesq_calls,pesq_mean,pesq_p10,pesq_share_3_or_more,cpu_percent"
    )?;
    for row in rows {
        let s = &row.setting;
        let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        let pesq = |value: fn(&Pesq) -> f64| number(row.pesq.as_ref().map(value));
        let below = |limit: &str| number(row.share_mouth_to_ear_p99_below.get(limit).copied());
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
            s.correlation.to_string(),
            s.guards.to_string(),
            s.cells_per_s.to_string(),
            s.clients.clone(),
            s.quick_ack.to_string(),
            s.nagle.to_string(),
            s.floor_factor.to_string(),
            s.replace.to_string(),
            s.traces.to_string(),
            s.seed.to_string(),
            number(row.network_ms.p50),
            number(row.network_ms.p99_median_call),
            number(row.network_ms.p99_p90_call),
            row.share_network_p99_below_360.to_string(),
            number(row.mouth_to_ear_ms.p50),
            number(row.mouth_to_ear_ms.p99_median_call),
            below("400"),
            below("450"),
            below("500"),
            row.concealed.to_string(),
            row.repaired.to_string(),
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
