//! What an operator asks: edges, enrollment tokens, releases, campaigns.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use ::http::{HeaderValue, StatusCode, header};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_fleet::campaign::{MemberState, Observation, PauseReason};
use landfall_fleet::protocol::Label;
use landfall_fleet::{Credential, CredentialKind};
use landfall_store::{AuditEntry, EdgeTokenRow, FleetWrite};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Control;
use super::answers::{Answer, json as answered, not_done, typed, unwritten};
use super::book::{ACTIVE, DISABLED, Edge, Lifecycle, QUARANTINED};
use super::campaigns::{NewCampaign, Slot, time};
use super::releases::NewRelease;
use super::routes::{Asked, Pieces};
use super::{listing, page};

/// How long a device number may enroll once more, in seconds.
const REENROLL: i64 = 3600;
/// How many events of an edge are told.
const EVENTS: i64 = 200;
/// How many edges of a campaign are told, if nothing else is asked for.
const MEMBERS: usize = 500;

/// An enrollment token that is to be minted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct NewToken {
    /// For people.
    pub label: String,
    /// How many edges it enrolls.
    pub max_uses: Option<u32>,
    /// Until when it is good, RFC 3339.
    pub expires_at: Option<String>,
    /// Labels that edges get that it enrolls, `site=berlin`.
    pub labels: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Wishes {
    labels: Vec<String>,
    root: Option<String>,
    targets: Option<String>,
}

impl Control {
    /// Answers an operator who was let in.
    pub(crate) async fn operator(
        self: &Arc<Self>,
        by: &str,
        asked: Asked,
        pieces: &Pieces,
        (query, body): (&str, &[u8]),
    ) -> Answer {
        if asked == Asked::Page {
            return self.page().await;
        }
        // What was begun comes to its end, and into the audit log, whether anybody still waits for it or not.
        let (control, by, pieces) = (Arc::clone(self), by.to_owned(), pieces.clone());
        let (query, body) = (query.to_owned(), body.to_vec());
        let work = async move { control.asked(&by, asked, &pieces, (&query, &body)).await };
        match tokio::spawn(work).await {
            Ok(Ok(value)) => answered(StatusCode::OK, &value),
            Ok(Err(diagnostic)) => not_done(&diagnostic),
            Err(broken) => {
                not_done(&Diagnostic::error(code::BUG, "a request could not be answered").note(broken.to_string()))
            }
        }
    }

