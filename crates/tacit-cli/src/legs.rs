//! The legs of a call as a table: where the delay comes from, what each leg is like, and why packets
//! take the paths that they take. As wide and as high as the terminal has room for; what matters least
//! goes first. Nothing in it names a relay.

use tacit_engine::{ChoiceReason, LatencyBreakdown, LegQuality, PathChange, Quality, Side};

use crate::live::clip;

/// Room on a terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub columns: usize,
    pub rows: usize,
}

/// What the view remembers of a call.
#[derive(Debug, Default)]
pub(crate) struct LegsView {
    /// Whether it is to be drawn with the live line.
    pub shown: bool,
    quality: Option<Quality>,
    best: Option<(u8, u8, PathChange)>,
}

impl LegsView {
    pub(crate) fn quality(&mut self, quality: &Quality) {
        self.quality = Some(quality.clone());
    }

    pub(crate) const fn best(&mut self, sender: u8, receiver: u8, reason: PathChange) {
        self.best = Some((sender, receiver, reason));
    }

    /// The call is over.
    pub(crate) fn forget(&mut self) {
        self.quality = None;
        self.best = None;
    }

    /// The view's lines; none before the first report.
    pub(crate) fn lines(&self, room: Room) -> Vec<String> {
        let Some(q) = &self.quality else {
            return Vec::new();
        };
        let above = wrap(&stages(&q.latency), " + ", room.columns);
        let below: Vec<String> = [frames(q), reasons(q), self.best_path(q)]
            .iter()
            .flat_map(|parts| wrap(parts, ", ", room.columns))
            .collect();
        let table = table(q, room.columns);
        // The table's head comes with at least one leg, or with none and what is around it.
        let left = room.rows.saturating_sub(above.len() + below.len());
        let mut lines = above;
        lines.extend(shortened(table, left));
        lines.extend(below);
        lines.truncate(room.rows);
        lines
    }

    fn best_path(&self, q: &Quality) -> Vec<String> {
        let Some((sender, receiver, reason)) = self.best else {
            return Vec::new();
        };
        let why = match reason {
            PathChange::First => "the first of the call",
            PathChange::Faster => "faster than the one before",
            PathChange::Overdue => "packets on the one before were overdue",
            PathChange::Gone => "the one before is gone",
            _ => "it has changed",
        };
        let path = if has_two_sides(q) {
            format!("our {sender} to their {receiver}")
        } else {
            format!("leg {sender}")
        };
        vec![format!("best path: {path} ({why})")]
    }
}

/// Where the milliseconds go.
fn stages(l: &LatencyBreakdown) -> Vec<String> {
    let stages = [
        (l.capture, "capture"),
        (l.frame, "frame"),
        (l.look_ahead, "look-ahead"),
        (l.send_queue, "send queue"),
        (l.network, "network"),
        (l.playout_wait, "playout wait"),
        (l.output, "output"),
    ];
    let mut parts: Vec<String> = stages
        .iter()
        .map(|(ms, name)| format!("{name} {}", tenths(*ms)))
        .collect();
    if let Some(last) = parts.last_mut() {
        last.push_str(&format!(" = {:.0} ms (estimate)", l.mouth_to_ear()));
    }
    parts
}

fn frames(q: &Quality) -> Vec<String> {
    let f = q.frames;
    vec![
        format!("frames heard {}", f.played),
        format!("repaired {}", f.repaired),
        format!("concealed {}", f.concealed),
    ]
}

/// How often each reason decided in the last second, the most frequent first.
fn reasons(q: &Quality) -> Vec<String> {
    let mut choices = q.choices.clone();
    choices.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut parts: Vec<String> = choices
        .iter()
        .map(|(reason, count)| format!("{} {count}", named(*reason)))
        .collect();
    if let Some(first) = parts.first_mut() {
        first.insert_str(0, "packets by reason: ");
    }
    parts
}

fn named(reason: ChoiceReason) -> String {
    reason.to_string().replace('_', " ")
}

fn tenths(ms: f32) -> String {
    if ms > 0.0 && ms < 9.95 {
        format!("{ms:.1}")
    } else {
        format!("{ms:.0}")
    }
}

/// One column of the table.
struct Column {
    title: &'static str,
    /// Columns with a higher number go first when there is no room; those with 0 stay.
    spare: u8,
    /// Text stands at the left, numbers at the right.
    text: bool,
    cell: fn(&LegQuality, bool) -> String,
}

