//! Names that live: of the landfall.yaml, and of what is delivered.

use std::time::Duration;

use landfall_delivery::{Session, SystemStatus, Target, TargetKind, TargetPlace};
use landfall_host::{Host, Hosting, PlaceQuery};
use landfall_project::ProjectFile;
use landfall_server::api::ListQuery;
use tokio::sync::mpsc::channel;

use super::Live;
use crate::arguments::{Behind, Named};
use crate::commands::app::CounterArgs;
use crate::context::Context;

/// The most revisions that are offered.
const MOST: usize = 20;

/// How long somebody waits who has pressed a key.
const PATIENCE: Duration = Duration::from_secs(2);

/// The names that fit behind these words, sorted; none where they cannot be had in time.
pub(super) async fn names(context: &Context, live: Live, before: &[String]) -> Vec<String> {
    let typed = Typed::of(context, before);
    let mut names: Vec<String> = match live {
        Live::Environments => {
            typed.project().map(|file| file.system.environments.keys().cloned().collect()).unwrap_or_default()
        }
        Live::Builds => typed.environment(|environment| environment.build.keys().cloned().collect()),
        Live::Checks => {
            typed.environment(|environment| environment.checks.iter().map(|check| check.name.clone()).collect())
        }
        Live::Applications => {
            tokio::time::timeout(PATIENCE, typed.applications(context)).await.ok().flatten().unwrap_or_default()
        }
        Live::Revisions => {
            let asked = before.last().map(|release| typed.revisions(release));
            let found = async { asked?.await };
            tokio::time::timeout(PATIENCE, found).await.ok().flatten().unwrap_or_default()
        }
        Live::Releases | Live::Workloads | Live::Objects | Live::Namespaces => {
            let status = tokio::time::timeout(PATIENCE, typed.status()).await.ok().flatten();
            status.map(|status| of_cluster(live, &status)).unwrap_or_default()
        }
    };
    names.sort();
    names.dedup();
    names
}

fn of_cluster(live: Live, status: &SystemStatus) -> Vec<String> {
    let units = status.units.iter();
    match live {
        Live::Releases => units.map(|unit| unit.name.clone()).collect(),
        Live::Namespaces => units.map(|unit| unit.namespace.clone()).collect(),
        Live::Objects => {
            let workloads = units.flat_map(|unit| &unit.workloads);
            workloads.map(|workload| format!("{}/{}", workload.kind.to_lowercase(), workload.name)).collect()
        }
        _ => units.flat_map(|unit| &unit.workloads).map(|workload| workload.name.clone()).collect(),
    }
}

/// What of the words says where it is looked.
struct Typed {
    host: Host,
    target: Option<String>,
    query: PlaceQuery,
    counter: CounterArgs,
}

impl Typed {
    /// Reads the words as far as they can be read.
    fn of(context: &Context, before: &[String]) -> Self {
        let mut host = context.host.clone();
        let after = |flags: &[&str]| {
            let at = before.iter().position(|word| flags.contains(&word.as_str()))?;
            before.get(at + 1).cloned()
        };
        if let Some(directory) = after(&["-C", "--directory"]) {
            host.directory = host.directory.join(directory);
        }
        host.state = after(&["--state"]).map(Into::into).or(host.state);
        let query = PlaceQuery {
            environment: after(&["--env"]).and_then(|name| name.parse().ok()),
            revision: None,
            context: after(&["--context", "--kube-context"]).and_then(|name| name.parse().ok()),
            kubeconfig: after(&["--kubeconfig"]),
            ..PlaceQuery::default()
        };
        let counter = CounterArgs {
            server: after(&["--server"]).or_else(|| host.env.get("LANDFALL_SERVER").map(str::to_owned)),
            token_file: after(&["--token-file"]),
            ca_file: after(&["--ca-file"]),
            env: query.environment.clone(),
            context: query.context.clone(),
            kubeconfig: query.kubeconfig.clone(),
            ..CounterArgs::default()
        };
        // The first word behind the verb that can be a target is one, unless a flag stands in front of it.
        let mut target = None;
        for pair in before.windows(2) {
            if target.is_none() && !pair.iter().any(|word| word.starts_with('-')) {
                let word = std::slice::from_ref(&pair[1]);
                target = Named::of(&host.directory, word, Behind::Objects).target;
            }
        }
        let target = target.filter(|target| host.directory.join(target).exists());
        Typed { host, target, query, counter }
    }

    fn project(&self) -> Option<ProjectFile> {
        let query = self.host.query(self.target.as_deref(), None);
        let place = TargetPlace::of(&query).ok()?;
        match self.host.wait(Target::declared(&place, &query)).ok()?.kind {
            TargetKind::System(file) => Some(*file),
            _ => None,
        }
    }

    fn environment(&self, names: impl FnOnce(&landfall_project::Environment) -> Vec<String>) -> Vec<String> {
        let place = self.host.wait(self.host.declared_place(self.target.as_deref(), &self.query)).ok();
        place.as_ref().and_then(|place| place.declared()).map(names).unwrap_or_default()
    }

    /// The Applications of whoever would be asked about them.
    async fn applications(&self, context: &Context) -> Option<Vec<String>> {
        let asking = Context { host: self.host.clone(), ..context.clone() };
        let counter = self.counter.open(&asking).await.ok()?;
        let found = counter.all(ListQuery::default()).await.ok();
        counter.close().await;
        Some(found?.items.into_iter().map(|line| line.name).collect())
    }

    async fn status(&self) -> Option<SystemStatus> {
        self.asked(async |session: &Session| session.status(&[]).await.ok()).await
    }

    /// The revisions of a release, wherever one of that name lives.
    async fn revisions(&self, release: &str) -> Option<Vec<String>> {
        let lines = self.asked(async |session: &Session| {
            let delivered = session.delivered().await.ok()?;
            let wanted: Vec<(String, String)> = delivered.into_iter().filter(|(_, name)| name == release).collect();
            session.history(&wanted, MOST).await.ok()
        });
        let revisions = lines.await?.into_iter().map(|line| line.revision).filter(|revision| *revision > 0);
        Some(revisions.map(|revision| revision.to_string()).collect())
    }

    /// What a session with the cluster answers.
    async fn asked<A>(&self, ask: impl AsyncFnOnce(&Session) -> Option<A>) -> Option<A> {
        let place = self.host.cluster_place(self.target.as_deref(), &self.query).await.ok()?;
        if place.cluster.is_kept_in_state() && !place.state.has_cluster() {
            return None;
        }
        let mut connection = self.host.connect(&place, Hosting::Attach, &[]).await.ok()?;
        let (sender, mut receiver) = channel(256);
        let unheard = tokio::spawn(async move { while receiver.recv().await.is_some() {} });
        let answer = ask(&connection.session(&self.host, sender)).await;
        connection.close().await;
        unheard.abort();
        answer
    }
}
