//! `landfall app list`.

use std::time::Instant;

use clap::Args;
use landfall_host::Failure;
use landfall_server::api::{Line, ListQuery, Listing};
use serde_json::{Value, json};

use super::counter::{CounterArgs, asking};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Style, Table, Ui};
use crate::verb::Verb;

/// Arguments of `app list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppListArgs {
    /// Whose name, project, repository or path has this in it
    #[arg(value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Of this project alone
    #[arg(short = 'p', long, value_name = "NAME")]
    pub(crate) project: Vec<String>,
    /// That stand so against git: synced, outofsync, unknown
    #[arg(long, value_name = "STATUS")]
    pub(crate) sync: Vec<String>,
    /// That fare so: healthy, progressing, degraded, suspended, missing, unknown
    #[arg(long, value_name = "STATUS")]
    pub(crate) health: Vec<String>,
    /// Of that repository alone
    #[arg(short = 'r', long, value_name = "URL")]
    pub(crate) repository: Option<String>,
    /// By name, project, sync, health or since; from the end with `-` in front
    #[arg(long, value_name = "FIELD", default_value = "name", allow_hyphen_values = true)]
    pub(crate) sort: String,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// So many left out in front
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) offset: usize,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppListArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let query = ListQuery {
            projects: self.project.clone(),
            sync: self.sync.clone(),
            health: self.health.clone(),
            name: None,
            namespace: self.counter.app_namespace.clone().map(String::from),
            repository: self.repository.clone(),
            search: self.search.clone(),
            sort: Some(self.sort.clone()),
            offset: self.offset,
            limit: self.limit,
        };
        let found: Result<Listing, Failure> = asking!(context, self.counter, |counter| counter.all(query).await);
        context.report(&Applications(&found?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// Applications, a line each.
struct Applications<'a>(&'a Listing);

impl Report for Applications<'_> {
    const KIND: &'static str = "Applications";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        self.0.items.iter().for_each(|line| ui.name(&format!("{}/{}", line.namespace, line.name)));
    }

    fn text(&self, ui: &Ui) {
        for set in &self.0.erring_sets {
            ui.status(&format!("ApplicationSet {}/{} errs: {}", set.namespace, set.name, set.message));
        }
        if self.0.total == 0 {
            ui.line("no Application is here · landfall serve TARGET");
            return;
        }
        let mut table = Table::new(["APPLICATION", "PROJECT", "SYNC", "HEALTH", "OPERATION", "REVISION", "FROM"]);
        for line in &self.0.items {
            table.row([
                format!("{}/{}", line.namespace, line.name),
                line.project.clone(),
                sync_word(ui, &line.sync),
                health_word(ui, &line.health),
                line.operation.clone().unwrap_or_else(|| "-".to_owned()),
                revisions(line),
                format!("{} {} {}", line.repository, line.path, line.target_revision).trim_end().to_owned(),
            ]);
        }
        ui.table(&table);
        if self.0.items.len() < self.0.total {
            ui.status(&format!("{} of {}", self.0.items.len(), self.0.total));
        }
    }
}

/// What an Application was compared with, and whether it is pinned there.
pub(super) fn revisions(line: &Line) -> String {
    let told = short(&line.revisions);
    if line.pinned.is_empty() { told } else { format!("{told} (pinned)") }
}

/// Revisions, commits as short as people write them.
pub(super) fn short(revisions: &[String]) -> String {
    let one = |revision: &String| {
        let is_commit = revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_commit { revision[..7].to_owned() } else { revision.clone() }
    };
    if revisions.is_empty() { "-".to_owned() } else { revisions.iter().map(one).collect::<Vec<_>>().join(", ") }
}

pub(super) fn sync_word(ui: &Ui, word: &str) -> String {
    let style = match word {
        "Synced" => Style::Healthy,
        "OutOfSync" => Style::Warning,
        _ => Style::Muted,
    };
    ui.out_style(style, word)
}

pub(super) fn health_word(ui: &Ui, word: &str) -> String {
    let style = match word {
        "Healthy" => Style::Healthy,
        "Progressing" | "Suspended" => Style::Progressing,
        "Unknown" => Style::Muted,
        _ => Style::Degraded,
    };
    ui.out_style(style, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_told_short_and_versions_whole() {
        assert_eq!(
            short(&["0123456789012345678901234567890123456789".to_owned(), "1.2.0".to_owned()]),
            "0123456, 1.2.0"
        );
        assert_eq!(short(&[]), "-");
    }
}
