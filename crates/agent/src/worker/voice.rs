//! How a worker speaks: one check-in after another, counted, with what runs here and what went wrong last.

use std::time::Instant;

use landfall_fleet::legacy::{Connectivity, Intent, one_line};
use landfall_fleet::protocol::{AGENT_PRODUCT, CheckIn, Direction, Installed, Progress, RuntimeState};
use landfall_fleet::{UpgradeStatus, hex};

use super::{is_gateway, spoken};
use crate::api::Server;
use crate::disk::RealDisk;
use crate::http::{Http, NoAnswer};
use crate::journal::Slot;
use crate::log::event;
use crate::settings::{Credentials, Home, NoHome, Settings};
use crate::trusted::Trusted;

/// What was answered.
pub(super) enum Heard {
    /// In Landfall's own protocol.
    Direction(Box<Direction>),
    /// By the existing gateway.
    Intent(Box<Intent>),
}

/// A boot's voice.
pub(super) struct Voice {
    http: Http,
    home: Home,
    settings: Settings,
    credentials: Credentials,
    boot: String,
    sequence: u64,
    began: Instant,
    last_error: Option<String>,
    kept: bool,
}

impl Voice {
    pub(super) fn new(home: &Home, settings: &Settings, credentials: Credentials, http: Http) -> Self {
        let mut boot = [0; 12];
        // A boot that is named as another one would look like a clone; the system's randomness does not fail once it is up.
        if aws_lc_rs::rand::fill(&mut boot).is_err() {
            boot[..4].copy_from_slice(&std::process::id().to_le_bytes());
        }
        Self {
            http,
            home: home.clone(),
            settings: settings.clone(),
            kept: credentials.previous.is_some(),
            credentials,
            boot: hex(&boot),
            sequence: 0,
            began: Instant::now(),
            last_error: None,
        }
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    pub(super) fn spoken(&self) -> String {
        spoken(&self.credentials).to_owned()
    }

    pub(super) fn server(&self) -> Server<'_> {
        Server { http: &self.http, address: &self.settings.server, credential: spoken(&self.credentials) }
    }

    /// Keeps what went wrong, for the next check-in.
    pub(super) fn wrong(&mut self, text: &str) {
        self.last_error = Some(one_line(&crate::log::without_secrets(text)));
    }

    pub(super) fn right(&mut self) {
        self.last_error = None;
    }

    /// Says how the edge is.
    pub(super) fn say(
        &mut self,
        state: RuntimeState,
        progress: Option<Progress>,
        trusted: &Trusted<'_, RealDisk>,
    ) -> Result<Heard, NoAnswer> {
        if is_gateway(&self.settings) {
            let said = self.connectivity(state, progress);
            return self.server().connectivity(&said).map(|intent| Heard::Intent(Box::new(intent)));
        }
        self.sequence += 1;
        let said = CheckIn {
            boot_id: self.boot.clone(),
            sequence: self.sequence,
            platform: platform().to_owned(),
            arch: arch().to_owned(),
            installed: self.installed(),
            state,
            active_task: None,
            uptime_seconds: self.began.elapsed().as_secs(),
            last_error: self.last_error.clone(),
            slot: self.slot().map(|slot| slot.name().to_owned()),
            progress,
            metadata: trusted.versions(),
            credential_kept: self.kept,
        };
        let direction = self.server().check_in(&said)?;
        Ok(Heard::Direction(Box::new(direction)))
    }

    fn slot(&self) -> Option<Slot> {
        let unit = if self.settings.payload.is_some() { self.home.payload() } else { self.home.agent() };
        unit.load(&RealDisk).ok()?.active
    }

    /// What is confirmed to run: a version that is being tried is not.
    fn installed(&self) -> Vec<Installed> {
        let agent = self.home.agent().load(&RealDisk).ok();
        let mut installed = vec![Installed {
            product: AGENT_PRODUCT.to_owned(),
            version: agent.as_ref().and_then(|journal| journal.version()).unwrap_or(crate::VERSION).to_owned(),
            install_type: "service".to_owned(),
        }];
        if let Some(payload) = &self.settings.payload {
            let journal = self.home.payload().load(&RealDisk).unwrap_or_default();
            installed.push(Installed {
                product: payload.product.clone(),
                version: journal.version().unwrap_or_default().to_owned(),
                install_type: payload.install_type.clone(),
            });
        }
        installed
    }

    fn connectivity(&self, state: RuntimeState, progress: Option<Progress>) -> Connectivity {
        let installed = self.installed();
        let version = installed.last().map(|installed| installed.version.clone()).filter(|version| !version.is_empty());
        let progress = progress.filter(|progress| progress.status != UpgradeStatus::Idle);
        Connectivity {
            worker_id: Some(self.settings.edge_id.clone()),
            device_number: Some(self.settings.device_number.clone()),
            current_version: Some(version.unwrap_or_else(|| "0.0.0".to_owned())),
            platform: Some(platform().to_owned()),
            arch: Some(arch().to_owned()),
            install_type: installed.last().map(|installed| installed.install_type.clone()),
            active_task: Some(state == RuntimeState::Busy),
            upgrade_status: progress
                .as_ref()
                .and_then(|progress| serde_json::to_value(progress.status).ok()?.as_str().map(str::to_owned)),
            reason: progress.and_then(|progress| progress.reason),
            runtime_state: serde_json::to_value(state).ok().and_then(|state| state.as_str().map(str::to_owned)),
            active_task_id: None,
            uptime_seconds: Some(self.began.elapsed().as_secs().into()),
            last_error: self.last_error.clone(),
        }
    }

    /// Takes a new credential: kept first, spoken from then on. The old one stays beside it until the new one has worked.
    pub(super) fn credential(&mut self, direction: &Direction, home: &Home) -> Result<(), NoHome> {
        match &direction.credential {
            Some(rotated) if rotated.credential != self.credentials.current => {
                let next = Credentials {
                    current: rotated.credential.clone(),
                    previous: Some(self.credentials.current.clone()),
                };
                home.keep_credentials(&next)?;
                self.credentials = next;
                self.kept = true;
                event("edge.credential.rotated", &[]);
            }
            None if self.kept => {
                let next = Credentials { current: self.credentials.current.clone(), previous: None };
                home.keep_credentials(&next)?;
                self.credentials = next;
                self.kept = false;
            }
            _ => {}
        }
        Ok(())
    }

    /// A credential that does not work gives way to the one before, as long as there is one.
    pub(super) fn maybe_old_credential(&mut self, error: &NoAnswer, home: &Home) -> Result<(), NoHome> {
        if error.status() != Some(401) {
            return Ok(());
        }
        if let Some(previous) = self.credentials.previous.take() {
            // Both stay: which of the two works is the server's to say.
            let next = Credentials {
                previous: Some(std::mem::replace(&mut self.credentials.current, previous)),
                ..self.credentials.clone()
            };
            home.keep_credentials(&next)?;
            self.credentials = next;
        } else {
            self.wrong("the server no longer takes this edge's credential: somebody revoked it. Create a new enrollment token, and type `landfall-agent enroll --again` here");
            event(
                "edge.credential.refused",
                &[("advice", "create a new enrollment token and type `landfall-agent enroll --again` here")],
            );
        }
        Ok(())
    }
}

/// The operating system, in Node's words.
pub(crate) fn platform() -> &'static str {
    match std::env::consts::OS {
        "windows" => "win32",
        "macos" => "darwin",
        other => other,
    }
}

/// The processor, in Node's words.
pub(crate) fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "x86" => "ia32",
        other => other,
    }
}
