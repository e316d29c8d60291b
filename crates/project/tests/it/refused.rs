use landfall_diag::{Diagnostic, render_plain};
use landfall_project::{MOST_BYTES, parse, parse_bytes};

const HEAD: &str = "apiVersion: landfall.dev/v1\nkind: System\nname: x\n";

fn refused(text: &str) -> Vec<Diagnostic> {
    match parse("landfall.yaml", text) {
        Ok(_) => panic!("taken:\n{text}"),
        Err(findings) => findings,
    }
}

fn told(findings: &[Diagnostic]) -> String {
    findings.iter().map(render_plain).collect()
}

/// A file with one environment, `local`, that says this, in line 6.
fn local(content: &str) -> String {
    format!("{HEAD}environments:\n  local:\n    {content}\n")
}

#[test]
fn a_value_that_is_none_is_one_error_at_its_place_with_the_nearest_that_would_do() {
    for (content, says, near) in [
        (
            "releases: [{name: Bad Rel, chart: c}]",
            "`environments.local.releases[0].name` cannot be `Bad Rel`",
            "bad-rel",
        ),
        ("releases: [{name: a, chart: c, namespace: N S}]", "releases[0].namespace` cannot be `N S`", "n-s"),
        ("releases: [{name: a, chart: /c}]", "releases[0].chart` cannot be `/c`", "c"),
        ("releases: [{name: a, chart: c, values: [\"a\\\\b\"]}]", "releases[0].values[0]` cannot be `a\\b`", "a/b"),
        ("checks: [{name: a, http: not a url}]", "checks[0].http` cannot be `not a url`", ""),
        ("checks: [{name: a, http: app.example.com/up}]", "checks[0].http`", "https://app.example.com/up"),
        ("checks: [{name: a, http: \"http://a/\", method: POTS}]", "checks[0].method` cannot be `POTS`", "POST"),
        ("checks: [{name: a, http: \"http://a/\", timeout: 5 minutes}]", "checks[0].timeout`", "5m"),
        ("checks: [{name: a, http: \"http://a/\", status: 700}]", "checks[0].status` cannot be 700", ""),
        (
            "checks: [{name: a, http: \"http://a/\", headers: {a b: c}}]",
            "a key of `environments.local.checks[0].headers`",
            "a-b",
        ),
        ("checks: [{name: a, rollout: a/b/c/d}]", "checks[0].rollout`", ""),
        (
            "{releases: [{name: shop, chart: c}], checks: [{name: a, http: \"http://a/\", release: shp}]}",
            "a check of the release `shp`",
            "shop",
        ),
        ("checks: [{name: a, exec: {workload: web, argv: []}}]", "exec.argv` must be a list of at least one", ""),
        ("cluster: {context: \"\"}", "cluster.context` cannot be ``", ""),
        ("applications: /argocd/*.yaml", "applications` cannot be `/argocd/*.yaml`", "argocd/*.yaml"),
        ("build: {Web: {}}", "a key of `environments.local.build` cannot be `Web`", "web"),
        ("build: {web: {image: \"acme/web:1\"}}", "build.web.image` cannot be `acme/web:1`", "acme/web"),
        ("simulate: {web: {http: [{path: health}]}}", "simulate.web.http[0].path` cannot be `health`", "/health"),
        ("simulate: {web: {http: [{path: /, port: 0}]}}", "http[0].port` cannot be 0", ""),
        ("simulate: {web: {http: [{path: /, port: 70000}]}}", "http[0].port` cannot be 70000", ""),
        ("simulate: {web: {start: soon}}", "simulate.web.start` cannot be `soon`", ""),
        ("simulate: {web: {load: {cpu: much}}}", "simulate.web.load.cpu` cannot be `much`", ""),
        ("hosts: {expect: https://a.example.com}", "hosts.expect` cannot be `https://a.example.com`", "a.example.com"),
        ("hosts: {allow: [a b]}", "hosts.allow[0]` cannot be `a b`", ""),
        ("facts: {namespaces: [Shop]}", "facts.namespaces[0]` cannot be `Shop`", "shop"),
        ("secrets: {target: My Secret}", "secrets.target` cannot be `My Secret`", "my-secret"),
        ("secrets: {target: a, keys: {A B: {}}}", "a key of `environments.local.secrets.keys` cannot be `A B`", "A_B"),
        ("secrets: {target: a, keys: {A: {rotate: monthly}}}", "secrets.keys.A.rotate` cannot be `monthly`", ""),
        ("secrets: {target: a, keys: {A: {alphabet: hexx}}}", "secrets.keys.A.alphabet` cannot be `hexx`", "hex"),
        ("addons: [{name: \"\"}]", "addons[0].name` must be a text that is not empty", ""),
    ] {
        let findings = refused(&local(content));
        let text = told(&findings);
        assert_eq!(findings.len(), 1, "{content}: {text}");
        assert!(findings[0].message.contains(says), "{content}: {text}");
        let place = &findings[0].labels[0].place;
        assert!(place.line == 6 && place.column > 4, "{content}: {text}");
        let help = findings[0].helps.join("\n");
        let wanted = if near.is_empty() { String::new() } else { format!("did you mean `{near}`?") };
        assert_eq!(help, wanted, "{content}: {text}");
    }
}

