use landfall_diag::{Finding, Severity, Spot};
use landfall_source::repository_key;
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::Subject;
use crate::synced::{Written, written_applications};

pub(super) static RULE: Rule = Rule {
    id: "LF158",
    title: "an Application names the repository that it lies in",
    severity: Severity::Warning,
    why: "An Application whose files lie beside it and whose address is another repository's never sees a commit made here: \
          the GitOps server answers `repository not found`, or goes on delivering from the other one.",
    advice: "Write this repository's own address into `repoURL`, and into the credential that the server has for it.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(files) = subject.files else { return Vec::new() };
    // A remote on this machine is a mirror of something: it says nothing about the name.
    let Some(origin) = files.origin().filter(|origin| is_on_a_host(origin)) else { return Vec::new() };
    let own = repository_key(&origin);
    let mut findings: Vec<Finding> = Vec::new();
    for application in written_applications(subject) {
        for address in addresses(&application.value) {
            let Some((address, path)) = address else { continue };
            let other = repository_key(&address);
            // A fork and a mirror have another owner and the same name.
            if other == own || last(&other) == last(&own) || !is_on_a_host(&address) {
                continue;
            }
            let here = path == "." || (!path.is_empty() && files.is_directory(&path));
            if !here {
                continue;
            }
            let mut finding = RULE
                .finding(format!("Application `{}` reads {address}, and this is {origin}", application.name()))
                .keyed(other.clone())
                .because(format!("`{path}` lies here, and no commit of this repository is ever delivered"))
                .help(format!("write repoURL: {origin}"))
                .at(Spot::file(application.place(&address)));
            for (path, line) in mentions(subject, &address) {
                finding = finding.at(Spot::file(landfall_diag::Place::line(&path, line)));
            }
            findings.push(finding);
        }
    }
    findings
}

/// The repositories of an Application's sources with the path that is read from each; none for charts.
fn addresses(application: &Value) -> impl Iterator<Item = Option<(String, String)>> + '_ {
    let spec = &application["spec"];
    let sources = std::iter::once(&spec["source"]).chain(spec["sources"].as_array().into_iter().flatten());
    sources.map(|source| {
        let text = |field: &str| source[field].as_str().unwrap_or_default().trim().to_owned();
        let address = Some(text("repoURL")).filter(|address| !address.is_empty() && text("chart").is_empty())?;
        Some((address, text("path").trim_start_matches("./").trim_matches('/').to_owned()))
    })
}

fn is_on_a_host(address: &str) -> bool {
    let scheme = address.split_once("://").map(|(scheme, _)| scheme);
    matches!(scheme, Some("https" | "http" | "ssh" | "git")) || (scheme.is_none() && address.contains('@'))
}

fn last(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Where else in the repository's manifests and values the address stands.
fn mentions(subject: &Subject<'_>, address: &str) -> Vec<(String, u32)> {
    let Some(files) = subject.files else { return Vec::new() };
    let mut found = Vec::new();
    for path in ["**/*.yaml", "**/*.yml"].iter().flat_map(|pattern| files.glob(pattern).unwrap_or_default()) {
        let Ok(Some(bytes)) = files.read(&path) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let lines = text.lines().enumerate().filter(|(_, line)| {
            let value = line.split_once(": ").map_or(*line, |(_, value)| value);
            value.trim().trim_matches(['"', '\'']) == address
        });
        found.extend(lines.map(|(at, _)| (path.clone(), u32::try_from(at).unwrap_or(u32::MAX - 1) + 1)));
    }
    found
}

impl Written {
    fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn place(&self, address: &str) -> landfall_diag::Place {
        let line = self.text.lines().position(|line| line.contains(address)).unwrap_or(0);
        landfall_diag::Place::line(&self.path, u32::try_from(line).unwrap_or(0) + 1)
    }
}
