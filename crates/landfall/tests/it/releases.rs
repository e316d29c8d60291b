//! Helm's verbs on the embedded cluster of a directory.

use super::sandbox::Sandbox;

/// A directory with a chart `web` and a started cluster.
fn started() -> Sandbox {
    let sandbox = Sandbox::empty().interactive();
    sandbox.write("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\nappVersion: \"1.0\"\n");
    sandbox.write("web/values.yaml", "replicas: 1\nimage: {tag: v1.0.0}\n");
    sandbox.write(
        "web/templates/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: \"shop/web:{{ .Values.image.tag }}\"}]}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}-keys}\nstringData: {key: value}\n",
    );
    sandbox.write("web/templates/NOTES.txt", "See {{ .Release.Name }}.\n");
    sandbox.run(&["cluster", "start"]).exits(0);
    sandbox
}

#[test]
fn lp_126_one_line_typed_as_helm_or_landfall_installs_and_upgrades() {
    let sandbox = started();
    let line = |tag: &str| {
        let set = format!("image.tag={tag}");
        ["upgrade", "--install", "web", "web", "--namespace", "shop", "--create-namespace", "--rollback-on-failure"]
            .into_iter()
            .map(str::to_owned)
            .chain(["--timeout", "3m", "--set"].map(str::to_owned))
            .chain([set])
            .collect::<Vec<String>>()
    };
    let first = line("v1.2.3");
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    sandbox
        .run(&first)
        .exits(0)
        .says("Release \"web\" does not exist. Installing it now.")
        .says("STATUS: deployed")
        .says("REVISION: 1")
        .says("NOTES:\nSee web.");
    let second = line("v1.2.4");
    let second: Vec<&str> = ["helm"].into_iter().chain(second.iter().map(String::as_str)).collect();
    sandbox.run(&second).exits(0).says("Release \"web\" has been upgraded. Happy Helming!").says("REVISION: 2");
    sandbox.run(&["helm", "get", "values", "web", "-n", "shop"]).exits(0).says("  tag: v1.2.4");
}

#[test]
fn lp_101_values_and_history_are_told_as_helm_tells_them() {
    let sandbox = started();
    sandbox.run(&["install", "web", "web", "--set", "replicas=2"]).exits(0);
    sandbox.run(&["upgrade", "web", "web", "--reuse-values", "--set", "image.tag=v2"]).exits(0);
    let values = sandbox.run(&["get", "values", "web"]).exits(0);
    assert_eq!(values.stdout, "USER-SUPPLIED VALUES:\nimage:\n  tag: v2\nreplicas: 2\n");
    let history = sandbox.run(&["helm", "history", "web", "-o", "json"]).exits(0).json();
    let told: Vec<(i64, &str, &str)> = history
        .as_array()
        .expect("a list")
        .iter()
        .map(|line| {
            let text = |field: &str| line[field].as_str().unwrap_or_default();
            (line["revision"].as_i64().unwrap_or(0), text("status"), text("description"))
        })
        .collect();
    assert_eq!(told, [(1, "superseded", "Install complete"), (2, "deployed", "Upgrade complete")]);
    let list = sandbox.run(&["list", "-q"]).exits(0);
    assert_eq!(list.stdout, "web\n");
}

#[test]
fn lp_065_a_rollback_makes_a_new_revision_with_the_contents_of_the_old() {
    let sandbox = started();
    sandbox.run(&["install", "web", "web"]).exits(0);
    sandbox.run(&["upgrade", "web", "web", "--set", "image.tag=v9"]).exits(0);
    let said = sandbox.run(&["helm", "rollback", "web", "1"]).exits(0);
    assert_eq!(said.stdout, "Rollback was a success! Happy Helming!\n");
    let first = sandbox.run(&["get", "manifest", "web", "--revision", "1"]).exits(0).stdout;
    let third = sandbox.run(&["get", "manifest", "web", "--revision", "3"]).exits(0).stdout;
    assert_eq!(first, third);
    sandbox.run(&["helm", "history", "web"]).exits(0).says("Rollback to 1");
}

