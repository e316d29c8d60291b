//! What lies on disk: sealed, forgotten, migrated.

use landfall_store::{Error, Location, NewOperation, OperationState, Pool, Purpose, StepIntent, StepOutcome, Store};
use serde_json::json;

use super::contract::journal::operation;

#[tokio::test]
async fn an_operation_survives_the_process_and_shows_what_has_no_outcome() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.db");
    {
        let store = Store::open(Location::File(path.clone())).await.expect("opens");
        store.journal.begin_operation(&operation("1", "release a/b")).await.expect("begins");
        let intents = ["0001", "0002"].map(|name| StepIntent { name: name.into(), body: json!({"do": name}) });
        store.journal.write_intents("1", &intents, "t").await.expect("writes");
        let outcome = StepOutcome { name: "0001".into(), body: json!("done") };
        store.journal.write_outcomes("1", &[outcome], "t").await.expect("writes");
        // Dropped without being closed, as a killed process would.
    }
    let store = Store::open(Location::File(path)).await.expect("opens again");
    let row = store.journal.running_operation("release a/b").await.expect("reads").expect("is there");
    assert_eq!(row.plan, json!({"phases": []}));
    let steps = store.journal.steps("1").await.expect("reads");
    assert_eq!(steps[0].outcome, Some(json!("done")));
    assert_eq!((steps[1].name.as_str(), &steps[1].outcome), ("0002", &None));
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
    store.journal.begin_operation(&secretive("1", "x")).await.expect("begins");
    let intent = StepIntent { name: "0001".into(), body: json!({"seen": "canary-in-an-intent"}) };
    store.journal.write_intents("1", &[intent], "t").await.expect("writes");
    let outcome = StepOutcome { name: "0001".into(), body: json!({"log": "canary-in-an-outcome"}) };
    store.journal.write_outcomes("1", &[outcome], "t").await.expect("writes");
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
    let row = store.journal.running_operation("x").await.expect("reads").expect("is there");
    let whole = secretive("1", "x");
    assert_eq!((row.plan, row.detail), (whole.plan, whole.detail));
    let steps = store.journal.steps("1").await.expect("reads");
    assert_eq!(steps[0].intent, json!({"seen": "canary-in-an-intent"}));
    assert_eq!(steps[0].outcome, Some(json!({"log": "canary-in-an-outcome"})));
}

#[tokio::test]
async fn a_sealed_body_is_that_of_its_own_operation_only_and_needs_the_key() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.db");
    let store = Store::open(Location::File(path.clone())).await.expect("opens");
    store.journal.begin_operation(&secretive("1", "x")).await.expect("begins");
    store.journal.begin_operation(&secretive("2", "y")).await.expect("begins");
    store.close().await;
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.expect("opens");
    sqlx::query("UPDATE operation SET plan = (SELECT plan FROM operation WHERE id = '2') WHERE id = '1'")
        .execute(&pool)
        .await
        .expect("writes");
    pool.close().await;
    let store = Store::open(Location::File(path.clone())).await.expect("opens again");
    assert!(matches!(store.journal.running_operation("x").await, Err(Error::Damaged { .. })));
    assert!(store.journal.running_operation("y").await.expect("reads").is_some());
    store.close().await;
    std::fs::remove_file(directory.path().join("store.key")).expect("removed");
    let store = Store::open(Location::File(path)).await.expect("opens again");
    let error = store.journal.running_operation("y").await.expect_err("it cannot be read");
    assert!(matches!(error, Error::Key { .. }));
    let told = landfall_diag::render_plain(&landfall_diag::Diagnose::diagnose(&error));
    assert!(told.contains("store.db") && told.contains("starts anew"), "{told}");
    assert!(store.journal.running_operation("z").await.expect("others are not concerned").is_none());
}

#[tokio::test]
async fn a_store_of_the_version_before_is_read_and_what_had_ended_in_it_is_forgotten() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.db");
    let address = format!("sqlite://{}?mode=rwc", path.display());
    let pool = sqlx::SqlitePool::connect(&address).await.expect("opens");
    let tables = include_str!("tables_of_the_first_version.sql");
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
    let row = store.journal.running_operation("x").await.expect("reads").expect("is there");
    assert_eq!((&row.plan, &row.detail), (&json!({"p": "canary-open"}), &json!({"d": 1})));
    let steps = store.journal.steps("1").await.expect("reads");
    assert_eq!((&steps[0].intent, &steps[0].outcome), (&json!({"i": 1}), &Some(json!({"o": 1}))));
    store.journal.finish_operation("1", OperationState::Done, "t").await.expect("finishes");
    store.close().await;
    assert!(!holds(&on_disk(directory.path()), "canary"));
}

