use serde_json::json;

use super::*;
use crate::Gvk;
use crate::schema::Schemas;

const TIME: &str = "2026-01-01T00:00:00Z";

fn deployment() -> Node<'static> {
    let table = crate::schema::Table::builtin();
    Node::of_type(table, table.kinds[&Gvk::new("apps", "v1", "Deployment")])
}

fn writer(manager: &str) -> Writer<'_> {
    Writer { manager, api_version: "apps/v1", subresource: "", time: TIME, reset: &[&["status"]] }
}

fn config(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec})
}

fn run(live: Option<&Value>, patch: &Value, manager: &str, on_conflict: OnConflict) -> Result<Value, String> {
    apply(live, patch, deployment(), &writer(manager), on_conflict).map_err(|error| error.to_string())
}

fn owners(value: &Value) -> Vec<(String, Vec<String>)> {
    let paths = |entry: &Entry| {
        entry
            .set
            .paths()
            .iter()
            .map(|path| path.iter().map(ToString::to_string).collect::<String>())
            .collect::<Vec<_>>()
    };
    entries(value).expect("reads").iter().map(|entry| (entry.manager.clone(), paths(entry))).collect()
}

fn owner(value: &Value, manager: &str) -> Vec<String> {
    owners(value).into_iter().find(|(name, _)| name == manager).map(|(_, paths)| paths).unwrap_or_default()
}

#[test]
fn applying_twice_changes_nothing() {
    let patch = config(json!({"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": "i",
        "ports": [{"containerPort": 80}]}]}}}));
    let first = run(None, &patch, "m", OnConflict::Refuse).expect("applies");
    assert_eq!(
        owner(&first, "m"),
        [
            ".spec.replicas",
            ".spec.template.spec.containers[name=\"c\"]",
            ".spec.template.spec.containers[name=\"c\"].image",
            ".spec.template.spec.containers[name=\"c\"].name",
            ".spec.template.spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"TCP\"]",
            ".spec.template.spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"TCP\"].containerPort",
        ]
    );
    let again = run(Some(&first), &patch, "m", OnConflict::Refuse).expect("applies");
    assert_eq!(again, first);
}

#[test]
fn conflicts_are_reported_in_the_servers_words() {
    let live = run(None, &config(json!({"replicas": 2, "paused": true})), "m1", OnConflict::Refuse).expect("applies");
    assert_eq!(
        run(Some(&live), &config(json!({"replicas": 3})), "m2", OnConflict::Refuse).expect_err("owned"),
        "Apply failed with 1 conflict: conflict with \"m1\": .spec.replicas"
    );
    assert_eq!(
        run(Some(&live), &config(json!({"replicas": 3, "paused": false})), "m2", OnConflict::Refuse)
            .expect_err("owned"),
        "Apply failed with 2 conflicts: conflicts with \"m1\":\n- .spec.paused\n- .spec.replicas"
    );
    let updated = update(Some(&live), &config(json!({"replicas": 4, "paused": true})), deployment(), &writer("probe"));
    assert_eq!(
        run(Some(&updated), &config(json!({"replicas": 5})), "m1", OnConflict::Refuse).expect_err("owned"),
        "Apply failed with 1 conflict: conflict with \"probe\" using apps/v1: .spec.replicas"
    );
    let forced = run(Some(&live), &config(json!({"replicas": 3})), "m2", OnConflict::Force).expect("forced");
    assert_eq!(owner(&forced, "m1"), [".spec.paused"]);
    assert_eq!(owner(&forced, "m2"), [".spec.replicas"]);
}

#[test]
fn equal_values_are_shared_and_dropped_fields_go_when_nobody_else_has_them() {
    let live = run(None, &config(json!({"replicas": 2, "paused": true})), "m1", OnConflict::Refuse).expect("applies");
    let shared = run(Some(&live), &config(json!({"replicas": 2})), "m2", OnConflict::Refuse).expect("equal");
    let nothing = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}});
    let dropped = run(Some(&shared), &nothing, "m1", OnConflict::Refuse).expect("applies");
    assert_eq!(dropped.pointer("/spec/replicas"), Some(&json!(2)), "m2 still has it");
    assert_eq!(dropped.pointer("/spec/paused"), None);
    assert_eq!(owners(&dropped).len(), 1, "m1 owns nothing and is gone");
}

