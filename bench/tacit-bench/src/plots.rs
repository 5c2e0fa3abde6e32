//! Plots as SVG text.

use core::time::Duration;

use plotters::coord::types::RangedCoordf64;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use tacit_circuits::strategies::{Contents, Kind};
use tacit_circuits::{Arrival, Observer, Side, run};
use tacit_types::Timestamp;

use crate::line::CallLine;
use crate::row::{INTERACTIVE, Row};
use crate::sim::{Contender, Plan};

const SIZE: (u32, u32) = (1_000, 400);
/// Of that, for the names of the curves.
const NAMES: u32 = 240;
const COLOURS: [RGBColor; 10] = [
    RGBColor(0x9e, 0x9e, 0x9e),
    RGBColor(0x8d, 0x6e, 0x63),
    RGBColor(0xf5, 0x9e, 0x0b),
    RGBColor(0xd9, 0x4f, 0x4f),
    RGBColor(0x7b, 0x5e, 0xc4),
    RGBColor(0x0f, 0x76, 0x6e),
    RGBColor(0x1d, 0x4e, 0x89),
    RGBColor(0x33, 0x33, 0x33),
    RGBColor(0xd8, 0x5f, 0xb0),
    RGBColor(0x7c, 0xb3, 0x42),
];
/// Dashes and the gaps between them, pixels; where curves lie on each other, the lower ones show in the
/// gaps of those above.
const DASHES: [Option<(i32, i32)>; 4] = [None, Some((20, 6)), Some((11, 6)), Some((4, 5))];
const LIGHT: RGBColor = RGBColor(0xee, 0xee, 0xee);
/// Where the plot of one call begins and ends, seconds.
const WINDOW: (f64, f64) = (60.0, 100.0);

/// Why a plot could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw a plot: {0}")]
pub struct DrawError(String);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for DrawError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

/// A curve with its name.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What it is called in the legend.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Name of a strategy with its playout, if that is not ours.
#[must_use]
pub fn name(strategy: &str, playout: &str) -> String {
    if playout == "tacit" {
        strategy.to_owned()
    } else {
        format!("{strategy}, {playout}")
    }
}

/// Share of the calls whose value is at most so much; `None` of no calls.
#[must_use]
pub fn cdf(calls: &[CallLine], value: fn(&CallLine) -> Option<f64>) -> Option<Curve> {
    let setting = &calls.first()?.setting;
    let mut values: Vec<f64> = calls.iter().filter_map(value).collect();
    values.sort_unstable_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "few calls")]
    let share = |rank: usize| rank as f64 / calls.len() as f64;
    let steps = values.iter().enumerate();
    Some(Curve {
        name: name(&setting.label(), &setting.playout),
        points: steps
            .flat_map(|(rank, x)| [(*x, share(rank)), (*x, share(rank + 1))])
            .collect(),
    })
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A line of the legend: how it is drawn, and what it is called.
struct Named {
    mark: Mark,
    name: String,
}

/// How something is drawn.
#[derive(Clone, Copy)]
enum Mark {
    Dot(RGBColor),
    Line(Pen),
}

/// How a curve is drawn.
#[derive(Clone, Copy)]
struct Pen {
    colour: RGBColor,
    /// A dash and a gap, unless it is drawn in one go.
    dash: Option<(i32, i32)>,
}

impl Pen {
    fn all() -> impl Iterator<Item = Self> {
        let dashes = DASHES.iter().copied().cycle();
        let pens = COLOURS.iter().copied().cycle().zip(dashes);
        pens.map(|(colour, dash)| Self { colour, dash })
    }

    fn draw(self, chart: &mut Chart<'_, '_>, points: Vec<(f64, f64)>) -> Result<(), DrawError> {
        let style = self.colour.stroke_width(2);
        match self.dash {
            None => chart.draw_series(LineSeries::new(points, style))?,
            Some((dash, gap)) => {
                chart.draw_series(DashedLineSeries::new(points, dash, gap, style))?
            }
        };
        Ok(())
    }
}

