//! The recipes of `deploy/ci`: what a stranger's event says reaches no script, what is used is pinned, and every command of ours
//! in them can be typed.

use std::ffi::OsString;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use super::{Cli, of_helm};

/// A recipe: its path, and what it says.
fn recipes() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/ci");
    let mut found = Vec::new();
    for forge in ["github", "gitlab", "gitea", "action"] {
        for entry in std::fs::read_dir(root.join(forge)).expect("its recipes").flatten() {
            let text = std::fs::read_to_string(entry.path()).expect("a recipe");
            let path = format!("{forge}/{}", entry.file_name().to_string_lossy());
            found.push((
                path.clone(),
                landfall_yaml::to_json_strict(&text).unwrap_or_else(|error| panic!("{path}: {error}")),
            ));
        }
    }
    assert!(found.len() >= 10, "{} recipes", found.len());
    found
}

/// All mappings of a document.
fn mappings<'v>(value: &'v Value, found: &mut Vec<&'v serde_json::Map<String, Value>>) {
    match value {
        Value::Object(map) => {
            found.push(map);
            map.values().for_each(|inner| mappings(inner, found));
        }
        Value::Array(list) => list.iter().for_each(|inner| mappings(inner, found)),
        _ => {}
    }
}

/// What is wrong with a recipe.
fn faults(recipe: &Value) -> Vec<String> {
    let tree = Cli::whole();
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    mappings(recipe, &mut all);
    let pinned = Regex::new("^[A-Za-z0-9._-]+/[A-Za-z0-9._/-]+@[0-9a-f]{40}$").expect("a pattern");
    for map in all {
        if let Some(used) = map.get("uses").and_then(Value::as_str) {
            if !used.starts_with("./") && !pinned.is_match(used) {
                faults.push(format!("{used} is not pinned by a commit"));
            }
            let keeps = map.get("with").and_then(|it| it.get("persist-credentials")) != Some(&Value::Bool(false));
            if used.starts_with("actions/checkout@") && keeps {
                faults.push(format!("{used} keeps credentials"));
            }
        }
        let scripts = ["run", "script", "before_script"].into_iter().filter_map(|key| map.get(key));
        for script in scripts.flat_map(|it| it.as_array().cloned().unwrap_or_else(|| vec![it.clone()])) {
            let script = script.as_str().unwrap_or_default();
            if script.contains("${{") {
                faults.push(format!("an expression is pasted into a script: {script}"));
            }
            faults.extend(commands(script).iter().filter_map(|words| wrong(&tree, words)));
        }
    }
    faults
}

/// The commands of ours in a script, split as a shell would, with `1` for each variable.
fn commands(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ");
    let begins = Regex::new(r"(?m)(?:^|[;(|&]|\bthen|\bdo|\belse)\s*landfall (?P<rest>[^\n;|&)]*)").expect("a pattern");
    let variables = Regex::new(r"\$(?:\{[^}]*\}|[A-Za-z_]+)").expect("a pattern");
    let ours = begins.captures_iter(&script).map(|hit| variables.replace_all(&hit["rest"], "1").into_owned());
    let split = ours.map(|line| shlex::split(&line).unwrap_or_else(|| panic!("a shell does not split {line}")));
    split.map(|words| words.into_iter().take_while(|word| !word.starts_with(['>', '<'])).collect()).collect()
}

/// Why a command cannot be typed.
fn wrong(tree: &clap::Command, words: &[String]) -> Option<String> {
    let arguments: Vec<OsString> =
        std::iter::once("landfall").chain(words.iter().map(String::as_str)).map(Into::into).collect();
    let refused = match of_helm(&arguments) {
        Some(helm) => {
            let words: Vec<String> = helm.arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            landfall_helm::check(&words).err()
        }
        None => tree.clone().try_get_matches_from(&arguments).err().map(|error| error.to_string()),
    };
    refused.map(|why| format!("landfall {} cannot be typed: {why}", words.join(" ")))
}

#[test]
fn every_recipe_is_pinned_pastes_nothing_and_types_what_there_is() {
    let mut typed = 0;
    for (path, recipe) in recipes() {
        assert_eq!(faults(&recipe), [""; 0], "{path}");
        let mut all = Vec::new();
        mappings(&recipe, &mut all);
        let scripts = all.iter().filter_map(|map| map.get("run")?.as_str());
        typed += scripts.map(|script| commands(script).len()).sum::<usize>();
    }
    assert!(typed >= 12, "only {typed} commands were found: the search is broken");
}

#[test]
fn every_shape_of_release_has_a_recipe_that_ends_as_it_should() {
    let all = recipes();
    let scripts = |path: &str| {
        let (_, recipe) = all.iter().find(|(name, _)| name == path).unwrap_or_else(|| panic!("{path}"));
        let mut found = Vec::new();
        mappings(recipe, &mut found);
        found
            .iter()
            .filter_map(|map| map.get("run")?.as_str())
            .flat_map(commands)
            .map(|words| words.join(" "))
            .collect::<Vec<_>>()
    };
    for forge in ["github", "gitea"] {
        let services = scripts(&format!("{forge}/release-services.yaml"));
        assert!(
            services.iter().any(|it| it.starts_with("images set sha-1 --env prod --commit 1 --push")),
            "{services:?}"
        );
        let roles = scripts(&format!("{forge}/release-roles.yaml"));
        assert!(
            roles.iter().any(|it| it.starts_with("upgrade --install ezscale-website") && it.contains("image.tag=1")),
            "{roles:?}"
        );
        let channels = scripts(&format!("{forge}/release-channels.yaml"));
        assert!(
            channels.iter().any(|it| it.starts_with("version next --channel alpha --run 1 --attempt 1")),
            "{channels:?}"
        );
        assert!(channels.iter().any(|it| it.starts_with("images set 1 --env test --commit 1 --push")), "{channels:?}");
    }
}

#[test]
fn what_is_wrong_with_a_recipe_is_found() {
    let faulty = |text: &str| faults(&landfall_yaml::to_json_strict(text).expect("YAML"));
    for (text, word) in [
        ("steps: [{uses: actions/checkout@v4, with: {persist-credentials: false}}]", "not pinned"),
        ("steps: [{uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683}]", "keeps credentials"),
        ("steps: [{run: \"echo ${{ inputs.tag }}\"}]", "pasted"),
        ("steps: [{run: \"landfall images set \\\"$TAG\\\" --puhs\"}]", "cannot be typed"),
        ("steps: [{run: \"if true; then landfall upgrade --instal x y; fi\"}]", "cannot be typed"),
    ] {
        assert!(faulty(text).iter().any(|fault| fault.contains(word)), "{text}: {:?}", faulty(text));
    }
    assert_eq!(faulty("steps: [{run: \"landfall images set \\\"$TAG\\\" --push \\\\\\n  --env prod\"}]"), [""; 0]);
}
