use async_recursion::async_recursion as boxed;

use crate::journal::json;
use crate::migrations::Tables;
use crate::statement::{Row, query};
use crate::{Error, Pool};

/// Who signs in with a password, and who is signed in.
#[derive(Debug, Clone)]
pub struct Accounts {
    pool: Pool,
}

/// An account as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Its name.
    pub name: String,
    /// The slow digest of its password, with what it was made by.
    pub password: String,
    /// Whether nothing but a new password is taken from it.
    pub must_change: bool,
    /// What it is beside itself: `role:owner`.
    pub roles: Vec<String>,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// By whom.
    pub created_by: String,
    /// Since when nobody signs in with it.
    pub disabled_at: Option<String>,
    /// When somebody signed in last.
    pub signed_in_at: Option<String>,
    /// Tries that failed, one after the other.
    pub failed: i64,
    /// Until when no try is taken.
    pub closed_until: Option<String>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The digest of what the browser sends along.
    pub digest: String,
    /// Who.
    pub account: String,
    /// Who has said so; empty for an account of our own.
    pub issuer: String,
    /// What that one is beside itself, as the issuer has said it; an account of our own has its own.
    pub roles: Vec<String>,
    /// When it began, RFC 3339.
    pub began_at: String,
    /// When it ends.
    pub ends_at: String,
    /// When something was asked last, as far as that was written down.
    pub used_at: String,
}

/// Its tables.
pub(crate) const TABLES: Tables =
    Tables { of: "accounts", steps: &[include_str!("../migrations/accounts/0001_first.sql")] };

impl Accounts {
    /// The ones of that database.
    pub fn over(pool: &Pool) -> Self {
        Accounts { pool: pool.clone() }
    }

    /// Keeps a new account; says whether there was none of its name.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn create(&self, account: &AccountRow) -> Result<bool, Error> {
        let done = query(
            "INSERT INTO account (name, password, must_change, roles, created_at, created_by, failed) \
             VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&account.name)
        .bind(&account.password)
        .bind(i64::from(account.must_change))
        .bind(texts(&account.roles))
        .bind(&account.created_at)
        .bind(&account.created_by)
        .execute(&self.pool.connections)
        .await
        .map_err(self.pool.failed("create an account"))?;
        Ok(done.rows_affected() > 0)
    }

    /// An account, also one that is disabled.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn find(&self, name: &str) -> Result<Option<AccountRow>, Error> {
        let row = query("SELECT * FROM account WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool.connections)
            .await
            .map_err(self.pool.failed("read an account"))?;
        row.map(|row| account(&row)).transpose()
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn all(&self) -> Result<Vec<AccountRow>, Error> {
        let rows = query("SELECT * FROM account ORDER BY name")
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed("read accounts"))?;
        rows.iter().map(account).collect()
    }

