use landfall_diag::{Diagnose, Diagnostic, Place};
use landfall_yaml::{Document, Step};

use crate::{System, check, schema};

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

/// Reads a project file.
///
/// # Errors
/// Everything that is wrong with it: what is no YAML, unknown keys, wrong types, references that lead nowhere.
pub fn parse(file: &str, text: &str) -> Result<ProjectFile, Vec<Diagnostic>> {
    let document = match landfall_yaml::parse_first(text) {
        Ok(Some(document)) => document,
        Ok(None) => {
            return Err(vec![
                Diagnostic::error(105, format!("`{file}` is empty"))
                    .help("`landfall init` writes one from what it finds"),
            ]);
        }
        Err(error) => return Err(vec![in_file(file, text, &error)]),
    };
    let content = landfall_yaml::document_to_json(&document).map_err(|error| vec![in_file(file, text, &error)])?;
    let schema = schema::json_schema();
    let mut findings = check::check(file, &document, &content, &schema);
    if !findings.is_empty() {
        return Err(findings);
    }
    let system: System = serde_json::from_value(content).map_err(|error| {
        // The schema comes from the same types: this is a disagreement between the two, so ours to mend.
        vec![Diagnostic::error(106, format!("`{file}` cannot be read")).note(error.to_string())]
    })?;
    references(file, &document, &system, &mut findings);
    if findings.is_empty() {
        Ok(ProjectFile { file: file.to_owned(), text: text.to_owned(), system })
    } else {
        Err(findings)
    }
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
    let mut diagnostic = Diagnostic::error(107, format!("`{file}` is not valid YAML"));
    if let Some(mark) = error.mark() {
        diagnostic = diagnostic
            .primary(Place::line(file, mark.line() as u32).columns(mark.column() as u32, 0).source_from(text), "here");
    }
    diagnostic.note(error.diagnose().message)
}

/// What a schema cannot say: names are unique, and names that refer to environments exist.
fn references(file: &str, document: &Document<'_>, system: &System, findings: &mut Vec<Diagnostic>) {
    let place = |steps: &[Step<'_>]| match document.at(steps) {
        Some(node) => {
            let span = node.span();
            Place::line(file, span.start.line() as u32)
                .columns(span.start.column() as u32, span.end.column() as u32)
                .source_from(document.source())
        }
        None => Place::file(file),
    };
    for (name, environment) in &system.environments {
        for (index, release) in environment.releases.iter().enumerate() {
            let earlier = &environment.releases[..index];
            if earlier.iter().any(|it| it.name == release.name && it.namespace == release.namespace) {
                let steps = [
                    Step::Key("environments"),
                    Step::Key(name),
                    Step::Key("releases"),
                    Step::Index(index),
                    Step::Key("name"),
                ];
                findings.push(
                    Diagnostic::error(
                        108,
                        format!("the release `{}` stands twice in environment `{name}`", release.name),
                    )
                    .primary(place(&steps), "the second one"),
                );
            }
        }
    }
    for (name, environment) in &system.environments {
        for (index, check) in environment.checks.iter().enumerate() {
            let asked = [check.http.is_some(), check.exec.is_some(), check.logs.is_some(), check.rollout.is_some()];
            let wrong = match asked.into_iter().filter(|asked| *asked).count() {
                0 => "asks nothing",
                1 if check.logs.is_some() && check.contains.is_none() => "reads a log and says no text it must contain",
                1 => continue,
                _ => "asks several things",
            };
            let steps = [
                Step::Key("environments"),
                Step::Key(name),
                Step::Key("checks"),
                Step::Index(index),
                Step::Key("name"),
            ];
            findings.push(
                Diagnostic::error(146, format!("the check `{}` {wrong}", check.name))
                    .primary(place(&steps), "this one")
                    .help("give it one of `http`, `exec`, `logs` (with `contains`) and `rollout`"),
            );
        }
    }
    for (index, step) in system.promotion.iter().enumerate() {
        for (key, environment) in [("from", &step.from), ("to", &step.to)] {
            if !system.environments.contains_key(environment) {
                let steps = [Step::Key("promotion"), Step::Index(index), Step::Key(key)];
                let mut finding =
                    Diagnostic::error(109, format!("promotion {key} `{environment}`: there is no such environment"))
                        .primary(place(&steps), "not declared under `environments`");
                if let Some(near) = landfall_diag::nearest(environment, system.environments.keys().map(String::as_str))
                {
                    finding = finding.help(format!("did you mean `{near}`?"));
                }
                findings.push(finding);
            }
        }
    }
    for (index, waiver) in system.waivers.iter().enumerate() {
        let at = |key| place(&[Step::Key("waivers"), Step::Index(index), Step::Key(key)]);
        if !is_rule_id(&waiver.rule) {
            findings.push(
                Diagnostic::error(133, format!("`{}` is not a rule's id", waiver.rule))
                    .primary(at("rule"), "wanted: LF and three digits")
                    .help("`landfall rules` lists them"),
            );
        }
        if !is_date(&waiver.until) {
            findings.push(
                Diagnostic::error(134, format!("`{}` is not a day", waiver.until))
                    .primary(at("until"), "wanted: YYYY-MM-DD"),
            );
        }
        if waiver.reason.trim().is_empty() {
            findings.push(Diagnostic::error(135, "a waiver needs a reason").primary(at("reason"), "this is empty"));
        }
        if let Some(environment) = &waiver.environment
            && !system.environments.contains_key(environment)
        {
            findings.push(
                Diagnostic::error(136, format!("a waiver for `{environment}`: there is no such environment"))
                    .primary(at("environment"), "not declared under `environments`"),
            );
        }
    }
}

