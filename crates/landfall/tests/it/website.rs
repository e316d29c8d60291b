//! The EZSCALE example while it runs: what its documents ask for is seen on a cluster, not read in the rendering.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use futures::{StreamExt as _, pin_mut};
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::doctor::served;
use super::sandbox::{Ran, Sandbox};
use super::terminal::Terminal;

const CHART: &str = "./helm/ezscale-website";
const NAMESPACE: &str = "ezscale";
/// Production's values for the chart by itself.
const PRODUCTION: [&str; 4] = ["-f", "helm/ezscale-website/values-us-prod.yaml", "-n", NAMESPACE];

/// A cluster's API, as somebody else than us speaks to it.
struct Kube {
    runtime: Runtime,
    client: kube::Client,
    namespace: &'static str,
}

impl Kube {
    fn of(kubeconfig: &str, namespace: &'static str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async {
            let config = kube::config::Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
            let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await.expect("readable");
            kube::Client::try_from(config).expect("a client")
        });
        Kube { runtime, client, namespace }
    }

    /// The objects of a kind, as `apps/v1 Deployment deployments`.
    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let mut words = kind.split(' ');
        let mut next = || words.next().expect("version, kind and plural");
        let (version, kind, plural) = (next(), next(), next());
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let kind = ApiResource { plural: plural.to_owned(), ..kind };
        Api::namespaced_with(self.client.clone(), self.namespace, &kind)
    }

    /// The names of the objects of a kind.
    fn names(&self, kind: &str) -> BTreeSet<String> {
        let list = self.runtime.block_on(self.api(kind).list(&ListParams::default())).expect("listed");
        list.items.into_iter().filter_map(|it| it.metadata.name).collect()
    }

    fn create(&self, kind: &str, value: Value) {
        let object: DynamicObject = serde_json::from_value(value).expect("an object");
        self.runtime.block_on(self.api(kind).create(&PostParams::default(), &object)).expect("created");
    }

    fn delete(&self, kind: &str, name: &str) {
        drop(self.runtime.block_on(self.api(kind).delete(name, &DeleteParams::background())).expect("deleted"));
    }
}

const DEPLOYMENTS: &str = "apps/v1 Deployment deployments";
const SECRETS: &str = "v1 Secret secrets";
const JOBS: &str = "batch/v1 Job jobs";
const CLAIMS: &str = "v1 PersistentVolumeClaim persistentvolumeclaims";

/// The website on a cluster that holds what production's holds.
struct Website {
    sandbox: Sandbox,
    kube: Kube,
}

impl Website {
    /// The cluster with what its owners have made, and nothing of the website yet.
    fn place() -> Self {
        let sandbox = Sandbox::example("ezscale-website").interactive();
        sandbox.write("place/Chart.yaml", "apiVersion: v2\nname: place\nversion: 0.1.0\n");
        sandbox.write("place/templates/all.yaml", &sandbox.read("cluster/us-prod.yaml"));
        sandbox.run(&["up", "./place", "-n", NAMESPACE]).exits(0);
        let kubeconfig = sandbox.run(&["cluster", "kubeconfig"]).exits(0).stdout;
        Website { sandbox, kube: Kube::of(&kubeconfig, NAMESPACE) }
    }

    /// The website in a version, with more words on the command line.
    fn up(&self, version: &str, more: &[&str]) -> Ran {
        let tag = format!("image.tag={version}");
        self.sandbox.run(&[&["up", CHART, "--set", &tag], &PRODUCTION[..], more].concat())
    }

    fn replicas(&self) -> Value {
        let api = self.kube.api(DEPLOYMENTS);
        let app = self.kube.runtime.block_on(api.get("ezscale-website-app")).expect("there");
        app.data["spec"]["replicas"].clone()
    }

    /// The most pods of a component that there were at once from a moment on, by what the API tells of each.
    fn most_at_once(&self, component: &str, act: impl FnOnce()) -> usize {
        let pods = self.kube.api("v1 Pod pods");
        let labels = format!("app.kubernetes.io/component={component}");
        let before = self.kube.runtime.block_on(pods.list(&ListParams::default().labels(&labels))).expect("listed");
        let mut there: BTreeSet<String> = before.items.iter().filter_map(|pod| pod.metadata.name.clone()).collect();
        assert!(!there.is_empty(), "{component} runs");
        let mut most = there.len();
        act();
        let from = before.metadata.resource_version.expect("a version");
        self.kube.runtime.block_on(async {
            let params = WatchParams::default().labels(&labels).timeout(1);
            let events = pods.watch(&params, &from).await.expect("watched");
            pin_mut!(events);
            while let Some(event) = events.next().await {
                match event.expect("an event") {
                    WatchEvent::Added(pod) => there.insert(pod.metadata.name.expect("a name")),
                    WatchEvent::Deleted(pod) => there.remove(&pod.metadata.name.expect("a name")),
                    _ => continue,
                };
                most = most.max(there.len());
            }
        });
        most
    }

