//! SARIF output held against what the published schema of SARIF 2.1.0 demands of what we write, and what readers of it
//! need besides: rules that are found by their index, places that are addresses.

use std::collections::BTreeSet;

use serde_json::Value;

use super::sandbox::{Ran, Sandbox, small_chart};

/// The fields of each object that we write, with those that must be there: the schema allows no others.
const SHAPES: &[(&str, &[&str], &[&str])] = &[
    ("log", &["version", "runs"], &["$schema"]),
    ("run", &["tool"], &["results"]),
    ("tool", &["driver"], &[]),
    ("driver", &["name"], &["version", "rules"]),
    ("rule", &["id"], &["shortDescription", "fullDescription", "help", "defaultConfiguration"]),
    (
        "result",
        &["message", "ruleId", "ruleIndex", "level", "locations"],
        &["relatedLocations", "partialFingerprints", "suppressions"],
    ),
    ("location", &["physicalLocation"], &["logicalLocations"]),
    ("physicalLocation", &["artifactLocation", "region"], &[]),
    ("artifactLocation", &["uri"], &[]),
    ("region", &["startLine"], &["startColumn"]),
    ("logicalLocation", &["fullyQualifiedName", "kind"], &[]),
    ("suppression", &["kind"], &["justification"]),
    ("message", &["text"], &[]),
];

const LEVELS: &[&str] = &["none", "note", "warning", "error"];

/// What does not hold.
#[derive(Default)]
struct Check(Vec<String>);

impl Check {
    fn that(&mut self, holds: bool, what: &str, value: &Value) {
        if !holds {
            self.0.push(format!("{what}: {value}"));
        }
    }

    /// An object has the fields of its shape alone.
    fn shape(&mut self, name: &str, value: &Value) {
        let (_, required, allowed) = SHAPES.iter().find(|(it, _, _)| *it == name).expect("a shape");
        let fields: Vec<&str> = value.as_object().into_iter().flatten().map(|(field, _)| field.as_str()).collect();
        self.that(required.iter().all(|field| fields.contains(field)), &format!("{name} lacks a field"), value);
        let known = |field: &&str| required.contains(field) || allowed.contains(field);
        self.that(fields.iter().all(known), &format!("{name} has a field of no schema"), value);
    }

    fn text(&mut self, value: &Value) {
        self.shape("message", value);
        self.that(value["text"].as_str().is_some_and(|text| !text.trim().is_empty()), "an empty text", value);
    }

    fn unique(&mut self, list: &Value) {
        let all: Vec<String> = list.as_array().into_iter().flatten().map(Value::to_string).collect();
        let once: BTreeSet<&String> = all.iter().collect();
        self.that(once.len() == all.len(), "the same twice in a list", list);
    }

    fn location(&mut self, location: &Value) {
        self.shape("location", location);
        let physical = &location["physicalLocation"];
        self.shape("physicalLocation", physical);
        self.shape("artifactLocation", &physical["artifactLocation"]);
        self.shape("region", &physical["region"]);
        let uri = physical["artifactLocation"]["uri"].as_str().unwrap_or_default();
        let relative = !uri.starts_with('/') && !uri.starts_with("./") && !uri.split('/').any(|part| part == "..");
        self.that(relative && is_uri_reference(uri), "no address", physical);
        for field in ["startLine", "startColumn"] {
            let given = &physical["region"][field];
            self.that(given.is_null() || given.as_u64().is_some_and(|it| it >= 1), "counted from 1", physical);
        }
        self.unique(&location["logicalLocations"]);
        for logical in location["logicalLocations"].as_array().into_iter().flatten() {
            self.shape("logicalLocation", logical);
        }
    }

    fn log(&mut self, log: &Value) {
        self.shape("log", log);
        self.that(log["version"] == "2.1.0", "the version", &log["version"]);
        let runs = log["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
        self.that(runs.len() == 1, "one run", &log["runs"]);
        for run in runs {
            self.shape("run", run);
            self.shape("tool", &run["tool"]);
            let driver = &run["tool"]["driver"];
            self.shape("driver", driver);
            self.unique(&driver["rules"]);
            let rules = driver["rules"].as_array().cloned().unwrap_or_default();
            let ids: BTreeSet<&str> = rules.iter().filter_map(|rule| rule["id"].as_str()).collect();
            self.that(ids.len() == rules.len() && !ids.is_empty(), "each rule once", &driver["name"]);
            for rule in &rules {
                self.shape("rule", rule);
                ["shortDescription", "fullDescription", "help"].iter().for_each(|field| self.text(&rule[*field]));
                let level = rule["defaultConfiguration"]["level"].as_str().unwrap_or_default();
                self.that(LEVELS.contains(&level), "a level", rule);
            }
            for result in run["results"].as_array().into_iter().flatten() {
                self.result(result, &rules);
            }
        }
    }

    fn result(&mut self, result: &Value, rules: &[Value]) {
        self.shape("result", result);
        self.text(&result["message"]);
        self.that(result["level"].as_str().is_some_and(|level| LEVELS.contains(&level)), "a level", result);
        let named = result["ruleIndex"].as_u64().and_then(|at| rules.get(usize::try_from(at).ok()?));
        self.that(named.is_some_and(|rule| rule["id"] == result["ruleId"]), "the index is another rule's", result);
        self.that(result["locations"].as_array().is_some_and(|all| all.len() == 1), "one first place", result);
        for location in ["locations", "relatedLocations"].iter().flat_map(|list| result[*list].as_array()).flatten() {
            self.location(location);
        }
        self.unique(&result["relatedLocations"]);
        let prints = result["partialFingerprints"].as_object();
        self.that(prints.is_some_and(|all| all.values().all(Value::is_string)), "fingerprints are texts", result);
        self.unique(&result["suppressions"]);
        for suppression in result["suppressions"].as_array().into_iter().flatten() {
            self.shape("suppression", suppression);
            self.that(suppression["kind"] == "external" || suppression["kind"] == "inSource", "a kind", suppression);
            self.that(suppression["justification"].is_string(), "a justification", suppression);
        }
    }
}

/// RFC 3986: letters, digits and a few signs, all else escaped; no colon before the first slash but a scheme's.
fn is_uri_reference(text: &str) -> bool {
    let mut bytes = text.bytes();
    let mut well = !text.is_empty();
    while let Some(byte) = bytes.next() {
        well &= match byte {
            b'%' => {
                [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()))
            }
            _ => byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@:".contains(&byte),
        };
    }
    let first = text.split('/').next().unwrap_or_default();
    well && (!first.contains(':') || first == "file:")
}

