use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::statement::{On, Row, query};
use crate::{
    Error, Pool, Purpose, accounts, audit, cluster_state, facts, fleet, history, journal, news, orders, promotions,
    shards, tokens,
};

/// The tables of one small store, step by step; a step once released is never edited.
pub(crate) struct Tables {
    /// The small store, as its row of `schema_part` names it.
    pub(crate) of: &'static str,
    /// Statements, each ended by a semicolon.
    pub(crate) steps: &'static [&'static str],
}

const ALL: &[Tables] = &[
    journal::TABLES,
    history::TABLES,
    facts::TABLES,
    cluster_state::TABLES,
    tokens::TABLES,
    audit::TABLES,
    news::TABLES,
    accounts::TABLES,
    orders::TABLES,
    fleet::TABLES,
    promotions::TABLES,
    shards::TABLES,
];

/// The tables that were there while all were counted together.
const COUNTED_TOGETHER: [&str; 4] =
    [journal::TABLES.of, history::TABLES.of, facts::TABLES.of, cluster_state::TABLES.of];

/// How far versions came that counted the steps of all tables together: the first made them, the second was the journal's.
/// They open what we make as long as it says no more.
const TOGETHER: i64 = 2;

impl Purpose {
    fn needs(self, tables: &Tables) -> bool {
        match self {
            Purpose::Everything => true,
            Purpose::Delivery => [journal::TABLES.of, history::TABLES.of, facts::TABLES.of].contains(&tables.of),
            Purpose::Cluster => tables.of == cluster_state::TABLES.of,
        }
    }
}

/// Brings a database to the newest tables that its purpose needs, all missing steps in one transaction.
pub(crate) async fn run(pool: &Pool, purpose: Purpose) -> Result<(), Error> {
    const WHAT: &str = "prepare the tables";
    if is_ready(pool, purpose).await {
        return Ok(());
    }
    // Of processes that begin at the same time one makes the tables, and the others find them.
    let mut transaction =
        pool.connections.begin_alone("tables of the small stores").await.map_err(pool.failed(WHAT))?;
    transaction
        .run(
            "CREATE TABLE IF NOT EXISTS schema_step (number BIGINT PRIMARY KEY); \
             CREATE TABLE IF NOT EXISTS schema_part (part TEXT PRIMARY KEY, number BIGINT NOT NULL)",
        )
        .await
        .map_err(pool.failed(WHAT))?;
    let (together, parts) = told(&mut transaction).await.map_err(pool.failed(WHAT))?;
    if together > TOGETHER {
        return Err(Error::TooNew { found: together, known: TOGETHER });
    }
    let missing = missing(purpose, together, &parts)?;
    if !missing.is_empty() {
        // One after the other each would cost a command that writes nothing more than all that it does.
        transaction.run(&missing).await.map_err(pool.failed(WHAT))?;
    }
    transaction.commit().await.map_err(pool.failed(WHAT))
}

/// Whether a file has all that is needed, which one statement tells: it is asked at the start of every command. Where it cannot be
/// told, it is not.
async fn is_ready(pool: &Pool, purpose: Purpose) -> bool {
    if !pool.is_file() {
        return false;
    }
    let Ok((TOGETHER, parts)) = told(&pool.connections).await else { return false };
    missing(purpose, TOGETHER, &parts).is_ok_and(|missing| missing.is_empty())
}

/// How far the tables are that were counted together, and each part.
async fn told(on: impl Into<On<'_>>) -> Result<(i64, BTreeMap<String, i64>), sqlx::Error> {
    const TOLD: &str =
        "SELECT part, number FROM schema_part UNION ALL SELECT '', COALESCE(MAX(number), 0) FROM schema_step";
    let rows = query(TOLD).fetch_all(on).await?;
    let mut parts = rows.iter().map(part).collect::<Result<BTreeMap<String, i64>, sqlx::Error>>()?;
    let together = parts.remove("").unwrap_or(0);
    Ok((together, parts))
}

/// The statements that bring tables to their newest step, whose parts are known to be at these.
fn missing(purpose: Purpose, together: i64, parts: &BTreeMap<String, i64>) -> Result<String, Error> {
    // What counted them together made them all.
    let is_first = parts.is_empty() && together > 0;
    let purpose = if is_first { Purpose::Everything } else { purpose };
    let mut statements = String::new();
    for tables in ALL.iter().filter(|tables| purpose.needs(tables)) {
        let known = tables.steps.len() as i64;
        let told = parts.get(tables.of).copied();
        if told == Some(known) {
            continue;
        }
        let found = told.unwrap_or(match tables.of {
            of if is_first && of == journal::TABLES.of => together,
            of if is_first && COUNTED_TOGETHER.contains(&of) => together.min(1),
            _ => 0,
        });
        if found > known {
            return Err(Error::TooNew { found, known });
        }
        for step in &tables.steps[found as usize..] {
            statements.push_str(step);
        }
        let _never_fails = writeln!(
            statements,
            "INSERT INTO schema_part (part, number) VALUES ('{}', {known}) \
             ON CONFLICT (part) DO UPDATE SET number = excluded.number;",
            tables.of
        );
    }
    for step in together + 1..=TOGETHER {
        let _never_fails = writeln!(statements, "INSERT INTO schema_step (number) VALUES ({step});");
    }
    Ok(statements)
}

fn part(row: &Row) -> Result<(String, i64), sqlx::Error> {
    Ok((row.try_get("part")?, row.try_get("number")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Location;

    #[tokio::test]
    async fn a_file_is_ready_for_what_was_made_in_it_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = || Location::File(directory.path().join("store.db"));
        let pool = Pool::open_for(file(), Purpose::Delivery).await.expect("opened");
        assert!(is_ready(&pool, Purpose::Delivery).await);
        assert!(!is_ready(&pool, Purpose::Cluster).await);
        assert!(!is_ready(&pool, Purpose::Everything).await);
        pool.close().await;
        let pool = Pool::open_for(file(), Purpose::Everything).await.expect("opened");
        assert!(is_ready(&pool, Purpose::Everything).await);
        let later = "UPDATE schema_part SET number = number + 1 WHERE part = 'journal'";
        query(later).execute(&pool.connections).await.expect("written");
        assert!(!is_ready(&pool, Purpose::Delivery).await);
        pool.close().await;
    }
}
