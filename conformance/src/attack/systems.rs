//! A system's declaration, or an Application, names what is not its own.

use super::Pair;
use super::scene::Scene;
use super::shop::{PLAN_APPS, PROOF, application, applied, shop, shop_with};

const PLAN: &[&str] = &["plan"];

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = values();
    all.extend(charts());
    all.extend(applications());
    all.extend(flags());
    all
}

/// Values files outside of the tree (Argo CD's CVE-2022-24348, -24730, -31036), or in git's own directory.
fn values() -> Vec<Pair> {
    let named = |file: &str| shop_with(&format!("chart: web, values: [\"{file}\"]"), PLAN);
    let refused = |file: &str| named(file).refused(&[1, 2], &["error"]);
    let linked = |target: &str| refused("prod.yaml").link("prod.yaml", target);
    let twin = || named("prod.yaml").file("prod.yaml", "greeting: hello\n").commit("first").well(&["ConfigMap/web"]);
    let linked_twin = || {
        named("prod.yaml")
            .link("prod.yaml", "config/prod.yaml")
            .file("config/prod.yaml", "greeting: hello\n")
            .well(&["ConfigMap/web"])
    };
    let checkout =
        "[http \"https://git.example.com/\"]\n\textraheader = AUTHORIZATION: basic canary-of-checkout-3Vk96m\n";
    let git = |file: &str| {
        refused(file)
            .commit("first")
            .file(".git/config", checkout.replace("[http", "[core]\n\trepositoryformatversion = 0\n[http"))
    };
    vec![
        ("values files outside", "climbing", refused("../outside/values.yaml"), twin()),
        ("values files outside", "climbing within", refused("web/../../outside/values.yaml"), twin()),
        ("values files outside", "from the root", refused("@OUT@/values.yaml"), twin()),
        ("values files outside", "an address of a file", refused("file://@OUT@/values.yaml"), twin()),
        ("values files outside", "dots of another alphabet", refused("\u{2024}\u{2024}/outside/values.yaml"), twin()),
        ("values files outside", "dots that are coded", refused("%2e%2e/outside/values.yaml"), twin()),
        ("values files by links", "from the root", linked("@OUT@/values.yaml"), linked_twin()),
        ("values files by links", "climbing", linked("../outside/values.yaml"), linked_twin()),
        (
            "values files by links",
            "a directory on the way",
            refused("config/values.yaml").link("config", "../outside"),
            linked_twin(),
        ),
        (
            "values files by links",
            "over another link",
            refused("prod.yaml").link("prod.yaml", "config").link("config", "@OUT@/values.yaml"),
            linked_twin(),
        ),
        ("values in git's directory", "by name", git(".git/config"), twin()),
        ("values in git's directory", "by a link", git("prod.yaml").link("prod.yaml", ".git/config"), linked_twin()),
        ("values in git's directory", "in other letters", git("web/../.git/config"), twin()),
    ]
}

/// Charts outside of the tree (Argo CD's CVE-2023-40026), and charts that bring others from there.
fn charts() -> Vec<Pair> {
    let named = |chart: &str| shop_with(&format!("chart: \"{chart}\""), PLAN);
    let refused = |chart: &str| named(chart).refused(&[1, 2], &["error"]);
    let twin = || named("web").commit("first").well(&["ConfigMap/web"]);
    let needs = |repository: &str, act: &[&str]| {
        shop(act).file(
            "web/Chart.yaml",
            format!("apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies: [{{name: lib, version: \"*\", repository: \"{repository}\"}}]\n"),
        )
    };
    let near = |act: &[&str], words: &[&str]| {
        needs("file://../lib", act)
            .file("lib/Chart.yaml", "apiVersion: v2\nname: lib\nversion: 1.0.0\n")
            .before(&["dependency", "build", "web"])
            .well(words)
    };
    vec![
        ("charts outside", "climbing", refused("../outside"), twin()),
        ("charts outside", "from the root", refused("@OUT@"), twin()),
        ("charts outside", "by a link", refused("out").link("out", "@OUT@"), twin()),
        (
            "charts outside",
            "in git's directory",
            refused(".git/x")
                .file(".git/x/Chart.yaml", "apiVersion: v1\nname: x\nversion: 1.0.0\n")
                .git(&["init", "-q"]),
            twin(),
        ),
        (
            "dependencies outside",
            "climbing, planned",
            needs("file://../../outside", PLAN).refused(&[1, 2], &["lib"]),
            near(PLAN, &["ConfigMap/web"]),
        ),
        (
            "dependencies outside",
            "linked into charts/",
            shop(PLAN).link("web/charts/lib", "@OUT@").refused(&[1, 2], &["web/charts/lib"]),
            near(PLAN, &["ConfigMap/web"]),
        ),
        (
            "dependencies outside",
            "linked, by Helm's verb",
            shop(&["template", "web", "web"]).link("web/charts/lib", "@OUT@").refused(&[1], &["LF0217"]),
            near(&["template", "web", "web"], &[PROOF]),
        ),
    ]
}

