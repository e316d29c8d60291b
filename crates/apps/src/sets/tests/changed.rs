//! What becomes of the Applications that there are, and what is told of it.

use super::*;

fn live(name: &str, owner: Option<&str>, more: Value) -> Object {
    let mut object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd", "finalizers": [crate::machine::CASCADE]},
        "spec": {
            "project": "default", "source": {"repoURL": REPO, "path": "x", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
        },
    });
    if let Some(owner) = owner {
        object["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": owner, "uid": "u-1",
            "controller": true, "blockOwnerDeletion": true,
        }]);
    }
    for (pointer, value) in more.as_object().into_iter().flatten() {
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        object.pointer_mut(parent).expect("there")[field] = value.clone();
    }
    Object::from_value(object).expect("a map")
}

/// A set of Applications of these names.
fn named(names: &[&str]) -> ApplicationSet {
    let elements: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    of(json!({"list": {"elements": elements}}), true, "{{.name}}", "x")
}

fn owned_by_set(names: &[&str]) -> Vec<Object> {
    names.iter().map(|name| live(name, Some("shops"), json!({}))).collect()
}

#[track_caller]
fn changes_of(set: &ApplicationSet, current: &[Object]) -> Changes {
    changes(set, &generated(set, &Answers::default()), current, None)
}

fn deleted(changes: &Changes) -> Vec<&str> {
    changes.deleted.iter().map(|key| key.name.as_str()).collect()
}

#[test]
fn what_is_there_as_it_is_generated_is_left_alone() {
    let told = changes_of(&named(&["a", "b"]), &owned_by_set(&["a", "b"]));
    assert_eq!(told, Changes::default());
}

#[test]
fn applications_are_created_changed_and_deleted_as_the_policy_says() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut current = owned_by_set(&names);
    current[0] = live("a", Some("shops"), json!({"/spec/revisionHistoryLimit": 3}));
    for (policy, changed, gone) in [
        ("sync", 1, vec!["f"]),
        ("create-only", 0, vec![]),
        ("create-update", 1, vec![]),
        ("create-delete", 0, vec!["f"]),
    ] {
        let mut set = named(&["a", "b", "c", "d", "e", "new"]);
        set.policy = serde_json::from_value(json!({"applicationsSync": policy})).expect("a policy");
        let told = changes_of(&set, &current);
        assert_eq!(told.created.iter().map(Object::name).collect::<Vec<_>>(), ["new"], "{policy}");
        assert_eq!(told.changed.len(), changed, "{policy}");
        assert_eq!(deleted(&told), gone, "{policy}");
    }
}

#[test]
fn a_new_application_belongs_to_its_set() {
    let told = changes_of(&named(&["a"]), &[]);
    let owner = told.created[0].controller().expect("an owner");
    assert_eq!((owner.kind.as_str(), owner.name.as_str(), owner.uid.as_str()), ("ApplicationSet", "shops", "u-1"));
}

#[test]
fn one_that_nobody_owns_is_taken_over_and_one_of_another_is_not() {
    let told = changes_of(&named(&["a", "b"]), &[live("a", None, json!({})), live("b", Some("others"), json!({}))]);
    assert_eq!(told.changed.len(), 1);
    assert_eq!(told.changed[0].patch["metadata"]["ownerReferences"][0]["name"], "shops");
    assert!(told.invalid["b"].contains("already owned"), "{:?}", told.invalid);
    let none = changes_of(&named(&[]), &[live("a", None, json!({})), live("b", Some("others"), json!({}))]);
    assert_eq!(none, Changes::default(), "what is not its own is not its to delete");
}

#[test]
fn others_annotations_and_preserved_fields_stay() {
    let annotations = json!({"keep": "1", "drop": "2", "argocd.argoproj.io/refresh": "hard", "notified.notifications.argoproj.io": "{}"});
    let there = live(
        "a",
        Some("shops"),
        json!({"/metadata/annotations": annotations, "/metadata/labels": {"keep": "1", "drop": "2"}, "/metadata/finalizers": [crate::machine::CASCADE, "post-delete-finalizer.argocd.argoproj.io/cleanup"]}),
    );
    let mut set = named(&["a"]);
    set.preserved = serde_json::from_value(json!({"annotations": ["keep"], "labels": ["keep"]})).expect("fields");
    let told = changes_of(&set, &[there]);
    assert_eq!(told.changed[0].patch, json!({"metadata": {"annotations": {"drop": null}, "labels": {"drop": null}}}));
}

