//! Rows as a table and as CSV.

use std::io::{self, Write};

use tacit_bench::row::Row;

/// A table for people.
pub(crate) fn table(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let s = &first.setting;
    let what = if s.traces { "traces" } else { &s.model };
    writeln!(
        out,
        "simulated ({what}): {} calls of {} min, {} to {}, {}, correlation {}, seed {}; times in ms, [95 % intervals]\n",
        first.calls, s.minutes, s.from, s.to, s.mode, s.correlation, s.seed
    )?;
    writeln!(
        out,
        "{:<16} {:<9} {:>4} {:>6}  {:>7} {:>7} {:>7}  {:<20} {:>7} {:>7} {:>9} {:>9} {:>5}",
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
        "MOS"
    )?;
    writeln!(
        out,
        "{:<38}  {:>7} {:>7} {:>7}  {:<20} {:>7} {:>7}",
        "", "p50", "median", "90 %", "", "p50", "median"
    )?;
    for row in rows {
        let [low, high] = row
            .intervals
            .share_network_p99_below_360
            .map(|share| 100.0 * share);
        let share = format!(
            "{:.1} % [{low:.0}, {high:.0}]",
            100.0 * row.share_network_p99_below_360
        );
        writeln!(
            out,
            "{:<16} {:<9} {:>4} {:>6}  {:>7} {:>7} {:>7}  {:<20} {:>7} {:>7} {:>7.1} % {:>7.2} % {:>5.2}",
            row.setting.strategy,
            row.setting.playout,
            row.setting.legs,
            row.setting.guards,
            ms(row.network_ms.p50),
            ms(row.network_ms.p99_median_call),
            ms(row.network_ms.p99_p90_call),
            share,
            ms(row.mouth_to_ear_ms.p50),
            ms(row.mouth_to_ear_ms.p99_median_call),
            100.0
                * row
                    .share_mouth_to_ear_p99_below
                    .get("450")
                    .copied()
                    .unwrap_or(0.0),
            100.0 * row.concealed,
            row.mos,
        )?;
    }
    Ok(())
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "inf".to_owned(), |ms| format!("{ms:.0}"))
}

/// One line a strategy, with a header. An empty field is infinite or was not measured.
pub(crate) fn csv(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "simulated,model,strategy,playout,mode,from,to,minutes,calls,legs,correlation,guards,cells_per_s,seed,network_p50_ms,\
         network_p99_median_call_ms,network_p99_p90_call_ms,share_network_p99_below_360,mouth_to_ear_p50_ms,\
         mouth_to_ear_p99_median_call_ms,share_mouth_to_ear_p99_below_400,share_mouth_to_ear_p99_below_450,\
         share_mouth_to_ear_p99_below_500,concealed,repaired,longest_gap_ms,mos,cpu_percent"
    )?;
    for row in rows {
        let s = &row.setting;
        let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
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
            number(row.cpu_percent),
        ];
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}
