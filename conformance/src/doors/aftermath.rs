//! What must be so after a disturbed delivery: the next one repairs it, and `down` leaves nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::system::System;

/// How a delivery goes that nobody disturbs.
pub(super) struct Undisturbed {
    pub(super) took: Duration,
    /// What is on the cluster afterwards, one line each.
    pub(super) left: Vec<String>,
    /// How many bytes the state directory holds then.
    pub(super) written: u64,
}

impl Undisturbed {
    pub(super) fn observe(landfall: &Path) -> anyhow::Result<Self> {
        let system = System::new(landfall, Duration::from_secs(60))?;
        let observed = observe(&system);
        let down = system.run(&["down"]);
        system.end()?;
        down?.is(&[0])?;
        observed
    }
}

fn observe(system: &System) -> anyhow::Result<Undisturbed> {
    let up = system.run(&["up"])?;
    up.is(&[0])?;
    let left = left(system)?;
    ensure!(left.len() > 8, "hardly anything was delivered: {left:#?}");
    let mut written = 0;
    for entry in std::fs::read_dir(system.state())? {
        written += entry?.metadata()?.len();
    }
    Ok(Undisturbed { took: up.took, left, written })
}

/// Delivers once more, compares, looks at the history, takes all down and looks for what is left.
pub(super) fn whole(system: &System, undisturbed: &Undisturbed) -> anyhow::Result<()> {
    system.run(&["up"])?.is(&[0]).context("the next delivery does not repair it")?;
    let after = left(system)?;
    ensure!(
        after == undisturbed.left,
        "the next delivery leaves something else:\n  {}\nundisturbed:\n  {}",
        after.join("\n  "),
        undisturbed.left.join("\n  ")
    );
    history(system)?;
    let addresses = system.addresses();
    let down = system.run(&["down"])?;
    down.is(&[0])?;
    nothing_stays(system, &addresses)
}

/// Looks for a state directory, ports and processes after `down`.
pub(super) fn nothing_stays(system: &System, addresses: &[std::net::SocketAddr]) -> anyhow::Result<()> {
    let state = system.state();
    let files: Vec<_> = std::fs::read_dir(&state).into_iter().flatten().flatten().map(|it| it.file_name()).collect();
    ensure!(files.is_empty(), "after `down` the state directory holds {files:?}");
    let left = system.processes();
    ensure!(left.is_empty(), "after `down` these processes are left: {left:?}");
    for address in addresses {
        ensure!(!system.listens(*address), "after `down` somebody still listens at {address}");
    }
    Ok(())
}

/// The history says one thing: revisions without gaps, the newest deployed and no other, nothing left open.
fn history(system: &System) -> anyhow::Result<()> {
    let history = system.json(&["history", "-o", "json"])?;
    let rows = history["data"].as_array().context("a history has rows")?;
    let status = |row: &Value| row["status"].as_str().unwrap_or_default().to_owned();
    let revisions: Vec<i64> = rows.iter().filter_map(|row| row["revision"].as_i64()).collect();
    let wanted: Vec<i64> = (1..=rows.len() as i64).rev().collect();
    ensure!(revisions == wanted, "revisions have gaps: {revisions:?}");
    ensure!(rows.first().map(status).as_deref() == Some("deployed"), "the newest is not deployed: {history}");
    for row in &rows[1..] {
        ensure!(["superseded", "failed"].contains(&status(row).as_str()), "an older revision is open: {history}");
    }
    let told = system.run(&["status"])?;
    told.is(&[0]).context("the status after the next delivery")
}

/// What a delivery leaves on the cluster: objects by kind and name, with what is theirs from run to run.
fn left(system: &System) -> anyhow::Result<Vec<String>> {
    let file = system.root().join("seen.json");
    system.run(&["cluster", "snapshot", "seen.json"])?.is(&[0])?;
    let snapshot: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    std::fs::remove_file(&file)?;
    let objects = snapshot["objects"].as_array().context("a snapshot has objects")?;
    let mut lines: Vec<String> = objects.iter().filter_map(line).collect();
    lines.sort();
    Ok(lines)
}

fn line(object: &Value) -> Option<String> {
    let metadata = &object["metadata"];
    if metadata["namespace"] != "shop" {
        return None;
    }
    let (kind, name) = (object["kind"].as_str()?, metadata["name"].as_str()?);
    let what = match kind {
        "ConfigMap" if name != "kube-root-ca.crt" => object["data"].to_string(),
        "Service" => format!("{} {}", object["spec"]["selector"], object["spec"]["ports"][0]["port"]),
        "Deployment" => {
            format!("{} {}", object["status"]["readyReplicas"], object["spec"]["template"]["spec"]["containers"])
        }
        "Job" => format!("succeeded {}", object["status"]["succeeded"]),
        // A pod's name is another one each time.
        "Pod" => {
            let labels = &metadata["labels"];
            let of = labels["app"].as_str().or(labels["job-name"].as_str()).unwrap_or_default();
            return Some(format!("Pod of {of}: {}", object["status"]["phase"]));
        }
        _ => return None,
    };
    Some(format!("{kind}/{name}: {what}"))
}
