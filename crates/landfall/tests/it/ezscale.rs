//! The EZSCALE example holds what its documents name, and is delivered.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::rendered::{containers, find, kinds, pods, template, the};
use super::sandbox::Sandbox;

const CHART: &str = "helm/ezscale-website";
const NAME: &str = "ezscale-website";

fn render(values: &str, more: &[&str]) -> Vec<Value> {
    let file = format!("{CHART}/values-{values}.yaml");
    let mut all = vec![NAME, CHART, "-n", "ezscale", "-f", &file];
    all.extend(more);
    template(&Sandbox::example(NAME), &all)
}

fn production() -> Vec<Value> {
    render("us-prod", &["--set", "image.tag=v1.2.3"])
}

fn pod<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    &the(objects, kind, name)["spec"]["template"]["spec"]
}

fn container<'p>(pod: &'p Value, name: &str) -> &'p Value {
    containers(pod).find(|container| container["name"] == name).expect("a container of that name")
}

fn hosts(route: &Value) -> BTreeSet<String> {
    let rules = route["spec"]["routes"].as_array().into_iter().flatten();
    rules
        .flat_map(|rule| rule["match"].as_str().unwrap_or_default().split("||"))
        .map(|part| part.trim().trim_start_matches("Host(`").trim_end_matches("`)").to_owned())
        .collect()
}

#[test]
fn ez_002_production_mounts_nothing_of_its_hosts_and_runs_versions_only() {
    for (name, pod) in pods(&production()) {
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            assert!(volume.get("hostPath").is_none(), "{name}: {volume}");
        }
        for container in containers(pod) {
            let image = container["image"].as_str().unwrap_or_default();
            assert!(image.contains(':') && !image.ends_with("latest"), "{name}: {image}");
        }
    }
}

#[test]
fn ez_006_ez_007_production_is_sixteen_objects_and_nothing_out_of_scope() {
    let expected = json!({
        "Certificate": 1, "ConfigMap": 2, "Database": 1, "Deployment": 3, "Grant": 1, "HorizontalPodAutoscaler": 1,
        "IngressRoute": 2, "Job": 1, "Service": 2, "StatefulSet": 1, "User": 1,
    });
    let objects = production();
    assert_eq!(serde_json::to_value(kinds(&objects)).expect("counts"), expected);
    assert_eq!(objects.len(), 16);
    assert!(objects.iter().all(|object| object["metadata"]["namespace"] == "ezscale"));
}

#[test]
fn ez_042_locally_the_database_server_and_its_root_secret_are_added_and_the_references_switch() {
    let expected = json!({
        "ConfigMap": 2, "Database": 1, "Deployment": 3, "Grant": 1, "IngressRoute": 1, "Job": 1, "MariaDB": 1,
        "Secret": 2, "Service": 2, "StatefulSet": 1, "User": 1,
    });
    let objects = render("local", &[]);
    assert_eq!(serde_json::to_value(kinds(&objects)).expect("counts"), expected);
    let server = the(&objects, "MariaDB", "ezscale-website-mariadb");
    assert_eq!(server["spec"]["replicas"], 1);
    let root = server["spec"]["rootPasswordSecretKeyRef"]["name"].as_str().expect("a name");
    assert!(find(&objects, "Secret", root).is_some());
    for kind in ["Database", "User", "Grant"] {
        let object = objects.iter().find(|object| object["kind"] == kind).expect("there");
        assert_eq!(object["spec"]["mariaDbRef"]["name"], "ezscale-website-mariadb", "{kind}");
    }
}

#[test]
fn ez_013_without_routes_and_certificate_none_of_their_kinds_is_rendered() {
    let off = ["--set", "ingressRoute.enabled=false,certificate.enabled=false"];
    let objects = render("us-prod", &off);
    let versions: BTreeSet<&str> = objects.iter().filter_map(|object| object["apiVersion"].as_str()).collect();
    assert!(!versions.iter().any(|version| version.contains("traefik") || version.contains("cert-manager")));
}

