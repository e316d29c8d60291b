use std::collections::BTreeMap;

use async_recursion::async_recursion as boxed;
use serde_json::Value;

use crate::journal::json;
use crate::migrations::Tables;
use crate::statement::query;
use crate::{Error, Pool};

/// Small durable values by space and name.
#[derive(Debug, Clone)]
pub struct Facts {
    pool: Pool,
}

/// Its tables.
pub(crate) const TABLES: Tables = Tables { of: "facts", steps: &[include_str!("../migrations/facts/0001_first.sql")] };

impl Facts {
    /// The one of that database.
    pub fn over(pool: &Pool) -> Self {
        Facts { pool: pool.clone() }
    }

    /// Sets a fact, replacing what was there.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn set(&self, space: &str, name: &str, value: &Value) -> Result<(), Error> {
        query(
            "INSERT INTO fact (space, name, value) VALUES ($1, $2, $3) \
             ON CONFLICT (space, name) DO UPDATE SET value = excluded.value",
        )
        .bind(space)
        .bind(name)
        .bind(value.to_string())
        .execute(&self.pool.connections)
        .await
        .map_err(self.pool.failed("set a fact"))?;
        Ok(())
    }

    /// Sets a fact that is not there yet; whether it was not: of several who try at once one does.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn claim(&self, space: &str, name: &str, value: &Value) -> Result<bool, Error> {
        let done =
            query("INSERT INTO fact (space, name, value) VALUES ($1, $2, $3) ON CONFLICT (space, name) DO NOTHING")
                .bind(space)
                .bind(name)
                .bind(value.to_string())
                .execute(&self.pool.connections)
                .await
                .map_err(self.pool.failed("claim a fact"))?;
        Ok(done.rows_affected() == 1)
    }

    /// A fact.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn get(&self, space: &str, name: &str) -> Result<Option<Value>, Error> {
        const WHAT: &str = "read a fact";
        let row = query("SELECT value FROM fact WHERE space = $1 AND name = $2")
            .bind(space)
            .bind(name)
            .fetch_optional(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        row.map(|row| json(&row.try_get::<String>("value").map_err(Error::sql(WHAT))?, name)).transpose()
    }

    /// All facts of a space.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn of(&self, space: &str) -> Result<BTreeMap<String, Value>, Error> {
        const WHAT: &str = "read facts";
        let rows = query("SELECT name, value FROM fact WHERE space = $1")
            .bind(space)
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        rows.iter()
            .map(|row| {
                let name: String = row.try_get("name").map_err(Error::sql(WHAT))?;
                let value = json(&row.try_get::<String>("value").map_err(Error::sql(WHAT))?, &name)?;
                Ok((name, value))
            })
            .collect()
    }

    /// Removes a fact; one that is not there is no error.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn remove(&self, space: &str, name: &str) -> Result<(), Error> {
        query("DELETE FROM fact WHERE space = $1 AND name = $2")
            .bind(space)
            .bind(name)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("remove a fact"))?;
        Ok(())
    }
}
