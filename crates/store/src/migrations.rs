use sqlx::{Connection, Row};

use crate::{Error, Store};

/// The schema, step by step; a step once released is never edited.
const STEPS: &[&str] = &[include_str!("../migrations/0001_first.sql"), include_str!("../migrations/0002_prune.sql")];

/// Brings a database to the newest schema, all missing steps in one transaction.
pub(crate) async fn run(store: &Store) -> Result<(), Error> {
    const WHAT: &str = "prepare the tables";
    let mut connection = store.pool.acquire().await.map_err(store.failed(WHAT))?;
    let mut transaction = connection.begin().await.map_err(store.failed(WHAT))?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_step (number BIGINT PRIMARY KEY)")
        .execute(&mut *transaction)
        .await
        .map_err(store.failed(WHAT))?;
    let row = sqlx::query("SELECT COALESCE(MAX(number), 0) AS number FROM schema_step")
        .fetch_one(&mut *transaction)
        .await
        .map_err(store.failed(WHAT))?;
    let found: i64 = row.try_get("number").map_err(store.failed(WHAT))?;
    let known = STEPS.len() as i64;
    if found > known {
        return Err(Error::TooNew { found, known });
    }
    for (index, step) in STEPS.iter().enumerate().skip(found as usize) {
        sqlx::raw_sql(*step).execute(&mut *transaction).await.map_err(store.failed(WHAT))?;
        sqlx::query("INSERT INTO schema_step (number) VALUES ($1)")
            .bind(index as i64 + 1)
            .execute(&mut *transaction)
            .await
            .map_err(store.failed(WHAT))?;
    }
    transaction.commit().await.map_err(store.failed(WHAT))
}