#[test]
fn ez_014_the_chart_has_three_values_files_and_the_sixteen_named_templates() {
    let sandbox = Sandbox::example(NAME);
    let names = |directory: &str| -> BTreeSet<String> {
        std::fs::read_dir(sandbox.root().join(directory))
            .expect("there")
            .map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned())
            .collect()
    };
    for file in ["values.yaml", "values-local.yaml", "values-us-prod.yaml"] {
        assert!(names(CHART).contains(file), "{file}");
    }
    let templates: Vec<String> = names(&format!("{CHART}/templates")).into_iter().collect();
    assert_eq!(
        templates,
        [
            "_helpers.tpl",
            "certificate.yaml",
            "configmap.yaml",
            "deployment-app.yaml",
            "deployment-horizon.yaml",
            "deployment-scheduler.yaml",
            "hpa-app.yaml",
            "ingressroute.yaml",
            "job-migrate.yaml",
            "mariadb-database.yaml",
            "mariadb-grant.yaml",
            "mariadb-instance.yaml",
            "mariadb-user.yaml",
            "secret.yaml",
            "service.yaml",
            "statefulset-valkey.yaml",
        ]
    );
}

#[test]
fn ez_011_every_pod_with_an_own_image_names_the_pull_secret() {
    for (name, pod) in pods(&production()) {
        let own = containers(pod).any(|c| c["image"].as_str().is_some_and(|image| image.starts_with("registry.")));
        if own {
            assert_eq!(pod["imagePullSecrets"], json!([{"name": "gitea-registry"}]), "{name}");
        }
    }
}

#[test]
fn ez_015_ez_016_each_workload_has_its_stage_of_one_dockerfile_and_its_role_in_the_tag() {
    let sandbox = Sandbox::example(NAME);
    let dockerfile = sandbox.read("Dockerfile");
    let stages: Vec<&str> = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert_eq!(
        stages,
        [
            "composer:2 AS composer-deps",
            "node:24-alpine AS node-build",
            "php:8.3-fpm-bookworm AS runtime-base",
            "runtime-base AS app",
            "runtime-base AS horizon",
            "runtime-base AS scheduler",
        ]
    );
    let file = landfall_yaml::to_json_all(&sandbox.read("landfall.yaml")).expect("YAML").remove(0);
    let objects = production();
    for role in ["app", "horizon", "scheduler"] {
        let workload = format!("{NAME}-{role}");
        assert_eq!(file["environments"]["local"]["build"][&workload]["target"], role);
        let image = &pod(&objects, "Deployment", &workload)["containers"][0]["image"];
        assert_eq!(*image, format!("registry.example.com/ezscale/website:{role}-v1.2.3"));
    }
}

#[test]
fn ez_017_the_queue_worker_has_a_minute_to_finish() {
    assert_eq!(pod(&production(), "Deployment", "ezscale-website-horizon")["terminationGracePeriodSeconds"], 60);
}

#[test]
fn ez_018_the_web_pod_is_an_init_copy_then_nginx_and_php_over_one_directory() {
    let objects = production();
    let pod = pod(&objects, "Deployment", "ezscale-website-app");
    let names = |part: &str| -> Vec<&str> {
        pod[part].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect()
    };
    assert_eq!((names("initContainers"), names("containers")), (vec!["source"], vec!["app", "nginx"]));
    let (nginx, app) = (container(pod, "nginx"), container(pod, "app"));
    assert_eq!(nginx["image"], "nginx:1.30-alpine");
    assert_eq!((&nginx["ports"][0]["containerPort"], &app["ports"][0]["containerPort"]), (&json!(80), &json!(9000)));
    assert_eq!(app["image"], "registry.example.com/ezscale/website:app-v1.2.3");
    let shared = pod["volumes"].as_array().into_iter().flatten().find(|v| v["name"] == "source").expect("shared");
    assert_eq!(shared["emptyDir"], json!({}));
    for container in containers(pod) {
        let mut mounts = container["volumeMounts"].as_array().into_iter().flatten();
        assert!(mounts.any(|mount| mount["name"] == "source"), "{}", container["name"]);
    }
}

