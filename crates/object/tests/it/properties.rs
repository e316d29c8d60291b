use landfall_object::merge::managed::{self, OnConflict, Writer};
use landfall_object::merge::{json_patch, merge_patch, strategic};
use landfall_object::schema::Schemas;
use landfall_object::{Gvk, Object, Quantity, defaults, diff, health, mask, references};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn gvk() -> Gvk {
    Gvk::new("apps", "v1", "Deployment")
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "web"]).prop_map(str::to_owned)
}

fn container() -> impl Strategy<Value = Value> {
    let env = prop::collection::btree_map(name(), "[0-9]{0,2}", 0..3)
        .prop_map(|map| map.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect::<Vec<_>>());
    let ports = prop::collection::btree_set(80..84_u16, 0..3)
        .prop_map(|ports| ports.into_iter().map(|port| json!({"containerPort": port})).collect::<Vec<_>>());
    (name(), "[a-z]{1,3}:[0-9]", env, ports, prop::option::of("[1-9][0-9]{0,3}m")).prop_map(
        |(name, image, env, ports, cpu)| {
            let mut container = json!({"name": name, "image": image});
            if !env.is_empty() {
                container["env"] = Value::Array(env);
            }
            if !ports.is_empty() {
                container["ports"] = Value::Array(ports);
            }
            if let Some(cpu) = cpu {
                container["resources"] = json!({"limits": {"cpu": cpu}});
            }
            container
        },
    )
}

fn deployment() -> impl Strategy<Value = Value> {
    let containers = prop::collection::vec(container(), 0..4).prop_map(|mut containers| {
        let mut seen: Vec<Value> = Vec::new();
        containers.retain(|container| {
            let new = !seen.contains(&container["name"]);
            seen.push(container["name"].clone());
            new
        });
        containers
    });
    let labels = prop::collection::btree_map(name(), "[a-z]{0,2}", 0..3);
    (containers, labels, prop::option::of(0..5_i64), prop::bool::ANY).prop_map(|(containers, labels, replicas, paused)| {
        let mut spec = json!({"selector": {"matchLabels": {"x": "y"}}, "template": {"metadata": {"labels": labels}, "spec": {}}});
        if !containers.is_empty() {
            spec["template"]["spec"]["containers"] = Value::Array(containers);
        }
        if let Some(replicas) = replicas {
            spec["replicas"] = replicas.into();
        }
        if paused {
            spec["paused"] = true.into();
        }
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec})
    })
}