    async fn asked(
        self: &Arc<Self>,
        by: &str,
        asked: Asked,
        pieces: &Pieces,
        (query, body): (&str, &[u8]),
    ) -> Result<Value, Diagnostic> {
        match asked {
            Asked::Edges => self.list_edges(query),
            Asked::Edge => {
                let edge = self.edge(&pieces.name)?;
                let mut told = listing::line(&edge.now.lock(), self.now());
                let events = self.store.events(edge.number, EVENTS).await.map_err(|error| error.diagnose())?;
                let event = |it: &landfall_store::EdgeEventRow| json!({"number": it.number, "at": time(it.at), "kind": it.kind, "campaign": it.campaign, "text": it.text});
                told["events"] = events.iter().map(event).collect();
                let credentials = self.book.credentials_of(edge.number);
                let credential = |row: &landfall_store::CredentialRow| {
                    json!({
                        "prefix": row.prefix, "createdAt": time(row.created_at), "expiresAt": row.expires_at.map(time),
                        "revokedAt": row.revoked_at.map(time),
                    })
                };
                told["credentials"] = credentials.iter().map(credential).collect();
                Ok(told)
            }
            Asked::Explain => Ok(self.explain_edge(&self.edge(&pieces.name)?)),
            Asked::EdgeDoes => {
                let edge = self.edge(&pieces.name)?;
                let wishes: Wishes = read(body)?;
                let target = edge.now.lock().row.device_number.to_string();
                let work = self.edge_does(&edge, &pieces.action, wishes.labels.clone());
                let action = format!("edge.{}", pieces.action);
                self.audited(by, &action, &target, json!({"labels": wishes.labels}), work).await
            }
            Asked::Tokens => Ok(json!({"tokens": self.tokens().await?})),
            Asked::MintToken => {
                let new: NewToken = read(body)?;
                let detail = json!(new);
                let label = new.label.clone();
                self.audited(by, "edge.token.create", &label, detail, self.mint(by, new)).await
            }
            Asked::RevokeToken => {
                let name = pieces.name.clone();
                self.audited(by, "edge.token.revoke", &name, Value::Null, self.revoke_token(&name)).await
            }
            Asked::Releases => Ok(json!({"releases": self.list_releases()})),
            Asked::AddRelease => {
                let new: NewRelease = read(body)?;
                let target = format!("{} {}", new.product.clone().unwrap_or_default(), new.version);
                let work = async { self.add_release(&new, by).await.map(|release| self.release_told(&release)) };
                self.audited(by, "edge.release.add", &target, json!({"artifacts": new.artifacts}), work).await
            }
            Asked::Yank => {
                let wishes: Wishes = read(body)?;
                let (product, version) = (pieces.name.as_str(), pieces.action.as_str());
                let work = async {
                    self.yank(product, version, wishes.targets.as_deref()).await?;
                    Ok(json!({"product": product, "version": version, "yanked": true}))
                };
                self.audited(by, "edge.release.yank", &format!("{product} {version}"), Value::Null, work).await
            }
            Asked::Metadata => {
                let (known, versions) = (self.releases.known(), self.releases.versions());
                Ok(json!({
                    "versions": versions, "timestampKey": self.keys.timestamp.public(), "roots": known.roots,
                    "targets": known.targets, "timestamp": known.timestamp,
                    "expiresInSeconds": self.seconds_left(),
                }))
            }
            Asked::Publish => {
                let wishes: Wishes = read(body)?;
                let what = match (&wishes.root, &wishes.targets) {
                    (Some(_), None) => "root",
                    (None, Some(_)) => "targets",
                    _ => "root and targets",
                };
                let work = async {
                    self.publish_metadata(wishes.root.as_deref(), wishes.targets.as_deref()).await?;
                    Ok(json!({"versions": self.releases.versions(), "expiresInSeconds": self.seconds_left()}))
                };
                self.audited(by, "edge.metadata.publish", what, Value::Null, work).await
            }
            Asked::TakeOver => {
                let tables: super::import::Tables = read(body)?;
                let work = self.take_over(tables);
                self.audited(by, "edge.import", "the product's tables", Value::Null, work).await
            }
            Asked::Campaigns => {
                Ok(json!({"campaigns": self.campaigns.all().iter().map(|slot| slot.told()).collect::<Vec<_>>()}))
            }
            Asked::Campaign => {
                let slot = self.campaign(&pieces.name)?;
                let mut told = slot.told();
                told["members"] = self.members(&slot, query).into();
                told["fleet"] = self.book.count().into();
                Ok(told)
            }
            Asked::Preview => {
                let new: NewCampaign = read(body)?;
                let planned = self.plan_campaign(&new)?;
                let left_out: Vec<Value> =
                    planned.left_out.iter().map(|(edge, why)| json!({"edge": edge, "why": why})).collect();
                let edges: Vec<String> = planned.members.iter().take(MEMBERS).map(|(id, _)| id.clone()).collect();
                Ok(json!({"edges": edges, "count": planned.members.len(), "leftOut": left_out, "spec": planned.spec,
                    "fleet": self.book.count()}))
            }
            Asked::NewCampaign => {
                let new: NewCampaign = read(body)?;
                let target = format!("{} {}", new.product.clone().unwrap_or_default(), new.version);
                let work = async {
                    let (slot, left_out) = self.create_campaign(&new, (by, "")).await?;
                    let mut told = slot.told();
                    told["leftOut"] = left_out.iter().map(|(edge, why)| json!({"edge": edge, "why": why})).collect();
                    Ok(told)
                };
                self.audited(by, "edge.campaign.create", &target, json!(new), work).await
            }
            Asked::CampaignDoes => {
                let slot = self.campaign(&pieces.name)?;
                let action = pieces.action.clone();
                let work = self.campaign_does(by, &slot, &action);
                self.audited(by, &format!("edge.campaign.{action}"), &slot.row.name, Value::Null, work).await
            }
            Asked::Page | Asked::Upload | Asked::Download | Asked::Stream => {
                Err(Diagnostic::error(code::BUG, "this is answered elsewhere"))
            }
        }
    }

    /// Does something that is in the audit log before it is done.
    pub(crate) async fn audited<T>(
        &self,
        by: &str,
        action: &str,
        target: &str,
        detail: Value,
        work: impl Future<Output = Result<T, Diagnostic>>,
    ) -> Result<T, Diagnostic> {
        let entry = AuditEntry {
            at: time(self.now()),
            actor: by.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            detail,
        };
        let number = self.audit.begin(&entry).await.map_err(|error| {
            Diagnostic::error(code::UNAUDITED, "the audit log cannot be written; nothing was changed")
                .note(error.to_string())
        })?;
        let done = work.await;
        let outcome = match &done {
            Ok(_) => "done".to_owned(),
            Err(diagnostic) => format!("not done: {}", diagnostic.message),
        };
        if let Err(error) = self.audit.end(number, &outcome).await {
            tracing::warn!("how something ended cannot be written into the audit log: {error}");
        }
        done
    }

