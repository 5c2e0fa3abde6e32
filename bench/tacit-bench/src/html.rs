//! One self-contained page with plots: no script, no font, nothing that is fetched.

use core::fmt::Write as _;

use plotters::prelude::*;

use crate::line::CallLine;
use crate::row::Row;

const SIZE: (u32, u32) = (760, 360);
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x9e, 0x9e, 0x9e),
    RGBColor(0x8d, 0x6e, 0x63),
    RGBColor(0xf5, 0x9e, 0x0b),
    RGBColor(0xd9, 0x4f, 0x4f),
    RGBColor(0x7b, 0x5e, 0xc4),
    RGBColor(0x0f, 0x76, 0x6e),
    RGBColor(0x1d, 0x4e, 0x89),
    RGBColor(0x33, 0x33, 0x33),
];

/// Why a page could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw a plot: {0}")]
pub struct DrawError(String);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for DrawError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

/// A curve with its name.
struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

/// The page for the calls of any number of strategies.
///
/// # Errors
/// A plot cannot be drawn.
pub fn page(groups: &[Vec<CallLine>]) -> Result<String, DrawError> {
    let rows: Vec<Row> = groups.iter().filter_map(|calls| Row::of(calls)).collect();
    let curves = |value: fn(&CallLine) -> Option<usize>| {
        let curve = |calls: &Vec<CallLine>| Some(cdf(calls.first()?, calls, value));
        groups.iter().filter_map(curve).collect::<Vec<Curve>>()
    };
    let network = plot(
        "99th percentile of the network delay, ms",
        &curves(|c| c.network_ms.p99),
        1_000.0,
    )?;
    let median = plot(
        "median mouth-to-ear delay, ms",
        &curves(|c| c.mouth_to_ear_ms.p50),
        800.0,
    )?;
    let ear = plot(
        "99th percentile of the mouth-to-ear delay, ms",
        &curves(|c| c.mouth_to_ear_ms.p99),
        1_500.0,
    )?;
    let about = rows.first().map(about).unwrap_or_default();
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Simulated calls over Tor</title>\n<style>{STYLE}</style></head><body>\n\
         <h1>Simulated calls over Tor</h1>\n<p>{about}</p>\n{}\n\
         <h2>Share of calls whose delay is at most …</h2>\n{network}\n{median}\n{ear}\n</body></html>\n",
        table(&rows)
    ))
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;font-size:.9rem}td,th{white-space:nowrap;padding:.3rem .7rem;border-bottom:1px solid #ddd;text-align:right}\
td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto;display:block;margin:1rem 0}";

fn about(row: &Row) -> String {
    let s = &row.setting;
    let what = if s.traces {
        "recorded traces"
    } else {
        "circuits of a model"
    };
    escape(&format!(
        "Everything here is simulated, over {what} ({}): {} calls of {} minutes, {} to {}, mode {}, correlation {}, seed {}. \
         Mouth-to-ear delay includes capture, frame, look-ahead, playout and output; what is never played is infinitely late. \
         In brackets: 95 % intervals over calls.",
        s.model, row.calls, s.minutes, s.from, s.to, s.mode, s.correlation, s.seed
    ))
}

fn table(rows: &[Row]) -> String {
    let mut html = String::from(
        "<table><tr><th>strategy</th><th>playout</th><th>legs</th><th>guards</th><th>cells/s</th><th>network p50</th>\
         <th>p99, median call</th><th>p99 &lt; 360 ms</th><th>mouth-to-ear p50</th><th>p99, median call</th><th>p99 &lt; 450 ms</th>\
         <th>concealed</th><th>MOS</th></tr>\n",
    );
    for row in rows {
        let s = &row.setting;
        let [low, high] = row.intervals.share_network_p99_below_360;
        // Writing to a string cannot fail.
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.1} % ({:.0}–{:.0})</td>\
             <td>{}</td><td>{}</td><td>{:.1} %</td><td>{:.2} %</td><td>{:.2}</td></tr>",
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
            100.0
                * row
                    .share_mouth_to_ear_p99_below
                    .get("450")
                    .copied()
                    .unwrap_or(0.0),
            100.0 * row.concealed,
            row.mos,
        );
    }
    html.push_str("</table>");
    html
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "∞".to_owned(), |ms| format!("{ms:.0}"))
}

#[expect(clippy::cast_precision_loss, reason = "few calls, few milliseconds")]
fn cdf(first: &CallLine, calls: &[CallLine], value: fn(&CallLine) -> Option<usize>) -> Curve {
    let mut values: Vec<f64> = calls.iter().filter_map(value).map(|ms| ms as f64).collect();
    values.sort_unstable_by(f64::total_cmp);
    let share = |rank: usize| (rank + 1) as f64 / calls.len() as f64;
    let points = values
        .iter()
        .enumerate()
        .map(|(rank, ms)| (*ms, share(rank)))
        .collect();
    let setting = &first.setting;
    let name = if setting.playout == "tacit" {
        setting.strategy.clone()
    } else {
        format!("{}, {}", setting.strategy, setting.playout)
    };
    Curve { name, points }
}

fn plot(title: &str, curves: &[Curve], widest: f64) -> Result<String, DrawError> {
    let largest = curves
        .iter()
        .flat_map(|c| &c.points)
        .map(|(x, _)| *x)
        .fold(100.0, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .build_cartesian_2d(0.0..largest.min(widest), 0.0..1.0)?;
        chart
            .configure_mesh()
            .light_line_style(RGBColor(0xee, 0xee, 0xee))
            .x_desc(title)
            .y_desc("share of calls")
            .draw()?;
        for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
            let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
            chart
                .draw_series(line)?
                .label(curve.name.clone())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], *colour));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.8))
            .border_style(RGBColor(0xcc, 0xcc, 0xcc))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
