use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::json;
use crate::migrations::Tables;
use crate::statement::{Row, query};
use crate::{Error, Pool};

/// What is known of published images, what was seen of them, what is held back, and what was promoted.
#[derive(Debug, Clone)]
pub struct Promotions {
    pool: Pool,
}

/// A tag with the digest that it had first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedRow {
    /// The image without its tag: `ghcr.io/acme/web`.
    pub image: String,
    /// The tag.
    pub tag: String,
    /// The digest, `sha256:` in front.
    pub digest: String,
    /// When it was first seen, RFC 3339.
    pub at: String,
    /// The commit that it was built from, where that was said.
    pub revision: Option<String>,
}

/// Something that was seen of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// The image's digest.
    pub digest: String,
    /// The system in whose environment it ran; empty where that was not said.
    pub system: String,
    /// Where it ran.
    pub environment: String,
    /// When, RFC 3339.
    pub at: String,
    /// What was looked at: `health`, `check api health`.
    pub what: String,
    /// Whether it was well.
    pub passed: bool,
    /// In a sentence; may be empty.
    pub detail: String,
    /// What stands for the check as it was declared when it was made; empty where that is not said.
    pub made_as: String,
}

/// A version that must not be promoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRow {
    /// The version.
    pub tag: String,
    /// The system whose version it is; empty where it is held in all of them.
    pub system: String,
    /// Since when, RFC 3339.
    pub at: String,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when it was held; it still is where this is nothing.
    pub released_at: Option<String>,
    /// Who has released it.
    pub released_by: Option<String>,
}

/// A promotion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromotionRow {
    /// What no other one has.
    pub id: String,
    /// The system in which it goes from one environment to the other; empty where that was not said.
    pub system: String,
    /// When it began, RFC 3339.
    pub at: String,
    /// From which environment.
    pub origin: String,
    /// To which.
    pub receiver: String,
    /// What runs there then.
    pub tag: String,
    /// How it stands, in its owner's word.
    pub state: String,
    /// Everything else: images with digests, request, files.
    pub body: Value,
}

/// A step of a promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionEvent {
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub actor: String,
    /// How it stands since.
    pub state: String,
    /// In a sentence.
    pub said: String,
}

impl PromotionEvent {
    /// The digest of the event and of all before it, which the digest before it stands for.
    pub fn link(&self, previous: &str) -> String {
        let mut context = Context::new(&SHA256);
        for text in [previous, &self.at, &self.actor, &self.state, &self.said] {
            // Each with its length, so that nothing can be moved from one into the next.
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Its tables.
pub(crate) const TABLES: Tables = Tables {
    of: "promotions",
    steps: &[
        include_str!("../migrations/promotions/0001_first.sql"),
        include_str!("../migrations/promotions/0002_made_as.sql"),
        include_str!("../migrations/promotions/0003_system.sql"),
    ],
};

impl Promotions {
    /// The ones of that database.
    pub fn over(pool: &Pool) -> Self {
        Promotions { pool: pool.clone() }
    }

    /// Notes the digest that a tag has, where it was never seen before; gives what is known of it since.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn publish(&self, row: &PublishedRow) -> Result<PublishedRow, Error> {
        const WHAT: &str = "note a published tag";
        let row = query(
            "INSERT INTO published (image, tag, digest, at, revision) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (image, tag) DO UPDATE SET revision = COALESCE(published.revision, \
             CASE WHEN published.digest = excluded.digest THEN excluded.revision END) RETURNING *",
        )
        .bind(&row.image)
        .bind(&row.tag)
        .bind(&row.digest)
        .bind(&row.at)
        .bind(&row.revision)
        .fetch_one(&self.pool.connections)
        .await
        .map_err(self.pool.failed(WHAT))?;
        published(&row)
    }

    /// Tags by the beginning of their images' names, newest first, at most so many.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn published(&self, image: &str, most: u32) -> Result<Vec<PublishedRow>, Error> {
        let rows = query(
            "SELECT * FROM published WHERE substr(image, 1, length($1)) = $1 ORDER BY at DESC, image, tag LIMIT $2",
        )
        .bind(image)
        .bind(i64::from(most))
        .fetch_all(&self.pool.connections)
        .await
        .map_err(self.pool.failed("read published tags"))?;
        rows.iter().map(published).collect()
    }

    /// What is known of one tag.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn tag(&self, image: &str, tag: &str) -> Result<Option<PublishedRow>, Error> {
        let row = query("SELECT * FROM published WHERE image = $1 AND tag = $2")
            .bind(image)
            .bind(tag)
            .fetch_optional(&self.pool.connections)
            .await
            .map_err(self.pool.failed("read a published tag"))?;
        row.as_ref().map(published).transpose()
    }

