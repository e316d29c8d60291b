//! Credentials go to whom they are not for, and secrets are said or kept where others read.

use super::Pair;
use super::archive::chart_with;
use super::scene::{Scene, Where};
use super::server::Answer;
use super::shop::{shop, template};

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = forges();
    all.extend(repositories());
    all.extend(registries());
    all.extend(addresses());
    all.extend(secrets());
    all.extend(kept());
    all
}

/// A forge's token for whatever host a clone names, and after a redirect.
fn forges() -> Vec<Pair> {
    let clone = |forge: &str, more: &[&str], origin: &str| {
        shop(&[&["doctor", "repo", "--forge", forge], more].concat())
            .commit("first")
            .git(&["remote", "add", "origin", origin])
    };
    let behind = |origin: &str| {
        shop(&["doctor", "repo"])
            .commit("first")
            .git(&["remote", "add", "origin", &format!("https://{origin}/shop/shop.git")])
            .variable("HTTPS_PROXY", "http://@SECURE@")
            .answer(Where::Secure, "/", Answer::new("{}"))
    };
    // Without a token that belongs to its host, a forge is not even asked.
    let named = |origin: &str| behind(origin).refused(&[1], &["not checked"]);
    let meant = |host: &str| {
        behind(host)
            .variable("LANDFALL_FORGE_HOST", host)
            .variable("LANDFALL_FORGE_TOKEN", "the-users-own")
            .asks(&["the-users-own"])
            .ends_anyhow()
    };
    let own = |forge: &str, answer: Answer| {
        let names = ["GITHUB_TOKEN", "GITLAB_TOKEN", "GITEA_TOKEN"];
        let scene = clone(forge, &["--api", "http://@HOST@/api"], "http://@HOST@/shop/shop.git");
        names.into_iter().fold(scene, |scene, name| scene.variable(name, "the-users-own")).answer(
            Where::Host,
            "/",
            answer,
        )
    };
    let twin = |forge: &str| own(forge, Answer::new("{}")).asks(&["the-users-own"]).ends_anyhow();
    let away = |forge: &str| own(forge, Answer::to("http://@OTHER@/taken")).withholds(&["the-users-own", "GET /taken"]);
    vec![
        ("tokens for a forge that a clone names", "gitlab", named("gitlab.evil.example"), meant("gitlab.evil.example")),
        ("tokens for a forge that a clone names", "gitea", named("gitea.evil.example"), meant("gitea.evil.example")),
        (
            "tokens for a forge that a clone names",
            "a known host in front",
            named("github.com.gitlab.evil.example"),
            meant("gitlab.evil.example"),
        ),
        (
            "tokens for a forge that a clone names",
            "a known host as the user",
            named("gitlab.com@gitlab.evil.example"),
            meant("gitlab.evil.example"),
        ),
        ("tokens after a redirect", "github", away("github"), twin("github")),
        ("tokens after a redirect", "gitlab", away("gitlab"), twin("gitlab")),
        ("tokens after a redirect", "gitea", away("gitea"), twin("gitea")),
    ]
}

/// A chart repository's password for another server (Helm's CVE-2021-32690).
fn repositories() -> Vec<Pair> {
    let pulled = |address: &str| {
        let index = format!(
            "apiVersion: v1\nentries:\n  web:\n  - {{name: web, version: 0.1.0, apiVersion: v2, urls: [\"{address}\"]}}\n"
        );
        Scene::new(&["pull", "--repo", "http://@HOST@", "web", "--username", "u", "--password", "the-users-own"])
            .answer(Where::Host, "/index.yaml", Answer::new(index))
            .answer(Where::Host, "/web-0.1.0.tgz", Answer::new(chart_with(&[])))
            .answer(Where::Other, "/web-0.1.0.tgz", Answer::new(chart_with(&[])))
            .answer(Where::Host, "/away", Answer::to("http://@OTHER@/web-0.1.0.tgz"))
    };
    let twin = || pulled("web-0.1.0.tgz").well(&[]).asks(&["GET /web-0.1.0.tgz", "u:the-users-own"]);
    let withheld = |address: &str| pulled(address).withholds(&["u:the-users-own"]);
    vec![
        (
            "passwords of a chart repository",
            "another host in the index",
            withheld("http://@OTHER@/web-0.1.0.tgz"),
            twin(),
        ),
        ("passwords of a chart repository", "a redirect", withheld("http://@HOST@/away"), twin()),
        (
            "passwords of a chart repository",
            "the host as the user",
            withheld("http://@HOST@@@OTHER@/web-0.1.0.tgz"),
            twin(),
        ),
    ]
}

