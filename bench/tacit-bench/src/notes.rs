//! What every report says beside its figures: whose Tor clients they are of, and how well the model
//! fits what was published.

use tacit_circuits::VERSION;
use tacit_circuits::fit::{MODELLED, Role, table};

use crate::line::Setting;

/// Why a ratio of two strategies is not that of their schedulers alone.
pub const CLIENTS: &str = "Tor clients: C tor for single, torfone, donar-*, as published; \
     Tacit's own (TCP_NODELAY, quick acknowledgements unless delayed) for all others: part of what those gain";

/// Calls of which a median has an interval that holds it 19 times of 20: of five, the least and the largest
/// do 15 times of 16.
pub const ENOUGH: usize = 6;

/// What stands in brackets beside the median of fewer.
pub const FEW: &str = " (medians of fewer than 6 calls: the least and the largest)";

/// Whether strategies of these settings have different Tor clients, which recorded delays do not show.
#[must_use]
pub fn clients_differ(setting: &Setting) -> bool {
    setting.clients.as_deref() == Some("own")
}

/// Whether these calls went over circuits of the model whose fit this program knows.
#[must_use]
pub fn is_fitted(setting: &Setting) -> bool {
    setting.model == VERSION && setting.traces.is_none()
}

/// How far the model is off on average.
#[must_use]
pub fn mean_errors() -> String {
    let errors =
        [Role::Fitted, Role::HeldOut, Role::Check].map(|role| table::mean_error(&MODELLED, role));
    let percent = errors.map(|error| format!("{:.0}", error.percent));
    let points = errors.map(|error| format!("{:.1}", error.points));
    format!(
        "times and rates {} %, shares {} points (what the fit saw, what it did not, the check)",
        percent.join(", "),
        points.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_for_each_role() {
        let told = mean_errors();
        let wanted = |number: &str| number.parse::<f64>().is_ok_and(|number| number > 0.0);
        let numbers = told.split([' ', ',']).filter(|word| wanted(word));
        assert_eq!(numbers.count(), 6, "{told}");
    }
}
