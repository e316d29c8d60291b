use async_recursion::async_recursion as boxed;
use serde_json::Value;

use crate::journal::json;
use crate::migrations::Tables;
use crate::statement::query;
use crate::{Error, Pool};

/// Who changed what: written before it is done, with how it ended afterwards; nothing is ever taken out.
#[derive(Debug, Clone)]
pub struct Audit {
    pool: Pool,
}

/// Something that somebody is about to do.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// RFC 3339.
    pub at: String,
    /// Who.
    pub actor: String,
    /// What: `application.sync`, `token.issue`.
    pub action: String,
    /// To what: `argocd/shop`.
    pub target: String,
    /// What it was asked with; never a secret.
    pub detail: Value,
}

/// The same as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Counted from 1.
    pub number: i64,
    /// What was to be done.
    pub entry: AuditEntry,
    /// How it ended, in words; absent where the process did not live to say it.
    pub outcome: Option<String>,
}

/// Its tables.
pub(crate) const TABLES: Tables = Tables { of: "audit", steps: &[include_str!("../migrations/audit/0001_first.sql")] };

impl Audit {
    /// The one of that database.
    pub fn over(pool: &Pool) -> Self {
        Audit { pool: pool.clone() }
    }

    /// Writes down what is about to be done, and gives its number.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn begin(&self, entry: &AuditEntry) -> Result<i64, Error> {
        const WHAT: &str = "write the audit log";
        let mut transaction = self.pool.connections.begin_alone("audit").await.map_err(self.pool.failed(WHAT))?;
        let row = query(
            "INSERT INTO audit_entry (number, at, actor, action, target, detail) \
             SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5 FROM audit_entry RETURNING number",
        )
        .bind(&entry.at)
        .bind(&entry.actor)
        .bind(&entry.action)
        .bind(&entry.target)
        .bind(entry.detail.to_string())
        .fetch_one(&mut transaction)
        .await
        .map_err(self.pool.failed(WHAT))?;
        transaction.commit().await.map_err(self.pool.failed(WHAT))?;
        row.try_get("number").map_err(Error::sql(WHAT))
    }

    /// Writes down how it ended.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn end(&self, number: i64, outcome: &str) -> Result<(), Error> {
        query("UPDATE audit_entry SET outcome = $2 WHERE number = $1 AND outcome IS NULL")
            .bind(number)
            .bind(outcome)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("write the audit log"))?;
        Ok(())
    }

    /// The newest entries, newest first, at most so many, before a number where one is given.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn newest(&self, most: u32, before: Option<i64>) -> Result<Vec<AuditRow>, Error> {
        const WHAT: &str = "read the audit log";
        let rows = query("SELECT * FROM audit_entry WHERE number < $2 ORDER BY number DESC LIMIT $1")
            .bind(i64::from(most))
            .bind(before.unwrap_or(i64::MAX))
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        rows.iter()
            .map(|row| {
                let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(WHAT));
                Ok(AuditRow {
                    number: row.try_get("number").map_err(Error::sql(WHAT))?,
                    entry: AuditEntry {
                        at: text("at")?,
                        actor: text("actor")?,
                        action: text("action")?,
                        target: text("target")?,
                        detail: json(&text("detail")?, "the audit log")?,
                    },
                    outcome: row.try_get("outcome").map_err(Error::sql(WHAT))?,
                })
            })
            .collect()
    }
}