const fn column(
    title: &'static str,
    spare: u8,
    text: bool,
    cell: fn(&LegQuality, bool) -> String,
) -> Column {
    Column {
        title,
        spare,
        text,
        cell,
    }
}

const COLUMNS: &[Column] = &[
    column("leg", 0, false, |l, two_sides| match l.side {
        _ if !two_sides => l.leg.to_string(),
        Side::Local => format!("our {}", l.leg),
        Side::Peer => format!("their {}", l.leg),
    }),
    column("state", 0, true, |l, _| l.state.to_string()),
    column("out ms", 1, false, |l, _| above(l.relative_delay_ms)),
    column("±", 8, false, |l, _| {
        let noise = l.relative_delay_ms.map(|_| format!("{:.0}", l.noise_ms));
        noise.unwrap_or_default()
    }),
    column("in ms", 4, false, |l, _| above(l.inward_delay_ms)),
    column("loss %", 2, false, |l, _| {
        let loss = l.loss.map(|loss| format!("{:.1}", loss * 100.0));
        loss.unwrap_or_default()
    }),
    column("late ms", 7, false, |l, _| {
        if l.overdue_ms < 0.5 {
            return String::new();
        }
        format!("{:.0}", l.overdue_ms)
    }),
    column("queue ms", 9, false, |l, _| {
        l.send_queue_ms.map(tenths).unwrap_or_default()
    }),
    column("sent", 5, false, |l, _| l.sent.to_string()),
    column("came", 6, false, |l, _| l.received.to_string()),
    column("last because", 3, true, |l, _| {
        l.last_reason.map(named).unwrap_or_default()
    }),
];

fn above(ms: Option<f32>) -> String {
    ms.map(|ms| format!("+{ms:.0}")).unwrap_or_default()
}

fn has_two_sides(q: &Quality) -> bool {
    q.legs.iter().any(|leg| leg.side == Side::Peer)
}

/// Head and rows.
fn table(q: &Quality, columns: usize) -> Vec<String> {
    let two_sides = has_two_sides(q);
    let mut shown: Vec<&Column> = COLUMNS.iter().collect();
    loop {
        let rows = rows(q, &shown, two_sides);
        let fits = rows.iter().all(|row| row.chars().count() <= columns);
        let spare = shown.iter().map(|c| c.spare).max().unwrap_or(0);
        if fits || spare == 0 {
            return rows.iter().map(|row| clip(row, columns)).collect();
        }
        shown.retain(|c| c.spare < spare);
    }
}

