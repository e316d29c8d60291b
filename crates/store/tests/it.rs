//! The store's contract.

use landfall_store::{
    ClusterBatch, ClusterEventRow, ClusterObjectRow, Error, HistoryEntry, Location, NewOperation, OperationState,
    StepIntent, StepOutcome, Store,
};
use serde_json::json;

fn operation(id: &str, target: &str) -> NewOperation {
    NewOperation {
        id: id.into(),
        target: target.into(),
        kind: "install".into(),
        plan: json!({"phases": []}),
        detail: json!({"n": 1}),
        started_at: "2026-01-01T00:00:00Z".into(),
    }
}

#[tokio::test]
async fn an_operation_survives_the_process_and_shows_what_has_no_outcome() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.db");
    {
        let store = Store::open(Location::File(path.clone())).await.expect("opens");
        store.begin_operation(&operation("1", "release a/b")).await.expect("begins");
        let intents = ["0001", "0002"].map(|name| StepIntent { name: name.into(), body: json!({"do": name}) });
        store.write_intents("1", &intents, "t").await.expect("writes");
        let outcome = StepOutcome { name: "0001".into(), body: json!("done") };
        store.write_outcomes("1", &[outcome], "t").await.expect("writes");
        // Dropped without being closed, as a killed process would.
    }
    let store = Store::open(Location::File(path)).await.expect("opens again");
    let row = store.running_operation("release a/b").await.expect("reads").expect("is there");
    assert_eq!(row.plan, json!({"phases": []}));
    let steps = store.steps("1").await.expect("reads");
    assert_eq!(steps[0].outcome, Some(json!("done")));
    assert_eq!((steps[1].name.as_str(), &steps[1].outcome), ("0002", &None));
}

#[tokio::test]
async fn one_target_runs_one_operation_at_a_time() {
    let store = Store::open(Location::Memory).await.expect("opens");
    store.begin_operation(&operation("1", "x")).await.expect("begins");
    assert!(matches!(store.begin_operation(&operation("2", "x")).await, Err(Error::Exists { .. })));
    store.begin_operation(&operation("3", "y")).await.expect("another target");
    store.finish_operation("1", OperationState::Done, "t").await.expect("finishes");
    store.begin_operation(&operation("2", "x")).await.expect("is free again");
}

#[tokio::test]
async fn an_outcome_without_an_intent_is_refused() {
    let store = Store::open(Location::Memory).await.expect("opens");
    store.begin_operation(&operation("1", "x")).await.expect("begins");
    let outcome = StepOutcome { name: "0001".into(), body: json!(1) };
    assert!(matches!(store.write_outcomes("1", &[outcome], "t").await, Err(Error::Missing { .. })));
}

