//! How numbers are written in tables.

use crate::row::NEVER;

/// Milliseconds; `None` never came.
#[must_use]
pub fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "∞".to_owned(), |ms| format!("{ms:.0}"))
}

/// The same with its 95 % interval.
#[must_use]
pub fn ms_around(value: Option<f64>, [low, high]: [f64; 2]) -> String {
    let bound = |value: f64| ms((value < NEVER).then_some(value));
    format!("{} ({}–{})", ms(value), bound(low), bound(high))
}

/// A share with so many digits, in percent.
#[must_use]
pub fn percent(share: f64, digits: usize) -> String {
    format!("{:.digits$} %", 100.0 * share)
}

/// The same with its 95 % interval, in whole percent.
#[must_use]
pub fn share((value, [low, high]): (f64, [f64; 2])) -> String {
    let value = percent(value, 1);
    format!("{value} ({:.0}–{:.0})", 100.0 * low, 100.0 * high)
}

/// What was not measured.
#[must_use]
pub fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_came_is_infinite() {
        assert_eq!(ms_around(Some(1_234.4), [999.6, NEVER]), "1234 (1000–∞)");
        assert_eq!(ms(None), "∞");
        assert_eq!(share((0.9751, [0.9, 1.0])), "97.5 % (90–100)");
    }
}
