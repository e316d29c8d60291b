//! What went wrong in real repositories beside their charts' fields: files, lists, addresses, budgets, waivers. Each
//! fault is a commit, its mending the next one, and both are rehearsed.

use super::sandbox::{Ran, Sandbox, small_chart};

/// The findings of a rehearsal by rule and message.
fn findings(ran: &Ran) -> Vec<(String, String)> {
    let document = ran.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let all = document["data"]["findings"].as_array().cloned().unwrap_or_default();
    all.iter().map(|it| (text(&it["rule"]), text(&it["message"]))).collect()
}

#[track_caller]
fn has(found: &[(String, String)], rule: &str, text: &str) {
    assert!(found.iter().any(|(id, message)| id == rule && message.contains(text)), "{rule} {text:?}: {found:#?}");
}

#[track_caller]
fn has_none(found: &[(String, String)], rule: &str) {
    assert!(found.iter().all(|(id, _)| id != rule), "{found:#?}");
}

fn rehearse(sandbox: &Sandbox, args: &[&str]) -> Ran {
    sandbox.run(&[&["rehearse"][..], args, &["-o", "json"]].concat())
}

/// Services of one shelf, each a Deployment with its Service, and a route to the first one.
fn services(sandbox: &Sandbox, names: &[&str]) {
    let list = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" ");
    sandbox.write("deploy/chart/Chart.yaml", "apiVersion: v2\nname: store\nversion: 0.1.0\n");
    let mut values = String::from("host: www.example.com\n");
    for name in names {
        values.push_str(&format!(
            "{name}: {{image: {{repository: registry.example.com/store/{name}, tag: sha-0000001}}}}\n"
        ));
    }
    sandbox.write("deploy/chart/values.yaml", &values);
    sandbox.write(
        "deploy/chart/templates/all.yaml",
        &format!(
            r#"{{{{- range $name := list {list} }}}}
{{{{- $image := (index $.Values $name).image }}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {{{{ $name }}}}}}
spec:
  selector: {{matchLabels: {{app: {{{{ $name }}}}}}}}
  template:
    metadata: {{labels: {{app: {{{{ $name }}}}}}}}
    spec: {{containers: [{{name: main, image: "{{{{ $image.repository }}}}:{{{{ $image.tag }}}}"}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {{{{ $name }}}}}}
spec: {{selector: {{app: {{{{ $name }}}}}}, ports: [{{port: 80, targetPort: 8080}}]}}
{{{{- end }}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: front}}
spec:
  tls: [{{hosts: ["{{{{ .Values.host }}}}"], secretName: front-tls}}]
  rules:
    - host: {{{{ .Values.host }}}}
      http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {}, port: {{number: 80}}}}}}}}]}}
"#,
            names[0]
        ),
    );
}

fn matrix(names: &[&str]) -> String {
    let include: Vec<String> =
        names.iter().map(|name| format!("          - {{service: {name}, file: apps/{name}/Dockerfile}}")).collect();
    format!(
        "on: push\njobs:\n  images:\n    strategy:\n      matrix:\n        include:\n{}\n    steps:\n      - uses: docker/build-push-action@v7\n        with: {{file: \"${{{{ matrix.file }}}}\", push: true}}\n",
        include.join("\n")
    )
}

fn tagger(names: &[&str]) -> String {
    let lines: Vec<String> = names
        .iter()
        .map(|name| format!("          yq -i \".{name}.image.tag = \\\"$TAG\\\"\" deploy/chart/values.yaml"))
        .collect();
    format!("on: workflow_dispatch\njobs:\n  tags:\n    steps:\n      - run: |\n{}\n", lines.join("\n"))
}

const CHART: &str = "./deploy/chart";

#[test]
fn theme_10_a_service_that_was_added_in_one_place_only_is_found_in_each_list_that_lacks_it() {
    for (forge, old, new) in [(".github", &["web", "gateway"], "landing"), (".gitea", &["ui", "backend"], "docs")] {
        let sandbox = Sandbox::empty();
        let all = [old[0], old[1], new];
        let (build, tags) = (format!("{forge}/workflows/images.yml"), format!("{forge}/workflows/tags.yaml"));
        services(&sandbox, &old[..]);
        sandbox.write(&build, &matrix(&old[..]));
        sandbox.write(&tags, &tagger(&old[..]));
        sandbox.commit("Begin");
        has_none(&findings(&rehearse(&sandbox, &[CHART])), "LF129");
        services(&sandbox, &all);
        sandbox.commit("Add a service");
        let found = findings(&rehearse(&sandbox, &["HEAD~1..HEAD", CHART]));
        has(&found, "LF129", &format!("`registry.example.com/store/{new}` runs, and `{build}` does not build it"));
        has(&found, "LF129", &format!("`{tags}` writes the tags of others and not `{new}.image.tag`"));
        sandbox.write(&build, &matrix(&all));
        sandbox.write(&tags, &tagger(&all));
        sandbox.commit("Add it everywhere");
        has_none(&findings(&rehearse(&sandbox, &["HEAD~2..HEAD", CHART])), "LF129");
    }
}