/// What a database's tables are.
async fn tables(path: &std::path::Path) -> Vec<String> {
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.expect("opens");
    let rows = sqlx::query("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetch_all(&pool).await;
    let rows = rows.expect("reads");
    pool.close().await;
    rows.iter().map(|row| sqlx::Row::get::<String, _>(row, "sql")).collect()
}

#[tokio::test]
async fn an_old_database_gets_the_tables_that_a_new_one_has_and_the_version_before_still_knows_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let (old, new) = (directory.path().join("old.db"), directory.path().join("new.db"));
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}?mode=rwc", old.display())).await.expect("opens");
    sqlx::raw_sql("CREATE TABLE schema_step (number BIGINT PRIMARY KEY)").execute(&pool).await.expect("writes");
    sqlx::raw_sql(include_str!("tables_of_the_first_version.sql")).execute(&pool).await.expect("writes");
    sqlx::raw_sql("INSERT INTO schema_step VALUES (1), (2)").execute(&pool).await.expect("writes");
    pool.close().await;
    for path in [&old, &new] {
        Store::open(Location::File(path.clone())).await.expect("opens").close().await;
    }
    assert_eq!(tables(&old).await, tables(&new).await);
    for path in [&old, &new] {
        let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.expect("opens");
        let row = sqlx::query("SELECT MAX(number) AS number FROM schema_step").fetch_one(&pool).await.expect("reads");
        assert_eq!(sqlx::Row::get::<i64, _>(&row, "number"), 2);
        pool.close().await;
    }
}

#[tokio::test]
async fn tables_that_a_purpose_did_not_need_are_made_for_one_that_does() {
    let directory = tempfile::tempdir().expect("a directory");
    let [of_the_first_version, fresh, new] = ["first.db", "fresh.db", "new.db"].map(|name| directory.path().join(name));
    let address = format!("sqlite://{}?mode=rwc", of_the_first_version.display());
    let pool = sqlx::SqlitePool::connect(&address).await.expect("opens");
    sqlx::raw_sql("CREATE TABLE schema_step (number BIGINT PRIMARY KEY)").execute(&pool).await.expect("writes");
    sqlx::raw_sql(include_str!("tables_of_the_first_version.sql")).execute(&pool).await.expect("writes");
    sqlx::raw_sql("INSERT INTO schema_step VALUES (1), (2)").execute(&pool).await.expect("writes");
    pool.close().await;
    Store::open(Location::File(new.clone())).await.expect("opens").close().await;
    let all = tables(&new).await;
    for (path, so_far) in [(&of_the_first_version, all.len()), (&fresh, 5)] {
        for purpose in [Purpose::Cluster, Purpose::Cluster, Purpose::Everything] {
            let pool = Pool::open_for(Location::File(path.clone()), purpose).await.expect("opens");
            pool.close().await;
            let made = tables(path).await.len();
            assert_eq!(made, if purpose == Purpose::Cluster { so_far } else { all.len() }, "{}", path.display());
        }
        assert_eq!(tables(path).await, all);
    }
}

/// What takes a database of today back to what the version before made: it knew no shards, and its journal had two steps.
const BEFORE: &str = "DROP INDEX operation_running; DROP TABLE shard; \
    UPDATE schema_part SET number = 2 WHERE part = 'journal'; DELETE FROM schema_part WHERE part = 'shards';";

/// And its fleet knew no starts of an agent but the last, and no number of an edge that is gone.
const BEFORE_STARTS: &str = "ALTER TABLE edge_presence DROP COLUMN starts; DROP TABLE edge_number; UPDATE schema_part SET number = 1 WHERE part = 'fleet'; \
    INSERT INTO edge_presence (number, seen_at, installed, runtime_state, uptime_seconds, boot_id, sequence) \
    VALUES (7, 5, '[]', 'IDLE', 9, 'a-start', 3)";

