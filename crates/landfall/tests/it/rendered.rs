//! What a chart renders to, as objects.

use std::collections::BTreeMap;

use serde_json::Value;

use super::sandbox::Sandbox;

/// The objects that `landfall template` prints, hooks included.
pub(crate) fn template(sandbox: &Sandbox, arguments: &[&str]) -> Vec<Value> {
    let mut all = vec!["template"];
    all.extend(arguments);
    let text = sandbox.run(&all).exits(0).stdout;
    landfall_yaml::to_json_all(&text).expect("the rendering is YAML").into_iter().filter(Value::is_object).collect()
}

/// How many objects there are of each kind.
pub(crate) fn kinds(objects: &[Value]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for object in objects {
        *counts.entry(object["kind"].as_str().unwrap_or("?")).or_default() += 1;
    }
    counts
}

/// The object of a kind and name.
pub(crate) fn find<'o>(objects: &'o [Value], kind: &str, name: &str) -> Option<&'o Value> {
    objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
}

/// As `find`, for what must be there.
#[track_caller]
pub(crate) fn the<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    find(objects, kind, name).unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// The pod templates of all workloads with the workload's name, hooks included.
pub(crate) fn pods(objects: &[Value]) -> Vec<(&str, &Value)> {
    objects
        .iter()
        .filter(|object| object.pointer("/spec/template/spec").is_some())
        .map(|object| (object["metadata"]["name"].as_str().unwrap_or("?"), &object["spec"]["template"]["spec"]))
        .collect()
}

/// All containers of a pod, those that run first included.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"].into_iter().flat_map(|part| pod[part].as_array().into_iter().flatten())
}

#[test]
fn a_name_template_that_fails_says_so_in_gos_words() {
    let sandbox = Sandbox::empty();
    super::sandbox::small_chart(&sandbox, "web", "web");
    sandbox
        .run(&["helm", "template", "web", "--name-template", "{{ fail \"no\" }}"])
        .exits(1)
        .says("template: name-template:1:3: executing \"name-template\" at <fail \"no\">: error calling fail: no");
}
