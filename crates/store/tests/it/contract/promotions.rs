use landfall_store::{EvidenceRow, HoldRow, Pool, PromotionEvent, PromotionRow, Promotions, PublishedRow};
use serde_json::json;

const SYSTEM: &str = "acme/shop shop";
const OTHER: &str = "acme/other shop";

fn tag(digest: &str, revision: Option<&str>) -> PublishedRow {
    PublishedRow {
        image: "ghcr.io/acme/web".to_owned(),
        tag: "0.5.0".to_owned(),
        digest: digest.to_owned(),
        at: "2026-01-01T00:00:00Z".to_owned(),
        revision: revision.map(str::to_owned),
    }
}

pub(crate) async fn se_33_a_tag_keeps_the_digest_that_it_had_first(pool: &Pool) {
    let store = Promotions::over(pool);
    assert_eq!(store.publish(&tag("sha256:a", None)).await.expect("noted").digest, "sha256:a");
    let known = store.publish(&tag("sha256:a", Some("abc"))).await.expect("noted");
    assert_eq!(known.revision.as_deref(), Some("abc"), "what was not known is added");
    let moved = store.publish(&tag("sha256:b", Some("xyz"))).await.expect("noted");
    assert_eq!((moved.digest.as_str(), moved.revision.as_deref()), ("sha256:a", Some("abc")));
    assert_eq!(store.published("ghcr.io/acme/", 10).await.expect("read"), std::slice::from_ref(&known));
    assert!(store.published("ghcr.io/other", 10).await.expect("read").is_empty());
    assert_eq!(store.tag("ghcr.io/acme/web", "0.5.0").await.expect("read"), Some(known));
}

pub(crate) async fn evidence_is_only_added_to_and_read_in_its_order(pool: &Pool) {
    let store = Promotions::over(pool);
    let row = |what: &str, passed| EvidenceRow {
        digest: "sha256:a".to_owned(),
        system: SYSTEM.to_owned(),
        environment: "test".to_owned(),
        at: "2026-01-01T00:00:00Z".to_owned(),
        what: what.to_owned(),
        passed,
        detail: String::new(),
        made_as: "a1".to_owned(),
    };
    store.witness(&[row("health", true), row("check home", true)]).await.expect("written");
    store.witness(&[row("check home", false)]).await.expect("written");
    let seen = store.evidence("sha256:a", Some(SYSTEM), 10).await.expect("read");
    assert_eq!(seen.iter().map(|it| it.passed).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(
        store.evidence("sha256:a", Some(SYSTEM), 1).await.expect("read"),
        [row("check home", false)],
        "the newest"
    );
    // An environment of another system has the same name, and another way there.
    let elsewhere = EvidenceRow { system: OTHER.to_owned(), ..row("health", true) };
    let unsaid = EvidenceRow { system: String::new(), ..row("health", true) };
    store.witness(&[elsewhere.clone(), unsaid]).await.expect("written");
    assert_eq!(store.evidence("sha256:a", Some(SYSTEM), 10).await.expect("read").len(), 3);
    assert_eq!(store.evidence("sha256:a", Some(OTHER), 10).await.expect("read"), [elsewhere]);
    assert_eq!(store.evidence("sha256:a", None, 10).await.expect("read").len(), 5);
    assert!(store.evidence("sha256:b", None, 10).await.expect("read").is_empty());
}

pub(crate) async fn se_94_a_version_is_held_until_it_is_released(pool: &Pool) {
    let store = Promotions::over(pool);
    let hold = HoldRow {
        tag: "0.5.0-alpha.1.1".to_owned(),
        system: SYSTEM.to_owned(),
        at: "2026-01-01T00:00:00Z".to_owned(),
        by: "ada".to_owned(),
        reason: "bad".to_owned(),
        released_at: None,
        released_by: None,
    };
    store.hold(&hold).await.expect("held");
    assert_eq!(store.holds(Some(SYSTEM), 10).await.expect("read"), std::slice::from_ref(&hold));
    assert!(store.holds(Some(OTHER), 10).await.expect("read").is_empty());
    assert!(!store.release((&hold.tag, Some(OTHER)), "2026-01-02T00:00:00Z", "eve").await.expect("asked"), "another's");
    assert!(store.release((&hold.tag, Some(SYSTEM)), "2026-01-02T00:00:00Z", "eve").await.expect("released"));
    assert!(!store.release((&hold.tag, Some(SYSTEM)), "2026-01-03T00:00:00Z", "eve").await.expect("asked"), "once");
    assert_eq!(store.holds(Some(SYSTEM), 10).await.expect("read")[0].released_by.as_deref(), Some("eve"));
    let of_it = store.hold_of(&hold.tag, Some(SYSTEM)).await.expect("read").expect("there");
    assert_eq!(of_it.released_by.as_deref(), Some("eve"));
    assert_eq!(store.hold_of("9.9.9", None).await.expect("read"), None);
    // What is held in all systems is held in each.
    let everywhere = HoldRow { tag: "0.6.0".to_owned(), system: String::new(), ..hold };
    store.hold(&everywhere).await.expect("held");
    assert_eq!(store.holds(Some(OTHER), 10).await.expect("read"), [everywhere]);
}

pub(crate) async fn a_promotion_has_a_chain_of_what_became_of_it(pool: &Pool) {
    let store = Promotions::over(pool);
    let row = |state: &str| PromotionRow {
        id: "p1".to_owned(),
        system: SYSTEM.to_owned(),
        at: "2026-01-01T00:00:00Z".to_owned(),
        origin: "test".to_owned(),
        receiver: "production".to_owned(),
        tag: "0.5.0".to_owned(),
        state: state.to_owned(),
        body: json!({"images": []}),
    };
    let event = |state: &str| PromotionEvent {
        at: "2026-01-01T00:00:00Z".to_owned(),
        actor: "ada".to_owned(),
        state: state.to_owned(),
        said: "so".to_owned(),
    };
    assert!(store.note(&row("tagged"), &event("tagged")).await.expect("noted"));
    assert!(store.note(&row("proposed"), &event("proposed")).await.expect("noted"));
    assert!(!store.note(&row("proposed"), &event("proposed")).await.expect("noted"), "what is said already");
    let chain = store.events("p1").await.expect("read");
    let states: Vec<&str> = chain.iter().map(|(event, ..)| event.state.as_str()).collect();
    assert_eq!(states, ["tagged", "proposed"]);
    assert!(chain[0].1.is_empty() && chain[0].2 == chain[1].1);
    assert!(chain.iter().all(|(event, before, own)| event.link(before) == *own));
    store.overwrite("p1", 1, &PromotionEvent { actor: "eve".to_owned(), ..event("tagged") }).await.expect("forged");
    let chain = store.events("p1").await.expect("read");
    assert_ne!(chain[0].0.link(""), chain[0].2, "a forged event shows");
    assert_eq!(store.promotions(Some("production"), Some(SYSTEM), 5).await.expect("read"), [row("proposed")]);
    assert!(store.promotions(Some("production"), Some(OTHER), 5).await.expect("read").is_empty());
    assert!(store.promotions(Some("test"), None, 5).await.expect("read").is_empty());
    assert_eq!(store.promotions(None, None, 5).await.expect("read").len(), 1);
}