#[tokio::test]
async fn history_counts_within_its_target() {
    let store = Store::open(Location::Memory).await.expect("opens");
    let entry = |target: &str| HistoryEntry {
        target: target.into(),
        at: "t".into(),
        revision: "abc".into(),
        outcome: "delivered".into(),
        summary: "3 objects".into(),
        body: json!({}),
    };
    assert_eq!(store.append_history(&entry("a")).await.expect("appends"), 1);
    assert_eq!(store.append_history(&entry("b")).await.expect("appends"), 1);
    assert_eq!(store.append_history(&entry("a")).await.expect("appends"), 2);
    let rows = store.history("a", 10).await.expect("reads");
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn facts_are_replaced_and_removed() {
    let store = Store::open(Location::Memory).await.expect("opens");
    store.set_fact("once", "a", &json!("1")).await.expect("sets");
    store.set_fact("once", "a", &json!("2")).await.expect("sets");
    assert_eq!(store.fact("once", "a").await.expect("reads"), Some(json!("2")));
    store.remove_fact("once", "a").await.expect("removes");
    assert!(store.facts("once").await.expect("reads").is_empty());
}

#[tokio::test]
async fn a_cluster_batch_is_written_whole_and_read_back() {
    let store = Store::open(Location::Memory).await.expect("opens");
    let put: Vec<_> = (0..1000)
        .map(|n| ClusterObjectRow { key: format!("k{n:04}"), revision: n, body: format!("v{n}").into_bytes() })
        .collect();
    let events = (0..1000).map(|n| ClusterEventRow { revision: n, body: vec![1] }).collect();
    let meta = vec![("rv".to_owned(), "1000".to_owned())];
    store.write_cluster(&ClusterBatch { put, events, meta, ..Default::default() }).await.expect("writes");
    let batch = ClusterBatch {
        put: vec![ClusterObjectRow { key: "k0001".into(), revision: 1001, body: b"new".to_vec() }],
        delete: (0..500).map(|n| format!("k{:04}", n * 2)).collect(),
        forget_events_to: Some(989),
        ..Default::default()
    };
    store.write_cluster(&batch).await.expect("writes");
    let state = store.read_cluster().await.expect("reads");
    assert_eq!(state.objects.len(), 500);
    assert_eq!(state.objects[0].body, b"new");
    assert_eq!(state.events.len(), 10);
    assert_eq!(state.meta["rv"], "1000");
    store.clear_cluster().await.expect("clears");
    assert!(store.read_cluster().await.expect("reads").objects.is_empty());
}

/// Every byte that a store has on disk.
fn on_disk(directory: &std::path::Path) -> Vec<u8> {
    let files = std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    files
        .filter(|file| file.extension() != Some("key".as_ref()))
        .flat_map(|file| std::fs::read(file).expect("read"))
        .collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn secretive(id: &str, target: &str) -> NewOperation {
    let plan = json!({"object": {"kind": "Secret", "stringData": {"password": "canary-in-a-plan"}}});
    NewOperation { plan, detail: json!({"config": "canary-in-a-record"}), ..operation(id, target) }
}

#[tokio::test]
async fn what_an_operation_needs_is_sealed_in_the_file_and_read_by_the_next_process() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.db");
    let store = Store::open(Location::File(path.clone())).await.expect("opens");
    store.begin_operation(&secretive("1", "x")).await.expect("begins");
    let intent = StepIntent { name: "0001".into(), body: json!({"seen": "canary-in-an-intent"}) };
    store.write_intents("1", &[intent], "t").await.expect("writes");
    let outcome = StepOutcome { name: "0001".into(), body: json!({"log": "canary-in-an-outcome"}) };
    store.write_outcomes("1", &[outcome], "t").await.expect("writes");
    drop(store);
    assert!(!holds(&on_disk(directory.path()), "canary"));
    assert!(holds(&on_disk(directory.path()), "install"), "the rest can be read as before");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(directory.path().join("store.key")).expect("a key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let store = Store::open(Location::File(path)).await.expect("opens again");
    let row = store.running_operation("x").await.expect("reads").expect("is there");
    let whole = secretive("1", "x");
    assert_eq!((row.plan, row.detail), (whole.plan, whole.detail));
    let steps = store.steps("1").await.expect("reads");
    assert_eq!(steps[0].intent, json!({"seen": "canary-in-an-intent"}));
    assert_eq!(steps[0].outcome, Some(json!({"log": "canary-in-an-outcome"})));
}

#[tokio::test]
async fn a_sealed_body_is_that_of_its_own_operation_only_and_needs_the_key() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.db");
    let store = Store::open(Location::File(path.clone())).await.expect("opens");
    store.begin_operation(&secretive("1", "x")).await.expect("begins");
    store.begin_operation(&secretive("2", "y")).await.expect("begins");
    store.close().await;
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.expect("opens");
    sqlx::query("UPDATE operation SET plan = (SELECT plan FROM operation WHERE id = '2') WHERE id = '1'")
        .execute(&pool)
        .await
        .expect("writes");
    pool.close().await;
    let store = Store::open(Location::File(path.clone())).await.expect("opens again");
    assert!(matches!(store.running_operation("x").await, Err(Error::Damaged { .. })));
    assert!(store.running_operation("y").await.expect("reads").is_some());
    store.close().await;
    std::fs::remove_file(directory.path().join("store.key")).expect("removed");
    let store = Store::open(Location::File(path)).await.expect("opens again");
    let error = store.running_operation("y").await.expect_err("it cannot be read");
    assert!(matches!(error, Error::Key { .. }));
    let told = landfall_diag::render_plain(&landfall_diag::Diagnose::diagnose(&error));
    assert!(told.contains("store.db") && told.contains("starts anew"), "{told}");
    assert!(store.running_operation("z").await.expect("others are not concerned").is_none());
}

#[tokio::test]
async fn what_has_ended_is_forgotten() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.db");
    let store = Store::open(Location::File(path)).await.expect("opens");
    store.begin_operation(&secretive("1", "x")).await.expect("begins");
    let intent = StepIntent { name: "0001".into(), body: json!(1) };
    store.write_intents("1", &[intent], "t").await.expect("writes");
    store.finish_operation("1", OperationState::Failed, "t").await.expect("finishes");
    let row = store.operation("1").await.expect("reads").expect("that it was is kept");
    assert_eq!((row.plan, row.detail, row.state), (json!(null), json!(null), OperationState::Failed));
    assert!(store.steps("1").await.expect("reads").is_empty());
}

#[tokio::test]
async fn a_store_of_the_version_before_is_read_and_what_had_ended_in_it_is_forgotten() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.db");
    let address = format!("sqlite://{}?mode=rwc", path.display());
    let pool = sqlx::SqlitePool::connect(&address).await.expect("opens");
    let tables = include_str!("../migrations/0001_first.sql");
    let rows = r#"
        CREATE TABLE schema_step (number BIGINT PRIMARY KEY);
        INSERT INTO schema_step VALUES (1);
        INSERT INTO operation VALUES ('1', 'x', 'install', '{"p":"canary-open"}', '{"d":1}', 'running', 't', NULL);
        INSERT INTO step VALUES ('1', '0001', '{"i":1}', 't', '{"o":1}', 't');
        INSERT INTO operation VALUES ('2', 'x', 'install', '{"p":"canary-ended"}', '{}', 'done', 't', 't');
        INSERT INTO step VALUES ('2', '0001', '{"i":"canary-ended"}', 't', NULL, NULL);"#;
    sqlx::raw_sql(tables).execute(&pool).await.expect("writes");
    sqlx::raw_sql(rows).execute(&pool).await.expect("writes");
    pool.close().await;
    let store = Store::open(Location::File(path)).await.expect("opens");
    let row = store.running_operation("x").await.expect("reads").expect("is there");
    assert_eq!((&row.plan, &row.detail), (&json!({"p": "canary-open"}), &json!({"d": 1})));
    let steps = store.steps("1").await.expect("reads");
    assert_eq!((&steps[0].intent, &steps[0].outcome), (&json!({"i": 1}), &Some(json!({"o": 1}))));
    store.finish_operation("1", OperationState::Done, "t").await.expect("finishes");
    store.close().await;
    assert!(!holds(&on_disk(directory.path()), "canary"));
}
