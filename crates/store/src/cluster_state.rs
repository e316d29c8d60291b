use std::collections::BTreeMap;

use async_recursion::async_recursion as boxed;

use crate::migrations::Tables;
use crate::statement::{CHUNK, composed, query, tuples};
use crate::{Error, Pool};

/// A stored object of the embedded cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterObjectRow {
    /// The object's key in the world, for example `apps/deployments/default/web`.
    pub key: String,
    /// The resource version that wrote it.
    pub revision: u64,
    /// The object, encoded as its owner likes it.
    pub body: Vec<u8>,
}

/// An entry of the event ring, by which watches resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterEventRow {
    /// The resource version that it stands for; unique.
    pub revision: u64,
    /// The event, encoded as its owner likes it.
    pub body: Vec<u8>,
}

/// Changes that become durable together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterBatch {
    /// Objects written; a later row of the same key wins.
    pub put: Vec<ClusterObjectRow>,
    /// Keys removed, after the writes.
    pub delete: Vec<String>,
    /// Events appended.
    pub events: Vec<ClusterEventRow>,
    /// Events up to and including this resource version are dropped.
    pub forget_events_to: Option<u64>,
    /// Counters and settings.
    pub meta: Vec<(String, String)>,
}

/// All that is stored of an embedded cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterContents {
    /// Objects by key.
    pub objects: Vec<ClusterObjectRow>,
    /// Events by resource version.
    pub events: Vec<ClusterEventRow>,
    /// Counters and settings.
    pub meta: BTreeMap<String, String>,
}

/// The embedded cluster's objects, event ring and counters.
#[derive(Debug, Clone)]
pub struct ClusterState {
    pool: Pool,
}

/// Its tables.
pub(crate) const TABLES: Tables =
    Tables { of: "cluster_state", steps: &[include_str!("../migrations/cluster_state/0001_first.sql")] };

impl ClusterState {
    /// The one of that database.
    pub fn over(pool: &Pool) -> Self {
        ClusterState { pool: pool.clone() }
    }

    /// Makes a batch durable: all of it or nothing.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn write(&self, batch: &ClusterBatch) -> Result<(), Error> {
        const WHAT: &str = "write the cluster's state";
        let mut transaction = self.pool.connections.begin().await.map_err(self.pool.failed(WHAT))?;
        for rows in batch.put.chunks(CHUNK) {
            let mut statement = composed(format!(
                "INSERT INTO cluster_object (name, revision, body) VALUES {} \
                 ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, body = excluded.body",
                tuples(rows.len(), 3)
            ));
            for row in rows {
                statement = statement.bind(&row.key).bind(row.revision as i64).bind(&row.body);
            }
            statement.execute(&mut transaction).await.map_err(self.pool.failed(WHAT))?;
        }
        for keys in batch.delete.chunks(CHUNK) {
            let mut statement = composed(format!("DELETE FROM cluster_object WHERE name IN {}", tuples(1, keys.len())));
            for key in keys {
                statement = statement.bind(key);
            }
            statement.execute(&mut transaction).await.map_err(self.pool.failed(WHAT))?;
        }
        for rows in batch.events.chunks(CHUNK) {
            let mut statement = composed(format!(
                "INSERT INTO cluster_event (revision, body) VALUES {} \
                 ON CONFLICT (revision) DO UPDATE SET body = excluded.body",
                tuples(rows.len(), 2)
            ));
            for row in rows {
                statement = statement.bind(row.revision as i64).bind(&row.body);
            }
            statement.execute(&mut transaction).await.map_err(self.pool.failed(WHAT))?;
        }
        if let Some(revision) = batch.forget_events_to {
            query("DELETE FROM cluster_event WHERE revision <= $1")
                .bind(revision as i64)
                .execute(&mut transaction)
                .await
                .map_err(self.pool.failed(WHAT))?;
        }
        for (name, value) in &batch.meta {
            query(
                "INSERT INTO cluster_meta (name, value) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )
            .bind(name)
            .bind(value)
            .execute(&mut transaction)
            .await
            .map_err(self.pool.failed(WHAT))?;
        }
        transaction.commit().await.map_err(self.pool.failed(WHAT))
    }

    /// Reads all that is stored of the embedded cluster.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn read(&self) -> Result<ClusterContents, Error> {
        const WHAT: &str = "read the cluster's state";
        let mut state = ClusterContents::default();
        for row in query("SELECT name, revision, body FROM cluster_object ORDER BY name")
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?
        {
            state.objects.push(ClusterObjectRow {
                key: row.try_get("name").map_err(Error::sql(WHAT))?,
                revision: row.try_get::<i64>("revision").map_err(Error::sql(WHAT))? as u64,
                body: row.try_get("body").map_err(Error::sql(WHAT))?,
            });
        }
        for row in query("SELECT revision, body FROM cluster_event ORDER BY revision")
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?
        {
            state.events.push(ClusterEventRow {
                revision: row.try_get::<i64>("revision").map_err(Error::sql(WHAT))? as u64,
                body: row.try_get("body").map_err(Error::sql(WHAT))?,
            });
        }
        for row in query("SELECT name, value FROM cluster_meta")
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?
        {
            state.meta.insert(
                row.try_get("name").map_err(Error::sql(WHAT))?,
                row.try_get("value").map_err(Error::sql(WHAT))?,
            );
        }
        Ok(state)
    }

    /// Removes all that is stored of the embedded cluster.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn clear(&self) -> Result<(), Error> {
        self.pool
            .connections
            .run("DELETE FROM cluster_object; DELETE FROM cluster_event; DELETE FROM cluster_meta")
            .await
            .map_err(self.pool.failed("clear the cluster's state"))?;
        Ok(())
    }

    /// Closes its database, for an owner that has nothing else in it; other clones can no longer be used.
    #[boxed]
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