async fn knows_starts(store: &Store) {
    let known = store.fleet.edges(0, 10).await.expect("reads");
    let row = &known.presence[0];
    assert_eq!((row.number, row.boot_id.as_str(), row.sequence, row.starts.as_str()), (7, "a-start", 3, "[]"));
    let row = landfall_store::PresenceRow { starts: r#"[["0a",4]]"#.to_owned(), ..row.clone() };
    store.fleet.write(&[landfall_store::FleetWrite::Presence(row.clone())]).await.expect("writes");
    assert_eq!(store.fleet.edges(0, 10).await.expect("reads").presence, [row]);
}

/// One operation that runs, as the version before wrote it.
const RUNS: &str = "INSERT INTO operation (id, target, kind, plan, detail, state, started_at) \
    VALUES ('1', 'x', 'install', '{\"p\":1}', '{}', 'running', 't')";

async fn is_as_new(store: &Store) {
    let row = store.journal.running_operation("x").await.expect("reads").expect("is there");
    assert_eq!(row.plan, json!({"p": 1}));
    assert!(matches!(store.journal.begin_operation(&operation("2", "x")).await, Err(Error::Exists { .. })));
    let fence = store.shards.take((0, 1), "a", 0).await.expect("there are shards");
    store.fenced(fence).journal.begin_operation(&operation("3", "y")).await.expect("begins");
}

#[tokio::test]
async fn a_store_of_the_version_before_knows_shards_and_keeps_what_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.db");
    Store::open(Location::File(path.clone())).await.expect("opens").close().await;
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.expect("opens");
    for text in [BEFORE, RUNS] {
        sqlx::raw_sql(text).execute(&pool).await.expect("writes");
    }
    pool.close().await;
    is_as_new(&Store::open(Location::File(path)).await.expect("opens")).await;
}

#[tokio::test]
async fn a_fleet_of_the_version_before_keeps_its_edges_and_knows_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.db");
    Store::open(Location::File(path.clone())).await.expect("opens").close().await;
    let new = tables(&path).await;
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.expect("opens");
    sqlx::raw_sql(BEFORE_STARTS).execute(&pool).await.expect("writes");
    pool.close().await;
    let store = Store::open(Location::File(path.clone())).await.expect("opens");
    knows_starts(&store).await;
    store.close().await;
    assert_eq!(tables(&path).await, new);
}

mod postgres {
    use landfall_store::{Error, Journal, Pool, Store};

    use super::super::contract::journal::operation;
    use super::super::contract::on_a_server;

    async fn carried_out(address: &str, text: &'static str) {
        let pool = sqlx::PgPool::connect(address).await.expect("connects");
        sqlx::raw_sql(text).execute(&pool).await.expect("writes");
        pool.close().await;
    }

    #[tokio::test]
    #[ignore = "needs a server of PostgreSQL: conformance database"]
    async fn a_database_of_the_version_before_knows_shards_and_keeps_what_runs() {
        let place = on_a_server().await;
        place.pool.close().await;
        let address = place.address.expect("an address");
        carried_out(&address, super::BEFORE).await;
        carried_out(&address, super::RUNS).await;
        let store = Store::open_database(&address.parse().expect("an address")).await.expect("opens");
        store.seal_with(&[7; 32]).expect("a key");
        super::is_as_new(&store).await;
    }

    #[tokio::test]
    #[ignore = "needs a server of PostgreSQL: conformance database"]
    async fn a_fleet_of_the_version_before_in_a_database_keeps_its_edges_and_knows_starts() {
        let place = on_a_server().await;
        place.pool.close().await;
        let address = place.address.expect("an address");
        carried_out(&address, super::BEFORE_STARTS).await;
        let store = Store::open_database(&address.parse().expect("an address")).await.expect("opens");
        store.seal_with(&[7; 32]).expect("a key");
        super::knows_starts(&store).await;
    }

    #[tokio::test]
    #[ignore = "needs a server of PostgreSQL: conformance database"]
    async fn a_database_of_a_later_version_is_refused_and_one_that_lets_nobody_in_says_so() {
        let place = on_a_server().await;
        let address = place.address.expect("an address");
        carried_out(&address, "UPDATE schema_part SET number = 9 WHERE part = 'facts'").await;
        let refused = Pool::open_database(&address.parse().expect("an address")).await;
        assert!(matches!(refused, Err(Error::TooNew { found: 9, known: 1 })));
        let (front, _) = address.rsplit_once('/').expect("a database");
        let absent = format!("{front}/there_is_none");
        let refused = Pool::open_database(&absent.parse().expect("an address")).await.expect_err("it is not there");
        let told = landfall_diag::render_plain(&landfall_diag::Diagnose::diagnose(&refused));
        assert!(told.contains("there_is_none") && told.contains("nothing was changed"), "{told}");
    }