/// Draws on white paper with axes, and names what is drawn beside it.
fn on_paper(
    x: (&str, core::ops::Range<f64>),
    y: (&str, core::ops::Range<f64>),
    legend: &[Named],
    draw: impl FnOnce(&mut Chart<'_, '_>) -> Result<(), DrawError>,
) -> Result<String, DrawError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let (left, right) = area.split_horizontally(SIZE.0 - NAMES);
        let labels = [labels(&x.1), labels(&y.1)];
        let mut chart = ChartBuilder::on(&left)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(x.1, y.1)?;
        chart
            .configure_mesh()
            .bold_line_style(LIGHT)
            .light_line_style(WHITE)
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 15))
            .x_label_formatter(&labels[0])
            .y_label_formatter(&labels[1])
            .x_desc(x.0)
            .y_desc(y.0)
            .draw()?;
        draw(&mut chart)?;
        for (at, named) in (0..).map(|line| 20 + 22 * line).zip(legend) {
            let ends = vec![(2, at), (36, at)];
            match named.mark {
                Mark::Dot(colour) => right.draw(&Circle::new((26, at), 4, colour.filled()))?,
                Mark::Line(Pen { colour, dash }) => {
                    let style = colour.stroke_width(3);
                    match dash {
                        None => right.draw(&PathElement::new(ends, style))?,
                        Some((dash, gap)) => {
                            right.draw(&DashedPathElement::new(ends, dash, gap, style))?;
                        }
                    }
                }
            }
            let name = named.name.clone();
            right.draw(&Text::new(name, (44, at - 7), ("sans-serif", 14)))?;
        }
        area.present()?;
    }
    Ok(svg)
}

/// As many digits as are needed.
fn labels(range: &core::ops::Range<f64>) -> impl Fn(&f64) -> String + use<> {
    let digits = usize::from(range.end - range.start < 10.0);
    move |value| format!("{value:.digits$}")
}

/// Distributions, up to `widest`.
///
/// # Errors
/// It cannot be drawn.
pub fn distributions(
    title: &str,
    curves: &[Curve],
    from: f64,
    widest: f64,
) -> Result<String, DrawError> {
    let points = curves.iter().flat_map(|curve| &curve.points);
    let largest = points.map(|(x, _)| *x).fold(from, f64::max);
    let right = if largest > from {
        largest.min(widest)
    } else {
        widest
    };
    let x = (title, from..right);
    let y = ("share of calls", 0.0..1.0);
    let mut drawn: Vec<(&Curve, Pen)> = curves.iter().zip(Pen::all()).collect();
    let named = |(curve, pen): &(&Curve, Pen)| Named {
        mark: Mark::Line(*pen),
        name: if curve.points.iter().any(|(x, _)| *x <= right) {
            curve.name.clone()
        } else {
            format!("{} (beyond)", curve.name)
        },
    };
    let legend: Vec<Named> = drawn.iter().map(named).collect();
    // Those that hide most come first.
    drawn.sort_by_key(|(_, pen)| pen.dash.map(|(dash, _)| core::cmp::Reverse(dash)));
    on_paper(x, y, &legend, |chart| {
        let mut all = drawn.into_iter();
        all.try_for_each(|(curve, pen)| pen.draw(chart, shown(&curve.points, right)))
    })
}

/// The part of a distribution up to `right`, drawn on to there.
fn shown(points: &[(f64, f64)], right: f64) -> Vec<(f64, f64)> {
    let mut shown: Vec<(f64, f64)> = points.iter().copied().filter(|p| p.0 <= right).collect();
    if let Some((_, share)) = shown.last().copied() {
        shown.push((right, share));
    }
    shown
}

/// What each strategy's median call is worth for the packets that it sends.
///
/// # Errors
/// It cannot be drawn.
pub fn quality_against_cells(rows: &[&Row]) -> Result<String, DrawError> {
    let x = ("packets a second and direction", 15.0..60.0);
    let y = ("MOS of the median call (E-model)", 1.0..4.5);
    let coloured = || rows.iter().zip(COLOURS.iter().copied().cycle());
    let named = |(row, colour): (&&Row, RGBColor)| Named {
        mark: Mark::Dot(colour),
        name: name(&row.setting.label(), &row.setting.playout),
    };
    on_paper(x, y, &coloured().map(named).collect::<Vec<_>>(), |chart| {
        for (row, colour) in coloured() {
            let place = (row.cells_sent_per_s, row.mos);
            chart.draw_series([Circle::new(place, 5, colour.filled())])?;
        }
        Ok(())
    })
}

