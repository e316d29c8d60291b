//! Where everything about Applications is asked: the same functions behind every route and every command.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use landfall_apps::Application;
use landfall_cluster::{Cluster, Error as ClusterError, ListOptions};
use landfall_delivery::{Session, Verdict};
use landfall_diag::{Diagnose, Diagnostic, Ending, code, without_passwords};
use landfall_object::{Object, ObjectKey};
use landfall_store::AuditEntry;
use serde::Serialize;
use serde_json::{Value, json};

use super::asked::{Asked, Kind};
use super::book::{Book, few};
use super::listing::listed;
use super::reading;
use super::shapes::{
    AuditLine, CheckLine, ChecksLine, ConditionLine, Detail, ErringSet, Line, ListQuery, Listing, Name,
};
use super::why::SET_WARNING;
use crate::actor::{Actor, Permission};
use crate::alarms::Alarms;
use crate::board::Board;
use crate::errands::Work;
use crate::ground::application_kind;
use crate::sets::{error_in, set_kind};

/// Entries of the audit log where nobody says how many, and at most.
const ENTRIES: usize = 100;
const MOST_ENTRIES: usize = 1000;

/// Where everything about Applications is asked.
pub struct Desk {
    pub(super) work: Arc<Work>,
    /// What the server knows of its Applications; without a server the cluster is asked.
    board: Option<Arc<Board>>,
}

/// What an answer is: what was asked for, or why it is not.
pub(crate) type Answer<T> = Result<T, Vec<Diagnostic>>;

pub(super) fn one(diagnostic: Diagnostic) -> Vec<Diagnostic> {
    vec![diagnostic]
}

pub(super) fn told(error: &impl Diagnose) -> Vec<Diagnostic> {
    vec![error.diagnose()]
}

impl Desk {
    pub(crate) fn new(work: Arc<Work>, board: Option<Arc<Board>>) -> Self {
        Desk { work, board }
    }

    /// Answers, or says why not; a change is in the audit log before it is made.
    ///
    /// # Errors
    /// What was asked for cannot be done, or must not be.
    #[boxed]
    pub async fn answer(&self, actor: &Actor, asked: Asked) -> Result<Value, Vec<Diagnostic>> {
        let kind = asked.kind();
        // Whoever let it in has asked whether it may; what it is about is known here alone.
        let actor = &actor.clone().asking(kind.permission());
        if !kind.changes() {
            return self.looked(actor, asked).await;
        }
        let target = asked.target();
        let detail = serde_json::from_slice(&asked.wire().body).unwrap_or_default();
        let number = self.audited(&actor.name, kind, &target, detail).await?;
        let answered = self.changed(actor, asked).await;
        let outcome = match &answered {
            Ok(_) => "accepted".to_owned(),
            Err(diagnostics) => {
                format!("refused: {}", diagnostics.first().map(|it| it.message.as_str()).unwrap_or_default())
            }
        };
        self.outcome(number, &outcome).await;
        answered
    }

    async fn looked(&self, actor: &Actor, asked: Asked) -> Answer<Value> {
        match asked {
            Asked::List(query) => json_of(self.list(actor, &query).await?),
            Asked::Get(name) => {
                let object = self.object(actor, &name).await?;
                let mut detail = self.detail(&object).await;
                // Nobody has to wait for the status to say it.
                if detail.line.health == "Healthy" && self.work.open_checks(&object).await.is_some() {
                    detail.line.health = "Progressing".to_owned();
                }
                json_of(Detail { checks: self.checks(&name).await, ..detail })
            }
            Asked::Diff(name, revisions) => json_of(self.diff(actor, &name, &revisions).await?),
            Asked::Explain(name) => json_of(self.explain(actor, &name).await?),
            Asked::Events(name) => json_of(self.events(actor, &name).await?),
            Asked::History(name) => json_of(reading::history(&self.object(actor, &name).await?)),
            Asked::Logs(name, query) => json_of(self.logs(actor, &name, &query).await?),
            Asked::Audit(limit, before) => json_of(self.audit(limit, before).await?),
            asked @ (Asked::Ledger(..)
            | Asked::Evidence(..)
            | Asked::Holds(_)
            | Asked::Promotions(..)
            | Asked::VersionCheck(_)
            | Asked::VersionNext(_)) => self.booked(actor, &asked).await,
            Asked::Sync(..)
            | Asked::Rollback(..)
            | Asked::Refresh(..)
            | Asked::Terminate(_)
            | Asked::Pin(..)
            | Asked::Policy(..)
            | Asked::Pause(..)
            | Asked::Delete(..)
            | Asked::Publish(_)
            | Asked::Witness(_)
            | Asked::Hold(_)
            | Asked::Promote(_) => Err(one(Diagnostic::error(code::BUG, "a change was taken for a look"))),
        }
    }