    /// Gives an account another password and opens it for tries; whoever was signed in with the old one is no longer.
    /// Says whether there is such an account.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn set_password(&self, name: &str, password: &str, must_change: bool) -> Result<bool, Error> {
        const WHAT: &str = "change a password";
        let done = query(
            "UPDATE account SET password = $2, must_change = $3, failed = 0, closed_until = NULL WHERE name = $1",
        )
        .bind(name)
        .bind(password)
        .bind(i64::from(must_change))
        .execute(&self.pool.connections)
        .await
        .map_err(self.pool.failed(WHAT))?;
        self.end_all(name).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Disables an account, or opens it again where no time is given; a disabled one is signed out. Says whether there is
    /// such an account.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn disable(&self, name: &str, at: Option<&str>) -> Result<bool, Error> {
        let done = query("UPDATE account SET disabled_at = $2 WHERE name = $1")
            .bind(name)
            .bind(at)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("disable an account"))?;
        if at.is_some() {
            self.end_all(name).await?;
        }
        Ok(done.rows_affected() > 0)
    }

    /// Counts a try before it is made: it fails until it is said that it did not. Says whether nobody else counted one
    /// meanwhile.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn count_try(&self, name: &str, failed: i64, closed_until: Option<&str>) -> Result<bool, Error> {
        let done = query("UPDATE account SET failed = $2 + 1, closed_until = $3 WHERE name = $1 AND failed = $2")
            .bind(name)
            .bind(failed)
            .bind(closed_until)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("count a try to sign in"))?;
        Ok(done.rows_affected() > 0)
    }

    /// Somebody has signed in: the tries before it are forgotten.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn signed_in(&self, name: &str, at: &str) -> Result<(), Error> {
        query("UPDATE account SET failed = 0, closed_until = NULL, signed_in_at = $2 WHERE name = $1")
            .bind(name)
            .bind(at)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("note who signs in"))?;
        Ok(())
    }

    /// Keeps a session; those that have ended by its beginning are forgotten.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn begin(&self, session: &SessionRow) -> Result<(), Error> {
        const WHAT: &str = "begin a session";
        query("DELETE FROM account_session WHERE ends_at < $1")
            .bind(&session.began_at)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        query(
            "INSERT INTO account_session (digest, account, issuer, roles, began_at, ends_at, used_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&session.digest)
        .bind(&session.account)
        .bind(&session.issuer)
        .bind(texts(&session.roles))
        .bind(&session.began_at)
        .bind(&session.ends_at)
        .bind(&session.used_at)
        .execute(&self.pool.connections)
        .await
        .map_err(self.pool.failed(WHAT))?;
        Ok(())
    }

    /// A session by its digest, also one that has ended by its time.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn session(&self, digest: &str) -> Result<Option<SessionRow>, Error> {
        let row = query("SELECT * FROM account_session WHERE digest = $1")
            .bind(digest)
            .fetch_optional(&self.pool.connections)
            .await
            .map_err(self.pool.failed("read a session"))?;
        row.map(|row| session(&row)).transpose()
    }

    /// Writes down when a session was used last.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn used(&self, digest: &str, at: &str) -> Result<(), Error> {
        query("UPDATE account_session SET used_at = $2 WHERE digest = $1")
            .bind(digest)
            .bind(at)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("note the use of a session"))?;
        Ok(())
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn end(&self, digest: &str) -> Result<(), Error> {
        query("DELETE FROM account_session WHERE digest = $1")
            .bind(digest)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("end a session"))?;
        Ok(())
    }

    /// Ends all sessions of an account of our own.
    async fn end_all(&self, name: &str) -> Result<(), Error> {
        query("DELETE FROM account_session WHERE account = $1 AND issuer = ''")
            .bind(name)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("end sessions"))?;
        Ok(())
    }
}

fn texts(list: &[String]) -> String {
    serde_json::Value::from(list.to_vec()).to_string()
}

fn list(row: &Row, column: &str, what: &'static str) -> Result<Vec<String>, Error> {
    let list = json(&row.try_get::<String>(column).map_err(Error::sql(what))?, "an account")?;
    Ok(list.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect())
}

fn account(row: &Row) -> Result<AccountRow, Error> {
    const WHAT: &str = "read an account";
    let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(WHAT));
    let perhaps = |column: &str| row.try_get::<Option<String>>(column).map_err(Error::sql(WHAT));
    let number = |column: &str| row.try_get::<i64>(column).map_err(Error::sql(WHAT));
    Ok(AccountRow {
        name: text("name")?,
        password: text("password")?,
        must_change: number("must_change")? != 0,
        roles: list(row, "roles", WHAT)?,
        created_at: text("created_at")?,
        created_by: text("created_by")?,
        disabled_at: perhaps("disabled_at")?,
        signed_in_at: perhaps("signed_in_at")?,
        failed: number("failed")?,
        closed_until: perhaps("closed_until")?,
    })
}

fn session(row: &Row) -> Result<SessionRow, Error> {
    const WHAT: &str = "read a session";
    let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(WHAT));
    Ok(SessionRow {
        digest: text("digest")?,
        account: text("account")?,
        issuer: text("issuer")?,
        roles: list(row, "roles", WHAT)?,
        began_at: text("began_at")?,
        ends_at: text("ends_at")?,
        used_at: text("used_at")?,
    })
}
