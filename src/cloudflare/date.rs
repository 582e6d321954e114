//! The two date formats of an answer, in whole seconds since 1970: a record's age is the difference of two
//! instants of Cloudflare's clock, so that ours need not be right.

/// The `Date` header, e.g. `Sun, 06 Nov 1994 08:49:37 GMT`
/// ([RFC 9110 §5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7); the obsolete forms are not read).
pub(super) fn http(text: &str) -> Option<i64> {
    let text = text.split_once(", ")?.1.strip_suffix(" GMT")?;
    let mut words = text.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)?;
    let month = i64::try_from(month).ok()? + 1;
    seconds([number(year)?, month, number(day)?], time)
}

/// `created_on`, e.g. `2024-05-24T09:42:37.123456Z`
/// ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339); always UTC, the fraction is dropped).
pub(super) fn rfc3339(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut parts = date.split('-').map(number);
    let date = [parts.next()??, parts.next()??, parts.next()??];
    let time = time.split_once('.').map_or(time, |(whole, _)| whole);
    seconds(date, time)
}

fn seconds([year, month, day]: [i64; 3], time: &str) -> Option<i64> {
    let mut parts = time.split(':').map(number);
    let [hour, minute, second] = [parts.next()??, parts.next()??, parts.next()??];
    let real = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    real.then(|| ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days since 1970-01-01: the civil calendar with the year begun in March, so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469
}

fn number(digits: &str) -> Option<i64> {
    let plain = !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_agree_with_date_of_coreutils() {
        let cases = [
            ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000001Z", 784_111_777),
            ("Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59.9Z", 1_709_251_199),
            ("Fri, 01 Mar 2024 00:00:00 GMT", "2024-03-01T00:00:00Z", 1_709_251_200),
            ("Sat, 31 Dec 2050 12:00:00 GMT", "2050-12-31T12:00:00Z", 2_556_100_800),
        ];
        for (header, created, expected) in cases {
            assert_eq!(http(header), Some(expected), "{header}");
            assert_eq!(rfc3339(created), Some(expected), "{created}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in
            ["", "Z", "2024-02-29", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", "-2024-01-01T00:00:00Z"]
        {
            assert_eq!(rfc3339(text), None, "{text}");
        }
        for text in [
            "",
            "now",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Now 1994 08:49:37 GMT",
        ] {
            assert_eq!(http(text), None, "{text}");
        }
    }
}