    /// What the cluster's ingress answers on its plain port: status line and headers.
    fn asks(&self, host: &str, path: &str) -> String {
        let endpoint: Value =
            serde_json::from_str(&self.sandbox.read(".landfall/endpoint.json")).expect("an endpoint's file");
        let mut stream = TcpStream::connect(endpoint["http"].as_str().expect("an address")).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }
}

#[test]
fn ez_006_both_environments_rehearse_green() {
    let website = Website::place();
    let run = |words: &[&str]| website.sandbox.run(&[&["rehearse"], words].concat());
    run(&["--env", "local", "--from", "empty"]).exits(0).says("would deliver");
    website.sandbox.run(&["cluster", "snapshot", "place.json"]).exits(0);
    let production = ["--env", "us-prod", "--set", "image.tag=v1.2.3", "--from"];
    // What answers behind Cloudflare's plugin is not simulated, and no check through it is called passed.
    let green =
        run(&[&production[..], &["place.json"]].concat()).exits(0).says("would deliver, as far as it was simulated");
    assert!(!green.stdout.contains("error["), "{}", green.all());
    // It is the place that makes it so.
    run(&[&production[..], &["empty"]].concat()).exits(1).says("would NOT deliver");
}

#[test]
fn ez_011_without_the_pull_secret_in_the_namespace_nothing_is_delivered() {
    let website = Website::place();
    let kube = &website.kube;
    let kept = kube.runtime.block_on(kube.api(SECRETS).get("gitea-registry")).expect("there");
    kube.delete(SECRETS, "gitea-registry");
    let refused = website.up("v1.2.3", &[]).exits(5).says("gitea-registry").says("imagePullSecrets[0]");
    assert!(refused.all().contains("values-us-prod.yaml:6"), "the line that names it: {}", refused.all());
    assert!(kube.names(DEPLOYMENTS).is_empty());
    website.sandbox.run(&["cluster", "snapshot", "place.json"]).exits(0);
    let words = ["rehearse", "--env", "us-prod", "--set", "image.tag=v1.2.3", "--from", "place.json"];
    website.sandbox.run(&words).exits(1).says("error[LF103]: Secret `gitea-registry`");
    let (kind, data) = (&kept.data["type"], &kept.data["data"]);
    let again = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "gitea-registry"}, "type": kind, "data": data});
    kube.create(SECRETS, again);
    website.up("v1.2.3", &[]).exits(0);
}

#[test]
fn ez_30_without_the_secret_or_one_of_its_keys_nothing_is_begun() {
    const NAME: &str = "ezscale-website-secrets";
    let website = Website::place();
    let kube = &website.kube;
    let kept = kube.runtime.block_on(kube.api(SECRETS).get(NAME)).expect("there").data["data"].clone();
    let with = |data: &Value| {
        kube.create(SECRETS, json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}, "data": data}));
    };
    let refused = |wanted: &[&str]| {
        let told = website.up("v1.2.3", &[]).exits(5).says(NAME);
        wanted.iter().for_each(|text| assert!(told.all().contains(text), "{text} in {}", told.all()));
        assert!(kube.names(JOBS).is_empty() && kube.names(DEPLOYMENTS).is_empty(), "before the hooks: {}", told.all());
    };
    kube.delete(SECRETS, NAME);
    refused(&[]);
    for key in ["STRIPE_SECRET", "oauth-private.key"] {
        let mut less = kept.clone();
        less.as_object_mut().expect("a map").remove(key).expect("it has it");
        with(&less);
        refused(&[&format!("{NAME}[{key}]")]);
        kube.delete(SECRETS, NAME);
    }
    with(&kept);
    website.up("v1.2.3", &[]).exits(0);
    assert!(!kube.names(DEPLOYMENTS).is_empty());
}

#[test]
fn ez_017_a_queue_worker_with_less_than_its_minute_is_told_by_the_rehearsal() {
    let sandbox = Sandbox::example("ezscale-website");
    let rehearse =
        |more: &[&str]| sandbox.run(&[&["rehearse", "--env", "local", "--from", "empty"], more].concat()).exits(0);
    assert!(!rehearse(&[]).stdout.contains("LF141"));
    rehearse(&["--set", "horizon.terminationGracePeriodSeconds=30"])
        .says("warning[LF141]")
        .says("may work 60 s on a job and is killed after 30 s")
        .says("deployment-horizon.yaml:22");
}

