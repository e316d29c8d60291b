//! Fixtures: one file each, `tests/fixtures/LF103-name.fixture` or `trap_t02_name.fixture`.
//!
//! ```text
//! rule: LF103                        head, as YAML
//! finds: "key `PEPPER`"              what the finding's message contains
//! at: [Deployment/api (shop), …]     where each finding is, as `place.rs` tells it; written by LANDFALL_BLESS=1
//! severity: error                    optional; else the rule's own
//! count: 2                           optional; else 1
//! environment: prod                  optional; for fixtures with a landfall.yaml
//! protected: true                    a bare chart is delivered into a protected environment
//! origin: https://git.example.com/a/b   the address of the remote that the tree comes from
//! declares: {hosts: {allow: [a]}}    what the environment of a bare chart declares
//! templates: matter                  the fault is in the template's text: it is not moved into static manifests
//! rehearsed: true                    the rule needs the delivery itself; only a few mutations are tried then
//! kinds: [StatefulSet]               the kinds a workload may be turned into; all that have pods when absent
//! skip: {copied: one host only}      mutations that do not apply, each with its reason
//! -- templates/web.yaml --           a file of the faulty tree; without Chart.yaml and landfall.yaml, a chart's
//! -- fixed values.yaml --            a file of the mended tree, over the faulty one; empty removes it
//! -- live --                         objects on the cluster before the change
//! -- fixed live --                   the same where the fault is mended on the cluster
//! -- base values.yaml --             a file of the tree that was delivered before, over the faulty one
//! -- commit 1a2b3c4^ values.yaml --  a file before a commit of the repository, whose id begins so
//! -- commit 1a2b3c4 values.yaml --   the same file after it
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use landfall_chart::Tree;
use landfall_delivery::{Candidate, Overrides, Selection, Target, TargetKind, UpOptions, Viewpoint};
use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_project::ProjectFile;
use landfall_rehearse::{Conditions, FirstInstall, From, Rehearsal, Request, mean, rehearse, study};
use landfall_rules::{ClusterFacts, DesiredUnit, Inventory, Known, NoBlame, Rule, Subject, examine};
use landfall_source::{CommitChanges, FileChange, SourceTree};
use serde_json::Value;

/// A tree of files.
pub(crate) type Files = BTreeMap<String, String>;

/// One fixture.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) rule: String,
    pub(crate) finds: String,
    /// Where each finding is: object, field, line of the template, lines of values.
    pub(crate) at: Vec<String>,
    pub(crate) severity: Option<Severity>,
    pub(crate) count: usize,
    pub(crate) environment: Option<String>,
    pub(crate) protected: bool,
    pub(crate) declares: Value,
    pub(crate) origin: Option<String>,
    pub(crate) templates_matter: bool,
    pub(crate) rehearsed: bool,
    pub(crate) kinds: Option<Vec<String>>,
    pub(crate) skip: BTreeMap<String, String>,
    pub(crate) faulty: Files,
    pub(crate) fixed: Files,
    pub(crate) base: Option<Files>,
    pub(crate) live: Vec<Value>,
    pub(crate) fixed_live: Option<Vec<Value>>,
    pub(crate) commits: Vec<CommitChanges>,
}

/// What is looked at: a tree and what the cluster has.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) files: Files,
    pub(crate) base: Option<Files>,
    pub(crate) live: Vec<Value>,
    pub(crate) environment: Option<String>,
    /// Whether the environment of a bare chart is protected.
    pub(crate) protected: bool,
    /// What the environment of a bare chart declares; null for nothing.
    pub(crate) declares: Value,
    /// The address of the remote that the tree comes from.
    pub(crate) origin: Option<String>,
    /// The namespace of a bare chart.
    pub(crate) namespace: String,
    pub(crate) rehearsed: bool,
    /// The commits that the repository has.
    pub(crate) commits: Vec<CommitChanges>,
}

impl Fixture {
    /// All fixtures, by name.
    pub(crate) fn all() -> Vec<Fixture> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .expect("the fixtures' folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "fixture"))
            .collect();
        paths.sort();
        paths.iter().map(|path| Fixture::read(path)).collect()
    }

