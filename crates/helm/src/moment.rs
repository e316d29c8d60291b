//! Go's times and durations.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `Mon Jan _2 15:04:05 2006`.
pub(super) fn ansic(at: Timestamp) -> String {
    landfall_sprig::format_time("Mon Jan _2 15:04:05 2006", at, &TimeZone::system())
}

/// As Go prints a time that nobody formats.
pub(super) fn plain(at: Timestamp) -> String {
    landfall_sprig::format_time("2006-01-02 15:04:05.999999999 -0700 MST", at, &TimeZone::system())
}

/// By a layout of Go's.
pub(super) fn formatted(layout: &str, at: Timestamp) -> String {
    landfall_sprig::format_time(layout, at, &TimeZone::system())
}

/// `2006-01-02T15:04:05Z07:00`.
pub(super) fn rfc3339(at: Timestamp) -> String {
    landfall_sprig::format_time("2006-01-02T15:04:05Z07:00", at, &TimeZone::system())
}