/// Applications whose sources leave their repository.
fn applications() -> Vec<Pair> {
    let refused =
        |source: &str| application(PLAN_APPS, source).commit("first").says(&["error"]).refused(&[1, 2, 3, 4], &[]);
    let linked = |source: &str, from: &str, to: &str| {
        application(PLAN_APPS, source).link(from, to).commit("first").says(&["error"])
    };
    vec![
        ("sources outside", "a path that climbs", refused("path: ../outside"), applied()),
        ("sources outside", "a path from the root", refused("path: \"@OUT@\""), applied()),
        ("sources outside", "a path that is a link", linked("path: out", "out", "@OUT@"), applied()),
        (
            "values of sources outside",
            "climbing",
            refused("path: web, helm: {valueFiles: [../../outside/values.yaml]}"),
            applied(),
        ),
        (
            "values of sources outside",
            "an address of a file",
            refused("path: web, helm: {valueFiles: [\"file://@OUT@/values.yaml\"]}"),
            applied(),
        ),
        (
            "values of sources outside",
            "out of a reference",
            refused("path: web, helm: {valueFiles: [$values/../../outside/values.yaml]}"),
            applied(),
        ),
        (
            "values of sources outside",
            "files as parameters",
            refused("path: web, helm: {fileParameters: [{name: greeting, path: \"../../outside/secret.txt\"}]}"),
            applied(),
        ),
        (
            "values of sources outside",
            "by a link",
            linked("path: web, helm: {valueFiles: [leak.yaml]}", "web/leak.yaml", "@OUT@/values.yaml"),
            applied(),
        ),
        ("manifests outside", "a link", linked("path: plain", "plain/all.yaml", "@OUT@/templates/all.yaml"), applied()),
        (
            "manifests outside",
            "a linked directory",
            application(PLAN_APPS, "path: plain, directory: {recurse: true}")
                .file("plain/own.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\n")
                .link("plain/all", "@OUT@/templates")
                .commit("first")
                .says(&["web"]),
            applied(),
        ),
        (
            "repositories outside",
            "an address of a file",
            application(&["plan", "apps"], "path: web")
                .file("apps/a.yaml", elsewhere("file://@OUT@"))
                .commit("first")
                .says(&["error"]),
            applied(),
        ),
        (
            "repositories outside",
            "a path",
            application(&["plan", "apps"], "path: web")
                .file("apps/a.yaml", elsewhere("@OUT@"))
                .commit("first")
                .says(&["error"]),
            applied(),
        ),
        (
            "repositories outside",
            "a command",
            application(&["plan", "apps"], "path: web")
                .file("apps/a.yaml", elsewhere("ext::@BIN@/evil"))
                .commit("first")
                .says(&["error"]),
            applied(),
        ),
    ]
}

/// An Application of a repository at an address.
fn elsewhere(address: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: web, namespace: argocd}}\nspec:\n  project: default\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: shop}}\n  source: {{repoURL: \"{address}\", path: templates}}\n"
    )
}

/// What the user's own flags name is read, whatever it is: the fence is around the stranger's words, not the user's.
fn flags() -> Vec<Pair> {
    let own = |act: &[&str]| shop(act).file("@HOME@/own.yaml", format!("greeting: {PROOF}-of-mine\n")).commit("first");
    let print = || Scene::new(&["template", "web", "web"]);
    let reads = |text: &str| super::shop::template(print(), text);
    vec![
        (
            "files that a template asks for",
            "climbing",
            reads("a: {{ .Files.Get \"../../outside/secret.txt\" | quote }}\n").well(&["a: \"\""]),
            own(&["template", "web", "web", "-f", "@HOME@/own.yaml"]).well(&["hello-proof-of-mine"]),
        ),
        (
            "files that a template asks for",
            "from the root",
            reads("a: {{ .Files.Get \"@OUT@/secret.txt\" | quote }}\n").well(&["a: \"\""]),
            own(&["template", "web", "web", "--set-file", "greeting=@HOME@/own.yaml"]).well(&["hello-proof-of-mine"]),
        ),
        (
            "files that a template asks for",
            "all that there are",
            reads("{{ range $path, $text := .Files.Glob \"**/../../outside/**\" }}{{ $path }}: {{ $text | toString | quote }}\n{{ end }}x: y\n").well(&["x: y"]),
            own(&["plan", "-f", "@HOME@/own.yaml"]).well(&["ConfigMap/web"]),
        ),
        (
            "the environment in templates",
            "env",
            reads("a: {{ env \"GITHUB_TOKEN\" }}\n").refused(&[1], &["function \"env\" not defined"]),
            reads("a: {{ .Values.greeting }}\n").well(&[PROOF]),
        ),
        (
            "the environment in templates",
            "expandenv",
            reads("a: {{ expandenv \"$GITHUB_TOKEN\" }}\n").refused(&[1], &["function \"expandenv\" not defined"]),
            reads("a: {{ .Release.Name }}\n").well(&["a: web"]),
        ),
        (
            "the environment in templates",
            "in values",
            super::shop::template(print(), "a: {{ .Values.greeting | quote }}\nb: {{ .Values.more }}\n").file("web/values.yaml", "greeting: '{{ .Env.GITHUB_TOKEN }}'\nmore: ${GITHUB_TOKEN}\n").well(&["${GITHUB_TOKEN}"]),
            reads("a: {{ tpl \"{{ .Values.greeting }}\" . }}\n").well(&[PROOF]),
        ),
    ]
}
