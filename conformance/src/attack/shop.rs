//! The system that most attacks begin with: one chart, one release on the embedded cluster, committed.

use super::scene::Scene;

/// What a rendering says that did what it should.
pub(super) const PROOF: &str = "hello-proof";

const CHART: &str = "apiVersion: v2\nname: web\nversion: 0.1.0\n";
const CONFIG: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  greeting: {{ .Values.greeting | quote }}\n";
const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: \"IMAGE\"}]}}\n";

/// A program that writes down what it was called with and what it sees of the environment.
pub(super) const RECORDING: &str = "echo \"$(basename \"$0\") $*\" >> '@CALLS@'\nenv >> '@CALLS@'\nif [ \"$1 $2\" = 'buildx version' ]; then exit 1; fi";

/// The declaration of a system; `release` and `environment` are what else stands there.
pub(super) fn system(release: &str, environment: &str) -> String {
    format!(
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n  local:\n    cluster: embedded\n    releases: [{{name: web, namespace: shop, {release}}}]\n{environment}"
    )
}

/// A chart `web` that greets.
pub(super) fn chart(scene: Scene) -> Scene {
    scene
        .file("web/Chart.yaml", CHART)
        .file("web/values.yaml", format!("greeting: {PROOF}\n"))
        .file("web/templates/all.yaml", CONFIG)
}

/// A chart of one template.
pub(super) fn template(scene: Scene, text: &str) -> Scene {
    chart(scene).file("web/templates/all.yaml", text)
}

/// The system, not committed.
pub(super) fn shop(act: &[&str]) -> Scene {
    chart(Scene::new(act)).file("landfall.yaml", system("chart: web", ""))
}

/// The system with a release that says something else too.
pub(super) fn shop_with(release: &str, act: &[&str]) -> Scene {
    chart(Scene::new(act)).file("landfall.yaml", system(release, ""))
}

/// The system with an image that is built: how it is declared, what its Dockerfile says and what the workload runs.
pub(super) fn workshop(declared: &str, dockerfile: &str, image: &str) -> Scene {
    chart(Scene::new(&["build", "--state", "own"]))
        .file("web/templates/all.yaml", DEPLOYMENT.replace("IMAGE", image))
        .file("landfall.yaml", system("chart: web", &format!("    build:\n      web: {{{declared}}}\n")))
        .file("app/Dockerfile", dockerfile)
        .program("@BIN@/docker", RECORDING)
}

/// Plans the Applications in `apps`, whose repository is this one.
pub(super) const PLAN_APPS: &[&str] = &["plan", "apps", "--repo", "https://git.example.com/shop.git=."];

/// An Application of this repository: `source` says what else its source says.
pub(super) fn application(act: &[&str], source: &str) -> Scene {
    chart(Scene::new(act)).file(
        "apps/a.yaml",
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: web, namespace: argocd}}\nspec:\n  project: default\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: shop}}\n  source: {{repoURL: \"https://git.example.com/shop.git\", {source}}}\n  syncPolicy: {{syncOptions: [CreateNamespace=true]}}\n"
        ),
    )
}

/// An Application that is planned.
pub(super) fn applied() -> Scene {
    application(PLAN_APPS, "path: web").commit("first").well(&["ConfigMap/web"])
}
