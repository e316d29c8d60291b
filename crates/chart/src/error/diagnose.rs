//! Errors told to people: the user's file first, then the chart's.

use landfall_diag::{Diagnose, Diagnostic, LONGEST_LINE, Place, code, nearest};
use landfall_gotemplate::Cause;

use super::{Broken, ChartError, Evidence};
use crate::archive::ArchiveError;
use crate::values::{Setting, Source};

impl Diagnose for ChartError {
    fn diagnose(&self) -> Diagnostic {
        let helm = format!("helm: {}", shortened(&self.to_string()));
        match self {
            ChartError::ChartDepth(_)
            | ChartError::ValuesSize { .. }
            | ChartError::Spent { .. }
            | ChartError::RenderedSize { .. }
            | ChartError::Documents { .. }
            | ChartError::Archive(ArchiveError::Spent(..)) => {
                Diagnostic::error(code::LIMIT, self.to_string()).note("this is a limit of landfall's own")
            }
            ChartError::Archive(error) => {
                Diagnostic::error(code::BAD_ARCHIVE, format!("the chart archive cannot be read: {error}")).note(helm)
            }
            ChartError::Ignore { place, problem } => {
                Diagnostic::error(code::BAD_IGNORE_RULE, format!("a rule of .helmignore cannot be read: {problem}"))
                    .primary((**place).clone(), "this rule")
                    .help("write one pattern per line; `**` is not known, a pattern without `/` matches at any depth")
                    .note(helm)
            }
            ChartError::NoChartFile { location } => {
                let at = if location.is_empty() { "." } else { location };
                Diagnostic::error(code::NO_CHART, format!("{at} is not a chart: there is no Chart.yaml in it"))
                    .help("name a directory or .tgz that holds a Chart.yaml, or make one with `landfall create NAME`")
                    .note(helm)
            }
            ChartError::File { broken, text, place, .. } => {
                let reason = reason(text);
                let (code, what) = if place.file.ends_with("Chart.yaml") {
                    (code::BAD_CHART_FILE, "Chart.yaml cannot be read")
                } else if *broken == Broken::Yaml {
                    (code::BAD_VALUES_FILE, "the file is not valid YAML")
                } else {
                    (code::BAD_VALUES_FILE, "the file does not hold what is expected")
                };
                Diagnostic::error(code, format!("{what}: {reason}")).primary((**place).clone(), "here").note(helm)
            }
            ChartError::Metadata { error, place } => {
                let text = error.text.replace("chart.metadata.", "");
                Diagnostic::error(code::BAD_CHART_FILE, format!("Chart.yaml is not accepted: {text}"))
                    .primary((**place).clone(), "")
                    .note(helm)
            }
            ChartError::Subchart { name, error, .. } => {
                let inner = error.diagnose();
                let mut outer = Diagnostic::error(inner.code, format!("in charts/{name}: {}", inner.message));
                outer.labels = inner.labels;
                outer.helps = inner.helps;
                outer.note(helm)
            }
            ChartError::SubchartFile { name, .. } => Diagnostic::error(
                code::SUBCHART_DIRECTORY,
                format!("charts/{name} is a directory, but its name is that of an archive"),
            )
            .note(helm),
            ChartError::Set { flag, text, problem } => Diagnostic::error(
                code::BAD_SET,
                format!("{} {text} cannot be read: {problem}", flag.name()),
            )
            .help("write `key=value`; escape `,` and `.` in keys and values with `\\`, quote the whole for the shell")
            .note(helm),
            ChartError::ApiVersion(version) => Diagnostic::error(
                code::BAD_CHART_FILE,
                format!("Chart.yaml is of apiVersion {version}, which Helm 4 does not install"),
            )
            .help("write `apiVersion: v2`")
            .note(helm),
            ChartError::SetJson(text) => {
                Diagnostic::error(code::BAD_SET, format!("--set-json {text} is not a JSON object"))
                    .help("write `{\"key\": value}`, or `key=value` with a JSON value")
                    .note(helm)
            }
            ChartError::Helm4 { error, .. } => {
                let mut diagnostic = error.diagnose();
                diagnostic.notes.retain(|note| !note.starts_with("helm: "));
                diagnostic.note(helm)
            }
            ChartError::Mismatch { text, setting } => {
                let name = text.strip_prefix("type mismatch on ").and_then(|rest| rest.split(':').next());
                let name = name.unwrap_or("a subchart");
                let diagnostic = Diagnostic::error(
                    code::NOT_A_TABLE,
                    format!("`{name}` must be a table: its keys are the values of the subchart"),
                );
                with_setting(diagnostic, setting.as_deref(), "set here")
                    .help(format!("write the subchart's values below `{name}:`, or switch it off with its condition"))
                    .note(helm)
            }
            ChartError::Schema { violations, .. } => schema(violations, self),
            ChartError::NotInstallable { kind } => {
                Diagnostic::error(code::LIBRARY_CHART, format!("a {kind} chart cannot be rendered on its own"))
                    .help("render a chart that depends on it")
                    .note(helm)
            }
            ChartError::MissingDependencies { names, location } => Diagnostic::error(
                code::MISSING_DEPENDENCIES,
                format!("dependencies are declared in Chart.yaml and not in charts/: {}", names.join(", ")),
            )
            .help(format!("landfall dependency build {}", for_a_shell(location)))
            .note(helm),
            ChartError::KubeVersion { wanted, found, place } => Diagnostic::error(
                code::OTHER_KUBERNETES,
                format!("the chart wants Kubernetes {wanted}; this is {found}"),
            )
            .primary((**place).clone(), "asked for here")
            .help("render for another version with `--kube-version`, or use another version of the chart")
            .note(helm),
            ChartError::ReleaseName(name) => Diagnostic::error(
                code::NO_RELEASE_NAME,
                format!("{name:?} cannot be a release's name"),
            )
            .help("use up to 53 lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit")
            .note(helm),
            ChartError::NoReleaseName => Diagnostic::error(code::NO_RELEASE_NAME, "the release has no name").note(helm),
            ChartError::Parse { error, place } => {
                Diagnostic::error(code::TEMPLATE_SYNTAX, format!("the template cannot be read: {}", error.message))
                    .primary((**place).clone(), "here")
                    .note(helm)
            }
            ChartError::Exec { error, evidence } => without_value(exec(error, evidence).note(helm), evidence),
            ChartError::Manifest { path, broken, text, rendered, line, place, settings, secret } => {
                let diagnostic = manifest(path, (*broken, text), rendered, *line, place.as_deref(), settings);
                if *secret { without_sources(diagnostic) } else { diagnostic }.note(helm)
            }
            ChartError::NoTemplate { name, known } => {
                let diagnostic =
                    Diagnostic::error(code::NO_SUCH_TEMPLATE, format!("no template {name} renders anything"));
                match nearest(name, known.iter().map(String::as_str)) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help(format!("templates that render something: {}", known.join(", "))),
                }
                .note(helm)
            }
            ChartError::NameTemplate(text) => {
                Diagnostic::error(code::BAD_NAME_TEMPLATE, format!("the release's name cannot be made: {text}"))
            }
            ChartError::SchemaJson => {
                Diagnostic::error(code::SCHEMA_NOT_JSON, "values.schema.json is not JSON").note(helm)
            }
            ChartError::ChartName(name) => {
                Diagnostic::error(code::BAD_CHART_NAME, format!("{name:?} cannot be a chart's name")).note(helm)
            }
        }
    }
}

