//! How an Application stands, as far as news follow from it.

use jiff::{SignedDuration, Timestamp};
use landfall_apps::{Pause, Pin};
use landfall_object::Object;
use landfall_store::{NewsItem, NewsRow};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Commit, Kind, Told};
use crate::api::Name;

/// The annotation by which a change past the guards is known to everybody who looks at the Application.
pub const BREAK_GLASS_ANNOTATION: &str = "landfall.dev/break-glass";
/// How long a pin, a pause or a hold may stand before it is told.
const LONG: SignedDuration = SignedDuration::from_hours(24);

/// A change past the guards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenGlass {
    /// Who.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// What was done: `upgrade of release shop`.
    pub deed: String,
    /// Why.
    pub reason: String,
}

/// What keeps an Application where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hold {
    /// RFC 3339.
    since: String,
    by: String,
    /// `pinned`, `held` or `paused`.
    word: &'static str,
    /// The verb that lets it go.
    verb: &'static str,
}

/// How an Application stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) name: Name,
    repository: String,
    revision: String,
    /// When a sync began that has failed, to what, and why.
    failed: Option<(String, String, String)>,
    /// Since when it cannot be read or rendered, and why.
    unrendered: Option<(String, String)>,
    /// Since when it does not work, and why.
    degraded: Option<(String, String)>,
    /// Whether everything is well.
    is_well: bool,
    pub(super) broken_glass: Option<BrokenGlass>,
    /// Since when it stays, by whom, and as which: a pin, and a pause.
    held: Vec<Hold>,
    /// The tag that it follows, and the commit that led to before and leads to now.
    pub(crate) moved: Option<(String, String, String)>,
}

impl Standing {
    /// That of an Application's object.
    pub(crate) fn of(object: &Object) -> Self {
        let text = |pointer: &str| object.str_at(pointer).unwrap_or_default().to_owned();
        let without_passwords = |text: &str| landfall_diag::without_passwords(text).into_owned();
        let condition = |kinds: &[&str]| {
            let all = object.list_at("/status/conditions").iter();
            all.clone().find(|it| it["type"].as_str().is_some_and(|kind| kinds.contains(&kind))).map(|it| {
                let text = |field: &str| it[field].as_str().unwrap_or_default();
                (text("lastTransitionTime").to_owned(), without_passwords(text("message")))
            })
        };
        let (phase, health, sync) =
            (text("/status/operationState/phase"), text("/status/health/status"), text("/status/sync/status"));
        let message = without_passwords(&text("/status/operationState/message"));
        let has_failed = matches!(phase.as_str(), "Failed" | "Error") && message != "Operation terminated";
        let synced_to = object.str_at("/status/operationState/syncResult/revision");
        let failed = has_failed
            .then(|| (text("/status/operationState/startedAt"), synced_to.unwrap_or_default().to_owned(), message));
        let unrendered = condition(&["ComparisonError", "InvalidSpecError"]);
        let degraded = (health == "Degraded").then(|| {
            let checks = condition(&["SmokeError"]).map(|(_, message)| message);
            (text("/status/health/lastTransitionTime"), checks.unwrap_or_else(|| ill_objects(object)))
        });
        let is_well = failed.is_none() && unrendered.is_none() && health == "Healthy" && sync == "Synced";
        let broken_glass = object.annotation(BREAK_GLASS_ANNOTATION).map(|text| {
            serde_json::from_str(text).unwrap_or_else(|_| BrokenGlass {
                by: "somebody".to_owned(),
                at: text.to_owned(),
                deed: "a change".to_owned(),
                reason: "no reason that could be read".to_owned(),
            })
        });
        let pinned = Pin::of(object).ok().flatten().map(|pin| {
            let word = if pin.by == crate::checks::CHECKER { "held" } else { "pinned" };
            Hold { since: pin.at, by: pin.by, word, verb: "pin" }
        });
        let paused =
            Pause::of(object).map(|pause| Hold { since: pause.at, by: pause.by, word: "paused", verb: "pause" });
        let held = pinned.into_iter().chain(paused).filter(|hold| !hold.since.is_empty()).collect();
        let source = ["/spec/source/repoURL", "/spec/sources/0/repoURL"];
        let repository = source.iter().find_map(|pointer| object.str_at(pointer)).unwrap_or_default();
        let revisions = ["/status/sync/revision", "/status/sync/revisions/0"];
        let revision = revisions.iter().find_map(|pointer| object.str_at(pointer)).unwrap_or_default().to_owned();
        Standing {
            name: Name::of(object),
            repository: named(repository),
            revision,
            failed,
            unrendered,
            degraded,
            is_well,
            broken_glass,
            held,
            moved: None,
        }
    }