#[test]
fn ez_019_ez_061_a_changed_vhost_makes_a_new_pod_template_with_the_same_images() {
    let (before, after) = (production(), render("us-prod", &["--set", "image.tag=v1.2.3,nginx.maxBodySize=64m"]));
    let of = |objects: &[Value]| the(objects, "Deployment", "ezscale-website-app")["spec"]["template"].clone();
    let (before, after) = (of(&before), of(&after));
    assert_ne!(
        before["metadata"]["annotations"]["checksum/config"],
        after["metadata"]["annotations"]["checksum/config"]
    );
    assert_eq!(before["spec"], after["spec"]);
}

#[test]
fn ez_020_all_three_probes_ask_for_up_and_a_start_may_take_five_minutes() {
    let objects = production();
    let nginx = container(pod(&objects, "Deployment", "ezscale-website-app"), "nginx").clone();
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(nginx[probe]["httpGet"], json!({"path": "/up", "port": "http"}), "{probe}");
    }
    assert_eq!(nginx["readinessProbe"]["failureThreshold"], 3);
    let startup = &nginx["startupProbe"];
    let seconds = startup["periodSeconds"].as_u64().expect("set") * startup["failureThreshold"].as_u64().expect("set");
    assert_eq!(seconds, 300);
}

#[test]
fn ez_021_the_autoscaler_owns_the_number_of_web_pods() {
    let objects = production();
    let autoscaler = the(&objects, "HorizontalPodAutoscaler", "ezscale-website-app");
    let spec = &autoscaler["spec"];
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(1), &json!(8)));
    assert_eq!(spec["metrics"][0]["resource"]["target"]["averageUtilization"], 70);
    assert!(the(&objects, "Deployment", "ezscale-website-app")["spec"].get("replicas").is_none());
    assert_eq!(the(&render("local", &[]), "Deployment", "ezscale-website-app")["spec"]["replicas"], 1);
}

#[test]
fn ez_022_ez_072_three_hosts_lead_to_one_service_with_the_address_restored_first() {
    let objects = production();
    let route = the(&objects, "IngressRoute", NAME);
    assert_eq!(route["spec"]["entryPoints"], json!(["websecure"]));
    assert_eq!(hosts(route).len(), 3);
    let rule = &route["spec"]["routes"][0];
    assert!(rule["match"].as_str().is_some_and(|rule| rule.contains(" || ")));
    assert_eq!(rule["services"], json!([{"name": NAME, "port": 80}]));
    assert_eq!(rule["middlewares"][0], json!({"name": "cloudflarewarp", "namespace": "kube-system"}));
    assert_eq!(the(&objects, "Service", NAME)["spec"]["ports"][0]["port"], 80);
}

#[test]
fn ez_023_a_second_route_on_web_only_redirects() {
    let objects = production();
    let route = the(&objects, "IngressRoute", "ezscale-website-redirect");
    assert_eq!(route["spec"]["entryPoints"], json!(["web"]));
    let middlewares = &route["spec"]["routes"][0]["middlewares"];
    assert_eq!(*middlewares, json!([{"name": "http-to-https", "namespace": "kube-system"}]));
    assert_eq!(hosts(route), hosts(the(&objects, "IngressRoute", NAME)));
}

#[test]
fn ez_024_one_certificate_holds_exactly_the_hosts_of_the_route() {
    let objects = production();
    let certificate = the(&objects, "Certificate", "ezscale-website-tls");
    let names = certificate["spec"]["dnsNames"].as_array().expect("names");
    let names: BTreeSet<String> = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let route = the(&objects, "IngressRoute", NAME);
    assert_eq!(names, hosts(route));
    assert_eq!(certificate["spec"]["secretName"], "ezscale-website-tls");
    assert_eq!(route["spec"]["tls"]["secretName"], "ezscale-website-tls");
    assert_eq!(certificate["spec"]["issuerRef"], json!({"kind": "ClusterIssuer", "name": "letsencrypt"}));
}

#[test]
fn ez_025_ez_070_the_admin_host_gets_a_route_of_its_own_when_asked_for() {
    assert_eq!(the(&production(), "IngressRoute", NAME)["spec"]["routes"].as_array().map(Vec::len), Some(1));
    let split = "ingressRoute.admin.split=true,ingressRoute.admin.middlewares[0].name=staff-only";
    let objects = render("us-prod", &["--set", split]);
    let route = the(&objects, "IngressRoute", NAME);
    assert_eq!(route["spec"]["routes"][1]["match"], "Host(`admin.ezscale.example.com`)");
    assert_eq!(route["spec"]["routes"][1]["middlewares"][1]["name"], "staff-only");
    assert_eq!(hosts(route).len(), 3);
}

