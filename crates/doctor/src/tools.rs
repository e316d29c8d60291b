//! Programs on this machine: found, how old, and how each is installed.

use landfall_diag::Severity;
use landfall_rules::place::TOOLS;

use crate::{Area, Observation};

/// A program that somebody may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// How it says its version.
    pub version: &'static [&'static str],
    /// The oldest version that will do.
    pub least: (u64, u64),
    /// What it is for.
    pub purpose: &'static str,
    /// How it is installed on Linux, macOS and Windows.
    pub install: [&'static str; 3],
}

/// Whether a place needs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// It does not work without.
    Needed,
    /// It can be used beside Landfall.
    Optional,
}

/// What was found of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is not there.
    Missing,
    /// It is there and says this version; none when it does not say.
    Version(Option<String>),
}

const DOCKER: Tool = Tool {
    name: "docker",
    version: &["--version"],
    least: (20, 10),
    purpose: "builds images, and runs the nodes of k3d",
    install: [
        "curl -fsSL https://get.docker.com | sh",
        "brew install --cask docker",
        "winget install -e --id Docker.DockerDesktop",
    ],
};
const K3D: Tool = Tool {
    name: "k3d",
    version: &["version"],
    least: (5, 0),
    purpose: "makes local clusters of containers",
    install: [
        "curl -s https://raw.githubusercontent.com/k3d-io/k3d/main/install.sh | bash",
        "brew install k3d",
        "choco install k3d",
    ],
};
const KUBECTL: Tool = Tool {
    name: "kubectl",
    version: &["version", "--client"],
    least: (1, 28),
    purpose: "looks into clusters by hand",
    install: [
        "sudo snap install kubectl --classic",
        "brew install kubectl",
        "winget install -e --id Kubernetes.kubectl",
    ],
};
const HELM: Tool = Tool {
    name: "helm",
    version: &["version", "--short"],
    least: (3, 0),
    purpose: "reads the same releases by hand",
    install: [
        "curl -fsSL https://raw.githubusercontent.com/helm/helm/main/scripts/get-helm-3 | bash",
        "brew install helm",
        "winget install -e --id Helm.Helm",
    ],
};
const KUBESEAL: Tool = Tool {
    name: "kubeseal",
    version: &["--version"],
    least: (0, 24),
    purpose: "seals values by hand",
    install: [
        "go install github.com/bitnami-labs/sealed-secrets/cmd/kubeseal@latest",
        "brew install kubeseal",
        "go install github.com/bitnami-labs/sealed-secrets/cmd/kubeseal@latest",
    ],
};
const GIT: Tool = Tool {
    name: "git",
    version: &["--version"],
    least: (2, 20),
    purpose: "pushes what is written back",
    install: ["sudo apt-get install -y git", "brew install git", "winget install -e --id Git.Git"],
};

/// The programs of a place: by the context of its kubeconfig (none for the embedded cluster), whether it is protected,
/// and whether images are built for it.
pub fn tools(context: Option<&str>, is_protected: bool, builds: usize) -> Vec<(Tool, Want)> {
    let needed = |is: bool| if is { Want::Needed } else { Want::Optional };
    let k3d = context.is_some_and(|context| context.starts_with("k3d-"));
    let mut list = vec![
        (DOCKER, needed(k3d || (context.is_some() && builds > 0))),
        (K3D, needed(k3d)),
        (KUBECTL, Want::Optional),
        (HELM, Want::Optional),
        (GIT, Want::Optional),
    ];
    if is_protected {
        list.push((KUBESEAL, Want::Optional));
    }
    list
}

/// What is said of each program.
pub fn tool_observations(found: &[(Tool, Want, Found)]) -> Vec<Observation> {
    found.iter().map(|(tool, want, found)| observation(tool, *want, found)).collect()
}

fn observation(tool: &Tool, want: Want, found: &Found) -> Observation {
    let needed = format!("{}.{}", tool.least.0, tool.least.1);
    let seen = match found {
        Found::Missing => format!("missing; {} or newer {}", needed, tool.purpose),
        Found::Version(None) => return Observation::not_checked(Area::Tools, tool.name, "it does not say its version"),
        Found::Version(Some(version)) if number(version).is_some_and(|number| number >= tool.least) => {
            return Observation::fine(Area::Tools, tool.name, format!("{version} (needed: {needed})"));
        }
        Found::Version(Some(version)) => format!("{version} is too old; {needed} or newer {}", tool.purpose),
    };
    let observation = match want {
        Want::Needed => Observation::wrong(
            Area::Tools,
            &TOOLS,
            Severity::Error,
            tool.name,
            seen,
            "the place cannot be made without it",
        ),
        Want::Optional => Observation::told(Area::Tools, tool.name, format!("{seen} (optional)")),
    };
    let systems = ["Linux", "macOS", "Windows"];
    systems
        .iter()
        .zip(tool.install)
        .fold(observation, |observation, (system, line)| observation.help(format!("{system}: {line}")))
}

/// Major and minor of a version.
fn number(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.trim_start_matches('v').split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next().unwrap_or("0");
    let minor = minor.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()?;
    Some((major, minor))
}

impl Tool {
    /// The version in what a program prints when it is asked for it.
    pub fn version_in(text: &str) -> Option<String> {
        text.split(|letter: char| letter.is_whitespace() || ",()\"=".contains(letter)).find_map(|word| {
            let bare = word.trim_start_matches('v');
            let is_version = bare.contains('.') && bare.chars().next().is_some_and(|first| first.is_ascii_digit());
            is_version.then(|| bare.trim_end_matches('.').split('+').next().unwrap_or(bare).to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            ("Docker version 27.3.1, build ce12230", Some("27.3.1")),
            ("k3d version v5.7.4\nk3s version v1.30.4-k3s1 (default)", Some("5.7.4")),
            ("Client Version: v1.31.0\nKustomize Version: v5.4.2", Some("1.31.0")),
            ("v3.16.2+g13654a5", Some("3.16.2")),
            ("git version 2.47.3", Some("2.47.3")),
            ("nothing", None),
        ] {
            assert_eq!(Tool::version_in(text).as_deref(), version, "{text}");
        }
    }

    #[test]
    fn lp_005_on_a_bare_machine_the_embedded_cluster_needs_nothing_and_k3d_what_is_listed() {
        let missing = |context: Option<&str>| {
            let list: Vec<_> =
                tools(context, false, 1).into_iter().map(|(tool, want)| (tool, want, Found::Missing)).collect();
            let wrong = tool_observations(&list).into_iter().filter(|it| it.state == State::Wrong);
            wrong.map(|it| it.what).collect::<Vec<_>>()
        };
        assert!(missing(None).is_empty());
        assert_eq!(missing(Some("k3d-shop")), ["docker", "k3d"]);
        let old = [(HELM, Want::Needed, Found::Version(Some("2.17.0".into())))];
        assert!(tool_observations(&old)[0].seen.contains("too old"), "{old:?}");
    }

    #[test]
    fn lp_006_each_missing_tool_has_a_line_for_every_system() {
        for (tool, want) in tools(Some("k3d-shop"), true, 1) {
            let observed = &tool_observations(&[(tool, want, Found::Missing)])[0];
            for system in ["Linux: ", "macOS: ", "Windows: "] {
                let line = observed.help.iter().find(|line| line.starts_with(system));
                assert!(line.is_some_and(|line| line.len() > system.len() + 8), "{} {system}", tool.name);
            }
        }
    }
}
