//! What stands on the cluster after a delivery, door by door: the data that Helm would have stored.

use kube::api::Api;
use kube::core::DynamicObject;
use kube::discovery::ApiResource;

use super::sandbox::Sandbox;

/// The field `data.f` of a namespace's ConfigMaps, by name.
fn stored(sandbox: &Sandbox, namespace: &str) -> Vec<(String, String)> {
    let kubeconfig = sandbox.run(&["cluster", "kubeconfig"]).exits(0).stdout;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let maps = runtime.block_on(async {
        let config = kube::config::Kubeconfig::from_yaml(&kubeconfig).expect("a kubeconfig");
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(config, &options).await.expect("a configuration");
        let client = kube::Client::try_from(config).expect("a client");
        let kind = ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk("", "v1", "ConfigMap"));
        let maps: Api<DynamicObject> = Api::namespaced_with(client, namespace, &kind);
        maps.list(&kube::api::ListParams::default()).await.expect("listed")
    });
    let mut found: Vec<(String, String)> = maps
        .items
        .iter()
        .filter_map(|map| Some((map.metadata.name.clone()?, map.data["data"]["f"].as_str()?.to_owned())))
        .collect();
    found.sort();
    found
}

#[test]
fn templates_see_the_same_cluster_through_every_door_of_a_release() {
    let sandbox = Sandbox::empty().interactive();
    sandbox.write("own/Chart.yaml", "apiVersion: v2\nname: own\nversion: 0.1.0\n");
    sandbox.write(
        "own/crds/w.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.x.example.com}\nspec:\n  group: x.example.com\n  scope: Namespaced\n  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}\n  versions:\n  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}\n",
    );
    sandbox.write(
        "own/templates/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\ndata:\n  f: {{ printf \"%s %v\" .Capabilities.KubeVersion.Version (.Capabilities.APIVersions.Has \"x.example.com/v1/Widget\") | quote }}\n",
    );
    // What the chart defines counts with its first delivery already, as when Helm installs it.
    sandbox.run(&["up", "own", "-n", "shop", "-y"]).exits(0);
    sandbox.run(&["install", "own", "own"]).exits(0);
    let (up, install) = (stored(&sandbox, "shop"), stored(&sandbox, "default"));
    assert_eq!(up, install);
    assert!(up[0].1.ends_with("+landfall true"), "{up:?}");
}

#[test]
fn a_block_scalar_at_a_documents_end_keeps_its_newline_through_every_door() {
    let sandbox = Sandbox::empty().interactive();
    let map = |name: &str, more: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}data:\n  f: |\n    {{{{ .Values.f }}}}"
        )
    };
    sandbox.write("notes/Chart.yaml", "apiVersion: v2\nname: notes\nversion: 0.1.0\n");
    sandbox.write("notes/values.yaml", "f: line\n");
    sandbox.write("notes/templates/a.yaml", &format!("{}\n", map("a", "")));
    sandbox.write("notes/templates/b.yaml", &format!("{}\n\n---\n{}", map("b", ""), map("c", "")));
    let hook = "  annotations: {helm.sh/hook: \"pre-install,pre-upgrade\"}\n";
    sandbox.write("notes/templates/hook.yaml", &map("hook", hook));
    let all = |text: &str| ["a", "b", "c", "hook"].map(|name| (name.to_owned(), text.to_owned())).to_vec();

    sandbox.run(&["cluster", "start"]).exits(0);
    sandbox.run(&["install", "notes", "notes"]).exits(0);
    assert_eq!(stored(&sandbox, "default"), all("line\n"));
    sandbox.run(&["upgrade", "notes", "notes", "--set", "f=other"]).exits(0);
    assert_eq!(stored(&sandbox, "default"), all("other\n"));
    sandbox.run(&["helm", "rollback", "notes", "1"]).exits(0);
    assert_eq!(stored(&sandbox, "default")[..3], all("line\n")[..3]);

    sandbox.run(&["up", "notes", "-n", "shop", "-y"]).exits(0);
    assert_eq!(stored(&sandbox, "shop"), all("line\n"));
    sandbox.run(&["plan", "notes", "-n", "shop"]).exits(0).says("no changes");

    sandbox.write(
        "apps/notes.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: synced, namespace: argocd}\nspec:\n  project: default\n  destination: {server: \"https://kubernetes.default.svc\", namespace: synced}\n  source: {repoURL: \"https://git.example.com/notes.git\", path: notes}\n  syncPolicy: {syncOptions: [CreateNamespace=true]}\n",
    );
    sandbox.run(&["up", "apps", "--repo", "https://git.example.com/notes.git=.", "-y"]).exits(0);
    assert_eq!(stored(&sandbox, "synced"), all("line\n"));
}
