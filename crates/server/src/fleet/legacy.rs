//! The seven routes of the agent that is out there.

use ::http::{HeaderMap, StatusCode, header};
use landfall_fleet::legacy::{
    Asker, Connectivity, Intent, NextTask, Refusal, Register, Registered, Release, one_line, plain,
};
use landfall_fleet::protocol::{DEFAULT_PRODUCT, Installed};
use landfall_fleet::{Platform, UpgradeStatus};
use serde::de::DeserializeOwned;

use super::Control;
use super::answers::{Answer, json, legacy};
use super::book::{Presence, state_of};
use super::device::{NotEnrolled, Wish};
use super::hearing::{Heard, Report};

/// Which of the routes of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Legacy {
    Register,
    Connectivity,
    NextTask,
    Task,
}

impl Control {
    /// Answers the agent that is out there.
    pub(crate) async fn legacy(&self, route: Legacy, headers: &HeaderMap, body: &[u8]) -> Answer {
        match self.answered(route, headers, body).await {
            Ok(answer) => answer,
            Err(refusal) => {
                json(StatusCode::from_u16(refusal.status_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &refusal)
            }
        }
    }

    async fn answered(&self, route: Legacy, headers: &HeaderMap, body: &[u8]) -> Result<Answer, Refusal> {
        match route {
            Legacy::Register => self.register(headers, read(body)?).await,
            Legacy::Connectivity => self.connectivity(headers, body).await,
            Legacy::NextTask => {
                let (edge, _) = self.known(headers).await?;
                let asker: Asker = read(body)?;
                self.is_own(&asker.worker_id, &edge)?;
                Ok(json(StatusCode::CREATED, &NextTask { success: true, task: None }))
            }
            Legacy::Task => {
                let (edge, _) = self.known(headers).await?;
                let asker: Asker = read(body)?;
                self.is_own(&asker.worker_id, &edge)?;
                // A fleet hands out no tasks, so that there is none that could be reported on.
                Err(Refusal::new(404, "Task not found"))
            }
        }
    }

    async fn register(&self, headers: &HeaderMap, request: Register) -> Result<Answer, Refusal> {
        const BAD: &str = "Invalid registration token";
        let token = request.token.clone().or_else(|| bearer(headers)).ok_or_else(|| Refusal::new(401, BAD))?;
        let text = |value: &Option<String>| value.as_deref().map(str::trim).unwrap_or_default().to_owned();
        let short = |value: &Option<String>, most: usize| plain(value.as_deref().unwrap_or_default(), most);
        let platform = Platform::new(&short(&request.platform, 32), &short(&request.arch, 32), "");
        let version = short(&request.edge_version, 128);
        let installed = Installed { product: DEFAULT_PRODUCT.to_owned(), version, install_type: "service".to_owned() };
        let wish = Wish {
            token,
            device_number: text(&request.device_number),
            display_name: text(&request.display_name),
            platform,
            labels: Vec::new(),
            presence: Presence { installed: vec![installed], ..Presence::default() },
        };
        let device_number = wish.device_number.clone();
        match self.enroll(wish).await {
            Ok((id, credential)) => {
                Ok(json(StatusCode::CREATED, &Registered { worker_id: id, credential, device_number }))
            }
            Err(NotEnrolled::BadToken) => Err(Refusal::new(401, BAD)),
            Err(NotEnrolled::Taken) => {
                let text = format!("the device number {device_number} is another edge's");
                Err(Refusal::new(409, text))
            }
            Err(NotEnrolled::Bad(why)) => Err(Refusal::new(400, why)),
            Err(NotEnrolled::Unwritten) => Err(Refusal::new(503, "it cannot be written down; try again")),
        }
    }

    async fn connectivity(&self, headers: &HeaderMap, body: &[u8]) -> Result<Answer, Refusal> {
        let (edge, _) = self.known(headers).await?;
        let request: Connectivity = read(body)?;
        self.is_own(&request.worker_id, &edge)?;
        let device = request.device_number.as_deref().unwrap_or_default();
        if device.is_empty() {
            return Err(Refusal::new(400, "deviceNumber is required"));
        }
        let is_active = {
            let now = edge.now.lock();
            if *now.row.device_number != *device {
                return Err(Refusal::new(403, "deviceNumber does not match worker"));
            }
            now.is_active()
        };
        let reported = request.upgrade_status.as_deref().and_then(UpgradeStatus::parse);
        let heard = heard(&request, reported);
        let told =
            self.hear(&edge, heard).await.map_err(|_| Refusal::new(503, "it cannot be written down; try again"))?;
        let release = told.desired.filter(|_| is_active).and_then(|wanted| {
            let address = self.address.as_deref()?;
            let artifact = wanted.artifact;
            Some(Release {
                url: self.link(address, &artifact, wanted.bytes_per_second),
                version: artifact.version,
                platform: artifact.platform,
                arch: artifact.arch,
                install_type: artifact.install_type,
                checksum: artifact.sha256,
                signature: artifact.legacy_signature?,
                signature_algorithm: "ed25519".to_owned(),
                signing_key_id: artifact.legacy_key,
                size_bytes: u64::try_from(artifact.size).ok(),
            })
        });
        let intent = Intent {
            target_version: release.as_ref().map(|release| release.version.clone()),
            release,
            upgrade_status: reported.unwrap_or(told.status),
            upgrade_message: request.reason.or(told.message),
        };
        Ok(json(StatusCode::CREATED, &intent))
    }

    /// Whose the credential of a request is.
    async fn known(&self, headers: &HeaderMap) -> Result<(std::sync::Arc<super::book::Edge>, String), Refusal> {
        let text = bearer(headers).ok_or_else(|| Refusal::new(401, "Missing worker credential"))?;
        match self.authenticated(&text).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(Refusal::new(401, "Invalid worker credential")),
            Err(_) => Err(Refusal::new(503, "it cannot be written down; try again")),
        }
    }

