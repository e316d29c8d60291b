//! What goes past a promotion, or past the bounds of a project: a tag that a hand sets where new ones are promoted, a commit of
//! somebody else on a branch of Landfall's own, an Application that calls itself another team's.

use super::Pair;
use super::scene::{Scene, Where};
use super::server::{Answer, Manner};
use super::shop::{PLAN_APPS, chart};

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = by_hand();
    all.extend(branches());
    all.extend(projects());
    all
}

/// A chart whose image is a value, and an environment that new tags are promoted to.
fn promoted(act: &[&str]) -> Scene {
    let environment = |name: &str, channel: &str| {
        format!(
            "  {name}:\n    cluster: embedded\n    releases: [{{name: web, chart: web, namespace: {name}, values: [{name}.yaml]}}]\n    images: {{policy: semver, channel: {channel}}}\n"
        )
    };
    let declared = format!(
        "apiVersion: landfall.dev/v1\nkind: System\nname: shop\nenvironments:\n{}{}promotion: [{{from: test, to: production, by: commit, version: strip-prerelease}}]\n",
        environment("test", "alpha"),
        environment("production", "stable")
    );
    chart(Scene::new(act))
        .file("web/templates/all.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: \"{{ .Values.image }}\"}]}}\n")
        .file("test.yaml", "image: ghcr.io/acme/web:0.5.0-alpha.1.1\n")
        .file("production.yaml", "image: ghcr.io/acme/web:0.4.0\n")
        .file("landfall.yaml", declared)
        .commit("first")
        .git(&["branch", "-M", "main"])
}

/// Tags that never ran where a promotion leads.
fn by_hand() -> Vec<Pair> {
    const NEVER: &[&str] = &["images", "set", "1.0.0", "--env", "production", "--unchecked", "--yes"];
    const TESTED: &[&str] = &["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--unchecked", "--yes"];
    let pushed = |scene: Scene| {
        let scene = scene.git(&["clone", "-q", "--bare", ".", "@HOME@/shop.git"]);
        let mut scene = scene.git(&["remote", "add", "origin", "@HOME@/shop.git"]);
        scene.act.push("--push".to_owned());
        scene
    };
    let refused = |scene: Scene| scene.refused(&[5], &["LF0994", "1.0.0 never ran in production"]);
    let whole = "production.yaml";
    vec![
        (
            "tags set by hand",
            "in the working tree",
            refused(promoted(NEVER)).keeps(&[whole]),
            promoted(TESTED).well(&["0.5.0-alpha.2.1"]).leaves("test.yaml", "web:0.5.0-alpha.2.1"),
        ),
        (
            "tags set by hand",
            "pushed",
            refused(pushed(promoted(NEVER))).keeps(&[whole]).spares(&["@HOME@/shop.git/refs/heads/main"]),
            pushed(promoted(TESTED)).well(&["is on main of"]),
        ),
    ]
}

/// Commits of others on a branch that has one of Landfall's own.
fn branches() -> Vec<Pair> {
    const SET: &[&str] =
        &["images", "set", "0.5.0-alpha.2.1", "--env", "test", "--unchecked", "--yes", "--push", "--forge", "gitea"];
    const BRANCH: &str = "landfall/set-test-0.5.0-alpha.2.1";
    const PULLS: &str = "/api/v1/repos/acme/shop/pulls";
    // A forge whose branch takes no commits.
    let forge = |scene: Scene| {
        scene
            .git(&["clone", "-q", "--bare", ".", "@HOME@/git/acme/shop.git"])
            .git(&["--git-dir", "@HOME@/git/acme/shop.git", "config", "http.receivepack", "true"])
            .program("@HOME@/git/acme/shop.git/hooks/update", "[ \"$1\" != refs/heads/main ]")
            .git(&["remote", "add", "origin", "http://@HOST@/acme/shop.git"])
            .answer(Where::Host, "/acme/shop.git", Answer::new("@HOME@/git").in_manner(Manner::Git))
            .answer(Where::Host, &format!("{PULLS}?"), Answer::new("[]"))
            .answer(
                Where::Host,
                PULLS,
                Answer {
                    status: 201,
                    ..Answer::new("{\"number\": 1, \"state\": \"open\", \"merged\": false, \"title\": \"t\", \"body\": \"b\", \"html_url\": \"http://@HOST@/acme/shop/pulls/1\", \"head\": {\"ref\": \"h\", \"sha\": \"\"}, \"base\": {\"ref\": \"main\"}, \"user\": {\"login\": \"bot\"}}")
                },
            )
            .variable("LANDFALL_FORGE_TOKEN", "a-forges-own")
            .variable("LANDFALL_FORGE_HOST", "@HOST@")
    };
    let foreign = forge(promoted(SET))
        .git(&["checkout", "-q", "-b", "theirs"])
        .file("web/values.yaml", "greeting: theirs\n")
        .commit("by somebody")
        .git(&["push", "-q", "@HOME@/git/acme/shop.git", &format!("HEAD:refs/heads/{BRANCH}")])
        .git(&["checkout", "-q", "main"]);
    let reference = format!("@HOME@/git/acme/shop.git/refs/heads/{BRANCH}");
    vec![(
        "branches of Landfall's own",
        "a commit of somebody else",
        foreign.refused(&[5], &["LF0995", "by somebody"]).keeps(&[&reference]),
        forge(promoted(SET)).well(&["pull request 1"]),
    )]
}

/// Applications of other namespaces that name a project of Argo CD's.
fn projects() -> Vec<Pair> {
    let planned = |namespaces: &str| {
        chart(Scene::new(PLAN_APPS))
            .file(
                "apps/project.yaml",
                format!("apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: prod, namespace: argocd}}\nspec:\n  sourceRepos: [\"*\"]\n  destinations: [{{server: \"*\", namespace: \"*\"}}]\n  sourceNamespaces: [{namespaces}]\n"),
            )
            .file(
                "apps/web.yaml",
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: team}\nspec:\n  project: prod\n  destination: {server: \"https://kubernetes.default.svc\", namespace: shop}\n  source: {repoURL: \"https://git.example.com/shop.git\", path: web}\n  syncPolicy: {syncOptions: [CreateNamespace=true]}\n",
            )
            .commit("first")
    };
    vec![(
        "projects of others",
        "from another namespace",
        planned("").refused(&[5], &["in namespace 'team' is not permitted to use project 'prod'"]),
        planned("team").well(&["ConfigMap/web"]),
    )]
}
