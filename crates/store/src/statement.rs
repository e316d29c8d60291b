//! One text of a statement for every back end: what is bound, carried out and read is the same, and only here is it known which
//! database is behind it.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::postgres::{PgPool, PgRow};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Postgres, Row as _, SqlSafeStr as _, SqlStr, Sqlite};

use crate::sqlite_transaction::SqliteTransaction;

/// How long a database that is reached over a network may take for one statement; what is in a file answers or fails.
const STATEMENT: Duration = Duration::from_secs(8);

/// Rows of one statement: SQLite takes 32,766 variables, and beyond some hundred rows nothing is gained.
pub(crate) const CHUNK: usize = 200;

/// The connections of a database.
#[derive(Debug, Clone)]
pub(crate) enum Connections {
    /// To a file, or memory.
    Sqlite(SqlitePool),
    /// To a server.
    Postgres(PgPool),
}

/// Statements that become durable together, or not at all: dropped, it is taken back.
pub(crate) enum Transaction {
    Sqlite(SqliteTransaction),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// What a statement is carried out on.
pub(crate) enum On<'a> {
    Any(&'a Connections),
    Transaction(&'a mut Transaction),
}

impl<'a> From<&'a Connections> for On<'a> {
    fn from(connections: &'a Connections) -> Self {
        On::Any(connections)
    }
}

impl<'a> From<&'a mut Transaction> for On<'a> {
    fn from(transaction: &'a mut Transaction) -> Self {
        On::Transaction(transaction)
    }
}

/// What is bound.
pub(crate) enum Value<'a> {
    Text(Option<Cow<'a, str>>),
    Number(Option<i64>),
    Bytes(&'a [u8]),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Some(Cow::Borrowed(text)))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(Some(Cow::Borrowed(text)))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Some(Cow::Owned(text)))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Value::Text(text.map(Cow::Borrowed))
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Value::Text(text.as_deref().map(Cow::Borrowed))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Number(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Value::Number(number)
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}

/// A statement and what is bound to its `$1`, `$2`, …
pub(crate) struct Statement<'a> {
    text: SqlStr,
    values: Vec<Value<'a>>,
}

/// A statement.
pub(crate) fn query<'a>(text: &'static str) -> Statement<'a> {
    Statement { text: text.into_sql_str(), values: Vec::new() }
}

/// A statement whose text was put together of our own words and `$N` alone.
pub(crate) fn composed<'a>(text: String) -> Statement<'a> {
    Statement { text: AssertSqlSafe(text).into_sql_str(), values: Vec::new() }
}

/// So many tuples of so many places: `($1, $2), ($3, $4)`.
pub(crate) fn tuples(rows: usize, columns: usize) -> String {
    let tuple = |row: usize| {
        let places: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(tuple).collect::<Vec<_>>().join(", ")
}

/// Carries a statement out on a connection of either kind.
macro_rules! bound {
    ($kind:ty, $statement:expr) => {{
        let Statement { text, values } = $statement;
        let mut query = sqlx::query::<$kind>(text);
        for value in values {
            query = match value {
                Value::Text(text) => query.bind(text.map(Cow::into_owned)),
                Value::Number(number) => query.bind(number),
                Value::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}

/// The same on whatever it is to be carried out on, by one of sqlx's verbs.
macro_rules! carried_out {
    ($self:ident, $on:ident, $verb:ident, $row:expr) => {{
        let on: On<'_> = $on.into();
        match on {
            On::Any(Connections::Sqlite(pool)) => bound!(Sqlite, $self).$verb(pool).await.map($row),
            On::Transaction(Transaction::Sqlite(open)) => {
                bound!(Sqlite, $self).$verb(open.connection()?).await.map($row)
            }
            On::Any(Connections::Postgres(pool)) => within(bound!(Postgres, $self).$verb(pool)).await.map($row),
            On::Transaction(Transaction::Postgres(open)) => {
                within(bound!(Postgres, $self).$verb(&mut **open)).await.map($row)
            }
        }
    }};
}

/// A server that does not answer has failed: whoever waited for it goes on, or stops.
async fn within<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(STATEMENT, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            format!("the database did not answer within {} s", STATEMENT.as_secs()),
        ))),
    }
}

impl<'a> Statement<'a> {
    /// Binds the next value.
    pub(crate) fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Carries it out; how many rows it has changed.
    pub(crate) async fn execute(self, on: impl Into<On<'_>>) -> Result<Done, sqlx::Error> {
        carried_out!(self, on, execute, |done| Done(done.rows_affected()))
    }

    /// All that it finds.
    pub(crate) async fn fetch_all(self, on: impl Into<On<'_>>) -> Result<Vec<Row>, sqlx::Error> {
        carried_out!(self, on, fetch_all, |rows| rows.into_iter().map(Row::from).collect())
    }

    /// The one that it finds, if any.
    pub(crate) async fn fetch_optional(self, on: impl Into<On<'_>>) -> Result<Option<Row>, sqlx::Error> {
        carried_out!(self, on, fetch_optional, |row| row.map(Row::from))
    }

    /// The one that it finds.
    pub(crate) async fn fetch_one(self, on: impl Into<On<'_>>) -> Result<Row, sqlx::Error> {
        carried_out!(self, on, fetch_one, Row::from)
    }
}

/// What a statement has done.
pub(crate) struct Done(u64);

impl Done {
    pub(crate) fn rows_affected(&self) -> u64 {
        self.0
    }
}

/// What a statement has found.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Row::Sqlite(row)
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Row::Postgres(row)
    }
}