#[test]
fn ez_026_in_production_files_go_to_the_object_store_with_its_six_settings() {
    let objects = production();
    let config = &the(&objects, "ConfigMap", "ezscale-website-config")["data"];
    assert_eq!((&config["FILESYSTEM_DISK"], &config["AWS_USE_PATH_STYLE_ENDPOINT"]), (&json!("s3"), &json!("true")));
    let app = container(pod(&objects, "Deployment", "ezscale-website-app"), "app");
    let secret: BTreeSet<&str> =
        app["env"].as_array().into_iter().flatten().filter_map(|env| env["name"].as_str()).collect();
    for setting in ["AWS_BUCKET", "AWS_ENDPOINT", "AWS_DEFAULT_REGION", "AWS_USE_PATH_STYLE_ENDPOINT"] {
        assert!(config[setting].as_str().is_some_and(|value| !value.is_empty()), "{setting}");
    }
    assert!(secret.contains("AWS_ACCESS_KEY_ID") && secret.contains("AWS_SECRET_ACCESS_KEY"), "{secret:?}");
}

#[test]
fn ez_027_ez_028_locally_files_stay_in_the_pod_and_only_valkey_claims_a_volume() {
    let local = render("local", &[]);
    assert_eq!(the(&local, "ConfigMap", "ezscale-website-config")["data"]["FILESYSTEM_DISK"], "local");
    for objects in [local, production()] {
        assert!(!kinds(&objects).contains_key("PersistentVolumeClaim"));
        for (name, pod) in pods(&objects) {
            let mut volumes = pod["volumes"].as_array().into_iter().flatten();
            assert!(volumes.all(|v| v.get("persistentVolumeClaim").is_none()), "{name}");
        }
        let claimed: Vec<&str> = objects
            .iter()
            .filter(|object| object.pointer("/spec/volumeClaimTemplates").is_some())
            .filter_map(|object| object["metadata"]["name"].as_str())
            .collect();
        assert_eq!(claimed, ["ezscale-website-valkey"]);
    }
}

#[test]
fn ez_031_the_secret_is_rendered_only_when_it_is_asked_for_and_has_values() {
    let there = |set: &[&str]| {
        let mut all = vec![NAME, CHART, "-n", "ezscale"];
        all.extend(set);
        find(&template(&Sandbox::example(NAME), &all), "Secret", "ezscale-website-secrets").is_some()
    };
    assert!(!there(&[]));
    assert!(!there(&["--set", "secret.create=true"]));
    assert!(!there(&["--set", "secret.values.APP_KEY=x"]));
    assert!(there(&["--set", "secret.create=true,secret.values.APP_KEY=x"]));
}

/// T14: the whole Secret by `envFrom`, as it was first drawn, against the example, which mounts the two key files.
#[test]
fn ez_36_keys_that_are_no_variables_are_told_where_the_whole_secret_becomes_variables() {
    let sandbox = Sandbox::example(NAME);
    let doctor = |environment: &str| sandbox.run(&["doctor", "security", "--env", environment]);
    let rehearse = || sandbox.run(&["rehearse", "--env", "us-prod", "--set", "image.tag=v1.2.3"]);
    let wanted = ["`oauth-private.key`", "`oauth-public.key`"]
        .map(|key| format!("key {key} of Secret `ezscale-website-secrets` is no name"));
    for ran in [doctor("local"), rehearse()] {
        assert!(!ran.all().contains("LF120"), "{}", ran.all());
    }
    sandbox.edit(
        &format!("{CHART}/templates/_helpers.tpl"),
        "{{- define \"ezscale.envFrom\" -}}\n",
        "{{- define \"ezscale.envFrom\" -}}\n- secretRef: {name: ezscale-website-secrets}\n",
    );
    sandbox.commit("As it was first drawn");
    // Locally the chart renders the Secret; in production it is only declared.
    for ran in [doctor("local"), rehearse()] {
        assert!(ran.all().contains("LF120"), "{}", ran.all());
        wanted.iter().for_each(|text| assert!(ran.all().contains(text.as_str()), "{text} in {}", ran.all()));
    }
}

