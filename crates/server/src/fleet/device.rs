//! Our own agent's routes, and how any edge is enrolled and known.

use std::sync::Arc;

use ::http::{HeaderMap, StatusCode};
use landfall_fleet::legacy::{one_line, plain};
use landfall_fleet::protocol::{CheckIn, Desired, Direction, Enroll, Enrolled, Installed, Label, Rotated};
use landfall_fleet::{Credential, CredentialKind, Platform};
use landfall_store::{CredentialRow, EdgeRow, EdgeTokenRow, Enrollment, FleetWrite, NewEdge};

use super::Control;
use super::answers::{Answer, json, refused};
use super::book::{ACTIVE, Edge, Presence};
use super::hearing::{Heard, Report};
use super::ledger::Unwritten;
use super::legacy::bearer;

/// How long an old credential is good beside the one that follows, in seconds.
const OVERLAP: i64 = 24 * 3600;

/// An edge that is to be.
pub(crate) struct Wish {
    pub(crate) token: String,
    pub(crate) device_number: String,
    pub(crate) display_name: String,
    pub(crate) platform: Platform,
    pub(crate) labels: Vec<Label>,
    pub(crate) presence: Presence,
}

/// Why it is not.
pub(crate) enum NotEnrolled {
    BadToken,
    Taken,
    Bad(String),
    Unwritten,
}

impl Control {
    /// Enrolls an edge, and gives its identifier and its credential.
    pub(crate) async fn enroll(&self, wish: Wish) -> Result<(String, String), NotEnrolled> {
        let outcome = self.try_enroll(wish).await;
        let result = match &outcome {
            Ok(_) => "done",
            Err(NotEnrolled::BadToken) => "bad-token",
            Err(NotEnrolled::Taken) => "taken",
            Err(NotEnrolled::Bad(_)) => "bad-request",
            Err(NotEnrolled::Unwritten) => "unwritten",
        };
        self.numbers.count("landfall_edge_enrollments_total", result);
        outcome
    }

