//! `landfall migrate argocd`.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Failure, Hosting};
use landfall_project::Namespace;
use landfall_server::api::{Asked, Diff, Line, ListQuery};
use landfall_server::{ArgoController, argo_controllers, lay_to_rest, wake};
use serde::Serialize;
use serde_json::{Value, json};

use crate::arguments::OutputArgs;
use crate::commands::app::counter::{Counter, CounterArgs, asking};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Arguments of `migrate argocd`.
#[derive(Debug, Clone, Args)]
pub(crate) struct MigrateArgocdArgs {
    /// Give the Applications back: Argo CD's controllers run again
    #[arg(long)]
    back: bool,
    /// Where Argo CD is installed
    #[arg(long, value_name = "NAMESPACE", default_value = "argocd")]
    argo_namespace: Namespace,
    /// Take over Applications, too, that the first look would change
    #[arg(long)]
    accept_changes: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    yes: bool,
    #[command(flatten)]
    counter: CounterArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// An Application, and what would become of it.
#[derive(Debug, Clone, Serialize)]
struct Taken {
    namespace: String,
    name: String,
    /// Whether it syncs by itself.
    automated: bool,
    /// The objects that a sync would change, as `change Deployment/web`.
    changes: Vec<String>,
    /// Why it cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Taken {
    /// Whether taking it over would change what runs: it syncs by itself, and something differs or cannot be seen.
    fn would_change(&self) -> bool {
        self.automated && (!self.changes.is_empty() || self.error.is_some())
    }
}

/// What was done, or would be.
struct Migrated {
    controllers: Vec<ArgoController>,
    applications: Vec<Taken>,
    direction: &'static str,
    dry_run: bool,
}

impl Verb for MigrateArgocdArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let place = self.counter.place(context).await?;
        if place.cluster.is_kept_in_state() && !place.state.has_cluster() {
            return Err(Failure::from(
                Diagnostic::error(code::NOT_RUNNING, "there is no cluster here that Argo CD could run on")
                    .help("landfall migrate argocd --context NAME"),
            ));
        }
        let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
        let cluster = connection.cluster.clone();
        let work = async {
            let controllers = argo_controllers(&cluster, &self.argo_namespace).await?;
            if controllers.is_empty() {
                let text = format!("no controller of Argo CD is in the namespace {}", self.argo_namespace);
                return Err(Failure::usage(
                    Diagnostic::error(code::NO_ARGO, text).help("landfall migrate argocd --argo-namespace NAMESPACE"),
                ));
            }
            let applications = if self.back { Vec::new() } else { self.applications(context).await? };
            self.held_against(&controllers, &applications)?;
            let direction = if self.back { "back" } else { "there" };
            let migrated = Migrated { controllers, applications, direction, dry_run: self.dry_run };
            if self.dry_run {
                return Ok(migrated);
            }
            let deed = match self.back {
                true => ("Give the Applications back to Argo CD", "giving the Applications back to Argo CD"),
                false => ("Lay Argo CD's controllers to rest", "laying Argo CD's controllers to rest"),
            };
            self.counter.agreed(context, Act::Deliver, self.yes, deed).await?;
            match self.back {
                true => wake(&cluster, &migrated.controllers).await?,
                false => lay_to_rest(&cluster, &migrated.controllers).await?,
            }
            Ok(migrated)
        };
        let migrated = work.await;
        connection.close().await;
        context.report(&migrated?, Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl MigrateArgocdArgs {
    /// The Applications, each compared with what is live.
    async fn applications(&self, context: &Context) -> Result<Vec<Taken>, Failure> {
        asking!(context, self.counter, |counter| {
            let listing = counter.all(ListQuery::default()).await?;
            let mut taken = Vec::new();
            for line in listing.items {
                taken.push(compared(&counter, line).await);
            }
            Ok(taken)
        })
    }

    /// Refuses what would change something that runs, and what has been done already.
    fn held_against(&self, controllers: &[ArgoController], applications: &[Taken]) -> Result<(), Failure> {
        let changing: Vec<String> = applications
            .iter()
            .filter(|it| it.would_change())
            .map(|it| {
                let why = it.error.clone().unwrap_or_else(|| it.changes.join(", "));
                format!("{}/{}: {why}", it.namespace, it.name)
            })
            .collect();
        if !changing.is_empty() && !self.accept_changes && !self.dry_run {
            let text = "taking these over would change what runs, because they sync by themselves";
            let mut diagnostic = Diagnostic::refused(code::MIGRATION_CHANGES, text);
            for line in changing.iter().take(10) {
                diagnostic = diagnostic.note(line.as_str());
            }
            let diagnostic = diagnostic.note("nothing was changed");
            return Err(diagnostic.help("sync them with Argo CD first, or --accept-changes").into());
        }
        if self.back && controllers.iter().all(|one| one.rested.is_none()) {
            let text = "none of Argo CD's controllers was laid to rest by `landfall migrate argocd`";
            return Err(Failure::usage(Diagnostic::error(code::NO_ARGO, text).note("nothing was changed")));
        }
        Ok(())
    }
}

async fn compared(counter: &Counter, line: Line) -> Taken {
    let name = landfall_server::api::Name { namespace: line.namespace.clone(), name: line.name.clone() };
    let diff: Result<Diff, Failure> = counter.ask(Asked::Diff(name, Vec::new())).await;
    let (changes, error) = match diff {
        Ok(diff) => {
            let is_change = |action: &str| !matches!(action, "keep" | "unchanged");
            let objects = diff.objects.iter().filter(|it| is_change(&it.action));
            (objects.map(|it| format!("{} {}", it.action, it.object)).collect(), None)
        }
        Err(failure) => {
            let why = failure.diagnostics.first().map_or_else(String::new, |it| it.message.clone());
            (Vec::new(), Some(why))
        }
    };
    Taken { namespace: line.namespace, name: line.name, automated: line.automated, changes, error }
}

impl Report for Migrated {
    const KIND: &'static str = "Migration";

    fn data(&self) -> Value {
        json!({
            "direction": self.direction, "dryRun": self.dry_run,
            "controllers": self.controllers, "applications": self.applications,
        })
    }

    fn text(&self, ui: &Ui) {
        if !self.applications.is_empty() {
            let mut table = Table::new(["APPLICATION", "SYNCS", "A SYNC WOULD"]);
            for one in &self.applications {
                let syncs = if one.automated { "by itself" } else { "when asked" };
                let would = match (&one.error, one.changes.as_slice()) {
                    (Some(why), _) => format!("not be possible: {why}"),
                    (None, []) => "change nothing".to_owned(),
                    (None, changes) => changes.join(", "),
                };
                table.row([format!("{}/{}", one.namespace, one.name), syncs.to_owned(), would]);
            }
            ui.table(&table);
        }
        for one in &self.controllers {
            let name = format!("{}/{}", one.kind, one.name);
            let words = match (self.direction, one.rested, self.dry_run) {
                ("back", Some(replicas), true) => format!("{name} would run again with {replicas} replicas"),
                ("back", Some(replicas), false) => format!("{name} runs again with {replicas} replicas"),
                ("back", None, _) => format!("{name} was not laid to rest"),
                (_, _, true) => format!("{name} would be scaled from {} to 0", one.replicas),
                (_, _, false) => format!("{name} rests; it had {} replicas", one.replicas),
            };
            ui.status(&words);
        }
        if !self.dry_run {
            ui.status(match self.direction {
                "back" => "a server of Landfall's stands back within seconds",
                _ => "a server of Landfall's takes over within seconds: landfall serve",
            });
        }
    }

    fn names(&self, ui: &Ui) {
        self.applications.iter().for_each(|one| ui.name(&format!("{}/{}", one.namespace, one.name)));
    }
}
