//! What Argo CD's own tests of its generators and templates say (applicationset/generators, applicationset/utils,
//! applicationset/controllers), retold.

mod changed;

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_object::Object;
use landfall_source::SourceTree;
use serde_json::{Value, json};

use super::*;

const REPO: &str = "https://git.example.com/team/config.git";

fn set(spec: Value) -> ApplicationSet {
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet",
        "metadata": {"name": "shops", "namespace": "argocd", "uid": "u-1"}, "spec": spec,
    });
    ApplicationSet::parse(&Object::from_value(object).expect("a map")).expect("a set")
}

/// A set of one generator, whose Applications are named and pathed by templates.
fn of(generator: Value, is_go: bool, name: &str, path: &str) -> ApplicationSet {
    set(json!({
        "goTemplate": is_go, "generators": [generator],
        "template": {
            "metadata": {"name": name},
            "spec": {
                "project": "default", "source": {"repoURL": REPO, "path": path, "targetRevision": "main"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
            },
        },
    }))
}

fn files(paths: &[(&str, &str)]) -> Files<'static> {
    let tree = paths.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    Files::of(Arc::new(SourceTree::from_tree("memory", tree)), "").expect("listed")
}

fn answers(paths: &[(&str, &str)], clusters: &[Cluster]) -> Answers<'static> {
    let mut answers = Answers::default();
    answers.files(REPO, "HEAD", Ok(files(paths)));
    answers.clusters(Ok(clusters.to_vec()));
    answers
}

fn cluster(name: &str, server: &str, labels: &[(&str, &str)]) -> Cluster {
    let labels: BTreeMap<_, _> = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Cluster { name: name.to_owned(), server: server.to_owned(), labels, ..Cluster::default() }
}

#[track_caller]
fn generated(set: &ApplicationSet, answers: &Answers<'_>) -> Vec<Object> {
    match expand(set, answers) {
        Expansion::Generated(found) => found,
        other => panic!("{other:?}"),
    }
}

/// Name and path of each Application.
#[track_caller]
fn pairs(set: &ApplicationSet, answers: &Answers<'_>) -> Vec<(String, String)> {
    let pair = |it: &Object| (it.name().to_owned(), it.str_at("/spec/source/path").unwrap_or_default().to_owned());
    generated(set, answers).iter().map(pair).collect()
}

#[track_caller]
fn told(set: &ApplicationSet, answers: &Answers<'_>, wanted: &[(&str, &str)]) {
    let wanted: Vec<(String, String)> = wanted.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(pairs(set, answers), wanted);
}