    /// Writes where its findings are into its file.
    pub(crate) fn bless(&self, at: &[String]) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{}.fixture", self.name));
        let text = std::fs::read_to_string(&path).expect("readable");
        let (mut out, mut is_head, mut is_at) = (String::new(), true, false);
        for line in text.lines() {
            is_head &= !line.starts_with("-- ");
            is_at = is_head && (line == "at:" || (is_at && line.starts_with("  - ")));
            if !is_at {
                out.push_str(&format!("{line}\n"));
            }
            if is_head && line.starts_with("finds:") {
                let lines = at.iter().map(|place| format!("  - {}\n", Value::String(place.clone())));
                out.push_str(&format!("at:\n{}", lines.collect::<String>()));
            }
        }
        std::fs::write(path, out).expect("written");
    }

    fn read(path: &Path) -> Fixture {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect("readable");
        let mut head = String::new();
        let mut sections: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if let Some(title) = line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
                sections.push((title.to_owned(), String::new()));
                continue;
            }
            let into = sections.last_mut().map_or(&mut head, |(_, body)| body);
            into.push_str(line);
            into.push('\n');
        }
        let head = landfall_yaml::to_json(&head).unwrap_or_else(|error| panic!("{name}: head: {error}"));
        let text = |field: &str| head[field].as_str().map(str::to_owned);
        let mut faulty = Files::new();
        let mut fixed = Files::new();
        let mut base: Option<Files> = None;
        let (mut live, mut fixed_live) = (Vec::new(), None);
        let mut commits = Vec::new();
        let objects =
            |body: &str| landfall_yaml::to_json_all(body).unwrap_or_else(|error| panic!("{name}: live: {error}"));
        for (title, body) in sections {
            if title == "live" {
                live = objects(&body);
            } else if title == "fixed live" {
                fixed_live = Some(objects(&body));
            } else if let Some(file) = title.strip_prefix("commit ") {
                committed(&mut commits, file, body);
            } else if let Some(path) = title.strip_prefix("fixed ") {
                fixed.insert(path.to_owned(), body);
            } else if let Some(path) = title.strip_prefix("base ") {
                base.get_or_insert_default().insert(path.to_owned(), body);
            } else {
                faulty.insert(title, body);
            }
        }
        if !faulty.contains_key("Chart.yaml") && !faulty.contains_key("landfall.yaml") {
            faulty.insert("Chart.yaml".to_owned(), "apiVersion: v2\nname: shop\nversion: 0.1.0\n".to_owned());
        }
        assert!(!fixed.is_empty() || fixed_live.is_some(), "{name}: a fixture says how the fault is mended");
        let fixed = over(&faulty, fixed);
        let base = base.map(|base| over(&faulty, base));
        let severity = text("severity").map(|word| match word.as_str() {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            "info" => Severity::Info,
            other => panic!("{name}: severity {other}"),
        });
        let skip = head["skip"].as_object().cloned().unwrap_or_default();
        Fixture {
            rule: text("rule").unwrap_or_else(|| panic!("{name}: no rule")),
            finds: text("finds").unwrap_or_else(|| panic!("{name}: no `finds`")),
            at: head["at"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
            severity,
            count: head["count"].as_u64().unwrap_or(1) as usize,
            environment: text("environment"),
            protected: head["protected"] == true,
            declares: head["declares"].clone(),
            origin: text("origin"),
            templates_matter: head["templates"] == "matter",
            rehearsed: head["rehearsed"] == true,
            kinds: head["kinds"]
                .as_array()
                .map(|kinds| kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            skip: skip
                .into_iter()
                .map(|(mutation, why)| (mutation, why.as_str().unwrap_or_default().to_owned()))
                .collect(),
            name,
            faulty,
            fixed,
            base,
            live,
            fixed_live,
            commits,
        }
    }

    pub(crate) fn faulty_scene(&self) -> Scene {
        self.scene(self.faulty.clone())
    }

    pub(crate) fn fixed_scene(&self) -> Scene {
        let live = self.fixed_live.clone().unwrap_or_else(|| self.live.clone());
        Scene { live, ..self.scene(self.fixed.clone()) }
    }

    fn scene(&self, files: Files) -> Scene {
        Scene {
            files,
            base: self.base.clone(),
            live: self.live.clone(),
            environment: self.environment.clone(),
            protected: self.protected,
            declares: self.declares.clone(),
            origin: self.origin.clone(),
            namespace: "shop".to_owned(),
            rehearsed: self.rehearsed,
            commits: self.commits.clone(),
        }
    }
}

