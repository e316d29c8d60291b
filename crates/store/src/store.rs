use async_recursion::async_recursion as boxed;

use crate::{
    Accounts, Audit, DatabaseAddress, Error, Facts, Fence, Fleet, History, Journal, Location, News, Orders, Pool,
    Promotions, Purpose, Shards, Tokens,
};

/// The small stores that deliveries need, over one pool. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Store {
    /// What is under way.
    pub journal: Journal,
    /// What was delivered.
    pub history: History,
    /// What must be remembered of a target.
    pub facts: Facts,
    /// Who may use the API.
    pub tokens: Tokens,
    /// Who signs in, and who is signed in.
    pub accounts: Accounts,
    /// What was asked of Applications through the API.
    pub orders: Orders,
    /// Who changed what.
    pub audit: Audit,
    /// What is to be told to people.
    pub news: News,
    /// Edges.
    pub fleet: Fleet,
    /// What is known of images, and what was promoted.
    pub promotions: Promotions,
    /// Who keeps which of the Applications.
    pub shards: Shards,
    pool: Pool,
}

impl Store {
    /// Opens a database and its small stores.
    ///
    /// # Errors
    /// As [`Pool::open`].
    #[boxed]
    pub async fn open(location: Location) -> Result<Store, Error> {
        Ok(Store::over(Pool::open(location).await?))
    }

    /// What one delivery notes, in memory and gone with the value: only journal, history and facts can be asked.
    ///
    /// # Errors
    /// As [`Pool::open`].
    #[boxed]
    pub async fn of_a_delivery() -> Result<Store, Error> {
        Ok(Store::over(Pool::open_for(Location::Memory, Purpose::Delivery).await?))
    }

    /// Opens a database of PostgreSQL and its small stores; [`Store::seal_with`] says by what its journal is sealed.
    ///
    /// # Errors
    /// As [`Pool::open_database`].
    pub async fn open_database(address: &DatabaseAddress) -> Result<Store, Error> {
        Ok(Store::over(Pool::open_database(address).await?))
    }

    fn over(pool: Pool) -> Store {
        Store {
            journal: Journal::over(&pool),
            history: History::over(&pool),
            facts: Facts::over(&pool),
            tokens: Tokens::over(&pool),
            accounts: Accounts::over(&pool),
            orders: Orders::over(&pool),
            audit: Audit::over(&pool),
            news: News::over(&pool),
            fleet: Fleet::over(&pool),
            promotions: Promotions::over(&pool),
            shards: Shards::over(&pool),
            pool,
        }
    }

    /// As [`Pool::seal_with`].
    ///
    /// # Errors
    /// [`Error::NoKey`] when it is no key.
    pub fn seal_with(&self, key: &[u8]) -> Result<(), Error> {
        self.pool.seal_with(key)
    }

    /// The same, whose journal is written only as long as a shard is held.
    #[must_use]
    pub fn fenced(&self, fence: Fence) -> Store {
        Store { journal: self.journal.fenced(fence), ..self.clone() }
    }

    /// Closes the database; other clones can no longer be used.
    #[boxed]
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