    #[tokio::test]
    #[ignore = "needs a server of PostgreSQL: conformance database"]
    async fn what_an_operation_needs_is_sealed_and_without_a_key_nothing_is_written() {
        let place = on_a_server().await;
        let address = place.address.expect("an address");
        let secret = super::secretive("1", "x");
        Journal::over(&place.pool).begin_operation(&secret).await.expect("begins");
        let rows = sqlx::PgPool::connect(&address).await.expect("connects");
        let row = sqlx::query("SELECT plan || detail AS text FROM operation").fetch_one(&rows).await.expect("reads");
        let text: String = sqlx::Row::get(&row, "text");
        assert!(!text.contains("canary"), "{text}");
        let other = Store::open_database(&address.parse().expect("an address")).await.expect("opens");
        assert!(matches!(other.journal.begin_operation(&operation("2", "y")).await, Err(Error::NoKey)));
        assert!(matches!(other.journal.running_operation("x").await, Err(Error::NoKey)));
        other.seal_with(&[7; 32]).expect("the key of the others");
        assert_eq!(other.journal.running_operation("x").await.expect("reads").expect("is there").plan, secret.plan);
    }

    /// Two processes that count on by what is there do not get the same number.
    #[tokio::test]
    #[ignore = "needs a server of PostgreSQL: conformance database"]
    async fn of_many_that_write_at_once_each_has_a_number_of_its_own_and_one_begins() {
        let place = on_a_server().await;
        let address = place.address.clone().expect("an address");
        let other = Store::open_database(&address.parse().expect("an address")).await.expect("opens");
        other.seal_with(&[7; 32]).expect("a key");
        let mine = landfall_store::Audit::over(&place.pool);
        let entry = landfall_store::AuditEntry {
            at: "t".into(),
            actor: "a".into(),
            action: "b".into(),
            target: "c".into(),
            detail: serde_json::json!({}),
        };
        let begun = (0..40).map(|n| {
            let (entry, audit) = (entry.clone(), if n % 2 == 0 { mine.clone() } else { other.audit.clone() });
            async move { audit.begin(&entry).await.expect("written") }
        });
        let mut numbers = futures::future::join_all(begun).await;
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=40).collect::<Vec<i64>>());
        let journal = Journal::over(&place.pool);
        let begun = (0..20).map(|n| {
            let journal = if n % 2 == 0 { journal.clone() } else { other.journal.clone() };
            async move { journal.begin_operation(&operation(&n.to_string(), "x")).await.is_ok() }
        });
        let begun = futures::future::join_all(begun).await;
        assert_eq!(begun.iter().filter(|begun| **begun).count(), 1);
    }

    /// Whoever is cut off in the middle of what it writes keeps nobody from taking over: the server ends its session.
    #[tokio::test]
    #[ignore = "needs a server of PostgreSQL: conformance database"]
    async fn a_writer_that_stands_still_in_a_transaction_is_put_out_of_it() {
        let place = on_a_server().await;
        let address = place.address.clone().expect("an address");
        let shards = landfall_store::Shards::over(&place.pool);
        shards.take((0, 1), "a", 0).await.expect("taken");
        let rows = sqlx::PgPool::connect(&address).await.expect("connects");
        let mut stands_still = rows.begin().await.expect("begins");
        sqlx::raw_sql("SET idle_in_transaction_session_timeout = 5000; SELECT 1 FROM shard FOR SHARE")
            .execute(&mut *stands_still)
            .await
            .expect("holds the row");
        let began = std::time::Instant::now();
        let taken = shards.take((0, 1), "b", 0).await.expect("taken over all the same");
        assert_eq!(taken.holder, "b");
        assert!(began.elapsed() < std::time::Duration::from_secs(8), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_database_of_a_later_version_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    for later in ["UPDATE schema_part SET number = 9 WHERE part = 'facts'", "INSERT INTO schema_step VALUES (3)"] {
        let path = directory.path().join(format!("{}.db", later.len()));
        Store::open(Location::File(path.clone())).await.expect("opens").close().await;
        let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.expect("opens");
        sqlx::raw_sql(later).execute(&pool).await.expect("writes");
        pool.close().await;
        assert!(matches!(Store::open(Location::File(path)).await, Err(Error::TooNew { .. })), "{later}");
    }
}