/// Adds one side of a file to a commit: `ID^ PATH` as it was, `ID PATH` as it is.
fn committed(commits: &mut Vec<CommitChanges>, file: &str, body: String) {
    let (id, path) = file.split_once(' ').expect("a commit and a path");
    let sha = format!("{:0<40}", id.trim_end_matches('^'));
    if !commits.iter().any(|it| it.sha == sha) {
        commits.push(CommitChanges { sha: sha.clone(), subject: "write tags".to_owned(), files: Vec::new() });
    }
    let commit = commits.iter_mut().find(|it| it.sha == sha).expect("it was just added");
    if !commit.files.iter().any(|it| it.path == path) {
        commit.files.push(FileChange { path: path.to_owned(), before: None, after: None });
    }
    let change = commit.files.iter_mut().find(|it| it.path == path).expect("it was just added");
    let side = if id.ends_with('^') { &mut change.before } else { &mut change.after };
    *side = Some(body.into_bytes());
}

fn over(under: &Files, above: Files) -> Files {
    let mut files = under.clone();
    for (path, body) in above {
        if body.trim().is_empty() {
            files.remove(&path);
        } else {
            files.insert(path, body);
        }
    }
    files
}

/// A tree read as a target.
pub(crate) fn target(files: &Files) -> Result<Target, String> {
    let tree: Tree = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    let kind = match files.get("landfall.yaml") {
        Some(text) => TargetKind::System(Box::new(project(text)?)),
        None => TargetKind::Chart,
    };
    Ok(Target {
        source: SourceTree::from_tree("fixture", tree),
        directory: String::new(),
        viewpoint: Viewpoint::Top,
        kind,
    })
}

fn project(text: &str) -> Result<ProjectFile, String> {
    landfall_project::parse("landfall.yaml", text)
        .map_err(|findings| findings.iter().map(|it| format!("{it}\n")).collect::<String>())
}

impl Scene {
    /// Whether another scene has other files, objects, declarations or another namespace.
    pub(crate) fn differs_from(&self, other: &Scene) -> bool {
        (&self.files, &self.base, &self.live, &self.declares, &self.namespace)
            != (&other.files, &other.base, &other.live, &other.declares, &other.namespace)
    }

    /// The environment of a bare chart as a project file declares it, but for its releases; `None` when nothing is.
    pub(crate) fn declaration(&self) -> Option<Value> {
        if !self.protected && self.declares.is_null() {
            return None;
        }
        let mut declared = self.declares.as_object().cloned().unwrap_or_default();
        let cluster = serde_json::json!({"context": "production", "protected": self.protected});
        declared.insert("cluster".to_owned(), cluster);
        Some(Value::Object(declared))
    }

    fn candidates(&self, target: &Target) -> Result<Vec<Candidate>, String> {
        let environment = self.environment.clone().or_else(|| match &target.kind {
            TargetKind::System(file) => file.system.default_environment().map(str::to_owned),
            _ => None,
        });
        let selection = Selection { environment, namespace: Some(self.namespace.clone()), ..Selection::default() };
        let words = |diagnostics: Vec<landfall_diag::Diagnostic>| {
            diagnostics.iter().map(landfall_diag::render_plain).collect::<String>()
        };
        let overrides = Overrides::default();
        let units = target.units(&selection, &overrides, "default");
        let mut candidates = futures::executor::block_on(units).map_err(words)?;
        mean(&mut candidates, None, None);
        for (_, unit) in &candidates {
            if let Err(diagnostics) = unit {
                return Err(words(diagnostics.clone()));
            }
        }
        Ok(candidates)
    }

    /// The scene's units, rendered.
    pub(crate) fn units(&self, files: &Files, live: &Inventory) -> Result<Vec<DesiredUnit>, String> {
        let target = target(files)?;
        let candidates = self.candidates(&target)?;
        let conditions = Conditions { live: std::sync::Arc::new(live.clone()), ..Conditions::offline() };
        study(&candidates, &conditions)
            .map_err(|found| found.iter().map(landfall_diag::render_plain).collect::<String>())
    }