    async fn try_enroll(&self, wish: Wish) -> Result<(String, String), NotEnrolled> {
        let now = self.now();
        let token = self.enrollment_token(&wish.token).await?;
        let bad = |text: &str| NotEnrolled::Bad(text.to_owned());
        let display_name = plain(&wish.display_name, 201);
        if display_name.is_empty() || display_name.chars().count() > 200 {
            return Err(bad("displayName is required: 200 characters at most"));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if wish.device_number.is_empty() || wish.device_number.len() > 128 || !wish.device_number.bytes().all(plain) {
            return Err(bad("deviceNumber is required: letters, digits, `.`, `_` and `-`, at most 128"));
        }
        let mut labels: Vec<Label> = serde_json::from_str(&token.labels).unwrap_or_default();
        // What the token says of an edge, the edge does not say otherwise.
        for label in wish.labels {
            if !labels.iter().any(|it| it.name == label.name) {
                labels.push(label);
            }
        }
        check_labels(&labels).map_err(NotEnrolled::Bad)?;
        let credential = self.new_credential().map_err(|_| NotEnrolled::Unwritten)?;
        let id: [u8; 12] = super::random().map_err(|_| NotEnrolled::Unwritten)?;
        let digest = self.keys.peppers.first().map(|pepper| credential.digest(pepper)).unwrap_or_default();
        let text = format!("enrolled with the token {}", token.label);
        let new = NewEdge {
            edge: EdgeRow {
                number: 0,
                id: format!("e{}", landfall_fleet::hex(&id)),
                device_number: wish.device_number,
                display_name,
                platform: wish.platform.platform,
                arch: wish.platform.arch,
                labels: serde_json::to_string(&labels).unwrap_or_default(),
                lifecycle: ACTIVE.to_owned(),
                enrolled_by: token.id.clone(),
                enrolled_at: now,
                reenroll_until: None,
                upgrade_status: "IDLE".to_owned(),
                upgrade_reason: None,
                rotate: false,
            },
            credential: CredentialRow {
                prefix: credential.prefix.clone(),
                edge: 0,
                digest,
                created_at: now,
                expires_at: None,
                revoked_at: None,
            },
            event: self.ledger.event(now, (0, ""), "enrolled", text),
            token: token.id,
        };
        let credential_row = new.credential.clone();
        match self.enrolling.enroll(new, now).await {
            Some(Enrollment::Done(row)) => {
                let id = row.id.clone();
                let kept = CredentialRow { edge: row.number, ..credential_row };
                let presence = Presence { seen_at: now, ..wish.presence };
                self.book.enroll(*row, presence, &kept, now);
                Ok((id, credential.reveal()))
            }
            Some(Enrollment::BadToken) => Err(NotEnrolled::BadToken),
            Some(Enrollment::Taken) => Err(NotEnrolled::Taken),
            None => Err(NotEnrolled::Unwritten),
        }
    }

    /// The token that a text is, if it is known; whether it may still be used is the store's to say, in the same transaction.
    async fn enrollment_token(&self, text: &str) -> Result<EdgeTokenRow, NotEnrolled> {
        let credential = Credential::parse(CredentialKind::Enrollment, text).map_err(|_| NotEnrolled::BadToken)?;
        let tokens = self.store.tokens().await.map_err(|_| NotEnrolled::Unwritten)?;
        let found = tokens.into_iter().find(|row| row.prefix == credential.prefix);
        let digest = found.as_ref().map_or_else(|| landfall_fleet::hex(&[0; 32]), |row| row.digest.clone());
        let matches = self.keys.peppers.iter().any(|pepper| credential.matches(pepper, &digest));
        found.filter(|_| matches).ok_or(NotEnrolled::BadToken)
    }

    /// Whose a credential is, if it is good. One that was kept under the pepper before is kept under the new one then.
    pub(crate) async fn authenticated(&self, text: &str) -> Result<Option<(Arc<Edge>, String)>, Unwritten> {
        let now = self.now();
        let Some((edge, prefix, anew)) = self.book.authenticate(text, &self.keys.peppers, now) else {
            self.numbers.count("landfall_edge_unauthenticated_total", "");
            return Ok(None);
        };
        let mut writes: Vec<FleetWrite> = anew.into_iter().map(FleetWrite::Credential).collect();
        let follows = {
            let mut known = edge.now.lock();
            let is_next = known.rare().next_credential.as_ref().is_some_and(|next| next.0 == text);
            if is_next {
                known.rare_mut().next_credential = None;
                known.row.rotate = false;
                writes.push(FleetWrite::Edge(known.edge_row()));
            }
            is_next
        };
        if follows {
            let mut others = self.book.credentials_of(edge.number);
            others.retain(|row| row.prefix != prefix && row.revoked_at.is_none());
            for row in &mut others {
                row.revoked_at = Some(now);
            }
            self.book.put_credentials(&others);
            writes.extend(others.into_iter().map(FleetWrite::Credential));
        }
        if !writes.is_empty() {
            self.ledger.write(writes).await?;
        }
        Ok(Some((edge, prefix)))
    }

    /// Answers an enrollment by our own agent.
    pub(crate) async fn answer_enroll(&self, body: &[u8]) -> Answer {
        let request: Enroll = match serde_json::from_slice(body) {
            Ok(request) => request,
            Err(error) => return refused(400, "bad_request", error.to_string()),
        };
        let now = self.now();
        let device_number = request.device_number.trim().to_owned();
        let wish = Wish {
            token: request.token,
            device_number: device_number.clone(),
            display_name: request.display_name,
            platform: Platform::new(&plain(&request.platform, 32), &plain(&request.arch, 32), ""),
            labels: request.labels,
            presence: Presence {
                installed: normalised(request.installed),
                // An agent of our own, whichever start of it speaks first.
                boot_id: "enrolled".to_owned(),
                ..Presence::default()
            },
        };
        match self.enroll(wish).await {
            Ok((edge_id, credential)) => {
                let root = self.releases.known().roots.last().cloned();
                let poll_seconds = self.poll_seconds;
                let enrolled = Enrolled { edge_id, credential, device_number, root, poll_seconds, server_time: now };
                json(StatusCode::CREATED, &enrolled)
            }
            Err(NotEnrolled::BadToken) => refused(
                401,
                "unauthorized",
                "the enrollment token is not known, revoked, used up or past its time; \
                 `landfall edge token create` mints another one, and `landfall edge token revoke` ends one that others may have",
            ),
            Err(NotEnrolled::Taken) => refused(
                409,
                "conflict",
                format!(
                    "the device number {device_number} is another edge's; \
                         `landfall edge reenroll {device_number}` lets it enroll once more"
                ),
            ),
            Err(NotEnrolled::Bad(why)) => refused(400, "bad_request", why),
            Err(NotEnrolled::Unwritten) => refused(503, "unavailable", "it cannot be written down; try again"),
        }
    }

    /// Answers a check-in.
    pub(crate) async fn answer_check_in(&self, headers: &HeaderMap, body: &[u8]) -> Answer {
        let unauthorized = || {
            refused(401, "unauthorized", "the credential is not known, revoked or past its time; enroll the edge anew")
        };
        let unwritten = || refused(503, "unavailable", "it cannot be written down; try again");
        let Some(text) = bearer(headers) else { return unauthorized() };
        let edge = match self.authenticated(&text).await {
            Ok(Some((edge, _))) => edge,
            Ok(None) => return unauthorized(),
            Err(Unwritten) => return unwritten(),
        };
        let request: CheckIn = match serde_json::from_slice(body) {
            Ok(request) => request,
            Err(error) => return refused(400, "bad_request", error.to_string()),
        };
        if request.boot_id.is_empty() || request.boot_id.len() > 64 || request.sequence == 0 {
            return refused(400, "bad_request", "bootId and sequence are required");
        }
        if !edge.now.lock().is_active() {
            return refused(
                403,
                "forbidden",
                "this edge is disabled or in quarantine; `landfall edge enable` ends that",
            );
        }
        let (reported, metadata) = (request.progress.as_ref().map(|it| it.attempt.clone()), self.releases.versions());
        let Ok(told) = self.hear(&edge, heard(request)).await else { return unwritten() };
        let attempt = |campaign: &str, attempt: u32| format!("{campaign}.{attempt}");
        let desired = told.desired.map(|wanted| Desired {
            attempt: attempt(&wanted.campaign, wanted.attempt),
            url: self.artifact_url(&wanted.artifact),
            target: format!("{}/{}/{}", wanted.artifact.product, wanted.artifact.version, wanted.artifact.file_name),
            product: wanted.artifact.product,
            version: wanted.artifact.version,
            bytes_per_second: wanted.bytes_per_second,
            not_after: wanted.not_after,
            downgrade: wanted.downgrade,
        });
        let cancel = reported.filter(|it| desired.as_ref().is_none_or(|desired| desired.attempt != *it));
        let cancel = cancel.filter(|it| self.is_unwanted(it, edge.number));
        let credential = match told.is_replay {
            true => None,
            false => match self.next_credential(&edge).await {
                Ok(next) => next,
                Err(_) => return unwritten(),
            },
        };
        let server_time = self.now();
        let direction =
            Direction { server_time, poll_seconds: self.poll_seconds, desired, cancel, credential, metadata };
        json(StatusCode::OK, &direction)
    }

    /// Whether an attempt is one that nobody wants any more.
    fn is_unwanted(&self, attempt: &str, edge: i64) -> bool {
        let Some((campaign, _)) = attempt_of(attempt) else { return true };
        let Some(slot) = self.campaigns.find(&campaign) else { return true };
        slot.look(|it| it.attempt_of(edge).is_none() && it.member(edge).is_none_or(|member| !member.state.is_final()))
            .unwrap_or(true)
            || slot
                .look(|it| it.member(edge).is_some_and(|member| member.state.as_str() == "CANCELLED"))
                .unwrap_or(false)
    }

    /// A credential that no edge has.
    fn new_credential(&self) -> Result<Credential, Unwritten> {
        let draw = || Some((super::random().ok()?, super::random().ok()?));
        self.book.new_credential(draw).ok_or(Unwritten)
    }

    /// The credential that is to follow, made when an operator asked for it; told until it is used.
    async fn next_credential(&self, edge: &Arc<Edge>) -> Result<Option<Rotated>, Unwritten> {
        let now = self.now();
        {
            let known = edge.now.lock();
            if let Some(next) = known.rare().next_credential.as_deref() {
                let (credential, old_expires_at) = next.clone();
                return Ok(Some(Rotated { credential, old_expires_at }));
            }
            if !known.row.rotate {
                return Ok(None);
            }
        }
        let credential = self.new_credential()?;
        let old_expires_at = now + OVERLAP;
        let mut rows = self.book.credentials_of(edge.number);
        rows.retain(|row| row.revoked_at.is_none());
        for row in &mut rows {
            row.expires_at = Some(row.expires_at.unwrap_or(old_expires_at).min(old_expires_at));
        }
        let digest = self.keys.peppers.first().map(|pepper| credential.digest(pepper)).unwrap_or_default();
        let prefix = credential.prefix.clone();
        rows.push(CredentialRow {
            prefix,
            edge: edge.number,
            digest,
            created_at: now,
            expires_at: None,
            revoked_at: None,
        });
        self.ledger.write(rows.iter().cloned().map(FleetWrite::Credential).collect()).await?;
        self.book.put_credentials(&rows);
        let credential = credential.reveal();
        edge.now.lock().rare_mut().next_credential = Some(Box::new((credential.clone(), old_expires_at)));
        Ok(Some(Rotated { credential, old_expires_at }))
    }
}

fn heard(request: CheckIn) -> Heard {
    let platform = Platform::new(&plain(&request.platform, 32), &plain(&request.arch, 32), "");
    let report = request.progress.map(|progress| Report {
        // An attempt that cannot be read is none of ours, and must not be taken for the one under way.
        attempt: Some(attempt_of(&progress.attempt).unwrap_or_default()),
        status: progress.status,
        failure: progress.failure,
        reason: progress.reason,
    });
    Heard {
        installed: normalised(request.installed),
        platform: Some((platform.platform, platform.arch)),
        state: Some(request.state),
        is_busy: request.active_task.is_some(),
        active_task: request.active_task.as_deref().map(one_line),
        uptime_seconds: Some(request.uptime_seconds),
        last_error: request.last_error.as_deref().map(one_line),
        boot: Some((request.boot_id, request.sequence)),
        report,
        is_existing: false,
    }
}

/// Programs in the spelling that is stored, no more than an edge can have.
fn normalised(installed: Vec<Installed>) -> Vec<Installed> {
    let short = |text: String| plain(&text, 128);
    let one = |it: Installed| Installed {
        product: short(it.product),
        version: short(it.version),
        install_type: if it.install_type.is_empty() { "service".to_owned() } else { short(it.install_type) },
    };
    installed.into_iter().take(8).map(one).collect()
}

fn attempt_of(text: &str) -> Option<(String, u32)> {
    let (campaign, attempt) = text.rsplit_once('.')?;
    Some((campaign.to_owned(), attempt.parse().ok()?))
}

/// Holds that labels can be selected by.
pub(crate) fn check_labels(labels: &[Label]) -> Result<(), String> {
    let plain = |text: &str| {
        text.len() <= 63 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if labels.len() > 32 {
        return Err("an edge has at most 32 labels".to_owned());
    }
    match labels.iter().find(|it| it.name.is_empty() || !plain(&it.name) || !plain(&it.value)) {
        Some(bad) => {
            Err(format!("{:?}={:?} is no label: letters, digits, `.`, `_` and `-`, at most 63", bad.name, bad.value))
        }
        None => Ok(()),
    }
}