#[test]
fn theme_05_and_11_hosts_and_copies_that_were_left_behind_are_found_wherever_they_stand() {
    let sandbox = Sandbox::empty();
    let realm = |host: &str| {
        format!(
            "{{\n  \"realm\": \"store\",\n  \"enabled\": true,\n  \"loginWithEmailAllowed\": true,\n  \"resetPasswordAllowed\": true,\n  \"registrationAllowed\": false,\n  \"clients\": [{{\n    \"clientId\": \"web\",\n    \"publicClient\": false,\n    \"redirectUris\": [\"https://{host}/*\"]\n  }}]\n}}\n"
        )
    };
    services(&sandbox, &["web", "gateway"]);
    sandbox.write("deploy/chart/files/realm.json", &realm("www.example.com"));
    sandbox.write("dev/realm.json", &realm("www.example.com"));
    sandbox.write(
        "deploy/chart/templates/realm.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: realm}\ndata:\n  realm.json: |\n{{ .Files.Get \"files/realm.json\" | indent 4 }}\n  ORIGIN: https://{{ .Values.host }}\n",
    );
    sandbox.write(
        ".github/workflows/web.yml",
        "on: push\njobs:\n  web:\n    steps:\n      - run: docker build --build-arg PUBLIC_URL=https://www.example.com/login .\n",
    );
    sandbox.commit("Begin");
    has_none(&findings(&rehearse(&sandbox, &[CHART])), "LF130");
    sandbox.edit("deploy/chart/values.yaml", "host: www.example.com", "host: beta.example.com");
    sandbox.commit("Another host");
    let found = findings(&rehearse(&sandbox, &["HEAD~1..HEAD", CHART]));
    has(&found, "LF130", "`www.example.com` is written down, and no route serves it");
    sandbox.write("deploy/chart/files/realm.json", &realm("beta.example.com"));
    sandbox.commit("Half of it");
    let found = findings(&rehearse(&sandbox, &["HEAD~2..HEAD", CHART]));
    has(&found, "LF130", "`dev/realm.json` differs from the copy of it that is delivered");
    has(&found, "LF130", "`www.example.com` is written down");
    sandbox.write("dev/realm.json", &realm("beta.example.com"));
    sandbox.edit(".github/workflows/web.yml", "www.example.com", "beta.example.com");
    sandbox.commit("All of it");
    has_none(&findings(&rehearse(&sandbox, &["HEAD~3..HEAD", CHART])), "LF130");
}

#[test]
fn theme_05_a_plain_address_behind_tls_is_found() {
    let sandbox = Sandbox::empty();
    services(&sandbox, &["web", "gateway"]);
    let settings = |scheme: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{PUBLIC_URL: \"{scheme}://{{{{ .Values.host }}}}\"}}\n"
        )
    };
    sandbox.write("deploy/chart/templates/settings.yaml", &settings("https"));
    sandbox.commit("Begin");
    sandbox.write("deploy/chart/templates/settings.yaml", &settings("http"));
    sandbox.commit("Break");
    let found = findings(&rehearse(&sandbox, &["HEAD~1..HEAD", CHART]));
    has(&found, "LF157", "`http://www.example.com` is written down");
    sandbox.write("deploy/chart/templates/settings.yaml", &settings("https"));
    sandbox.commit("Mend");
    has_none(&findings(&rehearse(&sandbox, &["HEAD~2..HEAD", CHART])), "LF157");
}

const APPLICATION: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: store, namespace: argocd}\nspec:\n  project: default\n  source: {repoURL: \"https://git.example.com/team/store.git\", targetRevision: main, path: deploy/chart}\n  destination: {server: \"https://kubernetes.default.svc\", namespace: store}\n  syncPolicy: {automated: {prune: true}, syncOptions: [CreateNamespace=true]}\n";

#[test]
fn theme_08_what_failed_is_told_before_anything_is_put_back_and_stays_to_be_looked_at() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.run(&["up", "./shop"]).exits(0);
    let broken = ["up", "./shop", "--set", "image=example/app:2.0.0", "--fault", "deployment/shop=imagepull"];
    let atomic = sandbox.run(&[&broken[..], &["--atomic"]].concat()).exits(4);
    let at = |text: &str| atomic.stderr.find(text).unwrap_or_else(|| panic!("{text}\n{}", atomic.all()));
    // Which pod, why, its events; then what was done about it.
    assert!(
        at("container app: ImagePull") < at("events:") && at("events:") < at("the last good revision was put back")
    );
    assert!(at("! Deployment/shop failed") < at("events:"), "by its name, as soon as it is known");
    // Not waiting longer, and without --atomic the pod is there to be asked.
    sandbox.run(&broken).exits(4).says("landfall logs ./shop shop-");
    let pods = sandbox.run(&["status"]).all();
    assert!(pods.contains("ImagePullBackOff") || pods.contains("ErrImagePull"), "{pods}");
    sandbox.run(&["up", "./shop"]).exits(0);
}

