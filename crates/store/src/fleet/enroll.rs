//! An edge comes into being and its token is used up, both or neither.

use super::{CredentialRow, EdgeEventRow, EdgeRow, EdgeTokenRow, Fleet, write};
use crate::Error;
use crate::statement::{Transaction, query};

/// What enrolls.
#[derive(Debug, Clone)]
pub struct NewEdge {
    /// The edge; its number is chosen here.
    pub edge: EdgeRow,
    /// Its credential; the edge's number is filled in here.
    pub credential: CredentialRow,
    /// What is told of it; the edge's number is filled in here.
    pub event: EdgeEventRow,
    /// With which token.
    pub token: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrollment {
    /// It is the fleet's.
    Done(Box<EdgeRow>),
    /// The token is revoked, used up or past its time. Nothing was written.
    BadToken,
    /// The device number is another edge's. Nothing was written, the token's use is not counted.
    Taken,
}

const WHAT: &str = "enroll an edge";

impl Fleet {
    /// Enrolls an edge: [`Fleet::enroll_all`] of it alone.
    ///
    /// # Errors
    /// [`Error::Sql`]: nothing was written.
    pub async fn enroll(&self, new: &NewEdge, now: i64) -> Result<Enrollment, Error> {
        let mut enrolled = self.enroll_all(std::slice::from_ref(new), now).await?;
        // One answer for each that is asked for.
        Ok(enrolled.pop().unwrap_or(Enrollment::BadToken))
    }

    /// Enrolls edges in one transaction, one after the other: each's use of its token is counted if that has one left, and it is
    /// written if its device number is nobody's, or is to be enrolled once more. Then it keeps its number, and its credentials are
    /// revoked. Who is refused keeps nobody else from being enrolled.
    ///
    /// # Errors
    /// [`Error::Sql`]: nothing of any of them was written.
    pub async fn enroll_all(&self, new: &[NewEdge], now: i64) -> Result<Vec<Enrollment>, Error> {
        let mut transaction = self.pool.connections.begin_alone("edge").await.map_err(self.pool.failed(WHAT))?;
        let mut enrolled = Vec::with_capacity(new.len());
        for new in new {
            enrolled.push(enroll(&mut transaction, new, now).await.map_err(self.pool.failed(WHAT))?);
        }
        // Otherwise it is dropped: nothing was written.
        if enrolled.iter().any(|it| matches!(it, Enrollment::Done(_))) {
            transaction.commit().await.map_err(self.pool.failed(WHAT))?;
        }
        Ok(enrolled)
    }
}

/// Of whom a refused edge hears nothing: a device number is looked at only for who has a good token, and nothing of what is refused is
/// written, so that the transaction goes on.
async fn enroll(on: &mut Transaction, new: &NewEdge, now: i64) -> Result<Enrollment, sqlx::Error> {
    let good = query(
        "SELECT id FROM edge_token WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2) \
         AND (max_uses IS NULL OR used_count < max_uses)",
    )
    .bind(&new.token)
    .bind(now)
    .fetch_optional(&mut *on)
    .await?;
    if good.is_none() {
        return Ok(Enrollment::BadToken);
    }
    let known = query("SELECT number, id, reenroll_until FROM edge WHERE device_number = $1")
        .bind(&new.edge.device_number)
        .fetch_optional(&mut *on)
        .await?;
    if let Some(row) = &known {
        let until: Option<i64> = row.try_get("reenroll_until")?;
        if until.is_none_or(|until| until <= now) {
            return Ok(Enrollment::Taken);
        }
    }
    // It may have been revoked since it was looked at.
    let used = query(
        "UPDATE edge_token SET used_count = used_count + 1, last_used_at = $2 \
         WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2) \
         AND (max_uses IS NULL OR used_count < max_uses)",
    )
    .bind(&new.token)
    .bind(now)
    .execute(&mut *on)
    .await?;
    if used.rows_affected() == 0 {
        return Ok(Enrollment::BadToken);
    }
    let mut edge = new.edge.clone();
    match known {
        Some(row) => {
            edge.number = row.try_get("number")?;
            edge.id = row.try_get("id")?;
            query("UPDATE edge_credential SET revoked_at = $2 WHERE edge = $1 AND revoked_at IS NULL")
                .bind(edge.number)
                .bind(now)
                .execute(&mut *on)
                .await?;
        }
        None => {
            edge.number = next_number(on).await?;
        }
    }
    write::edge(on, &edge).await?;
    write::own(write::credential(on, &CredentialRow { edge: edge.number, ..new.credential.clone() }).await?)?;
    write::event(on, &EdgeEventRow { edge: edge.number, ..new.event.clone() }).await?;
    Ok(Enrollment::Done(Box::new(edge)))
}

/// The number of an edge that is new: none that one had which is gone, for campaigns and events still tell of that.
async fn next_number(on: &mut Transaction) -> Result<i64, sqlx::Error> {
    let row = query("UPDATE edge_number SET last = last + 1 RETURNING last AS number").fetch_one(on).await?;
    row.try_get("number")
}

/// What another system knew of an edge.
#[derive(Debug, Clone)]
pub struct KnownEdge {
    /// The edge; its number is chosen here.
    pub edge: EdgeRow,
    /// Its credentials; the edge's number is filled in here.
    pub credentials: Vec<CredentialRow>,
}

impl Fleet {
    /// Takes over edges with their credentials, and tokens, in one transaction; those that are known by identifier, device number or
    /// prefix stay as they are. Gives the edges that are new, with their numbers.
    ///
    /// # Errors
    /// [`Error::Sql`]: nothing was written.
    pub async fn take_over(&self, known: &[KnownEdge], tokens: &[EdgeTokenRow]) -> Result<Vec<KnownEdge>, Error> {
        const WHAT: &str = "take over edges";
        let mut transaction = self.pool.connections.begin_alone("edge").await.map_err(self.pool.failed(WHAT))?;
        let taken = take_over(&mut transaction, known, tokens).await.map_err(self.pool.failed(WHAT))?;
        transaction.commit().await.map_err(self.pool.failed(WHAT))?;
        Ok(taken)
    }
}

async fn take_over(
    on: &mut Transaction,
    known: &[KnownEdge],
    tokens: &[EdgeTokenRow],
) -> Result<Vec<KnownEdge>, sqlx::Error> {
    let mut taken = Vec::new();
    for one in known {
        let there = query("SELECT number FROM edge WHERE id = $1 OR device_number = $2")
            .bind(&one.edge.id)
            .bind(&one.edge.device_number)
            .fetch_optional(&mut *on)
            .await?;
        if there.is_some() {
            continue;
        }
        let number = next_number(on).await?;
        let edge = EdgeRow { number, ..one.edge.clone() };
        write::edge(on, &edge).await?;
        let mut credentials = Vec::new();
        for credential in &one.credentials {
            let credential = CredentialRow { edge: number, ..credential.clone() };
            if write::credential(on, &credential).await? {
                credentials.push(credential);
            }
        }
        taken.push(KnownEdge { edge, credentials });
    }
    for token in tokens {
        let there = query("SELECT id FROM edge_token WHERE id = $1 OR prefix = $2")
            .bind(&token.id)
            .bind(&token.prefix)
            .fetch_optional(&mut *on)
            .await?;
        if there.is_none() {
            write::token(on, token).await?;
        }
    }
    Ok(taken)
}
