//! What is told of edges: what a server answered, as a table for people.

use std::marker::PhantomData;

use serde_json::Value;

use crate::report::{Report, ago};
use crate::ui::{Table, Ui};

/// How an answer is told.
pub(crate) trait Shape {
    /// The document's kind.
    const KIND: &'static str;
    /// Where the rows are; the answer itself is the one row when there is none.
    const ROWS: Option<&'static str>;
    /// Headings, and where their values are.
    const COLUMNS: &'static [(&'static str, &'static str)];
    /// What names a row.
    const NAME: &'static str;
    /// What is said where there are no rows.
    const NONE: &'static str;

    /// What is told beside the table.
    fn beside(_answer: &Value, _ui: &Ui) {}
}

/// A server's answer.
pub(crate) struct Told<S> {
    answer: Value,
    shape: PhantomData<S>,
}

impl<S: Shape> Told<S> {
    pub(crate) fn new(answer: Value) -> Self {
        Told { answer, shape: PhantomData }
    }

    fn rows(&self) -> Vec<&Value> {
        match S::ROWS {
            Some(rows) => self.answer[rows].as_array().into_iter().flatten().collect(),
            None => vec![&self.answer],
        }
    }
}

impl<S: Shape> Report for Told<S> {
    const KIND: &'static str = S::KIND;

    fn data(&self) -> Value {
        self.answer.clone()
    }

    fn names(&self, ui: &Ui) {
        self.rows().iter().for_each(|row| ui.name(&cell(row, S::NAME)));
    }

    fn text(&self, ui: &Ui) {
        let rows = self.rows();
        if rows.is_empty() {
            ui.status(nothing(&self.answer).unwrap_or(S::NONE));
        } else {
            let mut table = Table::with_head(S::COLUMNS.iter().map(|(head, _)| (*head).to_owned()).collect());
            for row in rows {
                table.cells(S::COLUMNS.iter().map(|(_, at)| cell(row, at)).collect());
            }
            ui.table(&table);
        }
        S::beside(&self.answer, ui);
    }
}

/// What is said where there are rows, and none of them is shown.
fn nothing(answer: &Value) -> Option<&'static str> {
    let some = |of: &str| answer[of].as_u64().is_some_and(|count| count > 0);
    match (some("total"), some("matching")) {
        (false, _) => None,
        (true, false) => Some("none is so"),
        (true, true) => Some("there are no more"),
    }
}

/// The text at a path of a row, `counts.succeeded`; times as long ago.
pub(crate) fn cell(row: &Value, at: &str) -> String {
    let found = at.split('.').fold(row, |value, key| &value[key]);
    match found {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) if at.ends_with("At") && at != "expiresAt" => ago(text),
        Value::String(text) => text.clone(),
        Value::Array(items) if at == "labels" => {
            let label = |it: &Value| format!("{}={}", cell(it, "name"), it["value"].as_str().unwrap_or_default());
            items.iter().map(label).collect::<Vec<_>>().join(",")
        }
        Value::Array(items) => items.len().to_string(),
        // People count waves from one, as `--waves` has them.
        Value::Number(number) if at == "wave" => {
            number.as_u64().map_or_else(|| number.to_string(), |wave| (wave + 1).to_string())
        }
        other => other.to_string(),
    }
}