#[test]
fn ez_021_an_upgrade_leaves_the_number_of_pods_that_the_autoscaler_chose() {
    let website = Website::place();
    website.up("v1.2.3", &[]).exits(0);
    assert_eq!(website.replicas(), 1);
    // What an autoscaler does: it writes the scale.
    let deployments = website.kube.api(DEPLOYMENTS);
    let scale = json!({"spec": {"replicas": 5}});
    let params = PatchParams { field_manager: Some("kube-controller-manager".to_owned()), ..PatchParams::default() };
    let scale = Patch::Merge(scale);
    let scaled = deployments.patch_scale("ezscale-website-app", &params, &scale);
    website.kube.runtime.block_on(scaled).expect("scaled");
    let same = [&["diff", CHART, "--set", "image.tag=v1.2.3", "--exit-code"], &PRODUCTION[..]].concat();
    website.sandbox.run(&same).exits(0).says("no differences");
    website.up("v1.2.4", &[]).exits(0);
    assert_eq!(website.replicas(), 5, "the upgrade leaves it");
    // A chart that names a number sets it: it is the chart that leaves it to the autoscaler.
    website.up("v1.2.5", &["--set", "autoscaling.enabled=false"]).exits(0);
    assert_eq!(website.replicas(), 1);
}

#[test]
fn ez_023_plain_requests_are_sent_to_tls_and_challenges_of_the_certificates_authority_are_served() {
    let website = Website::place();
    website.up("v1.2.3", &[]).exits(0);
    for host in ["ezscale.example.com", "account.ezscale.example.com", "admin.ezscale.example.com"] {
        let answer = website.asks(host, "/up");
        assert!(answer.starts_with("HTTP/1.1 301") || answer.starts_with("HTTP/1.1 308"), "{host}: {answer}");
        let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default();
        assert!(location.starts_with(&format!("https://{host}")) && location.ends_with("/up"), "{host}: {answer}");
    }
    // What cert-manager makes while a challenge is open, with a token of every length.
    website.kube.create(
        "v1 Service services",
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cm-acme-http-solver"},
            "spec": {"selector": {"acme.cert-manager.io/http01-solver": "true"}, "ports": [{"port": 8089}]}}),
    );
    for token in ["t", "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"] {
        let path = format!("/.well-known/acme-challenge/{token}");
        let backend = json!({"service": {"name": "cm-acme-http-solver", "port": {"number": 8089}}});
        let rule = json!({"host": "ezscale.example.com",
            "http": {"paths": [{"path": path, "pathType": "ImplementationSpecific", "backend": backend}]}});
        website.kube.create(
            "networking.k8s.io/v1 Ingress ingresses",
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": {"name": format!("solver-{}", token.len())}, "spec": {"rules": [rule]}}),
        );
        let answer = website.asks("ezscale.example.com", &path);
        assert!(!answer.contains("location:"), "the challenge is not sent elsewhere: {answer}");
        assert!(answer.contains("cm-acme-http-solver"), "the solver's Service is asked: {answer}");
        assert!(website.asks("ezscale.example.com", "/up").contains("location: https://"), "all else is");
    }
}

#[test]
fn ez_048_an_upgrade_without_migrations_runs_no_job_and_its_revision_says_so() {
    let website = Website::place();
    let jobs = || website.kube.names(JOBS);
    website.up("v1.2.3", &[]).exits(0);
    assert_eq!(jobs().into_iter().collect::<Vec<_>>(), ["ezscale-website-migrate"]);
    website.kube.delete(JOBS, "ezscale-website-migrate");
    let without = ["--set", "image.tag=v1.2.4", "--set", "migrate.enabled=false"];
    let upgrade = [&["upgrade", "ezscale-website", CHART], &PRODUCTION[..], &without[..]].concat();
    website.sandbox.run(&upgrade).exits(0);
    assert!(jobs().is_empty(), "{:?}", jobs());
    // Who asks afterwards finds when it was, and that migrations were left out then and not before.
    let history = website.sandbox.run(&["history", "ezscale-website", "-n", NAMESPACE, "-o", "json"]).exits(0).json();
    let last = &history["data"][0];
    assert_eq!((&last["revision"], &last["status"]), (&json!(2), &json!("deployed")), "{history:#}");
    assert!(last["updated"].as_str().is_some_and(|at| at.starts_with("20")), "{history:#}");
    let values = |revision: &str| {
        let words = ["get", "values", "ezscale-website", "-n", NAMESPACE, "--revision", revision, "-o", "json"];
        website.sandbox.run(&words).exits(0).json()["migrate"]["enabled"].clone()
    };
    assert_eq!((values("1"), values("2")), (Value::Null, json!(false)));
    website.up("v1.2.5", &[]).exits(0);
    assert_eq!(jobs().len(), 1, "the next one migrates again");
}