#[test]
fn differences_that_a_set_ignores_stay() {
    let there = live(
        "a",
        Some("shops"),
        json!({
            "/spec/source/targetRevision": "v1.2", "/spec/syncPolicy": {"automated": {"prune": true}}, "/spec/source/path": "old",
        }),
    );
    let ignoring = |rules: Value| {
        let mut set = named(&["a"]);
        set.ignored = serde_json::from_value(rules).expect("rules");
        changes_of(&set, std::slice::from_ref(&there)).changed.first().map(|it| it.patch["spec"].clone())
    };
    assert_eq!(
        ignoring(json!([])),
        Some(json!({"source": {"path": "x", "targetRevision": "main"}, "syncPolicy": null}))
    );
    let pointers = json!([{"jsonPointers": ["/spec/source/targetRevision", "/spec/syncPolicy"]}]);
    assert_eq!(ignoring(pointers), Some(json!({"source": {"path": "x"}})));
    let expressions = json!([{"name": "a", "jqPathExpressions": [".spec.source.targetRevision", ".spec.syncPolicy.automated", ".spec[\"source\"].path"]}]);
    assert_eq!(ignoring(expressions), None);
    let of_another = json!([{"name": "b", "jsonPointers": ["/spec/source/targetRevision"]}]);
    assert_eq!(
        ignoring(of_another),
        Some(json!({"source": {"path": "x", "targetRevision": "main"}, "syncPolicy": null}))
    );
}

#[test]
fn names_that_are_missing_or_twice_are_said_and_the_others_delivered() {
    let told = changes_of(&named(&["a", "a", "", "b"]), &[]);
    assert_eq!(told.created.iter().map(Object::name).collect::<Vec<_>>(), ["a", "b"]);
    assert!(told.invalid["a"].contains("duplicate name: a"), "{:?}", told.invalid);
    assert!(told.invalid[""].contains("no name"), "{:?}", told.invalid);
}

#[test]
fn what_is_generated_without_a_name_of_its_own_holds_what_it_may_stand_for() {
    let there = owned_by_set(&["a", "b", "c", "d", "e", "f", "g"]);
    let of = |last: &str| changes_of(&named(&["a", "b", "c", "d", "e", "f", last]), &there);
    // A seventh may go, and another one comes.
    assert_eq!(deleted(&of("h")), ["g"]);
    // A slip of the pen took its name: it is the one that is still there by the old one.
    for last in ["Not_OK", "a", ""] {
        let told = of(last);
        assert!(told.deleted.is_empty(), "{last}: {told:?}");
        let held = told.held.expect("held");
        assert_eq!((held.names.as_slice(), held.because), (&["g".to_owned()][..], crate::Because::Nameless), "{last}");
        let words = held.to_string();
        assert!(words.contains("cannot be called so: none of them is, until that is mended or somebody"), "{words}");
        let mut approved = named(&["a", "b", "c", "d", "e", "f", last]);
        approved.object.set_annotation(crate::APPROVAL, &*held.token);
        assert_eq!(deleted(&changes_of(&approved, &there)), ["g"], "{last}");
    }
    assert_eq!(changes_of(&named(&["a", "b", "c", "d", "e", "f", "g", "Not_OK"]), &there).held, None);
}

#[test]
fn what_a_template_makes_of_a_parameter_that_is_not_there_is_told_as_that() {
    let set = of(json!({"list": {"elements": [{"name": "a"}, {"nom": "b"}]}}), true, "shop-{{.name}}", "x");
    let told = changes_of(&set, &[]).invalid;
    let why = &told["shop-<no value>"];
    assert!(why.contains("`metadata.name` is `shop-<no value>`: the template names what"), "{why}");
    assert!(why.contains("missingkey=error") && !why.contains("did you mean"), "{why}");
}

#[test]
fn a_name_without_end_is_told_by_its_beginning() {
    let told = changes_of(&named(&[&"x".repeat(300)]), &[]).invalid;
    let why = told.values().next().expect("told");
    assert!(why.contains("… (300 characters)") && why.contains("at most 253 characters"), "{why}");
    assert!(why.len() < 500, "{why}");
}