    /// How long each role's metadata is still believed.
    fn seconds_left(&self) -> BTreeMap<&'static str, u64> {
        self.releases.expires_in(self.now()).into_iter().collect()
    }

    fn edge(&self, name: &str) -> Result<Arc<Edge>, Diagnostic> {
        self.book.find(name).ok_or_else(|| self.book.unknown(name))
    }

    fn campaign(&self, name: &str) -> Result<Arc<Slot>, Diagnostic> {
        self.campaigns.find(name).ok_or_else(|| {
            Diagnostic::error(code::NO_SUCH_EDGE, format!("there is no campaign {name}"))
                .help("landfall edge campaign list")
        })
    }

    async fn edge_does(&self, edge: &Arc<Edge>, action: &str, labels: Vec<String>) -> Result<Value, Diagnostic> {
        let now = self.now();
        let mut writes = Vec::new();
        let mut row = edge.now.lock().edge_row();
        match action {
            "enable" => ACTIVE.clone_into(&mut row.lifecycle),
            "disable" => DISABLED.clone_into(&mut row.lifecycle),
            "quarantine" => QUARANTINED.clone_into(&mut row.lifecycle),
            "reenroll" => row.reenroll_until = Some(now + REENROLL),
            "rotate" => row.rotate = true,
            "label" => {
                let labels = labels_of(&labels)?;
                row.labels = serde_json::to_string(&labels).unwrap_or_default();
            }
            "revoke" => {
                let mut rows = self.book.credentials_of(edge.number);
                rows.retain(|row| row.revoked_at.is_none());
                rows.iter_mut().for_each(|row| row.revoked_at = Some(now));
                self.book.put_credentials(&rows);
                writes.extend(rows.into_iter().map(FleetWrite::Credential));
            }
            "remove" => writes.push(FleetWrite::Forget(edge.number)),
            other => {
                let text = format!("an edge is not asked to `{other}`");
                return Err(Diagnostic::error(code::BAD_REQUEST, text)
                    .help("enable, disable, quarantine, reenroll, rotate, revoke, label, remove"));
            }
        }
        if action != "remove" {
            writes.push(FleetWrite::Edge(row.clone()));
        }
        let event = self.ledger.event(now, (edge.number, ""), "operator", action.to_owned());
        writes.push(FleetWrite::Event(event));
        self.ledger.write(writes).await.map_err(|_| unwritten())?;
        let mut told = {
            let mut known = edge.now.lock();
            let labels: Vec<_> = serde_json::from_str(&row.labels).unwrap_or_default();
            // What it reported meanwhile stays.
            known.row.labels = self.book.labels(&labels);
            known.row.lifecycle = Lifecycle::of(&row.lifecycle);
            if known.rare().reenroll_until != row.reenroll_until {
                known.rare_mut().reenroll_until = row.reenroll_until;
            }
            known.row.rotate = row.rotate;
            listing::line(&known, now)
        };
        let follows = match action {
            "disable" | "quarantine" | "remove" => Some(Observation::Left { edge: edge.number }),
            "revoke" => Some(Observation::Revoked { edge: edge.number }),
            _ => None,
        };
        if let Some(follows) = follows {
            for slot in self.campaigns.all() {
                if slot.look(|campaign| campaign.member(edge.number).is_some()).unwrap_or(false) {
                    self.changed(&slot, std::slice::from_ref(&follows)).await?;
                }
            }
        }
        if action == "remove" {
            self.book.forget(edge.number);
        }
        told["action"] = action.into();
        Ok(told)
    }

    async fn campaign_does(&self, by: &str, slot: &Arc<Slot>, action: &str) -> Result<Value, Diagnostic> {
        let before = slot.look(|campaign| campaign.standing().clone());
        let wave = before.as_ref().map_or(0, |standing| standing.wave);
        let observation = match action {
            "start" => Observation::Start,
            "pause" => Observation::Pause,
            "resume" => Observation::Resume,
            "abort" => Observation::Abort,
            "retry" => Observation::Retry,
            "approve" => Observation::Approve { wave: wave + 1 },
            "rollback" => return self.roll_back(by, slot).await,
            other => {
                return Err(Diagnostic::error(code::BAD_REQUEST, format!("a campaign is not asked to `{other}`"))
                    .help("start, pause, resume, approve, abort, retry, rollback"));
            }
        };
        self.changed(slot, &[observation]).await?;
        let after = slot.look(|campaign| campaign.standing().clone());
        if before == after {
            let name = &slot.row.name;
            let is_withdrawn = after.as_ref().is_some_and(|it| it.pause_reason == Some(PauseReason::ReleaseYanked));
            let state = after.map(|standing| super::campaigns::word(&standing.state)).unwrap_or_default();
            let text = format!("the campaign {name} is {state}, in which `{action}` changes nothing");
            let told = Diagnostic::refused(code::EDGE_CONFLICT, text);
            return Err(if is_withdrawn {
                told.note("its release was withdrawn").help(format!("landfall edge campaign abort {name}"))
            } else {
                told.help("landfall edge campaign list")
            });
        }
        Ok(slot.told())
    }

    async fn tokens(&self) -> Result<Vec<Value>, Diagnostic> {
        let now = self.now();
        let rows = self.store.tokens().await.map_err(|error| error.diagnose())?;
        Ok(rows.iter().map(|row| token_told(row, now)).collect())
    }

    async fn mint(&self, by: &str, new: NewToken) -> Result<Value, Diagnostic> {
        let bad = |text: String| Diagnostic::error(code::BAD_REQUEST, text).note("nothing was changed");
        let now = self.now();
        let expires_at = match &new.expires_at {
            Some(text) => {
                let at: jiff::Timestamp =
                    text.parse().map_err(|_| bad(format!("{text:?} is no time, as in 2026-12-24T18:00:00Z")))?;
                Some(at.as_second()).filter(|at| *at > now).ok_or_else(|| bad(format!("{text} has passed")))?.into()
            }
            None => None,
        };
        if new.label.trim().is_empty() {
            return Err(bad("a token says in its label what it is for".to_owned()));
        }
        if new.max_uses == Some(0) {
            return Err(bad("a token that enrolls nobody is none".to_owned()));
        }
        let labels = labels_of(&new.labels)?;
        let credential = Credential::of_random(CredentialKind::Enrollment, super::random()?, super::random()?);
        let id: [u8; 5] = super::random()?;
        let row = EdgeTokenRow {
            id: format!("t{}", landfall_fleet::hex(&id)),
            prefix: credential.prefix.clone(),
            digest: self.keys.peppers.first().map(|pepper| credential.digest(pepper)).unwrap_or_default(),
            label: new.label.chars().take(200).collect(),
            labels: serde_json::to_string(&labels).unwrap_or_default(),
            max_uses: new.max_uses.map(i64::from),
            used_count: 0,
            expires_at,
            created_at: now,
            created_by: by.to_owned(),
            last_used_at: None,
            revoked_at: None,
        };
        self.ledger.write(vec![FleetWrite::Token(row.clone())]).await.map_err(|_| unwritten())?;
        let mut told = token_told(&row, now);
        told["token"] = credential.reveal().into();
        Ok(told)
    }

    async fn revoke_token(&self, name: &str) -> Result<Value, Diagnostic> {
        let rows = self.store.tokens().await.map_err(|error| error.diagnose())?;
        let found = rows.into_iter().find(|row| row.id == name || row.prefix == name);
        let mut row = found.ok_or_else(|| {
            Diagnostic::error(code::NO_SUCH_EDGE, format!("there is no enrollment token {name}"))
                .help("landfall edge token list")
        })?;
        let now = self.now();
        row.revoked_at.get_or_insert(now);
        self.ledger.write(vec![FleetWrite::Token(row.clone())]).await.map_err(|_| unwritten())?;
        let mut told = token_told(&row, now);
        let enrolled = self.book.all().into_iter().filter(|edge| *edge.now.lock().row.enrolled_by == *row.id);
        told["edges"] = enrolled.map(|edge| edge.now.lock().row.device_number.to_string()).collect();
        Ok(told)
    }

    fn list_releases(&self) -> Vec<Value> {
        self.releases.known().releases.values().map(|it| self.release_told(it)).collect()
    }

    /// Edges of a campaign in the order of its waves; where they are more than are told, those that somebody may have to look at.
    pub(super) fn members(&self, slot: &Slot, query: &str) -> Vec<Value> {
        let (mut state, mut limit) = (None, MEMBERS);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "state" => state = Some(value.to_ascii_uppercase()),
                "limit" => limit = value.parse().unwrap_or(MEMBERS).min(10 * MEMBERS),
                _ => {}
            }
        }
        let members = slot.look(|campaign| {
            let wanted = |it: &&landfall_fleet::campaign::Member| {
                state.as_deref().is_none_or(|state| it.state.as_str() == state)
            };
            let mut told: Vec<_> = campaign.members().iter().filter(wanted).collect();
            if told.len() > limit {
                let is_well =
                    |state| matches!(state, MemberState::Queued | MemberState::Succeeded | MemberState::Cancelled);
                told.sort_by_key(|it| (is_well(it.state), !it.state.is_failure()));
                told.truncate(limit);
                told.sort_by_key(|it| campaign.place(it.edge));
            }
            told.into_iter().cloned().collect::<Vec<_>>()
        });
        let told = |member: &landfall_fleet::campaign::Member| {
            let name = self.book.by_number(member.edge).map(|edge| edge.now.lock().row.device_number.to_string());
            json!({
                "edge": name, "wave": member.wave, "state": member.state, "attempt": member.attempt,
                "since": Some(member.since).filter(|since| *since > 0).map(time), "previousVersion": member.previous_version, "failure": member.failure,
                "reason": member.reason,
            })
        };
        members.unwrap_or_default().iter().map(told).collect()
    }

    async fn page(&self) -> Answer {
        let listed = self.list_edges("limit=500").unwrap_or_default();
        let tokens = self.tokens().await.unwrap_or_default();
        let mut answer = typed(StatusCode::OK, "text/html; charset=utf-8", page::of(&listed, &tokens));
        if let Ok(policy) = HeaderValue::from_str(&page::policy()) {
            answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        answer.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        answer
    }
}

