//! The tools: how each is called, and what it says.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde::Serialize;

use super::super::rehearsal::{Ending, Trial};
use super::schemas;
use crate::peers;
use crate::testbed::{Component, Layout, Running};

/// The release that every chart is rendered as, and its namespace.
const RELEASE: &str = "shop";

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Tool {
    Landfall,
    HelmLint,
    KubeScore,
    Kubeconform,
    DryRun,
}

impl Tool {
    pub(super) const ALL: [Tool; 5] =
        [Tool::Landfall, Tool::HelmLint, Tool::KubeScore, Tool::Kubeconform, Tool::DryRun];
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tool::Landfall => "`landfall rehearse`",
            Tool::HelmLint => "`helm lint`",
            Tool::KubeScore => "kube-score",
            Tool::Kubeconform => "kubeconform",
            Tool::DryRun => "`kubectl apply --dry-run=server`",
        })
    }
}

/// What one tool says of one chart.
#[derive(Debug, Default)]
pub(super) struct Said {
    lines: BTreeSet<String>,
    /// Whether it calls any of it an error.
    pub(super) is_red: bool,
    pub(super) milliseconds: u128,
}

impl Said {
    /// What is not said of another.
    pub(super) fn without(&self, other: &Said) -> Vec<String> {
        self.lines.difference(&other.lines).cloned().collect()
    }
}

/// All of them, with what they need.
pub(super) struct Tools {
    landfall: PathBuf,
    helm: PathBuf,
    kube_score: PathBuf,
    kubeconform: PathBuf,
    kubectl: PathBuf,
    schemas: tempfile::TempDir,
    testbed: Running,
}

impl Tools {
    /// Builds what is missing, starts a real API server, and writes the schemas of our tables.
    pub(super) fn start(landfall: PathBuf) -> Result<Self, Box<dyn Error>> {
        let testbed = Running::start(Layout::on_free_ports()?.with(&[Component::Etcd, Component::ApiServer]))?;
        let tools = Tools {
            landfall,
            helm: peers::binary("helm")?,
            kube_score: peers::binary("kube-score")?,
            kubeconform: peers::binary("kubeconform")?,
            kubectl: peers::binary("kubectl")?,
            schemas: schemas::write()?,
            testbed,
        };
        // Nobody runs there who would make a namespace's own account.
        let account = ["create", "serviceaccount", "default", "-n", RELEASE];
        for words in [["create", "namespace", RELEASE].as_slice(), account.as_slice()] {
            let made = tools.kubectl(words, "")?;
            if !made.status.success() {
                return Err(text(&made.stderr).into());
            }
        }
        Ok(tools)
    }

    /// What they are, for the evidence.
    pub(super) fn versions(&self) -> Result<String, Box<dyn Error>> {
        let names = ["helm", "kube-score", "kubeconform", "kubectl", "kube-apiserver"];
        Ok(names.into_iter().map(peers::versions).collect::<Result<Vec<_>, _>>()?.join(", "))
    }

    /// What helm renders of a chart; `None` where it refuses.
    pub(super) fn render(&self, chart: &Path, values: &[String]) -> Result<Option<String>, Box<dyn Error>> {
        let mut command = Command::new(&self.helm);
        command.args(["template", RELEASE, "-n", RELEASE, "--include-crds"]).arg(chart);
        for value in values {
            command.args(["--set", value]);
        }
        let output = ended(command, "")?;
        Ok(output.status.success().then(|| text(&output.stdout)))
    }

