use serde_json::{Value, json};

use crate::api::Api;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/ex.io/v1/namespaces/default/widgets";

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.ex.io"},
        "spec": {
            "group": "ex.io", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {
                        "size": {"type": "integer", "maximum": 5, "default": 2},
                        "color": {"type": "string", "enum": ["red", "blue"]},
                    }},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}},
            }],
        },
    })
}

fn widget(spec: Value) -> Value {
    json!({"apiVersion": "ex.io/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": spec})
}

#[tokio::test]
async fn a_definition_is_served_at_once_and_goes_with_its_objects() {
    let api = Api::open().await;
    assert_eq!(api.get(WIDGETS).await.code, 404);
    api.post(DEFINITIONS, definition()).await.expect(201);
    let established = api.get(&format!("{DEFINITIONS}/widgets.ex.io")).await.expect(200);
    assert_eq!(established["status"]["conditions"][1]["type"], "Established");
    let created = api.post(WIDGETS, widget(json!({"color": "red", "zip": 1}))).await.expect(201);
    assert_eq!(created["spec"], json!({"color": "red", "size": 2}));
    let status = json!({"spec": {"size": 4}, "status": {"ok": true}});
    let patched = api.patch("merge-patch+json", &format!("{WIDGETS}/a/status"), status).await.expect(200);
    assert_eq!((&patched["spec"]["size"], &patched["status"]["ok"]), (&json!(2), &json!(true)));
    api.delete(&format!("{DEFINITIONS}/widgets.ex.io")).await.expect(200);
    assert_eq!(api.get(WIDGETS).await.code, 404);
    api.post(DEFINITIONS, definition()).await.expect(201);
    assert_eq!(api.get(WIDGETS).await.expect(200)["items"], json!([]));
}

/// The definition with a second version, which is as the first one and stores nothing.
fn with_second(name: &str) -> Value {
    let mut definition = definition();
    let mut second = definition["spec"]["versions"][0].clone();
    second["name"] = json!(name);
    second["storage"] = json!(false);
    definition["spec"]["versions"].as_array_mut().expect("versions").push(second);
    definition
}

#[tokio::test]
async fn what_the_stored_version_has_a_default_for_is_there_though_creation_leaves_nothing_of_it() {
    let api = Api::open().await;
    let mut definition = with_second("v2");
    let versions = &mut definition["spec"]["versions"];
    versions[1]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"] = json!({"type": "integer"});
    versions[0]["schema"]["openAPIV3Schema"]["properties"]["status"]["default"] = json!({"observedGeneration": -1});
    api.post(DEFINITIONS, definition).await.expect(201);
    let mut written = widget(json!({"color": "red"}));
    written["status"] = json!({"observedGeneration": 7});
    let created = api.post(WIDGETS, written).await.expect(201);
    assert_eq!(created["status"], json!({"observedGeneration": -1}));
    let mut other = widget(json!({"color": "red"}));
    other["apiVersion"] = json!("ex.io/v2");
    other["metadata"]["name"] = json!("b");
    let widgets = WIDGETS.replace("/v1/", "/v2/");
    let created = api.post(&widgets, other).await.expect(201);
    assert_eq!(created["spec"], json!({"color": "red", "size": 2}), "v1 stores, and has a default for it");
    let patched = api.patch("merge-patch+json", &format!("{widgets}/b"), json!({"spec": {"size": null}})).await;
    assert_eq!(patched.expect(200)["spec"]["size"], 2);
}

#[tokio::test]
async fn a_schema_is_enforced() {
    let api = Api::open().await;
    api.post(DEFINITIONS, definition()).await.expect(201);
    api.post(WIDGETS, widget(json!({"size": 9}))).await.refused(
        422,
        "Widget.ex.io \"a\" is invalid: spec.size: Invalid value: 9: spec.size in body should be less than or equal to 5",
    );
    let answer = api.patch("strategic-merge-patch+json", &format!("{WIDGETS}/a"), json!({})).await;
    assert_eq!(answer.code, 415);
}

#[tokio::test]
async fn finalizers_of_custom_resources_need_no_domain() {
    let api = Api::open().await;
    api.post(DEFINITIONS, definition()).await.expect(201);
    let mut held = widget(json!({}));
    held["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    let answer = api.post(WIDGETS, held).await;
    let told = |name: &str, path: &str| {
        format!(
            "299 - \"metadata.finalizers: \\\"{name}\\\": prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other finalizer writers\""
        )
    };
    let including = " including a path (/)";
    assert_eq!(answer.warnings, [told("resources-finalizer.argocd.argoproj.io", including)]);
    answer.expect(201);
    let more = json!({"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io", "plain", "ex.io/fine"]}});
    let answer = api.patch("merge-patch+json", &format!("{WIDGETS}/a"), more).await;
    assert_eq!(answer.warnings, [told("plain", "")], "only what is new");
    answer.expect(200);
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "finalizers": ["a.example.com"]}});
    assert_eq!(api.post("/api/v1/namespaces/default/configmaps", map).await.code, 422);
    assert_eq!(api.delete("/apis/ex.io/v1/widgets").await.code, 404);
}

