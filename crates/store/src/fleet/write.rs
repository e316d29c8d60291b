//! Writing the fleet: a batch in one transaction.

use std::collections::BTreeMap;

use super::{
    ArtifactRow, CampaignRow, CredentialRow, EdgeEventRow, EdgeRow, EdgeTokenRow, Fleet, MemberRow, MetadataRow,
    PresenceRow, ReleaseRow,
};
use crate::Error;
use crate::statement::{CHUNK, Transaction, composed, query, tuples};

/// One thing that is to be written: what there was before under the same key gives way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetWrite {
    /// An edge.
    Edge(EdgeRow),
    /// An edge is none of the fleet's any more: its credentials and presence go along.
    Forget(i64),
    /// How an edge was when it was heard last.
    Presence(PresenceRow),
    /// A credential.
    Credential(CredentialRow),
    /// An enrollment token; how often it was used stays as it is.
    Token(EdgeTokenRow),
    /// A release.
    Release(ReleaseRow),
    /// An artifact.
    Artifact(ArtifactRow),
    /// Signed metadata; what was published under its version stays.
    Metadata(MetadataRow),
    /// Timestamps before this version are not needed any more.
    ForgetTimestamps(i64),
    /// A campaign.
    Campaign(CampaignRow),
    /// An edge in a campaign.
    Member(MemberRow),
    /// Something that happened.
    Event(EdgeEventRow),
    /// Events up to this number are old enough to go.
    ForgetEvents(i64),
}

const WHAT: &str = "write the fleet";

impl Fleet {
    /// Writes a batch, in its order, whole or not at all; it is on disk when this returns.
    ///
    /// # Errors
    /// [`Error::Sql`]: nothing of the batch was written.
    pub async fn write(&self, batch: &[FleetWrite]) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut transaction = self.pool.connections.begin().await.map_err(self.pool.failed(WHAT))?;
        let mut heard = BTreeMap::new();
        for write in batch {
            // Presence that nothing comes between is written in statements of many edges: a server across a network is asked for
            // thousands of them each few seconds, while what is decided waits behind them.
            if let FleetWrite::Presence(row) = write {
                heard.insert(row.number, row);
                continue;
            }
            presence(&mut transaction, std::mem::take(&mut heard)).await.map_err(self.pool.failed(WHAT))?;
            one(&mut transaction, write).await.map_err(self.pool.failed(WHAT))?;
        }
        presence(&mut transaction, heard).await.map_err(self.pool.failed(WHAT))?;
        transaction.commit().await.map_err(self.pool.failed(WHAT))
    }
}

async fn one(on: &mut Transaction, write: &FleetWrite) -> Result<(), sqlx::Error> {
    match write {
        FleetWrite::Edge(row) => edge(on, row).await,
        FleetWrite::Forget(number) => {
            for text in [
                "DELETE FROM edge WHERE number = $1",
                "DELETE FROM edge_presence WHERE number = $1",
                "DELETE FROM edge_credential WHERE edge = $1",
            ] {
                query(text).bind(*number).execute(&mut *on).await?;
            }
            Ok(())
        }
        FleetWrite::Presence(row) => presence(on, BTreeMap::from([(row.number, row)])).await,
        FleetWrite::Credential(row) => own(credential(on, row).await?),
        FleetWrite::Token(row) => token(on, row).await,
        FleetWrite::Release(row) => release(on, row).await,
        FleetWrite::Artifact(row) => artifact(on, row).await,
        FleetWrite::Metadata(row) => metadata(on, row).await,
        FleetWrite::ForgetTimestamps(before) => {
            let text = "DELETE FROM edge_metadata WHERE role = 'timestamp' AND version < $1";
            query(text).bind(*before).execute(on).await.map(drop)
        }
        FleetWrite::Campaign(row) => campaign(on, row).await,
        FleetWrite::Member(row) => member(on, row).await,
        FleetWrite::Event(row) => event(on, row).await,
        FleetWrite::ForgetEvents(until) => {
            query("DELETE FROM edge_event WHERE number <= $1").bind(*until).execute(on).await.map(drop)
        }
    }
}