/// A registry's password for another server, and for a registry that it is not of.
fn registries() -> Vec<Pair> {
    let pull = &["pull", "oci://@HOST@/open/web", "--version", "0.1.0", "--plain-http"];
    let asked = |answer: Answer| {
        Scene::new(&[&pull[..], &["--username", "u", "--password", "the-users-own"]].concat())
            .answer(Where::Host, "/v2/", answer)
            .answer(Where::Other, "/", Answer::new("{\"token\": \"x\"}"))
    };
    let account = |host: &str| {
        Scene::new(pull)
            .file(
                "@HOME@/.config/helm/registry/config.json",
                format!("{{\"auths\": {{\"{host}\": {{\"auth\": \"dTp0aGUtdXNlcnMtb3du\"}}}}}}"),
            )
            .answer(Where::Host, "/v2/", Answer::status(401).with("WWW-Authenticate", "Basic realm=\"x\""))
            .refused(&[1], &["error"])
    };
    let challenge =
        |realm: &str| Answer::status(401).with("WWW-Authenticate", &format!("Bearer realm=\"{realm}\",service=\"x\""));
    let refused = |scene: Scene| scene.refused(&[1], &["error"]).withholds(&["u:the-users-own"]);
    // The registry goes on refusing: what is shown is that its own account reaches it.
    let twin = || account("@HOST@").asks(&["u:the-users-own"]).ends_anyhow();
    vec![
        (
            "passwords of a registry",
            "a realm that another account is for",
            account("@OTHER@")
                .answer(Where::Host, "/v2/", challenge("http://@OTHER@/token"))
                .answer(Where::Other, "/", Answer::new("{\"token\": \"x\"}"))
                .withholds(&["u:the-users-own"]),
            twin(),
        ),
        ("passwords of a registry", "an answer elsewhere", refused(asked(Answer::to("http://@OTHER@/taken"))), twin()),
        (
            "passwords of a registry",
            "of another registry's account",
            account("registry.example.com").withholds(&["u:"]).hides(&["the-users-own"]),
            twin(),
        ),
    ]
}

/// Passwords that stand in an address (Argo CD's CVE-2023-25163).
fn addresses() -> Vec<Pair> {
    let hidden = |act: &[&str]| {
        Scene::new(act)
            .answer(Where::Host, "/", Answer::status(404))
            .hides(&["the-users-own"])
            .refused(&[1, 2, 6], &["error"])
    };
    let index =
        "apiVersion: v1\nentries:\n  web:\n  - {name: web, version: 0.1.0, apiVersion: v2, urls: [web-0.1.0.tgz]}\n";
    let twin = || {
        Scene::new(&["pull", "http://u:the-users-own@@HOST@/web-0.1.0.tgz"])
            .answer(Where::Host, "/web-0.1.0.tgz", Answer::new(chart_with(&[])))
            .well(&[])
            .asks(&["u:the-users-own"])
    };
    let added = || {
        Scene::new(&["repo", "add", "own", "http://u:the-users-own@@HOST@"])
            .answer(Where::Host, "/index.yaml", Answer::new(index))
            .well(&["has been added"])
            .hides(&["the-users-own"])
    };
    vec![
        ("passwords in an address", "of a chart", hidden(&["pull", "http://u:the-users-own@@HOST@/none.tgz"]), twin()),
        (
            "passwords in an address",
            "of a repository",
            hidden(&["repo", "add", "own", "http://u:the-users-own@@HOST@/none"]),
            added(),
        ),
        ("passwords in an address", "of a clone", hidden(&["plan", "https://u:the-users-own@@HOST@/none.git"]), twin()),
        (
            "passwords in an address",
            "of an index",
            hidden(&["pull", "--repo", "http://u:the-users-own@@HOST@/none", "web"]),
            twin(),
        ),
    ]
}

const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData:\n  password: {{ .Values.password | quote }}\n";

/// A system with a Secret whose value is a canary.
fn secret(act: &[&str]) -> Scene {
    template(shop(act), SECRET).file("web/values.yaml", "password: canary-of-secrets-9Tn47b\n").commit("first")
}

/// The same delivered with an older value, and then changed.
fn changed(act: &[&str], text: &str) -> Scene {
    template(shop(act), text)
        .file("web/values.yaml", "password: older\n")
        .commit("first")
        .before(&["up", "--once"])
        .file("web/values.yaml", "password: canary-of-secrets-9Tn47b\n")
        .commit("second")
}

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  greeting: hello-proof\n  other: {{ .Values.password | len | quote }}\n";

