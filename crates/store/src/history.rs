use async_recursion::async_recursion as boxed;
use serde_json::Value;

use crate::journal::json;
use crate::migrations::Tables;
use crate::statement::query;
use crate::{Error, Pool};

/// A delivery to be remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// What was delivered to, for example `env local` or `release default/web`.
    pub target: String,
    /// RFC 3339.
    pub at: String,
    /// What was delivered: a commit, `<sha>+dirty.<8 hex>`, `none+<8 hex>`.
    pub revision: String,
    /// `delivered`, `unchanged`, `failed`, `rolled-back`: the owner's words.
    pub outcome: String,
    /// One line for people.
    pub summary: String,
    /// Everything else, as its owner likes it: evidence, plan digest, counts.
    pub body: Value,
}

/// A remembered delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRow {
    /// Counts from 1 within a target.
    pub number: i64,
    /// The delivery.
    pub entry: HistoryEntry,
}

/// What was delivered where, one row a delivery.
#[derive(Debug, Clone)]
pub struct History {
    pool: Pool,
}

/// Its tables.
pub(crate) const TABLES: Tables =
    Tables { of: "history", steps: &[include_str!("../migrations/history/0001_first.sql")] };

impl History {
    /// The one of that database.
    pub fn over(pool: &Pool) -> Self {
        History { pool: pool.clone() }
    }

    /// Appends to a target's history and returns the new number.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn append(&self, entry: &HistoryEntry) -> Result<i64, Error> {
        const WHAT: &str = "append to the history";
        let mut transaction = self.pool.connections.begin_alone("history").await.map_err(self.pool.failed(WHAT))?;
        let row = query(
            "INSERT INTO history (target, number, at, revision, outcome, summary, body) \
             SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6 FROM history WHERE target = $1 \
             RETURNING number",
        )
        .bind(&entry.target)
        .bind(&entry.at)
        .bind(&entry.revision)
        .bind(&entry.outcome)
        .bind(&entry.summary)
        .bind(entry.body.to_string())
        .fetch_one(&mut transaction)
        .await
        .map_err(self.pool.failed(WHAT))?;
        transaction.commit().await.map_err(self.pool.failed(WHAT))?;
        row.try_get("number").map_err(Error::sql(WHAT))
    }

    /// A target's deliveries, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn of(&self, target: &str, limit: u32) -> Result<Vec<HistoryRow>, Error> {
        const WHAT: &str = "read the history";
        let rows = query("SELECT * FROM history WHERE target = $1 ORDER BY number DESC LIMIT $2")
            .bind(target)
            .bind(i64::from(limit))
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        rows.iter()
            .map(|row| {
                let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(WHAT));
                Ok(HistoryRow {
                    number: row.try_get("number").map_err(Error::sql(WHAT))?,
                    entry: HistoryEntry {
                        target: text("target")?,
                        at: text("at")?,
                        revision: text("revision")?,
                        outcome: text("outcome")?,
                        summary: text("summary")?,
                        body: json(&text("body")?, "history")?,
                    },
                })
            })
            .collect()
    }
}