    /// Has one of them look at a chart, or at what helm renders of it; where that is nothing, who reads manifests says nothing.
    pub(super) fn say(
        &self,
        tool: Tool,
        chart: &Path,
        rendered: Option<&str>,
        values: &[String],
    ) -> Result<Said, Box<dyn Error>> {
        let began = Instant::now();
        let mut said = match (tool, rendered) {
            (Tool::Landfall, _) => self.rehearse(chart, values)?,
            (Tool::HelmLint, _) => {
                let mut command = Command::new(&self.helm);
                command.args(["lint", "-n", RELEASE]).arg(chart);
                for value in values {
                    command.args(["--set", value]);
                }
                let output = ended(command, "")?;
                told(&text(&output.stdout), |line| {
                    let is_red = line.starts_with("[ERROR]");
                    (is_red || line.starts_with("[WARNING]") || line.starts_with("[INFO]")).then_some(is_red)
                })
            }
            (_, None) => Said::default(),
            (Tool::KubeScore, Some(manifest)) => {
                let mut command = Command::new(&self.kube_score);
                command.args(["score", "--output-format", "ci", "-"]);
                let output = ended(command, manifest)?;
                told(&text(&output.stdout), |line| {
                    let is_red = line.starts_with("[CRITICAL]");
                    (is_red || line.starts_with("[WARNING]")).then_some(is_red)
                })
            }
            (Tool::Kubeconform, Some(manifest)) => {
                let place = self.schemas.path().join("{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json");
                let mut command = Command::new(&self.kubeconform);
                command.args(["-strict", "-ignore-missing-schemas", "-schema-location"]).arg(place).arg("-");
                let output = ended(command, manifest)?;
                told(&text(&output.stdout), |line| (!line.trim().is_empty()).then_some(true))
            }
            (Tool::DryRun, Some(manifest)) => {
                let output = self.kubectl(&["apply", "--dry-run=server", "-n", RELEASE, "-f", "-"], manifest)?;
                told(&text(&output.stderr), |line| (!line.trim().is_empty()).then_some(!line.starts_with("Warning:")))
            }
        };
        said.milliseconds = began.elapsed().as_millis();
        // The sides of a case lie in two places.
        let lies = chart.display().to_string();
        said.lines = said.lines.iter().map(|line| line.replace(&lies, "CHART")).collect();
        Ok(said)
    }

    fn rehearse(&self, chart: &Path, values: &[String]) -> Result<Said, Box<dyn Error>> {
        let place = chart.display().to_string();
        let mut words = vec!["--from", "empty", "--namespace", RELEASE, place.as_str()];
        words.extend(values.iter().flat_map(|value| ["--set", value.as_str()]));
        let directory = chart.parent().unwrap_or(chart);
        let ending = Trial { id: "chart", chart, words: &words, directory }.run(&self.landfall)?;
        Ok(match ending {
            Ending::Rehearsed(code, found) => Said {
                lines: found.into_iter().map(|it| format!("{} {}: {}", it.severity, it.rule, it.message)).collect(),
                is_red: code != 0,
                milliseconds: 0,
            },
            Ending::Refused(why) | Ending::Broken(why) => {
                Said { lines: BTreeSet::from([format!("refused: {why}")]), is_red: true, milliseconds: 0 }
            }
        })
    }

    fn kubectl(&self, words: &[&str], input: &str) -> Result<Output, Box<dyn Error>> {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(self.testbed.testbed().kubeconfig()).args(words);
        ended(command, input)
    }
}

/// The lines of an answer that say something, and whether one of them is an error.
fn told(answer: &str, of: impl Fn(&str) -> Option<bool>) -> Said {
    let mut said = Said::default();
    for line in answer.lines() {
        if let Some(is_red) = of(line) {
            said.is_red |= is_red;
            said.lines.insert(line.to_owned());
        }
    }
    said
}

fn ended(mut command: Command, input: &str) -> Result<Output, Box<dyn Error>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut pipe = child.stdin.take().ok_or("no input")?;
    let input = input.to_owned();
    // Who does not read all of it has seen enough.
    let writer = std::thread::spawn(move || drop(pipe.write_all(input.as_bytes())));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writer of the input failed")?;
    Ok(output)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_one_and_not_of_the_other_counts_and_an_error_is_red() {
        let of = |line: &str| line.starts_with('[').then_some(line.starts_with("[CRITICAL]"));
        let faulty = told("[CRITICAL] api: no limit\n[WARNING] api: tag\n    a remark\n", of);
        let mended = told("[WARNING] api: tag\n", of);
        assert_eq!(faulty.without(&mended), ["[CRITICAL] api: no limit"]);
        assert_eq!(mended.without(&faulty), Vec::<String>::new());
        assert!(faulty.is_red && !mended.is_red);
    }
}
