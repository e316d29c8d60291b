use landfall_store::{History, HistoryEntry, Pool};
use serde_json::json;

pub(crate) async fn history_counts_within_its_target(pool: &Pool) {
    let history = History::over(pool);
    let entry = |target: &str| HistoryEntry {
        target: target.into(),
        at: "t".into(),
        revision: "abc".into(),
        outcome: "delivered".into(),
        summary: "3 objects".into(),
        body: json!({}),
    };
    assert_eq!(history.append(&entry("a")).await.expect("appends"), 1);
    assert_eq!(history.append(&entry("b")).await.expect("appends"), 1);
    assert_eq!(history.append(&entry("a")).await.expect("appends"), 2);
    let rows = history.of("a", 10).await.expect("reads");
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 1]);
}
