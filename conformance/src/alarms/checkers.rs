//! Rehearsal beside the peers that look at manifests: who tells which fault, what each says about sound charts, how long it takes.
//!
//! ```text
//! fixtures of the rules ─┐                        ┌► landfall rehearse
//! faults of commits.toml ├► a faulty and a mended ┼► helm lint            ─► said of the faulty and not of the mended: told
//! commits that say `fix` ┤  chart of each         ├► kube-score           ─► docs/evidence/checkers.json
//! ordinary commits       ┘  (rendered by helm)    ├► kubeconform          ─► the table of docs/rehearse.md
//!                                                 └► kubectl apply --dry-run=server, on a real API server
//! ```
//!
//! A peer has told a fault when it says anything at all of the faulty chart that it does not say of the mended one. That is
//! generous: what it says may be about something else. The same measure is laid against Landfall.
//!
//! kube-linter, Polaris and Pluto are not among them: their modules are not published where this is built.

mod case;
mod page;
mod schemas;
mod tool;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::Survey;
use crate::evidence::{commit, write};
use crate::parity::say;
use crate::suite::{Material, Suite, Whole, root, said};
use crate::{peers, workers};
use case::{Case, Group};
use tool::{Said, Tool, Tools};

/// What the command line asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only cases whose name holds this text; no evidence is written.
    only: Option<String>,
    #[command(flatten)]
    survey: Survey,
}

/// What is written to `docs/evidence/checkers.json`.
#[derive(Debug, Default, Serialize)]
struct Evidence {
    suite: &'static str,
    commit: String,
    oracle: String,
    cluster: &'static str,
    planned: usize,
    /// Cases that helm renders on neither side, or that are no chart to install.
    skipped: usize,
    repositories: Vec<String>,
    groups: BTreeMap<Group, BTreeMap<Tool, Figures>>,
    /// Fixes that a peer tells and Landfall does not.
    only_peers: Vec<OnlyPeers>,
}

/// What came of one tool on one group of cases.
#[derive(Debug, Default, Serialize)]
struct Figures {
    cases: usize,
    /// Something was said of the faulty chart and not of the mended one; for ordinary commits of the later and not of the earlier.
    told: usize,
    /// Mended charts (ordinary commits: the later side) of which something was said that its tool calls an error.
    red: usize,
    /// Of one look at one chart, in milliseconds; helm's rendering is not counted.
    milliseconds: u128,
}

/// A fix that a peer tells.
#[derive(Debug, Serialize)]
struct OnlyPeers {
    change: String,
    subject: String,
    says: BTreeMap<Tool, Vec<String>>,
}

/// What all tools say of both sides of a case.
struct Looked {
    sides: BTreeMap<Tool, [Said; 2]>,
}

impl Suite for Arguments {
    const WHOLE: Option<Whole> = Some(Whole::of("checkers", Material::Corpus, &[&["checkers"]]));

    fn run(&self) -> anyhow::Result<ExitCode> {
        said(run(root(), self))
    }
}

fn run(root: &Path, arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let landfall = peers::landfall(arguments.survey.landfall.as_deref())?;
    let tools = Tools::start(landfall)?;
    let (mut cases, repositories) = case::all(root)?;
    if let Some(only) = &arguments.only {
        cases.retain(|case| case.name.contains(only.as_str()));
    }
    let looked = workers::each(&cases, |_, case| look(case, &tools).map_err(|error| format!("{}: {error}", case.name)));
    let mut evidence = Evidence {
        suite: "checkers",
        commit: commit(root),
        oracle: tools.versions()?,
        cluster: "kube-apiserver",
        repositories,
        ..Evidence::default()
    };
    for (case, looked) in cases.iter().zip(looked) {
        let Some(looked) = looked? else {
            evidence.skipped += 1;
            continue;
        };
        if arguments.survey.list {
            for (tool, sides) in &looked.sides {
                sides[0].without(&sides[1]).iter().for_each(|line| say(&format!("{} {tool}: {line}", case.name)));
            }
        }
        evidence.add(case, &looked);
    }
    for figures in evidence.groups.values_mut().flat_map(BTreeMap::values_mut) {
        figures.milliseconds /= (2 * figures.cases.max(1)) as u128;
    }
    let line = page::line(&evidence);
    if arguments.only.is_none() {
        write(root, evidence.suite, &evidence)?;
        page::update(root, &evidence)?;
    }
    Ok(line)
}

/// Has every tool look at both sides; `None` where there is nothing to look at.
fn look(case: &Case, tools: &Tools) -> Result<Option<Looked>, Box<dyn Error>> {
    let (_ground, ground) = super::ground()?;
    let Some(charts) = case.lay_out(&ground)? else { return Ok(None) };
    let rendered = [tools.render(&charts[0], &case.values)?, tools.render(&charts[1], &case.values)?];
    if rendered.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut sides = BTreeMap::new();
    for tool in Tool::ALL {
        let of = |at: usize| tools.say(tool, &charts[at], rendered[at].as_deref(), &case.values);
        sides.insert(tool, [of(0)?, of(1)?]);
    }
    Ok(Some(Looked { sides }))
}

impl Evidence {
    fn add(&mut self, case: &Case, looked: &Looked) {
        self.planned += 1;
        // A fault is on the first side and mended on the second; an ordinary commit brings what is on its second.
        let (worse, better) = if case.group == Group::Ordinary { (1, 0) } else { (0, 1) };
        let mut told = BTreeMap::new();
        for (tool, sides) in &looked.sides {
            let figures = self.groups.entry(case.group).or_default().entry(*tool).or_default();
            let new = sides[worse].without(&sides[better]);
            figures.cases += 1;
            figures.told += usize::from(!new.is_empty());
            figures.red += usize::from(sides[1].is_red);
            figures.milliseconds += sides.iter().map(|said| said.milliseconds).sum::<u128>();
            if !new.is_empty() {
                told.insert(*tool, new);
            }
        }
        if case.group == Group::Fix && !told.contains_key(&Tool::Landfall) && !told.is_empty() {
            for lines in told.values_mut() {
                lines.truncate(3);
            }
            self.only_peers.push(OnlyPeers { change: case.name.clone(), subject: case.subject.clone(), says: told });
        }
    }
}
