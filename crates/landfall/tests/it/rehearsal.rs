//! `rehearse`, `preview`, `rules`, `explain`, and snapshots, through the binary.

use super::sandbox::{Sandbox, small_chart};

const TEMPLATE: &str = "shop/templates/all.yaml";

fn shop() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.commit("Begin");
    sandbox
}

#[test]
fn a_rehearsal_says_in_order_whether_what_and_what_not() {
    let ran = shop().run(&["rehearse", "./shop", "-n", "web"]).exits(0);
    let sections = [
        "would deliver cleanly: ",
        "first install on an empty cluster",
        // The namespace is one of them.
        "what it does: 4 created",
        "what is risky:",
        "no findings",
        "what could not be simulated:",
    ];
    let mut at = 0;
    for section in sections {
        let found = ran.stdout[at..].find(section).unwrap_or_else(|| panic!("{section:?} in order\n{}", ran.all()));
        at += found;
    }
}

#[test]
fn nothing_is_written_and_no_server_stays() {
    let sandbox = shop();
    sandbox.run(&["rehearse", "./shop"]).exits(0);
    assert!(!sandbox.root().join(".landfall/cluster.db").exists());
    assert!(!sandbox.root().join(".landfall/endpoint.json").exists());
}

#[test]
fn one_missing_key_is_one_finding_with_its_lines_and_commit() {
    let sandbox = shop();
    sandbox.edit(
        TEMPLATE,
        "envFrom: [{configMapRef: {name: {{ .Release.Name }}}}]",
        "env: [{name: COLOR, valueFrom: {configMapKeyRef: {name: {{ .Release.Name }}, key: {{ .Values.key }}}}}]",
    );
    sandbox.edit("shop/values.yaml", "replicas: 1", "key: colour\nreplicas: 1");
    sandbox.commit("Read the colour");
    let ran = sandbox.run(&["rehearse", "./shop"]).exits(1).says("would NOT deliver");
    assert_eq!(ran.stdout.matches("error[LF103]").count(), 1, "{}", ran.all());
    let wanted = [
        "key `colour` of ConfigMap `shop` is neither delivered nor on the cluster",
        "Deployment/shop (default), container app",
        "shop/values.yaml:1",
        "Read the colour",
        "shop/templates/all.yaml:",
        "did you mean `color`?",
    ];
    for text in wanted {
        assert!(ran.stdout.contains(text), "{text:?} is not said\n{}", ran.all());
    }
}

#[test]
fn two_revisions_are_read_without_a_checkout_and_the_second_goes_onto_the_first() {
    let sandbox = shop();
    sandbox.edit("shop/values.yaml", "app:1.0.0", "app:1.1.0");
    sandbox.commit("Raise");
    sandbox.edit("shop/values.yaml", "app:1.1.0", "app:9.9.9");
    let ran = sandbox.run(&["rehearse", "HEAD~1..HEAD", "./shop", "-o", "json"]).exits(0);
    let data = &ran.json()["data"];
    let trial = &data["trials"][0];
    assert_eq!(trial["start"]["from"], "revision", "{}", ran.all());
    let text = trial.to_string();
    assert!(text.contains("app:1.1.0") && !text.contains("app:9.9.9"), "{text}");
    assert_eq!(trial["impact"]["restarts"][0]["object"]["name"], "shop");
    assert_eq!(data["trials"][1]["start"]["from"], "empty");
}

#[test]
fn what_is_not_committed_goes_onto_what_is() {
    let sandbox = shop();
    sandbox.edit("shop/values.yaml", "color: blue", "color: red");
    sandbox
        .run(&["rehearse", "./shop"])
        .exits(0)
        .says("upgrade from what HEAD (")
        .says("~ ConfigMap/shop")
        .says("data.color blue → red");
}

#[test]
fn a_fault_is_rehearsed_with_its_evidence() {
    let sandbox = shop();
    sandbox
        .run(&["rehearse", "./shop", "--fault", "deployment/shop=crashloop"])
        .exits(1)
        .says("would NOT deliver")
        .says("Deployment/shop")
        .says("nothing beside what fails");
    sandbox
        .run(&["rehearse", "./shop", "--fault", "deployment/shop=crashlop"])
        .exits(2)
        .says("did you mean `crashloop`?");
}

