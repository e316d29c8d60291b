//! What a delivery shows of its images: evidence for promotions, and what becomes of promotions that are open.
//!
//! ```text
//! checks after a delivery ─► evidence of each image whose digest is in the ledger, in the environment that declares them
//!                        ├─► a promotion of that very release to that environment: live, or failed
//!                        └─► something failed: open promotions of those digests are withdrawn, and red at their forge
//! evidence or a hold that somebody posts ─► the last of these
//! ```

use landfall_delivery::{Sighting, Verdict, image_parts};
use landfall_object::Object;
use landfall_project::Check;
use landfall_promote::{TestedImage, bare};
use landfall_store::{EvidenceRow, PromotionEvent, PromotionRow, Promotions};

use crate::api::{EvidenceLine, HoldWish, is_of};
use crate::checks::{CHECKER, Checked};
use crate::errands::Work;
use crate::forges::{Forges, Red, UNTOLD, WITHDRAWN};
use crate::proposed::not_told;
use crate::sighted::{Looked, of_check};

/// Promotions that are looked through for open ones.
const MOST_OPEN: u32 = 200;
/// Published tags that are looked through for other names of a version.
const MOST_TAGS: u32 = 1000;
/// How a promotion stands that waits for somebody.
const OPEN: [&str; 4] = ["tagged", "proposed", "written", "merged"];
/// How one stands that nothing of is on its branch yet: what is there is gone back from, and not withdrawn.
const WAITING: [&str; 2] = ["tagged", "proposed"];

/// What was seen of a delivery while its checks were made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Witnessed {
    /// The images that were delivered.
    pub(crate) images: Vec<String>,
    /// Whether they run.
    pub(crate) sightings: Vec<Sighting>,
    /// The checks as they are declared.
    pub(crate) checks: Vec<Check>,
    /// The system that declares them.
    pub(crate) system: String,
}

impl Witnessed {
    /// Takes a later look into account: what has held until then counts.
    pub(crate) fn since(&mut self, after: Vec<Sighting>) {
        // What nobody could see before is not what began meanwhile.
        if !self.sightings.is_empty() {
            self.sightings = Sighting::held(&self.sightings, after);
        }
    }
}

impl Work {
    /// Writes down what the checks after a delivery have shown of its images; may be said again where that failed.
    ///
    /// # Errors
    /// The book cannot be read or written.
    pub(crate) async fn witness(
        &self,
        application: &Object,
        checked: &Checked,
        seen: &Witnessed,
    ) -> Result<(), landfall_store::Error> {
        let Some(environment) = &checked.environment else { return Ok(()) };
        let book = &self.session.store.promotions;
        witnessed((book, Forges::Of(self)), application, (environment, seen), checked).await
    }

    /// Withdraws open promotions of digests of which something has failed where they come from, as somebody has said: `at` a moment
    /// (RFC 3339).
    ///
    /// # Errors
    /// The book cannot be read or written.
    pub(crate) async fn after_failures(
        &self,
        actor: &str,
        at: &str,
        lines: &[EvidenceLine],
    ) -> Result<(), landfall_store::Error> {
        if !lines.iter().any(EvidenceLine::has_failed) {
            return Ok(());
        }
        let why = |row: &PromotionRow| {
            let digests = texts(row, "/images", Some("digest"));
            let is_it = |line: &&EvidenceLine| line.environment == row.origin && is_of(&row.system, &line.system);
            let mut failed = lines.iter().filter(|line| line.has_failed()).filter(is_it);
            let line = failed.find(|line| digests.contains(&line.digest.to_lowercase()))?;
            Some(withdrawn(&line.what, &line.environment, &line.detail))
        };
        self.withdraw((actor, at), why).await
    }

    /// Withdraws open promotions of a version that somebody holds back from now on: `at` a moment (RFC 3339).
    ///
    /// # Errors
    /// The book cannot be read or written.
    pub(crate) async fn after_hold(
        &self,
        (actor, at): (&str, &str),
        wish: &HoldWish,
    ) -> Result<(), landfall_store::Error> {
        let (tag, reason) = (&wish.tag, &wish.reason);
        let is_same = |name: &String| bare(name) == bare(tag);
        // The same image may have further tags.
        let known = self.session.store.promotions.published("", MOST_TAGS).await?;
        let held: Vec<String> = known.into_iter().filter(|it| is_same(&it.tag)).map(|it| it.digest).collect();
        let why = |row: &PromotionRow| {
            let is_meant = is_same(&row.tag)
                || texts(row, "/images", Some("tag")).iter().any(is_same)
                || texts(row, "/images", Some("digest")).iter().any(|digest| held.contains(digest));
            (is_meant && is_of(&row.system, &wish.system)).then(|| format!("{tag} is held back by {actor}: {reason}"))
        };
        self.withdraw((actor, at), why).await
    }