/// The results of an output in which everything holds.
fn results(ran: &Ran) -> Vec<Value> {
    let log = ran.json();
    let mut check = Check::default();
    check.log(&log);
    assert!(check.0.is_empty(), "{:#?}", check.0);
    log["runs"][0]["results"].as_array().cloned().unwrap_or_default()
}

/// A chart in a directory whose name needs escaping, with a fault that shows in several places.
fn shop() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "all our charts/shop:ü", "shop");
    sandbox.edit(TEMPLATE, "envFrom: [{configMapRef: {name: {{ .Release.Name }}}}]", "envFrom: [{configMapRef: {name: shops}}, {configMapRef: {name: shops}}]\n        - {name: second, image: \"example/app:latest\", envFrom: [{configMapRef: {name: shops}}]}");
    sandbox.commit("Begin");
    sandbox
}

const CHART: &str = "./all our charts/shop:ü";
const TEMPLATE: &str = "all our charts/shop:ü/templates/all.yaml";

#[test]
fn what_a_rehearsal_writes_is_sarif_whatever_the_directory_is_called() {
    let found = results(&shop().run(&["rehearse", CHART, "--from", "empty", "-o", "sarif"]).exits(1));
    let missing = found.iter().find(|it| it["ruleId"] == "LF103").expect("the missing ConfigMap");
    let uri = missing["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap_or_default();
    assert_eq!(uri, "all%20our%20charts/shop%3A%C3%BC/templates/all.yaml");
    assert!(missing["relatedLocations"].as_array().is_some_and(|all| !all.is_empty()), "{missing}");
}

#[test]
fn what_a_preview_writes_is_sarif_with_what_is_waived_suppressed() {
    let sandbox = shop();
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{name: shop, chart: \"all our charts/shop:ü\"}]\nwaivers:\n  - {rule: LF117, reason: on purpose, until: 2099-12-31}\n",
    );
    sandbox.commit("Declare");
    sandbox.edit(TEMPLATE, "example/app:latest", "example/more:latest");
    sandbox.edit(TEMPLATE, "name: shops}}, {", "name: shoop}}, {");
    sandbox.commit("Change");
    let found = results(&sandbox.run(&["preview", "HEAD~1..HEAD", "-o", "sarif"]).exits(1));
    let of = |rule: &str| found.iter().find(|it| it["ruleId"] == rule).unwrap_or_else(|| panic!("{rule}: {found:#?}"));
    assert_eq!(of("LF117")["suppressions"][0]["justification"], "on purpose");
    assert!(of("LF103")["suppressions"].is_null());
}

#[test]
fn without_findings_there_is_a_run_without_results() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    assert_eq!(results(&sandbox.run(&["rehearse", "./shop", "-o", "sarif"]).exits(0)), Vec::<Value>::new());
}

#[test]
fn what_is_no_sarif_is_seen() {
    let ran = shop().run(&["rehearse", CHART, "--from", "empty", "-o", "sarif"]).exits(1);
    let faults: [fn(&mut Value); 6] = [
        |log| log["runs"][0]["results"][0]["ruleIndex"] = 0.into(),
        |log| log["runs"][0]["results"][0]["level"] = "fatal".into(),
        |log| log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0.into(),
        |log| {
            log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] = "a b".into();
        },
        |log| log["runs"][0]["results"][0]["where"] = "here".into(),
        |log| {
            let related = log["runs"][0]["results"][0]["locations"][0].clone();
            log["runs"][0]["results"][0]["relatedLocations"] = vec![related.clone(), related].into();
        },
    ];
    for (at, fault) in faults.iter().enumerate() {
        let mut log = ran.json();
        fault(&mut log);
        let mut check = Check::default();
        check.log(&log);
        assert_eq!(check.0.len(), 1, "{at}: {:#?}", check.0);
    }
}
