//! One self-contained page with plots: no script, no font, nothing that is fetched.

use core::fmt::Write as _;

use crate::line::CallLine;
use crate::plots::{self, Curve, DrawError};
use crate::row::Row;

/// The page for the calls of any number of strategies; `calls` are plots of single ones.
///
/// # Errors
/// A plot cannot be drawn.
pub fn page(groups: &[Vec<CallLine>], calls: &[String]) -> Result<String, DrawError> {
    let described: Vec<(String, Row, &[CallLine])> = groups
        .iter()
        .filter_map(|calls| {
            let row = Row::of(calls)?;
            Some((row.caption(), row, calls.as_slice()))
        })
        .collect();
    let mut sections = String::new();
    for alike in described.chunk_by(|a, b| a.0 == b.0) {
        sections.push_str(&section(alike)?);
    }
    let one_call = if calls.is_empty() {
        String::new()
    } else {
        format!("<h2>Forty seconds of one call</h2>\n{}\n", calls.join("\n"))
    };
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Simulated calls over Tor</title>\n<style>{STYLE}</style></head><body>\n\
         <h1>Simulated calls over Tor</h1>\n<p>Everything here is simulated. \
         Mouth-to-ear delay includes capture, frame, look-ahead, playout and output; what is never played is infinitely late. \
         In brackets: 95 % intervals over calls.</p>\n{sections}{one_call}</body></html>\n"
    ))
}

/// Everything about the calls of one setting.
fn section(alike: &[(String, Row, &[CallLine])]) -> Result<String, DrawError> {
    let curves = |value: fn(&CallLine) -> Option<f64>| {
        let curve = |(_, _, calls): &(String, Row, &[CallLine])| plots::cdf(calls, value);
        alike.iter().filter_map(curve).collect::<Vec<Curve>>()
    };
    let mut shares = Vec::new();
    for (title, value, widest) in [
        (
            "99th percentile of the network delay, ms",
            network_p99 as fn(&CallLine) -> Option<f64>,
            1_000.0,
        ),
        ("median mouth-to-ear delay, ms", ear_p50, 800.0),
        (
            "99th percentile of the mouth-to-ear delay, ms",
            ear_p99,
            1_500.0,
        ),
    ] {
        shares.push(plots::distributions(title, &curves(value), 0.0, widest)?);
    }
    let scored: Vec<Curve> = alike
        .iter()
        .filter_map(|(.., calls)| aloud(calls))
        .collect();
    if !scored.is_empty() {
        shares.push(plots::distributions("PESQ-WB", &scored, 1.0, 4.7)?);
    }
    let rows: Vec<&Row> = alike.iter().map(|(_, row, _)| row).collect();
    let cells = plots::quality_against_cells(&rows)?;
    let caption = alike.first().map(|(caption, ..)| caption.as_str());
    Ok(format!(
        "<h2>{}</h2>\n<div class=\"wide\">{}</div>\n<h3>Share of calls whose value is at most …</h3>\n{}\n\
         <h3>Quality against cells</h3>\n{cells}\n",
        escape(caption.unwrap_or_default()),
        table(&rows),
        shares.join("\n")
    ))
}

#[expect(clippy::cast_precision_loss, reason = "few milliseconds")]
fn float(ms: Option<usize>) -> Option<f64> {
    ms.map(|ms| ms as f64)
}

/// Distribution of PESQ over those calls that were scored, if any was.
#[must_use]
pub fn aloud(calls: &[CallLine]) -> Option<Curve> {
    let scored: Vec<CallLine> = calls.iter().filter(|c| c.pesq.is_some()).cloned().collect();
    plots::cdf(&scored, |call| call.pesq)
}

/// 99th percentile of a call's network delay.
#[must_use]
pub fn network_p99(call: &CallLine) -> Option<f64> {
    float(call.network_ms.p99)
}

/// Median of its mouth-to-ear delay.
#[must_use]
pub fn ear_p50(call: &CallLine) -> Option<f64> {
    float(call.mouth_to_ear_ms.p50)
}

/// 99th percentile of its mouth-to-ear delay.
#[must_use]
pub fn ear_p99(call: &CallLine) -> Option<f64> {
    float(call.mouth_to_ear_ms.p99)
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:84rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;font-size:.85rem}td,th{white-space:nowrap;padding:.3rem .55rem;border-bottom:1px solid #ddd;text-align:right}\
td:first-child,th:first-child{text-align:left}div.wide{overflow-x:auto}svg{max-width:100%;height:auto;display:block;margin:1rem 0}";

fn table(rows: &[&Row]) -> String {
    let mut html = String::from(
        "<table><tr><th>strategy</th><th>playout</th><th>legs</th><th>guards</th><th>cells/s</th><th>network p50</th>\
         <th>p99, median call</th><th>p99 &lt; 360 ms</th><th>mouth-to-ear p50</th><th>p99, median call</th><th>p99 &lt; 450 ms</th>\
         <th>concealed</th><th>repaired</th><th>MOS</th><th>PESQ ≥ 3</th></tr>\n",
    );
    for row in rows {
        let s = &row.setting;
        let [low, high] = row.intervals.share_network_p99_below_360;
        let (ear, [ear_low, ear_high]) = row.ear_share(450);
        // Writing to a string cannot fail.
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.1} % ({:.0}–{:.0})</td>\
             <td>{}</td><td>{}</td><td>{:.1} % ({:.0}–{:.0})</td><td>{:.2} %</td><td>{:.2} %</td><td>{:.2}</td><td>{}</td></tr>",
            escape(&s.strategy),
            escape(&s.playout),
            s.legs,
            s.guards,
            s.cells_per_s,
            ms(row.network_ms.p50),
            ms(row.network_ms.p99_median_call),
            100.0 * row.share_network_p99_below_360,
            100.0 * low,
            100.0 * high,
            ms(row.mouth_to_ear_ms.p50),
            ms(row.mouth_to_ear_ms.p99_median_call),
            100.0 * ear,
            100.0 * ear_low,
            100.0 * ear_high,
            100.0 * row.concealed,
            100.0 * row.repaired,
            row.mos,
            row.pesq.as_ref().map_or_else(String::new, |p| format!(
                "{:.0} %",
                100.0 * p.share_3_or_more
            )),
        );
    }
    html.push_str("</table>");
    html
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "∞".to_owned(), |ms| format!("{ms:.0}"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
