//! The checks that are declared for an Application: made once after each of its deliveries, and what follows when one
//! fails.
//!
//! Which delivery was checked last is a fact of the store: a process that ends in between leaves a delivery that is not
//! checked yet, or a failure from which nothing has followed yet, and the next one goes on with it.

use std::sync::Arc;
use std::time::Duration;

use landfall_apps::{Application, PIN_ANNOTATION, Project};
use landfall_delivery::{
    Bounds, CheckResult, DeclaredChecks, Prober, Session, Sighting, Smoke, Standpoint, Tags, Verdict, declared_checks,
    unmade,
};
use landfall_diag::Diagnostic;
use landfall_object::{HealthStatus, Object};
use landfall_project::OnSmokeFailure;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc::channel;

use crate::actor::Actor;
use crate::api::{Asked, Desk, Name, PinWish, RollbackWish, revisions};
use crate::errands::{Work, words};
use crate::witness::Witnessed;

/// Where facts about checks stand in the store.
const SPACE: &str = "checks";
/// Who asks for what follows from a failed check.
pub(crate) const CHECKER: &str = "declared-checks";
/// How long a certificate is waited for that is trusted.
const CERTIFICATE: Duration = Duration::from_secs(120);
/// After how long what was seen is written down again where that failed.
const AGAIN: Duration = Duration::from_secs(5);

/// A delivery, by what no other of its Application has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// Its number in the history.
    pub(crate) id: i64,
    /// When it was, RFC 3339.
    pub(crate) at: String,
}

/// What the checks after a delivery found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checked {
    /// After which.
    pub(crate) delivery: Delivery,
    /// The environment that declares them; none where nothing is declared.
    pub(crate) environment: Option<String>,
    /// When they had ended, RFC 3339.
    pub(crate) at: String,
    /// What each found.
    pub(crate) results: Vec<CheckResult>,
    /// Why they could not be made.
    pub(crate) error: Option<String>,
    /// What is to follow where one failed.
    pub(crate) on_failure: OnSmokeFailure,
    /// What has followed.
    pub(crate) followed: Option<String>,
}

/// What was delivered last: an Application with the sources that its history has, and at which revisions.
struct Delivered {
    application: Application,
    revisions: Vec<String>,
}

impl Delivered {
    /// Nothing where the history does not say it.
    fn of(application: &Application) -> Option<Self> {
        let last = application.object.list_at("/status/history").last()?;
        let mut object = application.object.clone();
        let says_sources = !last["source"].is_null() || !last["sources"].is_null();
        if let Some(spec) = object.map_mut().get_mut("spec").filter(|_| says_sources) {
            (spec["source"], spec["sources"]) = (last["source"].clone(), last["sources"].clone());
            spec.as_object_mut()?.retain(|_, value| !value.is_null());
        }
        let sources = Application::parse(&object).ok()?.sources;
        let revisions = revisions(last, "");
        let is_whole = revisions.len() == sources.len();
        is_whole.then(|| Delivered { application: Application { sources, ..application.clone() }, revisions })
    }
}

impl Delivery {
    /// The last one of an Application, whole and successful, and whether it began by itself.
    pub(crate) fn last(application: &Object) -> Option<(Self, bool)> {
        let last = application.list_at("/status/history").last()?;
        let by_itself = last.pointer("/initiatedBy/automated").and_then(Value::as_bool).unwrap_or_default();
        let delivery = Delivery { id: last["id"].as_i64()?, at: last["deployedAt"].as_str()?.to_owned() };
        Some((delivery, by_itself))
    }
}

impl Checked {
    /// What is wrong, in a sentence; nothing where every check that could be made has passed.
    pub(crate) fn fault(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(format!("the checks cannot be made: {error}"));
        }
        let failed: Vec<String> = self
            .results
            .iter()
            .filter_map(|result| match &result.verdict {
                Verdict::Failed { reason } => Some(format!("check {}: {reason}", result.name)),
                Verdict::Passed | Verdict::NotSimulated { .. } => None,
            })
            .collect();
        let unmade: Vec<String> = unmade(&self.results).map(|result| result.name.clone()).collect();
        match (failed.is_empty(), unmade.is_empty()) {
            (false, _) => Some(failed.join("; ")),
            (true, false) => Some(format!("nobody could check {}: that is simulated", unmade.join(", "))),
            (true, true) => None,
        }
    }

    /// Whether one has failed: what could not be made has not.
    pub(crate) fn has_failed(&self) -> bool {
        self.error.is_some() || self.results.iter().any(|result| matches!(result.verdict, Verdict::Failed { .. }))
    }
}

