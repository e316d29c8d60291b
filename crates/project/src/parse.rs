use landfall_diag::{Diagnose, Diagnostic, Place, code};
use landfall_yaml::Step;

use crate::{System, check, references, schema, twice};

/// A project file as it was read: its content and where each part stands.
#[derive(Debug, Clone)]
pub struct ProjectFile {
    /// The file's name in messages.
    pub file: String,
    /// The file's text.
    pub text: String,
    /// The content.
    pub system: System,
}

/// The largest project file that is read, in bytes.
pub const MOST_BYTES: usize = 1 << 20;

/// Reads a project file as it lies on disk.
///
/// # Errors
/// As [`parse`]; and bytes that are no text.
pub fn parse_bytes(file: &str, bytes: &[u8]) -> Result<ProjectFile, Vec<Diagnostic>> {
    if bytes.len() > MOST_BYTES {
        return Err(vec![too_large(file)]);
    }
    match landfall_yaml::decode(bytes) {
        Ok(text) => parse(file, &text),
        Err(error) => {
            let mut diagnostic =
                Diagnostic::error(code::PROJECT_FILE_NOT_TEXT, format!("`{file}` is not text in UTF-8"));
            if let Some(mark) = error.mark() {
                let place = Place::line(file, mark.line() as u32).columns(mark.column() as u32, 0);
                diagnostic = diagnostic.primary(place, "the first byte that is not");
            }
            Err(vec![diagnostic.help("save it in UTF-8")])
        }
    }
}

/// Reads a project file.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines: what is no YAML, keys that stand twice, unknown keys,
/// wrong types, names, addresses, paths and amounts that are none, references that lead nowhere.
pub fn parse(file: &str, text: &str) -> Result<ProjectFile, Vec<Diagnostic>> {
    if text.len() > MOST_BYTES {
        return Err(vec![too_large(file)]);
    }
    let documents = landfall_yaml::parse(text).map_err(|error| vec![in_file(file, text, &error)])?;
    let (Some(document), rest) = (documents.first(), documents.get(1..).unwrap_or_default()) else {
        return Err(vec![empty(file)]);
    };
    let content = landfall_yaml::document_to_json(document).map_err(|error| vec![in_file(file, text, &error)])?;
    if content.is_null() && rest.is_empty() {
        return Err(vec![empty(file)]);
    }
    if let Some(second) = rest.first() {
        let place = place_of(file, text, second.span());
        return Err(vec![
            Diagnostic::error(code::SEVERAL_DOCUMENTS, format!("`{file}` holds several documents, and one is read"))
                .primary(place, "the second one begins here")
                .help("take the `---` out, and what stands behind it"),
        ]);
    }
    let mut findings = Vec::new();
    twice::check(file, document, &mut findings);
    let schema = schema::json_schema();
    let fitting = check::check(file, document, &content, &schema);
    let is_another = |finding: &Diagnostic| {
        let named = |what: &str| finding.message.starts_with(&format!("`{what}` cannot be"));
        named("apiVersion") || named("kind")
    };
    if fitting.iter().any(is_another) {
        // A file of another kind: what its keys would mean here is nothing that anybody asked.
        findings.extend(fitting.into_iter().filter(is_another));
    } else {
        findings.extend(fitting);
        references::check(file, document, &content, &mut findings);
    }
    if !findings.is_empty() {
        check::in_order(&mut findings);
        return Err(findings);
    }
    let system: System = serde_json::from_value(content).map_err(|error| {
        // The schema comes from the same types: this is a disagreement between the two, so ours to mend.
        vec![
            Diagnostic::error(code::UNREADABLE_PROJECT_FILE, format!("`{file}` cannot be read"))
                .note(error.to_string()),
        ]
    })?;
    Ok(ProjectFile { file: file.to_owned(), text: text.to_owned(), system })
}

fn too_large(file: &str) -> Diagnostic {
    Diagnostic::error(code::LARGE_PROJECT_FILE, format!("`{file}` is larger than {} KiB", MOST_BYTES >> 10))
        .help("a project file names what is delivered; what is delivered itself lies in files beside it")
}