/// Helm's words without the middle of an endless chain: the beginning and the end are what is searched for.
fn shortened(text: &str) -> String {
    const KEPT: usize = 400;
    let length = text.chars().count();
    if length <= 2 * KEPT {
        return text.to_owned();
    }
    let start: String = text.chars().take(KEPT).collect();
    let end: String = text.chars().skip(length - KEPT).collect();
    format!("{start} […] {end}")
}

/// The problem without the name of the library that saw it.
fn reason(text: &str) -> &str {
    text.trim_start_matches("yaml: ")
}

fn with_setting(diagnostic: Diagnostic, setting: Option<&Setting>, text: &str) -> Diagnostic {
    match setting.map(|setting| &setting.source) {
        None => diagnostic,
        Some(Source::Default(place) | Source::File(place)) => {
            let source = place.source.as_deref().map(without_secrets);
            diagnostic.primary(Place { source, ..place.clone() }, text)
        }
        Some(flag @ Source::Flag { text: given, .. }) => match given.split_once('=') {
            Some((path, _)) if is_secretive(path) => diagnostic.note(format!("{text}: {}", flag.brief())),
            _ => diagnostic.note(format!("{text}: {flag}")),
        },
    }
}

/// A line of values as it may be shown: what stands behind a key that is named like a secret's is not, as many
/// characters of it as there are. Nobody knows at this point which values go into a Secret.
fn without_secrets(line: &str) -> String {
    let keys = line.match_indices(':').filter(|(at, _)| line[at + 1..].starts_with(char::is_whitespace));
    match keys.map(|(at, _)| at).find(|at| is_secretive(&line[..*at])) {
        None => line.to_owned(),
        Some(at) => {
            let value = line[at + 1..].trim_start();
            let before = &line[..line.len() - value.len()];
            format!("{before}{}", "+".repeat(value.chars().count()))
        }
    }
}

