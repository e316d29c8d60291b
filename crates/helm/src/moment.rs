//! Go's times and durations.

use std::sync::{LazyLock, OnceLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Where the machine keeps its zone.
const LOCALTIME: &str = "/etc/localtime";

/// Whether `TZ` names the zone that Go calls local.
static NAMED: OnceLock<bool> = OnceLock::new();

/// Where nothing names it, it is what the machine's file holds. That is read as it is: asked for the system's zone, jiff looks the file's
/// name up among all the zones there are, which takes a tenth of a listing.
static LOCAL: LazyLock<TimeZone> = LazyLock::new(|| {
    let held = || TimeZone::tzif("Local", &std::fs::read(LOCALTIME).ok()?).ok();
    let unnamed = NAMED.get() == Some(&false);
    unnamed.then(held).flatten().unwrap_or_else(TimeZone::system)
});

/// Says whether the environment names the local zone.
pub(super) fn named_by_environment(named: bool) {
    let _told_before = NAMED.set(named);
}

/// `Mon Jan _2 15:04:05 2006`.
pub(super) fn ansic(at: Timestamp) -> String {
    landfall_sprig::format_time("Mon Jan _2 15:04:05 2006", at, &LOCAL)
}

/// As Go prints a time that nobody formats.
pub(super) fn plain(at: Timestamp) -> String {
    landfall_sprig::format_time("2006-01-02 15:04:05.999999999 -0700 MST", at, &LOCAL)
}

/// By a layout of Go's.
pub(super) fn formatted(layout: &str, at: Timestamp) -> String {
    landfall_sprig::format_time(layout, at, &LOCAL)
}

/// `2006-01-02T15:04:05Z07:00`.
pub(super) fn rfc3339(at: Timestamp) -> String {
    landfall_sprig::format_time("2006-01-02T15:04:05Z07:00", at, &LOCAL)
}
