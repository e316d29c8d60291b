use async_recursion::async_recursion as boxed;
use serde_json::Value;

use crate::migrations::Tables;
use crate::seal::{Belongs, Seal};
use crate::shards::{Fence, admit};
use crate::statement::{Row, Transaction, query};
use crate::{Error, Pool};

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// Under way, or left behind by a process that died.
    Running,
    /// Everything was done.
    Done,
    /// It ended with an error; what was done stays.
    Failed,
    /// Somebody gave it up; it is not to be resumed.
    Abandoned,
}

impl OperationState {
    fn word(self) -> &'static str {
        match self {
            OperationState::Running => "running",
            OperationState::Done => "done",
            OperationState::Failed => "failed",
            OperationState::Abandoned => "abandoned",
        }
    }

    fn parse(word: &str) -> Result<Self, Error> {
        match word {
            "running" => Ok(OperationState::Running),
            "done" => Ok(OperationState::Done),
            "failed" => Ok(OperationState::Failed),
            "abandoned" => Ok(OperationState::Abandoned),
            _ => Err(Error::Damaged { what: format!("operation state {word:?}") }),
        }
    }
}

/// An operation about to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOperation {
    /// Unique; a ULID made by the caller.
    pub id: String,
    /// What is delivered to, for example `release default/web`; operations of one target exclude each other.
    pub target: String,
    /// The verb: `install`, `upgrade`, `sync`.
    pub kind: String,
    /// The plan, so that a resume carries out exactly what was begun. Sealed in the file, and gone when it ends.
    pub plan: Value,
    /// What the owner needs to resume: for a release its new record. Sealed and gone like the plan.
    pub detail: Value,
    /// RFC 3339.
    pub started_at: String,
}

/// An operation as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationRow {
    /// Unique.
    pub id: String,
    /// What is delivered to.
    pub target: String,
    /// The verb.
    pub kind: String,
    /// The plan begun; null when it has ended.
    pub plan: Value,
    /// What the owner needs to resume; null when it has ended.
    pub detail: Value,
    /// How it stands.
    pub state: OperationState,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339, when it ended.
    pub finished_at: Option<String>,
}

/// What is about to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct StepIntent {
    /// Unique within the operation and the same on every run of the same plan.
    pub name: String,
    /// What will be done, and what was seen before it (for example the old object's uid).
    pub body: Value,
}

/// What has been done.
#[derive(Debug, Clone, PartialEq)]
pub struct StepOutcome {
    /// The step's name.
    pub name: String,
    /// What was done.
    pub body: Value,
}

/// A step as stored; one without an outcome may or may not have had its effect.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    /// The step's name.
    pub name: String,
    /// Its intent.
    pub intent: Value,
    /// Its outcome, when it is known.
    pub outcome: Option<Value>,
}

/// Operations and their steps: the intent before an effect, its outcome after it.
#[derive(Debug, Clone)]
pub struct Journal {
    pool: Pool,
    /// What has to hold when it is written.
    fence: Option<Fence>,
}

/// Its tables.
pub(crate) const TABLES: Tables = Tables {
    of: "journal",
    steps: &[
        include_str!("../migrations/journal/0001_first.sql"),
        include_str!("../migrations/journal/0002_prune.sql"),
        include_str!("../migrations/journal/0003_running.sql"),
    ],
};

/// What fails when one cannot be begun, or finished.
const BEGIN: &str = "begin an operation";
const FINISH: &str = "finish an operation";

impl Journal {
    /// The one of that database.
    pub fn over(pool: &Pool) -> Self {
        Journal { pool: pool.clone(), fence: None }
    }

    /// The same, written only as long as that shard is held: every write fails with [`Error::Fenced`] once somebody else has
    /// taken it, and whoever takes it waits for what is being written.
    #[must_use]
    pub fn fenced(&self, fence: Fence) -> Self {
        Journal { pool: self.pool.clone(), fence: Some(fence) }
    }

    /// Begins what is written together.
    async fn begin(&self, what: &'static str) -> Result<Transaction, Error> {
        let mut transaction = self.pool.connections.begin().await.map_err(self.pool.failed(what))?;
        if let Some(fence) = &self.fence {
            admit(&self.pool, &mut transaction, fence).await?;
        }
        Ok(transaction)
    }

