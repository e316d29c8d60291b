//! What the suite leaves behind in `docs/evidence/objects.json`, or `objects-control.json`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::door::Door;
use super::{Case, Verdict};
use crate::evidence::Cluster;
use crate::peers;

/// One run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    suite: &'static str,
    commit: String,
    /// On which API it was stored.
    cluster: Cluster,
    oracle: String,
    /// Charts; `passed + failed + refused + excluded`.
    planned: usize,
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// Charts that both helms and all doors refuse.
    refused: usize,
    /// Charts that both helms refuse and one of our doors delivers: there is nothing to compare with.
    excluded: usize,
    skipped: usize,
    /// What was compared, by door.
    pub(super) doors: BTreeMap<&'static str, Counted>,
    cases: Vec<CaseEvidence>,
}

/// What was compared.
#[derive(Debug, Default, Serialize)]
pub(super) struct Counted {
    charts: usize,
    /// Charts with a difference.
    failed: usize,
    objects: usize,
    values: usize,
    /// Values that the peer draws anew each time, compared by shape.
    drawn: usize,
    /// Acts that the door holds back because pods would wait for what nobody delivers (LF0530).
    held_back: usize,
    /// Acts that the peer alone refuses: there is nothing to compare with.
    refused_by_the_peer_alone: usize,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counted { charts, failed, objects, values, drawn, held_back, refused_by_the_peer_alone: lenient } = self;
        write!(
            f,
            "{charts} charts, {failed} differ; {objects} objects, {values} values, {drawn} of them drawn; {held_back} acts held back, {lenient} that the peer alone refuses"
        )
    }
}

#[derive(Debug, Serialize)]
struct CaseEvidence {
    id: String,
    hash: String,
    verdict: &'static str,
}

impl Report {
    pub(super) fn of(commit: &str, control: bool, cases: &[Case], verdicts: &[Verdict]) -> anyhow::Result<Self> {
        let mut oracle = format!("{}, {}", peers::versions("helm")?, peers::versions("helm4")?);
        if control {
            oracle = format!("{oracle}, {}", peers::versions("kube-apiserver")?);
        }
        let mut report = Report {
            suite: if control { "objects-control" } else { "objects" },
            commit: commit.to_owned(),
            cluster: Cluster::controlled(control),
            oracle,
            planned: cases.len(),
            passed: 0,
            failed: 0,
            refused: 0,
            excluded: 0,
            skipped: 0,
            doors: Door::OURS.map(|door| (door.name(), Counted::default())).into(),
            cases: Vec::new(),
        };
        for (case, verdict) in cases.iter().zip(verdicts) {
            let alone = verdict.doors.values().any(|found| !found.lenient.is_empty());
            let (count, word) = match (verdict.faults(), verdict.refused) {
                (0, true) if alone => (&mut report.excluded, "refused-by-helm-alone"),
                (0, true) => (&mut report.refused, "refused-alike"),
                (0, false) => (&mut report.passed, "passed"),
                _ => (&mut report.failed, "failed"),
            };
            *count += 1;
            for (door, found) in &verdict.doors {
                let counted = report.doors.entry(door.name()).or_default();
                counted.charts += usize::from(found.objects > 0);
                counted.failed += usize::from(!found.faults.is_empty());
                counted.objects += found.objects;
                counted.values += found.values;
                counted.drawn += found.drawn;
                counted.held_back += found.held_back;
                counted.refused_by_the_peer_alone += found.lenient.len();
            }
            report.cases.push(CaseEvidence { id: case.id.clone(), hash: case.content.clone(), verdict: word });
        }
        Ok(report)
    }

    /// The closing line.
    pub(super) fn line(&self) -> String {
        format!(
            "{} charts planned on {}: {} stored alike through every door, {} differ, {} refused alike, {} by helm alone",
            self.planned, self.cluster, self.passed, self.failed, self.refused, self.excluded
        )
    }

    pub(super) fn write(&self, root: &Path) -> anyhow::Result<()> {
        Ok(crate::evidence::write(root, self.suite, self)?)
    }
}