    /// Makes it one whose news are about no commit.
    pub(crate) fn is_of_no_commit(&mut self) {
        self.repository.clear();
    }

    /// When a hold becomes one that is told, where there is one that is not that yet.
    pub(crate) fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.held.iter().filter_map(|hold| hold.since.parse::<Timestamp>().ok()?.checked_add(LONG).ok());
        ends.filter(|then| *then > now).min()
    }

    /// The news that follow, whether they were told or not; `last` is what was told last of it, newest first.
    pub(crate) fn items(&self, last: &[NewsRow], now: Timestamp) -> Vec<NewsItem> {
        let name = &self.name;
        let mut items = Vec::new();
        // A process that begins looks anew, and a push of others has it tried anew: who finds the same again has found no change.
        let since_well = || last.iter().take_while(|row| row.item.kind != Kind::Recovered.word());
        let is_known = |kind: Kind, why: &str| {
            since_well().filter(|row| row.item.kind == kind.word()).any(|row| row.item.body["text"] == why)
        };
        if let Some((began, revision, why)) = self.failed.as_ref().filter(|(.., why)| !is_known(Kind::Failed, why)) {
            let to = if revision.is_empty() { String::new() } else { format!(" to {}", short(revision)) };
            let told = self.told(format!("the sync of {name}{to} has failed"), why, "diff", Some(revision), false);
            items.push(self.item(Kind::Failed, began, told, now));
        }
        if let Some((since, why)) = self.unrendered.as_ref().filter(|(_, why)| !is_known(Kind::Unrendered, why)) {
            let told = self.told(
                format!("{name} cannot be compared with its source"),
                why,
                "explain",
                Some(&self.revision),
                false,
            );
            items.push(self.item(Kind::Unrendered, since, told, now));
        }
        if let Some((since, why)) = &self.degraded {
            let told = self.told(format!("{name} is degraded"), why, "explain", Some(&self.revision), false);
            items.push(self.item(Kind::Degraded, since, told, now));
        }
        // Well again is only who was told to be ill, and not told to be well since.
        let before = last.iter().find(|row| row.item.kind == Kind::Recovered.word() || Kind::is_ill(&row.item.kind));
        if let Some(ill) = before.filter(|row| self.is_well && Kind::is_ill(&row.item.kind)) {
            let told =
                self.told(format!("{name} is well again"), "synced and healthy", "get", Some(&self.revision), true);
            items.push(self.item(Kind::Recovered, &ill.number.to_string(), told, now));
        }
        if let Some(broken) = &self.broken_glass {
            let title = format!("{} has gone past the guards of {name}: {}", broken.by, broken.deed);
            let told = self.told(title, &format!("reason: {}", broken.reason), "diff", None, false);
            items.push(self.item(Kind::BreakGlass, &broken.at, told, now));
        }
        if let Some((tag, from, to)) = &self.moved {
            let title = format!("the tag {tag} that {name} follows was moved");
            let text = format!("it led to {} and leads to {} now", short(from), short(to));
            items.push(self.item(
                Kind::MovedTag,
                &format!("{tag} {from} {to}"),
                self.told(title, &text, "diff", None, false),
                now,
            ));
        }
        for Hold { since, by, word, verb } in &self.held {
            if since.parse::<Timestamp>().is_ok_and(|since| since.checked_add(LONG).is_ok_and(|then| then <= now)) {
                let title = format!("{name} has been {word} for more than a day");
                let text = format!("{word} by {by} since {since}: nothing new is delivered");
                let mut told = self.told(title, &text, verb, None, false);
                told.help.push_str(" --release");
                items.push(self.item(Kind::LongHeld, since, told, now));
            }
        }
        items
    }

    fn told(&self, title: String, text: &str, verb: &str, revision: Option<&str>, is_well: bool) -> Told {
        let commit = revision.filter(|hash| !hash.is_empty() && !self.repository.is_empty()).map(|hash| Commit {
            repository: self.repository.clone(),
            hash: hash.to_owned(),
            is_well,
        });
        Told { title, text: text.to_owned(), help: ["landfall app", verb, &self.name.to_string()].join(" "), commit }
    }

    fn item(&self, kind: Kind, mark: &str, told: Told, now: Timestamp) -> NewsItem {
        NewsItem {
            change: format!("{} {} {mark}", kind.word(), self.name),
            at: landfall_object::whole_second(now).to_string(),
            kind: kind.word().to_owned(),
            target: self.name.to_string(),
            body: json!(told),
        }
    }
}

