//! An apiVersion that nobody serves is told as that, by every command that would deliver it.

use super::sandbox::Sandbox;

const CRON: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: job-sa}\n---\napiVersion: {{ .Values.cron }}\nkind: CronJob\nmetadata: {name: report}\nspec:\n  schedule: \"0 3 * * *\"\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          serviceAccountName: job-sa\n          restartPolicy: Never\n          containers: [{name: run, image: example/run:1}]\n";
const CERTIFICATE: &str = "apiVersion: cert-manager.io/v1alpha1\nkind: Certificate\nmetadata: {name: web}\nspec: {secretName: web-tls, dnsNames: [web.example.com], issuerRef: {name: letsencrypt, kind: Issuer}}\n";
const GADGET: &str = "apiVersion: gadgets.example.com/v1\nkind: Gadget\nmetadata: {name: one}\nspec: {}\n";

/// A chart with a CronJob of a removed version, from the values, and an object of a version that never was stable.
fn old_chart() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("old/Chart.yaml", "apiVersion: v2\nname: old\nversion: 0.1.0\n");
    sandbox.write("old/values.yaml", "color: blue\ncron: batch/v1beta1\n");
    sandbox.write("old/templates/cron.yaml", CRON);
    sandbox.write("old/templates/certificate.yaml", CERTIFICATE);
    sandbox.write("old/templates/pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: web, image: example/web:1}]\n  volumes: [{name: tls, secret: {secretName: web-tls}}]\n");
    sandbox
}

#[test]
fn a_removed_apiversion_is_named_with_its_successor_and_both_lines_and_its_references_are_not_judged() {
    let sandbox = old_chart();
    for arguments in [&["up", "old"][..], &["plan", "old"], &["up", "old", "--dry-run"]] {
        let told = sandbox.run(arguments).exits(1);
        let told = told
            .says("error[LF0410]: CronJob/report is of batch/v1beta1, which Kubernetes has removed in 1.25")
            .says("--> old/values.yaml:2")
            .says("::: old/templates/cron.yaml:5")
            .says("write `apiVersion: batch/v1`")
            .says("Certificate/web is of cert-manager.io/v1alpha1, which is not served: the cluster serves Certificate as cert-manager.io/v1")
            .says("old/templates/certificate.yaml:1");
        assert!(!told.all().contains("LF0530"), "{}", told.all());
    }
}

#[test]
fn rehearsal_names_the_apiversion_too() {
    let sandbox = old_chart();
    sandbox.commit("first");
    let told = sandbox.run(&["rehearse", "./old", "--from", "empty"]);
    assert!(told.code != 0, "{}", told.all());
    let told = told.says("batch/v1beta1").says("Kubernetes 1.25").says("cert-manager.io/v1alpha1");
    assert!(!told.all().contains("job-sa"), "{}", told.all());
}

#[test]
fn install_and_upgrade_by_our_name_say_it_and_helm_keeps_its_words() {
    let sandbox = old_chart().interactive();
    sandbox.write("old/templates/certificate.yaml", GADGET);
    sandbox.write("old/templates/pod.yaml", "");
    sandbox.run(&["cluster", "start"]).exits(0);
    let install = ["install", "old", "old", "-n", "shop", "--create-namespace"];
    let told = sandbox.run(&install).exits(1);
    told.says("LF0410")
        .says("removed in 1.25")
        .says("values.yaml:2")
        .says("cron.yaml:5")
        .says("no CustomResourceDefinition of group gadgets.example.com is installed or delivered")
        .says("gadgets.example.com/v1")
        .says("nothing was changed");
    let helm = [&["helm"], &install[..]].concat();
    sandbox.run(&helm).exits(1).says("no matches for kind \"CronJob\" in version \"batch/v1beta1\"");
    sandbox.write("old/templates/certificate.yaml", "");
    sandbox.run(&[&install[..], &["--set", "cron=batch/v1"]].concat()).exits(0);
    sandbox
        .run(&["upgrade", "old", "old", "-n", "shop", "--set", "cron=batch/v1beta1"])
        .exits(1)
        .says("LF0410")
        .says("cron.yaml:5");
    sandbox.run(&["history", "old", "-n", "shop"]).exits(0).says("deployed");
}

#[test]
fn a_version_that_the_delivered_definition_does_not_serve_is_told_with_those_it_does() {
    let sandbox = Sandbox::empty();
    sandbox.write("own/Chart.yaml", "apiVersion: v2\nname: own\nversion: 0.1.0\n");
    sandbox.write("own/crds/gadgets.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gadgets.gadgets.example.com}\nspec:\n  group: gadgets.example.com\n  names: {kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}\n  scope: Namespaced\n  versions:\n    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n    - {name: v1beta1, served: false, storage: false, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n");
    sandbox.write("own/templates/gadget.yaml", &GADGET.replace("example.com/v1", "example.com/v1beta1"));
    sandbox
        .run(&["up", "own"])
        .exits(1)
        .says("Gadget/one is of gadgets.example.com/v1beta1, which is not served: the definition that is delivered serves Gadget as gadgets.example.com/v1")
        .says("own/templates/gadget.yaml:1");
    sandbox.write("own/templates/gadget.yaml", GADGET);
    sandbox.run(&["up", "own"]).exits(0);
}

#[test]
fn an_application_with_a_removed_apiversion_fails_alone_with_its_line() {
    let sandbox = old_chart();
    let app = |name: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: default\n  source: {{repoURL: \"https://git.example.com/shop.git\", path: {name}}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: {name}}}\n  syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}\n"
        )
    };
    sandbox.write("apps/old.yaml", &app("old"));
    sandbox.write("apps/new.yaml", &app("new"));
    sandbox.write("new/one.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: b}\n");
    let told = sandbox.run(&["up", "apps", "--repo", "https://git.example.com/shop.git=."]).exits(1);
    let told = told.says("removed in 1.25").says("templates/cron.yaml:5").says("new");
    assert!(!told.all().contains("LF0530"), "{}", told.all());
}
