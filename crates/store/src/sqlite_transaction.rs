//! A transaction of SQLite's.

use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, SqliteConnection};
use tokio::runtime::Handle;

/// Statements on one connection that become durable together; dropped before that, they are taken back.
///
/// sqlx's own transactions count how deep they are, beside SQLite. Where there is no room SQLite takes a transaction back by itself, or
/// leaves it open when it cannot be committed; the two counts differ then, and what is begun after that is a savepoint within a
/// transaction that nobody ever commits: it reads as written, and is gone with the process. Here SQLite alone knows whether one is open.
pub(crate) struct SqliteTransaction(Option<PoolConnection<Sqlite>>);

impl SqliteTransaction {
    pub(crate) async fn begin(pool: &SqlitePool) -> Result<Self, sqlx::Error> {
        let mut open = SqliteTransaction(Some(pool.acquire().await?));
        sqlx::raw_sql("BEGIN").execute(open.connection()?).await?;
        Ok(open)
    }

    /// What its statements are carried out on.
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.0.as_deref_mut().ok_or(sqlx::Error::WorkerCrashed)
    }

    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(self.connection()?).await?;
        drop(self.0.take());
        Ok(())
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else { return };
        match Handle::try_current() {
            // Nobody else is given the connection before.
            Ok(runtime) => drop(runtime.spawn(take_back(connection))),
            Err(_) => connection.close_on_drop(),
        }
    }
}

/// Takes back what is open on a connection, and hands it on.
async fn take_back(mut connection: PoolConnection<Sqlite>) {
    let Err(error) = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await else { return };
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // The plain code of an error: that SQLite has taken it back already.
    if code.as_deref() != Some("1") {
        connection.close_on_drop();
    }
}