#[test]
fn what_is_no_chart_or_does_not_render_ends_with_2() {
    let sandbox = shop();
    sandbox.write("empty/readme.txt", "nothing");
    sandbox.run(&["rehearse", "./empty"]).exits(2);
    sandbox.run(&["rehearse", "./nowhere"]).exits(2);
    sandbox.edit(TEMPLATE, "replicas: {{ .Values.replicas }}", "replicas: {{ .Values.replicas | nope }}");
    sandbox.run(&["rehearse", "./shop"]).exits(2).says("nope");
    sandbox.run(&["rehearse", "./shop", "--from", "nowhere"]).says("nowhere");
}

#[test]
fn a_name_that_a_template_left_as_it_was_is_looked_up_in_vain() {
    let sandbox = shop();
    sandbox.write(
        "shop/templates/found.yaml",
        "{{ if not (lookup \"v1\" \"ConfigMap\" .Release.Namespace .Values.asked) }}\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {name: found}\n{{ end }}\n",
    );
    let rehearse =
        |name: &str| sandbox.run(&["rehearse", "./shop", "--from", "empty", "--set-literal", &format!("asked={name}")]);
    rehearse("{{ template \"shop.name\" . }}").exits(0);
    rehearse("../secrets").exits(1).says("its name cannot stand in a URL");
}