    /// Adds what was seen, all of it or nothing.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn witness(&self, rows: &[EvidenceRow]) -> Result<(), Error> {
        const WHAT: &str = "write evidence";
        let alone = self.pool.connections.begin_alone("evidence").await;
        let mut transaction = alone.map_err(self.pool.failed(WHAT))?;
        for row in rows {
            query(
                "INSERT INTO evidence (number, digest, environment, at, what, passed, detail, made_as, system) \
                 SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8 FROM evidence",
            )
            .bind(&row.digest)
            .bind(&row.environment)
            .bind(&row.at)
            .bind(&row.what)
            .bind(i64::from(row.passed))
            .bind(&row.detail)
            .bind(&row.made_as)
            .bind(&row.system)
            .execute(&mut transaction)
            .await
            .map_err(self.pool.failed(WHAT))?;
        }
        transaction.commit().await.map_err(self.pool.failed(WHAT))
    }

    /// What was seen of a digest, in a system or in all, oldest first, at most the newest so many.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn evidence(&self, digest: &str, system: Option<&str>, most: u32) -> Result<Vec<EvidenceRow>, Error> {
        const WHAT: &str = "read evidence";
        const ASKED: &str = "SELECT * FROM evidence WHERE digest = $1 AND system = COALESCE($2, system) \
            ORDER BY number DESC LIMIT $3";
        let rows = query(ASKED)
            .bind(digest)
            .bind(system)
            .bind(i64::from(most))
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        let one = |row: &Row| {
            let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(WHAT));
            Ok(EvidenceRow {
                digest: text("digest")?,
                environment: text("environment")?,
                at: text("at")?,
                what: text("what")?,
                passed: row.try_get::<i64>("passed").map_err(Error::sql(WHAT))? != 0,
                detail: text("detail")?,
                made_as: text("made_as")?,
                system: text("system")?,
            })
        };
        rows.iter().rev().map(one).collect()
    }

    /// Holds a version back.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn hold(&self, row: &HoldRow) -> Result<(), Error> {
        const WHAT: &str = "hold a version";
        let mut transaction = self.pool.connections.begin_alone("hold").await.map_err(self.pool.failed(WHAT))?;
        query(
            "INSERT INTO hold (number, tag, at, held_by, reason, system) \
             SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5 FROM hold",
        )
        .bind(&row.tag)
        .bind(&row.at)
        .bind(&row.by)
        .bind(&row.reason)
        .bind(&row.system)
        .execute(&mut transaction)
        .await
        .map_err(self.pool.failed(WHAT))?;
        transaction.commit().await.map_err(self.pool.failed(WHAT))
    }

    /// Releases a version of a system, or of all; says whether it was held.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn release(&self, (tag, system): (&str, Option<&str>), at: &str, by: &str) -> Result<bool, Error> {
        const RELEASED: &str = "UPDATE hold SET released_at = $3, released_by = $4 \
            WHERE tag = $1 AND (system = '' OR system = COALESCE($2, system)) AND released_at IS NULL";
        let done = query(RELEASED)
            .bind(tag)
            .bind(system)
            .bind(at)
            .bind(by)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("release a version"))?;
        Ok(done.rows_affected() > 0)
    }

    /// What is held and what was, of a system (with what is held in all of them) or of all, newest first.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn holds(&self, system: Option<&str>, most: u32) -> Result<Vec<HoldRow>, Error> {
        const ASKED: &str = "SELECT * FROM hold WHERE system = '' OR system = COALESCE($1, system) \
            ORDER BY number DESC LIMIT $2";
        let rows = query(ASKED)
            .bind(system)
            .bind(i64::from(most))
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(READ_HOLDS))?;
        rows.iter().map(hold_of).collect()
    }

    /// The newest hold of a version, in a system or in any, also one that was released.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn hold_of(&self, tag: &str, system: Option<&str>) -> Result<Option<HoldRow>, Error> {
        const ASKED: &str = "SELECT * FROM hold WHERE tag = $1 AND (system = '' OR system = COALESCE($2, system)) \
            ORDER BY number DESC LIMIT 1";
        let row = query(ASKED)
            .bind(tag)
            .bind(system)
            .fetch_optional(&self.pool.connections)
            .await
            .map_err(self.pool.failed(READ_HOLDS))?;
        row.as_ref().map(hold_of).transpose()
    }

    /// Begins a promotion, or brings what is known of one up to date, and adds what happened to its chain, unless that is
    /// what stands there last; says whether it was added.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn note(&self, row: &PromotionRow, event: &PromotionEvent) -> Result<bool, Error> {
        const WHAT: &str = "write a promotion";
        let alone = self.pool.connections.begin_alone("promotion").await;
        let mut transaction = alone.map_err(self.pool.failed(WHAT))?;
        query(
            "INSERT INTO promotion (id, at, origin, receiver, tag, state, body, system) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body, \
             system = COALESCE(NULLIF(promotion.system, ''), excluded.system)",
        )
        .bind(&row.id)
        .bind(&row.at)
        .bind(&row.origin)
        .bind(&row.receiver)
        .bind(&row.tag)
        .bind(&row.state)
        .bind(row.body.to_string())
        .bind(&row.system)
        .execute(&mut transaction)
        .await
        .map_err(self.pool.failed(WHAT))?;
        let last = query("SELECT * FROM promotion_event WHERE id = $1 ORDER BY seq DESC LIMIT 1")
            .bind(&row.id)
            .fetch_optional(&mut transaction)
            .await
            .map_err(self.pool.failed(WHAT))?;
        let (seq, previous) = match &last {
            Some(last) => {
                let text = |column: &str| last.try_get::<String>(column).map_err(Error::sql(WHAT));
                if text("state")? == event.state && text("said")? == event.said {
                    transaction.commit().await.map_err(self.pool.failed(WHAT))?;
                    return Ok(false);
                }
                (last.try_get::<i64>("seq").map_err(Error::sql(WHAT))? + 1, text("digest")?)
            }
            None => (1, String::new()),
        };
        query(
            "INSERT INTO promotion_event (id, seq, at, actor, state, said, previous, digest) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&row.id)
        .bind(seq)
        .bind(&event.at)
        .bind(&event.actor)
        .bind(&event.state)
        .bind(&event.said)
        .bind(&previous)
        .bind(event.link(&previous))
        .execute(&mut transaction)
        .await
        .map_err(self.pool.failed(WHAT))?;
        transaction.commit().await.map_err(self.pool.failed(WHAT))?;
        Ok(true)
    }

    /// Promotions to an environment, or to all, of a system (with what was written down before systems were told apart) or of all,
    /// newest first, at most so many.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    pub async fn promotions(
        &self,
        receiver: Option<&str>,
        system: Option<&str>,
        most: u32,
    ) -> Result<Vec<PromotionRow>, Error> {
        const WHAT: &str = READ_PROMOTIONS;
        const ASKED: &str = "SELECT * FROM promotion WHERE receiver = COALESCE($1, receiver) \
            AND (system = '' OR system = COALESCE($2, system)) ORDER BY at DESC, id DESC LIMIT $3";
        let rows = query(ASKED)
            .bind(receiver)
            .bind(system)
            .bind(i64::from(most))
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        rows.iter().map(promotion_of).collect()
    }

    /// A promotion by its id.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    pub async fn promotion(&self, id: &str) -> Result<Option<PromotionRow>, Error> {
        let row = query("SELECT * FROM promotion WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool.connections)
            .await
            .map_err(self.pool.failed(READ_PROMOTIONS))?;
        row.as_ref().map(promotion_of).transpose()
    }

    /// Writes another event over one: what somebody does who has the file. For tests of who looks at the chain.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[doc(hidden)]
    pub async fn overwrite(&self, id: &str, seq: i64, event: &PromotionEvent) -> Result<(), Error> {
        query("UPDATE promotion_event SET actor = $3, said = $4 WHERE id = $1 AND seq = $2")
            .bind(id)
            .bind(seq)
            .bind(&event.actor)
            .bind(&event.said)
            .execute(&self.pool.connections)
            .await
            .map_err(self.pool.failed("write over a promotion's event"))?;
        Ok(())
    }

    /// What became of a promotion, step by step, each with the digest before it and its own.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn events(&self, id: &str) -> Result<Vec<(PromotionEvent, String, String)>, Error> {
        const WHAT: &str = "read a promotion";
        let rows = query("SELECT * FROM promotion_event WHERE id = $1 ORDER BY seq")
            .bind(id)
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        let one = |row: &Row| {
            let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(WHAT));
            let event =
                PromotionEvent { at: text("at")?, actor: text("actor")?, state: text("state")?, said: text("said")? };
            Ok((event, text("previous")?, text("digest")?))
        };
        rows.iter().map(one).collect()
    }
}