/// A controller's cleanup is run before its objects go, also where their definition is deleted.
#[tokio::test]
async fn a_definition_waits_for_the_finalizers_of_its_objects() {
    let api = Api::open().await;
    let path = format!("{DEFINITIONS}/widgets.ex.io");
    api.post(DEFINITIONS, definition()).await.expect(201);
    let mut held = widget(json!({}));
    held["metadata"]["finalizers"] = json!(["ex.io/cleanup"]);
    api.post(WIDGETS, held).await.expect(201);
    let mut free = widget(json!({}));
    free["metadata"]["name"] = json!("b");
    api.post(WIDGETS, free).await.expect(201);
    api.delete(&path).await.expect(200);
    let items = api.get(WIDGETS).await.expect(200)["items"].clone();
    assert_eq!(items.as_array().map(Vec::len), Some(1), "{items}");
    assert!(items[0]["metadata"]["deletionTimestamp"].is_string(), "{items}");
    let going = api.get(&path).await.expect(200);
    let terminating = going["status"]["conditions"].as_array().expect("conditions").last().expect("one").clone();
    assert_eq!(
        (&terminating["type"], &terminating["reason"]),
        (&json!("Terminating"), &json!("InstanceDeletionInProgress"))
    );
    let mut late = widget(json!({}));
    late["metadata"]["name"] = json!("late");
    api.post(WIDGETS, late).await.refused(405, "create not allowed while custom resource definition is terminating");
    api.delete(&path).await.expect(200);
    let free = json!({"metadata": {"finalizers": null}});
    api.patch("merge-patch+json", &format!("{WIDGETS}/a"), free).await.expect(200);
    assert_eq!(api.get(WIDGETS).await.code, 404);
    assert_eq!(api.get(&path).await.code, 404);
}

#[tokio::test]
async fn a_version_that_is_not_served_is_in_no_discovery() {
    let api = Api::open().await;
    api.post(DEFINITIONS, with_second("v1beta1")).await.expect(201);
    assert_eq!(api.get("/apis/ex.io").await.expect(200)["preferredVersion"]["version"], "v1");
    let path = format!("{DEFINITIONS}/widgets.ex.io");
    let withdrawn = json!([{"op": "replace", "path": "/spec/versions/0/served", "value": false}]);
    api.patch("json-patch+json", &path, withdrawn).await.expect(200);
    let group = api.get("/apis/ex.io").await.expect(200);
    assert_eq!(group["versions"], json!([{"groupVersion": "ex.io/v1beta1", "version": "v1beta1"}]));
    assert_eq!(group["preferredVersion"]["version"], "v1beta1");
    let accept = [("accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")];
    let aggregated = api.send(http::Method::GET, "/apis", &accept, bytes::Bytes::new()).await.expect(200);
    let of_group = aggregated["items"].as_array().expect("groups").iter().find(|it| it["metadata"]["name"] == "ex.io");
    let versions = of_group.expect("the group")["versions"].as_array().expect("versions");
    assert_eq!(versions.iter().map(|it| &it["version"]).collect::<Vec<_>>(), ["v1beta1"]);
    assert_eq!(api.get("/apis/ex.io/v1").await.code, 404);
    assert_eq!(api.get(WIDGETS).await.code, 404);
    assert_eq!(api.get("/openapi/v3/apis/ex.io/v1").await.code, 404);
    assert_eq!(api.get("/openapi/v3/apis/ex.io/v1beta1").await.code, 200);
    let withdrawn = json!([{"op": "replace", "path": "/spec/versions/1/served", "value": false}]);
    api.patch("json-patch+json", &path, withdrawn).await.expect(200);
    assert_eq!(api.get("/apis/ex.io").await.code, 404, "nothing of the group is left");
    let served = json!([{"op": "replace", "path": "/spec/versions/0/served", "value": true}]);
    api.patch("json-patch+json", &path, served).await.expect(200);
    assert_eq!(api.get("/apis/ex.io/v1").await.expect(200)["resources"][0]["name"], "widgets");
}