/// What a template says of a value that is named like a secret's, without that value: `fail` may say what it does not
/// like. The persona `helm` shows the chart's words as they are.
fn without_value(mut diagnostic: Diagnostic, evidence: &Evidence) -> Diagnostic {
    /// Values of fewer bytes stand in any sentence.
    const SHORTEST: usize = 4;
    if !evidence.path.last().is_some_and(|key| is_secretive(key)) {
        return diagnostic;
    }
    let values = evidence.settings.iter().filter_map(|setting| setting.value.as_str());
    for value in values.map(|value| String::from_utf8_lossy(value).into_owned()).filter(|value| value.len() >= SHORTEST)
    {
        for text in std::iter::once(&mut diagnostic.message).chain(&mut diagnostic.notes) {
            *text = text.replace(&value, "++++++++");
        }
    }
    diagnostic
}

/// Whether the last key of a path, or of what stands before a colon, is named like one of a secret's value.
fn is_secretive(path: &str) -> bool {
    const NAMES: [&str; 9] =
        ["password", "passwd", "passphrase", "token", "pepper", "apikey", "privatekey", "secretkey", "credentials"];
    let is_key = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let path = path.trim_end_matches(|c: char| !is_key(c));
    let key = path.rsplit(|c: char| !is_key(c)).next().unwrap_or_default();
    let key = key.replace(['_', '-'], "").to_lowercase();
    NAMES.iter().any(|name| key.ends_with(name)) || ["secret", "pass", "pwd"].contains(&key.as_str())
}

fn schema(violations: &[super::SchemaViolation], error: &ChartError) -> Diagnostic {
    let many = violations.len();
    let first = violations.first();
    let message = match first {
        Some(violation) if many == 1 => {
            format!(
                "`{}` does not fit the schema of chart {}: {}",
                shown(&violation.path),
                violation.chart,
                violation.text
            )
        }
        _ => format!("{many} values do not fit their chart's schema"),
    };
    let mut diagnostic = Diagnostic::error(code::SCHEMA_VIOLATED, message);
    for violation in violations.iter().take(10) {
        let what = format!("{}: {}", shown(&violation.path), violation.text);
        match violation.setting.as_deref() {
            Some(setting) => diagnostic = with_setting(diagnostic, Some(setting), &what),
            None => diagnostic = diagnostic.note(what),
        }
    }
    diagnostic
        .note(format!("helm: {}", shortened(&error.to_string())))
        .help("correct the values, or render with `--skip-schema-validation`")
}

