//! Everything is tried at the cluster before anything is begun: what would be refused is told with its lines, and no
//! hook has run, no record is written, no namespace is left.

use landfall_object::Object;

use super::inspection::{create, end_state, namespaces};
use super::kills::PROBE;
use super::sandbox::{Ran, Sandbox, ran, small_chart};

const STATE: &str = "state";

const HOOK: &str = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: \"pre-install,pre-upgrade\"}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{name: run, image: example/migrate:1}]\n";
const ROUTE: &str = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n  rules:\n    - host: {{ .Values.host }}\n      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: {{ .Release.Name }}, port: {number: 80}}}}]}\n";
const ELSEWHERE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: far, namespace: elsewhere}\ndata: {a: b}\n";
const AFTER: &str = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: report, annotations: {helm.sh/hook: post-install}}\nspec:\n  template:\n    spec: {restartPolicy: Sometimes, containers: [{name: run, image: example/report:1}]}\n";

/// A chart with a migration before it and four faults of different objects and phases.
fn invalid_chart() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("web/values.yaml", "replicas: -1\nhost: Bad_Host\nimage: example/app:1\nsettings: {color: blue}\n");
    sandbox.write("web/templates/migrate.yaml", HOOK);
    sandbox.write("web/templates/route.yaml", ROUTE);
    sandbox.write("web/templates/far.yaml", ELSEWHERE);
    sandbox.write("web/templates/after.yaml", AFTER);
    sandbox.edit(
        "web/templates/all.yaml",
        "labels: {app: {{ .Release.Name }}}}\n    spec:",
        "labels: {app: other}}\n    spec:",
    );
    sandbox
}

fn tells_all(told: Ran) -> Ran {
    told.exits(1)
        .says("error[LF0411]: the cluster would refuse Deployment/web")
        .says("web/values.yaml:1")
        .says("`selector` does not match template `labels`")
        .says("must be greater than or equal to 0")
        .says("web/templates/all.yaml:")
        .says("the cluster would refuse Ingress/web")
        .says("web/values.yaml:2")
        .says("web/templates/route.yaml:6")
        .says("the cluster would refuse ConfigMap/far")
        .says("namespaces \"elsewhere\" not found")
        .says("the cluster would refuse Job/report")
        .says("nothing was changed")
}

#[test]
fn up_tells_all_that_would_be_refused_and_changes_nothing() {
    let sandbox = invalid_chart();
    let before = {
        sandbox.run(&["cluster", "start"]).exits(0);
        sandbox.run(&["cluster", "fork", STATE]).exits(0);
        sandbox.run(&["cluster", "stop"]).exits(0);
        namespaces_of(&sandbox)
    };
    let told = sandbox.run(&["up", "web", "-n", "shop", "--state", STATE]);
    tells_all(told).says("made to try the objects in it, and taken back: namespace shop");
    assert_eq!(namespaces_of(&sandbox), before);
    assert_eq!(end_state(&sandbox.root().join(STATE), "shop"), Vec::<String>::new());
}

fn namespaces_of(sandbox: &Sandbox) -> Vec<String> {
    namespaces(&sandbox.root().join(STATE))
}

#[test]
fn a_valid_update_of_an_invalid_one_is_refused_with_the_release_as_it_was() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write("web/templates/migrate.yaml", HOOK);
    sandbox.write("web/templates/once.yaml", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec:\n  template:\n    spec: {restartPolicy: Never, containers: [{name: run, image: {{ .Values.image }}}]}\n");
    let up = ["up", "web", "-n", "shop", "--state", STATE];
    sandbox.run(&up).exits(0);
    let before = end_state(&sandbox.root().join(STATE), "shop");
    let next = [&up[..], &["--set", "image=example/app:2"]].concat();
    sandbox
        .run(&next)
        .exits(1)
        .says("the cluster would refuse Job/once")
        .says("field is immutable")
        .says("web/templates/once.yaml")
        .says("nothing was changed");
    assert_eq!(end_state(&sandbox.root().join(STATE), "shop"), before);
}

