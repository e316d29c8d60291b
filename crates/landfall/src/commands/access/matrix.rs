//! `landfall access matrix`.

use std::collections::BTreeSet;
use std::time::Instant;

use clap::Args;
use landfall_diag::Diagnose as _;
use landfall_host::{Connection, Failure, Place};
use landfall_server::access::{Cell, Ground, ServiceAccount};
use landfall_server::accounts::{ADMIN, READONLY, Subject};
use serde_json::{Value, json};

use super::{connected, ground};
use crate::arguments::{ClusterArgs, OutputArgs};
use crate::commands::store::{has_store, store};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// The namespace of Applications.
const HOME: &str = "argocd";

/// Arguments of `access matrix`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AccessMatrixArgs {
    /// A policy.csv instead of that of the server which runs here, or the cluster's argocd-rbac-cm
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<String>,
    /// A service account, NAMESPACE/NAME, that the cluster is asked about besides: what it may change where a project delivers to
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) service_account: Vec<ServiceAccount>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AccessMatrixArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let (place, mut connection) = connected(context, &self.cluster).await?;
        let read = async {
            let ground = ground(context, (&place, &connection), self.policy.as_deref()).await?;
            let mut rows = rows(context, &ground, &place).await?;
            for account in &self.service_account {
                rows.extend(of_account(account, &ground, &connection).await?);
            }
            Ok::<_, Failure>(rows)
        };
        let rows = read.await;
        connection.close().await;
        context.report(&Matrix(&rows?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// What somebody may do with the Applications of a project.
struct Row {
    /// `policy`, `account`, `token`, `service-account`.
    from: &'static str,
    subject: String,
    project: String,
    protected: bool,
    may: Vec<String>,
}

async fn rows(context: &Context, ground: &Ground, place: &Place) -> Result<Vec<Row>, Failure> {
    let named = |name: &str| Subject { name: name.to_owned(), roles: Vec::new(), groups: Vec::new() };
    let mut subjects: Vec<(&str, Subject)> = Vec::new();
    subjects.extend([ADMIN, READONLY].map(|role| ("policy", named(role))));
    subjects.extend(ground.standing.subjects().into_iter().map(|name| ("policy", named(name))));
    let mut scoped = Vec::new();
    if has_store(context, &place.state) {
        let store = store(context, &place.state).await?;
        let (accounts, tokens) = (store.accounts.all().await, store.tokens.all().await);
        store.close().await;
        for row in accounts.map_err(|error| Failure::from(error.diagnose()))? {
            if row.disabled_at.is_none() {
                subjects.push(("account", Subject { name: row.name, roles: row.roles, groups: Vec::new() }));
            }
        }
        let tokens = tokens.map_err(|error| Failure::from(error.diagnose()))?;
        scoped.extend(tokens.into_iter().filter(|row| row.revoked_at.is_none()));
    }
    let mut rows = Vec::new();
    let row = |from, subject: &str, project: &str, may| Row {
        from,
        subject: subject.to_owned(),
        project: project.to_owned(),
        protected: ground.standing.is_protected(project),
        may,
    };
    for (from, subject) in &subjects {
        for project in &ground.projects {
            rows.push(row(*from, &subject.name, project, ground.may(subject, project)));
        }
    }
    for token in &scoped {
        for project in &ground.projects {
            let mut may = match token.role.as_str() {
                "" => Vec::new(),
                role => ground.may(&named(role), project),
            };
            let is_for = landfall_server::is_for(&token.projects, project);
            let has = |scope: &str| token.scopes.iter().any(|it| it == scope);
            match (is_for, token.role.is_empty()) {
                (false, _) => may.clear(),
                (true, true) => {
                    may.extend(has("read").then_some(["get", "logs"]).into_iter().flatten().map(str::to_owned));
                    may.extend(has("sync").then_some(["sync", "update"]).into_iter().flatten().map(str::to_owned));
                }
                (true, false) => {
                    may.retain(|word| has(if matches!(word.as_str(), "get" | "logs") { "read" } else { "sync" }))
                }
            }
            rows.push(row("token", &token.name, project, may));
        }
    }
    Ok(rows)
}

/// What a service account may change in the namespaces of each project, as the cluster says: verbs and kinds, without what it tells of
/// the namespace of Applications and of the whole cluster, which is no project's.
async fn of_account(account: &ServiceAccount, ground: &Ground, connection: &Connection) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for project in &ground.projects {
        let namespaces: Vec<String> = ground.namespaces(project).into_iter().map(str::to_owned).collect();
        let cells = account.asked(&connection.cluster, &namespaces, HOME).await?;
        let is_there = |cell: &&Cell| namespaces.iter().any(|it| cell.on == format!("namespace {it}"));
        let allowed = cells.iter().filter(is_there).filter(|cell| cell.allowed && cell.asked == "cluster");
        let may: BTreeSet<String> = allowed.map(|cell| cell.what.clone()).collect();
        rows.push(Row {
            from: "service-account",
            subject: account.to_string(),
            project: project.clone(),
            protected: ground.standing.is_protected(project),
            may: may.into_iter().collect(),
        });
    }
    Ok(rows)
}

/// All of it.
struct Matrix<'a>(&'a [Row]);

impl Report for Matrix<'_> {
    const KIND: &'static str = "AccessMatrix";

    fn data(&self) -> Value {
        let data = |row: &Row| {
            json!({
                "from": row.from, "subject": row.subject, "project": row.project, "protected": row.protected,
                "may": row.may,
            })
        };
        self.0.iter().map(data).collect()
    }

    fn names(&self, ui: &Ui) {
        let mut names: Vec<&str> = self.0.iter().map(|row| row.subject.as_str()).collect();
        names.dedup();
        names.iter().for_each(|name| ui.name(name));
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.status("there is no project, so nobody may do anything with one");
        }
        let mut table = Table::new(["SUBJECT", "FROM", "PROJECT", "MAY"]);
        for row in self.0 {
            let project = if row.protected { format!("{} (protected)", row.project) } else { row.project.clone() };
            let may = if row.may.is_empty() { "-".to_owned() } else { row.may.join(", ") };
            table.row([row.subject.clone(), row.from.to_owned(), project, may]);
        }
        ui.table(&table);
        ui.status("whoever has the server's machine or may write AppProjects, argocd-rbac-cm or Secrets in argocd may do everything");
    }
}