fn shown(path: &[String]) -> String {
    if path.is_empty() { "values".to_owned() } else { format!(".Values.{}", path.join(".")) }
}

fn exec(error: &landfall_gotemplate::ExecError, evidence: &Evidence) -> Diagnostic {
    let root = error.root();
    let used = |diagnostic: Diagnostic, text: &str| {
        let diagnostic = match &evidence.place {
            Some(place) => diagnostic.label(place.clone(), text),
            None => diagnostic,
        };
        match &evidence.outer {
            Some(place) => diagnostic.label(place.clone(), "reached from here"),
            None => diagnostic,
        }
    };
    if let Some(message) = error.failure() {
        let mut diagnostic = Diagnostic::error(code::TEMPLATE_REFUSES, message.trim().to_owned());
        if !evidence.path.is_empty() {
            diagnostic = with_setting(diagnostic, evidence.settings.last(), "the value it looks at");
            diagnostic = diagnostic.help(format!("set `{}`", evidence.path.join(".")));
        }
        return used(diagnostic, "the chart asks for it here");
    }
    if matches!(root.cause, Cause::Field(_))
        && !evidence.culprit.is_empty()
        && evidence.culprit.len() < evidence.path.len()
    {
        let whole = shown(&evidence.path);
        let culprit = evidence.culprit.join(".");
        let last = evidence.settings.last();
        let is = match last {
            None => "is not set",
            Some(setting) if setting.value.is_nil() => "is null",
            Some(_) => "is not a table",
        };
        let mut diagnostic =
            Diagnostic::error(code::VALUE_UNREADABLE, format!("`{whole}` cannot be read: `{culprit}` {is}"));
        let overridden = evidence.settings.len().checked_sub(2).and_then(|at| evidence.settings.get(at));
        let text = match (is, overridden) {
            ("is null", Some(lower)) => format!("set to null here, overrides {}", lower.source),
            ("is null", None) => "set to null here".to_owned(),
            (_, Some(lower)) => format!("set here, overrides {}", lower.source),
            _ => "set here".to_owned(),
        };
        diagnostic = with_setting(diagnostic, last, &text);
        diagnostic = used(diagnostic, "used here");
        let key = evidence.path.get(evidence.culprit.len()).cloned().unwrap_or_default();
        let mistyped = evidence
            .culprit
            .last()
            .filter(|key| key.chars().count() > 2)
            .and_then(|key| nearest(key, evidence.siblings.iter().map(String::as_str)));
        return match (is, last.map(|setting| setting.source.to_string())) {
            ("is null", Some(place)) => {
                diagnostic.help(format!("delete the empty key at {place}, or set `{key}` under it"))
            }
            ("is not set", _) => match mistyped {
                Some(near) => diagnostic.help(format!("set `{culprit}.{key}`; there is a key `{near}`")),
                None => diagnostic.help(format!("set `{culprit}.{key}`, for example with `--set {culprit}.{key}=…`")),
            },
            _ => diagnostic.help(format!("make `{culprit}` a table with the key `{key}`")),
        };
    }
    let code = if matches!(root.cause, Cause::Limit(_)) {
        code::LIMIT
    } else if matches!(root.cause, Cause::NoTemplate(_)) {
        code::NO_NAMED_TEMPLATE
    } else if error.is_circle() {
        code::TEMPLATE_CIRCLE
    } else {
        code::TEMPLATE_FAILED
    };
    let words = match &root.cause {
        Cause::Call { error, .. } => error.to_string(),
        cause => cause.to_string(),
    };
    let words = words.strip_prefix("template: ").unwrap_or(&words);
    let mut diagnostic = Diagnostic::error(code, format!("a template failed: {words}"));
    if code == code::TEMPLATE_CIRCLE {
        diagnostic = diagnostic.help("the template includes itself, here or through another one: break the circle");
    }
    if let Some(place) = &evidence.place {
        diagnostic = diagnostic.primary(place.clone(), "");
    }
    if let Some(place) = &evidence.outer {
        diagnostic = diagnostic.label(place.clone(), "reached from here");
    }
    if !evidence.settings.is_empty() {
        let places: Vec<String> = evidence.settings.iter().map(|setting| setting.source.to_string()).collect();
        diagnostic = diagnostic.note(format!("`{}` is set at {}", evidence.culprit.join("."), places.join(", then ")));
    }
    diagnostic
}