#[test]
fn ez_048_an_emergency_has_an_entry_of_its_own_through_either_door() {
    let website = Website::place();
    website.up("v1.2.3", &[]).exits(0);
    let without = ["--set", "image.tag=v1.2.4", "--set", "migrate.enabled=false"];
    let upgrade = [&["upgrade", "ezscale-website", CHART], &PRODUCTION[..], &without[..]].concat();
    website.sandbox.run(&upgrade).exits(0);
    website.up("v1.2.5", &[]).exits(0);
    website.up("v1.2.6", &["--set", "migrate.enabled=false"]).exits(0);
    let history = |more: &[&str]| {
        website.sandbox.run(&[&["history", "ezscale-website", "-n", NAMESPACE], more].concat()).exits(0)
    };
    let told = history(&["-o", "json"]).json()["data"].clone();
    let given = |at: usize| told[at]["given"].clone();
    let tag = json!({"path": "image.tag", "given": "changed"});
    let off = json!({"path": "migrate.enabled", "given": "added", "now": false});
    assert_eq!(given(0), json!([off, tag]), "{told:#}");
    assert_eq!(given(1), json!([tag, {"path": "migrate.enabled", "given": "removed"}]), "{told:#}");
    assert_eq!(given(2), json!([off, tag]), "{told:#}");
    assert_eq!(given(3), Value::Null, "before the first nothing was given: {told:#}");
    let lines = history(&[]).stdout;
    assert_eq!(lines.matches("migrate.enabled=false").count(), 2, "{lines}");
    assert_eq!(lines.matches("migrate.enabled no longer given").count(), 1, "{lines}");
}

#[test]
fn ez_050_during_an_upgrade_there_is_never_a_second_scheduler() {
    let website = Website::place();
    website.up("v1.2.3", &[]).exits(0);
    let upgraded = |version: &'static str| {
        let website = &website;
        move || drop(website.up(version, &[]).exits(0))
    };
    assert_eq!(website.most_at_once("scheduler", upgraded("v1.2.4")), 1);
    // The same look sees two where the old and the new one may overlap.
    assert_eq!(website.most_at_once("horizon", upgraded("v1.2.5")), 2);
}

#[test]
fn ez_060_a_credential_in_the_config_map_is_told_with_its_line() {
    let sandbox = Sandbox::example("ezscale-website");
    let rehearse = || sandbox.run(&["rehearse", "--env", "local", "--from", "empty"]).exits(0);
    assert!(!rehearse().stdout.contains("LF174"));
    let template = "helm/ezscale-website/templates/configmap.yaml";
    sandbox.edit(template, "  APP_ENV:", "  MAIL_PASSWORD: Zx81-kite\n  APP_ENV:");
    rehearse()
        .says("warning[LF174]: `MAIL_PASSWORD` of ConfigMap `ezscale-website-config` is a credential")
        .says("configmap.yaml:")
        .says("secretKeyRef");
}

#[test]
fn ez_062_deleting_the_claim_of_a_queue_needs_a_yes() {
    let (_served, kubeconfig) = served("place");
    let kube = Kube::of(&kubeconfig, "default");
    let sandbox = Sandbox::empty();
    sandbox.write("../kubeconfig", &kubeconfig);
    sandbox.write("queue/Chart.yaml", "apiVersion: v2\nname: queue\nversion: 0.1.0\n");
    sandbox.write(
        "queue/templates/settings.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: queue}\ndata: {a: b}\n",
    );
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: queue}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n";
    sandbox.write("queue/templates/claim.yaml", claim);
    let place = ["--context", "place", "--kubeconfig", "../kubeconfig"];
    let run = |words: &[&str]| sandbox.run(&[words, &place[..]].concat());
    let is_there = || kube.names(CLAIMS).contains("queue");
    run(&["up", "./queue", "--yes"]).exits(0);
    assert!(is_there());
    std::fs::remove_file(sandbox.root().join("queue/templates/claim.yaml")).expect("removed");
    run(&["plan", "./queue"]).exits(0).says("- PersistentVolumeClaim/queue");
    run(&["up", "./queue"]).exits(2).says("needs a yes");
    run(&["down", "./queue"]).exits(2).says("needs a yes");
    assert!(is_there(), "nothing was done");
    run(&["up", "./queue", "--yes"]).exits(0).says("- PersistentVolumeClaim/queue");
    assert!(!is_there());
}

