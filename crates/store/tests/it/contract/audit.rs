use landfall_store::{Audit, AuditEntry, Pool};
use serde_json::json;

pub(crate) async fn an_entry_is_numbered_ends_once_and_stays(pool: &Pool) {
    let audit = Audit::over(pool);
    let entry = |target: &str| AuditEntry {
        at: "2026-01-01T00:00:00Z".to_owned(),
        actor: "anna".to_owned(),
        action: "application.sync".to_owned(),
        target: target.to_owned(),
        detail: json!({"prune": true}),
    };
    for (number, target) in [(1, "argocd/a"), (2, "argocd/b"), (3, "argocd/c")] {
        assert_eq!(audit.begin(&entry(target)).await.expect("written"), number);
    }
    audit.end(2, "accepted").await.expect("written");
    audit.end(2, "something else").await.expect("nothing to write");
    let newest = audit.newest(2, None).await.expect("read");
    assert_eq!(newest.iter().map(|row| row.number).collect::<Vec<_>>(), [3, 2]);
    assert_eq!((&newest[1].entry, newest[1].outcome.as_deref()), (&entry("argocd/b"), Some("accepted")));
    assert_eq!(newest[0].outcome, None);
    let before = audit.newest(9, Some(2)).await.expect("read");
    assert_eq!(before.iter().map(|row| row.number).collect::<Vec<_>>(), [1]);
}
