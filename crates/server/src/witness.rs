//! What a delivery shows of its images: evidence for promotions, and what becomes of promotions that are open.
//!
//! ```text
//! checks after a delivery ─► evidence of each image whose digest is in the ledger, in the environment that declares them
//!                        ├─► a promotion of that very release to that environment: live, or failed
//!                        └─► something failed: open promotions of those digests are withdrawn, and red at their forge
//! evidence or a hold that somebody posts ─► the last of these
//! ```

use landfall_object::Object;
use landfall_promote::{CHECK, HEALTH, bare};
use landfall_store::{EvidenceRow, PromotionEvent, PromotionRow, Promotions};

use crate::api::EvidenceLine;
use crate::checks::{CHECKER, Checked};
use crate::errands::Work;
use crate::forges::{Forges, Red, WITHDRAWN};
use crate::proposed::not_told;

/// Promotions that are looked through for open ones.
const MOST_OPEN: u32 = 200;
/// Published tags that are looked through for other names of a version.
const MOST_TAGS: u32 = 1000;
/// How a promotion stands that waits for somebody.
const OPEN: [&str; 4] = ["tagged", "proposed", "written", "merged"];

impl Work {
    /// Writes down what the checks after a delivery have shown of its images.
    pub(crate) async fn witness(&self, application: &Object, checked: &Checked, images: &[String]) {
        let Some(environment) = &checked.environment else { return };
        let images: Vec<&str> = images.iter().map(String::as_str).collect();
        let book = &self.session.store.promotions;
        if let Err(error) = witnessed((book, Forges::Of(self)), application, (environment, &images), checked).await {
            tracing::warn!("what {} has shown of its images cannot be written down: {error}", application.name());
        }
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
        if lines.iter().all(|line| line.passed) {
            return Ok(());
        }
        let why = |row: &PromotionRow| {
            let digests = texts(row, "/images", Some("digest"));
            let mut failed = lines.iter().filter(|line| !line.passed && line.environment == row.origin);
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
        (tag, reason): (&str, &str),
    ) -> Result<(), landfall_store::Error> {
        let is_same = |name: &String| bare(name) == bare(tag);
        // The same image may have further tags.
        let known = self.session.store.promotions.published("", MOST_TAGS).await?;
        let held: Vec<String> = known.into_iter().filter(|it| is_same(&it.tag)).map(|it| it.digest).collect();
        let why = |row: &PromotionRow| {
            let is_meant = is_same(&row.tag)
                || texts(row, "/images", Some("tag")).iter().any(is_same)
                || texts(row, "/images", Some("digest")).iter().any(|digest| held.contains(digest));
            is_meant.then(|| format!("{tag} is held back by {actor}: {reason}"))
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
        for row in book.promotions(None, MOST_OPEN).await? {
            if let Some(why) = why(&row).filter(|_| OPEN.contains(&row.state.as_str())) {
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
            format!("{}; {untold}", landfall_diag::without_known(&why).chars().take(600).collect::<String>())
        }
        Red::Nowhere | Red::Kept(..) => why.clone(),
    };
    let event = PromotionEvent {
        at: at.to_owned(),
        actor: actor.to_owned(),
        state: state.to_owned(),
        said: landfall_diag::without_known(&said).chars().take(1000).collect(),
    };
    let row = PromotionRow { state: state.to_owned(), ..row };
    book.note(&row, &event).await?;
    match &red {
        Red::Kept(number, commit) => forges.tell(&row, &why, (*number, commit)).await,
        Red::Nowhere | Red::Never(_) => Ok(()),
    }
}

async fn witnessed(
    (book, forges): (&Promotions, Forges<'_>),
    application: &Object,
    (environment, images): (&str, &[&str]),
    checked: &Checked,
) -> Result<(), landfall_store::Error> {
    let mut digests = Vec::new();
    for image in images {
        let Some((repository, tag)) = split(image) else { continue };
        if let Some(known) = book.tag(repository, tag).await? {
            digests.push(known.digest);
        }
    }
    let rows: Vec<EvidenceRow> =
        digests.iter().flat_map(|digest| rows(application, environment, digest, checked)).collect();
    if !rows.is_empty() {
        book.witness(&rows).await?;
    }
    let fault = rows.iter().find(|row| !row.passed);
    for row in book.promotions(None, MOST_OPEN).await? {
        if !OPEN.contains(&row.state.as_str()) {
            continue;
        }
        let released = texts(&row, "/released", None);
        let is_delivered = row.receiver == environment
            && !released.is_empty()
            && released.iter().all(|it| images.contains(&it.as_str()));
        let is_about = texts(&row, "/images", Some("digest")).iter().any(|digest| digests.contains(digest));
        let (state, said) = match fault {
            _ if is_delivered && checked.fault().is_none() && fault.is_none() => {
                ("live", format!("delivered and checked in {environment}"))
            }
            Some(fault) if is_delivered => ("failed", format!("{}: {}", fault.what, fault.detail)),
            None if is_delivered => ("failed", checked.fault().unwrap_or_default()),
            Some(fault) if is_about && row.origin == environment => {
                (WITHDRAWN, withdrawn(&fault.what, environment, &fault.detail))
            }
            _ => continue,
        };
        ended((book, forges), row, (state, said), (CHECKER, &checked.at)).await?;
    }
    Ok(())
}

/// Repository and tag of an image.
fn split(image: &str) -> Option<(&str, &str)> {
    let named = image.split('@').next().unwrap_or(image);
    named.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))
}

/// Texts of a list in a promotion's body.
fn texts(row: &PromotionRow, pointer: &str, key: Option<&str>) -> Vec<String> {
    let list = row.body.pointer(pointer).and_then(serde_json::Value::as_array).into_iter().flatten();
    list.filter_map(|it| key.map_or(it, |key| &it[key]).as_str().map(str::to_owned)).collect()
}

fn rows(application: &Object, environment: &str, digest: &str, checked: &Checked) -> Vec<EvidenceRow> {
    let row = |what: String, passed: bool, detail: String| EvidenceRow {
        digest: digest.to_owned(),
        environment: environment.to_owned(),
        at: checked.at.clone(),
        what,
        passed,
        detail: detail.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect(),
    };
    let health = application.str_at("/status/health/status").unwrap_or("Unknown");
    let detail = if health == "Healthy" { String::new() } else { format!("{} is {health}", application.name()) };
    let mut rows = vec![row(HEALTH.to_owned(), health == "Healthy", detail)];
    for result in &checked.results {
        let (passed, detail) = match &result.verdict {
            landfall_delivery::Verdict::Passed => (true, String::new()),
            landfall_delivery::Verdict::Failed { reason } => (false, reason.clone()),
            landfall_delivery::Verdict::NotSimulated { reason } => (false, format!("it could not be made: {reason}")),
        };
        rows.push(row(format!("{CHECK}{}", result.name), passed, detail));
    }
    rows
}

#[cfg(test)]
mod tests {
    use landfall_delivery::{CheckResult, Verdict};
    use landfall_project::OnSmokeFailure;
    use landfall_store::{Location, PublishedRow, Store};
    use serde_json::json;

    use super::*;
    use crate::checks::Delivery;

    const AT: &str = "2026-01-01T00:00:00Z";

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

    async fn seen(store: &Store, application: &Object, at: (&str, &[&str]), checked: &Checked) {
        witnessed((&store.promotions, Forges::Nobody), application, at, checked).await.expect("written");
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
        book.promotions(None, 5).await.expect("read").remove(0).state
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
        let seen = book.evidence("sha256:a", 20).await.expect("read");
        assert_eq!(seen.last().map(|it| (it.what.as_str(), it.passed)), Some(("check home", false)));
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

    #[test]
    fn an_image_has_a_repository_and_a_tag_or_is_not_looked_for() {
        assert_eq!(split("ghcr.io/acme/web:1.0.0"), Some(("ghcr.io/acme/web", "1.0.0")));
        assert_eq!(split("localhost:5000/acme/web:1@sha256:a"), Some(("localhost:5000/acme/web", "1")));
        assert_eq!(split("localhost:5000/acme/web"), None);
    }
}
