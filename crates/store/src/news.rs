use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use serde_json::Value;
use tokio::sync::Notify;

use crate::journal::json;
use crate::migrations::Tables;
use crate::statement::{Row, query};
use crate::{Error, Pool};

/// What is to be told to people: an outbox, in which each change stands once, and each post of it ends once.
#[derive(Debug, Clone)]
pub struct News {
    pool: Pool,
    /// Told when something was written here, whoever wrote it: who posts it need not look by himself.
    written: Arc<Notify>,
}

/// Something that is to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct NewsItem {
    /// What has changed, by what no other change has: a second one of it is not taken.
    pub change: String,
    /// When, RFC 3339.
    pub at: String,
    /// What kind of news: `failed`, `recovered`.
    pub kind: String,
    /// What it is about: `argocd/shop`.
    pub target: String,
    /// What is told; never a secret.
    pub body: Value,
}

/// The same as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewsRow {
    /// Counted from 1.
    pub number: i64,
    /// What it is.
    pub item: NewsItem,
}

/// Something that is to be told to one.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    /// What.
    pub row: NewsRow,
    /// To whom.
    pub sink: String,
    /// How often that was tried.
    pub tries: i64,
}

/// Its tables.
pub(crate) const TABLES: Tables = Tables { of: "news", steps: &[include_str!("../migrations/news/0001_first.sql")] };

/// A statement that ends with "that nothing is to be told to the same one about the same before it": news arrive in their order, and
/// the last word is the last.
macro_rules! in_turn {
    ($before:literal, $behind:literal) => {
        concat!(
            $before,
            " AND NOT EXISTS (SELECT 1 FROM news_post AS older JOIN news AS earlier ON earlier.number = older.number \
             WHERE older.ended IS NULL AND older.sink = news_post.sink AND older.number < news_post.number \
             AND earlier.target = news.target)",
            $behind
        )
    };
}

impl News {
    /// The ones of that database.
    pub fn over(pool: &Pool) -> Self {
        News { pool: pool.clone(), written: Arc::default() }
    }

