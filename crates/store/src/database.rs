use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::Error;

/// Connections of one process: as many statements are under way at once.
const CONNECTIONS: u32 = 8;
/// How long is waited for one of them, or for a new one.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a session of ours is ended by, in the server's own words: a process that is cut off in the middle of a transaction keeps
/// nobody else from what it has locked.
const SESSION: &str = "SET idle_in_transaction_session_timeout = 5000; SET lock_timeout = 7000; \
     SET statement_timeout = 8000; SET client_min_messages = warning";

/// Where a database of PostgreSQL is, and as whom it is asked.
#[derive(Clone)]
pub struct DatabaseAddress {
    options: PgConnectOptions,
    has_password: bool,
}

/// A text that is no address of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an address of PostgreSQL is wanted, as postgres://USER@HOST:5432/DATABASE ({why})")]
pub struct BadDatabaseAddress {
    why: String,
}

impl FromStr for DatabaseAddress {
    type Err = BadDatabaseAddress;

    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`, as libpq reads it, with `PGPASSWORD` and `~/.pgpass`.
    fn from_str(text: &str) -> Result<Self, BadDatabaseAddress> {
        let bad = |why: &str| BadDatabaseAddress { why: why.to_owned() };
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest = rest.ok_or_else(|| bad("it begins with another word"))?;
        // Neither the text nor what the parser says of it is repeated: both may hold the password.
        let options = PgConnectOptions::from_str(text).map_err(|_| bad("it cannot be read"))?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let has_password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
        if options.get_database().is_none() {
            return Err(bad("it names no database"));
        }
        Ok(DatabaseAddress { options: options.application_name("landfall"), has_password })
    }
}

impl std::fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DatabaseAddress").field(&self.shown()).finish()
    }
}

impl DatabaseAddress {
    /// Without the password, for people.
    pub fn shown(&self) -> String {
        let options = &self.options;
        let database = options.get_database().unwrap_or_default();
        format!("postgres://{}@{}:{}/{database}", options.get_username(), options.get_host(), options.get_port())
    }

    /// Whether the text itself had the password in it.
    pub fn has_password(&self) -> bool {
        self.has_password
    }

    /// The right to be the only process that works on something of the database; nothing where another one has it.
    ///
    /// # Errors
    /// [`Error::Connect`] when it is not there or does not let us in.
    pub async fn sole(&self, what: &'static str) -> Result<Option<Sole>, Error> {
        let mut connection = self.alone().await?;
        let taken: Result<bool, sqlx::Error> =
            sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtext($1))").bind(what).fetch_one(&mut connection).await;
        let taken = taken.map_err(|source| Error::Connect { database: self.shown(), source })?;
        Ok(taken.then_some(Sole { connection }))
    }

    /// One connection without the pool, which would try again and say only that it has none.
    async fn alone(&self) -> Result<PgConnection, Error> {
        let failed = |source| Error::Connect { database: self.shown(), source };
        match tokio::time::timeout(PATIENCE, self.options.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(failed(error)),
            Err(_) => Err(failed(sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("there was no answer within {} s", PATIENCE.as_secs()),
            )))),
        }
    }

    /// Connects.
    pub(crate) async fn connect(&self) -> Result<PgPool, Error> {
        let options = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .after_connect(|connection, _| Box::pin(async move { connection.execute(SESSION).await.map(drop) }));
        let _closed = self.alone().await?.close().await;
        Ok(options.connect_lazy_with(self.options.clone()))
    }
}

/// The right to be the only process that works on something. The database takes it back when the connection ends, also that of a process
/// which was killed.
#[derive(Debug)]
pub struct Sole {
    connection: PgConnection,
}

impl Sole {
    /// Whether it is still had.
    pub async fn lasts(&mut self) -> bool {
        matches!(tokio::time::timeout(PATIENCE, self.connection.ping()).await, Ok(Ok(())))
    }
}

/// Whether a failure is that the database cannot be reached, or is about to end: the same statement may succeed later.
pub(crate) fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        // Connections that end (08), a server that ends or begins (57P), too many connections (53), read-only since it stands by (25006).
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "57P", "53", "25006", "25P03", "28"].iter().any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password_and_a_bad_one_is_not_repeated() {
        let address: DatabaseAddress = "postgres://landfall:hunter2@db.example:6432/fleet".parse().expect("an address");
        assert_eq!(address.shown(), "postgres://landfall@db.example:6432/fleet");
        assert!(address.has_password());
        assert!(!format!("{address:?}").contains("hunter2"));
        for bad in ["mysql://a:hunter2@b/c", "postgres://u:hunter2@[x/y", "hunter2"] {
            let told = bad.parse::<DatabaseAddress>().expect_err(bad).to_string();
            assert!(!told.contains("hunter2") && told.contains("postgres://USER@HOST"), "{told}");
        }
        let plain: DatabaseAddress = "postgresql://landfall@localhost/fleet".parse().expect("an address");
        assert!(!plain.has_password());
    }
}