    async fn changed(&self, actor: &Actor, asked: Asked) -> Answer<Value> {
        match asked {
            Asked::Sync(name, wish) => json_of(self.sync(actor, &name, &wish).await?),
            Asked::Rollback(name, wish) => json_of(self.roll_back(actor, &name, &wish).await?),
            Asked::Refresh(name, wish) => json_of(self.refresh(actor, &name, &wish).await?),
            Asked::Terminate(name) => json_of(self.terminate(actor, &name).await?),
            Asked::Pin(name, wish) => json_of(self.pin(actor, &name, &wish).await?),
            Asked::Policy(name, wish) => json_of(self.set_policy(actor, &name, &wish).await?),
            Asked::Pause(name, wish) => json_of(self.pause(actor, &name, &wish).await?),
            Asked::Delete(name, wish) => json_of(self.delete(actor, &name, wish).await?),
            asked @ (Asked::Publish(_) | Asked::Witness(_) | Asked::Hold(_) | Asked::Promote(_)) => {
                self.booked(actor, &asked).await
            }
            asked => self.looked(actor, asked).await,
        }
    }

    /// What is asked of the book; what is written into it must be allowed in the environment that it is about.
    async fn booked(&self, actor: &Actor, asked: &Asked) -> Answer<Value> {
        let environments: Vec<&str> = match asked {
            Asked::Promote(note) => vec![&note.to],
            Asked::Witness(lines) => lines.iter().map(|line| line.environment.as_str()).collect(),
            _ => Vec::new(),
        };
        if matches!(asked, Asked::Promote(_) | Asked::Hold(_)) && actor.paths().is_some() {
            let text = format!("the token `{}` is bound to paths, and this is about whole environments", actor.name);
            return Err(one(Diagnostic::refused(code::TOO_SMALL_SCOPE, text).help("issue one without --path")));
        }
        for environment in environments {
            // An environment stands where a project of Applications does: in a token's bounds and in the policy's objects.
            let asks = actor.asks();
            if !actor.may(asks, (environment, landfall_apps::Project::HOME, "*")) {
                let (resource, action) = (asks.resource, asks.action);
                let text = format!("{} may not do that for the environment `{environment}`", actor.name);
                return Err(one(Diagnostic::refused(code::NO_ROLE_FOR_IT, text).help(format!(
                    "an owner's line of policy.csv would: p, ROLE, {resource}, {action}, {environment}/*, allow"
                ))));
            }
        }
        let session = &self.work.session;
        let now = landfall_object::whole_second(session.clock.now()).to_string();
        let book = Book::new(session.store.promotions.clone());
        match asked {
            Asked::Publish(lines) => {
                few(lines.len())?;
                self.work.may_publish(actor, lines).await.map_err(one)?;
            }
            Asked::Hold(wish) => self.work.may_hold(actor, &wish.system).await.map_err(one)?,
            // Whoever may do all with the cluster may write into its store as well.
            Asked::Promote(note) if actor.is_bound() => book.may_become(note).await?,
            _ => {}
        }
        match book.answer(&actor.name, &now, asked).await {
            Some(answer) => {
                let answer = answer?;
                let ended = match asked {
                    Asked::Witness(lines) => self.work.after_failures(&actor.name, &now, lines).await,
                    Asked::Hold(wish) if !wish.release => self.work.after_hold((&actor.name, &now), wish).await,
                    _ => Ok(()),
                };
                ended.map_err(|error| told(&error))?;
                Ok(answer)
            }
            None => Err(one(Diagnostic::error(code::BUG, "that is not asked of the book"))),
        }
    }

