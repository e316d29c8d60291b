//! State that somebody else made: a committed `.landfall`, a state directory with files of others, locks that lead elsewhere.

use super::Pair;
use super::ground::Ground;
use super::scene::Scene;
use super::shop::{PROOF, shop};

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = planted();
    all.extend(linked());
    all.extend(removed());
    all.extend(signalled());
    all
}

const ENDPOINT: &str = "{\"pid\": 1, \"server\": \"https://@HOST@\", \"http\": null, \"https\": null, \"version\": \"0.1.0\", \"started\": \"2026-11-21T22:24:06.605242Z\"}";
/// A kubeconfig that runs a program for its token.
const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\nclusters: [{name: landfall, cluster: {server: \"https://@HOST@\", insecure-skip-tls-verify: true}}]\nusers: [{name: landfall-admin, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: evil, interactiveMode: Never}}}]\ncontexts: [{name: landfall, context: {cluster: landfall, user: landfall-admin, namespace: default}}]\ncurrent-context: landfall\n";

/// A system with a state directory that came along.
fn came_along(act: &[&str]) -> Scene {
    shop(act)
        .file(".landfall/.gitignore", "")
        .file(".landfall/endpoint.json", ENDPOINT)
        .file(".landfall/kubeconfig", KUBECONFIG)
        .file(".landfall/token", "x")
        .file(".landfall/lock", "")
        .file(".landfall/delivery.lock", "")
        .commit("first")
        .make(|ground| {
            Ok(std::fs::set_permissions(ground.path(".landfall"), std::os::unix::fs::PermissionsExt::from_mode(0o700))?)
        })
}

/// Our own, from before.
fn own(act: &[&str], words: &[&str]) -> Scene {
    shop(act).commit("first").before(&["up", "--once"]).well(words)
}

/// A committed state directory: its endpoint, its kubeconfig with a program, its lock.
fn planted() -> Vec<Pair> {
    let held = |act: &[&str], words: &[&str]| came_along(act).locked().hides(&["evil"]).says(words);
    vec![
        ("a state directory that came along", "status", held(&["status"], &["landfall"]), own(&["status"], &["web"])),
        ("a state directory that came along", "plan", held(&["plan"], &["ConfigMap/web"]), own(&["plan"], &["web"])),
        (
            "a state directory that came along",
            "up",
            held(&["up", "--once"], &["done"]),
            own(&["up", "--once"], &["no changes"]),
        ),
        (
            "a state directory that came along",
            "rehearse",
            held(&["rehearse"], &["deliver"]),
            own(&["rehearse"], &["deliver"]),
        ),
        (
            "a state directory that came along",
            "logs",
            held(&["logs", "web"], &["e"]),
            own(&["history", "web"], &["deployed"]),
        ),
        (
            "a state directory that came along",
            "doctor",
            held(&["doctor", "cluster"], &["e"]),
            own(&["status"], &["web"]),
        ),
        (
            "a kubeconfig that came along",
            "named by nobody",
            shop(&["status"])
                .file("kubeconfig", KUBECONFIG)
                .file(".kube/config", KUBECONFIG)
                .commit("first")
                .says(&["e"]),
            own(&["status"], &["web"]),
        ),
        (
            "a kubeconfig that came along",
            "through a context",
            shop(&["plan"])
                .file(
                    "landfall.yaml",
                    super::shop::system("chart: web", "").replace("cluster: embedded", "cluster: {context: landfall}"),
                )
                .file("kubeconfig", KUBECONFIG)
                .commit("first")
                .refused(&[1, 2, 6], &["landfall"]),
            own(&["plan"], &["web"]),
        ),
        (
            "a kubeconfig that came along",
            "in .landfall, with --state",
            came_along(&["status", "--state", ".landfall"]).locked().hides(&["evil"]).says(&["e"]),
            own(&["status", "--state", ".landfall"], &["web"]),
        ),
    ]
}

impl Scene {
    /// Somebody holds the locks of the planted state directory, as a server would: nobody does, so that what is asked of
    /// its endpoint is asked for the files' sake.
    fn locked(self) -> Self {
        self.make(hold)
    }
}

/// Holds the lock while the scene plays, by a process of its own that ends with the ground.
fn hold(ground: &Ground) -> anyhow::Result<()> {
    {
        let path = ground.path(".landfall/lock");
        let script = "exec 9<\"$1\"; flock -n 9 || exit 1; exec sleep 60";
        std::process::Command::new("bash")
            .args(["-c", script, "bash"])
            .arg(&path)
            .current_dir(ground.system())
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()?;
    }
    Ok(())
}

/// State that leads elsewhere.
fn linked() -> Vec<Pair> {
    let twin = || own(&["status"], &["web"]);
    let up = || own(&["up", "--once"], &["no changes"]);
    vec![
        (
            "state that is a link",
            "the directory",
            shop(&["up", "--once"]).link(".landfall", "@OUT@").commit("first").says(&["e"]).hides(&["panicked"]),
            up(),
        ),
        (
            "state that is a link",
            "the lock",
            shop(&["up", "--once"])
                .link(".landfall/delivery.lock", "@OUT@/secret.txt")
                .link(".landfall/lock", "@OUT@/planted")
                .commit("first")
                .says(&["e"])
                .hides(&["panicked"]),
            up(),
        ),
        (
            "state that is a link",
            "the store",
            shop(&["up", "--once"])
                .link(".landfall/store.db", "@OUT@/planted.db")
                .link(".landfall/cluster.db", "@OUT@/planted2.db")
                .commit("first")
                .says(&["e"])
                .hides(&["panicked"]),
            up(),
        ),
        (
            "state that is a link",
            "the server's log",
            shop(&["cluster", "start"])
                .link(".landfall/server.log", "@OUT@/secret.txt")
                .commit("first")
                .says(&["e"])
                .hides(&["panicked"]),
            shop(&["cluster", "start"]).well(&["started"]),
        ),
        (
            "state that is a link",
            "the cache",
            shop(&["plan"]).link(".landfall/cache", "@OUT@").commit("first").well(&["ConfigMap/web"]),
            twin(),
        ),
        (
            "state that is a link",
            "the token",
            shop(&["cluster", "start"])
                .link(".landfall/token", "@OUT@/secret.txt")
                .commit("first")
                .says(&["e"])
                .hides(&["panicked"]),
            shop(&["cluster", "start"]).well(&["started"]),
        ),
    ]
}

/// `reset` removes what we made and nothing else.
fn removed() -> Vec<Pair> {
    let foreign = |act: &[&str]| {
        shop(act).file("mine/notes.txt", PROOF).file("mine/deep/more.txt", PROOF).make(|ground| {
            Ok(std::fs::set_permissions(ground.path("mine"), std::os::unix::fs::PermissionsExt::from_mode(0o755))?)
        })
    };
    let kept = &["mine/notes.txt", "mine/deep/more.txt", "mine"];
    let reset = &["cluster", "reset", "--yes", "--state", "mine"];
    let twin = || shop(&["cluster", "reset", "--yes"]).before(&["up", "--once"]).well(&["gone"]).spares(&[".landfall"]);
    vec![
        ("a reset of a directory of others", "never used", foreign(reset).keeps(kept), twin()),
        (
            "a reset of a directory of others",
            "used by us",
            foreign(reset).before(&["up", "--once", "--state", "mine"]).keeps(kept),
            twin(),
        ),
        (
            "a reset of a directory of others",
            "of the user's home",
            shop(&["cluster", "reset", "--yes", "--state", "@HOME@"]).keeps(&["@HOME@/.ssh/id_ed25519"]),
            twin(),
        ),
        (
            "a reset of a directory of others",
            "by a link",
            shop(&["cluster", "reset", "--yes"]).link(".landfall", "@OUT@").keeps(&["@OUT@/secret.txt"]),
            twin(),
        ),
        (
            "a reset of a directory of others",
            "down",
            foreign(&["down", "--yes", "--state", "mine"]).keeps(kept),
            shop(&["down", "--yes"]).before(&["up", "--once"]).well(&["e"]),
        ),
        (
            "modes of a directory of others",
            "up",
            foreign(&["up", "--once", "--state", "mine"]).keeps(kept),
            own(&["up", "--once"], &["no changes"]),
        ),
        (
            "modes of a directory of others",
            "start",
            foreign(&["cluster", "start", "--state", "mine"]).keeps(kept),
            shop(&["cluster", "start"]).well(&["started"]),
        ),
    ]
}

/// A pid in a file is no reason to signal a process.
fn signalled() -> Vec<Pair> {
    let planted = |act: &[&str]| {
        came_along(act).make(|ground| {
            let mut child = std::process::Command::new("sleep").arg("60").current_dir(ground.system()).spawn()?;
            let pid = child.id();
            // It is waited for where it ends: by the ground's end, or by whoever kills it.
            std::thread::spawn(move || child.wait());
            ground.file(".landfall/endpoint.json", format!("{{\"pid\": {pid}, \"server\": \"https://127.0.0.1:1\", \"http\": null, \"https\": null, \"version\": \"0.1.0\", \"started\": \"2026-11-21T22:24:06.605242Z\"}}").as_bytes())?;
            ground.file("@HOME@/pid", pid.to_string().as_bytes())
        }).locked().lives("@HOME@/pid")
    };
    let twin = || shop(&["cluster", "stop"]).before(&["cluster", "start"]).well(&["stopped"]);
    vec![
        ("a pid that came along", "stop", planted(&["cluster", "stop", "--timeout", "3s"]), twin()),
        ("a pid that came along", "reset", planted(&["cluster", "reset", "--yes", "--timeout", "3s"]), twin()),
        ("a pid that came along", "down", planted(&["down", "--yes", "--timeout", "3s"]), twin()),
    ]
}