/// LP-115: an Application is rendered without a cluster elsewhere; what it would keep by looking it up is an error with its line.
#[test]
fn lp_115_a_lookup_that_nobody_would_answer_is_an_error_and_not_an_empty_answer() {
    let sandbox = shop();
    sandbox.write("shop/templates/accounts.yaml", "{{- $old := lookup \"v1\" \"Secret\" .Release.Namespace \"accounts\" }}\napiVersion: v1\nkind: Secret\nmetadata: {name: accounts}\ndata:\n  PASSWORD: {{ dig \"data\" \"PASSWORD\" (\"first\" | b64enc) $old }}\n");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments: {local: {applications: apps/*.yaml}}\n",
    );
    sandbox.write("apps/shop.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop, namespace: argocd}\nspec:\n  project: default\n  source: {repoURL: \"https://git.example.com/shop.git\", targetRevision: main, path: shop}\n  destination: {server: \"https://kubernetes.default.svc\", namespace: shop}\n");
    sandbox.git(&["remote", "add", "origin", "https://git.example.com/shop.git"]);
    sandbox.commit("Deliver it by an Application");
    let told = sandbox.run(&["rehearse", "--from", "empty"]).exits(1).says("error[LF102]").says("Secret `accounts`");
    assert!(told.all().contains("shop/templates/accounts.yaml:"), "{}", told.all());
}

#[test]
fn sarif_names_rule_file_and_line() {
    let sandbox = shop();
    sandbox.edit(TEMPLATE, "configMapRef: {name: {{ .Release.Name }}}", "configMapRef: {name: other}");
    let ran = sandbox.run(&["rehearse", "./shop", "-o", "sarif"]).exits(1);
    let sarif = ran.json();
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 1, "{}", ran.all());
    assert_eq!(results[0]["ruleId"], "LF103");
    let physical = &results[0]["locations"][0]["physicalLocation"];
    assert!(physical["artifactLocation"]["uri"].as_str().is_some_and(|uri| uri.ends_with(TEMPLATE)), "{physical}");
    assert!(physical["region"]["startLine"].as_u64().is_some_and(|line| line > 1), "{physical}");
}

#[test]
fn a_waiver_accepts_a_finding_and_a_branch_cannot_waive_its_own() {
    let sandbox = shop();
    let system = |waivers: &str| {
        format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{{name: shop, chart: shop}}]\n{waivers}"
        )
    };
    sandbox.write("landfall.yaml", &system(""));
    sandbox.commit("Declare");
    sandbox.write(
        "shop/templates/keys.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {KEY: {{ randAlphaNum 24 }}}\n",
    );
    sandbox.run(&["rehearse"]).exits(1).says("error[LF101]");
    sandbox.write("landfall.yaml", &system("waivers:\n  - {rule: LF101, reason: on purpose, until: 2099-12-31}\n"));
    sandbox.commit("Draw a key, and waive it");
    sandbox.run(&["rehearse"]).exits(0).says("waived[LF101]").says("on purpose");
    sandbox.run(&["rehearse", "HEAD~1..HEAD"]).exits(1).says("error[LF101]");
    // What the base had already does not decide, waived or not, and is shown where it is asked for.
    sandbox.edit("shop/values.yaml", "replicas: 1", "replicas: 2");
    sandbox.write("landfall.yaml", &system(""));
    sandbox.commit("Grow");
    let ran = sandbox.run(&["rehearse", "HEAD~1..HEAD"]).exits(0).says("its base had these already");
    assert!(!ran.stdout.contains("LF101"), "{}", ran.all());
    sandbox.run(&["rehearse", "HEAD~1..HEAD", "--all"]).exits(0).says("[LF101]");
    sandbox.run(&["preview", "HEAD~1..HEAD"]).exits(0);
}

#[test]
fn rules_are_listed_and_explained() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["rules"]).exits(0).says("LF103").says("LEVEL");
    sandbox.run(&["explain", "lf112"]).exits(0).says("LF112").says("waivers:");
    sandbox.run(&["explain", "LF19"]).exits(2).says("there is no rule `LF19`");
}

#[test]
fn a_preview_is_one_comment_with_origins_resources_and_what_is_lost() {
    let sandbox = shop();
    sandbox.write(
        "shop/templates/claim.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n",
    );
    sandbox.commit("Keep data");
    sandbox.edit("shop/values.yaml", "replicas: 1", "replicas: 3");
    sandbox.edit(
        TEMPLATE,
        "ports: [{name: http, containerPort: 8080}]",
        "ports: [{name: http, containerPort: 8080}]\n          resources: {requests: {cpu: 100m}}",
    );
    sandbox.commit("Grow");
    let ran = sandbox.run(&["preview", "HEAD~1..HEAD", "./shop"]).exits(0);
    for text in [
        "<!-- landfall preview -->",
        "1 changed",
        "~ Deployment/shop",
        "spec.replicas",
        "values.yaml:1",
        "| requests.cpu | 0 | 300m |",
    ] {
        assert!(ran.stdout.contains(text), "{text:?}\n{}", ran.all());
    }
    std::fs::remove_file(sandbox.root().join("shop/templates/claim.yaml")).expect("removed");
    sandbox.commit("Drop data");
    sandbox
        .run(&["preview", "HEAD~1..HEAD", "./shop"])
        .exits(1)
        .says("deleting `PersistentVolumeClaim/data` loses the volume");
    sandbox.run(&["preview", "nowhere..HEAD", "./shop"]).says("nowhere");
}

#[test]
fn a_snapshot_of_what_runs_is_rehearsed_onto_and_holds_no_secret() {
    let sandbox = shop();
    sandbox.write(
        "shop/templates/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {PASSWORD: hunter2}\n",
    );
    sandbox.commit("Keys");
    sandbox.run(&["up", "./shop", "-n", "web", "--once"]).exits(0);
    sandbox.run(&["cluster", "snapshot", "before.json"]).exits(0).says("values of secrets left out");
    let text = sandbox.read("before.json");
    assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "the value is not in the file");
    sandbox.edit("shop/values.yaml", "app:1.0.0", "app:1.1.0");
    for from in ["before.json", "live"] {
        let ran = sandbox.run(&["rehearse", "./shop", "-n", "web", "--from", from]).exits(0);
        assert!(ran.stdout.contains("upgrade from the embedded cluster as it is"), "{}", ran.all());
        assert!(ran.stdout.contains("~ Deployment/shop") && ran.stdout.contains("restarts"), "{}", ran.all());
    }
    sandbox.run(&["cluster", "fork", "copy"]).exits(0).says("objects copied");
    sandbox.run(&["--state", "copy", "status", "-o", "json"]).says("shop");
}

#[test]
fn masking_a_live_cluster_changes_nothing_and_runs_no_hook() {
    let sandbox = shop();
    sandbox.write(
        "shop/templates/keys.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {PASSWORD: hunter2}\n---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {helm.sh/hook: \"post-install,post-upgrade\"}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: \"registry.example.com/migrate:1.0.0\"}]}}}\n",
    );
    sandbox.commit("Keys and a hook");
    sandbox.run(&["up", "./shop", "-n", "web", "--once"]).exits(0);
    let ran = sandbox.run(&["rehearse", "./shop", "-n", "web", "--from", "live"]).exits(0);
    assert!(!ran.stdout.contains("Job/migrate") && !ran.stdout.contains("~ Secret"), "{}", ran.all());
    sandbox.edit("shop/templates/keys.yaml", "hunter2", "hunter3");
    let ran = sandbox.run(&["rehearse", "./shop", "-n", "web", "--from", "live"]).exits(0);
    assert!(ran.stdout.contains("Job/migrate") && ran.stdout.contains("~ Secret/keys"), "{}", ran.all());
}

#[test]
fn the_example_is_rehearsed_in_both_environments() {
    let sandbox = Sandbox::luckyplans();
    for environment in ["local", "prod"] {
        let ran = sandbox.run(&["rehearse", "--env", environment]);
        assert!(ran.stdout.contains("would deliver cleanly"), "{environment}: {}", ran.all());
    }
}

#[test]
fn a_development_default_under_a_values_file_for_production_is_told_where_nothing_is_declared() {
    let sandbox = shop();
    let variables = "env: [{name: ADMIN_PASSWORD, value: {{ .Values.password }}}]\n          envFrom";
    sandbox.edit("shop/templates/all.yaml", "envFrom", variables);
    sandbox.edit("shop/values.yaml", "replicas: 1", "replicas: 1\npassword: changeme");
    sandbox.write("values.prod.yaml", "replicas: 2\n");
    sandbox.write("values.test.yaml", "replicas: 2\n");
    let rehearse = |file: &str| sandbox.run(&["rehearse", "./shop", "--from", "empty", "-f", file]).exits(0);
    rehearse("values.prod.yaml").says("warning[LF116]: `ADMIN_PASSWORD` of");
    assert!(!rehearse("values.test.yaml").all().contains("LF116"));
}

#[test]
fn kinds_that_the_chart_itself_defines_are_taken_as_it_defines_them() {
    let sandbox = shop();
    sandbox.write(
        "shop/crds/widgets.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.acme.example.com}\nspec:\n  group: acme.example.com\n  scope: Cluster\n  names: {kind: Widget, plural: widgets}\n  versions:\n    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n",
    );
    sandbox.write(
        "shop/templates/widget.yaml",
        "apiVersion: acme.example.com/v1\nkind: Widget\nmetadata: {name: first}\nspec: {size: 1}\n",
    );
    let ran = sandbox.run(&["rehearse", "./shop", "-n", "web", "--from", "empty"]).exits(0);
    assert!(ran.stdout.contains("would deliver cleanly") && !ran.stdout.contains("taken as served"), "{}", ran.all());
}

#[test]
fn a_secret_that_an_unknown_operator_makes_is_taken_as_made() {
    let sandbox = shop();
    sandbox.write(
        "shop/templates/keys.yaml",
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: keys}\nspec: {target: {name: shop-keys}, data: [{secretKey: TOKEN, remoteRef: {key: a}}]}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: worker}\nspec:\n  selector: {matchLabels: {app: worker}}\n  template:\n    metadata: {labels: {app: worker}}\n    spec:\n      containers:\n        - name: worker\n          image: registry.example.com/worker:1.0.0\n          env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: shop-keys, key: TOKEN}}}]\n",
    );
    let ran = sandbox.run(&["rehearse", "./shop", "-n", "web", "--from", "empty"]).exits(0);
    assert!(ran.stdout.contains("Secret shop-keys: taken as made for ExternalSecret keys"), "{}", ran.all());
}

/// The definition that was taken for granted of the second version took the place of the first one's, and what was delivered in that
/// was there no more.
#[test]
fn a_kind_that_is_taken_for_granted_goes_from_one_version_to_the_next() {
    let sandbox = shop();
    let widget =
        |version: &str| format!("apiVersion: acme.example.com/{version}\nkind: Widget\nmetadata: {{name: first}}\n");
    sandbox.write("shop/templates/widget.yaml", &widget("v1beta1"));
    sandbox.commit("Ask for a widget");
    sandbox.write("shop/templates/widget.yaml", &widget("v1"));
    sandbox.commit("Ask for it in the version of today");
    let ran = sandbox.run(&["rehearse", "HEAD~1..HEAD", "./shop", "-n", "web"]).exits(0);
    assert!(ran.stdout.contains("would deliver"), "{}", ran.all());
}

/// What prints the anti-affinity is in a library that is not at hand, and what stands for that prints nothing.
#[test]
fn an_anti_affinity_that_a_chart_that_is_not_at_hand_prints_is_not_judged() {
    let sandbox = shop();
    let chart = "apiVersion: v2\nname: shop\nversion: 1.0.0\n";
    let library = "dependencies:\n  - {name: common, version: 1.0.0, repository: \"https://charts.example.com\"}\n";
    let pods = |affinity: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: apart}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{app: apart}}}}\n  \
             template:\n    metadata: {{labels: {{app: apart}}}}\n    spec:\n      affinity:\n        podAntiAffinity: {affinity}\n      \
             containers: [{{name: apart, image: registry.example.com/apart:1.0.0}}]\n"
        )
    };
    let theirs = "{{- include \"common.affinities.pods\" (dict \"type\" \"soft\" \"context\" $) | nindent 10 }}";
    for (chart, affinity, is_told) in [(chart.to_owned() + library, theirs, false), (chart.to_owned(), "{}", true)] {
        sandbox.write("shop/Chart.yaml", &chart);
        sandbox.write("shop/templates/apart.yaml", &pods(affinity));
        let ran = sandbox.run(&["rehearse", "./shop", "-n", "web", "--from", "empty"]).exits(0);
        assert_eq!(ran.stdout.contains("LF270"), is_told, "{}", ran.all());
    }
}

#[test]
fn a_claim_that_grows_is_no_error_where_nobody_knows_its_class() {
    let sandbox = shop();
    let claim = |size: &str, class: &str| {
        format!(
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: data}}\nspec:\n  accessModes: [ReadWriteOnce]\n  \
             resources: {{requests: {{storage: {size}}}}}\n{class}"
        )
    };
    for (class, code) in [("", 0), ("  storageClassName: fast\n", 0), ("  storageClassName: local-path\n", 1)] {
        for size in ["1Gi", "2Gi"] {
            sandbox.write("shop/templates/claim.yaml", &claim(size, class));
            sandbox.commit("Ask for room");
        }
        let ran = sandbox.run(&["rehearse", "HEAD~1..HEAD", "./shop", "-n", "web"]).exits(code);
        let said = if code == 0 { "warning[LF112]: PersistentVolumeClaim/data may not" } else { "error[LF112]" };
        assert!(ran.stdout.contains(said), "{class}: {}", ran.all());
    }
}

#[test]
fn what_is_no_target_is_said_in_a_sentence_with_the_usage_code() {
    let sandbox = Sandbox::empty();
    sandbox.write("bundle/Chart.yaml", "apiVersion: v2\nname: bundle\nversion: 1.0.0\n");
    std::os::unix::fs::symlink("../../../elsewhere", sandbox.root().join("bundle/templates")).expect("a link");
    let ran = sandbox.run(&["rehearse", "./bundle"]).exits(2);
    assert!(ran.stderr.contains("the link `"), "{}", ran.all());
}

#[test]
fn what_is_not_checked_out_is_read_from_the_revisions() {
    let sandbox = shop();
    sandbox.write("shop/values.prod.yaml", "settings: {color: green}\n");
    sandbox.edit("shop/values.yaml", "app:1.0.0", "app:1.1.0");
    sandbox.commit("Raise");
    std::fs::rename(sandbox.root().join("shop"), sandbox.root().join("store")).expect("moved");
    sandbox.commit("Move");
    let range = ["HEAD~2..HEAD~1", "shop", "-f", "shop/values.prod.yaml"];
    let ran = sandbox.run(&[&["rehearse"], &range[..]].concat()).exits(0);
    assert!(ran.stdout.contains("app:1.1.0") && ran.stdout.contains("blue → green"), "{}", ran.all());
    sandbox.run(&[&["preview"], &range[..]].concat()).exits(0).says("app:1.1.0");
    sandbox.run(&["rehearse", "HEAD~2..HEAD~1", "shp"]).exits(2).says("there is no `shp`");
}

#[test]
fn the_mending_of_what_is_stuck_is_delivered_onto_it() {
    let sandbox = shop();
    let reads = |key: &str| format!("env: [{{name: COLOR, valueFrom: {{secretKeyRef: {{name: keys, key: {key}}}}}}}]");
    sandbox.edit(TEMPLATE, "envFrom: [{configMapRef: {name: {{ .Release.Name }}}}]", &reads("color"));
    let sealed = |keys: &str| {
        format!(
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {{name: keys}}\n\
             spec: {{encryptedData: {{{keys}}}, template: {{metadata: {{name: keys}}}}}}\n"
        )
    };
    sandbox.write("shop/templates/sealed.yaml", &sealed("other: AgBother"));
    sandbox.commit("Read a key that is not sealed");
    sandbox.run(&["rehearse", "HEAD~1..HEAD", "./shop"]).exits(1).says("key `color` of Secret `keys`");
    sandbox.write("shop/templates/sealed.yaml", &sealed("other: AgBother, color: AgBcolor"));
    sandbox.commit("Seal it");
    sandbox.run(&["rehearse", "HEAD~1..HEAD", "./shop"]).exits(0).says("would deliver cleanly");
}

#[test]
fn revisions_that_are_not_there_are_said_in_a_sentence() {
    let sandbox = shop();
    sandbox.run(&["preview", "..HEAD", "./shop"]).exits(2).says("`..HEAD` names no base").says("main..HEAD");
    sandbox.edit("shop/values.yaml", "app:1.0.0", "app:1.1.0");
    sandbox.commit("Raise");
    let origin = format!("file://{}", sandbox.root().display());
    sandbox.git(&["clone", "-q", "--depth", "1", &origin, "../shallow"]);
    for command in ["rehearse", "preview"] {
        sandbox.run(&[command, "nobody..HEAD", "./shop"]).exits(2).says("`nobody` is no commit");
        sandbox.run(&[command, "HEAD~1..HEAD", "../shallow/shop"]).exits(2).says("git fetch --unshallow");
    }
    let nowhere = Sandbox::empty();
    small_chart(&nowhere, "shop", "shop");
    for command in ["rehearse", "preview"] {
        nowhere.run(&[command, "HEAD~1..HEAD", "./shop"]).exits(2).says("there is no git repository here");
    }
}

#[test]
fn a_fault_of_nothing_is_refused_instead_of_rehearsed_without_it() {
    let sandbox = shop();
    sandbox.run(&["rehearse", "./shop", "--fault", "deploy/shop=crashloop"]).exits(1).says("would NOT deliver");
    let typed = sandbox.run(&["rehearse", "./shop", "--fault", "deploy/shopp=crashloop"]).exits(2);
    typed.says("nothing delivered is a deployment `shopp`").says("did you mean `deployment/shop`?");
    sandbox.run(&["rehearse", "./shop", "--fault", "job/migrate=fail"]).exits(2).says("there is no job here");
    sandbox.run(&["up", "./shop", "--fault", "job/migrate=fail"]).exits(2).says("there is no job here");
}

#[test]
fn a_chart_that_refuses_this_kubernetes_hides_nothing_behind_it() {
    let sandbox = shop();
    sandbox.edit("shop/Chart.yaml", "version: 0.1.0", "version: 0.1.0\nkubeVersion: \">=1.21.0-0 <1.25.0-0\"");
    sandbox.write(
        "shop/templates/budget.yaml",
        "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: shop}\nspec: {minAvailable: 1, selector: {matchLabels: {app: {{ .Release.Name }}}}}\n",
    );
    sandbox.commit("Bound the Kubernetes");
    let bounded = sandbox.run(&["rehearse", "./shop"]).exits(1);
    for told in ["error[LF340]", "`>=1.21.0-0 <1.25.0-0`", "looked at as for v1.24.0", "shop/Chart.yaml:4", "4 created"]
    {
        assert!(bounded.stdout.contains(told), "{told:?} is not said\n{}", bounded.all());
    }
    sandbox.run(&["preview", "HEAD~1..HEAD", "./shop", "-o", "text"]).exits(1).says("LF340");
    // What is meant is what is looked at: the budget is served there, and gone here.
    sandbox.run(&["rehearse", "./shop", "--kube-version", "1.24"]).exits(0).lacks("LF340").lacks("LF138");
    sandbox.edit("shop/Chart.yaml", " <1.25.0-0", "");
    sandbox.run(&["rehearse", "./shop", "--from", "empty"]).exits(1).lacks("LF340").says("policy/v1beta1");
    sandbox.run(&["rehearse", "./shop", "--kube-version", "twenty"]).exits(2).says("could not parse");
    // An old bound is no fault of the next change.
    sandbox.edit("shop/Chart.yaml", ">=1.21.0-0", ">=1.21.0-0 <1.26.0-0");
    sandbox.commit("Widen");
    sandbox.edit("shop/values.yaml", "app:1.0.0", "app:1.1.0");
    sandbox.commit("Raise");
    sandbox.run(&["rehearse", "HEAD~1..HEAD", "./shop"]).exits(0).says("its base had these already");
}
