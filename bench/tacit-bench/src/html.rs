//! One self-contained page with plots: no script, no font, nothing that is fetched.

use tacit_circuits::VERSION;
use tacit_circuits::fit::{MODELLED, table};

use crate::line::{CallLine, Setting};
use crate::notes;
use crate::plots::{self, Curve, DrawError};
use crate::row::{EAR_LIMIT, Pesq, Row};
use crate::text::{ms, percent, share};

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
    let any = |of: fn(&Setting) -> bool| described.iter().any(|(_, row, _)| of(&row.setting));
    let clients = if any(notes::clients_differ) {
        format!("<p>{}.</p>\n", escape(notes::CLIENTS))
    } else {
        String::new()
    };
    let fit = if any(notes::is_fitted) {
        fit()
    } else {
        String::new()
    };
    let few = if groups.iter().any(|calls| calls.len() < notes::ENOUGH) {
        notes::FEW
    } else {
        ""
    };
    let one_call = if calls.is_empty() {
        String::new()
    } else {
        format!("<h2>Part of one call</h2>\n{}\n", calls.join("\n"))
    };
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Simulated calls over Tor</title>\n<style>{STYLE}</style></head><body>\n\
         <h1>Simulated calls over Tor</h1>\n<p>Everything here is simulated. \
         Mouth-to-ear delay includes capture, frame, look-ahead, playout and output; what is never played is infinitely late. \
         In brackets: 95 % intervals over calls{few}.</p>\n{clients}{sections}{one_call}{fit}</body></html>\n"
    ))
}

/// How well the model of the circuits fits what was published.
fn fit() -> String {
    let mut rows = String::new();
    for line in table::lines(&MODELLED) {
        let cells = [line.what, line.published, line.model, line.error];
        let cells = cells.map(|cell| format!("<td>{}</td>", escape(&cell)));
        rows.push_str(&format!("<tr>{}</tr>\n", cells.concat()));
    }
    format!(
        "<h2>Fit of the model</h2>\n<p>What was published about Tor circuits beside what the model {VERSION} gives, at the congestion of 2025 and before a call's connections are in it; \
         times in ms. * was not seen by the fit, of † nothing of its kind was. Mean errors: {}. More: docs/circuits.md.</p>\n\
         <table class=\"fit\"><tr><th></th><th>published</th><th>model</th><th>error</th></tr>\n{rows}</table>\n",
        notes::mean_errors()
    )
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

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:96rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;font-size:.8rem}td,th{white-space:nowrap;padding:.3rem .4rem;border-bottom:1px solid #ddd;text-align:right}\
th{vertical-align:bottom;white-space:normal}td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}table.fit td,table.fit th{white-space:normal;text-align:left}div.wide{overflow-x:auto}svg{max-width:100%;height:auto;display:block;margin:1rem 0}";

fn table(rows: &[&Row]) -> String {
    const HEAD: [&str; 17] = [
        "strategy",
        "playout",
        "legs",
        "replaced",
        "guards",
        "cells/s",
        "network p50",
        "p99, median call",
        "p99 < 360 ms",
        "mouth-to-ear p50",
        "p99, median call",
        "p99 < 450 ms",
        "concealed",
        "repaired",
        "MOS",
        "PESQ-WB",
        "≥ 3.0",
    ];
    let line = |tag: &str, cells: &[String]| {
        let cell = |text: &String| format!("<{tag}>{}</{tag}>", escape(text));
        format!("<tr>{}</tr>\n", cells.iter().map(cell).collect::<String>())
    };
    let mut html = format!("<table>{}", line("th", &HEAD.map(str::to_owned)));
    for row in rows {
        html.push_str(&line("td", &cells(row)));
    }
    html.push_str("</table>");
    html
}

fn cells(row: &Row) -> [String; 17] {
    let s = &row.setting;
    let network = (
        row.share_network_p99_below_360,
        row.intervals.share_network_p99_below_360,
    );
    let pesq = row.pesq.as_ref();
    let scored = |text: fn(&Pesq) -> String| pesq.map(text).unwrap_or_default();
    [
        s.label(),
        s.playout.clone(),
        s.circuits().to_string(),
        row.replacements.to_string(),
        s.guards.to_string(),
        s.cells_per_s.to_string(),
        ms(row.network_ms.p50),
        ms(row.network_ms.p99_median_call),
        share(network),
        ms(row.mouth_to_ear_ms.p50),
        ms(row.mouth_to_ear_ms.p99_median_call),
        share(row.ear_share(EAR_LIMIT)),
        percent(row.concealed, 2),
        percent(row.repaired, 2),
        format!("{:.2}", row.mos),
        scored(|pesq| format!("{:.2}", pesq.mean)),
        scored(|pesq| share((pesq.share_3_or_more, pesq.share_interval))),
    ]
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
