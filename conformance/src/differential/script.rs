//! Request scripts: plain text, close to the wire.
//!
//! ```text
//! # What the script is about; first line.
//! # controllers: on
//!
//! ### create the map
//! @capture uid = /metadata/uid
//! POST /api/v1/namespaces/{{ns}}/configmaps?fieldManager=me
//! Accept: application/json
//!
//! {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
//! ```
//!
//! Directives stand before the request line: `@capture NAME = POINTER`; `@until POINTER = JSON` and `@until status = CODE` repeat a step until it
//! answers so (only the last answer counts; `null` is also what is absent), `@until lacks = TEXT` until it names TEXT no more; `@watch N` reads N events; `@token TEXT` and `@token none` act as another; `@hex` says that the body is
//! in hexadecimal; `@protobuf` that it goes out as protobuf, written from its JSON. `{{name}}` is replaced in paths, headers and bodies; `{{ns}}` is the script's own namespace. A body goes out byte for byte,
//! without the blank lines at its ends.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

/// One file of steps.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// File name without its ending; also the name of the script's namespace.
    pub(crate) name: String,
    /// Whether it needs controllers, scheduler and kubelet.
    pub(crate) controllers: bool,
    pub(crate) steps: Vec<Step>,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    pub(crate) form: Form,
    pub(crate) captures: Vec<(String, String)>,
    /// All must hold before the step counts.
    pub(crate) until: Vec<Until>,
    pub(crate) watch: Option<usize>,
    /// `None`: the administrator; `Some("")`: nobody.
    pub(crate) token: Option<String>,
}

/// How a step's body is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it goes out.
    Plain,
    /// In hexadecimal.
    Hex,
    /// As JSON; it goes out as protobuf.
    Protobuf,
}

/// What a repeated step waits for.
#[derive(Debug, Clone)]
pub(crate) enum Until {
    Status(u16),
    Field(String, Value),
    /// Until the answer names this no more, wherever in it.
    Lacks(String),
}

/// Reads every script of a folder, in name order.
pub(crate) fn load(folder: &Path) -> anyhow::Result<Vec<Script>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "http"));
    paths.sort();
    let mut scripts = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        scripts.push(parse(&name, &text).with_context(|| format!("in {}", path.display()))?);
    }
    Ok(scripts)
}

/// Reads one script.
pub(crate) fn parse(name: &str, text: &str) -> anyhow::Result<Script> {
    let mut sections = text.split("\n### ");
    let head = sections.next().unwrap_or_default();
    let controllers = head.lines().any(|line| line.trim() == "# controllers: on");
    let mut steps: Vec<Step> = Vec::new();
    for section in sections {
        let step = parse_step(section)?;
        if steps.iter().any(|other| other.name == step.name) {
            bail!("two steps are called {:?}", step.name);
        }
        steps.push(step);
    }
    if steps.is_empty() {
        bail!("no step: each begins with a line `### name`");
    }
    Ok(Script { name: name.to_owned(), controllers, steps })
}

fn parse_step(section: &str) -> anyhow::Result<Step> {
    let mut lines = section.lines();
    let name = lines.next().unwrap_or_default().trim().to_owned();
    let in_step = || format!("in step {name:?}");
    let mut step = Step {
        name: name.clone(),
        method: String::new(),
        path: String::new(),
        headers: Vec::new(),
        body: None,
        form: Form::Plain,
        captures: Vec::new(),
        until: Vec::new(),
        watch: None,
        token: None,
    };
    for line in lines.by_ref() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(directive) = line.strip_prefix('@') {
            step.directive(directive).with_context(in_step)?;
            continue;
        }
        let (method, path) = line.split_once(' ').with_context(in_step)?;
        step.method = method.to_owned();
        step.path = path.trim().to_owned();
        break;
    }
    if !["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"].contains(&step.method.as_str()) {
        bail!("step {name:?} has no request line");
    }
    for line in lines.by_ref() {
        if line.trim().is_empty() {
            break;
        }
        let (header, value) = line.split_once(':').with_context(in_step)?;
        step.headers.push((header.trim().to_lowercase(), value.trim().to_owned()));
    }
    let body = lines.collect::<Vec<_>>().join("\n");
    let body = body.trim_matches('\n');
    step.body = (!body.trim().is_empty()).then(|| body.to_owned());
    Ok(step)
}

impl Step {
    fn directive(&mut self, text: &str) -> anyhow::Result<()> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let pair = || rest.split_once(" = ").map(|(left, right)| (left.trim(), right.trim()));
        match word {
            "capture" => {
                let (name, pointer) = pair().context("@capture NAME = POINTER")?;
                self.captures.push((name.to_owned(), pointer.to_owned()));
            }
            "until" => {
                let (what, value) = pair().context("@until POINTER = JSON")?;
                self.until.push(match what {
                    "status" => Until::Status(value.parse().context("@until status = CODE")?),
                    "lacks" => Until::Lacks(value.to_owned()),
                    pointer => {
                        Until::Field(pointer.to_owned(), serde_json::from_str(value).context("@until … = JSON")?)
                    }
                });
            }
            "watch" => self.watch = Some(rest.trim().parse().context("@watch N")?),
            "token" => self.token = Some(if rest == "none" { String::new() } else { rest.to_owned() }),
            "hex" => self.form = Form::Hex,
            "protobuf" => self.form = Form::Protobuf,
            other => bail!("no directive is called @{other}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A map.\n# controllers: on\n\n### create\n@capture rv = /metadata/resourceVersion\nPOST /api/{{ns}}\n\
        Accept: text/plain\n\n{\"a\":\n\n1}\n\n### watch it\n@watch 2\n@token none\nGET /api?watch=1\n";

    #[test]
    fn steps_are_read() {
        let script = parse("maps", TEXT).expect("well formed");
        assert!(script.controllers);
        assert_eq!(script.steps.len(), 2);
        let create = &script.steps[0];
        assert_eq!((create.method.as_str(), create.path.as_str()), ("POST", "/api/{{ns}}"));
        assert_eq!(create.body.as_deref(), Some("{\"a\":\n\n1}"));
        assert_eq!(create.captures, [("rv".to_owned(), "/metadata/resourceVersion".to_owned())]);
        assert_eq!(script.steps[1].watch, Some(2));
        assert_eq!(script.steps[1].token.as_deref(), Some(""));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(parse("x", "# nothing\n").is_err());
        assert!(parse("x", "#\n### a\n@until lacks\nGET /\n").is_err());
        assert!(parse("x", "#\n### a\n@capure x = /y\nGET /\n").is_err());
        assert!(parse("x", "#\n### a\nFETCH /\n").is_err());
        assert!(parse("x", "#\n### a\nGET /\n### a\nGET /\n").is_err());
    }

    /// The real API serves a definition's group for a while after it is gone; the next script's discovery saw it.
    #[test]
    fn who_removes_a_definition_waits_until_its_group_is_listed_no_more() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential/scripts");
        let mut removing = 0;
        for script in load(&folder).expect("well formed") {
            let removes = |step: &Step| step.method == "DELETE" && step.path.contains("/customresourcedefinitions/");
            let Some(last) = script.steps.iter().rposition(removes) else { continue };
            removing += 1;
            let waits =
                |step: &&Step| step.path == "/apis" && step.until.iter().any(|until| matches!(until, Until::Lacks(_)));
            let waited: Vec<_> =
                script.steps[last..].iter().filter(waits).map(|step| step.headers.is_empty()).collect();
            assert!(waited.contains(&true) && waited.contains(&false), "{} leaves its group behind", script.name);
        }
        assert!(removing >= 5, "only {removing} scripts remove definitions");
    }
}