#[test]
fn ez_062_on_the_embedded_cluster_too_a_claim_goes_with_a_yes_only() {
    let sandbox = Sandbox::empty().interactive();
    sandbox.write("queue/Chart.yaml", "apiVersion: v2\nname: queue\nversion: 0.1.0\n");
    sandbox.write("queue/values.yaml", "claims: [one, two]\ncolor: blue\n");
    sandbox.write(
        "queue/templates/all.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: queue}\ndata: {color: {{ .Values.color }}}\n{{- range .Values.claims }}\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: {{ . }}}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n{{- end }}\n",
    );
    let up = |more: &[&str]| sandbox.run(&[&["up", "./queue"], more].concat());
    up(&[]).exits(0);
    let kube = Kube::of(&sandbox.run(&["cluster", "kubeconfig"]).exits(0).stdout, "default");
    let claims = || kube.names(CLAIMS).into_iter().collect::<Vec<_>>();
    assert_eq!(claims(), ["one", "two"]);
    let less = ["--set", "claims={two},color=green"];
    let refused = up(&less).exits(2);
    for text in ["PersistentVolumeClaim/one", "LF0889", "needs a yes", "--yes"] {
        assert!(refused.stderr.contains(text), "{text}: {}", refused.all());
    }
    assert!(!refused.all().contains("PersistentVolumeClaim/two"), "{}", refused.all());
    let document = up(&[&less[..], &["-o", "json"]].concat()).exits(2).json();
    assert_eq!(document["data"]["diagnostics"][0]["code"], "LF0889", "{document:#}");
    assert_eq!(claims(), ["one", "two"], "nothing was done");
    let history = || sandbox.run(&["history", "-o", "json"]).exits(0).json()["data"].as_array().map(Vec::len);
    assert_eq!(history(), Some(1), "nor begun");
    let typed = |answer: &'static str| {
        let mut command = sandbox.command(&[&["up", "./queue"], &less[..]].concat());
        command.env_remove("CI").env("NO_COLOR", "1");
        Terminal::of(100).typing(answer).run(&command)
    };
    let (code, sent) = typed("n\n");
    assert!(code == 1 && sent.contains("PersistentVolumeClaim/one would be deleted"), "{code}: {sent}");
    assert_eq!(claims(), ["one", "two"], "{sent}");
    let (code, sent) = typed("y\n");
    assert_eq!(code, 0, "{sent}");
    assert_eq!(claims(), ["two"], "{sent}");
    // What loses nothing asks nobody, in either direction.
    up(&["--set", "claims={two,three},color=red"]).exits(0);
    let back = |more: &[&str]| sandbox.run(&[&["rollback", "./queue"], more].concat());
    back(&[]).exits(2).says("PersistentVolumeClaim/three would be deleted");
    assert_eq!(claims(), ["three", "two"]);
    back(&["--yes"]).exits(0);
    assert_eq!(claims(), ["two"]);
    up(&["--set", "claims=null,color=red", "--yes"]).exits(0).says("- PersistentVolumeClaim/two");
    assert_eq!(claims(), [] as [String; 0]);
}

#[test]
fn ez_063_neither_an_uninstallation_nor_a_template_less_deletes_the_database_and_both_say_so() {
    let website = Website::place();
    website.up("v1.2.3", &[]).exits(0);
    let is_there = || website.kube.names("k8s.mariadb.com/v1alpha1 Database databases").contains("ezscale-billing");
    let template = "helm/ezscale-website/templates/mariadb-database.yaml";
    let text = website.sandbox.read(template);
    std::fs::remove_file(website.sandbox.root().join(template)).expect("removed");
    website.up("v1.2.4", &[]).exits(0).says("= Database/ezscale-billing");
    assert!(is_there(), "its template is gone, and it is not");
    website.sandbox.write(template, &text);
    website.up("v1.2.5", &[]).exits(0);
    let gone = website.sandbox.run(&["uninstall", "ezscale-website", "-n", NAMESPACE, "--wait"]).exits(0);
    for kept in ["Database/ezscale-billing", "Grant/ezscale-website-app-grant", "User/ezscale-website-app"] {
        assert!(gone.all().contains(&format!("kept: {kept}")), "{kept}: {}", gone.all());
    }
    assert!(is_there());
    let sets = website.kube.names("apps/v1 StatefulSet statefulsets");
    assert!(!sets.contains("ezscale-website-valkey"), "what runs went: {sets:?}");
    let claims = website.kube.names(CLAIMS);
    assert!(claims.contains("data-ezscale-website-valkey-0"), "{claims:?}");
}
