//! What is looked at: pairs of charts, a faulty and a mended one.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::super::commits::{Change, List, mined};
use super::super::upgrades::{histories, shelf, take_out};
use crate::listed;
use crate::parity::say;
use crate::parity::vendor::{Shelf, copy_directory};

/// Where a pair comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Group {
    /// A fixture of a rule: ours, so that Landfall tells all of them by construction.
    Fixture,
    /// A fault that a person read in the commit that mends it, with the values that show it.
    Fault,
    /// A commit that says it fixes something, at default values; whatever it fixes.
    Fix,
    /// Any other commit: its parent and itself.
    Ordinary,
}

/// One pair.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) group: Group,
    /// What the commit says of itself.
    pub(super) subject: String,
    /// As `--set` takes them.
    pub(super) values: Vec<String>,
    charts: Charts,
}

enum Charts {
    /// Files by path, on both sides.
    Written([BTreeMap<String, String>; 2]),
    Committed {
        repository: PathBuf,
        path: String,
        sha: String,
        shelf: Arc<Shelf>,
    },
}

/// All pairs, and the repositories that some of them come from (none without LANDFALL_HISTORY).
pub(super) fn all(root: &Path) -> Result<(Vec<Case>, Vec<String>), Box<dyn Error>> {
    let mut cases = Vec::new();
    let mut files: Vec<PathBuf> = fs::read_dir(root.join("crates/rehearse/tests/fixtures"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        cases.extend(fixture(&name, &fs::read_to_string(&file)?));
    }
    let mut repositories = Vec::new();
    if std::env::var_os("LANDFALL_HISTORY").is_none() {
        return Ok((cases, repositories));
    }
    let shelf = Arc::new(shelf()?);
    let list: List = listed::load(&root.join("conformance/commits.toml"))?;
    let histories = histories(root)?;
    let place = |name: &str| histories.iter().find(|(other, _)| other == name).map(|(_, place)| place.clone());
    for fault in &list.fault {
        let (name, sha) = fault.change.split_once('@').ok_or("a change is `repository@commit`")?;
        let Some(repository) = place(name) else { continue };
        let (path, sha) = (fault.path.clone(), sha.to_owned());
        cases.push(Case {
            name: fault.change.clone(),
            group: Group::Fault,
            subject: fault.what.clone(),
            values: fault.values.clone(),
            charts: Charts::Committed { repository, path, sha, shelf: Arc::clone(&shelf) },
        });
    }
    for wanted in &list.repository {
        let Some(repository) = place(&wanted.name) else { continue };
        match mined(wanted, &repository) {
            Ok(changes) => cases.extend(changes.into_iter().map(|change| committed(change, &shelf))),
            // A copy of a repository may lack some of its objects.
            Err(error) => {
                say(&format!("unread   {}: {error}", wanted.name));
                continue;
            }
        }
        repositories.push(wanted.name.clone());
    }
    Ok((cases, repositories))
}

fn committed(change: Change, shelf: &Arc<Shelf>) -> Case {
    let Change { repository, path, sha, id, subject, mends } = change;
    let group = if mends { Group::Fix } else { Group::Ordinary };
    let charts = Charts::Committed { repository, path, sha, shelf: Arc::clone(shelf) };
    Case { name: id, group, subject, values: Vec::new(), charts }
}

/// A fixture as a pair of charts; `None` where the fault is not in one chart: in a system, on the cluster, in what ran before.
fn fixture(name: &str, text: &str) -> Option<Case> {
    let (head, _) = text.split_once("\n-- ")?;
    let needs_more = ["environment:", "protected:", "origin:", "declares:"];
    if head.lines().any(|line| needs_more.iter().any(|word| line.starts_with(word))) {
        return None;
    }
    let mut faulty = BTreeMap::new();
    let mut fixed = BTreeMap::new();
    let (mut into, mut path): (Option<bool>, String) = (None, String::new());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
            let is_outside = ["live", "fixed live", "landfall.yaml"].contains(&title)
                || ["base ", "commit "].iter().any(|word| title.starts_with(word));
            if is_outside {
                return None;
            }
            let mended = title.strip_prefix("fixed ");
            into = Some(mended.is_some());
            path = mended.unwrap_or(title).to_owned();
            if mended.is_some() { &mut fixed } else { &mut faulty }.insert(path.clone(), String::new());
            continue;
        }
        let body = match into {
            Some(true) => fixed.get_mut(&path),
            Some(false) => faulty.get_mut(&path),
            None => None,
        };
        if let Some(body) = body {
            body.push_str(line);
            body.push('\n');
        }
    }
    faulty.entry("Chart.yaml".to_owned()).or_insert_with(|| "apiVersion: v2\nname: shop\nversion: 0.1.0\n".to_owned());
    let mut mended = faulty.clone();
    for (path, body) in fixed {
        if body.trim().is_empty() {
            mended.remove(&path)
        } else {
            mended.insert(path, body)
        };
    }
    Some(Case {
        name: name.to_owned(),
        group: Group::Fixture,
        subject: String::new(),
        values: Vec::new(),
        charts: Charts::Written([faulty, mended]),
    })
}

impl Case {
    /// Writes both charts below a folder; `None` where one of them is not there or no chart to install.
    pub(super) fn lay_out(&self, ground: &Path) -> Result<Option<[PathBuf; 2]>, Box<dyn Error>> {
        // By one name, so that what is said of both is said in the same words.
        let places = [ground.join("faulty/chart"), ground.join("mended/chart")];
        match &self.charts {
            Charts::Written(sides) => {
                for (side, place) in sides.iter().zip(&places) {
                    for (path, body) in side {
                        let file = place.join(path);
                        fs::create_dir_all(file.parent().unwrap_or(place))?;
                        fs::write(file, body)?;
                    }
                }
                Ok(Some(places))
            }
            Charts::Committed { repository, path, sha, shelf } => {
                for (side, place) in [format!("{sha}^"), sha.clone()].iter().zip(&places) {
                    let taken = ground.join(format!("taken-{side}"));
                    if take_out((repository, path), side, &taken).is_err() {
                        return Ok(None);
                    }
                    let Ok(chart) = shelf.prepare(&taken.join(path), &ground.join(format!("ready-{side}"))) else {
                        return Ok(None);
                    };
                    if super::super::is_library(&chart) {
                        return Ok(None);
                    }
                    copy_directory(&chart, place)?;
                }
                Ok(Some(places))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixture_is_a_pair_of_charts_unless_its_fault_lies_outside_of_one() {
        let text = "rule: LF105\nfinds: \"x\"\n-- templates/a.yaml --\na: {{ .Values.a }}\n-- values.yaml --\na: 1\n-- fixed values.yaml --\na: 2\n";
        let case = fixture("LF105-x", text).expect("a pair");
        let Charts::Written([faulty, mended]) = &case.charts else { panic!("written") };
        assert_eq!((&*faulty["values.yaml"], &*mended["values.yaml"]), ("a: 1\n", "a: 2\n"));
        assert_eq!(faulty["templates/a.yaml"], mended["templates/a.yaml"]);
        assert!(faulty["Chart.yaml"].contains("name: shop"));
        assert!(fixture("x", &text.replace("-- values.yaml --", "-- live --")).is_none());
        assert!(fixture("x", &format!("environment: prod\n{text}")).is_none());
        let removed = fixture("x", &text.replace("a: 2\n", "")).expect("a pair");
        let Charts::Written([_, mended]) = &removed.charts else { panic!("written") };
        assert!(!mended.contains_key("values.yaml"));
    }
}