/// Any JSON at all, with keys that mean something here and there.
fn hostile() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        prop::sample::select(vec![
            "spec",
            "template",
            "metadata",
            "containers",
            "name",
            "labels",
            "annotations",
            "managedFields",
            "status",
            "conditions",
            "type",
            "$patch",
            "$retainKeys",
            "$setElementOrder/containers",
            "$deleteFromPrimitiveList/finalizers",
            "finalizers",
            "resources",
            "limits",
            "ports",
            "data",
            "volumes",
            "env",
            "f:spec",
            "k:{}",
            "fieldsV1",
            "operation",
        ])
        .prop_map(str::to_owned),
        "[a-z]{0,3}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        prop::sample::select(vec!["delete", "replace", "Update", "1Gi", "-1", "25%", "FieldsV1", "", "é\u{0}\""])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn writer(manager: &str) -> Writer<'_> {
    Writer { manager, api_version: "apps/v1", subresource: "", time: "2026-01-01T00:00:00Z", reset: &[&["status"]] }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_strategic_patch_made_and_applied_gives_the_target(from in deployment(), to in deployment()) {
        let schemas = Schemas::builtin();
        let node = schemas.kind(&gvk()).expect("built in");
        let patch = strategic::two_way(&map(&from), &map(&to), node).expect("diffs");
        prop_assert_eq!(Value::Object(strategic::apply(&map(&from), &patch, node).expect("applies")), to.clone());
        prop_assert_eq!(strategic::two_way(&map(&to), &map(&to), node).expect("diffs"), Map::new());
        let three = strategic::three_way(&map(&from), &map(&to), &map(&from), node).expect("diffs");
        prop_assert_eq!(Value::Object(strategic::apply(&map(&from), &three, node).expect("applies")), to);
    }

    #[test]
    fn a_merge_patch_made_and_applied_gives_the_target(from in deployment(), to in deployment()) {
        let patch = Value::Object(merge_patch::diff(&map(&from), &map(&to)));
        prop_assert_eq!(merge_patch::apply(&from, &patch), to);
    }

    #[test]
    fn applying_twice_is_applying_once(base in deployment(), patch in deployment()) {
        let schemas = Schemas::builtin();
        let node = schemas.kind(&gvk()).expect("built in");
        let live = managed::apply(None, &base, node, &writer("one"), OnConflict::Refuse).expect("first");
        let once = managed::apply(Some(&live), &patch, node, &writer("two"), OnConflict::Force).expect("forced");
        let twice = managed::apply(Some(&once), &patch, node, &writer("two"), OnConflict::Refuse).expect("no conflict with itself");
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn what_a_manager_applied_alone_goes_when_it_applies_nothing(patch in deployment()) {
        let schemas = Schemas::builtin();
        let node = schemas.kind(&gvk()).expect("built in");
        let live = managed::apply(None, &patch, node, &writer("one"), OnConflict::Refuse).expect("first");
        let nothing = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}});
        let left = managed::apply(Some(&live), &nothing, node, &writer("one"), OnConflict::Refuse).expect("applies");
        prop_assert_eq!(managed::entries(&left).expect("reads").len(), 0);
        prop_assert_eq!(left.pointer("/spec/template/spec/containers").filter(|list| !list.is_null()), None);
    }

    #[test]
    fn decoding_and_defaulting_are_idempotent_and_no_difference(value in deployment()) {
        let schemas = Schemas::builtin();
        let once = schemas.decode(&gvk(), &value).expect("decodes").value;
        prop_assert_eq!(&schemas.decode(&gvk(), &once).expect("decodes").value, &once);
        let mut object = Object::from_value(once.clone()).expect("a map");
        defaults::apply(&mut object, &schemas);
        let defaulted = object.clone();
        defaults::apply(&mut object, &schemas);
        prop_assert_eq!(object.value(), defaulted.value());
        let written = Object::from_value(value).expect("a map");
        prop_assert_eq!(diff::changes(&written, &defaulted, &schemas), vec![]);
        prop_assert_eq!(diff::drift(&written, &defaulted, None, &schemas), vec![]);
    }

    #[test]
    fn quantities_survive_their_own_text(units in any::<i64>(), suffix in prop::sample::select(vec!["", "m", "k", "Mi", "Gi", "u", "n", "E"])) {
        let quantity: Quantity = format!("{}{suffix}", units % 1_000_000).parse().expect("a quantity");
        let canonical = quantity.rounded_up(-9).to_string();
        prop_assert_eq!(canonical.parse::<Quantity>().expect("its own text"), quantity);
    }

    #[test]
    fn nothing_panics_on_hostile_values(a in hostile(), b in hostile(), kind in prop::sample::select(vec![
        ("apps", "Deployment"), ("", "Pod"), ("", "Secret"), ("", "Service"), ("batch", "Job"), ("networking.k8s.io", "Ingress"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ])) {
        let mut schemas = Schemas::builtin();
        let gvk = Gvk::new(kind.0, "v1", kind.1);
        let named = |value: &Value| {
            let mut map = map(value);
            map.insert("apiVersion".into(), gvk.api_version().into());
            map.insert("kind".into(), kind.1.into());
            Value::Object(map)
        };
        let (a, b) = (named(&a), named(&b));
        let node = schemas.kind(&gvk).expect("built in");
        drop(schemas.decode(&gvk, &a));
        drop(strategic::apply(&map(&a), &map(&b), node));
        drop(strategic::two_way(&map(&a), &map(&b), node));
        drop(strategic::three_way(&map(&a), &map(&b), &map(&a), node));
        drop(managed::apply(Some(&a), &b, node, &writer("m"), OnConflict::Force));
        drop(managed::update(Some(&a), &b, node, &writer("m")));
        drop(merge_patch::apply(&a, &b));
        drop(json_patch::parse(&json!([a.clone(), b.clone()])));
        let (first, second) = (Object::from_value(a).expect("a map"), Object::from_value(b).expect("a map"));
        drop(diff::changes(&first, &second, &schemas));
        drop(diff::hunks(Some(&first), Some(&second), 3));
        drop(diff::drift(&first, &second, Some("m"), &schemas));
        drop(health::assess(&first));
        drop(references::references(&first));
        drop(mask::mask(&first));
        let mut defaulted = first.clone();
        defaults::apply(&mut defaulted, &schemas);
        drop(schemas.join(&second));
    }

    #[test]
    fn nothing_panics_on_hostile_bytes(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let schemas = Schemas::builtin();
        let mut body = b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12".to_vec();
        body.push(u8::try_from(bytes.len()).unwrap_or(0));
        body.extend(&bytes);
        drop(schemas.decode_protobuf(&body));
        drop(schemas.decode_protobuf(&bytes));
        drop(schemas.decode_json(&gvk(), &bytes));
    }
}
