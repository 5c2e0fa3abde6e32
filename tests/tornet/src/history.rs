//! The bandwidth history that relays start with: the same for all.
//!
//! Clients choose relays by weight. Fresh relays claim what little they happened to carry, so one
//! or two would get nearly all paths; and where all claim nothing, the weights that authorities
//! compute keep guards out of the middle position. With equal claims, all but the exits serve in
//! every position about evenly.

/// What every relay claims to have carried, in bytes a second.
const CLAIM: u64 = 1_000_000;
/// The span of the claimed history, in seconds.
const SPAN: u64 = 900;

/// A state file for tor's data directory.
pub(crate) fn state_file(unix_seconds: u64) -> String {
    let ends = timestamp(unix_seconds);
    let total = CLAIM * SPAN;
    ["Read", "Write"].iter().fold(String::new(), |text, way| {
        text + &format!(
            "BWHistory{way}Ends {ends}\n\
             BWHistory{way}Interval {SPAN}\n\
             BWHistory{way}Values {total}\n\
             BWHistory{way}Maxima {CLAIM}\n"
        )
    })
}

/// `YYYY-MM-DD HH:MM:SS` in UTC.
fn timestamp(unix_seconds: u64) -> String {
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The proleptic Gregorian date of a day since 1970-01-01. Years are counted from March, so that
/// the leap day is a year's last.
const fn civil(days: u64) -> (u64, u64, u64) {
    // Days from 0000-03-01 to 1970-01-01, and in 400, 100 and 4 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_utc_dates() {
        assert_eq!(timestamp(0), "1970-01-01 00:00:00");
        assert_eq!(timestamp(951_782_399), "2000-02-28 23:59:59");
        assert_eq!(timestamp(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(timestamp(1_772_323_200), "2026-03-01 00:00:00");
        assert_eq!(timestamp(4_102_444_799), "2099-12-31 23:59:59");
    }
}