#[track_caller]
fn fails(set: &ApplicationSet, answers: &Answers<'_>, words: &str) -> Failure {
    match expand(set, answers) {
        Expansion::Failed(failure) => {
            assert!(failure.message.contains(words), "{} has no {words:?}", failure.message);
            failure
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_list_gives_one_application_an_element() {
    let plain = of(
        json!({"list": {"elements": [{"cluster": "a", "url": "x"}, {"cluster": "b", "url": "y", "values": {"env": "prod"}}]}}),
        false,
        "{{cluster}}-{{ values.env }}",
        "{{url}}",
    );
    told(&plain, &Answers::default(), &[("a-{{ values.env }}", "x"), ("b-prod", "y")]);
    let go = of(
        json!({"list": {"elements": [{"cluster": "a", "at": {"url": "x", "port": 8080}}]}}),
        true,
        "{{.cluster}}",
        "{{.at.url}}/{{.at.port}}/{{.at.none}}",
    );
    told(&go, &Answers::default(), &[("a", "x/8080/<no value>")]);
    let yaml = of(json!({"list": {"elementsYaml": "- {key: c1}\n- {key: c2}\n"}}), true, "{{.key}}", "x");
    told(&yaml, &Answers::default(), &[("c1", "x"), ("c2", "x")]);
}

#[test]
fn without_go_templates_a_lists_elements_are_texts() {
    for element in [json!({"port": 8080}), json!({"values": "x"}), json!({"values": {"a": 1}})] {
        let failure = fails(
            &of(json!({"list": {"elements": [element]}}), false, "a", "x"),
            &Answers::default(),
            "error parsing value",
        );
        assert_eq!(failure.reason, Reason::ParamsGeneration);
    }
}

/// Retold from `TestRenderTemplateParams` and `TestRenderTemplateParamsGoTemplate` (applicationset/utils/utils_test.go).
#[test]
fn texts_are_rendered_as_argo_renders_them() {
    let path = |is_go: bool, params: &Value, text: &str, options: &[&str]| {
        let mut set = of(json!({"list": {"elementsYaml": json!([params]).to_string()}}), is_go, "x", text);
        set.go_template_options = options.iter().map(|option| (*option).to_owned()).collect();
        match expand(&set, &Answers::default()) {
            Expansion::Generated(found) => Ok(found[0].str_at("/spec/source/path").unwrap_or_default().to_owned()),
            Expansion::Failed(failure) => Err(failure.message),
            other => panic!("{other:?}"),
        }
    };
    let one = json!({"one": "two", "three": "four", "": "empty", "{{one}}": "itself", "number": 3, "quoted": "\"hello\" world"});
    for (text, wanted) in [
        ("{{one}}", "two"),
        ("{{ one }}", "two"),
        ("}} {{", "}} {{"),
        ("{{ }}", "{{ }}"),
        ("{{ONE}}", "{{ONE}}"),
        ("{{one}}{{one}}", "twotwo"),
        ("{{one}}{{three}}", "twofour"),
        ("{{quoted}} {{three}}", "\"hello\" world four"),
        ("{{number}}", "{{number}}"),
        ("{{ one }}\n{{ none }}", "two\n{{ none }}"),
    ] {
        assert_eq!(path(false, &one, text, &[]).as_deref(), Ok(wanted), "{text}");
    }
    assert_eq!(
        path(false, &json!({"one": "{{three}}", "three": "x"}), "{{one}}", &[]).as_deref(),
        Ok("{{three}}"),
        "once"
    );
    assert!(path(false, &one, "{{one}} {{", &[]).expect_err("no end").contains("cannot find end tag"));
    let deep = json!({
        "image": {"version": "latest", "name": "web"}, "list": ["a", "b"], "yaml": "hello: world", "yes": "true",
        "array": "- hello world\n- bonjour tout le monde", "none": null, "foo": {"bar": {"bool": true, "number": 2}},
    });
    for (text, wanted) in [
        ("{{ .image.name }}:{{ .image.version }}", "web:latest"),
        ("{{ if .yes }}{{ .image.name }}{{ end }}", "web"),
        ("{{ range .list }}[{{ . }}]{{ end }}", "[a][b]"),
        ("{{ index .list 1 }} {{ index .image \"name\" }}", "b web"),
        ("--> {{.doesnotexist}} <--", "--> <no value> <--"),
        ("{{ toYaml .foo | indent 2 }}", "  bar:\n    bool: true\n    number: 2"),
        ("{{ get (fromYaml .yaml) \"hello\" }}", "world"),
        ("{{ fromYamlArray .array | last }}", "bonjour tout le monde"),
    ] {
        assert_eq!(path(true, &deep, text, &[]).as_deref(), Ok(wanted), "{text}");
    }
    for (text, options, words) in [
        (
            "{{functiondoesnotexist}}",
            &[][..],
            "failed to parse template {{functiondoesnotexist}}: template: base:1: function \"functiondoesnotexist\" not defined",
        ),
        (
            "{{.yaml.test}}",
            &[],
            "failed to execute go template {{.yaml.test}}: template: base:1:7: executing \"base\" at <.yaml.test>: can't evaluate field test in type interface {}",
        ),
        (
            "--> {{.doesnotexist}} <--",
            &["missingkey=error"],
            "failed to execute go template --> {{.doesnotexist}} <--: template: base:1:6: executing \"base\" at <.doesnotexist>: map has no entry for key \"doesnotexist\"",
        ),
        (
            "{{ get (fromYaml .image.name) \"hello\" }}",
            &[],
            "template: base:1:8: executing \"base\" at <fromYaml .image.name>: error calling fromYaml: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go value of type map[string]interface {}",
        ),
        (
            "{{ fromYamlArray .image.name | last }}",
            &[],
            "error calling fromYamlArray: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go value of type []interface {}",
        ),
    ] {
        let told = path(true, &deep, text, options).expect_err(text);
        assert!(told.ends_with(words), "{told}");
    }
    // Without any parameter nothing is rendered.
    let set = of(json!({"list": {"elements": [{}]}}), true, "x", "{{.data}}");
    told(&set, &Answers::default(), &[("x", "{{.data}}")]);
}

/// Retold from `TestRenderGeneratorParams_Values`.
#[test]
fn values_of_the_second_generator_name_the_first_and_their_own() {
    let first = |is_go: bool| match is_go {
        true => json!({"list": {"elements": [{"path": {"basename": "guestbook"}}]}}),
        false => json!({"list": {"elements": [{"path.basename": "guestbook"}]}}),
    };
    let values = |is_go: bool, values: Value, options: &[&str]| {
        let second = json!({"clusters": {"values": values}});
        let mut set = of(
            json!({"matrix": {"generators": [first(is_go), second]}}),
            is_go,
            "x",
            if is_go { "{{.values | toJson}}" } else { "{{values.env}} {{values.own}}" },
        );
        set.go_template_options = options.iter().map(|option| (*option).to_owned()).collect();
        match expand(&set, &answers_of(&[])) {
            Expansion::Generated(found) => Ok(found[0].str_at("/spec/source/path").unwrap_or_default().to_owned()),
            Expansion::Failed(failure) => Err(failure.message),
            other => panic!("{other:?}"),
        }
    };
    let both = json!({"env": "{{.path.basename}}", "own": "{{.name}}", "static": "some-value"});
    for options in [&["missingkey=error"][..], &[]] {
        let told = values(true, both.clone(), options);
        assert_eq!(told.as_deref(), Ok(r#"{"env":"guestbook","own":"in-cluster","static":"some-value"}"#));
    }
    let plain = values(false, json!({"env": "{{path.basename}}", "own": "{{name}}"}), &[]);
    assert_eq!(plain.as_deref(), Ok("guestbook in-cluster"));
    for (text, words) in [
        ("{{.path.basename", "failed to parse template"),
        ("{{mustFromJson \"not-valid-json\"}}", "failed to execute go template"),
    ] {
        let told = values(true, json!({"bad": text}), &["missingkey=error"]).expect_err(text);
        assert!(told.contains(&format!("failed to pre-resolve Values key \"bad\": {words}")), "{told}");
    }
}

#[test]
fn directories_of_git_are_included_and_excluded() {
    let paths = [("app1/a", ""), ("app2/a", ""), ("app_3/a", ""), ("p1/app4/a", ""), (".hidden/a", ""), ("x.yaml", "")];
    let answers = answers(&paths, &[]);
    let git = |directories: Value| json!({"git": {"repoURL": REPO, "revision": "HEAD", "directories": directories}});
    let star =
        of(git(json!([{"path": "*"}])), false, "{{path.basename}}", "{{path}} {{path[0]}} {{path.basenameNormalized}}");
    told(
        &star,
        &answers,
        &[("app1", "app1 app1 app1"), ("app2", "app2 app2 app2"), ("app_3", "app_3 app_3 app-3"), ("p1", "p1 p1 p1")],
    );
    let less = git(
        json!([{"path": "*"}, {"path": "*/*"}, {"path": "p1/*", "exclude": true}, {"path": "p1", "exclude": true}]),
    );
    told(
        &of(less, true, "{{.path.basename}}", "{{index .path.segments 0}} {{.path.path}}"),
        &answers,
        &[("app1", "app1 app1"), ("app2", "app2 app2"), ("app_3", "app_3 app_3")],
    );
    let none = of(git(json!([{"path": "nowhere/*"}])), true, "x", "x");
    told(&none, &answers, &[]);
}

#[test]
fn a_prefix_stands_before_the_path_of_git() {
    let answers = answers(&[("apps/web/a", "")], &[]);
    let git = json!({"git": {"repoURL": REPO, "revision": "HEAD", "directories": [{"path": "apps/*"}], "pathParamPrefix": "my"}});
    told(
        &of(git.clone(), false, "{{my.path.basename}}", "{{my.path}} {{my.path[1]}}"),
        &answers,
        &[("web", "apps/web web")],
    );
    told(&of(git, true, "{{.my.path.basename}}", "{{.my.path.path}}"), &answers, &[("web", "apps/web")]);
}

#[test]
fn files_of_git_are_parameters() {
    let paths = [
        (
            "cluster-config/production/config.json",
            r#"{"cluster": {"owner": "me", "size": 3}, "key": [1, {"a": true}], "none": {}}"#,
        ),
        ("cluster-config/staging/config.yaml", "- {cluster: {owner: you}}\n- {cluster: {owner: them}}\n"),
        ("cluster-config/staging/notes.txt", "x"),
    ];
    let answers = answers(&paths, &[]);
    let git = |path: &str| json!({"git": {"repoURL": REPO, "revision": "HEAD", "files": [{"path": path}]}});
    let plain = of(
        git("**/config.json"),
        false,
        "{{cluster.owner}}-{{path.basename}}",
        "{{path}} {{path.filename}} {{key.0}} {{key.1.a}} {{cluster.size}} {{path[1]}}",
    );
    told(&plain, &answers, &[("me-production", "cluster-config/production config.json 1 true 3 production")]);
    let go = of(
        git("cluster-config/**/config.yaml"),
        true,
        "{{.cluster.owner}}",
        "{{.path.filenameNormalized}} {{.path.basename}}",
    );
    told(&go, &answers, &[("you", "config.yaml staging"), ("them", "config.yaml staging")]);
    let excluded = json!({"git": {"repoURL": REPO, "revision": "HEAD", "files": [{"path": "cluster-config/*"}, {"path": "*.txt", "exclude": true}, {"path": "*.yaml", "exclude": true}]}});
    told(&of(excluded, true, "{{.path.basename}}", "x"), &answers, &[("production", "x")]);
    fails(&of(git("*.txt"), true, "x", "x"), &answers, "unable to process file 'cluster-config/staging/notes.txt'");
}

#[test]
fn a_file_that_is_empty_has_a_path_alone() {
    let answers = answers(&[("a/empty.yaml", "")], &[]);
    let git = json!({"git": {"repoURL": REPO, "revision": "HEAD", "files": [{"path": "a/*.yaml"}], "values": {"env": "{{ .path.basename }}-x"}}});
    told(
        &of(git, true, "{{.path.filename}}", "{{.values.env}}{{.values.none}}"),
        &answers,
        &[("empty.yaml", "a-x<no value>")],
    );
}

#[test]
fn clusters_are_those_of_secrets_and_the_own_one_without_a_selector() {
    let known = [
        cluster(
            "prod_01/west",
            "https://west.example.com",
            &[("env", "prod"), ("argocd.argoproj.io/secret-type", "cluster")],
        ),
        cluster("test", "https://test.example.com", &[("env", "test")]),
    ];
    let answers = answers(&[], &known);
    let all = of(json!({"clusters": {}}), false, "{{nameNormalized}}", "{{server}} {{metadata.labels.env}}");
    told(
        &all,
        &answers,
        &[
            ("prod-01-west", "https://west.example.com prod"),
            ("test", "https://test.example.com test"),
            ("in-cluster", "https://kubernetes.default.svc {{metadata.labels.env}}"),
        ],
    );
    let go = of(
        json!({"clusters": {"selector": {"matchExpressions": [{"key": "env", "operator": "In", "values": ["prod"]}]}, "values": {"at": "{{.metadata.labels.env}}-{{.name}}"}}}),
        true,
        "{{.nameNormalized}}",
        "{{.values.at}}{{.metadata.labels.none}}",
    );
    told(&go, &answers, &[("prod-01-west", "prod-prod_01/west<no value>")]);
    let own = answers_of(&[cluster("here", "https://kubernetes.default.svc", &[])]);
    told(&of(json!({"clusters": {}}), true, "{{.name}}", "x"), &own, &[("here", "x")]);
    let flat = of(json!({"clusters": {"flatList": true}}), true, "all", "{{range .clusters}}{{.name}} {{end}}");
    told(&flat, &answers, &[("all", "prod_01/west test in-cluster ")]);
    fails(
        &of(
            json!({"clusters": {"selector": {"matchExpressions": [{"key": "a", "operator": "Like", "values": ["b"]}]}}}),
            true,
            "x",
            "x",
        ),
        &answers,
        "not a valid label selector operator",
    );
}

fn answers_of(clusters: &[Cluster]) -> Answers<'static> {
    answers(&[], clusters)
}

#[test]
fn values_do_not_see_each_other() {
    let answers = answers_of(&[]);
    let values = json!({"a": "{{name}}", "b": "{{values.a}}", "lol": "{{values.lol}}{{values.lol}}"});
    let set = of(json!({"clusters": {"values": values}}), false, "{{values.a}}", "{{values.b}} {{values.lol}}");
    told(&set, &answers, &[("in-cluster", "{{values.a}} {{values.lol}}{{values.lol}}")]);
}

#[test]
fn a_selector_chooses_among_parameters() {
    let elements =
        json!([{"env": "prod", "size": 3, "deep": {"x": "1"}}, {"env": "test", "size": 1, "deep": {"x": "2"}}]);
    let of_selector =
        |selector: Value| of(json!({"list": {"elements": elements}, "selector": selector}), true, "{{.env}}", "x");
    told(&of_selector(json!({"matchLabels": {"env": "prod"}})), &Answers::default(), &[("prod", "x")]);
    told(&of_selector(json!({"matchLabels": {"deep.x": "2"}})), &Answers::default(), &[("test", "x")]);
    told(
        &of_selector(json!({"matchExpressions": [{"key": "size", "operator": "NotIn", "values": ["3"]}]})),
        &Answers::default(),
        &[("test", "x")],
    );
    told(&of_selector(json!({"matchExpressions": [{"key": "none", "operator": "Exists"}]})), &Answers::default(), &[]);
    told(&of_selector(json!({})), &Answers::default(), &[("prod", "x"), ("test", "x")]);
    // A set of labels from clusters is looked through, too (argo-cd 29,000s: nested labels were not).
    let labelled = of(
        json!({"clusters": {}, "selector": {"matchLabels": {"metadata.labels.env": "prod"}}}),
        true,
        "{{.name}}",
        "x",
    );
    told(
        &labelled,
        &answers_of(&[cluster("a", "https://a", &[("env", "prod")]), cluster("b", "https://b", &[("env", "dev")])]),
        &[("a", "x")],
    );
}

#[test]
fn a_matrix_is_each_with_each() {
    let answers = answers(&[("apps/web/a", ""), ("apps/db/a", "")], &[]);
    let git = json!({"git": {"repoURL": REPO, "revision": "HEAD", "directories": [{"path": "apps/*"}]}});
    let list = json!({"list": {"elements": [{"env": "prod"}, {"env": "test"}]}});
    let plain = of(json!({"matrix": {"generators": [git, list]}}), false, "{{path.basename}}-{{env}}", "{{path}}");
    told(
        &plain,
        &answers,
        &[("db-prod", "apps/db"), ("db-test", "apps/db"), ("web-prod", "apps/web"), ("web-test", "apps/web")],
    );
    let words = [(json!([list]), "less than two"), (json!([list, list, list]), "more than two")];
    for (generators, words) in words {
        fails(&of(json!({"matrix": {"generators": generators}}), true, "x", "x"), &answers, words);
    }
    let two = json!({"matrix": {"generators": [{"list": {"elements": []}, "clusters": {}}, list]}});
    fails(&of(two, true, "x", "x"), &answers, "more than one generator");
    fails(&of(json!({"matrix": {"generators": [{}, list]}}), true, "x", "x"), &answers, "a generator is empty");
}

#[test]
fn in_a_matrix_the_first_wins_and_texts_must_agree() {
    let a = json!({"list": {"elements": [{"env": "prod", "only": "a", "empty": ""}]}});
    let b = json!({"list": {"elements": [{"env": "test", "more": "b", "empty": "filled"}]}});
    let both = json!({"matrix": {"generators": [a, b]}});
    told(
        &of(both.clone(), true, "{{.env}}-{{.only}}-{{.more}}-{{.empty}}", "x"),
        &Answers::default(),
        &[("prod-a-b-filled", "x")],
    );
    fails(&of(both, false, "x", "x"), &Answers::default(), "found duplicate key");
}

#[test]
fn the_second_of_a_matrix_is_made_of_the_first() {
    let mut answers = Answers::default();
    answers.files(
        REPO,
        "HEAD",
        Ok(files(&[
            ("teams/a/team.yaml", "repo: https://git.example.com/a\n"),
            ("teams/b/team.yaml", "repo: https://git.example.com/b\n"),
        ])),
    );
    let first = json!({"git": {"repoURL": REPO, "revision": "HEAD", "files": [{"path": "teams/*/team.yaml"}]}});
    let second = json!({"git": {"repoURL": "{{.repo}}", "revision": "HEAD", "directories": [{"path": "{{.path.basename}}/*"}], "pathParamPrefix": "app", "values": {"who": "{{.path.basename}}", "what": "{{.app.path.basename}}"}}});
    let set = of(
        json!({"matrix": {"generators": [first, second]}}),
        true,
        "{{.values.who}}-{{.values.what}}",
        "{{.app.path.path}}",
    );
    let Expansion::Unanswered(asked) = expand(&set, &answers) else { panic!("nobody has said what they hold") };
    let wanted = ["https://git.example.com/a", "https://git.example.com/b"];
    let files_of =
        |repository: &str| Question::Files { repository: repository.to_owned(), revision: "HEAD".to_owned() };
    assert_eq!(asked, wanted.map(files_of).into(), "both are asked for at once");
    answers.files(wanted[0], "HEAD", Ok(files(&[("a/x/y", ""), ("b/z/y", "")])));
    answers.files(wanted[1], "HEAD", Ok(files(&[("b/q/y", "")])));
    told(&set, &answers, &[("a-x", "a/x"), ("b-q", "b/q")]);
}

#[test]
fn a_matrix_may_hold_a_merge_of_simple_generators_and_nothing_deeper() {
    let list = |elements: Value| json!({"list": {"elements": elements}});
    let merge = json!({"merge": {"mergeKeys": ["env"], "generators": [list(json!([{"env": "prod", "size": "1"}])), list(json!([{"env": "prod", "size": "2"}]))]}});
    let set =
        of(json!({"matrix": {"generators": [merge, list(json!([{"app": "web"}]))]}}), true, "{{.app}}-{{.size}}", "x");
    told(&set, &Answers::default(), &[("web-2", "x")]);
    let deep = json!({"matrix": {"generators": [{"matrix": {"generators": [merge, merge]}}, list(json!([]))]}});
    fails(&of(deep, true, "x", "x"), &Answers::default(), "nested too deep");
}

#[test]
fn a_merge_puts_later_parameters_over_those_of_the_same_keys() {
    let list = |elements: Value| json!({"list": {"elements": elements}});
    let base = list(json!([{"name": "a", "size": "1", "zone": "x"}, {"name": "b", "size": "1", "zone": "y"}]));
    let over = list(json!([{"name": "b", "size": "9", "zone": ""}, {"name": "c", "size": "7"}]));
    let merge = |keys: Value, generators: Value| json!({"merge": {"mergeKeys": keys, "generators": generators}});
    let go = of(merge(json!(["name"]), json!([base, over])), true, "{{.name}}", "{{.size}}{{.zone}}");
    told(&go, &Answers::default(), &[("a", "1x"), ("b", "9y")]);
    let plain = of(merge(json!(["name"]), json!([base, over])), false, "{{name}}", "{{size}}{{zone}}");
    told(&plain, &Answers::default(), &[("a", "1x"), ("b", "9")]);
    for (set, words) in [
        (merge(json!([]), json!([base, over])), "no merge keys"),
        (merge(json!(["name"]), json!([base])), "less than two"),
        (merge(json!(["none"]), json!([base, over])), "not unique"),
    ] {
        fails(&of(set, true, "x", "x"), &Answers::default(), words);
    }
}

#[test]
fn a_plugin_answers_with_parameters_and_is_told_its_own() {
    let generator = json!({"plugin": {"configMapRef": {"name": "sizes"}, "input": {"parameters": {"team": "a"}}, "values": {"at": "{{.deep.zone}}"}}});
    let set = of(generator.clone(), true, "{{.name}}", "{{.values.at}} {{.generator.input.parameters.team}}");
    let Expansion::Unanswered(asked) = expand(&set, &Answers::default()) else {
        panic!("nobody has asked the service")
    };
    let Some(Question::Plugin(query)) = asked.first().cloned() else { panic!("{asked:?}") };
    assert_eq!((query.config_map.as_str(), query.parameters.as_str()), ("sizes", r#"{"team":"a"}"#));
    let answer = json!({"name": "web", "deep": {"zone": "x"}, "size": 3});
    let mut answers = Answers::default();
    answers.plugin(query.clone(), Ok(vec![answer.as_object().cloned().expect("a map")]));
    told(&set, &answers, &[("web", "x a")]);
    let mut plain = generator;
    plain["plugin"]["values"] = json!({"at": "{{deep.zone}}"});
    told(&of(plain, false, "{{name}}", "{{values.at}} {{size}}"), &answers, &[("web", "x 3")]);
    answers.plugin(query, Err(Unanswered::Failed("503".to_owned())));
    fails(&set, &answers, "error listing params: 503");
    fails(&of(json!({"plugin": {}}), true, "x", "x"), &answers, "configMapRef.name is missing");
}

#[test]
fn an_element_without_anything_has_no_parameters() {
    told(&of(json!({"list": {"elements": [null]}}), false, "x", "{{path}}"), &Answers::default(), &[("x", "{{path}}")]);
}

fn pull(number: u64, branch: &str, labels: &[&str]) -> PullRequest {
    PullRequest {
        number,
        title: format!("Change {number}"),
        branch: branch.to_owned(),
        target_branch: "main".to_owned(),
        head_sha: "089d92cbf9ff857a39e6feccd32798ca700fb958".to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        author: "ada".to_owned(),
    }
}

#[test]
fn pull_requests_give_their_branch_and_commit() {
    let generator = json!({"pullRequest": {"github": {"owner": "team", "repo": "shop", "labels": ["preview"], "tokenRef": {"secretName": "gh", "key": "token"}}, "filters": [{"branchMatch": "^feature"}, {"titleMatch": "7$"}]}});
    let set = of(
        generator,
        true,
        "{{.number}}-{{.branch_slug}}",
        "{{.head_short_sha}} {{.head_short_sha_7}} {{.target_branch}} {{.author}} {{.labels | toJson}}",
    );
    let Expansion::Unanswered(asked) = expand(&set, &Answers::default()) else { panic!("nobody has asked the forge") };
    let Some(Question::PullRequests(query)) = asked.first().cloned() else { panic!("{asked:?}") };
    assert_eq!(
        (query.forge, query.project.as_str(), query.labels.as_slice()),
        (Forge::GitHub, "team/shop", &["preview".to_owned()][..])
    );
    assert_eq!(query.token, Some(SecretRef { name: "gh".to_owned(), key: "token".to_owned() }));
    let mut answers = Answers::default();
    answers.pull_requests(
        query.clone(),
        Ok(vec![pull(1, "feature/Big_Thing", &["preview"]), pull(2, "fix", &[]), pull(7, "x", &[])]),
    );
    told(
        &set,
        &answers,
        &[("1-feature-big-thing", r#"089d92cb 089d92c main ada ["preview"]"#), ("7-x", "089d92cb 089d92c main ada []")],
    );
    answers.pull_requests(query, Err(Unanswered::NoRepository("404".to_owned())));
    fails(&set, &answers, "error listing repos: 404");
}

#[test]
fn a_repository_that_is_not_there_counts_as_empty_only_where_that_is_wanted() {
    let generator = json!({"pullRequest": {"gitea": {"owner": "a", "repo": "b", "api": "https://gitea.example.com"}, "continueOnRepoNotFoundError": true}});
    let set = of(generator, false, "{{branch}}", "x");
    let Expansion::Unanswered(asked) = expand(&set, &Answers::default()) else { panic!("nobody has asked the forge") };
    let Some(Question::PullRequests(query)) = asked.first().cloned() else { panic!("{asked:?}") };
    let mut answers = Answers::default();
    answers.pull_requests(query.clone(), Err(Unanswered::NoRepository("404".to_owned())));
    told(&set, &answers, &[]);
    answers.pull_requests(query, Err(Unanswered::Failed("502".to_owned())));
    fails(&set, &answers, "502");
}

#[test]
fn every_text_of_a_template_is_rendered_and_nothing_else() {
    let mut set =
        of(json!({"list": {"elements": [{"name": "web", "wave": "3", "replicas": 2}]}}), true, "{{.name}}", "x");
    set.template = json!({
        "metadata": {"name": "{{.name}}", "namespace": "elsewhere", "labels": {"{{.name}}-label": "{{.wave}}"}, "annotations": {"argocd.argoproj.io/sync-wave": "{{.wave}}"}},
        "spec": {
            "project": "default",
            "source": {"repoURL": REPO, "path": "x", "helm": {"valuesObject": {"replicas": "{{.replicas}}", "deep": [{"a": "{{.name}}"}], "gone": null}, "values": "a: {{ .replicas }}\n"}},
            "destination": {"server": "https://kubernetes.default.svc"}, "revisionHistoryLimit": 3,
        },
    });
    let found = generated(&set, &Answers::default());
    let one = found.first().expect("one");
    assert_eq!(one.namespace(), Some("argocd"), "it lives where its set does");
    assert_eq!(one.label("web-label"), Some("3"));
    assert_eq!(one.annotation("argocd.argoproj.io/sync-wave"), Some("3"));
    assert_eq!(one.at("/spec/source/helm/valuesObject"), Some(&json!({"replicas": "2", "deep": [{"a": "web"}]})));
    assert_eq!(one.str_at("/spec/source/helm/values"), Some("a: 2\n"));
    assert_eq!(one.at("/spec/revisionHistoryLimit"), Some(&json!(3)));
}

#[test]
fn an_application_takes_along_what_it_delivered_unless_that_is_to_be_kept() {
    let finalizers = |policy: Value, own: Value, elements: Value| {
        let mut set = of(json!({"list": {"elements": elements}}), true, "x", "x");
        set.template["metadata"]["finalizers"] = own;
        set.policy = serde_json::from_value(policy).expect("a policy");
        let found = generated(&set, &Answers::default());
        found[0].finalizers().map(str::to_owned).collect::<Vec<_>>()
    };
    let one = json!([{"a": "b"}]);
    assert_eq!(finalizers(json!({}), json!([]), one.clone()), [crate::machine::CASCADE]);
    assert!(finalizers(json!({"preserveResourcesOnDeletion": true}), json!([]), one.clone()).is_empty());
    assert_eq!(finalizers(json!({}), json!(["mine/x"]), one.clone()), ["mine/x"]);
    assert_eq!(finalizers(json!({"preserveResourcesOnDeletion": true}), json!(["mine/x"]), one), ["mine/x"]);
    assert!(finalizers(json!({}), json!([]), json!([{}])).is_empty(), "without parameters nothing is rendered");
}

#[test]
fn functions_are_sprigs_without_the_machine_and_argos_own() {
    let says = |text: &str| {
        let set = of(
            json!({"list": {"elements": [{"name": "Mein_Name.de", "map": {"b": [1, "x"]}, "yaml": "a: {c: 1}"}]}}),
            true,
            "x",
            text,
        );
        expand(&set, &Answers::default())
    };
    let path = |text: &str| match says(text) {
        Expansion::Generated(found) => found[0].str_at("/spec/source/path").unwrap_or_default().to_owned(),
        other => panic!("{text}: {other:?}"),
    };
    for (text, wanted) in [
        ("{{ normalize .name }}", "mein-name.de"),
        ("{{ slugify .name }}", "mein-name-de"),
        ("{{ slugify 6 true .name }}", "mein"),
        ("{{ slugify 6 false .name }}", "mein-n"),
        ("{{ .map | toYaml }}", "b:\n- 1\n- x"),
        ("{{ (fromYaml .yaml).a.c }}", "1"),
        ("{{ index (fromYamlArray \"[7, 8]\") 1 }}", "8"),
        ("{{ .name | upper | trunc 4 }}", "MEIN"),
        ("{{ default \"y\" .none }}", "y"),
        ("{{ .none }}", "<no value>"),
        ("{{- define \"t\" }}{{ . }}!{{ end }}{{ template \"t\" .name }}", "Mein_Name.de!"),
        ("no template }} at all", "no template }} at all"),
    ] {
        assert_eq!(path(text), wanted, "{text}");
    }
    for text in [
        "{{ env \"HOME\" }}",
        "{{ expandenv \"$HOME\" }}",
        "{{ getHostByName \"localhost\" }}",
        "{{ toToml .map }}",
        "{{ include \"x\" . }}",
        "{{ fromYaml \"[\" }}",
        "{{ .name",
        "{{ template \"t\" . }}",
    ] {
        let Expansion::Failed(failure) = says(text) else { panic!("{text} is refused") };
        assert_eq!(failure.reason, Reason::RenderTemplate, "{text}");
    }
}

#[test]
fn options_say_what_becomes_of_what_is_missing() {
    let of_options = |options: Value| {
        let mut set = of(json!({"list": {"elements": [{"a": "b"}]}}), true, "x", "{{ .none }}");
        set.go_template_options = serde_json::from_value(options).expect("options");
        set
    };
    told(&of_options(json!(["missingkey=default"])), &Answers::default(), &[("x", "<no value>")]);
    fails(&of_options(json!(["missingkey=error"])), &Answers::default(), "map has no entry for key \"none\"");
    fails(&of_options(json!(["missingkey=perhaps"])), &Answers::default(), "unrecognized option: missingkey=perhaps");
}

#[test]
fn a_patch_changes_all_but_the_project() {
    let mut set =
        of(json!({"list": {"elements": [{"name": "web", "prune": true, "list": ["a", "b"]}]}}), true, "{{.name}}", "x");
    set.template["metadata"]["finalizers"] = json!(["mine/a"]);
    set.template["spec"]["syncPolicy"] = json!({"syncOptions": ["A=true"], "retry": {"limit": 2}});
    set.template_patch = Some(
        "metadata:\n  finalizers: [mine/b]\n  labels: {patched: '{{.name}}'}\nspec:\n  project: admin\n  source: {path: null}\n  syncPolicy:\n    {{- if .prune }}\n    automated: {prune: true}\n    {{- end }}\n    syncOptions: [B=true]\n    retry: {$patch: delete}\n  source:\n    helm:\n      valueFiles:\n      {{- range .list }}\n      - {{ . }}.yaml\n      {{- end }}\n".replace("  source: {path: null}\n", ""),
    );
    let found = generated(&set, &Answers::default());
    let one = &found[0];
    assert_eq!(one.str_at("/spec/project"), Some("default"), "a patch moves nothing into another project");
    assert_eq!(one.at("/spec/syncPolicy"), Some(&json!({"automated": {"prune": true}, "syncOptions": ["B=true"]})));
    assert_eq!(one.at("/spec/source/helm/valueFiles"), Some(&json!(["a.yaml", "b.yaml"])));
    assert_eq!(one.str_at("/spec/source/path"), Some("x"));
    assert_eq!(one.label("patched"), Some("web"));
    assert_eq!(one.finalizers().collect::<Vec<_>>(), ["mine/a", "mine/b"]);
    for (patch, words) in [
        ("- a", "it is no map"),
        ("spec: 1", "spec is no map"),
        ("a: [", "invalid templatePatch"),
        ("{{ .name.deep }}", "error replacing values"),
    ] {
        set.template_patch = Some(patch.to_owned());
        fails(&set, &Answers::default(), words);
    }
}

#[test]
fn a_generators_own_template_fills_in_before_the_sets() {
    let mut set = of(
        json!({"list": {"elements": [{"a": "b"}], "template": {"metadata": {"labels": {"own": "x"}}, "spec": {"source": {"path": "own"}}}}}),
        true,
        "name",
        "sets",
    );
    set.template["metadata"]["labels"] = json!({"own": "y", "more": "z"});
    let found = generated(&set, &Answers::default());
    assert_eq!(found[0].at("/metadata/labels"), Some(&json!({"own": "x", "more": "z"})));
    assert_eq!(found[0].str_at("/spec/source/path"), Some("own"));
    assert_eq!(found[0].str_at("/spec/source/targetRevision"), Some("main"));
}

#[test]
fn one_generator_that_fails_generates_nothing() {
    let good = json!({"list": {"elements": [{"a": "b"}]}});
    let repository =
        json!({"git": {"repoURL": "https://git.example.com/gone", "revision": "", "directories": [{"path": "*"}]}});
    let mut answers = answers_of(&[]);
    answers.files("https://git.example.com/gone", "", Err(Unanswered::Failed("it does not answer".to_owned())));
    let of_both = |bad: Value| {
        let mut set = of(good.clone(), true, "x", "x");
        set.generators.push(bad);
        set
    };
    fails(&of_both(repository), &answers, "it does not answer");
    for unknown in ["scmProvider", "clusterDecisionResource", "gits"] {
        fails(&of_both(json!({unknown: {}})), &answers, &format!("the generator {unknown} is not acted on"));
    }
    fails(&of_both(json!({})), &answers, "a generator is empty");
    fails(&of_both(json!({"git": {"repoURL": REPO, "revision": "HEAD"}})), &answers, "neither directories nor files");
    fails(&of_both(json!({"pullRequest": {}})), &answers, "no Pull Request provider");
    fails(&of_both(json!({"list": {"elements": ["x"]}})), &answers, "no map");
}

/// What errs, does not answer or answers in part: one generator among others, in whatever it is nested.
#[test]
fn whichever_generator_has_no_answer_nothing_is_generated() {
    let list = json!({"list": {"elements": [{"name": "a", "repo": REPO}, {"name": "b", "repo": "https://git.example.com/gone"}]}});
    let clusters = json!({"clusters": {}});
    let pulls = json!({"pullRequest": {"github": {"owner": "a", "repo": "b"}}});
    let plugin = json!({"plugin": {"configMapRef": {"name": "sizes"}}});
    let each = json!({"git": {"repoURL": "{{.repo}}", "revision": "HEAD", "directories": [{"path": "*"}]}});
    let files = json!({"git": {"repoURL": REPO, "revision": "HEAD", "files": [{"path": "*.json"}]}});
    let matrix = |a: &Value, b: &Value| json!({"matrix": {"generators": [a, b]}});
    let merge = |a: &Value, b: &Value| json!({"merge": {"mergeKeys": ["name"], "generators": [a, b]}});
    let why = || Unanswered::Failed("it does not answer".to_owned());
    let mut silent = answers(&[("a/x", ""), ("broken.json", "{")], &[]);
    silent.files("https://git.example.com/gone", "HEAD", Err(why()));
    silent.clusters(Err(why()));
    for (generator, words) in [
        (clusters.clone(), "error getting cluster secrets: it does not answer"),
        (pulls.clone(), "error listing repos: it does not answer"),
        (plugin.clone(), "error listing params: it does not answer"),
        (files, "unable to process file 'broken.json'"),
        // One of two repositories answers: that is a part.
        (matrix(&list, &each), "it does not answer"),
        (matrix(&clusters, &list), "it does not answer"),
        (matrix(&list, &pulls), "it does not answer"),
        (merge(&list, &clusters), "it does not answer"),
        (merge(&list, &plugin), "it does not answer"),
    ] {
        let mut set = of(json!({"list": {"elements": [{"name": "well"}]}}), true, "{{.name}}", "x");
        set.generators.push(generator.clone());
        let mut answers = silent.clone();
        if let Expansion::Unanswered(asked) = expand(&set, &answers) {
            for question in asked {
                match question {
                    Question::PullRequests(query) => answers.pull_requests(query, Err(why())),
                    Question::Plugin(query) => answers.plugin(query, Err(why())),
                    other => panic!("{other:?}"),
                }
            }
        }
        let failure = fails(&set, &answers, words);
        assert_eq!(failure.reason, Reason::ParamsGeneration, "{generator}");
    }
}