macro_rules! shapes {
    ($($(#[$about:meta])* $shape:ident = $kind:literal, $rows:expr, $name:literal, $none:literal, [$($head:literal: $at:literal),* $(,)?] $(, $beside:expr)?;)*) => { $(
        $(#[$about])*
        pub(crate) struct $shape;
        impl Shape for $shape {
            const KIND: &'static str = $kind;
            const ROWS: Option<&'static str> = $rows;
            const COLUMNS: &'static [(&'static str, &'static str)] = &[$(($head, $at)),*];
            const NAME: &'static str = $name;
            const NONE: &'static str = $none;
            $(fn beside(answer: &Value, ui: &Ui) {
                $beside(answer, ui);
            })?
        }
    )* };
}

shapes! {
    /// Edges.
    Edges = "Edges", Some("edges"), "deviceNumber", "there are no edges · landfall edge token create LABEL",
        ["EDGE": "deviceNumber", "NAME": "displayName", "CONNECTIVITY": "connectivity", "STATE": "runtimeState",
         "VERSION": "version", "UPGRADE": "upgradeStatus", "PLATFORM": "platform", "ARCH": "arch", "LABELS": "labels",
         "SEEN": "lastSeenAt"], counts;
    /// One edge.
    Edge = "Edge", None, "deviceNumber", "",
        ["EDGE": "deviceNumber", "ID": "id", "LIFECYCLE": "lifecycle", "CONNECTIVITY": "connectivity",
         "STATE": "runtimeState", "VERSION": "version", "UPGRADE": "upgradeStatus", "MESSAGE": "upgradeMessage",
         "SEEN": "lastSeenAt"], events;
    /// Why an edge stands as it does.
    Explained = "EdgeExplanation", Some("findings"), "cause", "",
        ["CAUSE": "cause", "WHAT": "text", "NEXT": "next"];
    /// Enrollment tokens.
    Tokens = "EdgeTokens", Some("tokens"), "id", "there are no enrollment tokens · landfall edge token create LABEL",
        ["LABEL": "label", "ID": "id", "STATE": "state", "USES": "usedCount", "MAX": "maxUses", "EXPIRES": "expiresAt",
         "MADE": "createdAt", "BY": "createdBy"];
    /// An enrollment token.
    Token = "EdgeToken", None, "id", "",
        ["LABEL": "label", "ID": "id", "STATE": "state", "USES": "usedCount", "MAX": "maxUses", "EXPIRES": "expiresAt"],
        enrolled;
    /// Releases.
    Releases = "EdgeReleases", Some("releases"), "version", "there are no releases · landfall edge release build",
        ["PRODUCT": "product", "VERSION": "version", "COUNTER": "counter", "ARTIFACTS": "artifacts", "ADDED": "addedAt",
         "BY": "addedBy", "YANKED": "yankedAt"];
    /// A release.
    Release = "EdgeRelease", None, "version", "",
        ["PRODUCT": "product", "VERSION": "version", "COUNTER": "counter", "ARTIFACTS": "artifacts"];
    /// Keys and metadata.
    Keys = "EdgeKeys", None, "timestampKey.keyval.public", "",
        ["ROOT": "versions.root", "TARGETS": "versions.targets", "TIMESTAMP": "versions.timestamp"], believed;
    /// Campaigns.
    Campaigns = "EdgeCampaigns", Some("campaigns"), "name", "there are no campaigns · landfall edge campaign create",
        ["CAMPAIGN": "name", "ID": "id", "PRODUCT": "product", "VERSION": "version", "STATE": "state",
         "WHY": "why", "WAVE": "wave", "EDGES": "edges", "DONE": "counts.succeeded", "ACTIVE": "counts.underWay",
         "FAILED": "counts.failed", "BACK": "counts.rolledBack"];
    /// A campaign.
    Campaign = "EdgeCampaign", None, "name", "",
        ["CAMPAIGN": "name", "ID": "id", "VERSION": "version", "STATE": "state", "WHY": "why", "WAVE": "wave",
         "EDGES": "edges", "DONE": "counts.succeeded", "ACTIVE": "counts.underWay", "FAILED": "counts.failed",
         "BACK": "counts.rolledBack", "LATE": "counts.timedOut"], members;
    /// What was taken over.
    Imported = "EdgeImport", None, "edges", "",
        ["EDGES": "edges", "KNOWN BEFORE": "known", "TOKENS": "tokens", "LEFT OUT": "leftOut"], without;
    /// What a campaign would be.
    Preview = "EdgeCampaignPreview", None, "count", "", ["EDGES": "count", "LEFT OUT": "leftOut"], left_out;
}

/// Says a sentence beside the table, no wider than the terminal; nothing that is to be copied.
pub(super) fn say(ui: &Ui, text: String) {
    let mut sentence = Table::headless(0);
    sentence.line(text);
    ui.status_table(&sentence);
}

fn counts(answer: &Value, ui: &Ui) {
    // That there are none at all is said already.
    if answer["total"] == 0 {
        return;
    }
    let of = |at: &str| cell(answer, at);
    let text = format!(
        "{} of {} edges: {} online, {} stale, {} offline",
        of("matching"),
        of("total"),
        of("counts.connectivity.ONLINE"),
        of("counts.connectivity.STALE"),
        of("counts.connectivity.OFFLINE")
    );
    say(ui, text);
    if let Some(next) = answer["next"].as_i64() {
        ui.status(&format!("there are more: --after {next}"));
    }
}

/// Seconds.
const DAY: u64 = 86_400;
/// Below how many days somebody who holds the keys is told what to type.
const SOON: u64 = 45;

fn believed(answer: &Value, ui: &Ui) {
    let renewed = [
        ("root", " · landfall edge keys renew --key-file root.pem"),
        ("targets", " · landfall edge keys renew --targets-key targets.pem"),
        // The server renews its timestamp itself.
        ("timestamp", ""),
    ];
    for (role, renew) in renewed {
        let Some(seconds) = answer["expiresInSeconds"][role].as_u64() else { continue };
        let days = (seconds + DAY / 2) / DAY;
        let what = match seconds {
            0 => format!("the {role} metadata has expired: no edge upgrades"),
            _ => format!("the {role} metadata expires in {days} days"),
        };
        let next = if days >= SOON { "" } else { renew };
        ui.line(&format!("{what}{next}"));
    }
}

/// How many rows beside a table are told at once.
const TOLD: usize = 20;

/// Says how many were not told, of so many.
fn rest(ui: &Ui, of: usize, what: &str) {
    if of > TOLD {
        say(ui, format!("and {} more {what}, which -o json tells", of - TOLD));
    }
}

fn events(answer: &Value, ui: &Ui) {
    let mut table = Table::headless(0);
    let events = answer["events"].as_array().map_or(&[][..], Vec::as_slice);
    for event in events.iter().take(TOLD) {
        table.row(["at", "kind", "text"].map(|at| cell(event, at)));
    }
    ui.table(&table);
    rest(ui, events.len(), "events");
}

fn enrolled(answer: &Value, ui: &Ui) {
    let edges: Vec<&str> = answer["edges"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !edges.is_empty() {
        say(ui, format!("edges that it has enrolled, and that stay: {}", edges.join(", ")));
    }
}

fn members(answer: &Value, ui: &Ui) {
    left_out(answer, ui);
    if let Some(reversals) = answer["reversals"].as_array() {
        for back in reversals {
            let of = |at: &str| cell(back, at);
            ui.status(&format!(
                "back to {}: {} of {} edges · landfall edge campaign get {}",
                of("version"),
                of("name"),
                of("edges"),
                of("id")
            ));
        }
        if reversals.is_empty() {
            say(ui, "it is given up; no edge of it has come from another version, so that none goes back".to_owned());
        }
    }
    let members = answer["members"].as_array().into_iter().flatten();
    let is_well = |it: &&Value| matches!(it["state"].as_str(), Some("QUEUED" | "SUCCEEDED" | "CANCELLED"));
    let told: Vec<&Value> = members.filter(|it| !is_well(it)).collect();
    let mut table = Table::headless(0);
    for member in told.iter().take(TOLD) {
        let of = |at: &str| cell(member, at);
        table.row([of("edge"), format!("wave {}", of("wave")), of("state"), of("reason")]);
    }
    ui.table(&table);
    rest(ui, told.len(), "edges");
}

fn without(answer: &Value, ui: &Ui) {
    left(answer, "worker", ui);
}

fn left_out(answer: &Value, ui: &Ui) {
    left(answer, "edge", ui);
}

fn left(answer: &Value, name: &str, ui: &Ui) {
    let left = answer["leftOut"].as_array().map_or(&[][..], Vec::as_slice);
    for one in left.iter().take(TOLD) {
        say(ui, format!("left out: {}: {}", cell(one, name), cell(one, "why")));
    }
    rest(ui, left.len(), "edges that are left out");
}