    /// Writes a change into the audit log before it is made.
    async fn audited(&self, actor: &str, kind: Kind, target: &str, detail: Value) -> Answer<i64> {
        let session = &self.work.session;
        let now = session.clock.now();
        let entry = AuditEntry {
            at: landfall_object::whole_second(now).to_string(),
            actor: actor.to_owned(),
            action: format!("application.{}", kind.path().rsplit('/').next().unwrap_or_default()),
            target: target.to_owned(),
            detail,
        };
        session.store.audit.begin(&entry).await.map_err(|error| {
            one(Diagnostic::error(code::UNAUDITED, "the audit log cannot be written; nothing was changed")
                .note(error.to_string()))
        })
    }

    /// Writes down what somebody did and how it ended.
    pub(crate) async fn noted(&self, (actor, action, target): (&str, &str, &str), outcome: &str) {
        let session = &self.work.session;
        let now = session.clock.now();
        let at = landfall_object::whole_second(now).to_string();
        let [actor, action, target] = [actor, action, target].map(str::to_owned);
        let entry = AuditEntry { at, actor, action, target, detail: Value::Null };
        match session.store.audit.begin(&entry).await {
            Ok(number) => self.outcome(number, outcome).await,
            Err(error) => tracing::error!("the audit log cannot be written: {error}"),
        }
    }

    /// Where small things are remembered, and what time it is.
    pub(crate) fn remembered(&self) -> (&landfall_store::Facts, jiff::Timestamp) {
        let session = &self.work.session;
        (&session.store.facts, session.clock.now())
    }

    /// Writes down what somebody is about to do: nothing of it is done when that cannot be written.
    pub(crate) async fn noting(
        &self,
        (actor, action, target): (&str, &str, &str),
        detail: Value,
    ) -> Result<i64, Diagnostic> {
        let session = &self.work.session;
        let now = session.clock.now();
        let at = landfall_object::whole_second(now).to_string();
        let [actor, action, target] = [actor, action, target].map(str::to_owned);
        let entry = AuditEntry { at, actor, action, target, detail };
        session.store.audit.begin(&entry).await.map_err(|error| {
            Diagnostic::error(code::UNAUDITED, "the audit log cannot be written; nothing was changed")
                .note(error.to_string())
        })
    }

    /// What has to be heard.
    pub(crate) fn alarms(&self) -> Arc<Alarms> {
        Arc::clone(&self.work.alarms)
    }

    pub(crate) async fn outcome(&self, number: i64, outcome: &str) {
        if let Err(error) = self.work.session.store.audit.end(number, outcome).await {
            tracing::warn!("how entry {number} of the audit log has ended cannot be written: {error}");
        }
    }

    /// Writes down that a change was asked for by somebody who may not make it.
    pub(crate) async fn turned_away(&self, actor: &str, kind: Kind, target: &str, why: &str) {
        if let Ok(number) = self.audited(actor, kind, target, Value::Null).await {
            self.outcome(number, &format!("refused: {why}")).await;
        }
    }

    async fn list(&self, actor: &Actor, query: &ListQuery) -> Answer<Listing> {
        let lines: Vec<Line> = match &self.board {
            Some(board) if board.is_ready() => board.lines(),
            _ => match self.work.session.cluster.list(&application_kind(), &ListOptions::default()).await {
                Ok(objects) => objects.iter().map(Line::of).collect(),
                // A cluster without the kind has none.
                Err(ClusterError::NoMatch { .. }) => Vec::new(),
                Err(error) => return Err(told(&error)),
            },
        };
        let mut listing = listed(lines.into_iter().filter(|line| actor.sees(line)), query).map_err(one)?;
        listing.erring_sets = self.erring_sets(actor, query).await;
        Ok(listing)
    }