#[test]
fn lp_096_what_its_policy_keeps_stays_behind_and_is_named() {
    let sandbox = started();
    sandbox.write(
        "web/templates/kept.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: kept\n  annotations: {\"helm.sh/resource-policy\": keep}\n",
    );
    sandbox.run(&["install", "web", "web"]).exits(0);
    sandbox.run(&["uninstall", "web"]).exits(0).says("kept: Namespace/kept").says("release \"web\" uninstalled");
    sandbox.run(&["install", "web", "web"]).exits(0);
    let said = sandbox.run(&["helm", "uninstall", "web"]).exits(0);
    assert_eq!(
        said.stdout,
        "These resources were kept due to the resource policy:\n[Namespace] kept\n\nrelease \"web\" uninstalled\n"
    );
}

#[test]
fn ez_001_verbs_flags_and_exit_codes_are_helms() {
    let sandbox = started();
    let fails = |arguments: &[&str], words: &str| {
        let ran = sandbox.run(arguments).exits(1);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", format!("Error: {words}\n").as_str()));
    };
    fails(&["helm", "status", "web"], "release: not found");
    fails(&["helm", "upgrade", "web", "web"], "UPGRADE FAILED: \"web\" has no deployed releases");
    fails(
        &["helm", "rollback", "web", "x"],
        "could not convert revision to a number: strconv.Atoi: parsing \"x\": invalid syntax",
    );
    fails(&["helm", "uninstall", "web"], "uninstall: Release not loaded: web: release: not found");
    fails(&["helm", "install", "web"], "INSTALLATION FAILED: must either provide a name or specify --generate-name");
    sandbox.run(&["helm", "install", "web", "web", "-o", "json"]).exits(0).json();
    fails(&["helm", "install", "web", "web"], "INSTALLATION FAILED: cannot re-use a name that is still in use");
    assert_eq!(sandbox.run(&["helm", "plugin", "list"]).exits(0).stdout, "NAME\tVERSION\tDESCRIPTION\n");
    sandbox.run(&["helm", "plugin", "install", "x"]).exits(2);
}

#[test]
fn a_record_left_pending_by_a_dead_process_does_not_stand_in_the_way() {
    let sandbox = started();
    sandbox.write(
        "web/templates/hook.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: never\n  annotations: {helm.sh/hook: pre-upgrade}\nspec:\n  suspend: {{ .Values.stuck | default false }}\n  template: {spec: {restartPolicy: Never, containers: [{name: j, image: busybox}]}}\n",
    );
    sandbox.run(&["install", "web", "web"]).exits(0);
    let mut stuck = sandbox.command(&["helm", "upgrade", "web", "web", "--set", "stuck=true", "--timeout", "2s"]);
    let mut stuck =
        stuck.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("runs");
    let pending = |_: u32| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        sandbox.run(&["helm", "list", "--pending", "-q"]).stdout == "web\n"
    };
    assert!((0..100).any(pending), "the upgrade never began");
    stuck.kill().expect("is killed");
    stuck.wait().expect("ends");
    sandbox.run(&["helm", "list", "-a"]).exits(0).says("pending-upgrade");
    // What it left open is brought to its end first: its hook runs out of time, and the revision has failed.
    let ran = sandbox.run(&["helm", "upgrade", "web", "web", "--set", "image.tag=v3"]).exits(0);
    ran.says("an interrupted operation on release web").says("REVISION: 3");
    sandbox.run(&["helm", "history", "web"]).exits(0).says("pre-upgrade hooks failed");
}

