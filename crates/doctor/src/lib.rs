//! The place itself: tools, cluster, names, ports, certificates, images, forge, machine.
//!
//! ```text
//! area ─► probes, each with a deadline ─► Observation: fine, wrong, told, or not checked, and why
//!                                             └─ wrong ─► Finding of a rule ─► waivers, SARIF, exit code
//! ```
//!
//! What could not be looked at is `not checked` and says why; it is never counted as fine.

mod backups;
mod certificates;
mod cluster;
mod codeowners;
mod dns;
mod facts;
mod forge;
mod images;
mod kubeconfigs;
mod machine;
mod ports;
mod reach;
mod report;
mod secrets;
mod tools;

use landfall_diag::{Finding, Severity};
use landfall_rules::{Blame, Examination, Rule, Subject, conclude};
use serde::Serialize;

pub use backups::backups_in;
pub use certificates::{certificates_of, issued};
pub use cluster::{Sight, cluster_findings, prerequisites, unreachable};
pub use codeowners::owners;
pub use dns::{Answer, Resolver, Speaker, hosts_of, inside_addresses, outside, within};
pub use facts::{Answers, answers, facts, maturity};
pub use forge::{Forge, ForgeAccess, ForgeKind, forge};
pub use images::{ImageAccess, image_access, images_of};
pub use kubeconfigs::{FoundKubeconfig, Kubeconfigs, RightsAnswer};
pub use landfall_source::{Handshake, handshake};
pub use machine::{Machine, machine};
pub use ports::{PortState, holder, local_ports, port, ports};
pub use reach::{Reached, reach_script, reached, simulated_reach};
pub use report::{checkup_json, checkup_text};
pub use secrets::secrets_in;
pub use tools::{Found as FoundTool, Tool, Want, tool_observations, tools};

/// What `landfall doctor` can look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Programs on this machine.
    Tools,
    /// The cluster, and what a delivery needs to find there.
    Cluster,
    /// What the rules say of the rendered objects, with the cluster as it is.
    Security,
    /// What was written down about the place, held against the cluster.
    Facts,
    /// The public names, from outside and from inside.
    Dns,
    /// The doors of the machine.
    Ports,
    /// Certificates: served, issued, about to expire.
    Tls,
    /// Whether each image can be pulled.
    Registry,
    /// The forge: token, protected branch, owners.
    Repo,
    /// Secrets that stand in files.
    Secrets,
    /// The machine that automation logs in to.
    Host,
    /// Tables of facts in documents.
    Docs,
    /// One address, as a pod sees it.
    Reach,
}

impl Area {
    /// All of them, in the order in which they are looked at.
    pub const ALL: [Area; 13] = [
        Area::Tools,
        Area::Cluster,
        Area::Security,
        Area::Facts,
        Area::Dns,
        Area::Ports,
        Area::Tls,
        Area::Registry,
        Area::Repo,
        Area::Secrets,
        Area::Host,
        Area::Docs,
        Area::Reach,
    ];

    /// Its word, as typed and printed.
    pub fn word(self) -> &'static str {
        match self {
            Area::Tools => "tools",
            Area::Cluster => "cluster",
            Area::Security => "security",
            Area::Facts => "facts",
            Area::Dns => "dns",
            Area::Ports => "ports",
            Area::Tls => "tls",
            Area::Registry => "registry",
            Area::Repo => "repo",
            Area::Secrets => "secrets",
            Area::Host => "host",
            Area::Docs => "docs",
            Area::Reach => "reach",
        }
    }

    /// The area of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Area::ALL.into_iter().find(|area| area.word() == word)
    }
}

/// What was seen of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is as it must be.
    Fine,
    /// It is not.
    Wrong,
    /// Worth knowing; nothing is wanted of it.
    Told,
    /// It could not be looked at.
    NotChecked,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observation {
    /// Where.
    pub area: Area,
    /// What: `kubectl`, `api.example.com`.
    pub what: String,
    /// How it is.
    pub state: State,
    /// What was seen, in a few words; or why nothing was.
    pub seen: String,
    /// What to type, one line a way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// What is wrong, as a finding of a rule.
    #[serde(skip)]
    pub finding: Option<Box<Finding>>,
}

impl Observation {
    fn new(area: Area, what: impl Into<String>, state: State, seen: impl Into<String>) -> Self {
        Observation { area, what: what.into(), state, seen: seen.into(), help: Vec::new(), finding: None }
    }

    /// As it must be.
    pub fn fine(area: Area, what: impl Into<String>, seen: impl Into<String>) -> Self {
        Observation::new(area, what, State::Fine, seen)
    }

    /// Worth knowing.
    pub fn told(area: Area, what: impl Into<String>, seen: impl Into<String>) -> Self {
        Observation::new(area, what, State::Told, seen)
    }

    /// It could not be looked at, and why.
    pub fn not_checked(area: Area, what: impl Into<String>, why: impl Into<String>) -> Self {
        Observation::new(area, what, State::NotChecked, why)
    }

    /// Wrong, by a rule; `cause` says what follows from it.
    pub fn wrong(
        area: Area,
        rule: &Rule,
        severity: Severity,
        what: impl Into<String>,
        seen: impl Into<String>,
        cause: &str,
    ) -> Self {
        let observation = Observation::new(area, what, State::Wrong, seen);
        let message = format!("{}: {}", observation.what, observation.seen);
        let finding = rule.finding(message).weighing(severity).because(cause);
        Observation { finding: Some(Box::new(finding)), ..observation }
    }

    /// What to type.
    #[must_use]
    pub fn help(mut self, line: impl Into<String>) -> Self {
        let line = line.into();
        if let Some(finding) = &mut self.finding
            && self.help.is_empty()
        {
            finding.help.clone_from(&line);
        }
        self.help.push(line);
        self
    }
}

/// All that was seen.
#[derive(Debug, Default, Serialize)]
pub struct Checkup {
    /// What was looked at, by area.
    pub observations: Vec<Observation>,
    /// What is wrong, one finding a cause.
    #[serde(flatten)]
    pub examination: Examination,
}

impl Checkup {
    /// Observations, and what the rules have found; waived as the project says.
    pub fn of(
        mut observations: Vec<Observation>,
        found: Vec<Finding>,
        subject: &Subject<'_>,
        blame: &dyn Blame,
    ) -> Self {
        observations.sort_by_key(|observation| observation.area);
        let mut all: Vec<Finding> =
            observations.iter().filter_map(|observation| observation.finding.as_deref().cloned()).collect();
        all.extend(found);
        let mut examination = conclude(all, subject, blame);
        examination.gather();
        Checkup { observations, examination }
    }

    /// How many things could not be looked at.
    pub fn not_checked(&self) -> usize {
        self.observations.iter().filter(|observation| observation.state == State::NotChecked).count()
    }

    /// Whether an area has anything that could not be looked at.
    pub fn is_blind(&self, area: Area) -> bool {
        self.observations.iter().any(|observation| observation.area == area && observation.state == State::NotChecked)
    }
}