#[test]
fn install_by_our_name_tries_first_and_helm_keeps_its_order() {
    let sandbox = invalid_chart().interactive();
    sandbox.run(&["cluster", "start"]).exits(0);
    let install = ["install", "web", "web", "-n", "shop", "--create-namespace"];
    tells_all(sandbox.run(&install)).says("taken back: namespace shop");
    sandbox.run(&["helm", "history", "web", "-n", "shop"]).exits(1).says("release: not found");
    let helm = [&["helm"], &install[..]].concat();
    // Helm finds it when its hook has run and its record is written.
    sandbox.run(&helm).exits(1).says("Error: INSTALLATION FAILED");
    sandbox.run(&["helm", "history", "web", "-n", "shop"]).exits(0).says("failed");
}

#[test]
fn a_missing_namespace_is_told_once_for_all_objects_in_it() {
    let sandbox = Sandbox::empty().interactive();
    small_chart(&sandbox, "web", "web");
    sandbox.run(&["cluster", "start"]).exits(0);
    sandbox
        .run(&["install", "web", "web", "-n", "nowhere"])
        .exits(1)
        .says("and 2 more")
        .says("namespaces \"nowhere\" not found")
        .says("kubectl create namespace nowhere");
}

const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gadgets.gadgets.example.com}\nspec:\n  group: gadgets.example.com\n  names: {kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}\n  scope: Namespaced\n  versions:\n    - name: v1\n      served: true\n      storage: true\n      schema:\n        openAPIV3Schema:\n          type: object\n          properties:\n            spec:\n              type: object\n              required: [size]\n              properties: {size: {type: integer, minimum: 1}, room: {type: integer}}\n              x-kubernetes-validations: [{rule: \"!has(self.room) || self.room >= self.size\", message: \"it has to fit\"}]\n";

#[test]
fn instances_of_a_kind_that_comes_along_are_held_against_its_definition_and_that_is_said() {
    let sandbox = Sandbox::empty();
    sandbox.write("own/Chart.yaml", "apiVersion: v2\nname: own\nversion: 0.1.0\n");
    sandbox.write("own/values.yaml", "size: 0\nroom: 9\n");
    sandbox.write("own/crds/gadgets.yaml", DEFINITION);
    sandbox.write("own/templates/gadget.yaml", "apiVersion: gadgets.example.com/v1\nkind: Gadget\nmetadata: {name: one}\nspec:\n  size: {{ .Values.size }}\n  room: {{ .Values.room }}\n");
    let up = ["up", "own", "-n", "shop", "--state", STATE];
    sandbox
        .run(&up)
        .exits(1)
        .says("the cluster would refuse Gadget/one")
        .says("by the definition that is delivered")
        .says("own/values.yaml:1")
        .says("own/templates/gadget.yaml:5");
    let small = [&up[..], &["--set", "size=3", "--set", "room=2"]].concat();
    sandbox.run(&small).exits(1).says("it has to fit");
    let fits = [&up[..], &["--set", "size=3"]].concat();
    sandbox
        .run(&fits)
        .exits(0)
        .says("checked against the definition that is delivered, not by the cluster: Gadget/one");
}

#[test]
fn the_second_release_of_a_system_is_tried_before_the_first_is_touched() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "first", "first");
    small_chart(&sandbox, "second", "second");
    sandbox.edit("second/values.yaml", "replicas: 1", "replicas: -1");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: two\nenvironments:\n  local:\n    releases:\n      - {name: first, chart: first, namespace: one}\n      - {name: second, chart: second, namespace: two}\n",
    );
    let told = sandbox.run(&["up", "--state", STATE]).exits(1);
    told.says("the cluster would refuse Deployment/second")
        .says("second/values.yaml:1")
        .says("taken back: namespace one, two");
    assert_eq!(end_state(&sandbox.root().join(STATE), "one"), Vec::<String>::new());
    sandbox.edit("second/values.yaml", "replicas: -1", "replicas: 1");
    sandbox.run(&["up", "--state", STATE]).exits(0);
    sandbox.run(&["up", "--state", STATE]).exits(0).says("no changes");
}