#[test]
fn a_duration_that_is_none_is_an_error_at_its_line_wherever_one_is_declared() {
    let declared = [
        "checks: [{name: a, http: \"http://a/\", timeout: 5x}]",
        "simulate: {web: {start: 5x}}",
        "simulate: {web: {runs: 5x}}",
        "secrets: {target: a, keys: {A: {rotate: 5x}}}",
    ];
    let schema = landfall_project::json_schema().to_string();
    // A declared span of time refers to the type, or is written out where the type has a comment of its own.
    let spans = schema.matches("\"#/$defs/Span\"").count().max(schema.matches("\"x-landfall\":\"duration\"").count());
    assert_eq!(spans, declared.len() + 1, "a duration that nobody tries here");
    let gates = format!(
        "{HEAD}environments: {{test: {{}}, prod: {{}}}}\npromotion:\n  - {{from: test, to: prod, gates: {{soak: 5x}}}}\n"
    );
    for content in declared.map(local).into_iter().chain([gates]) {
        let findings = refused(&content);
        let text = told(&findings);
        assert_eq!(findings.len(), 1, "{content}: {text}");
        assert!(
            text.contains("cannot be `5x`") && text.contains("a duration is written as `90s`"),
            "{content}: {text}"
        );
        let place = &findings[0].labels[0].place;
        assert_eq!(place.line, 6, "{content}: {text}");
        let meant = place.source.as_deref().and_then(|line| line.get(place.column as usize - 1..));
        assert!(meant.is_some_and(|meant| meant.starts_with("5x")), "{content}: {text}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_together_in_the_order_of_the_lines() {
    let text = format!(
        "{HEAD}environments:\n  a b: {{}}\n  local:\n    releases:\n      - {{name: Bad Rel, chart: c, namespace: N S}}\n      - {{name: ok, chart: c, chrt: d}}\n    checks:\n      - {{name: none}}\n      - {{name: one, http: nowhere}}\npromotion: [{{from: local, to: prod}}]\n"
    );
    let findings = refused(&text);
    let lines: Vec<u32> = findings.iter().map(|finding| finding.labels[0].place.line).collect();
    assert_eq!(lines, [5, 8, 8, 9, 11, 12, 13], "{}", told(&findings));
}

#[test]
fn a_key_that_stands_twice_is_told_with_both_lines_however_deep() {
    let text = format!(
        "{HEAD}environments:\n  local:\n    sync: auto\n    releases:\n      - name: a\n        chart: c\n        name: b\n    sync: manual\nname: z\n"
    );
    let findings = refused(&text);
    let places: Vec<Vec<u32>> =
        findings.iter().map(|finding| finding.labels.iter().map(|label| label.place.line).collect()).collect();
    assert_eq!(places, [vec![10, 8], vec![11, 6], vec![12, 3]], "{}", told(&findings));
    assert!(findings[1].message.contains("`environments.local.sync` stands twice"), "{}", told(&findings));
}

/// `YES:` under `keys:` would be a key called `true`, and the pods would find no `YES`.
#[test]
fn a_key_that_yaml_takes_for_a_boolean_is_told_with_its_line() {
    let secrets = |key: &str| {
        format!(
            "{HEAD}environments:\n  local:\n    secrets:\n      target: a\n      keys:\n        OK: {{}}\n        {key}: {{}}\n"
        )
    };
    for key in ["YES", "no", "On", "N"] {
        let findings = refused(&secrets(key));
        let first = &findings[0];
        assert!(first.message.contains(&format!("the key `{key}` is a boolean")), "{}", told(&findings));
        assert_eq!(first.labels[0].place.line, 10, "{}", told(&findings));
        assert!(told(&findings).contains(&format!("`\"{key}\":`")), "{}", told(&findings));
    }
    for key in ["\"YES\"", "YESTERDAY", "'n'"] {
        assert!(landfall_project::parse("landfall.yaml", &secrets(key)).is_ok(), "{key}");
    }
}

#[test]
fn what_an_alias_repeats_is_one_error() {
    let text = format!(
        "{HEAD}environments:\n  local:\n    checks: &checks\n      - {{name: a, http: nowhere}}\n  prod:\n    checks: *checks\n"
    );
    let findings = refused(&text);
    assert_eq!(findings.len(), 1, "{}", told(&findings));
}

#[test]
fn a_file_that_is_no_project_is_told_in_one_sentence() {
    for (text, says) in [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("# only\n# comments\n", "is empty"),
        ("---\n", "is empty"),
        ("- a\n- b\n", "`landfall.yaml` must be a map"),
        ("just words\n", "`landfall.yaml` must be a map"),
        ("a: b: c\n", "is not valid YAML"),
        ("apiVersion: landfall.dev/v1\nkind: System\n\tname: x\n", "is not valid YAML"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: System\nspec: {}\n", "`apiVersion` cannot be `argoproj.io/v1alpha1`"),
        ("apiVersion: landfall.dev/v1\nkind: Application\nmetadata: {}\n", "`kind` cannot be `Application`"),
        ("apiVersion: landfall.dev/v1\nkind: System\nname: x\n---\nkind: System\n", "holds several documents"),
    ] {
        let findings = refused(text);
        assert_eq!(findings.len(), 1, "{text:?}: {}", told(&findings));
        assert!(findings[0].message.contains(says), "{text:?}: {}", told(&findings));
        assert!(findings[0].labels[0].place.line > 0, "{text:?}: {}", told(&findings));
    }
    let tab = refused("apiVersion: landfall.dev/v1\nenvironments:\n\tlocal: {}\n");
    assert!(told(&tab).contains("a tab") && told(&tab).contains("indent with spaces"), "{}", told(&tab));
}

#[test]
fn a_byte_order_mark_is_taken_and_what_is_no_text_is_not() {
    assert!(parse_bytes("landfall.yaml", format!("\u{feff}{HEAD}").as_bytes()).is_ok());
    let latin = [HEAD.as_bytes(), b"# Gr\xfc\xdfe\n"].concat();
    let findings = parse_bytes("landfall.yaml", &latin).expect_err("Latin 1");
    assert!(told(&findings).contains("not text in UTF-8"), "{}", told(&findings));
    assert_eq!((findings.len(), findings[0].labels[0].place.line), (1, 4));
}

#[test]
fn a_file_without_measure_is_refused_before_it_is_read() {
    let large = format!("{HEAD}# {}\n", "x".repeat(MOST_BYTES));
    for findings in [parse("landfall.yaml", &large), parse_bytes("landfall.yaml", large.as_bytes())] {
        let findings = findings.expect_err("too large");
        assert!(findings.len() == 1 && told(&findings).contains("larger than 1024 KiB"), "{}", told(&findings));
    }
}

#[test]
fn a_bomb_of_aliases_is_one_sentence() {
    let mut text = HEAD.to_owned() + "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for level in 1..12 {
        let before = level - 1;
        let items = vec![format!("*a{before}"); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let findings = refused(&text);
    assert_eq!(findings.len(), 1, "{}", told(&findings));
    assert!(told(&findings).contains("excessive aliasing"), "{}", told(&findings));
}