#[test]
fn a_journal_is_gone_when_its_operation_has_ended_or_was_refused() {
    let sandbox = started();
    let kubeconfig = sandbox.root().join(".landfall/kubeconfig").display().to_string();
    let run = |arguments: &[&str]| {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--kubeconfig", kubeconfig.as_str()]).collect();
        sandbox.run(&arguments)
    };
    run(&["helm", "install", "web", "web"]).exits(0);
    run(&["helm", "install", "web", "web"]).exits(1);
    run(&["helm", "upgrade", "other", "web"]).exits(1);
    run(&["helm", "upgrade", "web", "web", "--set", "image=text"]).exits(1);
    run(&["helm", "rollback", "web", "9"]).exits(1);
    run(&["helm", "uninstall", "web"]).exits(0);
    let home = sandbox.root().parent().expect("has one").join(".local/state/landfall/releases");
    let servers: Vec<_> = std::fs::read_dir(home).expect("journals were written").flatten().collect();
    assert_eq!(servers.len(), 1);
    let left: Vec<_> = std::fs::read_dir(servers[0].path()).expect("a directory").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The live objects of a release by `version/Kind`.
fn resources(sandbox: &Sandbox, release: &str) -> serde_json::Value {
    let shown = sandbox.run(&["helm", "status", release, "--show-resources", "-o", "json"]).exits(0);
    shown.json()["info"]["resources"].clone()
}

/// One field of all objects of a kind, sorted.
fn fields(resources: &serde_json::Value, kind: &str, pointer: &str) -> Vec<String> {
    let objects = resources[kind].as_array().cloned().unwrap_or_default();
    let mut found: Vec<String> =
        objects.iter().filter_map(|object| Some(object.pointer(pointer)?.as_str()?.to_owned())).collect();
    found.sort();
    found
}

#[test]
fn ez_076_a_second_identical_upgrade_changes_no_pod_and_adds_a_revision() {
    let sandbox = started();
    let line = ["upgrade", "--install", "web", "web", "--set", "replicas=2", "--wait", "--timeout", "60s"];
    sandbox.run(&line).exits(0).says("REVISION: 1");
    let before = fields(&resources(&sandbox, "web"), "v1/Pod(related)", "/metadata/uid");
    assert_eq!(before.len(), 2, "{before:?}");
    sandbox.run(&line).exits(0).says("REVISION: 2");
    assert_eq!(fields(&resources(&sandbox, "web"), "v1/Pod(related)", "/metadata/uid"), before);
}

#[test]
fn ez_066_a_rollback_leaves_the_secret_and_what_the_database_is_made_of_untouched() {
    let sandbox = started();
    sandbox.write(
        "web/templates/database.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: {{ .Release.Name }}-data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n",
    );
    sandbox.run(&["install", "web", "web", "--set", "image.tag=v1"]).exits(0);
    sandbox.run(&["upgrade", "web", "web", "--set", "image.tag=v2"]).exits(0);
    let versions = |kind: &str| fields(&resources(&sandbox, "web"), kind, "/metadata/resourceVersion");
    let before =
        (versions("v1/Secret"), fields(&resources(&sandbox, "web"), "v1/PersistentVolumeClaim", "/metadata/uid"));
    sandbox.run(&["helm", "rollback", "web", "1"]).exits(0);
    let after =
        (versions("v1/Secret"), fields(&resources(&sandbox, "web"), "v1/PersistentVolumeClaim", "/metadata/uid"));
    assert_eq!(after, before);
    let images = fields(&resources(&sandbox, "web"), "v1/Deployment", "/spec/template/spec/containers/0/image");
    assert_eq!(images, ["shop/web:v1"]);
}

#[test]
fn ez_054_the_runners_line_deploys_the_tag_it_is_given() {
    let sandbox = started();
    sandbox.write("values-us-prod.yaml", "replicas: 2\n");
    for tag in ["v1.2.3", "v1.2.4"] {
        let set = format!("image.tag={tag}");
        let line =
            ["helm", "upgrade", "--install", "web", "web", "-n", "default", "-f", "values-us-prod.yaml", "--set", &set];
        sandbox.run(&line).exits(0).says("STATUS: deployed");
        let live = resources(&sandbox, "web");
        let images = fields(&live, "v1/Deployment", "/spec/template/spec/containers/0/image");
        assert_eq!(images, [format!("shop/web:{tag}")]);
        assert_eq!(live["v1/Deployment"][0]["spec"]["replicas"], 2);
    }
}

#[test]
fn lp_099_lint_has_helms_findings_and_exit_codes() {
    let sandbox = Sandbox::luckyplans();
    let chart = "infrastructure/helm/luckyplans";
    let prod = format!("{chart}/values.prod.yaml");
    for arguments in [vec!["lint", chart], vec!["lint", chart, "-f", &prod]] {
        sandbox.run(&arguments).exits(0).says("1 chart(s) linted, 0 chart(s) failed");
    }
    sandbox.write("broken/Chart.yaml", "apiVersion: v2\nname: broken\n");
    sandbox
        .run(&["helm", "lint", "broken"])
        .exits(1)
        .says("[ERROR] Chart.yaml: version is required")
        .says("1 chart(s) failed");
}

#[test]
fn lp_100_objects_of_operators_are_validated_and_not_skipped() {
    let sandbox = Sandbox::empty();
    sandbox.write("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n");
    let certificate = |spec: &str| {
        format!("apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {{name: web}}\nspec: {{{spec}}}\n")
    };
    let middleware = "apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {name: web}\nspec: {stripPrefix: {prefixes: [/a]}}\n";
    let validate = ["template", "web", "web", "--validate", "--kube-version", "1.32"];
    let good = certificate("secretName: tls, issuerRef: {name: ca}");
    sandbox.write("web/templates/all.yaml", &format!("{good}---\n{middleware}"));
    sandbox.run(&validate).exits(0).says("kind: Middleware");
    sandbox.write("web/templates/all.yaml", &certificate("issuerRef: {name: ca}"));
    sandbox.run(&validate).exits(1).says("spec.secretName: Required value").says("web/templates/all.yaml");
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {prots: [{port: 80}]}\n";
    sandbox.write("web/templates/all.yaml", service);
    sandbox.run(&validate).exits(1).says("unknown field \"spec.prots\"");
    sandbox
        .write("web/templates/all.yaml", "apiVersion: nobody.example.com/v1\nkind: Unheard\nmetadata: {name: web}\n");
    sandbox.run(&validate).exits(1).says("Unheard");
}

#[test]
fn se_080_lint_and_template_end_as_helm_ends() {
    let sandbox = Sandbox::luckyplans();
    let chart = "infrastructure/helm/luckyplans";
    let prod = format!("{chart}/values.prod.yaml");
    sandbox.run(&["lint", chart]).exits(0);
    sandbox.run(&["template", "luckyplans", chart]).exits(0).says("kind: Deployment");
    sandbox.run(&["template", "luckyplans", chart, "-f", &prod]).exits(0).says("kind: Deployment");
    sandbox.write("broken/Chart.yaml", "apiVersion: v2\nname: broken\nversion: 0.1.0\n");
    sandbox.write("broken/templates/a.yaml", "{{ nope }}\n");
    sandbox.run(&["helm", "template", "broken"]).exits(1).says("function \"nope\" not defined");
    sandbox.run(&["helm", "lint", "broken"]).exits(1).says("function \"nope\" not defined");
}

#[test]
fn what_simulated_containers_have_answered_is_marked_in_our_voice_and_not_in_helms() {
    let sandbox = started();
    let hook = |name: &str, kind: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  annotations: {{helm.sh/hook: {kind}, helm.sh/hook-delete-policy: hook-succeeded}}\nspec: {{restartPolicy: Never, containers: [{{name: run, image: \"shop/web:1\"}}]}}\n"
        )
    };
    sandbox.write("web/templates/seed.yaml", &hook("seed", "\"pre-install,pre-upgrade\""));
    sandbox.write("web/templates/try.yaml", &hook("try", "test"));
    let simulated = |hook: &str| format!("~ Pod/{hook} succeeded without a process: its containers are simulated");
    let ready = "~ what was waited for is simulated";
    sandbox.run(&["install", "web", "web", "--wait"]).exits(0).says(&simulated("seed")).says(ready);
    sandbox.run(&["upgrade", "web", "web", "--wait"]).exits(0).says(&simulated("seed")).says(ready);
    sandbox.run(&["test", "web"]).exits(0).says(&simulated("try")).says("Phase:          Succeeded ~\n");
    let unwaited = sandbox.run(&["upgrade", "web", "web", "--no-hooks"]).exits(0);
    assert!(!unwaited.all().contains('~'), "nothing was answered by anybody: {}", unwaited.all());
    for line in [&["helm", "upgrade", "web", "web", "--wait"][..], &["helm", "test", "web"]] {
        let helms = sandbox.run(line).exits(0);
        assert!(!helms.all().contains('~'), "{}", helms.all());
    }
}

#[test]
fn what_another_environment_of_the_same_cluster_declares_is_not_rolled_back_nor_shown() {
    let sandbox = started();
    let release = |namespace: &str| format!("[{{name: web, chart: web, namespace: {namespace}}}]");
    sandbox.write(
        "landfall.yaml",
        &format!(
            "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  test:\n    cluster: embedded\n    releases: {}\n  production:\n    cluster: embedded\n    releases: {}\n",
            release("test"),
            release("production")
        ),
    );
    sandbox.run(&["up", "--env", "test", "--yes"]).exits(0);
    sandbox.edit("web/values.yaml", "replicas: 1", "replicas: 2");
    sandbox.run(&["up", "--env", "test", "--yes"]).exits(0);
    // Somebody else's lives on the same cluster.
    for replicas in ["replicas=1", "replicas=2"] {
        let words =
            ["upgrade", "--install", "other", "web", "-n", "elsewhere", "--create-namespace", "--set", replicas];
        sandbox.run(&words).exits(0);
    }
    let units = |words: &[&str]| {
        let said = sandbox.run(&[words, &["-o", "json"]].concat());
        let data = said.json()["data"].clone();
        let units = data["units"].as_array().or(data.as_array()).cloned().unwrap_or_default();
        units.iter().map(|unit| format!("{}/{}", unit["namespace"], unit["name"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(units(&["status", "--env", "production"]), ["elsewhere/other"]);
    sandbox.run(&["rollback", "--env", "production", "--yes"]).exits(1).says("no earlier revision to go back to");
    sandbox.run(&["rollback", "web", "--env", "production", "--yes"]).exits(1).says("there is no release web");
    sandbox.run(&["history", "web", "--env", "production"]).exits(1).says("there is no release web");
    assert_eq!(units(&["rollback", "--env", "test", "--dry-run"]), ["test/web"]);
    // Where both have one.
    for replicas in ["replicas: 3", "replicas: 4"] {
        let values = sandbox.read("web/values.yaml");
        let line = values.lines().next().expect("a line").to_owned();
        sandbox.edit("web/values.yaml", &line, replicas);
        sandbox.run(&["up", "--env", "production", "--yes"]).exits(0);
    }
    assert_eq!(units(&["rollback", "--env", "test", "--dry-run"]), ["test/web"]);
    assert_eq!(units(&["rollback", "web", "--env", "production", "--dry-run"]), ["production/web"]);
    assert_eq!(units(&["status", "web", "--env", "test"]), ["test/web"]);
    sandbox.run(&["rollback", "--env", "test", "--yes"]).exits(0);
    let shown = sandbox.run(&["history", "--env", "test"]).exits(0).stdout;
    assert!(shown.contains("Rollback to 1"), "{shown}");
}