/// Somebody has put something into a namespace that a refused delivery had made: it stays, and is told of until something is
/// delivered into it.
#[test]
fn a_namespace_that_a_refused_delivery_leaves_behind_is_told_of() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "landfall.yaml",
        "apiVersion: landfall.dev/v1\nkind: System\nname: web\nenvironments:\n  local:\n    releases: [{name: web, chart: web, namespace: shop}]\n",
    );
    sandbox.edit("web/values.yaml", "replicas: 1", "replicas: -1");
    let state = sandbox.root().join(STATE);
    let up = |sandbox: &Sandbox, probe: &str| {
        let mut command = sandbox.command(&["up", "--state", STATE]);
        ran(command.env(PROBE, probe).output().expect("runs"))
    };
    let recorded = sandbox.copy();
    up(&recorded, "record:points").exits(1).says("taken back: namespace shop");
    let points = recorded.read("points");
    let removal = points.lines().position(|point| point.starts_with("before removal of trial")).expect("it goes");
    let killed = up(&sandbox, &format!("kill:{}", removal + 1));
    assert_eq!(killed.code, -1, "{}", killed.all());
    let theirs = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": "shop"}});
    create(&state, Object::from_value(theirs).expect("a map"));
    let delete = "`kubectl delete namespace shop` takes it away, and all that is in it";
    sandbox.run(&["up", "--state", STATE]).exits(1).says("not taken back: namespace shop").says(delete);
    let told = sandbox.run(&["status", "--state", STATE]).exits(0);
    told.says("namespace shop was made for a delivery that was refused, and stays").says(delete);
    let data = sandbox.run(&["status", "--state", STATE, "-o", "json"]).exits(0).json();
    assert_eq!(data["data"]["left"], serde_json::json!(["shop"]));
    sandbox.run(&["down", "--keep-data", "--state", STATE]).exits(0).says("= Namespace/shop stays").says(delete);
    sandbox.edit("web/values.yaml", "replicas: -1", "replicas: 1");
    sandbox.run(&["up", "--state", STATE]).exits(0);
    sandbox.run(&["status", "--state", STATE]).exits(0).lacks("was made for a delivery");
}

#[test]
fn an_application_is_tried_before_its_first_phase() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "shop", "shop");
    sandbox.write("shop/templates/migrate.yaml", HOOK);
    sandbox.edit("shop/values.yaml", "replicas: 1", "replicas: -1");
    sandbox.write(
        "apps/shop.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop, namespace: argocd}\nspec:\n  project: default\n  source: {repoURL: \"https://git.example.com/shop.git\", path: shop}\n  destination: {server: \"https://kubernetes.default.svc\", namespace: shop}\n  syncPolicy: {automated: {prune: true}, syncOptions: [CreateNamespace=true]}\n",
    );
    let up = ["up", "apps", "--repo", "https://git.example.com/shop.git=.", "--state", STATE];
    sandbox
        .run(&up)
        .exits(1)
        .says("the cluster would refuse Deployment/shop")
        .says("values.yaml:1")
        .says("taken back: namespace shop");
    assert_eq!(end_state(&sandbox.root().join(STATE), "shop"), Vec::<String>::new());
    assert!(!namespaces_of(&sandbox).contains(&"shop".to_owned()));
    sandbox.edit("shop/values.yaml", "replicas: -1", "replicas: 1");
    sandbox.run(&up).exits(0);
}

#[test]
fn rehearsal_tells_what_would_be_refused() {
    let sandbox = invalid_chart();
    sandbox.commit("first");
    let told = sandbox.run(&["rehearse", "./web", "--from", "empty"]);
    assert!(told.code != 0, "{}", told.all());
    told.says("Deployment").says("Ingress").says("elsewhere");
}

#[test]
fn a_namespace_that_was_made_ahead_is_told_as_created() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "web/templates/beside.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: beside, labels: {team: shop}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: there, namespace: beside}\ndata: {a: b}\n",
    );
    let told = sandbox.run(&["up", "web", "-n", "shop", "--once", "--state", STATE]).exits(0);
    told.says("+ Namespace/beside");
    sandbox.run(&["up", "web", "-n", "shop", "--once", "--state", STATE]).exits(0).says("unchanged");
}
