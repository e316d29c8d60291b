use sqlx::postgres::PgListener;

use crate::migrations::Tables;
use crate::statement::{Connections, Transaction, query};
use crate::{Error, Pool};

/// Who writes the journal of which shard of Applications, where several processes share a database.
#[derive(Debug, Clone)]
pub struct Shards {
    pool: Pool,
}

/// By what a process writes the journal of a shard: it holds until somebody else takes the shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The shard's number, from 0.
    pub shard: i64,
    /// Counted on whenever somebody takes the shard.
    pub epoch: i64,
    /// Who has taken it: a name that no other process has, nor this one when it is started again.
    pub holder: String,
}

/// What replicas call to each other by.
const CHANNEL: &str = "landfall";

/// What is announced.
#[derive(Debug)]
pub struct Announcements {
    listener: PgListener,
    pool: Pool,
}

impl Announcements {
    /// The next one.
    ///
    /// # Errors
    /// [`Error::Away`] while the database does not answer; asked again, it listens again.
    pub async fn next(&mut self) -> Result<String, Error> {
        let heard = self.listener.recv().await.map_err(self.pool.failed("listen to the other replicas"))?;
        Ok(heard.payload().to_owned())
    }
}

/// Its tables.
pub(crate) const TABLES: Tables =
    Tables { of: "shards", steps: &[include_str!("../migrations/shards/0001_first.sql")] };

impl Shards {
    /// The ones of that database.
    pub fn over(pool: &Pool) -> Self {
        Shards { pool: pool.clone() }
    }

    /// Takes a shard, of so many: from then on nobody who had it before writes its journal. What was being written at that moment is
    /// waited for.
    ///
    /// The epoch is greater than every one that was given out before, and than `known`, which the caller has seen elsewhere: a
    /// database that was lost begins behind it. Whoever keeps Applications in another number of shards writes no journal any
    /// more: two numbers place them differently.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Away`].
    pub async fn take(&self, (shard, of): (i64, i64), holder: &str, known: i64) -> Result<Fence, Error> {
        const WHAT: &str = "take a shard";
        let mut transaction = self.pool.connections.begin_alone("shards").await.map_err(self.pool.failed(WHAT))?;
        query("DELETE FROM shard WHERE shards <> $1")
            .bind(of)
            .execute(&mut transaction)
            .await
            .map_err(self.pool.failed(WHAT))?;
        let row = query(
            "INSERT INTO shard (number, epoch, holder, shards) VALUES ($1, $2, $3, $4) ON CONFLICT (number) DO UPDATE SET \
             epoch = CASE WHEN shard.epoch < excluded.epoch THEN excluded.epoch ELSE shard.epoch + 1 END, \
             holder = excluded.holder RETURNING epoch",
        )
        .bind(shard)
        .bind(known.saturating_add(1))
        .bind(holder)
        .bind(of)
        .fetch_one(&mut transaction)
        .await
        .map_err(self.pool.failed(WHAT))?;
        let epoch = row.try_get("epoch").map_err(Error::sql(WHAT))?;
        transaction.commit().await.map_err(self.pool.failed(WHAT))?;
        Ok(Fence { shard, epoch, holder: holder.to_owned() })
    }

    /// Asks the database for nothing: it is there where that is answered.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Away`].
    pub async fn answers(&self) -> Result<(), Error> {
        let asked = query("SELECT 1").execute(&self.pool.connections).await;
        asked.map(drop).map_err(self.pool.failed("ask whether it is there"))
    }

    /// Whether a fence still holds, and, with that, whether the database answers.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Away`].
    pub async fn holds(&self, fence: &Fence) -> Result<bool, Error> {
        let mut transaction = self.pool.connections.begin().await.map_err(self.pool.failed("look at a shard"))?;
        match admit(&self.pool, &mut transaction, fence).await {
            Ok(()) => Ok(true),
            Err(Error::Fenced { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Tells something to every process that shares the database and listens; to nobody where none does. It may be lost.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Away`].
    pub async fn announce(&self, text: &str) -> Result<(), Error> {
        if matches!(self.pool.connections, Connections::Sqlite(_)) {
            return Ok(());
        }
        query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(text)
            .execute(&self.pool.connections)
            .await
            .map(drop)
            .map_err(self.pool.failed("tell the other replicas"))
    }

    /// Listens to what is announced, by this process, too; nothing where no other one shares the database.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Away`].
    pub async fn listen(&self) -> Result<Option<Announcements>, Error> {
        const WHAT: &str = "listen to the other replicas";
        let Connections::Postgres(pool) = &self.pool.connections else { return Ok(None) };
        let mut listener = PgListener::connect_with(pool).await.map_err(self.pool.failed(WHAT))?;
        listener.listen(CHANNEL).await.map_err(self.pool.failed(WHAT))?;
        Ok(Some(Announcements { listener, pool: self.pool.clone() }))
    }

    /// Makes the tables anew where they are gone: a database that was lost begins empty.
    ///
    /// # Errors
    /// [`Error::TooNew`], [`Error::Sql`], [`Error::Away`].
    pub async fn prepare(&self) -> Result<(), Error> {
        crate::migrations::run(&self.pool, crate::Purpose::Everything).await
    }
}

/// Lets a transaction write for a shard as long as nobody else has taken that: who wants to take it waits until the transaction
/// has ended, and whoever has been overtaken is refused.
pub(crate) async fn admit(pool: &Pool, transaction: &mut Transaction, fence: &Fence) -> Result<(), Error> {
    // In a file there is one writer at a time, who needs no lock.
    let text = match transaction {
        Transaction::Sqlite(_) => "SELECT number FROM shard WHERE number = $1 AND epoch = $2 AND holder = $3",
        Transaction::Postgres(_) => {
            "SELECT number FROM shard WHERE number = $1 AND epoch = $2 AND holder = $3 FOR SHARE"
        }
    };
    let found = query(text)
        .bind(fence.shard)
        .bind(fence.epoch)
        .bind(&fence.holder)
        .fetch_optional(transaction)
        .await
        .map_err(pool.failed("look who keeps a shard"))?;
    match found {
        Some(_) => Ok(()),
        None => Err(Error::Fenced { shard: fence.shard, epoch: fence.epoch }),
    }
}