    fn is_own(&self, worker: &Option<String>, edge: &super::book::Edge) -> Result<(), Refusal> {
        match worker {
            Some(worker) if **worker == *edge.now.lock().row.id => Ok(()),
            _ => Err(Refusal::new(403, "workerId does not match authenticated worker")),
        }
    }
}

fn heard(request: &Connectivity, reported: Option<UpgradeStatus>) -> Heard {
    let short = |value: &Option<String>| plain(value.as_deref().unwrap_or_default(), 32);
    let platform = Platform::new(&short(&request.platform), &short(&request.arch), &short(&request.install_type));
    let installed = request.current_version.as_deref().map(|it| plain(it, 128)).filter(|version| !version.is_empty());
    let installed = installed.map(|version| Installed {
        product: DEFAULT_PRODUCT.to_owned(),
        version,
        install_type: platform.install_type.clone(),
    });
    let state = request.runtime_state.as_deref().and_then(state_of);
    Heard {
        installed: installed.into_iter().collect(),
        platform: Some((platform.platform, platform.arch)),
        state,
        is_busy: request.active_task == Some(true),
        active_task: request.active_task_id.as_deref().map(one_line),
        uptime_seconds: request.uptime(),
        last_error: request.last_error.as_deref().map(one_line),
        boot: None,
        report: reported.map(|status| Report { attempt: None, status, failure: None, reason: request.reason.clone() }),
        is_existing: true,
    }
}

/// The bearer of a request; the scheme in any case, as the original takes it on registration.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = text.split_once(char::is_whitespace)?;
    let rest = rest.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty()).then(|| rest.to_owned())
}

fn read<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Refusal> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| Refusal::new(400, error.to_string()))
}

/// A route that there is not, as the original says it.
pub(crate) fn unknown(method: &str, path: &str) -> Answer {
    legacy(404, format!("Cannot {method} {path}"))
}