    /// Writes an operation down before its first effect.
    ///
    /// # Errors
    /// [`Error::Exists`] when the target has a running operation or the id is taken, [`Error::Key`] when there is no key
    /// to seal it with.
    #[boxed]
    pub async fn begin_operation(&self, operation: &NewOperation) -> Result<(), Error> {
        let mut transaction = self.begin(BEGIN).await?;
        self.open(&mut transaction, operation).await?;
        transaction.commit().await.map_err(self.pool.failed(BEGIN))
    }

    /// Closes an operation as failed and writes down the one that undoes it: both, or neither.
    ///
    /// # Errors
    /// As [`Journal::finish_operation`] and [`Journal::begin_operation`].
    #[boxed]
    pub async fn begin_undoing(&self, failed: &str, operation: &NewOperation) -> Result<(), Error> {
        let mut transaction = self.begin(BEGIN).await?;
        self.close(&mut transaction, failed, OperationState::Failed, &operation.started_at).await?;
        self.open(&mut transaction, operation).await?;
        transaction.commit().await.map_err(self.pool.failed(BEGIN))
    }

    async fn open(&self, transaction: &mut Transaction, operation: &NewOperation) -> Result<(), Error> {
        let plan = self.pool.seal.close(&operation.plan, of_operation(&operation.id, "plan"))?;
        let detail = self.pool.seal.close(&operation.detail, of_operation(&operation.id, "detail"))?;
        // One statement and one index, so that of two beginners exactly one succeeds, also where they are two processes.
        let done = query(
            "INSERT INTO operation (id, target, kind, plan, detail, state, started_at) \
             SELECT $1, $2, $3, $4, $5, 'running', $6 \
             WHERE NOT EXISTS (SELECT 1 FROM operation WHERE target = $2 AND state = 'running') \
             AND NOT EXISTS (SELECT 1 FROM operation WHERE id = $1) ON CONFLICT DO NOTHING",
        )
        .bind(&operation.id)
        .bind(&operation.target)
        .bind(&operation.kind)
        .bind(plan)
        .bind(detail)
        .bind(&operation.started_at)
        .execute(transaction)
        .await
        .map_err(self.pool.failed(BEGIN))?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(Error::Exists { what: format!("a running operation on {}", operation.target) })
        }
    }

    /// Closes an operation and forgets what was needed to go on with it: its plan, its detail and its steps.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such operation.
    #[boxed]
    pub async fn finish_operation(&self, id: &str, state: OperationState, at: &str) -> Result<(), Error> {
        let mut transaction = self.begin(FINISH).await?;
        self.close(&mut transaction, id, state, at).await?;
        transaction.commit().await.map_err(self.pool.failed(FINISH))
    }

    async fn close(
        &self,
        transaction: &mut Transaction,
        id: &str,
        state: OperationState,
        at: &str,
    ) -> Result<(), Error> {
        let done =
            query("UPDATE operation SET state = $2, finished_at = $3, plan = 'null', detail = 'null' WHERE id = $1")
                .bind(id)
                .bind(state.word())
                .bind(at)
                .execute(&mut *transaction)
                .await
                .map_err(self.pool.failed(FINISH))?;
        if done.rows_affected() != 1 {
            return Err(Error::Missing { what: format!("operation {id}") });
        }
        query("DELETE FROM step WHERE operation = $1")
            .bind(id)
            .execute(transaction)
            .await
            .map_err(self.pool.failed(FINISH))?;
        Ok(())
    }

    /// The operation under way on a target (or left behind), if any.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn running_operation(&self, target: &str) -> Result<Option<OperationRow>, Error> {
        let row = query("SELECT * FROM operation WHERE target = $1 AND state = 'running'")
            .bind(target)
            .fetch_optional(&self.pool.connections)
            .await
            .map_err(self.pool.failed("look for a running operation"))?;
        row.as_ref().map(|row| operation(row, &self.pool.seal)).transpose()
    }

    /// All operations under way or left behind, oldest first.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn running_operations(&self) -> Result<Vec<OperationRow>, Error> {
        let rows = query("SELECT * FROM operation WHERE state = 'running' ORDER BY id")
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed("look for running operations"))?;
        rows.iter().map(|row| operation(row, &self.pool.seal)).collect()
    }

    /// One operation.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn operation(&self, id: &str) -> Result<Option<OperationRow>, Error> {
        let row = query("SELECT * FROM operation WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool.connections)
            .await
            .map_err(self.pool.failed("read an operation"))?;
        row.as_ref().map(|row| operation(row, &self.pool.seal)).transpose()
    }

    /// Writes intents, all or none; an intent written earlier stays as it is.
    ///
    /// # Errors
    /// [`Error::Sql`].
    #[boxed]
    pub async fn write_intents(&self, operation: &str, intents: &[StepIntent], at: &str) -> Result<(), Error> {
        const WHAT: &str = "write an intent";
        let mut transaction = self.begin(WHAT).await?;
        for intent in intents {
            let body =
                self.pool.seal.close(&intent.body, Belongs { operation, step: &intent.name, column: "intent" })?;
            query(
                "INSERT INTO step (operation, name, intent, intent_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (operation, name) DO NOTHING",
            )
            .bind(operation)
            .bind(&intent.name)
            .bind(body)
            .bind(at)
            .execute(&mut transaction)
            .await
            .map_err(self.pool.failed(WHAT))?;
        }
        transaction.commit().await.map_err(self.pool.failed(WHAT))
    }

    /// Writes outcomes, all or none; each step's intent must have been written.
    ///
    /// # Errors
    /// [`Error::Missing`] when an outcome has no intent.
    #[boxed]
    pub async fn write_outcomes(&self, operation: &str, outcomes: &[StepOutcome], at: &str) -> Result<(), Error> {
        const WHAT: &str = "write an outcome";
        let mut transaction = self.begin(WHAT).await?;
        for outcome in outcomes {
            let body =
                self.pool.seal.close(&outcome.body, Belongs { operation, step: &outcome.name, column: "outcome" })?;
            let done = query("UPDATE step SET outcome = $3, outcome_at = $4 WHERE operation = $1 AND name = $2")
                .bind(operation)
                .bind(&outcome.name)
                .bind(body)
                .bind(at)
                .execute(&mut transaction)
                .await
                .map_err(self.pool.failed(WHAT))?;
            if done.rows_affected() != 1 {
                return Err(Error::Missing { what: format!("an intent for {}", outcome.name) });
            }
        }
        transaction.commit().await.map_err(self.pool.failed(WHAT))
    }

    /// An operation's steps as written so far, by name.
    ///
    /// # Errors
    /// [`Error::Sql`], [`Error::Damaged`].
    #[boxed]
    pub async fn steps(&self, operation: &str) -> Result<Vec<StepRow>, Error> {
        const WHAT: &str = "read the steps";
        let rows = query("SELECT name, intent, outcome FROM step WHERE operation = $1 ORDER BY name")
            .bind(operation)
            .fetch_all(&self.pool.connections)
            .await
            .map_err(self.pool.failed(WHAT))?;
        rows.iter()
            .map(|row| {
                let name: String = row.try_get("name").map_err(Error::sql(WHAT))?;
                let intent: String = row.try_get("intent").map_err(Error::sql(WHAT))?;
                let outcome: Option<String> = row.try_get("outcome").map_err(Error::sql(WHAT))?;
                let read = |text: &str, column| self.pool.seal.open(text, Belongs { operation, step: &name, column });
                let (intent, outcome) =
                    (read(&intent, "intent")?, outcome.map(|text| read(&text, "outcome")).transpose()?);
                Ok(StepRow { name, intent, outcome })
            })
            .collect()
    }
}

fn of_operation<'a>(operation: &'a str, column: &'static str) -> Belongs<'a> {
    Belongs { operation, step: "", column }
}

fn operation(row: &Row, seal: &Seal) -> Result<OperationRow, Error> {
    const WHAT: &str = "read an operation";
    let text = |column: &str| row.try_get::<String>(column).map_err(Error::sql(WHAT));
    let id = text("id")?;
    Ok(OperationRow {
        target: text("target")?,
        kind: text("kind")?,
        plan: seal.open(&text("plan")?, of_operation(&id, "plan"))?,
        detail: seal.open(&text("detail")?, of_operation(&id, "detail"))?,
        state: OperationState::parse(&text("state")?)?,
        started_at: text("started_at")?,
        finished_at: row.try_get("finished_at").map_err(Error::sql(WHAT))?,
        id,
    })
}

pub(crate) fn json(text: &str, what: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|_| Error::Damaged { what: what.to_owned() })
}