/// Each with the field that is refused and what is said of it; the real server's words.
#[tokio::test]
async fn a_definition_that_could_not_be_served_as_it_stands_is_refused() {
    let api = Api::open().await;
    let schema = |spec: Value| json!({"type": "object", "properties": {"spec": spec}});
    let list = |extra: Value| {
        let mut list =
            json!({"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}});
        for (field, value) in extra.as_object().into_iter().flatten() {
            list[field] = value.clone();
        }
        list
    };
    let at = "spec.validation.openAPIV3Schema.properties[spec]";
    let version = "/spec/versions/0";
    let cases = [
        (
            format!("{version}/selectableFields"),
            json!([{"jsonPath": ".spec.nothing"}]),
            "spec.selectableFields[0].jsonPath: Invalid value: \".spec.nothing\": is an invalid path: does not refer to a valid field".to_owned(),
        ),
        (
            format!("{version}/selectableFields"),
            json!([{"jsonPath": ".spec"}]),
            "spec.selectableFields[0].jsonPath: Invalid value: \".spec\": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.".to_owned(),
        ),
        (
            format!("{version}/additionalPrinterColumns"),
            json!([{"name": "A", "type": "foo", "jsonPath": ".spec.size"}]),
            "spec.additionalPrinterColumns[0].type: Invalid value: \"foo\": must be one of boolean,date,integer,number,string".to_owned(),
        ),
        (
            format!("{version}/additionalPrinterColumns"),
            json!([{"name": "A", "type": "string", "jsonPath": "spec["}]),
            "spec.additionalPrinterColumns[0].JSONPath: Invalid value: \"spec[\": must be a simple json path starting with .".to_owned(),
        ),
        (
            format!("{version}/subresources"),
            json!({"scale": {"specReplicasPath": "spec.size", "statusReplicasPath": ".status.size"}}),
            "spec.subresources.scale.specReplicasPath: Invalid value: \"spec.size\": must be a simple json path starting with .".to_owned(),
        ),
        (
            format!("{version}/schema/openAPIV3Schema"),
            schema(json!({"type": "object", "properties": {"size": {"type": "integer", "default": "two"}}})),
            format!("{at}.properties[size].default: Invalid value: \"string\":  in body must be of type integer: \"string\""),
        ),
        (
            format!("{version}/schema/openAPIV3Schema"),
            schema(list(json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]}))),
            format!("{at}.x-kubernetes-list-map-keys: Invalid value: [\"id\"]: entries must all be names of item properties"),
        ),
        (
            format!("{version}/schema/openAPIV3Schema"),
            schema(list(json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}))),
            format!("{at}.items.properties[name].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"),
        ),
        (
            format!("{version}/schema/openAPIV3Schema"),
            schema(list(json!({"uniqueItems": true}))),
            format!("{at}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),
        ),
        (
            "/spec/preserveUnknownFields".to_owned(),
            json!(true),
            "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead".to_owned(),
        ),
        (
            "/spec/conversion".to_owned(),
            json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"]}}),
            "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook".to_owned(),
        ),
    ];
    for (pointer, value, told) in cases {
        let mut wrong = definition();
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        wrong.pointer_mut(parent).expect("there")[field] = value;
        let answer = api.post(DEFINITIONS, wrong).await;
        assert_eq!(answer.code, 422, "{told}\n{}", answer.text);
        assert_eq!(
            answer.body["message"],
            format!("CustomResourceDefinition.apiextensions.k8s.io \"widgets.ex.io\" is invalid: {told}")
        );
    }
    let mut right = definition();
    right["spec"]["versions"][0]["selectableFields"] = json!([{"jsonPath": ".spec.color"}]);
    api.post(DEFINITIONS, right).await.expect(201);
}

#[tokio::test]
async fn a_column_shows_the_first_of_what_its_path_finds() {
    let api = Api::open().await;
    let mut tagged = definition();
    tagged["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["tags"] =
        json!({"type": "array", "items": {"type": "string"}});
    tagged["spec"]["versions"][0]["additionalPrinterColumns"] =
        json!([{"name": "Tags", "type": "string", "jsonPath": ".spec.tags[*]"}]);
    api.post(DEFINITIONS, tagged).await.expect(201);
    api.post(WIDGETS, widget(json!({"tags": ["x", "y"]}))).await.expect(201);
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let table = api.send(http::Method::GET, WIDGETS, &accept, bytes::Bytes::new()).await.expect(200);
    assert_eq!(table["rows"][0]["cells"], json!(["a", "x"]));
}

#[tokio::test]
async fn a_custom_resource_says_its_kind() {
    let api = Api::open().await;
    api.post(DEFINITIONS, definition()).await.expect(201);
    let nameless = json!({"metadata": {"name": "a"}});
    let told = "the object provided is unrecognized (must be of type Widget): Object 'Kind' is missing in '{\"metadata\":{\"name\":\"a\"}}' ({\"metadata\":{\"name\":\"a\"}})";
    api.post(WIDGETS, nameless).await.refused(400, told);
}
