//! Published numbers beside the model's, with the errors, as every report shows them.

use super::facts::{Entry, Facts, PUBLISHED, Role, Scale};

/// One list of numbers in a table's words. `*` marks what the search did not see, `†` that of whose
/// kind it saw nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The list, and the names of its numbers.
    pub what: String,
    /// What was published.
    pub published: String,
    /// What the model gives.
    pub model: String,
    /// How far each is off.
    pub error: String,
}

/// How far numbers are off on average, whatever the sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanError {
    /// Of times and rates, percent of what was published.
    pub percent: f64,
    /// Of shares, percentage points.
    pub points: f64,
}

/// A line for each list.
#[must_use]
pub fn lines(simulated: &Facts) -> Vec<Line> {
    let pairs: Vec<(Entry, Entry)> = pairs(simulated).collect();
    let line = |list: &[(Entry, Entry)]| {
        let cells = |cell: fn(&(Entry, Entry)) -> String| {
            list.iter().map(cell).collect::<Vec<_>>().join(", ")
        };
        let names = cells(|(published, _)| format!("{}{}", published.name, mark(published)));
        let group = list.first().map_or("", |(published, _)| published.group);
        Line {
            what: format!("{group}: {names}"),
            published: cells(|(published, _)| number(published.value)),
            model: cells(|(_, simulated)| number(simulated.value)),
            error: cells(|(published, simulated)| difference(published, simulated)),
        }
    };
    let lists = pairs.chunk_by(|a, b| a.0.group == b.0.group);
    lists.map(line).collect()
}

/// All lines as a Markdown table.
#[must_use]
pub fn markdown(simulated: &Facts) -> String {
    let row = |line: Line| {
        let what = line.what.replace('*', "\\*");
        let Line {
            published,
            model,
            error,
            ..
        } = line;
        format!("| {what} | {published} | {model} | {error} |\n")
    };
    let rows: String = lines(simulated).into_iter().map(row).collect();
    format!("| | published | model | error |\n|---|---|---|---|\n{rows}")
}

/// Over all numbers of a role, each counted once.
#[must_use]
pub fn mean_error(simulated: &Facts, role: Role) -> MeanError {
    let mean = |scale: Scale, error: fn(f64, f64) -> f64| {
        let wanted =
            |(published, _): &(Entry, Entry)| (published.role, published.scale) == (role, scale);
        let errors: Vec<f64> = pairs(simulated)
            .filter(wanted)
            .map(|(published, simulated)| error(published.value, simulated.value).abs())
            .collect();
        super::summary::mean(&errors)
    };
    MeanError {
        percent: mean(Scale::Ratio, |published, simulated| {
            100.0 * (simulated / published - 1.0)
        }),
        points: mean(Scale::Points, |published, simulated| simulated - published),
    }
}

fn pairs(simulated: &Facts) -> impl Iterator<Item = (Entry, Entry)> {
    PUBLISHED.entries().into_iter().zip(simulated.entries())
}

const fn mark(entry: &Entry) -> &'static str {
    match entry.role {
        Role::HeldOut => "*",
        Role::Check => "†",
        Role::Fitted => "",
    }
}

fn number(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

fn difference(published: &Entry, simulated: &Entry) -> String {
    match published.scale {
        Scale::Ratio => format!(
            "{:+.0} %",
            100.0 * (simulated.value / published.value - 1.0)
        ),
        Scale::Points => format!("{:+.1} points", simulated.value - published.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn off(factor: f64, points: f64) -> Facts {
        let mut facts = PUBLISHED;
        facts.jitter *= factor;
        facts.without_stall += points;
        facts
    }

    #[test]
    fn a_line_has_the_published_number_the_models_and_the_error() {
        let all = lines(&off(1.5, 3.0));
        let find = |what: &str| all.iter().find(|line| line.what.starts_with(what)).unwrap();
        let jitter = find("jitter");
        assert_eq!((&*jitter.published, &*jitter.model), ("43", "64"));
        assert_eq!(jitter.error, "+50 %");
        let shares = find("calls or packets, %");
        assert!(shares.error.starts_with("+3.0 points, +0.0 points"));
        assert!(markdown(&off(1.5, 3.0)).contains("| 43 | 64 | +50 % |\n"));
        assert_eq!(markdown(&PUBLISHED).lines().count(), all.len() + 2);
    }

    #[test]
    fn a_mean_error_is_of_the_numbers_of_its_role_and_scale_alone() {
        let roles = [Role::Fitted, Role::HeldOut, Role::Check];
        for role in roles {
            let error = mean_error(&PUBLISHED, role);
            assert_eq!((error.percent, error.points), (0.0, 0.0));
        }
        let errors = roles.map(|role| mean_error(&off(0.5, -3.0), role));
        let entries = PUBLISHED.entries();
        let role_of = |name: &str| {
            let entry = entries.iter().find(|entry| entry.name == name);
            entry.map(|entry| entry.role).unwrap()
        };
        for (role, error) in roles.into_iter().zip(errors) {
            assert_eq!(error.percent > 0.0, role == role_of("mean"), "{role:?}");
            assert_eq!(
                error.points > 0.0,
                role == role_of("without stall"),
                "{role:?}"
            );
        }
    }
}
