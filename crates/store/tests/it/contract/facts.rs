use landfall_store::{Facts, Pool};
use serde_json::json;

pub(crate) async fn facts_are_replaced_and_removed(pool: &Pool) {
    let facts = Facts::over(pool);
    facts.set("once", "a", &json!("1")).await.expect("sets");
    facts.set("once", "a", &json!("2")).await.expect("sets");
    assert_eq!(facts.get("once", "a").await.expect("reads"), Some(json!("2")));
    facts.remove("once", "a").await.expect("removes");
    assert!(facts.of("once").await.expect("reads").is_empty());
}