/// Some of one call, over time: when what was spoken arrived, and copies on stalled circuits.
///
/// # Errors
/// It cannot be drawn.
pub fn one_call(plan: &Plan, contender: Contender, call: u32) -> Result<String, DrawError> {
    let mut track = Track::default();
    let mut scenario = plan.scenario_of(contender);
    scenario.length = scenario.length.min(Duration::from_secs_f64(WINDOW.1 + 5.0));
    let (from, to) = if scenario.length.as_secs_f64() > WINDOW.1 {
        WINDOW
    } else {
        (0.0, scenario.length.as_secs_f64())
    };
    let _ = run(
        &scenario,
        contender.strategy,
        plan.seed_of(call),
        &mut track,
    );
    let seen = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        let within = points
            .iter()
            .copied()
            .filter(|(at, _)| (from..to).contains(at));
        within.map(|(at, ms)| (at, ms.min(1_000.0))).collect()
    };
    let (first, copies) = (seen(&track.first()), seen(&track.copies));
    let title = format!("second of a call with {}", contender.strategy);
    let (x, y) = (
        (title.as_str(), from..to),
        ("network delay, ms (at the top: 1000 or more)", 0.0..1_000.0),
    );
    let legend = [
        Named {
            mark: Mark::Dot(COLOURS[3]),
            name: "a packet above 360 ms".to_owned(),
        },
        Named {
            mark: Mark::Line(Pen {
                colour: COLOURS[6],
                dash: None,
            }),
            name: "first packet with a frame".to_owned(),
        },
    ];
    on_paper(x, y, &legend, |chart| {
        let late = copies.iter().filter(|(_, ms)| *ms > INTERACTIVE);
        let red = COLOURS[3].mix(0.6).filled();
        chart.draw_series(late.map(|point| Circle::new(*point, 2, red)))?;
        chart.draw_series(LineSeries::new(first, COLOURS[6].stroke_width(1)))?;
        Ok(())
    })
}

/// The strategies of which one call is drawn.
pub const DRAWN: [Kind; 2] = [Kind::DonarDouble, Kind::Tacit];

/// Delays of A's packets: seconds, ms.
#[derive(Default)]
struct Track {
    contents: Option<Contents>,
    /// By frame.
    arrived: Vec<Option<Timestamp>>,
    copies: Vec<(f64, f64)>,
}

impl Track {
    fn first(&self) -> Vec<(f64, f64)> {
        let Some(contents) = self.contents else {
            return Vec::new();
        };
        // Those that are new in a packet were ready before it was sent, but for the newest.
        let early = contents.frame() * (contents.new - 1);
        let ready = |frame: usize| {
            let number = u32::try_from(frame).unwrap_or(u32::MAX);
            Timestamp::ZERO + contents.frame().saturating_mul(number) - early
        };
        let point = |(frame, at): (usize, &Option<Timestamp>)| {
            let ready = ready(frame);
            let delay = (*at)?.saturating_since(ready).as_secs_f64() * 1e3;
            let second = ready.saturating_since(Timestamp::ZERO).as_secs_f64();
            Some((second, delay))
        };
        self.arrived.iter().enumerate().filter_map(point).collect()
    }
}

impl Observer for Track {
    fn begins(&mut self, from: Side, contents: &Contents) {
        if from == Side::A {
            self.contents = Some(*contents);
        }
    }

    fn arrived(&mut self, arrival: &Arrival) {
        if arrival.from != Side::A {
            return;
        }
        let delay = arrival.arrived_at.saturating_since(arrival.sent_at);
        let second = arrival.sent_at.saturating_since(Timestamp::ZERO);
        self.copies
            .push((second.as_secs_f64(), delay.as_secs_f64() * 1e3));
        let Some(contents) = self.contents else {
            return;
        };
        let newest = contents.newest(arrival.packet);
        if self.arrived.len() <= newest as usize {
            self.arrived.resize(newest as usize + 1, None);
        }
        for frame in arrival.packed.older.frames(newest) {
            self.arrived[frame as usize].get_or_insert(arrival.arrived_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The points of the lines of a colour, as SVG has them.
    fn lines(svg: &str, colour: RGBColor) -> Vec<&str> {
        let RGBColor(r, g, b) = colour;
        let stroke = format!("stroke=\"#{r:02X}{g:02X}{b:02X}\"");
        let of_colour = svg.split("<polyline").filter(|line| line.contains(&stroke));
        let points = of_colour.filter_map(|line| line.split("points=\"").nth(1)?.split('"').next());
        points.collect()
    }

    #[test]
    fn curves_that_lie_on_each_other_are_all_seen() {
        let points: Vec<(f64, f64)> = (0..=100)
            .map(|n| (f64::from(n), f64::from(n) / 100.0))
            .collect();
        let curve = |name: u8| Curve {
            name: name.to_string(),
            points: points.clone(),
        };
        let curves: Vec<Curve> = (0..4).map(curve).collect();
        let svg = distributions("ms", &curves, 0.0, 100.0).expect("it can be drawn");
        let of = |number: usize| lines(&svg, COLOURS[number]);
        // One curve in one go, drawn first, and its line in the legend; the others in ever more pieces.
        let pieces: Vec<usize> = (0..4).map(|number| of(number).len()).collect();
        assert_eq!(pieces[0], 2, "{pieces:?}");
        assert!(pieces.is_sorted() && pieces[1] > 10, "{pieces:?}");
        let at = |number: usize| svg.find(of(number)[0]);
        assert!((0..4).map(at).is_sorted());
    }
}