pub(super) async fn edge(on: &mut Transaction, row: &EdgeRow) -> Result<(), sqlx::Error> {
    query(
        "INSERT INTO edge (number, id, device_number, display_name, platform, arch, labels, lifecycle, enrolled_by, \
         enrolled_at, reenroll_until, upgrade_status, upgrade_reason, rotate) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         ON CONFLICT (number) DO UPDATE SET display_name = excluded.display_name, platform = excluded.platform, \
         arch = excluded.arch, labels = excluded.labels, lifecycle = excluded.lifecycle, \
         enrolled_by = excluded.enrolled_by, enrolled_at = excluded.enrolled_at, \
         reenroll_until = excluded.reenroll_until, upgrade_status = excluded.upgrade_status, \
         upgrade_reason = excluded.upgrade_reason, rotate = excluded.rotate",
    )
    .bind(row.number)
    .bind(&row.id)
    .bind(&row.device_number)
    .bind(&row.display_name)
    .bind(&row.platform)
    .bind(&row.arch)
    .bind(&row.labels)
    .bind(&row.lifecycle)
    .bind(&row.enrolled_by)
    .bind(row.enrolled_at)
    .bind(row.reenroll_until)
    .bind(&row.upgrade_status)
    .bind(&row.upgrade_reason)
    .bind(i64::from(row.rotate))
    .execute(on)
    .await
    .map(drop)
}

/// By their edges' numbers, so that each stands once in a statement, as PostgreSQL wants it.
async fn presence(on: &mut Transaction, heard: BTreeMap<i64, &PresenceRow>) -> Result<(), sqlx::Error> {
    let rows: Vec<&PresenceRow> = heard.into_values().collect();
    for rows in rows.chunks(CHUNK) {
        let mut statement = composed(format!(
            "INSERT INTO edge_presence (number, seen_at, installed, runtime_state, active_task, uptime_seconds, last_error, \
             boot_id, sequence, starts) VALUES {} \
             ON CONFLICT (number) DO UPDATE SET seen_at = excluded.seen_at, installed = excluded.installed, \
             runtime_state = excluded.runtime_state, active_task = excluded.active_task, \
             uptime_seconds = excluded.uptime_seconds, last_error = excluded.last_error, boot_id = excluded.boot_id, \
             sequence = excluded.sequence, starts = excluded.starts",
            tuples(rows.len(), 10)
        ));
        for row in rows {
            statement = statement
                .bind(row.number)
                .bind(row.seen_at)
                .bind(&row.installed)
                .bind(&row.runtime_state)
                .bind(&row.active_task)
                .bind(row.uptime_seconds)
                .bind(&row.last_error)
                .bind(&row.boot_id)
                .bind(row.sequence)
                .bind(&row.starts);
        }
        statement.execute(&mut *on).await?;
    }
    Ok(())
}

/// What has to be an edge's own, by whether it could become so: a prefix finds one edge, and is never taken from it.
pub(super) fn own(is_own: bool) -> Result<(), sqlx::Error> {
    let taken = || sqlx::Error::Protocol("the prefix of this credential is another edge's".to_owned());
    is_own.then_some(()).ok_or_else(taken)
}

/// Writes an edge's credential, and gives whether it is there: not where its prefix is another edge's.
pub(super) async fn credential(on: &mut Transaction, row: &CredentialRow) -> Result<bool, sqlx::Error> {
    let written = query(
        "INSERT INTO edge_credential (prefix, edge, digest, created_at, expires_at, revoked_at) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (prefix) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at, \
         revoked_at = excluded.revoked_at WHERE edge_credential.edge = excluded.edge",
    )
    .bind(&row.prefix)
    .bind(row.edge)
    .bind(&row.digest)
    .bind(row.created_at)
    .bind(row.expires_at)
    .bind(row.revoked_at)
    .execute(on)
    .await?;
    Ok(written.rows_affected() > 0)
}