#[test]
fn theme_12_an_application_of_a_mistyped_repository_is_found_by_chart_and_by_application() {
    let sandbox = Sandbox::empty();
    services(&sandbox, &["web", "gateway"]);
    sandbox.write("argocd/apps/store.yaml", &APPLICATION.replace("team/store", "team/clients"));
    sandbox.write("argocd/values.yaml", "repositories: {main: {\nurl: https://git.example.com/team/clients.git\n}}\n");
    sandbox.commit("Begin");
    sandbox.git(&["remote", "add", "origin", "git@git.example.com:team/store.git"]);
    let ran = rehearse(&sandbox, &[CHART]);
    has(&findings(&ran), "LF158", "reads https://git.example.com/team/clients.git");
    assert!(ran.stdout.contains("argocd/values.yaml"), "the credential is named, too: {}", ran.all());
    sandbox.run(&["rehearse", "./argocd/apps"]).exits(2).says("team/clients.git, which is not this repository");
    sandbox.edit("argocd/apps/store.yaml", "team/clients", "team/store");
    sandbox.commit("Mend");
    has_none(&findings(&rehearse(&sandbox, &[CHART])), "LF158");
    sandbox.run(&["rehearse", "./argocd/apps"]).exits(0).says("would deliver cleanly");
}

#[test]
fn theme_01_and_02_a_first_sync_onto_an_empty_cluster_succeeds_with_a_namespace_and_a_migration_of_its_own() {
    let sandbox = Sandbox::empty();
    services(&sandbox, &["web", "gateway"]);
    sandbox.write(
        "deploy/chart/templates/further.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: store}\n---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: \"post-install,pre-upgrade\", helm.sh/hook-delete-policy: before-hook-creation}\nspec:\n  template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: registry.example.com/store/migrate:1.0.0, envFrom: [{configMapRef: {name: settings}}]}]}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {LEVEL: info}\n",
    );
    sandbox.write("argocd/apps/store.yaml", APPLICATION);
    sandbox.commit("Begin");
    sandbox.git(&["remote", "add", "origin", "https://git.example.com/team/store.git"]);
    sandbox.edit("deploy/chart/values.yaml", "store/web, tag: sha-0000001", "store/web, tag: sha-0000002");
    sandbox.commit("Raise");
    let ran = sandbox.run(&["rehearse", "HEAD~1..HEAD", "./argocd/apps"]).exits(0);
    assert_eq!(ran.stdout.matches("would deliver cleanly").count(), 2, "{}", ran.all());
    let waits = ran.stdout.split("how long it waits, from an empty cluster").nth(1).expect("the first sync's waits");
    assert!(waits.contains("PostSync") && !waits.contains("PreSync"), "{}", ran.all());
}

#[test]
fn theme_07_a_check_that_wants_200_of_a_redirect_fails_in_the_rehearsal_and_not_after_the_delivery() {
    let sandbox = Sandbox::empty();
    services(&sandbox, &["web", "gateway"]);
    let system = |check: &str| {
        format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: store\nenvironments:\n  local:\n    releases: [{{name: store, chart: deploy/chart, namespace: store}}]\n    simulate: {{web: {{http: [{{path: /, status: 307, headers: {{location: /login}}}}, {{path: /login}}]}}}}\n    checks: [{{name: home, {check}}}]\n"
        )
    };
    let home = "http: \"https://www.example.com/\"";
    sandbox.write("landfall.yaml", &system(&format!("{home}, status: 200")));
    sandbox.commit("Begin");
    sandbox.run(&["rehearse"]).exits(1).says("would NOT deliver").says("check home fails").says("307");
    sandbox.write("landfall.yaml", &system(home));
    sandbox.commit("Any of 200 to 399");
    sandbox.run(&["rehearse"]).exits(0).says("would deliver cleanly");
    // And one that asks for what is not routed.
    sandbox.write("landfall.yaml", &system("http: \"https://ww.example.com/\""));
    has(&findings(&rehearse(&sandbox, &[])), "LF137", "check `home` cannot pass");
}

