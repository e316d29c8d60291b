use crate::statement::{Transaction, query};
use crate::{
    Error, Pool, accounts, audit, cluster_state, facts, fleet, history, journal, news, orders, promotions, shards,
    tokens,
};

/// The tables of one small store, step by step; a step once released is never edited.
pub(crate) struct Tables {
    /// The small store, as its row of `schema_part` names it.
    pub(crate) of: &'static str,
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

/// Brings a database to the newest tables, all missing steps in one transaction.
pub(crate) async fn run(pool: &Pool) -> Result<(), Error> {
    const WHAT: &str = "prepare the tables";
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
    let together = number(&mut transaction, "SELECT MAX(number) AS number FROM schema_step", "")
        .await
        .map_err(pool.failed(WHAT))?
        .unwrap_or(0);
    if together > TOGETHER {
        return Err(Error::TooNew { found: together, known: TOGETHER });
    }
    for tables in ALL {
        let known = tables.steps.len() as i64;
        let told = number(&mut transaction, "SELECT number FROM schema_part WHERE part = $1", tables.of)
            .await
            .map_err(pool.failed(WHAT))?;
        if told == Some(known) {
            continue;
        }
        let found = told.unwrap_or(match tables.of {
            of if of == journal::TABLES.of => together,
            of if COUNTED_TOGETHER.contains(&of) => together.min(1),
            _ => 0,
        });
        if found > known {
            return Err(Error::TooNew { found, known });
        }
        for step in &tables.steps[found as usize..] {
            transaction.run(step).await.map_err(pool.failed(WHAT))?;
        }
        query(
            "INSERT INTO schema_part (part, number) VALUES ($1, $2) \
             ON CONFLICT (part) DO UPDATE SET number = excluded.number",
        )
        .bind(tables.of)
        .bind(known)
        .execute(&mut transaction)
        .await
        .map_err(pool.failed(WHAT))?;
    }
    for step in together + 1..=TOGETHER {
        query("INSERT INTO schema_step (number) VALUES ($1)")
            .bind(step)
            .execute(&mut transaction)
            .await
            .map_err(pool.failed(WHAT))?;
    }
    transaction.commit().await.map_err(pool.failed(WHAT))
}

/// The number that a query finds, if any; it may take one argument.
async fn number(transaction: &mut Transaction, text: &'static str, argument: &str) -> Result<Option<i64>, sqlx::Error> {
    let query = query(text);
    let query = if argument.is_empty() { query } else { query.bind(argument) };
    match query.fetch_optional(transaction).await? {
        Some(row) => row.try_get("number"),
        None => Ok(None),
    }
}