fn empty(file: &str) -> Diagnostic {
    Diagnostic::error(code::EMPTY_PROJECT_FILE, format!("`{file}` is empty"))
        .primary(Place::line(file, 1), "nothing but blank lines and comments")
        .note("a chart's directory needs no such file: `landfall up ./chart`")
        .help("begin with:\napiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: web, chart: ./chart}]")
        .help("`landfall schema` prints all that it may say")
}

impl ProjectFile {
    /// The place of a key or item in the file, for messages; the file alone when there is no such path.
    pub fn place(&self, path: &[Step<'_>]) -> Place {
        let found = landfall_yaml::parse_first(&self.text).ok().flatten().and_then(|document| {
            let span = document.at(path)?.span();
            Some((span.start.line() as u32, span.start.column() as u32))
        });
        match found {
            Some((line, column)) => Place::line(&self.file, line).columns(column, 0).source_from(&self.text),
            None => Place::file(&self.file),
        }
    }
}

fn in_file(file: &str, text: &str, error: &landfall_yaml::Error) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(code::PROJECT_FILE_NOT_YAML, format!("`{file}` is not valid YAML"));
    if let Some(mark) = error.mark() {
        let place = Place::line(file, mark.line() as u32).columns(mark.column() as u32, 0).source_from(text);
        let blanks = place.source.as_deref().map(|line| line.len() - line.trim_start().len());
        let tab = blanks.and_then(|blanks| place.source.as_deref()?.get(..blanks)?.find('\t'));
        diagnostic = match tab {
            Some(at) => diagnostic
                .primary(place.columns(at as u32 + 1, at as u32 + 2), "a tab")
                .help("indent with spaces: YAML takes no tabs there"),
            None => diagnostic.primary(place, "here"),
        };
    }
    diagnostic.note(error.diagnose().message)
}

