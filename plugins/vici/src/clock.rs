//! The local calendar, which the standard library does not have.

use std::time::SystemTime;

use crate::sys;

/// `Nov 21 06:51:17 2026` in local time; `None` beyond the calendar.
pub(crate) fn local(time: SystemTime) -> Option<String> {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let sys::LocalTime { year, month, day, hour, minute, second } = sys::local_time(seconds)?;
    let month = MONTHS.get(month)?;
    Some(format!("{month} {day:02} {hour:02}:{minute:02}:{second:02} {year}"))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_day_has_two_digits_and_the_year_stands_last() {
        let text = local(SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_000_000)).unwrap();
        let words: Vec<_> = text.split(' ').collect();
        assert_eq!((words.len(), words[0], words[3]), (4, "May", "2026"));
        assert_eq!((words[1].len(), words[2].len()), (2, 8));
    }
}