    /// The scene's live objects.
    pub(crate) fn inventory(&self) -> Inventory {
        self.live.iter().filter_map(|value| Object::from_value(value.clone()).ok()).collect()
    }

    /// What a rule finds when the scene is delivered onto simulated clusters.
    fn rehearse(&self, rule: &Rule) -> Result<Vec<Finding>, String> {
        self.rehearsal(&[rule]).map(|rehearsal| rehearsal.examination.findings)
    }

    /// The scene delivered onto simulated clusters.
    pub(crate) fn rehearsal(&self, rules: &[&Rule]) -> Result<Rehearsal, String> {
        self.rehearsal_with(rules, FirstInstall::Left)
    }

    /// The same, and whether a first installation is tried beside an upgrade.
    pub(crate) fn rehearsal_with(&self, rules: &[&Rule], first_install: FirstInstall) -> Result<Rehearsal, String> {
        let words =
            |found: Vec<landfall_diag::Diagnostic>| found.iter().map(landfall_diag::render_plain).collect::<String>();
        let target_head = target(&self.files)?;
        let head = self.candidates(&target_head)?;
        let base = match &self.base {
            Some(files) => {
                let target = target(files)?;
                Some((self.candidates(&target)?, target))
            }
            None => None,
        };
        let project = match &target_head.kind {
            TargetKind::System(file) => Some(&**file),
            _ => None,
        };
        let environment = project.and_then(|file| {
            let name = self.environment.as_deref().or(file.system.default_environment())?;
            file.system.environments.get_key_value(name).map(|(name, declared)| (name.as_str(), declared))
        });
        let request = Request {
            head: &head,
            revision: "the fixture".to_owned(),
            from: match &base {
                Some((candidates, target)) => From::Base {
                    revision: "its base".to_owned(),
                    candidates,
                    environment: environment.map(|(_, environment)| environment),
                    files: Some(&target.source),
                },
                None => From::Empty,
            },
            first_install,
            environment,
            project,
            files: Some(&target_head.source),
            faults: &[],
            nodes: Vec::new(),
            kubernetes: None,
            rules,
            told: Vec::new(),
            told_besides: Vec::new(),
            not_checked: Vec::new(),
            blame: &NoBlame,
            today: jiff::civil::date(2026, 11, 20),
            options: UpOptions::default(),
            stop: Default::default(),
        };
        rehearse(&request).map_err(words)
    }

    /// What a rule finds in the scene.
    pub(crate) fn examine(&self, rule: &Rule) -> Result<Vec<Finding>, String> {
        if self.rehearsed {
            return self.rehearse(rule);
        }
        self.look(&[rule])
    }

    /// What rules find in the scene without any delivery.
    pub(crate) fn look(&self, rules: &[&Rule]) -> Result<Vec<Finding>, String> {
        let before = self.inventory();
        let units = self.units(&self.files, &before)?;
        let base = match &self.base {
            Some(files) => Some(self.units(files, &before)?),
            None => None,
        };
        let mut target = target(&self.files)?;
        if let Some(origin) = &self.origin {
            target.source = target.source.named(origin);
        }
        target.source = target.source.with_commits(self.commits.clone());
        let guarded = self
            .declaration()
            .map(|declared| {
                let file = serde_json::json!({"apiVersion": "landfall.dev/v1", "kind": "System", "name": "x",
                    "environments": {"prod": declared}});
                project(&landfall_yaml::emit(&file).expect("a project file"))
            })
            .transpose()?;
        let project = match &target.kind {
            TargetKind::System(file) => Some(&**file),
            _ => guarded.as_ref(),
        };
        let environment = project.and_then(|file| {
            let name = self.environment.as_deref().or(file.system.default_environment())?;
            file.system.environments.get_key_value(name).map(|(name, declared)| (name.as_str(), declared))
        });
        let cluster = ClusterFacts {
            known: if self.live.is_empty() { Known::Assumed } else { Known::Live },
            ..ClusterFacts::assumed()
        };
        let subject = Subject {
            units: &units,
            base: base.as_deref(),
            before: &before,
            cluster: &cluster,
            trials: &[],
            files: Some(&target.source),
            project,
            environment,
            today: jiff::civil::date(2026, 11, 20),
        };
        Ok(examine(&subject, rules, &NoBlame).findings)
    }
}