/// What is known of an Application's checks.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// What was found last; absent until the store was asked.
    pub(crate) last: Option<Option<Checked>>,
    /// Whether an errand is under way.
    pub(crate) busy: bool,
}

/// What is to be done about an Application's checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    /// To ask the store what was found last.
    Load,
    /// To make them after this delivery; whether that began by itself.
    Make(Delivery, bool),
    /// To do what follows from a failure.
    Follow,
}

impl Known {
    /// What is to be done, as an Application stands that is not being synced and whose objects fare so.
    pub(crate) fn due(&self, application: &Object, fares: Option<HealthStatus>) -> Option<Due> {
        if self.busy {
            return None;
        }
        let Some(last) = &self.last else { return Some(Due::Load) };
        let (delivery, by_itself) = Delivery::last(application)?;
        match last {
            Some(checked) if checked.delivery == delivery => {
                let follows = checked.has_failed() && checked.on_failure != OnSmokeFailure::Alert;
                (follows && checked.followed.is_none()).then_some(Due::Follow)
            }
            // What still starts is not asked; what will never start fails its checks.
            _ => {
                let settled = [HealthStatus::Healthy, HealthStatus::Degraded, HealthStatus::Suspended];
                fares.is_some_and(|fares| settled.contains(&fares)).then_some(Due::Make(delivery, by_itself))
            }
        }
    }

    /// Whether checks after the last delivery of an Application are still to come, as far as anybody knows: where none were declared
    /// for the delivery before there are none.
    pub(crate) fn are_open(&self, application: &Object) -> bool {
        let Some((delivery, _)) = Delivery::last(application) else { return false };
        match &self.last {
            // Until the store was asked it stands as it stood.
            None => application.str_at("/status/health/status") == Some("Progressing"),
            Some(None) => true,
            Some(Some(checked)) => checked.delivery != delivery && checked.environment.is_some(),
        }
    }

    /// What the checks after the last delivery of an Application say against it.
    pub(crate) fn fault(&self, application: &Object) -> Option<(String, bool)> {
        let checked = self.last.as_ref()?.as_ref()?;
        let (delivery, _) = Delivery::last(application)?;
        let fault = checked.fault().filter(|_| checked.delivery == delivery)?;
        Some((fault, checked.has_failed()))
    }
}

impl Work {
    /// What was found after the last delivery that was checked.
    pub(crate) async fn checked(&self, name: &Name) -> Option<Checked> {
        let fact = self.session.store.facts.get(SPACE, &name.to_string()).await;
        match fact {
            Ok(fact) => serde_json::from_value(fact?).ok(),
            Err(error) => {
                tracing::warn!("what the checks of {name} found cannot be read: {error}");
                None
            }
        }
    }

    /// The last delivery of an Application, as long as its checks have not ended: a record is kept of each delivery, also where nothing
    /// is declared for it.
    pub(crate) async fn open_checks(&self, application: &Object) -> Option<Delivery> {
        let (delivery, _) = Delivery::last(application)?;
        let made = self.checked(&Name::of(application)).await.map(|it| it.delivery);
        (made.as_ref() != Some(&delivery)).then_some(delivery)
    }

    async fn remember(&self, name: &Name, checked: &Checked) {
        let value = serde_json::to_value(checked).unwrap_or_default();
        if let Err(error) = self.session.store.facts.set(SPACE, &name.to_string(), &value).await {
            tracing::warn!("what the checks of {name} found cannot be written: {error}");
        }
    }

