use async_recursion::async_recursion as boxed;

use crate::migrations::Tables;
use crate::statement::query;
use crate::{Error, Pool};

/// What was asked of Applications through the API: what stands in an Application and is not among it was written there by
/// somebody else.
#[derive(Debug, Clone)]
pub struct Orders {
    pool: Pool,
}

/// An operation that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// Which; the operation names it.
    pub id: String,
    /// The Application, `argocd/shop`.
    pub application: String,
    /// Its uid: another one of that name was asked for nothing.
    pub uid: String,
    /// The digest of the operation, hexadecimal.
    pub digest: String,
    /// Who asked.
    pub actor: String,
    /// When, RFC 3339.
    pub at: String,
}

/// How an Application may sync by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    /// The Application, `argocd/shop`.
    pub application: String,
    /// Its uid.
    pub uid: String,
    /// The digest of its policy, hexadecimal.
    pub digest: String,
    /// Who said so: a person, or what delivered it from the base branch.
    pub actor: String,
    /// When, RFC 3339.
    pub at: String,
}

/// Its tables.
pub(crate) const TABLES: Tables =
    Tables { of: "orders", steps: &[include_str!("../migrations/orders/0001_first.sql")] };

impl Orders {
    /// The ones of that database.
    pub fn over(pool: &Pool) -> Self {
        Orders { pool: pool.clone() }
    }

    /// Keeps an order.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn place(&self, order: &OrderRow) -> Result<(), Error> {
        query("INSERT INTO app_order (id, application, uid, digest, actor, at) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(&order.id)
            .bind(&order.application)
            .bind(&order.uid)
            .bind(&order.digest)
            .bind(&order.actor)
            .bind(&order.at)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("keep what is asked of an Application"))?;
        Ok(())
    }

    /// What is not carried out yet, in the order in which it was asked for.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn open(&self) -> Result<Vec<OrderRow>, Error> {
        const WHAT: &str = "read what was asked of Applications";
        let rows = query("SELECT * FROM app_order WHERE done_at IS NULL ORDER BY at, id")
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        rows.iter()
            .map(|row| {
                let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(WHAT));
                Ok(OrderRow {
                    id: text("id")?,
                    application: text("application")?,
                    uid: text("uid")?,
                    digest: text("digest")?,
                    actor: text("actor")?,
                    at: text("at")?,
                })
            })
            .collect()
    }

    /// Writes down that orders are over: they count for nothing from then on.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn done(&self, ids: &[String], at: &str) -> Result<(), Error> {
        for id in ids {
            query("UPDATE app_order SET done_at = $2 WHERE id = $1 AND done_at IS NULL")
                .bind(id)
                .bind(at)
                .execute(&self.pool.connections)
                .await
                .map_err(self.pool.failed("end what was asked of an Application"))?;
        }
        Ok(())
    }

    /// Keeps how an Application may sync by itself, in place of what was kept before.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn set_policy(&self, policy: &PolicyRow) -> Result<(), Error> {
        query(
            "INSERT INTO app_policy (application, uid, digest, actor, at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (application) DO UPDATE SET \
             uid = excluded.uid, digest = excluded.digest, actor = excluded.actor, at = excluded.at",
        )
        .bind(&policy.application)
        .bind(&policy.uid)
        .bind(&policy.digest)
        .bind(&policy.actor)
        .bind(&policy.at)
        .execute(&self.pool.connections)
        .await
        .map_err(self.pool.failed("keep how an Application may sync"))?;
        Ok(())
    }

    /// How Applications may sync by themselves.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn policies(&self) -> Result<Vec<PolicyRow>, Error> {
        const WHAT: &str = "read how Applications may sync";
        let rows = query("SELECT * FROM app_policy ORDER BY application")
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        rows.iter()
            .map(|row| {
                let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(WHAT));
                Ok(PolicyRow {
                    application: text("application")?,
                    uid: text("uid")?,
                    digest: text("digest")?,
                    actor: text("actor")?,
                    at: text("at")?,
                })
            })
            .collect()
    }
}