/// A type that a column is read as: texts, numbers and bytes, in every back end.
pub(crate) trait Column:
    for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite> + for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>
{
}

impl Column for String {}
impl Column for Option<String> {}
impl Column for i64 {}
impl Column for Option<i64> {}
impl Column for Vec<u8> {}

impl Row {
    /// What stands in a column.
    pub(crate) fn try_get<T: Column>(&self, column: &str) -> Result<T, sqlx::Error> {
        match self {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        }
    }
}

impl Connections {
    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        match self {
            Connections::Sqlite(pool) => SqliteTransaction::begin(pool).await.map(Transaction::Sqlite),
            Connections::Postgres(pool) => within(pool.begin()).await.map(Transaction::Postgres),
        }
    }

    /// Begins one of which there is one at a time, for what counts on by what is there already. A file has one writer.
    pub(crate) async fn begin_alone(&self, what: &'static str) -> Result<Transaction, sqlx::Error> {
        let mut transaction = self.begin().await?;
        transaction.alone(what).await?;
        Ok(transaction)
    }

    /// Carries out several statements that bind nothing.
    pub(crate) async fn run(&self, text: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Connections::Sqlite(pool) => sqlx::raw_sql(text).execute(pool).await.map(drop),
            Connections::Postgres(pool) => within(sqlx::raw_sql(text).execute(pool)).await.map(drop),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Connections::Sqlite(pool) => pool.close().await,
            Connections::Postgres(pool) => pool.close().await,
        }
    }
}

impl Transaction {
    /// Makes it durable.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Transaction::Sqlite(open) => open.commit().await,
            Transaction::Postgres(open) => within(open.commit()).await,
        }
    }

    /// Waits until no other transaction holds this, and holds it to its end.
    pub(crate) async fn alone(&mut self, what: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Transaction::Sqlite(_) => Ok(()),
            Transaction::Postgres(_) => {
                query("SELECT pg_advisory_xact_lock(hashtext($1))").bind(what).execute(self).await.map(drop)
            }
        }
    }

    /// Carries out the statements of migrations, which are words of our own alone.
    pub(crate) async fn run(&mut self, text: &str) -> Result<(), sqlx::Error> {
        match self {
            Transaction::Sqlite(open) => {
                sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(open.connection()?).await.map(drop)
            }
            Transaction::Postgres(open) => {
                let text = AssertSqlSafe(as_postgres_says(text));
                within(sqlx::raw_sql(text).execute(&mut **open)).await.map(drop)
            }
        }
    }
}

/// A migration as PostgreSQL says it: bytes have another name there, and texts are ordered by their bytes, as SQLite orders them,
/// whatever language the database was made for.
fn as_postgres_says(text: &str) -> String {
    text.replace(" BLOB", " BYTEA").replace(" TEXT", " TEXT COLLATE \"C\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, Pool};

    /// Without room SQLite takes a whole transaction back by itself, or leaves it open, as it fails.
    #[tokio::test]
    async fn what_is_committed_after_transactions_that_failed_is_durable() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("store.db");
        let pool = Pool::open(Location::File(file.clone())).await.expect("opened");
        let on = &pool.connections;
        on.run(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY); \
             CREATE TABLE child (id INTEGER PRIMARY KEY, of_id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED, body BLOB); \
             PRAGMA max_page_count = 1",
        )
        .await
        .expect("made");
        let mut full = on.begin().await.expect("begun");
        let large = query("INSERT INTO child (id, body) VALUES (1, zeroblob(10000000))").execute(&mut full).await;
        assert!(large.is_err(), "there is room");
        drop(full);
        on.run("PRAGMA max_page_count = 1000000").await.expect("room");

        let mut orphan = on.begin().await.expect("begun");
        query("INSERT INTO child (id, of_id) VALUES (2, 99)").execute(&mut orphan).await.expect("not looked at yet");
        assert!(orphan.commit().await.is_err(), "99 is nowhere");

        let mut whole = on.begin().await.expect("begun");
        query("INSERT INTO parent (id) VALUES (7)").execute(&mut whole).await.expect("inserted");
        whole.commit().await.expect("committed");
        pool.close().await;

        let pool = Pool::open(Location::File(file)).await.expect("opened again");
        let count = |text: &'static str| query(text).fetch_one(&pool.connections);
        let parents = count("SELECT COUNT(*) AS n FROM parent").await.expect("counted");
        assert_eq!(parents.try_get::<i64>("n").expect("a number"), 1, "what was committed is gone");
        let children = count("SELECT COUNT(*) AS n FROM child").await.expect("counted");
        assert_eq!(children.try_get::<i64>("n").expect("a number"), 0, "what failed is there");
    }

    #[tokio::test]
    async fn what_is_dropped_is_taken_back_in_memory_too() {
        let pool = Pool::open(Location::Memory).await.expect("opened");
        let on = &pool.connections;
        on.run("CREATE TABLE row (id INTEGER PRIMARY KEY)").await.expect("made");
        let mut dropped = on.begin().await.expect("begun");
        query("INSERT INTO row (id) VALUES (1)").execute(&mut dropped).await.expect("inserted");
        drop(dropped);
        let mut kept = on.begin().await.expect("begun");
        query("INSERT INTO row (id) VALUES (2)").execute(&mut kept).await.expect("inserted");
        kept.commit().await.expect("committed");
        let rows = query("SELECT id FROM row").fetch_all(on).await.expect("read");
        let ids: Vec<i64> = rows.iter().map(|row| row.try_get("id").expect("a number")).collect();
        assert_eq!(ids, [2]);
    }
}