#[test]
fn theme_13_a_stack_that_the_nodes_do_not_hold_is_found_before_it_is_merged() {
    let sandbox = Sandbox::empty();
    services(&sandbox, &["web", "gateway"]);
    sandbox.commit("Begin");
    let small = ["--node", "2,2Gi"];
    has_none(&findings(&rehearse(&sandbox, &[&["HEAD..HEAD", CHART][..], &small].concat())), "LF127");
    let heavy = ["metrics", "logs", "traces"].map(|name| {
        format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: {name}}}\nspec:\n  serviceName: {name}\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: main, image: registry.example.com/other/{name}:1.0.0, resources: {{requests: {{cpu: 500m, memory: 900Mi}}}}}}]}}\n"
        )
    });
    sandbox.write("deploy/chart/templates/observability.yaml", &heavy.join("---\n"));
    sandbox.commit("Observe");
    let ran = rehearse(&sandbox, &[&["HEAD~1..HEAD", CHART][..], &small].concat()).exits(1);
    has(&findings(&ran), "LF127", "");
    std::fs::remove_file(sandbox.root().join("deploy/chart/templates/observability.yaml")).expect("removed");
    sandbox.commit("Remove it");
    has_none(&findings(&rehearse(&sandbox, &[&["HEAD~2..HEAD", CHART][..], &small].concat()).exits(0)), "LF127");
}

#[test]
fn theme_14_a_waiver_holds_until_its_day_and_no_longer_and_one_of_no_rule_is_told() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write(
        "shop/templates/keys.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {KEY: {{ randAlphaNum 24 }}}\n",
    );
    let system = |waiver: &str| {
        format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    releases: [{{name: shop, chart: shop}}]\nwaivers:\n  - {{{waiver}}}\n"
        )
    };
    let try_with = |waiver: &str| {
        sandbox.write("landfall.yaml", &system(waiver));
        sandbox.commit("Waive");
        sandbox.run(&["rehearse"])
    };
    try_with("rule: LF101, reason: moved to the store next month, until: 2099-12-31")
        .exits(0)
        .says("waived[LF101]")
        .says("moved to the store next month");
    try_with("rule: LF101, reason: moved to the store next month, until: 2020-01-31")
        .exits(1)
        .says("error[LF101]")
        .says("it ended on 2020-01-31");
    try_with("rule: LF101, object: Secret/others, reason: x, until: 2099-12-31")
        .exits(1)
        .says("nothing was found that it would accept");
    try_with("rule: LF299, reason: x, until: 2099-12-31").exits(1).says("there is no rule `LF299`");
}

#[test]
fn a_rehearsal_begins_with_a_revision_an_empty_cluster_or_a_snapshot_as_asked() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.commit("Begin");
    for tag in ["1.1.0", "1.2.0"] {
        let values = format!("replicas: 1\nimage: example/app:{tag}\nsettings: {{color: blue}}\n");
        sandbox.write("shop/values.yaml", &values);
        sandbox.commit("Raise");
    }
    let start = |from: &str| rehearse(&sandbox, &["./shop", "--from", from]).exits(0).json()["data"]["trials"].clone();
    let of_revision = start("HEAD~2");
    assert_eq!(of_revision[0]["start"]["from"], "revision", "{of_revision:#}");
    let text = of_revision[0]["impact"].to_string();
    assert!(text.contains("1.0.0") && text.contains("1.2.0"), "{text}");
    let of_nothing = start("empty");
    assert_eq!(of_nothing.as_array().map(Vec::len), Some(1), "{of_nothing:#}");
    assert_eq!(of_nothing[0]["start"]["from"], "empty");
}

#[test]
fn one_cause_is_one_finding_however_many_pods_it_shows_in() {
    let sandbox = Sandbox::empty();
    sandbox.write("wide/Chart.yaml", "apiVersion: v2\nname: wide\nversion: 0.1.0\n");
    sandbox.write("wide/templates/all.yaml", "{{- range until 9 }}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: worker-{{ . }}}\nspec:\n  selector: {matchLabels: {app: worker-{{ . }}}}\n  template:\n    metadata: {labels: {app: worker-{{ . }}}}\n    spec: {containers: [{name: main, image: registry.example.com/worker:1.0.0, env: [{name: PEPPER, valueFrom: {secretKeyRef: {name: keys, key: PEPPER}}}]}]}\n{{- end }}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {TOKEN: not-a-real-one}\n");
    sandbox.commit("Begin");
    let ran = rehearse(&sandbox, &["./wide"]).exits(1);
    let found: Vec<(String, String)> = findings(&ran).into_iter().filter(|(rule, _)| rule == "LF103").collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    let document = ran.json();
    let all = document["data"]["findings"].as_array().expect("findings");
    let spots = all.iter().find(|it| it["rule"] == "LF103").and_then(|it| it["spots"].as_array()).expect("places");
    assert_eq!(spots.len(), 9);
}