#[test]
fn an_unknown_field_is_refused_as_the_server_does() {
    assert_eq!(
        run(None, &config(json!({"zip": 1})), "m", OnConflict::Refuse).expect_err("unknown"),
        "failed to create typed patch object (/d; apps/v1, Kind=Deployment): .spec.zip: field not declared in schema"
    );
}

#[test]
fn a_create_owns_what_it_set_and_an_update_only_what_it_changed() {
    let schemas = Schemas::builtin();
    let gvk = Gvk::new("apps", "v1", "Deployment");
    let decode = |value: &Value| schemas.decode(&gvk, value).expect("decodes").value;
    let created = decode(&config(json!({"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}})));
    let created = update(None, &created, deployment(), &writer("create"));
    assert_eq!(
        created.pointer("/metadata/managedFields/0/fieldsV1"),
        Some(&json!({"f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:image": {}, "f:name": {}, "f:resources": {}}}}}}}))
    );
    let mut changed = created.clone();
    changed["spec"]["replicas"] = json!(3);
    let changed = update(Some(&created), &changed, deployment(), &writer("edit"));
    assert_eq!(owner(&changed, "edit"), [".spec.replicas"]);
    assert!(!owner(&changed, "create").contains(&".spec.replicas".to_owned()));
}

#[test]
fn fields_there_before_the_first_apply_belong_to_a_manager_of_their_own() {
    let live = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "uid": "u"}, "spec": {"replicas": 2}});
    let applied = run(Some(&live), &config(json!({"paused": true})), "m", OnConflict::Refuse).expect("applies");
    assert_eq!(owner(&applied, "before-first-apply"), [".spec.replicas"]);
    assert_eq!(owner(&applied, "m"), [".spec.paused"]);
}

#[test]
fn kubectl_takes_over_what_it_applied_on_the_client_side() {
    let last = config(json!({"replicas": 2})).to_string();
    let mut created = config(json!({"replicas": 2}));
    created["metadata"]["annotations"] = json!({LAST_APPLIED: last});
    let live = update(None, &created, deployment(), &writer("kubectl-client-side-apply"));
    let applied = run(Some(&live), &config(json!({"replicas": 3})), "kubectl", OnConflict::Refuse).expect("forced");
    assert_eq!(applied.pointer("/spec/replicas"), Some(&json!(3)));
    let annotation = applied["metadata"]["annotations"][LAST_APPLIED].as_str().expect("kept");
    assert_eq!(annotation, format!("{}\n", config(json!({"replicas": 3}))));
}

#[test]
fn the_oldest_update_managers_are_folded_into_one() {
    let mut live = update(None, &config(json!({"replicas": 0})), deployment(), &writer("m0"));
    for at in 1..=12 {
        let name = format!("m{at:02}");
        let mut next = live.clone();
        next["metadata"]["annotations"][format!("a{at}")] = json!("x");
        live = update(Some(&live), &next, deployment(), &writer(&name));
    }
    let owners = owners(&live);
    assert_eq!(owners.len(), 10);
    assert!(owners.iter().any(|(name, _)| name == "ancient-changes"));
}

#[test]
fn new_items_keep_the_order_of_the_configuration() {
    let containers = |names: &[&str]| {
        let list: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        config(json!({"template": {"spec": {"containers": list}}}))
    };
    let names = |value: &Value| -> Vec<String> {
        let list =
            value.pointer("/spec/template/spec/containers").and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(|item| item["name"].as_str().map(str::to_owned)).collect()
    };
    let live = run(None, &containers(&["a", "b", "c"]), "m1", OnConflict::Refuse).expect("applies");
    let merged = run(Some(&live), &containers(&["x", "c", "a"]), "m2", OnConflict::Refuse).expect("applies");
    assert_eq!(names(&merged), ["b", "x", "c", "a"]);
}
