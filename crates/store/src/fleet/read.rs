//! Reading the fleet: all of it when a server begins, and events when they are asked for.

use super::{
    ArtifactRow, CampaignRow, CredentialRow, EdgeEventRow, EdgeRow, EdgeTokenRow, Fleet, FleetContents, FleetEdges,
    MemberRow, MetadataRow, PresenceRow, ReleaseRow,
};
use crate::Error;
use crate::statement::{Row, Statement, query};

const WHAT: &str = "read the fleet";

impl Fleet {
    /// All of the fleet but its edges and its events.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn load(&self) -> Result<FleetContents, Error> {
        let last = self.rows("SELECT COALESCE(MAX(number), 0) AS number FROM edge_event").await?;
        let last_event = last.first().map(|row| Columns(row).number("number")).transpose()?.unwrap_or(0);
        Ok(FleetContents {
            tokens: self.tokens().await?,
            releases: self.all("SELECT * FROM edge_release ORDER BY product, counter", release).await?,
            artifacts: self
                .all("SELECT * FROM edge_artifact ORDER BY product, version, platform, arch, install_type", artifact)
                .await?,
            metadata: self.all("SELECT * FROM edge_metadata ORDER BY role, version", metadata).await?,
            campaigns: self.all("SELECT * FROM edge_campaign ORDER BY number", campaign).await?,
            members: self.all("SELECT * FROM edge_member ORDER BY campaign, place", member).await?,
            last_event,
        })
    }

    /// The next edges after a number, so many at most, with what is known of them.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn edges(&self, after: i64, most: i64) -> Result<FleetEdges, Error> {
        let some = query("SELECT * FROM edge WHERE number > $1 ORDER BY number LIMIT $2").bind(after).bind(most);
        let edges = self.read(some, edge).await?;
        let is_full = i64::try_from(edges.len()) == Ok(most);
        let last = edges.last().filter(|_| is_full).map_or(i64::MAX, |edge| edge.number);
        let of = |text| query(text).bind(after).bind(last);
        let heard = of("SELECT * FROM edge_presence WHERE number > $1 AND number <= $2 ORDER BY number");
        let theirs = of("SELECT * FROM edge_credential WHERE edge > $1 AND edge <= $2 ORDER BY prefix");
        Ok(FleetEdges {
            edges,
            presence: self.read(heard, presence).await?,
            credentials: self.read(theirs, credential).await?,
        })
    }

    /// Enrollment tokens, in the order in which they were minted.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn tokens(&self) -> Result<Vec<EdgeTokenRow>, Error> {
        self.all("SELECT * FROM edge_token ORDER BY created_at, id", token).await
    }

    /// The last events of an edge, newest first.
    ///
    /// # Errors
    /// [`Error::Sql`].
    pub async fn events(&self, edge: i64, most: i64) -> Result<Vec<EdgeEventRow>, Error> {
        let last = query("SELECT * FROM edge_event WHERE edge = $1 ORDER BY number DESC LIMIT $2");
        self.read(last.bind(edge).bind(most), event).await
    }

    async fn rows(&self, text: &'static str) -> Result<Vec<Row>, Error> {
        query(text).fetch_all(&self.pool.connections).await.map_err(self.pool.failed(WHAT))
    }

    async fn read<T>(
        &self,
        statement: Statement<'_>,
        read: impl Fn(&Columns<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let rows = statement.fetch_all(&self.pool.connections).await.map_err(self.pool.failed(WHAT))?;
        rows.iter().map(|row| read(&Columns(row))).collect()
    }

    async fn all<T>(
        &self,
        text: &'static str,
        read: impl Fn(&Columns<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.read(query(text), read).await
    }
}

/// A row by its columns.
struct Columns<'r>(&'r Row);

impl Columns<'_> {
    fn text(&self, column: &str) -> Result<String, Error> {
        self.0.try_get(column).map_err(Error::sql(WHAT))
    }

    fn perhaps(&self, column: &str) -> Result<Option<String>, Error> {
        self.0.try_get(column).map_err(Error::sql(WHAT))
    }

    fn number(&self, column: &str) -> Result<i64, Error> {
        self.0.try_get(column).map_err(Error::sql(WHAT))
    }

    fn number_perhaps(&self, column: &str) -> Result<Option<i64>, Error> {
        self.0.try_get(column).map_err(Error::sql(WHAT))
    }
}

