//! What stands in the live line: as much as the terminal's width has room for, so that it never
//! wraps. What matters least goes first.

use tacit_engine::{Quality, Side};

/// What one form of the call's line shows, besides the quality in a word.
struct Form {
    repaired: bool,
    concealed: bool,
    circuits: bool,
    /// The delay with what it is.
    delay_named: bool,
    delay: bool,
    /// Length of a level.
    steps: u8,
    /// The other person's level, too.
    theirs: bool,
}

const WHOLE: Form = Form {
    repaired: true,
    concealed: true,
    circuits: true,
    delay_named: true,
    delay: true,
    steps: 8,
    theirs: true,
};

/// From the longest to the shortest.
const FORMS: &[Form] = &[
    WHOLE,
    Form {
        repaired: false,
        ..WHOLE
    },
    Form {
        repaired: false,
        concealed: false,
        ..WHOLE
    },
    Form {
        repaired: false,
        concealed: false,
        delay_named: false,
        ..WHOLE
    },
    SHORT,
    Form {
        theirs: false,
        ..SHORT
    },
    Form {
        theirs: false,
        delay: false,
        ..SHORT
    },
];

const SHORT: Form = Form {
    repaired: false,
    concealed: false,
    circuits: false,
    delay_named: false,
    steps: 4,
    ..WHOLE
};

/// The call's line in its longest form that fits. It begins with the quality's word.
pub(crate) fn meter(q: &Quality, muted: bool, columns: usize) -> String {
    let mut text = String::new();
    for form in FORMS {
        text = in_form(q, muted, form);
        if text.chars().count() <= columns {
            return text;
        }
    }
    clip(&text, columns)
}

fn in_form(q: &Quality, muted: bool, form: &Form) -> String {
    let mut parts = vec![quality(q).0.to_owned()];
    if form.delay {
        let named = if form.delay_named {
            " mouth to ear"
        } else {
            ""
        };
        parts.push(format!("{:.0} ms{named}", q.latency.mouth_to_ear()));
    }
    if form.circuits {
        parts.push(format!("{} circuits", q.of_side(Side::Local).count()));
    }
    if form.repaired {
        parts.push(format!("repaired {:.1} %", q.repaired * 100.0));
    }
    if form.concealed {
        parts.push(format!("concealed {:.1} %", q.concealed * 100.0));
    }
    parts.push(if muted {
        "you muted".into()
    } else {
        format!("you {}", bar(q.input_level, form.steps))
    });
    if form.theirs {
        parts.push(format!("they {}", bar(q.output_level, form.steps)));
    }
    parts.join(" · ")
}

/// A word for the quality, and its colour: delay after ITU-T G.114's advice, and concealment.
pub(crate) fn quality(q: &Quality) -> (&'static str, &'static str) {
    let delay = q.latency.mouth_to_ear();
    if q.concealed > 0.05 || delay > 700.0 {
        ("Poor", "\x1b[31m")
    } else if q.concealed > 0.01 || delay > 450.0 {
        ("Fair", "\x1b[33m")
    } else {
        ("Good", "\x1b[32m")
    }
}

/// Steps from −60 to 0 dBFS.
fn bar(level: f32, steps: u8) -> String {
    let all = f32::from(steps);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the number of steps"
    )]
    let full = ((level + 60.0) / 60.0 * all).clamp(0.0, all) as usize;
    let all = usize::from(steps);
    format!("{}{}", "▮".repeat(full), "▯".repeat(all - full))
}

/// The beginning of a text that is too long for a line.
pub(crate) fn clip(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(columns.saturating_sub(1)).collect();
    if columns > 0 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_engine::{LatencyBreakdown, LegQuality};

    /// A bad call over many circuits: every number at its longest.
    fn long() -> Quality {
        let leg = |leg| LegQuality::fresh(Side::Local, leg);
        Quality {
            latency: LatencyBreakdown {
                network: 2345.0,
                ..LatencyBreakdown::default()
            },
            concealed: 0.125,
            repaired: 0.034,
            input_level: -20.0,
            output_level: -40.0,
            legs: (0..16).map(leg).collect(),
            ..Quality::default()
        }
    }

    #[test]
    fn the_line_fits_whatever_the_width_and_uses_what_there_is() {
        let q = long();
        for muted in [false, true] {
            let mut before = 0;
            for columns in 0..200 {
                let text = meter(&q, muted, columns);
                let wide = text.chars().count();
                assert!(wide <= columns, "{columns}: {text}");
                assert!(wide >= before, "{columns}: {text}");
                before = wide;
            }
        }
    }

    #[test]
    fn what_matters_least_goes_first() {
        let q = long();
        let at = |columns| meter(&q, false, columns);
        let whole = "Poor · 2345 ms mouth to ear · 16 circuits · concealed 12.5 % · \
                     you ▮▮▮▮▮▯▯▯ · they ▮▮▯▯▯▯▯▯";
        assert_eq!(at(100), whole);
        assert_eq!(
            at(120),
            whole.replace("concealed", "repaired 3.4 % · concealed")
        );
        let most = "Poor · 2345 ms mouth to ear · 16 circuits · you ▮▮▮▮▮▯▯▯ · they ▮▮▯▯▯▯▯▯";
        assert_eq!(at(79), most);
        assert_eq!(
            at(59),
            "Poor · 2345 ms · 16 circuits · you ▮▮▮▮▮▯▯▯ · they ▮▮▯▯▯▯▯▯"
        );
        assert_eq!(at(39), "Poor · 2345 ms · you ▮▮▯▯ · they ▮▯▯▯");
        assert_eq!(at(30), "Poor · 2345 ms · you ▮▮▯▯");
        assert_eq!(at(20), "Poor · you ▮▮▯▯");
        assert_eq!(at(5), "Poor…");
        assert_eq!(
            meter(&q, true, 39),
            "Poor · 2345 ms · you muted · they ▮▯▯▯"
        );
        assert_eq!(meter(&q, true, 20), "Poor · you muted");
    }

    #[test]
    fn what_is_too_long_for_a_line_is_cut() {
        assert_eq!(clip("Tor: 5 % · näher", 16), "Tor: 5 % · näher");
        assert_eq!(clip("Tor: 5 % · näher", 15), "Tor: 5 % · näh…");
        assert_eq!(clip("Tor", 0), "");
    }
}
