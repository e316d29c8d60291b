//! What the product's own gateway knew: its tables, so that registered devices go on without enrolling anew.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use landfall_diag::{Diagnose as _, Diagnostic};
use landfall_fleet::Platform;
use landfall_fleet::UpgradeStatus;
use landfall_fleet::protocol::{DEFAULT_PRODUCT, Installed};
use landfall_store::{CredentialRow, EdgeRow, EdgeTokenRow, KnownEdge};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Control;
use super::book::{ACTIVE, DISABLED, Presence, QUARANTINED, state_of};

/// The tables, as PostgreSQL's `json_agg` writes their rows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tables {
    workers: Option<Vec<Worker>>,
    worker_credentials: Option<Vec<Credential>>,
    edge_enrollment_tokens: Option<Vec<Token>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Worker {
    id: String,
    name: String,
    device_number: Option<String>,
    platform: Option<String>,
    arch: Option<String>,
    version: Option<String>,
    status: String,
    last_seen_at: Option<String>,
    upgrade_status: Option<String>,
    upgrade_message: Option<String>,
    runtime_state: Option<String>,
    created_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Credential {
    worker_id: String,
    key_prefix: String,
    key_hash: String,
    status: String,
    expires_at: Option<String>,
    created_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Token {
    id: String,
    label: Option<String>,
    token_prefix: String,
    token_hash: String,
    status: String,
    expires_at: Option<String>,
    max_uses: Option<i64>,
    used_count: i64,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    created_at: Option<String>,
}

impl Control {
    /// Takes over what the tables hold; what is known already stays as it is.
    pub(crate) async fn take_over(&self, tables: Tables) -> Result<Value, Diagnostic> {
        let now = self.now();
        let mut credentials: HashMap<String, Vec<CredentialRow>> = HashMap::new();
        for row in tables.worker_credentials.unwrap_or_default() {
            let kept = CredentialRow {
                prefix: row.key_prefix,
                edge: 0,
                digest: row.key_hash.to_ascii_lowercase(),
                created_at: at(row.created_at.as_deref()).unwrap_or(now),
                expires_at: at(row.expires_at.as_deref()),
                revoked_at: (row.status != "ACTIVE").then_some(now),
            };
            credentials.entry(row.worker_id).or_default().push(kept);
        }
        let (mut known, mut heard, mut left_out) = (Vec::new(), HashMap::new(), Vec::new());
        for row in tables.workers.unwrap_or_default() {
            let Some(device_number) = row.device_number.filter(|device| !device.is_empty()) else {
                left_out.push(
                    json!({"worker": row.id, "why": "it has no device number, so that no agent ever checks in as it"}),
                );
                continue;
            };
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let platform = Platform::new(&text(&row.platform), &text(&row.arch), "");
            let lifecycle = match row.status.as_str() {
                "DISABLED" => DISABLED,
                "QUARANTINED" => QUARANTINED,
                _ => ACTIVE,
            };
            let status = row.upgrade_status.as_deref().and_then(UpgradeStatus::parse).unwrap_or(UpgradeStatus::Idle);
            let installed = row.version.filter(|version| !version.is_empty()).map(|version| Installed {
                product: DEFAULT_PRODUCT.to_owned(),
                version,
                install_type: "service".to_owned(),
            });
            let presence = Presence {
                seen_at: at(row.last_seen_at.as_deref()).unwrap_or(0),
                installed: installed.into_iter().collect(),
                state: row.runtime_state.as_deref().and_then(state_of).unwrap_or_default(),
                ..Presence::default()
            };
            heard.insert(row.id.clone(), presence);
            let edge = EdgeRow {
                number: 0,
                id: row.id.clone(),
                device_number,
                display_name: row.name,
                platform: platform.platform,
                arch: platform.arch,
                labels: "[]".to_owned(),
                lifecycle: lifecycle.to_owned(),
                enrolled_by: String::new(),
                enrolled_at: at(row.created_at.as_deref()).unwrap_or(now),
                reenroll_until: None,
                upgrade_status: status.as_str().to_owned(),
                upgrade_reason: row.upgrade_message,
                rotate: false,
            };
            known.push(KnownEdge { edge, credentials: credentials.remove(&row.id).unwrap_or_default() });
        }
        let tokens: Vec<EdgeTokenRow> =
            tables.edge_enrollment_tokens.unwrap_or_default().into_iter().map(|row| token(row, now)).collect();
        let taken = self.store.take_over(&known, &tokens).await.map_err(|error| error.diagnose())?;
        let answer = json!({
            "edges": taken.len(), "known": known.len() - taken.len(), "tokens": tokens.len(), "leftOut": left_out,
        });
        for one in taken {
            let presence = heard.remove(&one.edge.id).unwrap_or_default();
            self.book.take_over(one.edge, presence, &one.credentials);
        }
        Ok(answer)
    }
}

fn token(row: Token, now: i64) -> EdgeTokenRow {
    let revoked_at = at(row.revoked_at.as_deref()).or_else(|| (row.status != "ACTIVE").then_some(now));
    EdgeTokenRow {
        id: row.id,
        prefix: row.token_prefix,
        digest: row.token_hash.to_ascii_lowercase(),
        label: row.label.unwrap_or_default(),
        labels: "[]".to_owned(),
        // One that was used more often than it may, by the original's race, is used up.
        max_uses: row.max_uses.map(|most| most.max(row.used_count)),
        used_count: row.used_count,
        expires_at: at(row.expires_at.as_deref()),
        created_at: at(row.created_at.as_deref()).unwrap_or(now),
        created_by: "import".to_owned(),
        last_used_at: at(row.last_used_at.as_deref()),
        revoked_at,
    }
}

/// A time as PostgreSQL writes it: without a zone it is UTC.
fn at(text: Option<&str>) -> Option<i64> {
    let text = text?;
    let with_zone = text.parse::<Timestamp>().ok();
    let without = || text.parse::<DateTime>().ok().and_then(|it| it.to_zoned(jiff::tz::TimeZone::UTC).ok());
    with_zone.map(Timestamp::as_second).or_else(|| without().map(|it| it.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        assert_eq!(at(Some("2026-06-30T12:00:00.123")), at(Some("2026-06-30T14:00:00+02:00")));
        assert_eq!((at(Some("soon")), at(None)), (None, None));
    }
}
