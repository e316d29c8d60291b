use async_recursion::async_recursion as boxed;

use crate::journal::json;
use crate::migrations::Tables;
use crate::statement::{Row, query};
use crate::{Error, Pool};

/// Tokens of the API, of each the digest of its secret half alone.
#[derive(Debug, Clone)]
pub struct Tokens {
    pool: Pool,
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its public half.
    pub id: String,
    /// What people call it: the actor of what is done with it.
    pub name: String,
    /// The digest of its secret half, hexadecimal.
    pub digest: String,
    /// What may be done with it.
    pub scopes: Vec<String>,
    /// The projects whose Applications it is for, as globs.
    pub projects: Vec<String>,
    /// The paths of repositories that it is for, as patterns; every one when empty.
    pub paths: Vec<String>,
    /// Whose rights it has by the policy; its scopes' alone when empty.
    pub role: String,
    /// When it was issued, RFC 3339.
    pub issued_at: String,
    /// By whom.
    pub issued_by: String,
    /// Until when it is good; without an end when absent.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it was used last, as far as that was written down.
    pub used_at: Option<String>,
}

/// Its tables.
pub(crate) const TABLES: Tables = Tables {
    of: "tokens",
    steps: &[
        include_str!("../migrations/tokens/0001_first.sql"),
        include_str!("../migrations/tokens/0002_role.sql"),
        include_str!("../migrations/tokens/0003_paths.sql"),
    ],
};

impl Tokens {
    /// The ones of that database.
    pub fn over(pool: &Pool) -> Self {
        Tokens { pool: pool.clone() }
    }

    /// Keeps a new token.
    ///
    /// # Errors
    /// [`Error::Sql`], also where there is one with its public half.
    #[boxed]
    pub async fn issue(&self, token: &TokenRow) -> Result<(), Error> {
        let texts = |list: &[String]| serde_json::Value::from(list.to_vec()).to_string();
        query(
            "INSERT INTO api_token (id, name, digest, scopes, projects, issued_at, issued_by, expires_at, role, paths) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(&token.id)
        .bind(&token.name)
        .bind(&token.digest)
        .bind(texts(&token.scopes))
        .bind(texts(&token.projects))
        .bind(&token.issued_at)
        .bind(&token.issued_by)
        .bind(&token.expires_at)
        .bind(&token.role)
        .bind(texts(&token.paths))
        .execute(&self.pool.connections)
        .await
        .map_err(self.pool.failed("issue a token"))?;
        Ok(())
    }

    /// A token, also one that is no longer good.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn find(&self, id: &str) -> Result<Option<TokenRow>, Error> {
        const WHAT: &str = "read a token";
        let row = query("SELECT * FROM api_token WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        row.map(|row| token(&row)).transpose()
    }

    /// All of them, in the order in which they were issued.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn all(&self) -> Result<Vec<TokenRow>, Error> {
        let rows = query("SELECT * FROM api_token ORDER BY issued_at, id")
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed("read tokens"))?;
        rows.iter().map(token).collect()
    }

    /// Revokes a token; says whether there was one that was not revoked yet.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn revoke(&self, id: &str, at: &str) -> Result<bool, Error> {
        let done = query("UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .bind(at)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("revoke a token"))?;
        Ok(done.rows_affected() > 0)
    }

    /// Forgets the tokens of an issuer that ended before a time (RFC 3339, in whole seconds and UTC, as they are kept).
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn forget(&self, issued_by: &str, before: &str) -> Result<(), Error> {
        query("DELETE FROM api_token WHERE issued_by = $1 AND expires_at IS NOT NULL AND expires_at < $2")
            .bind(issued_by)
            .bind(before)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("forget tokens"))?;
        Ok(())
    }

    /// Writes down when a token was used last.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn used(&self, id: &str, at: &str) -> Result<(), Error> {
        query("UPDATE api_token SET used_at = $2 WHERE id = $1")
            .bind(id)
            .bind(at)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("note the use of a token"))?;
        Ok(())
    }
}

fn token(row: &Row) -> Result<TokenRow, Error> {
    const WHAT: &str = "read a token";
    let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(WHAT));
    let perhaps = |column: &str| row.try_get::<Option<String>>(column).map_err(Error::sql(WHAT));
    let texts = |column: &str| -> Result<Vec<String>, Error> {
        let list = json(&text(column)?, "a token")?;
        Ok(list.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect())
    };
    Ok(TokenRow {
        id: text("id")?,
        name: text("name")?,
        digest: text("digest")?,
        scopes: texts("scopes")?,
        projects: texts("projects")?,
        paths: texts("paths")?,
        role: text("role")?,
        issued_at: text("issued_at")?,
        issued_by: text("issued_by")?,
        expires_at: perhaps("expires_at")?,
        revoked_at: perhaps("revoked_at")?,
        used_at: perhaps("used_at")?,
    })
}
