//! Time: tokio's clock, so that a test can pause it, anchored to the wall clock once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The moment the emulator started, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    wall: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), wall }
    }

    /// A start at a wall time that is always the same, so that everything can be repeated to the byte.
    pub(crate) fn simulated() -> Self {
        Self { start: Instant::now(), wall: SIMULATED }
    }

    pub(crate) fn begin(&self) -> Instant {
        self.start
    }

    /// Milliseconds since the start.
    pub(crate) fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    /// RFC 3339 with microseconds and `Z`, as `created_on` is written.
    pub(crate) fn rfc3339(&self, at: Instant) -> String {
        let since_epoch = self.wall + at.saturating_duration_since(self.start);
        let seconds = since_epoch.as_secs();
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let micros = since_epoch.subsec_micros();
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }

    /// As in a `Date` header (RFC 9110 §5.6.7), in whole seconds.
    pub(crate) fn http_date(&self, at: Instant) -> String {
        let seconds = (self.wall + at.saturating_duration_since(self.start)).as_secs();
        let days = seconds / 86_400;
        let (year, month, day) = civil(days);
        let weekday = WEEKDAYS[usize::try_from(days % 7).unwrap_or_default()];
        let month = MONTHS[usize::try_from(month - 1).unwrap_or_default()];
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

/// Days since 1970-01-01 to year, month, day (proleptic Gregorian; Hinnant's `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// 1970-01-01 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// 2026-01-01T00:00:00Z.
const SIMULATED: Duration = Duration::from_hours(20_454 * 24);

#[cfg(test)]
mod tests {
    use super::{Clock, SIMULATED, civil};

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_779), (2026, 11, 22));
        assert_eq!(civil(SIMULATED.as_secs() / 86_400), (2026, 1, 1));
    }

    #[test]
    fn a_simulated_clock_begins_with_a_year() {
        let clock = Clock::simulated();
        assert_eq!(clock.http_date(clock.begin()), "Thu, 01 Jan 2026 00:00:00 GMT");
    }
}
