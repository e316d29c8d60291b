//! Edges as they are listed: filtered, counted and paged here, not by who asks.

use std::collections::BTreeMap;

use landfall_diag::{Diagnostic, code, nearest};
use landfall_fleet::{Selected, Selector, UpgradeStatus};
use serde_json::{Value, json};

use super::Control;
use super::book::{ACTIVE, Connectivity, DISABLED, EdgeNow, QUARANTINED, word_of};
use super::campaigns::time;

/// How many edges a page has, if nothing else is asked for, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// How far an upgrade may be.
const STATUSES: [UpgradeStatus; 8] = [
    UpgradeStatus::Idle,
    UpgradeStatus::UpgradePending,
    UpgradeStatus::Downloading,
    UpgradeStatus::Verifying,
    UpgradeStatus::Restarting,
    UpgradeStatus::Succeeded,
    UpgradeStatus::Failed,
    UpgradeStatus::RolledBack,
];

/// What is asked of the list.
#[derive(Debug, Default)]
struct Query {
    selector: Selector,
    connectivity: Option<&'static str>,
    version: Option<String>,
    status: Option<&'static str>,
    lifecycle: Option<&'static str>,
    search: Option<String>,
    token: Option<String>,
    after: i64,
    limit: usize,
}

impl Control {
    /// A page of edges, in the order in which they were enrolled, with the counts of all that match.
    pub(crate) fn list_edges(&self, query: &str) -> Result<Value, Diagnostic> {
        let query = Query::read(query)?;
        let now = self.now();
        let (mut edges, mut next) = (Vec::new(), None);
        let (mut total, mut matching) = (0_u64, 0_u64);
        let mut connectivities: BTreeMap<&str, u64> = Connectivity::ALL.map(|it| (it.word(), 0)).into();
        let (mut versions, mut statuses) = (BTreeMap::<String, u64>::new(), BTreeMap::<String, u64>::new());
        for edge in self.book.all() {
            let edge = edge.now.lock();
            total += 1;
            if !query.matches(&edge, now) {
                continue;
            }
            matching += 1;
            *connectivities.entry(Connectivity::of(edge.presence.seen_at, now).word()).or_default() += 1;
            *versions.entry(edge.version().to_owned()).or_default() += 1;
            *statuses.entry(edge.row.upgrade_status.as_str().to_owned()).or_default() += 1;
            if edge.row.number > query.after {
                if edges.len() < query.limit {
                    edges.push(line(&edge, now));
                } else if next.is_none() {
                    next = edges.last().and_then(|it: &Value| it["number"].as_i64());
                }
            }
        }
        Ok(json!({
            "total": total, "matching": matching, "next": next, "edges": edges,
            "counts": {"connectivity": connectivities, "versions": versions, "upgradeStatus": statuses},
        }))
    }
}

impl Query {
    fn read(text: &str) -> Result<Self, Diagnostic> {
        let bad = |text: String| Diagnostic::error(code::BAD_REQUEST, text);
        let mut query = Query { limit: PAGE, ..Query::default() };
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let value = value.into_owned();
            match &*name {
                "selector" => query.selector = Selector::parse(&value).map_err(|error| bad(error.to_string()))?,
                "connectivity" => {
                    query.connectivity = Some(one_of(&name, &value, &Connectivity::ALL.map(Connectivity::word))?)
                }
                "version" => query.version = Some(value),
                "status" => query.status = Some(one_of(&name, &value, &STATUSES.map(UpgradeStatus::as_str))?),
                "lifecycle" => query.lifecycle = Some(one_of(&name, &value, &[ACTIVE, DISABLED, QUARANTINED])?),
                "search" => query.search = Some(value.to_lowercase()),
                "token" => query.token = Some(value),
                "after" => query.after = value.parse().map_err(|_| bad(format!("after={value} is no number")))?,
                "limit" => {
                    let limit: usize = value.parse().map_err(|_| bad(format!("limit={value} is no number")))?;
                    query.limit = limit.clamp(1, LARGEST_PAGE);
                }
                other => return Err(bad(format!("edges are not asked for by `{other}`"))),
            }
        }
        Ok(query)
    }

    fn matches(&self, edge: &EdgeNow, now: i64) -> bool {
        let is = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        let found = |wanted: &String| {
            [&*edge.row.device_number, &*edge.row.display_name, &*edge.row.id]
                .iter()
                .any(|it| it.to_lowercase().contains(wanted))
        };
        is(self.connectivity, Connectivity::of(edge.presence.seen_at, now).word())
            && is(self.version.as_deref(), edge.version())
            && is(self.status, edge.row.upgrade_status.as_str())
            && is(self.lifecycle, edge.row.lifecycle.as_str())
            && is(self.token.as_deref(), &edge.row.enrolled_by)
            && self.search.as_ref().is_none_or(found)
            && self.selector.selects(Selected {
                device_number: &edge.row.device_number,
                platform: &edge.row.platform,
                arch: &edge.row.arch,
                version: edge.version(),
                labels: &edge.row.labels,
            })
    }
}

/// One of the words that there are, however it is written: a slip of the pen would be a fleet that nothing is wrong with.
fn one_of(what: &str, value: &str, known: &[&'static str]) -> Result<&'static str, Diagnostic> {
    known.iter().find(|word| word.eq_ignore_ascii_case(value)).copied().ok_or_else(|| {
        Diagnostic::error(code::BAD_REQUEST, format!("{value:?} is no {what} of an edge"))
            .did_you_mean(nearest(value, known.iter().copied()))
            .help(known.join(", "))
    })
}

/// An edge as it is told.
pub(crate) fn line(edge: &EdgeNow, now: i64) -> Value {
    let (row, presence, rare) = (&edge.row, &edge.presence, edge.rare());
    // Why the one before failed says nothing of one that went well; the existing agent's gateway keeps it all the same.
    let message = rare.upgrade_reason.as_ref().filter(|_| row.upgrade_status != UpgradeStatus::Succeeded);
    json!({
        "number": row.number, "id": *row.id, "deviceNumber": *row.device_number, "displayName": row.display_name,
        "platform": *row.platform, "arch": *row.arch, "labels": *row.labels, "lifecycle": row.lifecycle.as_str(),
        "connectivity": Connectivity::of(presence.seen_at, now).word(), "lastSeenAt": time(presence.seen_at),
        "version": edge.version(), "installed": *presence.installed, "runtimeState": word_of(presence.state),
        "activeTask": rare.active_task, "uptimeSeconds": presence.uptime_seconds, "lastError": rare.last_error,
        "upgradeStatus": row.upgrade_status, "upgradeMessage": message,
        "agent": if edge.is_existing_agent() { "existing" } else { "landfall" },
        "enrolledAt": time(row.enrolled_at), "enrolledBy": *row.enrolled_by, "cloneSuspected": rare.cloned_at.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use landfall_store::{EdgeRow, FleetEdges};

    use super::super::book::Book;
    use super::*;

    #[test]
    fn why_an_upgrade_failed_is_told_until_one_went_well() {
        for (status, told) in
            [("UPGRADE_PENDING", json!("no space")), ("FAILED", json!("no space")), ("SUCCEEDED", Value::Null)]
        {
            let row = EdgeRow {
                id: "e".to_owned(),
                upgrade_status: status.to_owned(),
                upgrade_reason: Some("no space".to_owned()),
                ..EdgeRow::default()
            };
            let book = Book::default();
            book.read(FleetEdges { edges: vec![row], ..FleetEdges::default() });
            let edge = book.find("e").expect("known").now.lock().clone();
            assert_eq!(line(&edge, 0)["upgradeMessage"], told, "{status}");
        }
    }
}