fn edge(row: &Columns<'_>) -> Result<EdgeRow, Error> {
    Ok(EdgeRow {
        number: row.number("number")?,
        id: row.text("id")?,
        device_number: row.text("device_number")?,
        display_name: row.text("display_name")?,
        platform: row.text("platform")?,
        arch: row.text("arch")?,
        labels: row.text("labels")?,
        lifecycle: row.text("lifecycle")?,
        enrolled_by: row.text("enrolled_by")?,
        enrolled_at: row.number("enrolled_at")?,
        reenroll_until: row.number_perhaps("reenroll_until")?,
        upgrade_status: row.text("upgrade_status")?,
        upgrade_reason: row.perhaps("upgrade_reason")?,
        rotate: row.number("rotate")? != 0,
    })
}

fn presence(row: &Columns<'_>) -> Result<PresenceRow, Error> {
    Ok(PresenceRow {
        number: row.number("number")?,
        seen_at: row.number("seen_at")?,
        installed: row.text("installed")?,
        runtime_state: row.text("runtime_state")?,
        active_task: row.perhaps("active_task")?,
        uptime_seconds: row.number("uptime_seconds")?,
        last_error: row.perhaps("last_error")?,
        boot_id: row.text("boot_id")?,
        sequence: row.number("sequence")?,
        starts: row.text("starts")?,
    })
}

fn credential(row: &Columns<'_>) -> Result<CredentialRow, Error> {
    Ok(CredentialRow {
        prefix: row.text("prefix")?,
        edge: row.number("edge")?,
        digest: row.text("digest")?,
        created_at: row.number("created_at")?,
        expires_at: row.number_perhaps("expires_at")?,
        revoked_at: row.number_perhaps("revoked_at")?,
    })
}

fn token(row: &Columns<'_>) -> Result<EdgeTokenRow, Error> {
    Ok(EdgeTokenRow {
        id: row.text("id")?,
        prefix: row.text("prefix")?,
        digest: row.text("digest")?,
        label: row.text("label")?,
        labels: row.text("labels")?,
        max_uses: row.number_perhaps("max_uses")?,
        used_count: row.number("used_count")?,
        expires_at: row.number_perhaps("expires_at")?,
        created_at: row.number("created_at")?,
        created_by: row.text("created_by")?,
        last_used_at: row.number_perhaps("last_used_at")?,
        revoked_at: row.number_perhaps("revoked_at")?,
    })
}

fn release(row: &Columns<'_>) -> Result<ReleaseRow, Error> {
    Ok(ReleaseRow {
        product: row.text("product")?,
        version: row.text("version")?,
        counter: row.number("counter")?,
        notes: row.text("notes")?,
        added_at: row.number("added_at")?,
        added_by: row.text("added_by")?,
        yanked_at: row.number_perhaps("yanked_at")?,
    })
}

fn artifact(row: &Columns<'_>) -> Result<ArtifactRow, Error> {
    Ok(ArtifactRow {
        product: row.text("product")?,
        version: row.text("version")?,
        platform: row.text("platform")?,
        arch: row.text("arch")?,
        install_type: row.text("install_type")?,
        file_name: row.text("file_name")?,
        sha256: row.text("sha256")?,
        size: row.number("size")?,
        legacy_signature: row.perhaps("legacy_signature")?,
        legacy_key: row.perhaps("legacy_key")?,
    })
}

fn metadata(row: &Columns<'_>) -> Result<MetadataRow, Error> {
    Ok(MetadataRow {
        role: row.text("role")?,
        version: row.number("version")?,
        document: row.text("document")?,
        published_at: row.number("published_at")?,
    })
}

fn campaign(row: &Columns<'_>) -> Result<CampaignRow, Error> {
    Ok(CampaignRow {
        id: row.text("id")?,
        number: row.number("number")?,
        name: row.text("name")?,
        selector: row.text("selector")?,
        spec: row.text("spec")?,
        standing: row.text("standing")?,
        created_at: row.number("created_at")?,
        created_by: row.text("created_by")?,
        undoes: row.text("undoes")?,
    })
}

fn member(row: &Columns<'_>) -> Result<MemberRow, Error> {
    Ok(MemberRow {
        campaign: row.text("campaign")?,
        edge: row.number("edge")?,
        place: row.number("place")?,
        wave: row.number("wave")?,
        state: row.text("state")?,
        attempt: row.number("attempt")?,
        unanswered: row.number("unanswered")?,
        since: row.number("since")?,
        epoch: row.number("epoch")?,
        not_before: row.number("not_before")?,
        previous_version: row.perhaps("previous_version")?,
        failure: row.perhaps("failure")?,
        reason: row.perhaps("reason")?,
    })
}

fn event(row: &Columns<'_>) -> Result<EdgeEventRow, Error> {
    Ok(EdgeEventRow {
        number: row.number("number")?,
        at: row.number("at")?,
        edge: row.number("edge")?,
        campaign: row.text("campaign")?,
        kind: row.text("kind")?,
        text: row.text("text")?,
    })
}
