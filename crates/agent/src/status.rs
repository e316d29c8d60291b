//! What this edge is and runs, as its files have it: no server is asked.

use landfall_fleet::protocol::MetadataVersions;
use serde::Serialize;

use crate::disk::RealDisk;
use crate::journal::{Installed, Journal, Phase};
use crate::settings::{Home, NoHome, Protocol};
use crate::trusted::Trusted;

/// What is known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The server's name for it.
    pub edge: String,
    /// Its own.
    pub device_number: String,
    /// Where the server is.
    pub server: String,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Whether a watchdog looks after it now.
    pub running: bool,
    /// The agent itself, and the payload.
    pub units: Vec<UnitStatus>,
    /// Which signed metadata is believed.
    pub metadata: MetadataVersions,
}

/// One of the two.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitStatus {
    /// Of which product.
    pub product: String,
    /// What runs; nothing before the first install.
    pub version: Option<String>,
    /// From which slot; none for what it came with.
    pub slot: Option<String>,
    /// What it can go back to.
    pub previous: Option<String>,
    /// How far an update is.
    pub update: String,
    /// Why the last one did not work.
    pub refused: Option<String>,
    /// How many reports wait for the server.
    pub unreported: usize,
}

/// Reads it.
///
/// # Errors
/// When nobody enrolled here, or a file cannot be read.
pub fn status(home: &Home) -> Result<Status, NoHome> {
    let settings = home.settings()?;
    let mut units = vec![unit(landfall_fleet::protocol::AGENT_PRODUCT, &home.agent().load(&RealDisk)?)];
    if let Some(payload) = &settings.payload {
        units.push(unit(&payload.product, &home.payload().load(&RealDisk)?));
    }
    let metadata = Trusted::load(&RealDisk, home.metadata())?.versions();
    Ok(Status {
        edge: settings.edge_id,
        device_number: settings.device_number,
        server: settings.server,
        protocol: settings.protocol,
        running: is_held(home),
        units,
        metadata,
    })
}

/// Whether somebody holds the home's lock.
fn is_held(home: &Home) -> bool {
    std::fs::File::open(home.root().join("lock"))
        .is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

fn unit(product: &str, journal: &Journal) -> UnitStatus {
    let update = match &journal.phase {
        Phase::Idle => "none under way".to_owned(),
        Phase::Fetching { target } => format!("fetching {}", target.version),
        Phase::Fetched { target } => format!("unpacking {}", target.version),
        Phase::Ready { target } => format!("{} is ready to be switched to", target.version),
        Phase::Trying { target, boots } => format!("trying {}, start {boots}", target.version),
    };
    UnitStatus {
        product: product.to_owned(),
        version: journal.version().map(str::to_owned),
        slot: journal.active.map(|slot| slot.name().to_owned()),
        previous: journal.active.and_then(|slot| match journal.slot(slot.other()) {
            // What did not work here is nothing to go back to.
            Some(installed) if is_refused(journal, installed) => None,
            Some(installed) => Some(installed.version.clone()),
            None => journal.base.clone(),
        }),
        update,
        refused: journal.refused.as_ref().map(|refused| refused.reason.clone()),
        unreported: journal.reports.len(),
    }
}

/// Whether an installed version was given up for good.
fn is_refused(journal: &Journal, installed: &Installed) -> bool {
    journal.refused.as_ref().is_some_and(|it| it.sha256 == installed.sha256 && it.not_before.is_none())
}

impl Status {
    /// What its document is: `landfall.dev/v1/KIND`.
    pub const KIND: &str = "AgentStatus";

    /// For a person, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("edge         {} ({})", self.device_number, self.edge),
            format!("server       {}", self.server),
            format!(
                "service      {}",
                if self.running {
                    "runs"
                } else {
                    "does not run: type `landfall-agent run`, or `landfall-agent install`"
                }
            ),
            format!(
                "metadata     root {}, timestamp {}, targets {}",
                self.metadata.root, self.metadata.timestamp, self.metadata.targets
            ),
        ];
        for unit in &self.units {
            let version = unit.version.as_deref().unwrap_or("nothing yet");
            let slot = unit.slot.as_ref().map(|slot| format!(" from slot {slot}")).unwrap_or_default();
            lines.push(format!("{}: {version}{slot}; {}", unit.product, unit.update));
            if let Some(previous) = &unit.previous {
                lines.push(format!("  can go back to {previous}"));
            }
            if let Some(refused) = &unit.refused {
                lines.push(format!("  last refusal: {refused}"));
            }
            if unit.unreported > 0 {
                lines.push(format!("  {} reports wait for the server", unit.unreported));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Refused, Slot};

    #[test]
    fn a_version_that_did_not_work_is_nothing_to_go_back_to() {
        let installed = |version: &str| Installed {
            version: version.to_owned(),
            counter: 1,
            sha256: format!("digest of {version}"),
            program: "kiosk".to_owned(),
        };
        let (a, b) = (Some(installed("1.0.0")), Some(installed("1.2.0")));
        let mut journal = Journal { active: Some(Slot::A), a, b, ..Journal::default() };
        let previous = |journal: &Journal| unit("kiosk", journal).previous;
        assert_eq!(previous(&journal).as_deref(), Some("1.2.0"));
        journal.refused = Some(Refused {
            sha256: "digest of 1.2.0".to_owned(),
            attempt: None,
            times: 1,
            not_before: None,
            reason: "started 3 times and never said that it is well".to_owned(),
        });
        assert_eq!(previous(&journal), None);
    }
}
