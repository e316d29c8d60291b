//! Published advisories of Helm, Argo CD, gix and kube whose classes no other table here holds.

use super::Pair;
use super::archive::chart_with;
use super::scene::{Scene, Where};
use super::server::Answer;
use super::shop::{PLAN_APPS, PROOF, application, applied, chart, shop, template};

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = helm();
    all.extend(argo());
    all.extend(gix());
    all.extend(kube());
    all
}

const RENDER: &[&str] = &["template", "web", "web"];

/// Helm's: broken documents (CVE-2022-23524 to -23526, -36055, CVE-2025-55199), DNS (CVE-2023-25165), signatures
/// (CVE-2026-35205), values that are no maps.
fn helm() -> Vec<Pair> {
    let file = |path: &str, text: &str| shop(RENDER).file(path, text);
    let twin = || shop(RENDER).well(&[PROOF]);
    let calm = |scene: Scene| scene.hides(&["panicked"]).says(&["e"]);
    let verified = |provenance: Option<&str>| {
        let scene = Scene::new(&["pull", "http://@HOST@/web-0.1.0.tgz", "--verify"])
            .file("@HOME@/.gnupg/pubring.gpg", "")
            .answer(Where::Host, "/web-0.1.0.tgz", Answer::new(chart_with(&[])));
        let scene = match provenance {
            Some(text) => scene.answer(Where::Host, "/web-0.1.0.tgz.prov", Answer::new(text)),
            None => scene,
        };
        scene.refused(&[1], &["LF0516"])
    };
    let unverified = || {
        Scene::new(&["pull", "http://@HOST@/web-0.1.0.tgz"])
            .answer(Where::Host, "/web-0.1.0.tgz", Answer::new(chart_with(&[])))
            .well(&[])
            .asks(&["GET /web-0.1.0.tgz"])
    };
    vec![
        ("metadata that is broken", "nothing", calm(file("web/Chart.yaml", "null\n")), twin()),
        ("metadata that is broken", "dependencies that are nothing", calm(file("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies: [null]\nmaintainers: [null]\n")), twin()),
        ("metadata that is broken", "a lock that is nothing", calm(file("web/Chart.lock", "null\n")), twin()),
        ("values that are broken", "a text", calm(file("web/values.yaml", "text\n")), twin()),
        ("values that are broken", "a list", calm(file("web/values.yaml", "[1, 2]\n")), twin()),
        ("values that are broken", "keys that are none", calm(file("web/values.yaml", "? [a]\n: b\n1: 2\n~: 3\n")), twin()),
        ("schemas that are broken", "a text", calm(file("web/values.schema.json", "\"x\"")), twin()),
        ("schemas that are broken", "cut off", calm(file("web/values.schema.json", "{\"type\": ")), twin()),
        ("schemas that are broken", "a pattern that is none", calm(file("web/values.schema.json", "{\"properties\": {\"greeting\": {\"pattern\": \"(((\"}}}")), twin()),
        ("names that are looked up", "template", template(Scene::new(RENDER), "a: {{ getHostByName \"canary.example.com\" | quote }}\n").well(&["a: \"\""]), template(Scene::new(RENDER), "a: {{ getHostByName \"localhost\" | quote }}\nb: hello-proof\n").well(&[PROOF])),
        ("names that are looked up", "lookup", template(Scene::new(RENDER), "a: {{ lookup \"v1\" \"Secret\" \"kube-system\" \"x\" | toJson }}\n").well(&["a: {}"]), twin()),
        ("names that are looked up", "plan", template(shop(&["plan"]), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: {{ getHostByName \"localhost\" | quote }}}\n").says(&["web"]), shop(&["plan"]).well(&["ConfigMap/web"])),
        ("signatures that are not there", "none", verified(None), unverified()),
        ("signatures that are not there", "empty", verified(Some("")), unverified()),
        ("signatures that are not there", "of nobody", verified(Some("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nname: web\n...\nfiles:\n  web-0.1.0.tgz: sha256:00\n-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n")), unverified()),
    ]
}

/// Argo CD's: errors that echo what they could not read (CVE-2022-24730), lists that smuggle, manifests that claim to be
/// others', projects that are left.
fn argo() -> Vec<Pair> {
    let echoed = |place: &str| {
        shop(&["plan"])
            .file("landfall.yaml", super::shop::system(&format!("chart: web, values: [{place}]"), ""))
            .refused(&[1, 2], &["error"])
            .hides(&["hunter2"])
    };
    let twin = || shop(&["plan"]).commit("first").well(&["ConfigMap/web"]);
    let project = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: team, namespace: argocd}\nspec:\n  sourceRepos: [\"https://git.example.com/shop.git\"]\n  destinations: [{server: \"https://kubernetes.default.svc\", namespace: shop}]\n  namespaceResourceWhitelist: [{group: \"\", kind: ConfigMap}]\n";
    let of_project = |manifest: &str| {
        application(PLAN_APPS, "path: plain")
            .file("apps/project.yaml", project)
            .with(|mut scene| {
                for make in &mut scene.makes {
                    if let super::scene::Make::File(path, text) = make
                        && path == "apps/a.yaml"
                    {
                        *text = String::from_utf8_lossy(text).replace("project: default", "project: team").into_bytes();
                    }
                }
                scene
            })
            .file("plain/all.yaml", manifest)
            .commit("first")
    };
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: b}\n";
    let within = || of_project(config).well(&["ConfigMap/web"]);
    let refused = |scene: Scene| scene.refused(&[1, 2, 3, 4, 5], &["team"]);
    let kept_out = |scene: Scene| scene.refused(&[1, 2, 3, 4, 5], &["LF0832"]);
    vec![
        ("errors that echo", "a page of keys", echoed(".git/keys").file(".git/keys", "-----BEGIN KEY-----\nhunter2: [\n").git(&["init", "-q"]), twin()),
        ("errors that echo", "linked", echoed("keys.yaml").link("keys.yaml", "@OUT@/keys").file("@OUT@/keys", "hunter2: [\n"), twin()),
        ("errors that echo", "as a chart", shop(&["template", "web", "@OUT@/secret.txt"]).refused(&[1], &["error"]), shop(RENDER).well(&[PROOF])),
        ("projects that are left", "another kind", refused(of_project("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n")), within()),
        ("projects that are left", "another namespace", refused(of_project("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: kube-system}\n")), within()),
        ("projects that are left", "of the whole cluster", refused(of_project("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: web}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: User, name: evil, apiGroup: rbac.authorization.k8s.io}]\n")), within()),
        ("projects that are left", "in a list", refused(of_project("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: web}, stringData: {a: b}}]\n")), within()),
        ("projects that are left", "another repository", kept_out(of_project(config).file("apps/a.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\nspec:\n  project: team\n  destination: {server: \"https://kubernetes.default.svc\", namespace: shop}\n  source: {repoURL: \"https://git.example.com/other.git\", path: web}\n")), within()),
        ("projects that are left", "a project that is not there", application(PLAN_APPS, "path: web").file("apps/a.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\nspec:\n  project: nowhere\n  destination: {server: \"https://kubernetes.default.svc\", namespace: shop}\n  source: {repoURL: \"https://git.example.com/shop.git\", path: web}\n").well(&["LF0476", "nowhere"]), applied()),
    ]
}

/// gix's: names that a file system takes for others (CVE-2024-35186, -35197), references that are paths
/// (CVE-2024-40644's class), objects that are broken.
fn gix() -> Vec<Pair> {
    let broken =
        |path: &str, bytes: &[u8]| shop(&["plan"]).commit("first").file(path, bytes).hides(&["panicked"]).says(&["e"]);
    let twin = || shop(&["plan"]).commit("first").well(&["ConfigMap/web"]);
    let named = |name: &str| shop(&["plan", "--ref", name]).commit("first").refused(&[1, 2], &["error"]);
    let referred = || shop(&["plan", "--ref", "v1"]).commit("first").git(&["tag", "v1"]).well(&["ConfigMap/web"]);
    vec![
        (
            "repositories that are broken",
            "a head that is a path",
            broken(".git/HEAD", b"ref: ../../outside/secret.txt\n"),
            twin(),
        ),
        (
            "repositories that are broken",
            "a reference that is a path",
            broken(".git/refs/heads/main", b"ref: refs/../../../outside/secret.txt\n"),
            twin(),
        ),
        (
            "repositories that are broken",
            "references in a circle",
            broken(".git/refs/heads/main", b"ref: refs/heads/main\n"),
            twin(),
        ),
        (
            "repositories that are broken",
            "an index of noise",
            broken(".git/index", b"DIRC\0\0\0\x02\xff\xff\xff\xff"),
            twin(),
        ),
        (
            "repositories that are broken",
            "packed references of noise",
            broken(".git/packed-refs", &[0xff; 4096]),
            twin(),
        ),
        (
            "repositories that are broken",
            "attributes without end",
            broken(".gitattributes", "[attr]a b\n".repeat(20_000).as_bytes()),
            twin(),
        ),
        (
            "repositories that are broken",
            "patterns without end",
            broken(".gitignore", format!("{}\n", "**/".repeat(5_000)).as_bytes()),
            twin(),
        ),
        ("revisions that are paths", "climbing", named("../../outside/secret.txt"), referred()),
        ("revisions that are paths", "an option", named("--output=@MARK@"), referred()),
        ("revisions that are paths", "a pattern", named(":/(a+)+$"), referred()),
    ]
}

/// kube's and client-go's: kubeconfigs that run programs or trust nobody, and a server that sends elsewhere.
fn kube() -> Vec<Pair> {
    let config = |user: &str| {
        format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"http://@HOST@\"}}}}]\nusers: [{{name: u, user: {user}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\ncurrent-context: c\n"
        )
    };
    let asked = |user: &str, answer: Answer| {
        chart(Scene::new(&["list", "--kubeconfig", "@HOME@/kubeconfig"]))
            .file("@HOME@/kubeconfig", config(user))
            .answer(Where::Host, "/", answer)
            .answer(
                Where::Host,
                "/version",
                Answer::new(
                    "{\"major\": \"1\", \"minor\": \"36\", \"gitVersion\": \"v1.36.3\", \"platform\": \"linux/amd64\"}",
                ),
            )
    };
    let list = || {
        Answer::new("{\"kind\":\"SecretList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[]}")
            .with("Content-Type", "application/json")
    };
    let kinds = "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"v1\",\"resources\":[{\"name\":\"secrets\",\"singularName\":\"secret\",\"namespaced\":true,\"kind\":\"Secret\",\"verbs\":[\"list\",\"get\"]}]}";
    let groups = "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[]}";
    let versions = "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}";
    let json = |text: &str| Answer::new(text).with("Content-Type", "application/json");
    let twin = || {
        asked("{token: the-users-own}", list())
            .answer(Where::Host, "/api", json(versions))
            .answer(Where::Host, "/apis", json(groups))
            .answer(Where::Host, "/api/v1", json(kinds))
            .answer(Where::Host, "/api/v1/namespaces", list())
            .well(&["NAME"])
            .asks(&["the-users-own"])
    };
    vec![
        (
            "servers that send elsewhere",
            "a redirect",
            asked("{token: the-users-own}", Answer::to("http://@OTHER@/taken"))
                .refused(&[1], &["error"])
                .withholds(&["the-users-own"]),
            twin(),
        ),
        (
            "servers that send elsewhere",
            "a redirect to a file",
            asked("{token: the-users-own}", Answer::to("file://@OUT@/secret.txt")).refused(&[1], &["error"]),
            twin(),
        ),
        (
            "servers that send elsewhere",
            "an answer that is none",
            asked("{token: the-users-own}", Answer::new("<html>").with("Content-Type", "text/html"))
                .refused(&[1], &["error"]),
            twin(),
        ),
    ]
}