    /// Makes the checks that are declared for an Application after one of its deliveries; nothing when this process
    /// ends meanwhile.
    pub(crate) async fn make_checks(
        &self,
        application: &Application,
        (delivery, by_itself): (Delivery, bool),
    ) -> Option<Checked> {
        let object = &application.object;
        let delivered = Delivered::of(application);
        let declared = match &delivered {
            Some(delivered) => self.declared(delivered).await,
            None => Ok(self.declared.iter().find_map(|one| one.of(application))),
        };
        let mut witnessed = Witnessed::default();
        let mut checked = Checked {
            delivery,
            environment: None,
            at: String::new(),
            results: Vec::new(),
            error: None,
            on_failure: OnSmokeFailure::Alert,
            followed: None,
        };
        match declared {
            Err(why) => checked.error = Some(why),
            Ok(None) => {}
            Ok(Some(declared)) if declared.by_hand && by_itself => {}
            Ok(Some(declared)) => {
                checked.environment = Some(declared.environment);
                checked.on_failure = declared.on_failure;
                let asked = self.session_of(application);
                let session = match (asked, &delivered) {
                    (Ok(session), Some(delivered)) => match self.seen_of(&session, delivered).await {
                        Ok(seen) => {
                            witnessed = Witnessed { checks: declared.checks.clone(), system: declared.system, ..seen };
                            Ok(session)
                        }
                        Err(_) if session.stop.is_cancelled() => return None,
                        Err(diagnostics) => Err(words(&diagnostics)),
                    },
                    (session, _) => session,
                };
                match session {
                    Err(why) => checked.error = Some(why),
                    Ok(session) => {
                        let tags = Tags::Of(witnessed.images.clone());
                        let from = match session.routes.is_empty() {
                            true => Standpoint::Outside(CERTIFICATE),
                            false => Standpoint::Routes(session.routes.clone()),
                        };
                        let (progress, unheard) = channel(1);
                        drop(unheard);
                        let standing = self.roles.now();
                        // What a repository declares looks into no namespace that it could not deliver to.
                        let may_see = |namespace: &str| match standing.project_of(application) {
                            Some(project) => project.permits_namespace(application, namespace),
                            None => Project::check_missing(application).is_ok(),
                        };
                        let prober = Prober {
                            cluster: Some(&session.cluster),
                            bounds: Bounds::Permitted(&may_see),
                            reach: self.reach.clone(),
                            progress: &progress,
                            stop: &session.stop,
                        };
                        let made = prober.smoke(&Smoke { checks: &declared.checks, tags, from }).await;
                        match made {
                            Ok(results) => {
                                checked.results = results;
                                // Also what began to run meanwhile was not asked by all of them.
                                match self.sightings_of(&session, delivered.as_ref()).await {
                                    Ok(after) => witnessed.since(after),
                                    Err(_) if session.stop.is_cancelled() => return None,
                                    Err(diagnostics) => {
                                        let why = words(&diagnostics);
                                        tracing::warn!("what {} runs is not known: {why}", object.name());
                                        witnessed.sightings.clear();
                                    }
                                }
                            }
                            // The next process makes them.
                            Err(_) if session.stop.is_cancelled() => return None,
                            Err(diagnostics) => checked.error = Some(words(&diagnostics)),
                        }
                    }
                }
            }
        }
        let now = self.session.clock.now();
        checked.at = landfall_object::whole_second(now).to_string();
        // In this order: what is remembered is not made again, so that a failure which stands in no book would never be in one.
        while let Err(error) = self.witness(object, &checked, &witnessed).await {
            tracing::warn!("what {} has shown of its images cannot be written down: {error}", object.name());
            tokio::select! {
                () = self.session.stop.cancelled() => return None,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
        self.remember(&Name::of(object), &checked).await;
        Some(checked)
    }

    /// What is declared at the commits that were delivered; else by what this server was started with.
    async fn declared(&self, delivered: &Delivered) -> Result<Option<DeclaredChecks>, String> {
        let Delivered { application, revisions } = delivered;
        let stand_ins = self.stand_ins(application, revisions).await;
        let stand_ins = stand_ins.map_err(|diagnostic| words(&[diagnostic]))?;
        let asked = application.clone();
        let found = landfall_source::aside(move || declared_checks(&asked, &stand_ins)).await;
        let found = found.map_err(|broken| broken.to_string())?;
        if let Some(found) = found.map_err(|diagnostics| words(&diagnostics))? {
            return Ok(Some(found));
        }
        Ok(self.declared.iter().find_map(|one| one.of(application)))
    }

    /// The images of what was delivered, and whether they run: what an Application is compared with may be of another commit by now.
    async fn seen_of(&self, session: &Session, delivered: &Delivered) -> Result<Witnessed, Vec<Diagnostic>> {
        let unit = self.unit(&delivered.application, &delivered.revisions).await?;
        let images = session.images_of(&unit).await?;
        let sightings = match session.sightings(&[unit]).await {
            Ok(sightings) => sightings,
            Err(diagnostics) if session.stop.is_cancelled() => return Err(diagnostics),
            // Checks are made all the same; what they find is credited to nothing.
            Err(diagnostics) => {
                tracing::warn!(
                    "what {} runs is not known: {}",
                    delivered.application.object.name(),
                    words(&diagnostics)
                );
                Vec::new()
            }
        };
        Ok(Witnessed { images, sightings, ..Witnessed::default() })
    }

    async fn sightings_of(
        &self,
        session: &Session,
        delivered: Option<&Delivered>,
    ) -> Result<Vec<Sighting>, Vec<Diagnostic>> {
        let Some(delivered) = delivered else { return Ok(Vec::new()) };
        let unit = self.unit(&delivered.application, &delivered.revisions).await?;
        session.sightings(&[unit]).await
    }

    /// Does what follows from a failed check, once; says what that was.
    pub(crate) async fn follow(self: &Arc<Self>, application: &Application, checked: &Checked) -> Checked {
        let object = &application.object;
        let name = Name::of(object);
        let actor = Actor::of_cluster(CHECKER);
        let desk = Desk::new(Arc::clone(self), None);
        let last = object.list_at("/status/history").last();
        let by_checks = last.is_some_and(|it| it.pointer("/initiatedBy/username") == Some(&CHECKER.into()));
        let fault = checked.fault().unwrap_or_default();
        let asked = match checked.on_failure {
            OnSmokeFailure::Alert => None,
            // What is pinned stays already; what was gone back to is not gone back from.
            _ if object.annotation(PIN_ANNOTATION).is_some() => None,
            OnSmokeFailure::Revert if !by_checks => {
                Some(Asked::Rollback(name.clone(), RollbackWish { why: fault.clone(), ..RollbackWish::default() }))
            }
            OnSmokeFailure::Hold | OnSmokeFailure::Revert => {
                Some(Asked::Pin(name.clone(), PinWish { why: fault.clone(), ..PinWish::default() }))
            }
        };
        let followed = match asked {
            None => {
                tracing::warn!("{name}: {fault}; nothing: it stays already");
                "nothing: it stays already".to_owned()
            }
            Some(asked) => {
                let word =
                    if matches!(asked, Asked::Rollback(..)) { "gone back to the delivery before" } else { "held" };
                let (outcome, followed) = match desk.answer(&actor, asked).await {
                    Ok(_) => ("done, announced", word.to_owned()),
                    Err(diagnostics) => ("failed, announced", format!("not {word}: {}", words(&diagnostics))),
                };
                // That it is well again, which is told by and by, is not what was delivered.
                let (place, text) = (name.to_string(), format!("{name}: {fault}; {followed}"));
                self.alarms.raise((CHECKER, "application.follow", &place), outcome, &text).await;
                followed
            }
        };
        let checked = Checked { followed: Some(followed), ..checked.clone() };
        self.remember(&name, &checked).await;
        checked
    }
}

/// What a target that the server was started with declares.
#[derive(Debug, Clone)]
pub struct DeclaredAt {
    /// What the system is called in the book ([`landfall_delivery::system_key`]).
    pub key: String,
    /// The environment's name.
    pub name: String,
    /// The system that it belongs to.
    pub system: landfall_project::System,
    /// The Applications that it delivers, by namespace and name.
    pub applications: Vec<(String, String)>,
}

impl DeclaredAt {
    fn of(&self, application: &Application) -> Option<DeclaredChecks> {
        let environment = self.system.environments.get(&self.name).filter(|_| self.is_of(application))?;
        DeclaredChecks::of(&self.key, (&self.name, environment), &application.name)
    }

    /// Whether it delivers an Application.
    pub(crate) fn is_of(&self, application: &Application) -> bool {
        let is_it =
            |(namespace, name): &(String, String)| *namespace == application.namespace && *name == application.name;
        self.applications.iter().any(is_it)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WELL: Option<HealthStatus> = Some(HealthStatus::Healthy);

    fn application(deliveries: &[(i64, bool)]) -> Object {
        let history: Vec<_> = deliveries
            .iter()
            .map(|(id, automated)| {
                json!({"id": id, "deployedAt": format!("t{id}"), "revision": "abc", "initiatedBy": {"automated": automated}})
            })
            .collect();
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"},
            "status": {"history": history},
        }))
        .expect("a map")
    }