fn published(row: &Row) -> Result<PublishedRow, Error> {
    const WHAT: &str = "read published tags";
    let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(WHAT));
    Ok(PublishedRow {
        image: text("image")?,
        tag: text("tag")?,
        digest: text("digest")?,
        at: text("at")?,
        revision: row.try_get("revision").map_err(Error::sql(WHAT))?,
    })
}

const READ_PROMOTIONS: &str = "read promotions";

fn promotion_of(row: &Row) -> Result<PromotionRow, Error> {
    let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(READ_PROMOTIONS));
    Ok(PromotionRow {
        id: text("id")?,
        at: text("at")?,
        origin: text("origin")?,
        receiver: text("receiver")?,
        tag: text("tag")?,
        state: text("state")?,
        body: json(&text("body")?, "promotion")?,
        system: text("system")?,
    })
}

const READ_HOLDS: &str = "read what is held";

fn hold_of(row: &Row) -> Result<HoldRow, Error> {
    let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(READ_HOLDS));
    let perhaps = |column: &str| row.try_get::<Option<String>>(column).map_err(Error::sql(READ_HOLDS));
    Ok(HoldRow {
        tag: text("tag")?,
        system: text("system")?,
        at: text("at")?,
        by: text("held_by")?,
        reason: text("reason")?,
        released_at: perhaps("released_at")?,
        released_by: perhaps("released_by")?,
    })
}
