//! Sync windows of a project: when its Applications may be synced. A function of time, and of nothing else.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use landfall_object::{Schedule, go_duration};
use serde::Deserialize;

use crate::Application;
use crate::glob::fits;

/// The windows that are about an Application, as its project has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

/// Who asks for a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// The Application's own policy.
    Policy,
    /// Somebody.
    Somebody,
}

/// Why a sync may not begin now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// In words.
    pub why: String,
    /// From when on it may begin, as the windows stand; nothing where that does not come in sight.
    pub until: Option<Timestamp>,
}

/// Windows that follow each other which are looked through for the moment from which on a sync may begin.
const FOLLOWING: usize = 32;

/// What keeps a sync from beginning.
enum Barrier<'w> {
    /// Windows that deny it.
    Denied(Vec<&'w Window>),
    /// Of windows that allow it none is open.
    Shut(Vec<&'w Window>),
}

impl Barrier<'_> {
    /// When it is no longer there, whatever comes then.
    fn falls(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            // As long as one of them is open, the others may have closed.
            Barrier::Denied(windows) => windows.iter().filter_map(|it| it.times.as_ref().ok()?.closes(now)).max(),
            Barrier::Shut(windows) => windows.iter().filter_map(|it| it.times.as_ref().ok()?.opens(now)).min(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    kind: Kind,
    /// When it opens, for how long and where, or why that cannot be read.
    times: Result<Times, String>,
    written: Written,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Times {
    opens: Schedule,
    stays: SignedDuration,
    zone: TimeZone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Allow,
    Deny,
}

/// As a project has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Written {
    kind: String,
    schedule: String,
    duration: String,
    time_zone: String,
    applications: Vec<String>,
    namespaces: Vec<String>,
    clusters: Vec<String>,
    manual_sync: bool,
    and_operator: bool,
    description: String,
}

impl Written {
    /// Whether it is about an Application: by its name, else by its cluster, else by its namespace; by all that are
    /// named where `andOperator` says so.
    fn is_about(&self, application: &Application) -> bool {
        let destination = &application.destination;
        let named = self.applications.iter().any(|it| fits(it, &application.name));
        let clustered = self.clusters.iter().any(|it| {
            (!destination.name.is_empty() && fits(it, &destination.name))
                || (!destination.server.is_empty() && fits(it, &destination.server))
        });
        let placed = self.namespaces.iter().any(|it| fits(it, &destination.namespace));
        if !self.and_operator {
            return named || clustered || placed;
        }
        let of = [(&self.applications, named), (&self.clusters, clustered), (&self.namespaces, placed)];
        let mut said = of.iter().filter(|(names, _)| !names.is_empty()).peekable();
        said.peek().is_some() && said.all(|(_, fits)| *fits)
    }

    fn window(&self) -> Window {
        // Anything but a denial opens nothing else than an allowance does.
        let kind = if self.kind == "deny" { Kind::Deny } else { Kind::Allow };
        Window { kind, times: self.times(), written: self.clone() }
    }

    fn times(&self) -> Result<Times, String> {
        if !matches!(self.kind.as_str(), "allow" | "deny") {
            return Err(format!("kind '{}' mismatch: can only be allow or deny", self.kind));
        }
        // Argo CD reads five fields here, and no names such as @daily.
        let fields = Some(self.schedule.as_str()).filter(|schedule| !schedule.trim_start().starts_with('@'));
        let opens = fields.and_then(Schedule::parse);
        let opens = opens.ok_or_else(|| format!("cannot parse schedule '{}'", self.schedule))?;
        let stays = go_duration(&self.duration);
        let stays = stays.ok_or_else(|| format!("cannot parse duration '{}'", self.duration))?;
        // As Argo CD: a zone that is none is UTC.
        let zone = match self.time_zone.as_str() {
            "" => TimeZone::UTC,
            zone => TimeZone::get(zone).unwrap_or(TimeZone::UTC),
        };
        Ok(Times { opens, stays, zone })
    }
}

impl Times {
    /// When a window that is open now closes.
    fn closes(&self, now: Timestamp) -> Option<Timestamp> {
        // Of openings that are not over yet the last one.
        let mut opened = None;
        let mut from = now.checked_sub(self.stays).ok()?;
        // A window that opens more often than it lasts is open anyway: a few of them tell as much as all.
        for _ in 0..64 {
            match self.opens.next(from, &self.zone) {
                Some(next) if next <= now => (opened, from) = (Some(next), next),
                _ => break,
            }
        }
        opened?.checked_add(self.stays).ok()
    }

    /// When it opens next.
    fn opens(&self, now: Timestamp) -> Option<Timestamp> {
        self.opens.next(now, &self.zone)
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Written { kind, schedule, duration, time_zone, description, .. } = &self.written;
        let zone = if time_zone.is_empty() { "UTC" } else { time_zone };
        write!(f, "{kind} `{schedule}` for {duration}, {zone}")?;
        if description.is_empty() { Ok(()) } else { write!(f, " ({description})") }
    }
}

impl Windows {
    /// Those of a project that are about an Application.
    pub(crate) fn about(written: &[Written], application: &Application) -> Self {
        Windows(written.iter().filter(|window| window.is_about(application)).map(Written::window).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a sync may begin now.
    ///
    /// # Errors
    /// Why not, and until when. A window that cannot be read lets nothing through.
    pub fn pass(&self, asker: Asker, now: Timestamp) -> Result<(), Closed> {
        if let Some((window, why)) = self.0.iter().find_map(|it| it.times.as_ref().err().map(|why| (it, why))) {
            let why = format!("invalid sync windows: {why} ({window})");
            return Err(Closed { why, until: None });
        }
        let why = match self.barrier(asker, now) {
            None => return Ok(()),
            Some(Barrier::Denied(windows)) => told("", &windows),
            Some(Barrier::Shut(windows)) => told("outside of ", &windows),
        };
        let until = self.falls(asker, now);
        let why = if until.is_none() { why + ", and no end of that is in sight" } else { why };
        Err(Closed { why, until })
    }

    /// What keeps a sync from beginning at a moment.
    fn barrier(&self, asker: Asker, now: Timestamp) -> Option<Barrier<'_>> {
        let is_open = |window: &&Window| window.times.as_ref().is_ok_and(|times| times.closes(now).is_some());
        let in_the_way = |window: &&Window| asker == Asker::Policy || !window.written.manual_sync;
        let of = |kind: Kind| self.0.iter().filter(move |window| window.kind == kind);
        let denying: Vec<&Window> = of(Kind::Deny).filter(is_open).filter(in_the_way).collect();
        if !denying.is_empty() {
            return Some(Barrier::Denied(denying));
        }
        // Whoever passes by hand where it is denied needs no allowance.
        if of(Kind::Deny).any(|window| is_open(&window)) || of(Kind::Allow).any(|window| is_open(&window)) {
            return None;
        }
        let is_shut = of(Kind::Allow).any(|window| in_the_way(&window));
        is_shut.then(|| Barrier::Shut(of(Kind::Allow).collect()))
    }

    /// When a sync may begin that may not now: behind all windows that deny it one after the other, or before the last has closed.
    fn falls(&self, asker: Asker, now: Timestamp) -> Option<Timestamp> {
        let mut at = now;
        for _ in 0..FOLLOWING {
            match self.barrier(asker, at) {
                None => return Some(at),
                Some(barrier) => at = barrier.falls(at)?,
            }
        }
        None
    }
}

/// Why a sync may not begin: by the first of the windows that are in its way.
fn told(outside: &str, windows: &[&Window]) -> String {
    let first = windows.first().map(ToString::to_string).unwrap_or_default();
    format!("Sync operation blocked by sync window: {outside}{first}")
}

#[cfg(test)]
mod tests {
    use landfall_object::Object;
    use serde_json::{Value, json};

    use super::*;

    fn application(name: &str, server: &str, cluster: &str, namespace: &str) -> Application {
        let object = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name},
            "spec": {"project": "team", "source": {"repoURL": "https://git.example.com/a/b", "path": "x"},
                     "destination": {"server": server, "name": cluster, "namespace": namespace}},
        });
        Application::parse(&Object::from_value(object).expect("a map")).expect("an application")
    }

    fn shop() -> Application {
        application("shop", "https://kubernetes.default.svc", "", "prod")
    }

    fn windows(written: Value) -> Windows {
        let written: Vec<Written> = serde_json::from_value(written).expect("windows");
        Windows::about(&written, &shop())
    }

    fn at(time: &str) -> Timestamp {
        time.parse().expect("an instant")
    }

    #[track_caller]
    fn passes(written: Value, asker: Asker, time: &str, so: bool) {
        assert_eq!(windows(written.clone()).pass(asker, at(time)).is_ok(), so, "{written} {asker:?} {time}");
    }

    #[test]
    fn without_a_window_everything_passes() {
        passes(json!([]), Asker::Policy, "2026-01-01T10:00:00Z", true);
    }

    #[test]
    fn an_allowance_lets_through_from_its_beginning_to_its_end() {
        let window = json!([{"kind": "allow", "schedule": "0 10 * * *", "duration": "1h", "applications": ["*"]}]);
        for (time, so) in [
            ("2026-01-01T09:59:59Z", false),
            ("2026-01-01T10:00:00Z", true),
            ("2026-01-01T10:59:59Z", true),
            ("2026-01-01T11:00:00Z", false),
        ] {
            passes(window.clone(), Asker::Policy, time, so);
            passes(window.clone(), Asker::Somebody, time, so);
        }
        let closed = windows(window).pass(Asker::Policy, at("2026-01-01T12:00:00Z")).expect_err("closed");
        assert_eq!(closed.until, Some(at("2026-01-02T10:00:00Z")));
        assert!(closed.why.contains("outside of allow `0 10 * * *` for 1h, UTC"), "{}", closed.why);
    }

    #[test]
    fn a_denial_wins_over_an_allowance_and_says_when_it_ends() {
        let both = json!([
            {"kind": "allow", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]},
            {"kind": "deny", "schedule": "0 22 * * *", "duration": "8h", "namespaces": ["prod"], "description": "CHG-7"},
        ]);
        passes(both.clone(), Asker::Policy, "2026-01-01T21:59:00Z", true);
        passes(both.clone(), Asker::Policy, "2026-01-02T03:00:00Z", false);
        let night = json!([both[1]]);
        let closed = windows(night).pass(Asker::Policy, at("2026-01-02T03:00:00Z")).expect_err("closed");
        assert_eq!(closed.until, Some(at("2026-01-02T06:00:00Z")));
        assert!(closed.why.ends_with("deny `0 22 * * *` for 8h, UTC (CHG-7)"), "{}", closed.why);
    }

    #[test]
    fn what_is_denied_by_windows_that_overlap_is_denied_until_the_last_of_them_closes() {
        let until = |written: &Value, asker: Asker, time: &str| {
            windows(written.clone()).pass(asker, at(time)).expect_err("closed").until.map(|it| it.to_string())
        };
        let window = |kind: &str, schedule: &str, duration: &str| json!({"kind": kind, "schedule": schedule, "duration": duration, "applications": ["*"]});
        // The second opens within the first, the third as the second closes.
        let mut chain = json!([
            window("deny", "0 22 * * *", "2h"),
            window("deny", "30 23 * * *", "3h"),
            window("deny", "30 2 * * *", "1h"),
        ]);
        for time in ["2026-01-01T22:00:00Z", "2026-01-01T23:45:00Z", "2026-01-02T02:29:00Z"] {
            assert_eq!(until(&chain, Asker::Policy, time).as_deref(), Some("2026-01-02T03:30:00Z"), "{time}");
        }
        // An allowance that opens within them opens nothing.
        chain.as_array_mut().expect("a list").push(window("allow", "0 1,4 * * *", "1h"));
        let early = "2026-01-01T22:00:00Z";
        assert_eq!(until(&chain, Asker::Policy, early).as_deref(), Some("2026-01-02T04:00:00Z"));
        // Hands that the last two let through wait for the first alone, and then for nothing.
        for later in [1, 2] {
            chain[later]["manualSync"] = true.into();
        }
        assert_eq!(until(&chain, Asker::Somebody, early).as_deref(), Some("2026-01-02T00:00:00Z"));
        // One that opens again before it closes never ends.
        let ever = json!([window("deny", "0 * * * *", "90m")]);
        assert_eq!(until(&ever, Asker::Policy, early), None);
        let told = windows(ever).pass(Asker::Policy, at(early)).expect_err("closed").why;
        assert!(told.ends_with("deny `0 * * * *` for 90m, UTC, and no end of that is in sight"), "{told}");
    }

    #[test]
    fn somebody_passes_where_all_windows_in_the_way_let_hands_through() {
        let deny = |manual: bool| json!({"kind": "deny", "schedule": "0 0 * * *", "duration": "24h", "manualSync": manual, "applications": ["*"]});
        let noon = "2026-01-01T12:00:00Z";
        passes(json!([deny(true)]), Asker::Somebody, noon, true);
        passes(json!([deny(true)]), Asker::Policy, noon, false);
        passes(json!([deny(true), deny(false)]), Asker::Somebody, noon, false);
        let allow = |manual: bool| json!({"kind": "allow", "schedule": "0 1 * * *", "duration": "1h", "manualSync": manual, "applications": ["*"]});
        passes(json!([allow(true)]), Asker::Somebody, noon, true);
        passes(json!([allow(true)]), Asker::Policy, noon, false);
        passes(json!([allow(true), allow(false)]), Asker::Somebody, noon, false);
    }

    #[test]
    fn a_denial_that_is_over_denies_nothing() {
        let window = json!([{"kind": "deny", "schedule": "0 1 * * *", "duration": "1h", "applications": ["*"]}]);
        passes(window, Asker::Policy, "2026-01-01T12:00:00Z", true);
    }

    #[test]
    fn a_window_is_in_its_own_zone_summer_and_winter() {
        let window = json!([{"kind": "allow", "schedule": "0 9 * * *", "duration": "1h", "timeZone": "Europe/Berlin", "applications": ["*"]}]);
        passes(window.clone(), Asker::Policy, "2026-01-15T08:30:00Z", true);
        passes(window.clone(), Asker::Policy, "2026-07-15T08:30:00Z", false);
        passes(window, Asker::Policy, "2026-07-15T07:30:00Z", true);
        let nowhere = json!([{"kind": "allow", "schedule": "0 9 * * *", "duration": "1h", "timeZone": "Mars/Olympus", "applications": ["*"]}]);
        passes(nowhere, Asker::Policy, "2026-01-15T09:30:00Z", true);
    }

    #[test]
    fn c7_a_window_lasts_as_long_on_the_days_when_clocks_are_changed_and_opens_once() {
        let window = |schedule: &str, duration: &str| json!([{"kind": "allow", "schedule": schedule, "duration": duration, "timeZone": "Europe/Vienna", "applications": ["*"]}]);
        // From one to four by the clock in spring; an hour is missing in between, and three are allowed all the same.
        for (time, so) in [
            ("2026-03-28T23:59:59Z", false),
            ("2026-03-29T00:00:00Z", true),
            ("2026-03-29T02:59:59Z", true),
            ("2026-03-29T03:00:00Z", false),
        ] {
            passes(window("0 1 * * *", "3h"), Asker::Policy, time, so);
        }
        // In autumn the hour from two to three comes twice.
        for (time, so) in [
            ("2026-10-24T22:59:59Z", false),
            ("2026-10-24T23:00:00Z", true),
            ("2026-10-25T01:59:59Z", true),
            ("2026-10-25T02:00:00Z", false),
        ] {
            passes(window("0 1 * * *", "3h"), Asker::Policy, time, so);
        }
        // What opens within that hour opens once.
        let open = ["2026-10-25T00:35:00Z", "2026-10-25T01:35:00Z"]
            .into_iter()
            .filter(|time| windows(window("30 2 * * *", "15m")).pass(Asker::Policy, at(time)).is_ok());
        assert_eq!(open.count(), 1);
    }

    #[test]
    fn a_window_that_cannot_be_read_lets_nothing_through() {
        for (field, value) in
            [("schedule", "@daily"), ("schedule", "61 * * * *"), ("duration", "1 day"), ("kind", "perhaps")]
        {
            let mut window = json!({"kind": "allow", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]});
            window[field] = value.into();
            let closed =
                windows(json!([window])).pass(Asker::Somebody, at("2026-01-15T09:30:00Z")).expect_err("closed");
            assert!(closed.why.contains(value), "{}", closed.why);
        }
    }

    #[test]
    fn a_window_is_about_what_it_names_by_one_or_by_all() {
        let is_about = |more: Value| {
            let written: Written = serde_json::from_value(more).expect("a window");
            written.is_about(&application("shop", "", "berlin", "prod"))
        };
        assert!(is_about(json!({"applications": ["sh*"], "namespaces": ["test"]})));
        assert!(is_about(json!({"clusters": ["ber*"]})));
        assert!(!is_about(json!({"clusters": ["https://*"]})));
        assert!(is_about(json!({"applications": ["x"], "namespaces": ["prod"]})));
        assert!(!is_about(json!({"applications": ["sh*"], "namespaces": ["test"], "andOperator": true})));
        assert!(!is_about(json!({"applications": ["x"], "namespaces": ["prod"], "andOperator": true})));
        assert!(is_about(
            json!({"applications": ["shop"], "clusters": ["berlin"], "namespaces": ["prod"], "andOperator": true})
        ));
        assert!(is_about(json!({"clusters": ["berlin"], "andOperator": true})));
        assert!(!is_about(json!({"andOperator": true})));
        assert!(!is_about(json!({})));
    }
}
