//! The figures as a table and as data.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::measure::Sample;

/// Rendering of one chart by both.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) bytes: usize,
    pub(crate) landfall: Sample,
    pub(crate) helm: Sample,
    pub(crate) warm: Warmth,
}

/// One rendering in a process that has rendered before, from the chart's files in memory to the printed text.
#[derive(Debug, Serialize)]
pub(crate) struct Warmth {
    pub(crate) landfall: Duration,
    pub(crate) helm: Duration,
}

/// `up` of the example.
#[derive(Debug, Serialize)]
pub(crate) struct Delivery {
    pub(crate) cold: Sample,
    pub(crate) again: Sample,
}

/// A question asked of a change.
#[derive(Debug, Serialize)]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) sample: Sample,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) suite: &'static str,
    /// What was checked out; `+` behind it says that files differed.
    pub(crate) commit: String,
    /// What was measured beside: helm's version, and its binary's digest.
    pub(crate) oracle: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) delivery: Delivery,
    pub(crate) changes: Vec<Change>,
    pub(crate) runs: usize,
}

impl Report {
    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let mut out = String::from(
            "| `template` of | output | helm 3 | landfall | faster | helm's memory | ours | share |\n|---|---|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            out.push_str(&format!(
                "| {} | {} kB | {} | {} | **{:.1}×** | {} MB | {} MB | 1/{:.1} |\n",
                row.name,
                row.bytes / 1000,
                ms(row.helm.wall),
                ms(row.landfall.wall),
                row.helm.wall.as_secs_f64() / row.landfall.wall.as_secs_f64(),
                row.helm.memory / 1_000_000,
                row.landfall.memory / 1_000_000,
                row.helm.memory as f64 / row.landfall.memory as f64,
            ));
        }
        if !self.rows.is_empty() {
            out.push_str("\n| in process, warm | helm 3's own code | landfall's | faster |\n|---|---|---|---|\n");
        }
        for row in &self.rows {
            let warm = &row.warm;
            out.push_str(&format!(
                "| {} | {} | {} | **{:.1}×** |\n",
                row.name,
                ms(warm.helm),
                ms(warm.landfall),
                warm.helm.as_secs_f64() / warm.landfall.as_secs_f64(),
            ));
        }
        out.push_str(&format!(
            "\n| `up --once` of the LuckyPlans example | time | memory |\n|---|---|---|\n| from nothing, both releases and all checks | {} | {} MB |\n| again, nothing changed | {} | {} MB |\n",
            ms(self.delivery.cold.wall),
            self.delivery.cold.memory / 1_000_000,
            ms(self.delivery.again.wall),
            self.delivery.again.memory / 1_000_000,
        ));
        out.push_str("\n| of a change | time | memory |\n|---|---|---|\n");
        for Change { name, sample } in &self.changes {
            out.push_str(&format!("| {name} | {} | {} MB |\n", ms(sample.wall), sample.memory / 1_000_000));
        }
        let commit = self.commit.get(..7).unwrap_or(&self.commit);
        out.push_str(&format!("\nTaken at commit {commit} (`docs/evidence/bench.json`), beside {}.\n", self.oracle));
        out
    }

    /// Writes table and data into the repository.
    pub(crate) fn write(&self, root: &Path) -> std::io::Result<()> {
        const BEGIN: &str = "<!-- figures: begin -->";
        const END: &str = "<!-- figures: end -->";
        let page = root.join("docs/benchmarks.md");
        let text = std::fs::read_to_string(&page)?;
        if let (Some(from), Some(to)) = (text.find(BEGIN), text.find(END)) {
            let text = format!("{}{BEGIN}\n{}{}", &text[..from], self.table(), &text[to..]);
            std::fs::write(page, text)?;
        }
        std::fs::create_dir_all(root.join("docs/evidence"))?;
        let data = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        std::fs::write(root.join("docs/evidence/bench.json"), data + "\n")
    }
}

fn ms(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    if ms < 100.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// Prints a line.
pub(crate) fn say(text: &str) {
    let _nobody_listens = writeln!(std::io::stdout(), "{text}");
}