impl Control {
    pub(crate) fn release_told(&self, release: &super::releases::Release) -> Value {
        let delta = |it: landfall_fleet::Delta| json!({"from": it.version, "sizeBytes": it.own.length});
        let artifact = |it: &landfall_store::ArtifactRow| {
            json!({
                "platform": it.platform, "arch": it.arch, "installType": it.install_type, "fileName": it.file_name,
                "checksum": it.sha256, "sizeBytes": it.size, "signature": it.legacy_signature,
                "signingKeyId": it.legacy_key,
                "deltas": self.releases.deltas(it).into_iter().map(delta).collect::<Vec<_>>(),
            })
        };
        let row = &release.row;
        json!({
            "product": row.product, "version": row.version, "counter": row.counter, "notes": row.notes,
            "addedAt": time(row.added_at), "addedBy": row.added_by, "yankedAt": row.yanked_at.map(time),
            "artifacts": release.artifacts.iter().map(artifact).collect::<Vec<_>>(),
        })
    }
}

/// An enrollment token as it is told: never what it is.
fn token_told(row: &EdgeTokenRow, now: i64) -> Value {
    let used_up = row.max_uses.is_some_and(|most| row.used_count >= most);
    let state = match row.revoked_at {
        Some(_) => "revoked",
        None if row.expires_at.is_some_and(|at| at <= now) => "expired",
        None if used_up => "used up",
        None => "good",
    };
    let labels: Value = serde_json::from_str(&row.labels).unwrap_or_default();
    json!({
        "id": row.id, "prefix": row.prefix, "label": row.label, "labels": labels, "maxUses": row.max_uses,
        "usedCount": row.used_count, "expiresAt": row.expires_at.map(time), "createdAt": time(row.created_at),
        "createdBy": row.created_by, "lastUsedAt": row.last_used_at.map(time), "revokedAt": row.revoked_at.map(time),
        "state": state,
    })
}

fn labels_of(texts: &[String]) -> Result<Vec<Label>, Diagnostic> {
    let bad = |text: String| Diagnostic::error(code::BAD_REQUEST, text).note("nothing was changed");
    let labels = texts.iter().map(|text| match text.split_once('=') {
        Some((name, value)) => Ok(Label { name: name.trim().to_owned(), value: value.trim().to_owned() }),
        None => Err(bad(format!("{text:?} is no label: write NAME=VALUE"))),
    });
    let labels = labels.collect::<Result<Vec<_>, _>>()?;
    super::device::check_labels(&labels).map_err(bad)?;
    Ok(labels)
}

fn read<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Diagnostic> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| {
        Diagnostic::error(code::BAD_REQUEST, "the request is not what is taken there").note(error.to_string())
    })
}