fn manifest(
    path: &str,
    (broken, text): (Broken, &str),
    rendered: &[(usize, String)],
    line: usize,
    place: Option<&Place>,
    settings: &[Setting],
) -> Diagnostic {
    let (code, what) = match broken {
        Broken::Yaml => (code::RENDERED_NOT_YAML, "rendered YAML is not valid"),
        Broken::Shape | Broken::Other => (code::RENDERED_NO_OBJECT, "what was rendered is not an object"),
    };
    let mut diagnostic = Diagnostic::error(code, format!("{what}: {}", reason(text)));
    for setting in settings.iter().take(3) {
        diagnostic = match &setting.source {
            // What is given by a flag may be a secret's value.
            flag @ Source::Flag { .. } => diagnostic.note(format!("the value in that line: {}", flag.brief())),
            _ => with_setting(diagnostic, Some(setting), "the value in that line"),
        };
    }
    diagnostic = match place {
        Some(place) => {
            let words = match line {
                0 => "this template line began the document".to_owned(),
                line => format!("this wrote rendered line {line}"),
            };
            diagnostic.label(place.clone(), words)
        }
        None => diagnostic.label(Place::file(path), "rendered from this template"),
    };
    if !rendered.is_empty() {
        let width = rendered.last().map_or(1, |(number, _)| number.to_string().len());
        let lines: Vec<String> = rendered
            .iter()
            .map(|(number, text)| {
                let mark = if *number == line { '>' } else { ' ' };
                let shown: String = text.chars().take(LONGEST_LINE).collect();
                let more = if shown.len() < text.len() { "…" } else { "" };
                format!("{mark} {number:width$} | {shown}{more}")
            })
            .collect();
        diagnostic = diagnostic.note(format!("rendered:\n{}", lines.join("\n")));
    }
    diagnostic.help("look at the indentation the action leaves: `nindent N` starts a block on its own line")
}

/// The places alone: the lines there hold a secret's value.
fn without_sources(mut diagnostic: Diagnostic) -> Diagnostic {
    for label in &mut diagnostic.labels {
        label.place.source = None;
    }
    diagnostic.note("it holds a Secret: lines of it are not shown")
}

/// A path as a word of a command that can be pasted into a shell.
fn for_a_shell(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        return path.to_owned();
    }
    format!("'{}'", path.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_values_hides_what_is_named_like_a_secret_and_nothing_else() {
        for (line, shown) in [
            ("  password: hunter2", "  password: +++++++"),
            ("\"api-key\": \"a:b\"", "\"api-key\": +++++"),
            ("auth: {user: app, dbPassword: hunter2}", "auth: {user: app, dbPassword: ++++++++"),
            ("- ACCESS_TOKEN: é", "- ACCESS_TOKEN: +"),
            ("secret: x", "secret: +"),
        ] {
            assert_eq!(without_secrets(line), shown);
        }
        for line in
            ["replicas: 3", "existingSecret: keys", "tokens: 3", "password", "url: http://h:1", "passwordKey: KEY"]
        {
            assert_eq!(without_secrets(line), line);
        }
    }
}