    /// The sets that err, of those whose Applications would be seen.
    async fn erring_sets(&self, actor: &Actor, query: &ListQuery) -> Vec<ErringSet> {
        // Of what cannot be read now nothing is said.
        let found = self.work.session.cluster.list(&set_kind(), &ListOptions::default()).await.unwrap_or_default();
        let erring = |set: &Object| {
            let message = without_passwords(error_in(set.list_at("/status/conditions"))?).into_owned();
            let (namespace, name) = (set.namespace().unwrap_or_default().to_owned(), set.name().to_owned());
            let project = set.str_at("/spec/template/spec/project").unwrap_or("default");
            let is_asked_for = (query.projects.is_empty() || query.projects.iter().any(|it| it == project))
                && query.namespace.as_ref().is_none_or(|it| *it == namespace)
                && query.search.as_ref().is_none_or(|it| name.contains(&**it));
            let is_seen = actor.may(Permission::LOOK, (project, &namespace, &name));
            (is_asked_for && is_seen).then_some(ErringSet { namespace, name, message })
        };
        found.iter().filter_map(erring).collect()
    }

    /// The cluster that Applications live in.
    pub(super) fn home(&self) -> &Cluster {
        &self.work.session.home
    }

    /// An Application as the cluster has it, if whoever asks may do with it what is asked: what is not seen is not there, and
    /// what is seen and must not be done is refused.
    /// What an Application says, and what is wrong with the set that generates it.
    pub(super) async fn detail(&self, application: &Object) -> Detail {
        let mut detail = Detail::of(application);
        let Some(set) = detail.generated_by.clone() else { return detail };
        let key = ObjectKey::new(set_kind(), application.namespace(), &*set);
        // Of what cannot be read now nothing is said.
        let Ok(Some(found)) = self.work.session.cluster.get(&key).await else { return detail };
        if let Some(error) = error_in(found.list_at("/status/conditions")) {
            let message = without_passwords(&format!("{set}: {error}")).into_owned();
            detail.conditions.push(ConditionLine { kind: SET_WARNING.to_owned(), message, since: None });
        }
        detail
    }

    pub(super) async fn object(&self, actor: &Actor, name: &Name) -> Answer<Object> {
        let key = ObjectKey::new(application_kind(), Some(&name.namespace), &*name.name);
        let found = match self.work.session.cluster.get(&key).await {
            Ok(found) => found,
            Err(ClusterError::NoMatch { .. }) => None,
            Err(error) => return Err(told(&error)),
        };
        let none = || {
            one(Diagnostic::error(code::NO_SUCH_APPLICATION, format!("there is no Application {name}"))
                .help("landfall app list"))
        };
        let object = found.ok_or_else(none)?;
        let project = object.str_at("/spec/project").filter(|name| !name.is_empty()).unwrap_or("default");
        let asks = actor.asks();
        // Whoever writes another project into one that belongs to a protected one gives nobody a right to change it.
        let owner = self.work.orders.owner_of(&object).filter(|owner| owner != project && asks != Permission::LOOK);
        let is_owners = |owner: &str| actor.may(asks, (owner, name.namespace.as_str(), name.name.as_str()));
        let place = (project, name.namespace.as_str(), name.name.as_str());
        // Who may not look at it learns nothing of it by changing it either; a token's scope is the one that it came for.
        let looks = if asks.scope == Permission::LOOK.scope { Permission::LOOK } else { Permission::REFRESH };
        if !actor.may(looks, place) && !actor.may(Permission::LOOK, place) {
            return Err(none());
        }
        if actor.may(asks, place) && owner.as_deref().is_none_or(is_owners) {
            if actor.reaches(asks, &object) {
                return Ok(object);
            }
            let text = format!("the token `{}` is bound to paths, and {name} reads others", actor.name);
            return Err(one(Diagnostic::refused(code::TOO_SMALL_SCOPE, text)
                .help("issue one that is for them: landfall token create NAME --path PATTERN")));
        }
        if !actor.may(Permission::LOOK, place) {
            return Err(none());
        }
        let (resource, action) = (asks.resource, asks.action);
        let project = owner.as_deref().unwrap_or(project);
        let text = format!("{} may look at {name}, and no role of theirs allows `{resource}, {action}`", actor.name);
        Err(one(Diagnostic::refused(code::NO_ROLE_FOR_IT, text).help(format!(
            "an owner's line of policy.csv would: p, ROLE, {resource}, {action}, {project}/{}, allow",
            name.name
        ))))
    }