pub(super) async fn token(on: &mut Transaction, row: &EdgeTokenRow) -> Result<(), sqlx::Error> {
    query(
        "INSERT INTO edge_token (id, prefix, digest, label, labels, max_uses, used_count, expires_at, created_at, \
         created_by, last_used_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, revoked_at = excluded.revoked_at",
    )
    .bind(&row.id)
    .bind(&row.prefix)
    .bind(&row.digest)
    .bind(&row.label)
    .bind(&row.labels)
    .bind(row.max_uses)
    .bind(row.used_count)
    .bind(row.expires_at)
    .bind(row.created_at)
    .bind(&row.created_by)
    .bind(row.last_used_at)
    .bind(row.revoked_at)
    .execute(on)
    .await
    .map(drop)
}

async fn release(on: &mut Transaction, row: &ReleaseRow) -> Result<(), sqlx::Error> {
    query(
        "INSERT INTO edge_release (product, version, counter, notes, added_at, added_by, yanked_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (product, version) DO UPDATE SET yanked_at = excluded.yanked_at",
    )
    .bind(&row.product)
    .bind(&row.version)
    .bind(row.counter)
    .bind(&row.notes)
    .bind(row.added_at)
    .bind(&row.added_by)
    .bind(row.yanked_at)
    .execute(on)
    .await
    .map(drop)
}

async fn artifact(on: &mut Transaction, row: &ArtifactRow) -> Result<(), sqlx::Error> {
    query(
        "INSERT INTO edge_artifact (product, version, platform, arch, install_type, file_name, sha256, size, \
         legacy_signature, legacy_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&row.product)
    .bind(&row.version)
    .bind(&row.platform)
    .bind(&row.arch)
    .bind(&row.install_type)
    .bind(&row.file_name)
    .bind(&row.sha256)
    .bind(row.size)
    .bind(&row.legacy_signature)
    .bind(&row.legacy_key)
    .execute(on)
    .await
    .map(drop)
}

async fn metadata(on: &mut Transaction, row: &MetadataRow) -> Result<(), sqlx::Error> {
    query("INSERT INTO edge_metadata (role, version, document, published_at) VALUES ($1, $2, $3, $4)")
        .bind(&row.role)
        .bind(row.version)
        .bind(&row.document)
        .bind(row.published_at)
        .execute(on)
        .await
        .map(drop)
}

async fn campaign(on: &mut Transaction, row: &CampaignRow) -> Result<(), sqlx::Error> {
    query(
        "INSERT INTO edge_campaign (id, number, name, selector, spec, standing, created_at, created_by, undoes) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (id) DO UPDATE SET standing = excluded.standing",
    )
    .bind(&row.id)
    .bind(row.number)
    .bind(&row.name)
    .bind(&row.selector)
    .bind(&row.spec)
    .bind(&row.standing)
    .bind(row.created_at)
    .bind(&row.created_by)
    .bind(&row.undoes)
    .execute(on)
    .await
    .map(drop)
}

async fn member(on: &mut Transaction, row: &MemberRow) -> Result<(), sqlx::Error> {
    query(
        "INSERT INTO edge_member (campaign, edge, place, wave, state, attempt, unanswered, since, epoch, not_before, \
         previous_version, failure, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT (campaign, edge) DO UPDATE SET state = excluded.state, attempt = excluded.attempt, \
         unanswered = excluded.unanswered, since = excluded.since, epoch = excluded.epoch, \
         not_before = excluded.not_before, previous_version = excluded.previous_version, \
         failure = excluded.failure, reason = excluded.reason",
    )
    .bind(&row.campaign)
    .bind(row.edge)
    .bind(row.place)
    .bind(row.wave)
    .bind(&row.state)
    .bind(row.attempt)
    .bind(row.unanswered)
    .bind(row.since)
    .bind(row.epoch)
    .bind(row.not_before)
    .bind(&row.previous_version)
    .bind(&row.failure)
    .bind(&row.reason)
    .execute(on)
    .await
    .map(drop)
}

pub(super) async fn event(on: &mut Transaction, row: &EdgeEventRow) -> Result<(), sqlx::Error> {
    query("INSERT INTO edge_event (number, at, edge, campaign, kind, text) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(row.number)
        .bind(row.at)
        .bind(row.edge)
        .bind(&row.campaign)
        .bind(&row.kind)
        .bind(&row.text)
        .execute(on)
        .await
        .map(drop)
}
