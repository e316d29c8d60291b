use async_recursion::async_recursion as boxed;

use crate::{Accounts, Audit, Error, Facts, Fleet, History, Journal, Location, News, Orders, Pool, Promotions, Tokens};

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
    pool: Pool,
}

impl Store {
    /// Opens a database and its small stores.
    ///
    /// # Errors
    /// As [`Pool::open`].
    #[boxed]
    pub async fn open(location: Location) -> Result<Store, Error> {
        let pool = Pool::open(location).await?;
        Ok(Store {
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
            pool,
        })
    }

    /// Closes the database; other clones can no longer be used.
    #[boxed]
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