fn is_rule_id(text: &str) -> bool {
    text.strip_prefix("LF").is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a text is a day as `2027-03-31`; months have at most 31 days here, the calendar is left to who compares.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, digits: usize| {
        (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u16>().ok())?
    };
    match parts.as_slice() {
        [year, month, day] => {
            number(year, 4).is_some()
                && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
                && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
        }
        _ => false,
    }
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
        assert_eq!(file.system.not_acted_on("prod"), ["images", "secrets", "promotion"]);
        assert!(file.system.environments["prod"].cluster.remote().is_some_and(|remote| remote.protected));
    }

    #[test]
    fn an_unknown_key_is_shown_at_its_place_with_the_nearest_known() {
        let text = "apiVersion: landfall.dev/v1\nkind: System\nname: x\nenvironments:\n  local:\n    relases: []\n";
        let findings = parse("landfall.yaml", text).expect_err("misspelt");
        assert_eq!(
            render_plain(&findings[0]),
            "error[LF0101]: `relases` is not a key of `environments.local`\n --> landfall.yaml:6:5\n  |\n6 |     relases: []\n  |     ^^^^^^^ not known here\n  = help: did you mean `releases`?\n"
        );
    }

    #[test]
    fn a_waiver_needs_a_rule_a_reason_and_a_day() {
        let text = "apiVersion: landfall.dev/v1\nkind: System\nname: x\nenvironments: {prod: {}}\nwaivers:\n  - {rule: LF117, reason: mirrored next week, until: 2027-03-31, environment: prod}\n  - {rule: pinned, reason: ' ', until: soon, environment: prd}\n";
        let findings = parse("landfall.yaml", text).expect_err("the second is wrong");
        let text: String = findings.iter().map(render_plain).collect();
        for wanted in
            ["`pinned` is not a rule's id", "`soon` is not a day", "a waiver needs a reason", "no such environment"]
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
            "{name: a, logs: api, contains: started}",
            "{name: a, rollout: shop/deployment/api}",
        ] {
            assert!(with(right).is_ok(), "{right}");
        }
        for (wrong, why) in [
            ("{name: a}", "asks nothing"),
            ("{name: a, logs: api}", "says no text"),
            ("{name: a, http: some, rollout: other}", "asks several things"),
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