/// A repository by its host, with the port where there is one, and its path: without scheme, user and password.
pub(super) fn named(address: &str) -> String {
    let address = address.trim().trim_end_matches('/').trim_end_matches(".git");
    let Some((scheme, rest)) = address.split_once("://") else {
        // `user@host:path`.
        return address.rsplit('@').next().unwrap_or_default().replacen(':', "/", 1);
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    // The port of SSH is not that of the forge's API.
    let host = if scheme == "ssh" { host.split(':').next().unwrap_or_default() } else { host };
    format!("{host}/{path}")
}

/// The objects of an Application that do not work, in a line.
fn ill_objects(object: &Object) -> String {
    let is_ill = |entry: &&serde_json::Value| entry["health"]["status"] == "Degraded";
    let ill: Vec<String> = object
        .list_at("/status/resources")
        .iter()
        .filter(is_ill)
        .map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap_or_default();
            let says = entry["health"]["message"].as_str().map(|it| format!(": {it}")).unwrap_or_default();
            format!("{}/{}{says}", text("kind"), text("name"))
        })
        .take(5)
        .collect();
    ill.join("; ")
}

fn short(revision: &str) -> &str {
    let is_hash = revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { &revision[..7] } else { revision }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-02-02T00:00:00Z".parse().expect("a time")
    }

    fn application(status: serde_json::Value, annotations: serde_json::Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd", "annotations": annotations},
            "spec": {"source": {"repoURL": "https://me:hunter2@git.example.com/acme/shop.git"}},
            "status": status,
        }))
        .expect("a map")
    }

    fn kinds(object: &Object, last: &[NewsRow]) -> Vec<String> {
        Standing::of(object).items(last, now()).into_iter().map(|item| item.change).collect()
    }

    fn well() -> serde_json::Value {
        json!({"health": {"status": "Healthy"}, "sync": {"status": "Synced", "revision": "abc"},
            "operationState": {"phase": "Succeeded"}})
    }

    #[test]
    fn each_change_has_one_name_however_often_it_is_looked_at() {
        let mut status = well();
        status["operationState"] = json!({"phase": "Failed", "startedAt": "t1", "message": "no",
            "syncResult": {"revision": "abc"}});
        status["health"] = json!({"status": "Degraded", "lastTransitionTime": "t2"});
        status["conditions"] = json!([{"type": "ComparisonError", "message": "no chart", "lastTransitionTime": "t3"}]);
        let object = application(status, json!({}));
        let told = ["failed argocd/shop t1", "unrendered argocd/shop t3", "degraded argocd/shop t2"];
        assert_eq!(kinds(&object, &[]), told);
        assert_eq!(kinds(&object, &[]), told);
        let body = Standing::of(&object).items(&[], now())[0].body.to_string();
        assert!(!body.contains("hunter2") && body.contains("git.example.com/acme/shop"), "{body}");
        assert!(kinds(&application(well(), json!({})), &[]).is_empty(), "who was never ill is not well again");
    }

    #[test]
    fn a_repository_is_named_by_host_and_path() {
        for (address, name) in [
            ("https://me:p%40ss@git.example.com:8443/Acme/shop.git/", "git.example.com:8443/Acme/shop"),
            ("git@git.example.com:acme/shop.git", "git.example.com/acme/shop"),
            ("ssh://git@git.example.com:2222/acme/shop", "git.example.com/acme/shop"),
        ] {
            assert_eq!(named(address), name);
        }
    }

    #[test]
    fn well_again_is_told_once_of_who_was_told_to_be_ill() {
        let row = |number: i64, kind: &str| NewsRow {
            number,
            item: NewsItem {
                change: String::new(),
                at: String::new(),
                kind: kind.to_owned(),
                target: "argocd/shop".to_owned(),
                body: json!({}),
            },
        };
        let object = application(well(), json!({}));
        assert_eq!(kinds(&object, &[row(7, "degraded")]), ["recovered argocd/shop 7"]);
        assert!(kinds(&object, &[row(8, "recovered"), row(7, "degraded")]).is_empty());
        assert_eq!(kinds(&object, &[row(9, "long-held"), row(7, "failed")]), ["recovered argocd/shop 7"]);
    }

    #[test]
    fn what_cannot_be_rendered_is_told_once_until_it_is_well_again() {
        let mut status = well();
        status["sync"]["status"] = json!("Unknown");
        let at = |since: &str, why: &str| {
            let mut status = status.clone();
            status["conditions"] = json!([{"type": "ComparisonError", "message": why, "lastTransitionTime": since}]);
            application(status, json!({}))
        };
        let row = |number: i64, item: NewsItem| NewsRow { number, item };
        let first = row(1, Standing::of(&at("t1", "no chart")).items(&[], now()).remove(0));
        assert!(
            kinds(&at("t2", "no chart"), std::slice::from_ref(&first)).is_empty(),
            "another process has found it anew"
        );
        assert_eq!(kinds(&at("t2", "no values"), std::slice::from_ref(&first)), ["unrendered argocd/shop t2"]);
        let again =
            row(2, Standing::of(&application(well(), json!({}))).items(std::slice::from_ref(&first), now()).remove(0));
        assert_eq!(again.item.kind, "recovered");
        assert_eq!(kinds(&at("t3", "no chart"), &[again, first]), ["unrendered argocd/shop t3"]);
    }

    #[test]
    fn a_sync_that_fails_alike_at_each_push_is_told_once_until_it_is_well_again() {
        let at = |began: &str, revision: &str, why: &str| {
            let mut status = well();
            status["operationState"] = json!({"phase": "Failed", "startedAt": began, "message": why,
                "syncResult": {"revision": revision}});
            application(status, json!({}))
        };
        let row = |number: i64, item: NewsItem| NewsRow { number, item };
        let first = row(1, Standing::of(&at("t1", "abc", "no quota")).items(&[], now()).remove(0));
        let told = std::slice::from_ref(&first);
        assert!(kinds(&at("t2", "def", "no quota"), told).is_empty(), "somebody has pushed something else");
        assert_eq!(kinds(&at("t2", "def", "no rights"), told), ["failed argocd/shop t2"]);
        let again = row(2, Standing::of(&application(well(), json!({}))).items(told, now()).remove(0));
        assert_eq!(kinds(&at("t3", "def", "no quota"), &[again, first]), ["failed argocd/shop t3"]);
    }

    #[test]
    fn what_stays_for_more_than_a_day_is_told_and_a_broken_glass_at_once() {
        let pin =
            |at: &str| json!({"landfall.dev/pin": json!({"revisions": ["abc"], "by": "anna", "at": at}).to_string()});
        let young = application(well(), pin("2026-02-01T00:00:01Z"));
        assert!(kinds(&young, &[]).is_empty());
        let then = Standing::of(&young).held_until(now()).map(|then| then.to_string());
        assert_eq!(then.as_deref(), Some("2026-02-02T00:00:01Z"));
        let old = application(well(), pin("2026-02-01T00:00:00Z"));
        assert_eq!(kinds(&old, &[]), ["long-held argocd/shop 2026-02-01T00:00:00Z"]);
        let pause = json!({"by": "anna", "at": "2026-01-31T00:00:00Z", "reason": "a freeze"}).to_string();
        let mut both = pin("2026-02-01T00:00:00Z");
        both["landfall.dev/pause"] = json!(pause);
        let told = Standing::of(&application(well(), both)).items(&[], now());
        let changes: Vec<&str> = told.iter().map(|item| &*item.change).collect();
        assert_eq!(
            changes,
            ["long-held argocd/shop 2026-02-01T00:00:00Z", "long-held argocd/shop 2026-01-31T00:00:00Z"]
        );
        let body = told[1].body.to_string();
        assert!(
            body.contains("has been paused") && body.contains("landfall app pause argocd/shop --release"),
            "{body}"
        );
        let broken = BrokenGlass {
            by: "anna".to_owned(),
            at: "t9".to_owned(),
            deed: "upgrade".to_owned(),
            reason: "outage".to_owned(),
        };
        let annotations = json!({BREAK_GLASS_ANNOTATION: json!(broken).to_string()});
        let items = Standing::of(&application(well(), annotations)).items(&[], now());
        assert_eq!(items[0].change, "break-glass argocd/shop t9");
        assert!(items[0].body.to_string().contains("reason: outage"));
    }
}