#[test]
fn a_text_that_cannot_be_rendered_is_told_with_its_field() {
    let set = of(json!({"list": {"elements": [{"name": "a"}]}}), true, "{{.name}}", "{{.name | nofunc}}");
    let why = fails(&set, &Answers::default(), "function \"nofunc\" not defined").message;
    assert!(why.starts_with("spec.template.spec.source.path: failed to parse template"), "{why}");
}

#[test]
fn what_cannot_be_done_is_told_the_first_three_of_it_by_the_firsts_reason() {
    let failures = |count: usize| -> Vec<(Reason, String)> {
        [Reason::Validation, Reason::Delete, Reason::Create, Reason::Update, Reason::Update]
            .into_iter()
            .take(count)
            .enumerate()
            .map(|(number, reason)| (reason, format!("f{number}")))
            .collect()
    };
    let told = |message: &str| Outcome::NotApplied(Failure { reason: Reason::Validation, message: message.to_owned() });
    assert_eq!(Outcome::of(failures(0)), Outcome::UpToDate);
    assert_eq!(Outcome::of(failures(2)), told("f0; f1"));
    assert_eq!(Outcome::of(failures(5)), told("f0; f1; f2 (and 2 more)"));
}

#[test]
fn an_application_of_a_project_that_is_not_there_is_neither_made_nor_deleted() {
    let mut set = named(&["a"]);
    set.template["spec"]["project"] = json!("team");
    let found = generated(&set, &Answers::default());
    let none = changes(&set, &found, &owned_by_set(&["a"]), Some(&Default::default()));
    assert!(
        none.invalid["a"].contains("application a references project team which does not exist"),
        "{:?}",
        none.invalid
    );
    assert_eq!((none.created.len(), none.changed.len(), none.deleted.len()), (0, 0, 0));
    let there = changes(&set, &found, &owned_by_set(&["a"]), Some(&["team".to_owned()].into()));
    assert_eq!(there.changed.len(), 1);
}

#[test]
fn a_fifth_of_a_set_goes_and_more_is_held_until_it_is_approved() {
    let names = ["a", "b", "c", "d", "e"];
    let current = owned_by_set(&names);
    let fifth = changes_of(&named(&["a", "b", "c", "d"]), &current);
    assert_eq!((deleted(&fifth), &fifth.held), (vec!["e"], &None));
    let mut set = named(&["a", "b", "c"]);
    let two = changes_of(&set, &current);
    let held = two.held.clone().expect("held");
    assert_eq!((deleted(&two), held.names.as_slice(), held.of), (vec![], &["d".to_owned(), "e".to_owned()][..], 5));
    set.object.set_annotation(crate::APPROVAL, held.token.clone());
    assert_eq!(deleted(&changes_of(&set, &current)), ["d", "e"]);
    // The approval was of these two; what vanishes next is asked for anew.
    let mut more = named(&["a"]);
    more.object.set_annotation(crate::APPROVAL, held.token);
    assert!(changes_of(&more, &current).held.is_some());
    assert_eq!(deleted(&changes_of(&named(&[]), &owned_by_set(&[]))), Vec::<&str>::new());
}