    fn checked(id: i64, verdict: Verdict) -> Checked {
        let result = CheckResult {
            name: "home".to_owned(),
            address: "https://example.com/".to_owned(),
            verdict,
            simulated: false,
            tries: 1,
            elapsed_ms: 3,
        };
        Checked {
            delivery: Delivery { id, at: format!("t{id}") },
            environment: Some("prod".to_owned()),
            at: "then".to_owned(),
            results: vec![result],
            error: None,
            on_failure: OnSmokeFailure::Hold,
            followed: None,
        }
    }

    #[test]
    fn each_delivery_is_checked_once_when_it_has_started() {
        let known = |last: Option<Checked>| Known { last: Some(last), busy: false };
        let twice = application(&[(0, true), (1, false)]);
        assert_eq!(Known::default().due(&twice, None), Some(Due::Load));
        let make = Some(Due::Make(Delivery { id: 1, at: "t1".to_owned() }, false));
        assert_eq!(known(None).due(&twice, WELL), make);
        assert_eq!(known(Some(checked(0, Verdict::Passed))).due(&twice, WELL), make);
        assert_eq!(known(Some(checked(1, Verdict::Passed))).due(&twice, WELL), None);
        assert_eq!(known(None).due(&twice, Some(HealthStatus::Progressing)), None, "it still starts");
        assert_eq!(known(None).due(&application(&[]), WELL), None, "nothing was delivered");
        assert_eq!(Known { last: Some(None), busy: true }.due(&twice, WELL), None);
    }