fn rows(q: &Quality, shown: &[&Column], two_sides: bool) -> Vec<String> {
    let head: Vec<String> = shown.iter().map(|c| c.title.to_owned()).collect();
    let legs = q.legs.iter();
    let cells = legs.map(|leg| shown.iter().map(|c| (c.cell)(leg, two_sides)).collect());
    let cells: Vec<Vec<String>> = std::iter::once(head).chain(cells).collect();
    let wide = |n: usize| cells.iter().map(|row| row[n].chars().count()).max();
    let widths: Vec<usize> = (0..shown.len()).map(|n| wide(n).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).zip(shown);
        let cells = cells.map(|((cell, wide), column)| {
            if column.text {
                format!("{cell:<wide$}")
            } else {
                format!("{cell:>wide$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

/// As many rows of the table as there is room for; the last one says how many legs are missing.
fn shortened(mut table: Vec<String>, rows: usize) -> Vec<String> {
    if table.len() > rows {
        let kept = rows.saturating_sub(1);
        let missing = table.len() - kept.max(1);
        table.truncate(kept);
        if rows > 0 {
            table.push(format!("… and {missing} more"));
        }
    }
    table
}

/// Puts parts into lines that are no wider than this.
fn wrap(parts: &[String], between: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let wide = |line: &str| line.chars().count();
        match lines.last_mut() {
            Some(line) if wide(line) + wide(between.trim_end()) + 1 + wide(part) <= columns => {
                line.push_str(between);
                line.push_str(part);
            }
            Some(line) => {
                line.push_str(between.trim_end());
                lines.push(part.clone());
            }
            None => lines.push(part.clone()),
        }
    }
    lines.iter().map(|line| clip(line, columns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_engine::{FrameCounts, LegState};

    fn leg(side: Side, leg: u8) -> LegQuality {
        let mut quality = LegQuality::fresh(side, leg);
        if leg == 1 {
            return quality;
        }
        quality.state = if leg == 2 {
            LegState::Suspect
        } else {
            LegState::Good
        };
        quality.relative_delay_ms = Some(f32::from(leg) * 112.0);
        quality.inward_delay_ms = Some(f32::from(leg) * 9.0);
        quality.noise_ms = 12.0;
        quality.loss = Some(0.25);
        quality.overdue_ms = if leg == 2 { 345.0 } else { 0.0 };
        quality.sent = 31;
        quality.received = 28;
        quality.send_queue_ms = (side == Side::Local).then_some(0.2);
        quality.last_reason = Some(ChoiceReason::ProbeSuspect);
        quality
    }

    fn view(legs: Vec<LegQuality>) -> LegsView {
        let mut view = LegsView::default();
        view.quality(&Quality {
            latency: LatencyBreakdown {
                capture: 10.0,
                frame: 10.0,
                look_ahead: 6.5,
                send_queue: 0.2,
                network: 131.0,
                playout_wait: 71.0,
                output: 20.0,
            },
            frames: FrameCounts {
                played: 1190,
                repaired: 8,
                concealed: 2,
            },
            choices: vec![(ChoiceReason::Best, 11), (ChoiceReason::Rested, 36)],
            legs,
            ..Quality::default()
        });
        view.best(2, 2, PathChange::Overdue);
        view
    }

    fn onion() -> LegsView {
        view((0..3).map(|n| leg(Side::Local, n)).collect())
    }

    const ROOM: Room = Room {
        columns: 100,
        rows: 50,
    };

    #[test]
    fn a_wide_terminal_shows_all_there_is() {
        let lines = onion().lines(ROOM);
        let expected = [
            "capture 10 + frame 10 + look-ahead 6.5 + send queue 0.2 + network 131 + playout wait 71 +",
            "output 20 = 249 ms (estimate)",
            "leg  state    out ms   ±  in ms  loss %  late ms  queue ms  sent  came  last because",
            "  0  good         +0  12     +0    25.0                0.2    31    28  probe suspect",
            "  1  fresh                                                     0     0",
            "  2  suspect    +224  12    +18    25.0      345       0.2    31    28  probe suspect",
            "frames heard 1190, repaired 8, concealed 2",
            "packets by reason: rested 36, best 11",
            "best path: leg 2 (packets on the one before were overdue)",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn columns_go_one_by_one_as_the_terminal_narrows() {
        let at = |columns| onion().lines(Room { columns, rows: 50 });
        let row = |columns, start: &str| {
            let found = at(columns).into_iter().find(|l| l.starts_with(start));
            found.unwrap_or_default()
        };
        assert_eq!(
            row(60, "leg"),
            "leg  state    out ms  in ms  loss %  sent  last because"
        );
        assert_eq!(row(40, "leg"), "leg  state    out ms  loss %");
        assert_eq!(row(40, "  2"), "  2  suspect    +224    25.0");
        assert_eq!(row(20, "leg"), "leg  state    out ms");
        assert_eq!(row(19, "leg"), "leg  state");
        for columns in 0..130 {
            for line in at(columns) {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn both_sides_of_turn_legs_are_told_apart() {
        let sides = [Side::Local, Side::Peer];
        let legs = sides
            .into_iter()
            .flat_map(|side| (0..2).map(move |n| leg(side, n)));
        let lines = view(legs.collect()).lines(ROOM);
        assert!(
            lines.iter().any(|l| l.starts_with("  our 0  good")),
            "{lines:#?}"
        );
        assert!(
            lines.iter().any(|l| l.starts_with("their 1  fresh")),
            "{lines:#?}"
        );
        assert!(
            lines.iter().any(|l| l.contains("our 2 to their 2")),
            "{lines:#?}"
        );
    }

    #[test]
    fn a_low_terminal_shows_fewer_legs_and_says_so() {
        let view = view((0..16).map(|n| leg(Side::Local, n)).collect());
        for rows in 0..40 {
            let lines = view.lines(Room { columns: 80, rows });
            assert!(lines.len() <= rows, "{rows}: {lines:#?}");
        }
        let lines = view.lines(Room {
            columns: 80,
            rows: 10,
        });
        assert!(lines.iter().any(|l| l == "… and 13 more"), "{lines:#?}");
    }

    #[test]
    fn before_the_first_report_there_is_nothing() {
        assert!(LegsView::default().lines(ROOM).is_empty());
    }
}