    /// The same, read.
    pub(super) async fn application(&self, actor: &Actor, name: &Name) -> Answer<Application> {
        Application::parse(&self.object(actor, name).await?).map_err(|error| told(&error))
    }

    /// What an Application is delivered with: the cluster that it delivers to, too.
    pub(super) fn session_of(&self, application: &Application) -> Answer<Session> {
        self.work.session_of(application).map_err(|why| one(Diagnostic::error(code::NO_DESTINATION, why)))
    }

    /// The cluster that an Application delivers to, of its object, as the server itself reaches it: to look.
    pub(super) fn destination_of(&self, object: &Object) -> Answer<Cluster> {
        let application = Application::parse(object).map_err(|error| told(&error))?;
        let destination = self.work.connections.destination(&application);
        let cluster = destination.and_then(|destination| destination.cluster.clone());
        cluster.map_err(|why| one(Diagnostic::error(code::NO_DESTINATION, why)))
    }

    /// What the declared checks found that were made last from here.
    pub(super) async fn checks(&self, name: &Name) -> Option<ChecksLine> {
        let checked = self.work.checked(name).await.filter(|it| it.environment.is_some() || it.error.is_some())?;
        let line = |result: landfall_delivery::CheckResult| {
            let (verdict, reason) = match result.verdict {
                Verdict::Passed => ("passed", None),
                Verdict::Failed { reason } => ("failed", Some(reason)),
                Verdict::NotSimulated { reason } => ("not-simulated", Some(reason)),
            };
            let (verdict, simulated) = (verdict.to_owned(), result.simulated);
            CheckLine { name: result.name, address: result.address, verdict, reason, simulated }
        };
        Some(ChecksLine {
            delivery: checked.delivery.id,
            at: checked.at,
            environment: checked.environment,
            results: checked.results.into_iter().map(line).collect(),
            error: checked.error,
            followed: checked.followed,
        })
    }

    async fn audit(&self, limit: Option<usize>, before: Option<i64>) -> Answer<Vec<AuditLine>> {
        let most = u32::try_from(limit.unwrap_or(ENTRIES).min(MOST_ENTRIES)).unwrap_or(u32::MAX);
        let rows = self.work.session.store.audit.newest(most, before).await.map_err(|error| told(&error))?;
        let line = |row: landfall_store::AuditRow| AuditLine {
            number: row.number,
            at: row.entry.at,
            actor: row.entry.actor,
            action: row.entry.action,
            target: row.entry.target,
            detail: row.entry.detail,
            outcome: row.outcome,
        };
        Ok(rows.into_iter().map(line).collect())
    }
}

pub(super) fn json_of(value: impl Serialize) -> Answer<Value> {
    serde_json::to_value(value)
        .map_err(|error| one(Diagnostic::error(code::BUG, "an answer cannot be written").note(error.to_string())))
}

/// The status of an answer that says why something is not done.
pub(crate) fn status_of(diagnostic: &Diagnostic) -> ::http::StatusCode {
    use ::http::StatusCode;
    match diagnostic.code {
        code::NO_SUCH_APPLICATION | code::NO_REVISION => StatusCode::NOT_FOUND,
        code::OPERATION_UNDER_WAY | code::NO_OPERATION | code::BEING_DELETED => StatusCode::CONFLICT,
        code::BAD_REQUEST => StatusCode::BAD_REQUEST,
        code::NO_ROLE_FOR_IT | code::TOO_SMALL_SCOPE => StatusCode::FORBIDDEN,
        code::UNAUDITED => StatusCode::SERVICE_UNAVAILABLE,
        other => match other.ending() {
            Ending::Refused => StatusCode::CONFLICT,
            Ending::Unreachable => StatusCode::BAD_GATEWAY,
            Ending::Bug => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        },
    }
}

/// Why something is not done, as the API says it.
pub(crate) fn problem(diagnostics: &[Diagnostic]) -> Value {
    match diagnostics.first() {
        Some(first) => json!(super::shapes::Problem {
            code: first.code.to_string(),
            message: first.message.clone(),
            notes: first.notes.clone(),
            help: first.helps.clone(),
        }),
        None => Value::Null,
    }
}