    /// Withdraws the open promotions for which there is a reason.
    async fn withdraw(
        &self,
        by: (&str, &str),
        why: impl Fn(&PromotionRow) -> Option<String>,
    ) -> Result<(), landfall_store::Error> {
        let (book, forges) = (&self.session.store.promotions, Forges::Of(self));
        for row in book.promotions(None, None, MOST_OPEN).await? {
            if let Some(why) = why(&row).filter(|_| WAITING.contains(&row.state.as_str())) {
                ended((book, forges), row, (WITHDRAWN, why), by).await?;
            }
        }
        Ok(())
    }
}

/// Why a promotion is withdrawn.
fn withdrawn(what: &str, environment: &str, detail: &str) -> String {
    format!("{what} has failed in {environment}: {detail}")
}

/// Notes what has become of a promotion; one that is withdrawn is red at its forge, or it is noted why that cannot be.
async fn ended(
    (book, forges): (&Promotions, Forges<'_>),
    row: PromotionRow,
    (state, why): (&str, String),
    (actor, at): (&str, &str),
) -> Result<(), landfall_store::Error> {
    // Before it is noted, so that a process that is killed behind it has left it to the next one.
    let red = if state == WITHDRAWN { forges.keep(&row, (&why, at)).await? } else { Red::Nowhere };
    let said = match &red {
        Red::Never(untold) => {
            let untold = not_told(untold);
            tracing::warn!("the promotion of {} to {} is withdrawn: {untold}", row.tag, row.receiver);
            format!("{}; {untold}", landfall_diag::beginning(&why, 600))
        }
        Red::Nowhere | Red::Kept(..) => why.clone(),
    };
    let event = PromotionEvent {
        at: at.to_owned(),
        actor: actor.to_owned(),
        state: state.to_owned(),
        said: landfall_diag::beginning(&said, 1000),
    };
    let mut row = PromotionRow { state: state.to_owned(), ..row };
    if let (Red::Never(_), Some(body)) = (&red, row.body.as_object_mut()) {
        body.insert(UNTOLD.to_owned(), why.clone().into());
    }
    book.note(&row, &event).await?;
    match &red {
        Red::Kept(number, commit) => forges.tell(&row, &why, (*number, commit)).await,
        Red::Nowhere | Red::Never(_) => Ok(()),
    }
}

async fn witnessed(
    (book, forges): (&Promotions, Forges<'_>),
    application: &Object,
    (environment, seen): (&str, &Witnessed),
    checked: &Checked,
) -> Result<(), landfall_store::Error> {
    let mut known = Vec::new();
    for (repository, tag) in seen.images.iter().map(|image| image_parts(image)).filter(|(_, tag)| !tag.is_empty()) {
        let published = book.tag(repository, tag).await?;
        known.extend(published.map(|it| TestedImage { repository: it.image, tag: it.tag, digest: it.digest }));
    }
    let digests: Vec<&String> = known.iter().map(|image| &image.digest).collect();
    let lines = lines(application, (environment, seen), &known, checked);
    if !lines.is_empty() {
        let rows: Vec<EvidenceRow> = lines.iter().map(|line| line.row(&checked.at)).collect();
        book.witness(&rows).await?;
    }
    let fault = lines.iter().find(|line| line.has_failed());
    let is_drifted = lines.iter().any(|line| !line.passed && !line.has_failed());
    for row in book.promotions(None, Some(&seen.system), MOST_OPEN).await? {
        if !OPEN.contains(&row.state.as_str()) {
            continue;
        }
        let released = texts(&row, "/released", None);
        let is_delivered =
            row.receiver == environment && !released.is_empty() && released.iter().all(|it| seen.images.contains(it));
        let is_about = texts(&row, "/images", Some("digest")).iter().any(|digest| digests.contains(&digest));
        // What something else runs in place of is neither live nor has it failed.
        if is_delivered && is_drifted {
            continue;
        }
        let (state, said) = match fault {
            _ if is_delivered && checked.fault().is_none() && fault.is_none() => {
                ("live", format!("delivered and checked in {environment}"))
            }
            Some(fault) if is_delivered => ("failed", format!("{}: {}", fault.what, fault.detail)),
            None if is_delivered => ("failed", checked.fault().unwrap_or_default()),
            Some(fault) if is_about && row.origin == environment && WAITING.contains(&row.state.as_str()) => {
                (WITHDRAWN, withdrawn(&fault.what, environment, &fault.detail))
            }
            _ => continue,
        };
        ended((book, forges), row, (state, said), (CHECKER, &checked.at)).await?;
    }
    Ok(())
}

/// Texts of a list in a promotion's body.
fn texts(row: &PromotionRow, pointer: &str, key: Option<&str>) -> Vec<String> {
    let list = row.body.pointer(pointer).and_then(serde_json::Value::as_array).into_iter().flatten();
    list.filter_map(|it| key.map_or(it, |key| &it[key]).as_str().map(str::to_owned)).collect()
}

/// What was seen, each line of the system that declares the checks.
fn lines(
    application: &Object,
    (environment, seen): (&str, &Witnessed),
    images: &[TestedImage],
    checked: &Checked,
) -> Vec<EvidenceLine> {
    let health = application.str_at("/status/health/status").unwrap_or("Unknown");
    let trouble = (health != "Healthy").then(|| format!("{} is {health}", application.name()));
    // What could not be made says nothing of what runs, neither way.
    let made = checked.results.iter().filter(|result| !matches!(result.verdict, Verdict::NotSimulated { .. }));
    let checks: Vec<EvidenceLine> = made.map(|result| of_check(environment, result, &seen.checks)).collect();
    let troubles = |_: &(String, String)| trouble.clone();
    let looked = Looked { environment, images, sightings: &seen.sightings, troubles: &troubles, checks: &checks };
    let of_system = |line| EvidenceLine { system: seen.system.clone(), ..line };
    looked.sighted().lines.into_iter().map(of_system).collect()
}

#[cfg(test)]
mod tests {
    use landfall_delivery::{CheckResult, Run, Seen};
    use landfall_project::OnSmokeFailure;
    use landfall_store::{Location, PublishedRow, Store};
    use serde_json::json;

    use super::*;
    use crate::checks::Delivery;

    const AT: &str = "2026-01-01T00:00:00Z";
    const SYSTEM: &str = "acme/shop shop";

    fn application(health: &str) -> Object {
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"},
            "status": {"health": {"status": health}},
        }))
        .expect("a map")
    }

    fn checked(verdict: Verdict) -> Checked {
        let result = CheckResult {
            name: "home".to_owned(),
            address: String::new(),
            verdict,
            simulated: false,
            tries: 1,
            elapsed_ms: 1,
        };
        Checked {
            delivery: Delivery { id: 1, at: AT.to_owned() },
            environment: Some("any".to_owned()),
            at: AT.to_owned(),
            results: vec![result],
            error: None,
            on_failure: OnSmokeFailure::Alert,
            followed: None,
        }
    }

    async fn seen(store: &Store, application: &Object, (environment, images): (&str, &[&str]), checked: &Checked) {
        let runs = Seen::Runs { run: Run::default(), digest: None, fault: None };
        seen_so(store, application, (environment, images, runs), checked).await;
    }

    async fn seen_so(
        store: &Store,
        application: &Object,
        (environment, images, seen): (&str, &[&str], Seen),
        checked: &Checked,
    ) {
        let sighting = |image: &&str| Sighting {
            unit: ("shop".to_owned(), "shop".to_owned()),
            workload: "Deployment/web".to_owned(),
            image: (*image).to_owned(),
            seen: seen.clone(),
        };
        let seen = Witnessed {
            images: images.iter().map(|&image| image.to_owned()).collect(),
            sightings: images.iter().map(sighting).collect(),
            checks: Vec::new(),
            system: SYSTEM.to_owned(),
        };
        let book = (&store.promotions, Forges::Nobody);
        witnessed(book, application, (environment, &seen), checked).await.expect("written");
    }

    async fn book() -> (Store, Promotions) {
        let store = Store::open(Location::Memory).await.expect("opened");
        let book = store.promotions.clone();
        for tag in ["0.5.0-alpha.1.1", "0.5.0"] {
            let row = PublishedRow {
                image: "a/web".to_owned(),
                tag: tag.to_owned(),
                digest: "sha256:a".to_owned(),
                at: AT.to_owned(),
                revision: None,
            };
            book.publish(&row).await.expect("noted");
        }
        let row = PromotionRow {
            id: "p".to_owned(),
            system: SYSTEM.to_owned(),
            at: AT.to_owned(),
            origin: "test".to_owned(),
            receiver: "production".to_owned(),
            tag: "0.5.0".to_owned(),
            state: "proposed".to_owned(),
            body: json!({"released": ["a/web:0.5.0"], "images": [{"digest": "sha256:a"}]}),
        };
        let event = PromotionEvent {
            at: AT.to_owned(),
            actor: "ada".to_owned(),
            state: "proposed".to_owned(),
            said: String::new(),
        };
        book.note(&row, &event).await.expect("noted");
        (store, book)
    }

    async fn state(book: &Promotions) -> String {
        book.promotions(None, None, 5).await.expect("read").remove(0).state
    }

    /// Environments of two systems may have one name, and run one image.
    #[tokio::test]
    async fn what_another_system_shows_is_evidence_for_it_alone_and_ends_no_promotion_here() {
        let (store, book) = book().await;
        let failed = checked(Verdict::Failed { reason: "503".to_owned() });
        for (environment, image) in [("test", "a/web:0.5.0-alpha.1.1"), ("production", "a/web:0.5.0")] {
            let seen = Witnessed {
                images: vec![image.to_owned()],
                system: "acme/other shop".to_owned(),
                ..Witnessed::default()
            };
            let to = (&store.promotions, Forges::Nobody);
            witnessed(to, &application("Healthy"), (environment, &seen), &failed).await.expect("written");
            assert_eq!(state(&book).await, "proposed", "{environment}");
        }
        assert!(book.evidence("sha256:a", Some(SYSTEM), 20).await.expect("read").is_empty());
    }

    #[tokio::test]
    async fn a_failure_where_it_was_tested_withdraws_what_is_open_and_one_elsewhere_does_not() {
        let (store, book) = book().await;
        let failed = checked(Verdict::Failed { reason: "503".to_owned() });
        let tested = ["a/web:0.5.0-alpha.1.1"];
        seen(&store, &application("Healthy"), ("staging", &tested), &failed).await;
        seen(&store, &application("Healthy"), ("test", &["a/other:1.0.0"]), &failed).await;
        seen(&store, &application("Healthy"), ("test", &tested), &checked(Verdict::Passed)).await;
        assert_eq!(state(&book).await, "proposed");
        seen(&store, &application("Healthy"), ("test", &tested), &failed).await;
        assert_eq!(state(&book).await, "withdrawn");
        let seen = book.evidence("sha256:a", Some(SYSTEM), 20).await.expect("read");
        assert_eq!(seen.last().map(|it| (it.what.as_str(), it.passed)), Some(("check home", false)));
    }

    #[tokio::test]
    async fn what_something_else_runs_in_place_of_has_neither_passed_nor_failed_anything() {
        let (store, book) = book().await;
        let drifted = |image| (image, Seen::Not("Deployment/web runs a/web:0.4.0".to_owned()));
        for (environment, (image, seen)) in
            [("test", drifted("a/web:0.5.0-alpha.1.1")), ("production", drifted("a/web:0.5.0"))]
        {
            for verdict in [Verdict::Passed, Verdict::Failed { reason: "503".to_owned() }] {
                let at = (environment, &[image][..], seen.clone());
                seen_so(&store, &application("Healthy"), at, &checked(verdict)).await;
                assert_eq!(state(&book).await, "proposed", "{environment}");
            }
        }
        let found = book.evidence("sha256:a", Some(SYSTEM), 20).await.expect("read");
        assert!(found.iter().all(|it| it.what == "runs shop/shop" && !it.passed), "{found:?}");
    }

    #[tokio::test]
    async fn what_is_delivered_and_checked_is_live_and_what_is_not_well_has_failed() {
        for (health, verdict, wanted) in [
            ("Healthy", Verdict::Passed, "live"),
            ("Degraded", Verdict::Passed, "failed"),
            ("Healthy", Verdict::Failed { reason: "503".to_owned() }, "failed"),
        ] {
            let (store, book) = book().await;
            let released = ["a/web:0.5.0"];
            let found = checked(verdict);
            seen(&store, &application(health), ("production", &released), &found).await;
            assert_eq!(state(&book).await, wanted);
        }
    }

    #[tokio::test]
    async fn what_could_not_be_checked_is_written_down_neither_as_failed_nor_as_passed() {
        let (store, book) = book().await;
        let unmade = checked(Verdict::NotSimulated { reason: "nobody answers there".to_owned() });
        seen(&store, &application("Healthy"), ("test", &["a/web:0.5.0-alpha.1.1"]), &unmade).await;
        assert_eq!(state(&book).await, "proposed");
        let found = book.evidence("sha256:a", Some(SYSTEM), 20).await.expect("read");
        assert!(!found.is_empty() && found.iter().all(|it| it.what != "check home"), "{found:?}");
    }
}