#[test]
fn ez_038_the_database_object_is_as_documented() {
    let objects = production();
    let database = the(&objects, "Database", "ezscale-billing");
    assert_eq!(database["apiVersion"], "k8s.mariadb.com/v1alpha1");
    assert_eq!(
        database["spec"],
        json!({
            "mariaDbRef": {"name": "mariadb"}, "name": "ezscale_billing", "characterSet": "utf8mb4",
            "collate": "utf8mb4_unicode_ci", "cleanupPolicy": "Skip",
        })
    );
}

#[test]
fn ez_039_the_user_object_takes_its_password_from_the_secret_and_has_fifty_connections() {
    assert_eq!(
        the(&production(), "User", "ezscale-website-app")["spec"],
        json!({
            "mariaDbRef": {"name": "mariadb"}, "host": "%", "maxUserConnections": 50, "cleanupPolicy": "Skip",
            "passwordSecretKeyRef": {"name": "ezscale-website-secrets", "key": "DB_PASSWORD"},
        })
    );
}

#[test]
fn ez_040_the_grant_object_gives_all_privileges_on_the_one_database() {
    assert_eq!(
        the(&production(), "Grant", "ezscale-website-app-grant")["spec"],
        json!({
            "mariaDbRef": {"name": "mariadb"}, "username": "ezscale-website-app", "host": "%",
            "privileges": ["ALL PRIVILEGES"], "database": "ezscale_billing", "table": "*", "cleanupPolicy": "Skip",
        })
    );
}

#[test]
fn ez_043_ez_044_valkey_is_as_documented_and_has_a_password_in_production_only() {
    let (local, production) = (render("local", &[]), production());
    let command = |objects: &[Value]| -> String {
        let valkey = container(pod(objects, "StatefulSet", "ezscale-website-valkey"), "valkey").clone();
        let words = valkey["command"].as_array().expect("a command").iter().filter_map(Value::as_str);
        words.collect::<Vec<_>>().join(" ")
    };
    let set = the(&production, "StatefulSet", "ezscale-website-valkey");
    assert_eq!(set["spec"]["replicas"], 1);
    let claim = &set["spec"]["volumeClaimTemplates"][0]["spec"];
    assert_eq!(
        (&claim["storageClassName"], &claim["resources"]["requests"]["storage"]),
        (&json!("longhorn"), &json!("5Gi"))
    );
    let valkey = container(pod(&production, "StatefulSet", "ezscale-website-valkey"), "valkey");
    assert_eq!(valkey["image"], "valkey/valkey:9-alpine");
    assert_eq!(valkey["resources"]["limits"]["memory"], "1536Mi", "above maxmemory");
    assert!(command(&production).starts_with("valkey-server --appendonly yes --maxmemory 1gb"));
    assert!(command(&production).contains("--requirepass") && !command(&local).contains("--requirepass"));
    assert_eq!(the(&production, "Service", "ezscale-website-valkey")["spec"]["ports"][0]["port"], 6379);
    let off = render("us-prod", &["--set", "valkey.enabled=false"]);
    assert!(find(&off, "StatefulSet", "ezscale-website-valkey").is_none());
}

#[test]
fn ez_045_ez_049_migrations_run_before_each_upgrade_and_after_a_first_install() {
    let objects = production();
    let job = the(&objects, "Job", "ezscale-website-migrate");
    let annotations = &job["metadata"]["annotations"];
    assert_eq!(annotations["helm.sh/hook"], "post-install,pre-upgrade");
    assert_eq!(annotations["helm.sh/hook-weight"], "0");
    assert_eq!(annotations["helm.sh/hook-delete-policy"], "before-hook-creation");
    let migrate = container(&job["spec"]["template"]["spec"], "migrate");
    assert_eq!(migrate["args"], json!(["php", "artisan", "migrate", "--force", "--no-interaction"]));
    assert_eq!(migrate["image"], "registry.example.com/ezscale/website:app-v1.2.3");
}