    /// Waits until something was written through this value or a clone of it since that was asked last.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    /// Takes news that are to be told to these; says whether they were new.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn add(&self, item: &NewsItem, sinks: &[String]) -> Result<bool, Error> {
        Ok(self.add_due(item, sinks, 0).await?.is_some())
    }

    /// The same where nobody else is to tell them before a moment, in milliseconds since 1970; gives their number where they were new.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn add_due(&self, item: &NewsItem, sinks: &[String], due: i64) -> Result<Option<i64>, Error> {
        const WHAT: &str = "write news";
        let mut transaction = self.pool.connections.begin_alone("news").await.map_err(self.pool.failed(WHAT))?;
        let row = query(
            "INSERT INTO news (number, change, at, kind, target, body) \
             SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5 FROM news WHERE true \
             ON CONFLICT (change) DO NOTHING RETURNING number",
        )
        .bind(&item.change)
        .bind(&item.at)
        .bind(&item.kind)
        .bind(&item.target)
        .bind(item.body.to_string())
        .fetch_optional(&mut transaction)
        .await
        .map_err(self.pool.failed(WHAT))?;
        let Some(row) = row else { return Ok(None) };
        let number: i64 = row.try_get("number").map_err(Error::sql(WHAT))?;
        for sink in sinks {
            // What is before it in the row is tried again at once: it would hold this up for as long as its own pause.
            query(
                "UPDATE news_post SET due = 0 WHERE ended IS NULL AND tries > 0 AND sink = $1 \
                 AND number IN (SELECT number FROM news WHERE target = $2)",
            )
            .bind(sink)
            .bind(&item.target)
            .execute(&mut transaction)
            .await
            .map_err(self.pool.failed(WHAT))?;
            query("INSERT INTO news_post (number, sink, tries, due) VALUES ($1, $2, 0, $3)")
                .bind(number)
                .bind(sink)
                .bind(due)
                .execute(&mut transaction)
                .await
                .map_err(self.pool.failed(WHAT))?;
        }
        transaction.commit().await.map_err(self.pool.failed(WHAT))?;
        self.written.notify_one();
        Ok(Some(number))
    }

    /// Posts that are due, oldest news first, at most so many, and of those to one about one thing the first; moments are milliseconds
    /// since 1970.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn due(&self, now: i64, most: u32) -> Result<Vec<Post>, Error> {
        const WHAT: &str = "read news";
        let rows = query(in_turn!(
            "SELECT news.*, news_post.sink, news_post.tries FROM news_post JOIN news ON news.number = news_post.number \
             WHERE news_post.ended IS NULL AND news_post.due <= $1",
            " ORDER BY news.number, news_post.sink LIMIT $2"
        ))
        .bind(now)
        .bind(i64::from(most))
        .fetch_all(&self.pool.connections)
        .await
        .map_err(self.pool.failed(WHAT))?;
        rows.iter()
            .map(|found| {
                let sink = found.try_get("sink").map_err(Error::sql(WHAT))?;
                let tries = found.try_get("tries").map_err(Error::sql(WHAT))?;
                Ok(Post { row: row(found)?, sink, tries })
            })
            .collect()
    }

    /// When the next post is due that has not ended, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn next_due(&self) -> Result<Option<i64>, Error> {
        const WHAT: &str = "read news";
        let row = query(in_turn!(
            "SELECT MIN(due) AS due FROM news_post JOIN news ON news.number = news_post.number \
             WHERE news_post.ended IS NULL",
            ""
        ))
        .fetch_one(&self.pool.connections)
        .await
        .map_err(self.pool.failed(WHAT))?;
        row.try_get("due").map_err(Error::sql(WHAT))
    }

    /// Writes down that a post has ended: it was told, or is given up for this fault.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn end(&self, number: i64, sink: &str, at: &str, fault: Option<&str>) -> Result<(), Error> {
        query(
            "UPDATE news_post SET ended = $3, fault = $4, tries = tries + 1 \
             WHERE number = $1 AND sink = $2 AND ended IS NULL",
        )
        .bind(number)
        .bind(sink)
        .bind(at)
        .bind(fault)
        .execute(&self.pool.connections)
        .await
        .map_err(self.pool.failed("write news"))?;
        Ok(())
    }

    /// Whether something newer is to be told to the same one about the same.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn is_overtaken(&self, number: i64, sink: &str) -> Result<bool, Error> {
        const WHAT: &str = "read news";
        let row = query(
            "SELECT COUNT(*) AS newer FROM news_post JOIN news ON news.number = news_post.number \
             WHERE news_post.ended IS NULL AND news_post.sink = $2 AND news_post.number > $1 \
             AND news.target = (SELECT target FROM news WHERE number = $1)",
        )
        .bind(number)
        .bind(sink)
        .fetch_one(&self.pool.connections)
        .await
        .map_err(self.pool.failed(WHAT))?;
        Ok(row.try_get::<i64>("newer").map_err(Error::sql(WHAT))? > 0)
    }

    /// Writes down that a post did not succeed, and when it is tried again.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn again(&self, number: i64, sink: &str, due: i64, fault: &str) -> Result<(), Error> {
        query(
            "UPDATE news_post SET due = $3, fault = $4, tries = tries + 1 \
             WHERE number = $1 AND sink = $2 AND ended IS NULL",
        )
        .bind(number)
        .bind(sink)
        .bind(due)
        .bind(fault)
        .execute(&self.pool.connections)
        .await
        .map_err(self.pool.failed("write news"))?;
        Ok(())
    }

    /// The newest news about something, of each target where none is named; newest first, at most so many.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn newest(&self, target: Option<&str>, most: u32) -> Result<Vec<NewsRow>, Error> {
        let rows = query("SELECT * FROM news WHERE target = COALESCE($1, target) ORDER BY number DESC LIMIT $2")
            .bind(target)
            .bind(i64::from(most))
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed("read news"))?;
        rows.iter().map(row).collect()
    }
}

fn row(found: &Row) -> Result<NewsRow, Error> {
    const WHAT: &str = "read news";
    let text = |column: &str| found.try_get::<String>(column).map_err(Error::sql(WHAT));
    Ok(NewsRow {
        number: found.try_get("number").map_err(Error::sql(WHAT))?,
        item: NewsItem {
            change: text("change")?,
            at: text("at")?,
            kind: text("kind")?,
            target: text("target")?,
            body: json(&text("body")?, "news")?,
        },
    })
}