/// A span of the text as a place; columns only as far as the first line.
pub(crate) fn place_of(file: &str, text: &str, span: landfall_yaml::Span) -> Place {
    let end = if span.end.line() == span.start.line() { span.end.column() } else { 0 };
    Place::line(file, span.start.line() as u32).columns(span.start.column() as u32, end as u32).source_from(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_diag::render_plain;

    const LUCKYPLANS: &str = include_str!("../../../examples/luckyplans/landfall.yaml");

    #[test]
    fn the_example_with_every_section_is_read() {
        let file = parse("landfall.yaml", LUCKYPLANS)
            .unwrap_or_else(|findings| panic!("{}", findings.iter().map(render_plain).collect::<String>()));
        assert_eq!(file.system.default_environment(), Some("local"));
        assert_eq!(file.system.not_acted_on("prod"), ["secrets"]);
        assert!(file.system.environments["prod"].cluster.remote().is_some_and(|remote| remote.protected));
    }

    #[test]
    fn an_unknown_key_is_shown_at_its_place_with_the_nearest_known() {
        let text = "apiVersion: landfall.dev/v1\nkind: System\nname: x\nenvironments:\n  local:\n    relases: []\n";
        let findings = parse("landfall.yaml", text).expect_err("misspelt");
        assert_eq!(
            render_plain(&findings[0]),
            "error[LF0801]: `relases` is not a key of `environments.local`\n --> landfall.yaml:6:5\n  |\n6 |     relases: []\n  |     ^^^^^^^ not known here\n  = help: did you mean `releases`?\n"
        );
    }

    #[test]
    fn a_waiver_needs_a_rule_a_reason_and_a_day() {
        let text = "apiVersion: landfall.dev/v1\nkind: System\nname: x\nenvironments: {prod: {}}\nwaivers:\n  - {rule: LF117, reason: mirrored next week, until: 2027-03-31, environment: prod}\n  - {rule: pinned, reason: ' ', until: soon, environment: prd}\n";
        let findings = parse("landfall.yaml", text).expect_err("the second is wrong");
        let text: String = findings.iter().map(render_plain).collect();
        for wanted in
            ["cannot be `pinned`", "cannot be `soon`", "`waivers[1].reason` must be a text", "no such environment"]
        {
            assert!(text.contains(wanted), "{text}");
        }
        assert_eq!(findings.len(), 4, "{text}");
    }

    #[test]
    fn wrong_types_and_words_name_what_is_wanted() {
        let text = "apiVersion: landfall.dev/v1\nkind: System\nname: 12\nenvironments: {local: {cluster: embeded, checks: [{nam: a}]}}\n";
        let findings = parse("landfall.yaml", text).expect_err("wrong");
        let text: String = findings.iter().map(render_plain).collect();
        assert!(text.contains("`name` must be a text"), "{text}");
        assert!(text.contains("did you mean `embedded`?"), "{text}");
        assert!(text.contains("`name` is missing in `environments.local.checks[0]`"), "{text}");
    }

    #[test]
    fn a_check_asks_one_thing() {
        let with = |check: &str| {
            let text = format!(
                "apiVersion: landfall.dev/v1\nkind: System\nname: x\nenvironments: {{local: {{checks: [{check}]}}}}\n"
            );
            parse("landfall.yaml", &text).map_err(|findings| findings.iter().map(render_plain).collect::<String>())
        };
        for right in [
            "{name: a, http: 'http://localhost/'}",
            "{name: a, exec: {workload: statefulset/db, argv: [pg_isready]}}",
            "{name: a, exec: {workload: idp, argv: [print]}, prints: {secret: keys, key: OIDC_CLIENT_SECRET}}",
            "{name: a, logs: api, contains: started}",
            "{name: a, rollout: shop/deployment/api}",
            "{name: a, rollout: DaemonSets/agent}",
        ] {
            assert!(with(right).is_ok(), "{right}");
        }
        for (wrong, why) in [
            ("{name: a}", "asks nothing"),
            ("{name: a, logs: api}", "says no text"),
            ("{name: a, rollout: api, prints: {secret: keys, key: A}}", "runs none"),
            ("{name: a, exec: {workload: b, argv: [c]}, contains: d, prints: {secret: keys, key: A}}", "in two ways"),
            ("{name: a, http: some, rollout: other}", "asks several things"),
            ("{name: a, rollout: job/migrate}", "does not roll out"),
            ("{name: a, rollout: shop/CronJob/nightly}", "Deployment, StatefulSet, DaemonSet"),
            ("{name: a, rollout: job/migrate}", "landfall.yaml:4"),
        ] {
            assert!(with(wrong).is_err_and(|text| text.contains(why)), "{wrong}");
        }
    }

    #[test]
    fn what_is_agreed_on_about_a_place_is_read() {
        let text = "apiVersion: landfall.dev/v1\nkind: System\nname: x\nenvironments:\n  prod:\n    hosts: {allow: [a.example.com]}\n    facts: {distribution: k3s, storageClass: local-path, namespaces: [shop]}\n    components: {internal: [db], forbidden: [mock]}\n    connections: [{to: db, limit: 50, perPod: {web: 5}}]\n    maturity: {backup: open, restore: done}\n";
        let file = parse("landfall.yaml", text)
            .unwrap_or_else(|findings| panic!("{}", findings.iter().map(render_plain).collect::<String>()));
        let prod = &file.system.environments["prod"];
        assert_eq!(
            prod.hosts.as_ref().and_then(|hosts| hosts.allow.as_ref()).map(|allow| allow.iter().count()),
            Some(1)
        );
        assert_eq!(prod.connections[0].per_pod["web"], 5);
        assert_eq!(prod.maturity["restore"], crate::Maturity::Done);
        assert!(parse("landfall.yaml", &text.replace("distribution", "distribtion")).is_err());
    }

    #[test]
    fn broken_yaml_is_shown_at_its_line() {
        let findings = parse("landfall.yaml", "a: b: c\n").expect_err("broken");
        let text = render_plain(&findings[0]);
        assert!(text.contains("--> landfall.yaml:1:"), "{text}");
        assert!(text.contains("mapping values are not allowed"), "{text}");
    }

    #[test]
    fn a_promotion_to_an_unknown_environment_is_an_error() {
        let text = "apiVersion: landfall.dev/v1\nkind: System\nname: x\nenvironments: {test: {}, production: {}}\npromotion: [{from: test, to: prodution}]\n";
        let findings = parse("landfall.yaml", text).expect_err("wrong");
        assert!(render_plain(&findings[0]).contains("did you mean `production`?"));
    }
}