/// Values of Secrets in what is said (Argo CD's CVE-2023-40029, -2025-23216, -2026-42880, -2026-45737).
fn secrets() -> Vec<Pair> {
    let held = |act: &[&str]| secret(act).well(&["web"]);
    let twin = |act: &[&str], words: &[&str]| {
        template(shop(act), CONFIG).file("web/values.yaml", "password: x\n").commit("first").well(words)
    };
    let with = |act: &[&str], text: &str| {
        template(shop(act), text).file("web/values.yaml", "password: canary-of-secrets-9Tn47b\n").commit("first")
    };
    let applied = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: web\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: '{\"stringData\":{\"password\":{{ .Values.password | quote }}}}'\nstringData: {a: b}\n";
    let broken = "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData:\n  password: {{ .Values.password }}: {broken\n";
    let wrong =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\ndata:\n  password: {{ .Values.password | quote }}\n";
    let both = "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {password: {{ .Values.password | quote }}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {password: {{ .Values.password | quote }}}\n";
    let diff = || changed(&["diff"], CONFIG).says(&["ConfigMap/web"]).ends_well_or_differs();
    vec![
        ("secrets in plans", "json", held(&["plan", "-o", "json"]), twin(&["plan", "-o", "json"], &["web"])),
        ("secrets in plans", "yaml", held(&["plan", "-o", "yaml"]), twin(&["plan", "-o", "yaml"], &["web"])),
        ("secrets in plans", "a table", held(&["plan", "-v"]), twin(&["plan", "-v"], &["web"])),
        ("secrets in differences", "diff", changed(&["diff"], SECRET).says(&["Secret/web"]), diff()),
        ("secrets in differences", "diff as json", changed(&["diff", "-o", "json"], SECRET).says(&["web"]), diff()),
        ("secrets in differences", "last applied", changed(&["diff"], applied).says(&["Secret/web"]), diff()),
        (
            "secrets in rehearsals",
            "text",
            secret(&["rehearse"]).says(&["deliver cleanly"]),
            twin(&["rehearse"], &["deliver cleanly"]),
        ),
        (
            "secrets in rehearsals",
            "json",
            secret(&["rehearse", "-o", "json"]).says(&["web"]),
            twin(&["rehearse", "-o", "json"], &["web"]),
        ),
        (
            "secrets in rehearsals",
            "last applied",
            with(&["rehearse", "-o", "json"], applied).says(&["web"]),
            twin(&["rehearse", "-o", "json"], &["web"]),
        ),
        (
            "secrets in previews",
            "a comment",
            changed(&["preview", "HEAD~..HEAD", "-o", "markdown"], SECRET).says(&["web"]),
            twin(&["preview", "HEAD..HEAD"], &["landfall preview"]),
        ),
        (
            "secrets in previews",
            "json",
            changed(&["preview", "HEAD~..HEAD", "-o", "json"], SECRET).says(&["web"]),
            twin(&["preview", "HEAD..HEAD"], &["landfall preview"]),
        ),
        (
            "secrets in previews",
            "last applied",
            changed(&["preview", "HEAD~..HEAD"], applied).says(&["landfall preview"]),
            twin(&["preview", "HEAD..HEAD"], &["landfall preview"]),
        ),
        (
            "secrets in errors",
            "a line that is not YAML",
            with(&["plan"], broken).refused(&[1, 2], &["LF0231"]),
            twin(&["plan"], &["ConfigMap/web"]),
        ),
        (
            "secrets in errors",
            "a value that is not coded",
            with(&["up", "--once"], wrong).refused(&[1, 2, 3, 4], &["Secret"]),
            twin(&["up", "--once"], &["ConfigMap/web"]),
        ),
        (
            "secrets in errors",
            "a type that does not fit",
            with(
                &["up", "--once"],
                "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\ndata: {{ .Values.password | quote }}\n",
            )
            .refused(&[1, 2, 3, 4], &["Secret"]),
            twin(&["up", "--once"], &["ConfigMap/web"]),
        ),
        (
            "secrets in explanations",
            "the field",
            secret(&["explain", "Secret/web", "stringData.password"]).says(&["password"]),
            twin(&["explain", "ConfigMap/web", "data.greeting"], &["hello-proof"]),
        ),
        (
            "secrets in explanations",
            "the value",
            secret(&["explain", "password"]).says(&["password"]),
            twin(&["explain", "ConfigMap/web", "data.greeting"], &["hello-proof"]),
        ),
        (
            "secrets in explanations",
            "what feeds another, too",
            with(&["explain", "ConfigMap/web", "data.password"], both).says(&["password"]),
            twin(&["explain", "ConfigMap/web", "data.greeting"], &["hello-proof"]),
        ),
    ]
}

/// What is written down of a delivery: for its owner's eyes.
fn kept() -> Vec<Pair> {
    let twin = |act: &[&str]| {
        template(shop(act), CONFIG)
            .file("web/values.yaml", "password: x\n")
            .commit("first")
            .well(&["web"])
            .leaves(".landfall/store.db", "SQLite")
    };
    vec![
        ("secrets in journals", "up", secret(&["up", "--once"]).well(&["Secret/web"]), twin(&["up", "--once"])),
        (
            "secrets in journals",
            "history",
            secret(&["history", "web", "-o", "json"]).before(&["up", "--once"]).says(&["web"]),
            twin(&["up", "--once"]),
        ),
        (
            "secrets in journals",
            "a second delivery",
            changed(&["up", "--once"], SECRET).well(&["web"]),
            twin(&["up", "--once"]),
        ),
    ]
}
