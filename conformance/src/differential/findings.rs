//! The report of a run, for those who fix what it found.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::compare::{Difference, shown};
use super::known::Known;

/// Markdown: one section a script, one line a difference; those that are listed say so.
pub(crate) fn markdown(differences: &[Difference], known: &Known, equal: usize, all: usize) -> String {
    let mut text =
        format!("# Differences between the real API server and ours\n\n{equal} of {all} requests answered alike.\n");
    let mut scripts: BTreeMap<&str, BTreeMap<&str, Vec<&Difference>>> = BTreeMap::new();
    for difference in differences {
        scripts.entry(&difference.script).or_default().entry(&difference.step).or_default().push(difference);
    }
    for (script, steps) in scripts {
        let _ = writeln!(text, "\n## {script}");
        for (step, found) in steps {
            let _ = writeln!(text, "\n{step}:");
            for difference in found.iter().take(12) {
                let _ = writeln!(
                    text,
                    "- {}`{}` real `{}` ours `{}`",
                    if known.covers(difference) { "listed: " } else { "" },
                    difference.path,
                    shown(difference.real.as_ref()),
                    shown(difference.ours.as_ref())
                );
            }
            if found.len() > 12 {
                let _ = writeln!(text, "- and {} more", found.len() - 12);
            }
        }
    }
    text
}
