//! What this program can be asked to do: each suite is a type of arguments that runs, and says what the whole of it is.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::evidence::{CaseEvidence, Cluster, Evidence};
use crate::{peers, workers};

/// A suite, or a tool beside them.
pub(crate) trait Suite: clap::Args {
    /// What `conformance full` runs of it.
    const WHOLE: Option<Whole> = None;

    /// Runs what was asked for; what fails is said and ends with [`ExitCode::FAILURE`].
    ///
    /// # Errors
    /// When nothing could be compared: an oracle is missing, a server does not start.
    fn run(&self) -> anyhow::Result<ExitCode>;
}

/// The whole of a suite.
#[derive(Clone, Copy)]
pub(crate) struct Whole {
    pub(crate) name: &'static str,
    pub(crate) material: Material,
    /// The command lines of this program that are the whole of it.
    pub(crate) runs: &'static [&'static [&'static str]],
    /// What comes behind each of them.
    pub(crate) more: fn(&Given<'_>) -> anyhow::Result<Vec<String>>,
}

impl Whole {
    /// One that needs no more words.
    pub(crate) const fn of(name: &'static str, material: Material, runs: &'static [&'static [&'static str]]) -> Self {
        Whole { name, material, runs, more: |_| Ok(Vec::new()) }
    }
}

/// What a suite cannot do without.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Material {
    /// Nothing but the oracles, which it builds itself.
    Oracles,
    /// Public charts, in the folders of LANDFALL_CORPUS.
    Corpus,
    /// Node.js and openssl on the search path.
    Node,
}

/// What a whole run is given.
pub(crate) struct Given<'a> {
    /// The folders of LANDFALL_CORPUS.
    pub(crate) corpus: &'a [PathBuf],
    /// How long each fuzz target runs.
    pub(crate) fuzz_seconds: u64,
}

/// What every suite that walks around the binary is asked.
#[derive(clap::Args)]
pub(crate) struct Asked {
    /// Only cases whose name holds this text.
    #[arg(long)]
    pub(crate) only: Option<String>,
    /// The `landfall` to run; the one beside this program when not said.
    #[arg(long)]
    landfall: Option<PathBuf>,
    /// Show that what is planted, or let in, is seen.
    #[arg(long)]
    pub(crate) selftest: bool,
    /// Write the suite's file in docs/evidence.
    #[arg(long)]
    evidence: bool,
}

impl Asked {
    /// The binary.
    pub(crate) fn landfall(&self) -> anyhow::Result<PathBuf> {
        peers::landfall(self.landfall.as_deref())
    }

    /// Writes the evidence of a whole run on the embedded cluster, where it was asked for.
    pub(crate) fn leave(&self, suite: &'static str, oracle: &str, cases: Vec<CaseEvidence>) -> io::Result<()> {
        if self.leaves() {
            Evidence::of(suite, Cluster::Embedded, oracle.to_owned(), cases).write(root())?;
        }
        Ok(())
    }

    /// Whether evidence of a whole run is asked for.
    pub(crate) fn leaves(&self) -> bool {
        self.evidence && self.only.is_none()
    }

    /// Whether a case is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

/// How many cases of a suite are worked on at a time.
#[derive(clap::Args)]
pub(crate) struct Workers {
    /// How many at a time; as many as there are processors when not said.
    #[arg(long)]
    workers: Option<usize>,
}

impl Workers {
    /// How many.
    pub(crate) fn count(&self) -> usize {
        workers::count(self.workers)
    }
}

/// Prints a suite's closing line.
pub(crate) fn said(outcome: Result<String, Box<dyn Error>>) -> anyhow::Result<ExitCode> {
    match outcome {
        Ok(line) => println!("{line}"),
        Err(error) => anyhow::bail!("{error}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells which of a selftest's faults were seen, with what was seen or why not.
pub(crate) fn selftest<'a>(
    suite: &str,
    faults: impl IntoIterator<Item = (&'a str, Result<String, String>)>,
    besides: &str,
) -> ExitCode {
    let (mut planned, mut passed) = (0, 0);
    for (what, outcome) in faults {
        planned += 1;
        passed += usize::from(outcome.is_ok());
        let (word, text) = match outcome {
            Ok(text) => ("seen:   ", text),
            Err(text) => ("UNSEEN: ", text),
        };
        let colon = if text.is_empty() { "" } else { ": " };
        println!("{word}{what}{colon}{text}");
    }
    println!("{suite} selftest: {planned} planned, {passed} passed, {} failed{besides}", planned - passed);
    if passed == planned { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The folders of LANDFALL_CORPUS.
pub(crate) fn corpus() -> Vec<PathBuf> {
    let corpus = std::env::var_os("LANDFALL_CORPUS");
    corpus.map(|paths| std::env::split_paths(&paths).collect()).unwrap_or_default()
}

/// The repository that this program was built from.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