    #[test]
    fn checks_are_open_until_the_last_delivery_was_checked_where_any_were_declared() {
        let known = |last: Option<Checked>| Known { last: Some(last), busy: true };
        let twice = application(&[(0, true), (1, false)]);
        assert!(known(None).are_open(&twice), "nobody knows yet whether there are any");
        assert!(known(Some(checked(0, Verdict::Passed))).are_open(&twice));
        assert!(!known(Some(checked(1, Verdict::Passed))).are_open(&twice));
        let undeclared = Checked { environment: None, ..checked(0, Verdict::Passed) };
        assert!(!known(Some(undeclared)).are_open(&twice), "none were declared");
        assert!(!known(None).are_open(&application(&[])), "nothing was delivered");
        assert!(!Known::default().are_open(&twice), "it stood well before the store was asked");
    }

    #[test]
    fn what_was_delivered_has_the_sources_and_revisions_of_the_history() {
        let object = |spec: Value, delivered: Value| {
            Object::from_value(json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                "metadata": {"name": "shop", "namespace": "argocd"},
                "spec": spec, "status": {"history": [delivered]},
            }))
            .expect("a map")
        };
        let destination = json!({"server": "https://kubernetes.default.svc"});
        let spec = json!({"destination": destination, "source": {"repoURL": "https://a.example/r.git", "path": "new"}});
        let read =
            |delivered: Value| Delivered::of(&Application::parse(&object(spec.clone(), delivered)).expect("reads"));
        let one =
            read(json!({"id": 1, "revision": "a", "source": {"repoURL": "https://a.example/r.git", "path": "old"}}));
        let one = one.expect("is said");
        assert_eq!((one.application.sources[0].path.as_str(), one.revisions), ("old", vec!["a".to_owned()]));
        let sources = json!([{"repoURL": "https://a.example/r.git", "path": "x"}, {"repoURL": "https://b.example/r.git", "ref": "v"}]);
        let two = read(json!({"id": 1, "revisions": ["a", "b"], "sources": sources})).expect("is said");
        assert_eq!((two.application.sources.len(), two.revisions.len()), (2, 2));
        let unsaid = read(json!({"id": 1, "revision": "a"})).expect("is said");
        assert_eq!(unsaid.application.sources[0].path, "new");
        assert!(read(json!({"id": 1})).is_none(), "no revision is said");
    }

    #[test]
    fn from_a_failure_something_follows_once_and_only_as_long_as_it_is_the_last_delivery() {
        let wrong = || Verdict::Failed { reason: "status 500".to_owned() };
        let known = |checked: Checked| Known { last: Some(Some(checked)), busy: false };
        let healthy = application(&[(1, false)]);
        assert_eq!(known(checked(1, wrong())).due(&healthy, WELL), Some(Due::Follow));
        let followed = Checked { followed: Some("held".to_owned()), ..checked(1, wrong()) };
        assert_eq!(known(followed).due(&healthy, WELL), None);
        let told = Checked { on_failure: OnSmokeFailure::Alert, ..checked(1, wrong()) };
        assert_eq!(known(told).due(&healthy, WELL), None);
        assert_eq!(known(checked(1, wrong())).fault(&healthy), Some(("check home: status 500".to_owned(), true)));
        assert_eq!(known(checked(0, wrong())).fault(&healthy), None, "it was another delivery");
        let unmade = checked(1, Verdict::NotSimulated { reason: "nobody".to_owned() });
        assert!(!unmade.has_failed() && unmade.fault().is_some(), "what was not checked is not passed, nor failed");
    }
}