/// argo-cd #3473, #9227, #18212, #18480: whatever generator shrinks, the Applications of it, finalizers and all, stay.
#[test]
fn no_generator_that_shrinks_by_more_than_a_fifth_deletes_anything() {
    let current = owned_by_set(&["a", "b", "c", "d", "e"]);
    let keep = |set: &ApplicationSet, answers: &Answers<'_>, what: &str| {
        let told = changes(set, &generated(set, answers), &current, None);
        assert!(told.deleted.is_empty() && told.held.is_some(), "{what}: {told:?}");
    };
    let one =
        answers(&[("a/x", ""), ("conf/a.json", r#"{"name": "a"}"#)], &[cluster("a", "https://a", &[("env", "x")])]);
    let directories = json!({"git": {"repoURL": REPO, "revision": "HEAD", "directories": [{"path": "*"}, {"path": "conf", "exclude": true}]}});
    let by_files = json!({"git": {"repoURL": REPO, "revision": "HEAD", "files": [{"path": "conf/*.json"}]}});
    let clusters = json!({"clusters": {"selector": {"matchLabels": {"env": "x"}}}});
    let list = json!({"list": {"elements": [{"name": "a"}]}});
    keep(&of(directories.clone(), true, "{{.path.basename}}", "x"), &one, "directories");
    keep(&of(by_files, true, "{{.name}}", "x"), &one, "files");
    keep(&of(clusters, true, "{{.name}}", "x"), &one, "clusters");
    keep(&of(list.clone(), true, "{{.name}}", "x"), &one, "a list");
    keep(
        &of(
            json!({"matrix": {"generators": [directories, {"list": {"elements": [{"x": "y"}]}}]}}),
            true,
            "{{.path.basename}}",
            "x",
        ),
        &one,
        "a matrix",
    );
    keep(
        &of(
            json!({"merge": {"mergeKeys": ["name"], "generators": [list, {"list": {"elements": [{"name": "a", "b": "c"}]}}]}}),
            true,
            "{{.name}}",
            "x",
        ),
        &one,
        "a merge",
    );
    keep(
        &of(
            json!({"list": {"elements": [{"name": "a"}, {"name": "b"}]}, "selector": {"matchLabels": {"name": "a"}}}),
            true,
            "{{.name}}",
            "x",
        ),
        &one,
        "a selector",
    );
    let pulls = of(json!({"pullRequest": {"gitlab": {"project": "team/shop"}}}), true, "{{.branch}}", "x");
    let Expansion::Unanswered(asked) = expand(&pulls, &one) else { panic!("nobody has asked the forge") };
    let Some(Question::PullRequests(query)) = asked.first().cloned() else { panic!("{asked:?}") };
    let mut forge = Answers::default();
    forge.pull_requests(query, Ok(vec![pull(1, "a", &[])]));
    keep(&pulls, &forge, "pull requests");
    // A branch that was rewritten to nothing, and clusters that are all gone.
    keep(
        &of(
            json!({"git": {"repoURL": REPO, "revision": "HEAD", "directories": [{"path": "*"}]}}),
            true,
            "{{.path.basename}}",
            "x",
        ),
        &answers(&[("README.md", "")], &[]),
        "an empty branch",
    );
    keep(
        &of(json!({"clusters": {"selector": {"matchLabels": {"env": "x"}}}}), true, "{{.name}}", "x"),
        &answers_of(&[]),
        "no clusters",
    );
}

#[test]
fn conditions_are_argos_and_keep_their_time() {
    let mut one = named(&["a"]);
    let up = conditions(&one, &Outcome::UpToDate, "2026-01-01T00:00:00Z");
    let words = |conditions: &Value| -> Vec<(String, String, String)> {
        let text = |it: &Value, field: &str| it[field].as_str().unwrap_or_default().to_owned();
        conditions
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| (text(it, "type"), text(it, "status"), text(it, "reason")))
            .collect()
    };
    let row = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(
        words(&up),
        [
            row("ErrorOccurred", "False", "ApplicationSetUpToDate"),
            row("ParametersGenerated", "True", "ParametersGenerated"),
            row("ResourcesUpToDate", "True", "ApplicationSetUpToDate"),
        ]
    );
    one.object.map_mut().insert("status".to_owned(), json!({"conditions": up}));
    let failure = Failure { reason: Reason::ParamsGeneration, message: "no".to_owned() };
    let failed = conditions(&one, &Outcome::NotGenerated(failure), "2026-01-02T00:00:00Z");
    assert_eq!(
        words(&failed),
        [
            row("ErrorOccurred", "True", "ApplicationGenerationFromParamsError"),
            row("ParametersGenerated", "False", "ErrorOccurred"),
            row("ResourcesUpToDate", "False", "ErrorOccurred"),
        ]
    );
    assert_eq!(failed[0]["lastTransitionTime"], "2026-01-02T00:00:00Z");
    assert_eq!(
        (&failed[0]["message"], &failed[2]["message"]),
        (&json!("no"), &json!("its Applications stay as they are: no"))
    );
    let again = conditions(&one, &Outcome::UpToDate, "2026-01-03T00:00:00Z");
    assert_eq!(again, one.object.at("/status/conditions").cloned().expect("there"));
}

#[test]
fn fields_that_are_not_acted_on_are_named() {
    let mut all = named(&["a"]);
    all.object.map_mut().insert("spec".to_owned(), json!({
        "generators": [
            {"matrix": {"generators": [{"git": {"repoURL": "x", "files": [{"path": "y"}], "depth": 3}}, {"scmProvider": {"github": {"organization": "z"}}}]}},
            {"list": {"elements": [{"any": {"thing": 1}}]}, "selector": {"matchLabels": {"a": "b"}}},
        ],
        "strategy": {"type": "RollingSync", "rollingSync": {"steps": [{"maxUpdate": 1}]}},
        "ignoreApplicationDifferences": [{"jqPathExpressions": [".spec.a", ".spec.list | length"]}],
        "template": {"metadata": {"name": "x"}, "spec": {"source": {"kustomize": {"images": ["a"], "labelWithoutSelector": true, "ignoreMissingComponents": true}, "directory": {"jsonnet": {"tlas": []}}, "helm": {"passCredentials": true, "skipTests": false, "valuesObject": {"any": {"thing": 1}}}}, "sourceHydrator": {"drySource": {"path": "a"}},
            "ignoreDifferences": [{"jqPathExpressions": ["{{ .path }}"]}]}},
    }));
    assert_eq!(
        all.not_acted_on(),
        [
            "spec.generators.matrix.generators.git.depth",
            "spec.generators.matrix.generators.scmProvider",
            "spec.ignoreApplicationDifferences.jqPathExpressions",
            "spec.strategy.rollingSync",
            "spec.strategy.type",
            "spec.template.spec.source.helm.passCredentials",
            "spec.template.spec.sourceHydrator",
        ]
    );
    assert!(named(&["a"]).not_acted_on().is_empty());
    assert!(named(&["a"]).field_count() > 5);
    let jsonnet = json!({"template": {"spec": {"source": {
        "directory": {"jsonnet": {"libs": ["lib"]}}, "helm": {"passCredentials": false}}}}});
    all.object.map_mut().insert("spec".to_owned(), jsonnet);
    assert_eq!(all.not_acted_on(), ["spec.template.spec.source.directory.jsonnet"]);
}

#[test]
fn a_matrix_that_would_fill_the_memory_is_refused() {
    let elements: Vec<Value> = (0..200).map(|number| json!({"n": number.to_string()})).collect();
    let other: Vec<Value> = (0..200).map(|number| json!({"m": number.to_string()})).collect();
    let matrix = json!({"matrix": {"generators": [{"list": {"elements": elements}}, {"list": {"elements": other}}]}});
    fails(&of(matrix, false, "x", "x"), &Answers::default(), "more than 10000 sets");
    let endless =
        of(json!({"list": {"elements": [{"n": 1}]}}), true, "x", "{{ range until 100000000 }}{{ . }}{{ end }}");
    assert!(matches!(expand(&endless, &Answers::default()), Expansion::Failed(_)));
}

#[test]
fn a_rolling_strategy_is_said_not_to_be_acted_on() {
    let mut rolling = named(&["a"]);
    rolling.object.map_mut()["spec"]["strategy"] =
        json!({"type": "RollingSync", "rollingSync": {"steps": [{"maxUpdate": 1}]}});
    let told = conditions(&rolling, &Outcome::UpToDate, "2026-01-01T00:00:00Z");
    assert_eq!(told[3]["type"], "FieldsNotActedOn");
    assert_eq!(told[3]["message"], "not acted on: spec.strategy.rollingSync, spec.strategy.type");
}

#[test]
fn a_set_is_asked_for_as_often_as_its_generators_say() {
    let again = |generators: Value| set(json!({"generators": generators, "template": {}})).asks_again();
    assert_eq!(again(json!([{"list": {}}, {"clusters": {}}])), None);
    assert_eq!(again(json!([{"git": {}}, {"pullRequest": {}}])), Some(180));
    assert_eq!(again(json!([{"pullRequest": {}}])), Some(1800));
    assert_eq!(
        again(json!([{"matrix": {"generators": [{"git": {"requeueAfterSeconds": 20}}, {"list": {}}]}}])),
        Some(20)
    );
}

#[test]
fn what_is_no_set_is_said() {
    let read = |spec: Value| {
        let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "x"}, "spec": spec});
        ApplicationSet::parse(&Object::from_value(object).expect("a map")).expect_err("refused").to_string()
    };
    assert!(read(json!({"template": {}})).contains("spec.generators names none"));
    assert!(read(json!({"generators": [{}]})).contains("spec.template is missing"));
    assert!(read(json!({"generators": {}, "template": {}})).contains("ApplicationSet x: spec: "));
    assert!(
        read(json!({"generators": [{}], "template": {}, "syncPolicy": {"applicationsSync": "never"}}))
            .contains("never")
    );
}