#[test]
fn ez_047_ez_048_the_seeder_runs_when_asked_for_and_migrations_can_be_left_out() {
    let seeder =
        |objects: &[Value]| the(objects, "Job", "ezscale-website-migrate").to_string().contains("ProductionSeeder");
    assert!(!seeder(&production()));
    assert!(seeder(&render("us-prod", &["--set", "migrate.seed=true"])));
    assert!(!kinds(&render("us-prod", &["--set", "migrate.enabled=false"])).contains_key("Job"));
}

#[test]
fn ez_050_ez_051_the_scheduler_is_one_pod_that_is_replaced_and_never_doubled() {
    let objects = production();
    let scheduler = the(&objects, "Deployment", "ezscale-website-scheduler");
    assert_eq!(scheduler["spec"]["replicas"], 1);
    assert_eq!(scheduler["spec"]["strategy"], json!({"type": "Recreate"}));
    let mut targets = objects.iter().filter(|object| object["kind"] == "HorizontalPodAutoscaler");
    assert!(targets.all(|it| it["spec"]["scaleTargetRef"]["name"] != "ezscale-website-scheduler"));
    assert!(!kinds(&objects).contains_key("CronJob"));
}

#[test]
fn ez_059_the_readme_tells_the_bootstrap() {
    let readme = Sandbox::example(NAME).read("README.md");
    let section = readme.split("## Bootstrap").nth(1).expect("a section").split("\n## ").next().unwrap_or_default();
    for word in ["APP_KEY", "oauth-private.key", "oauth-public.key", "kubectl create secret generic", "kubeseal"] {
        assert!(section.contains(word), "{word}");
    }
}

#[test]
fn ez_060_the_config_map_holds_nothing_that_looks_like_a_secret() {
    let objects = production();
    let config = the(&objects, "ConfigMap", "ezscale-website-config")["data"].as_object().expect("data");
    assert_eq!(config["APP_ENV"], "production");
    for key in config.keys() {
        let secret = ["PASSWORD", "SECRET", "TOKEN", "PRIVATE", "APP_KEY", "ACCESS_KEY"];
        assert!(!secret.iter().any(|word| key.contains(word)), "{key}");
    }
}

#[test]
fn ez_063_database_user_grant_and_local_secrets_outlive_the_release() {
    for (values, expected) in [
        ("us-prod", &["Database", "Grant", "User"][..]),
        ("local", &["Database", "Grant", "MariaDB", "Secret", "Secret", "User"]),
    ] {
        let objects = render(values, &[]);
        let mut kept: Vec<&str> = objects
            .iter()
            .filter(|object| object["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep")
            .filter_map(|object| object["kind"].as_str())
            .collect();
        kept.sort_unstable();
        assert_eq!(kept, expected, "{values}");
    }
}

#[test]
fn ez_065_every_role_has_the_same_configuration_and_secret() {
    let objects = production();
    let of = |name: &str, role: &str| {
        let container = container(pod(&objects, "Deployment", name), role).clone();
        (container["envFrom"].clone(), container["env"].clone())
    };
    let app = of("ezscale-website-app", "app");
    assert_eq!(app.0, json!([{"configMapRef": {"name": "ezscale-website-config"}}]));
    assert_eq!(of("ezscale-website-horizon", "horizon"), app);
    assert_eq!(of("ezscale-website-scheduler", "scheduler"), app);
}

#[test]
fn ez_067_every_name_begins_with_the_charts_or_is_the_documented_one() {
    let others = ["ezscale-billing"];
    for object in production() {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        assert!(name.starts_with(NAME) || others.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn ez_069_ez_073_every_container_is_pinned_bounded_and_nobodys_root() {
    for (name, pod) in pods(&production()) {
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        for container in containers(pod) {
            let security = &container["securityContext"];
            assert!(security["runAsUser"].as_u64().is_some_and(|uid| uid > 0), "{name}: {security}");
            assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{name}");
            let resources = &container["resources"];
            assert!(resources["requests"]["memory"].is_string() && resources["limits"]["memory"].is_string(), "{name}");
            assert!(!container["image"].as_str().unwrap_or_default().contains("latest"), "{name}");
        }
    }
}

#[test]
fn ez_018_ez_022_ez_074_everything_is_delivered_and_up_answers_on_three_hosts() {
    let sandbox = Sandbox::example(NAME);
    let up = sandbox.run(&["up", "-o", "json"]).exits(0).json();
    assert_eq!(up["ok"], true, "{up:#}");
    let checks = up["data"]["checks"].as_array().expect("checks");
    assert_eq!(checks.len(), 3);
    for check in checks {
        assert_eq!(check["verdict"], "passed", "{check:#}");
    }
    let status = sandbox.run(&["status", "-o", "json"]).exits(0).json();
    let workloads = status["data"]["units"][0]["workloads"].as_array().expect("workloads").clone();
    let names: BTreeSet<&str> = workloads.iter().filter_map(|workload| workload["name"].as_str()).collect();
    for name in ["app", "horizon", "scheduler", "valkey"] {
        assert!(names.contains(format!("ezscale-website-{name}").as_str()), "{names:?}");
    }
    let again = sandbox.run(&["up", "-o", "json"]).exits(0).json();
    assert_eq!(again["data"]["units"][0]["outcome"], "unchanged", "{again:#}");
}

/// The chart's templates in the order in which they were written, from its settings on.
const STEPS: &[&[&str]] = &[
    &["configmap.yaml", "secret.yaml"],
    &["mariadb-instance.yaml", "mariadb-database.yaml", "mariadb-user.yaml", "mariadb-grant.yaml"],
    &["statefulset-valkey.yaml"],
    &["deployment-app.yaml", "service.yaml"],
    &["deployment-horizon.yaml"],
    &["deployment-scheduler.yaml"],
    &["job-migrate.yaml"],
    &["ingressroute.yaml", "certificate.yaml"],
    &["hpa-app.yaml"],
];

#[test]
fn ez_058_the_chart_rehearses_green_at_each_step_in_which_it_was_built() {
    let sandbox = Sandbox::example(NAME);
    let path = |template: &str| format!("{CHART}/templates/{template}");
    let all: Vec<(String, String)> =
        STEPS.iter().copied().flatten().map(|template| (path(template), sandbox.read(&path(template)))).collect();
    for (template, _) in &all {
        std::fs::remove_file(sandbox.root().join(template)).expect("removed");
    }
    let rest = std::fs::read_dir(sandbox.root().join(CHART).join("templates")).expect("read").count();
    assert_eq!(rest, 1, "only the helpers are in every step");
    let values = format!("{CHART}/values-local.yaml");
    for step in STEPS {
        for template in *step {
            let (path, text) = all.iter().find(|(it, _)| *it == path(template)).expect("known");
            sandbox.write(path, text);
        }
        sandbox.commit(&format!("Add {}", step.join(", ")));
        let chart = ["rehearse", "--from", "empty", &format!("./{CHART}"), "-f", &values, "-n", "ezscale"];
        sandbox.run(&chart).exits(0).says("would deliver cleanly");
    }
}

#[test]
fn ez_049_ez_058_migrations_that_need_what_comes_after_them_fail_the_rehearsal_with_that_reason() {
    let sandbox = Sandbox::example(NAME);
    let rehearse = |sandbox: &Sandbox| sandbox.run(&["rehearse", "--env", "local", "--from", "empty"]);
    rehearse(&sandbox).exits(0);
    let job = format!("{CHART}/templates/job-migrate.yaml");
    sandbox.edit(&job, "helm.sh/hook: post-install,pre-upgrade", "helm.sh/hook: pre-install,pre-upgrade");
    sandbox.commit("As it was first drawn");
    rehearse(&sandbox).exits(1).says("error[LF108]").says("Job/ezscale-website-migrate");
}

#[test]
fn ez_073_production_rehearses_without_any_finding_about_its_containers_and_writes_nothing() {
    let sandbox = Sandbox::example(NAME);
    let args = ["rehearse", "--env", "us-prod", "--set", "image.tag=v1.2.3", "-o", "json"];
    let findings = sandbox.run(&args).json()["data"]["findings"].clone();
    let about_containers = ["LF120", "LF121", "LF122", "LF123", "LF124", "LF136", "LF140", "LF141"];
    for finding in findings.as_array().expect("findings") {
        let rule = finding["rule"].as_str().unwrap_or_default();
        assert!(!about_containers.contains(&rule), "{finding:#}");
    }
    assert!(!sandbox.root().join(".landfall").exists());
}
