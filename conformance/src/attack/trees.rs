//! Trees whose entries are not what they seem: links that lead out, in circles or to devices, and names that git would
//! never check out.

use super::Pair;
use super::ground::Ground;
use super::scene::Scene;
use super::shop::{PROOF, shop, template};

const PLAN: &[&str] = &["plan"];
const TEMPLATE: &[&str] = &["template", "web", "web"];
const REHEARSE: &[&str] = &["rehearse", "HEAD~..HEAD"];
const PREVIEW: &[&str] = &["preview", "HEAD~..HEAD"];

/// Prints what lies at `leak` in the chart.
const PRINTING: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  greeting: {{ .Files.Get \"leak\" | quote }}\n  coded: {{ .Files.Get \"leak\" | b64enc }}\n";

pub(super) fn attacks() -> Vec<Pair> {
    let mut all = leaving();
    all.extend(own());
    all.extend(committed());
    all.extend(turning());
    all.extend(names());
    all
}

fn printing(act: &[&str]) -> Scene {
    template(shop(act), PRINTING)
}

/// A link inside of the tree is followed.
fn inside(act: &[&str], words: &[&str]) -> Scene {
    printing(act).link("web/leak", "../shared/text").file("shared/text", PROOF).commit("first").well(words)
}

/// Links out of the tree, seen by each verb that reads a directory (Argo CD's CVE-2022-24731, -24904).
fn leaving() -> Vec<Pair> {
    let linked = |act: &[&str], target: &str| printing(act).link("web/leak", target);
    let source = |scene: Scene| scene.refused(&[1, 2], &["LF0502", "points out of the tree"]);
    let helm = |scene: Scene| scene.refused(&[1], &["LF0217", "leads out of the repository"]);
    let planned = || inside(PLAN, &["ConfigMap/web"]);
    let rendered = || inside(TEMPLATE, &[PROOF]);
    vec![
        ("links out of the tree", "from the root", source(linked(PLAN, "@OUT@/secret.txt")), planned()),
        ("links out of the tree", "climbing", source(linked(PLAN, "../../outside/secret.txt")), planned()),
        (
            "links out of the tree",
            "to a directory",
            source(printing(PLAN).link("web/more", "../../outside")),
            planned(),
        ),
        (
            "links out of the tree",
            "over another link",
            source(linked(PLAN, "hop").link("web/hop", "@OUT@/secret.txt")),
            planned(),
        ),
        (
            "links out of the tree",
            "beside a name that begins alike",
            source(linked(PLAN, "../../system2/secret").file("@ROOT@2/secret", "canary-of-outside-5Qz81x")),
            planned(),
        ),
        ("links out of the tree, rendered", "from the root", helm(linked(TEMPLATE, "@OUT@/secret.txt")), rendered()),
        ("links out of the tree, rendered", "climbing", helm(linked(TEMPLATE, "../../outside/secret.txt")), rendered()),
        (
            "links out of the tree, rendered",
            "to a directory",
            helm(printing(TEMPLATE).link("web/more", "@OUT@")),
            rendered(),
        ),
        ("links out of the tree, rendered", "to a process", helm(linked(TEMPLATE, "/proc/self/environ")), rendered()),
        (
            "links out of the tree, rendered",
            "as a template",
            helm(shop(TEMPLATE).link("web/templates/leak.yaml", "@OUT@/templates/all.yaml")),
            rendered(),
        ),
        (
            "links out of the tree, rendered",
            "as values",
            helm(shop(TEMPLATE).link("web/values.yaml.d", "@OUT@/values.yaml")),
            rendered(),
        ),
        (
            "links out of the tree, packed",
            "from the root",
            helm(linked(&["package", "web"], "@OUT@/secret.txt")),
            inside(&["package", "web"], &["web-0.1.0.tgz"]),
        ),
        (
            "links out of the tree, packed",
            "linted",
            linked(&["lint", "web"], "@OUT@/secret.txt").refused(&[1], &["leads out of the repository"]),
            inside(&["lint", "web"], &["0 chart(s) failed"]),
        ),
        (
            "links out of the tree, packed",
            "shown",
            linked(&["show", "all", "web"], "@OUT@/secret.txt").refused(&[1], &["LF0217"]),
            inside(&["show", "all", "web"], &["name: web"]),
        ),
    ]
}

/// Links to what git and Landfall keep for themselves: credentials of a CI's checkout.
fn own() -> Vec<Pair> {
    let checkout = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[http \"https://git.example.com/\"]\n\textraheader = AUTHORIZATION: basic canary-of-checkout-3Vk96m\n";
    let linked = |act: &[&str], target: &str| {
        printing(act).link("web/leak", target).commit("first").file(".git/config", checkout)
    };
    let source = |scene: Scene| scene.refused(&[1, 2], &["LF0502", "no file of the tree"]);
    let helm = |scene: Scene| scene.refused(&[1], &["LF0217", "keeps for itself"]);
    vec![
        (
            "links into git's directory",
            "planned",
            source(linked(PLAN, "../.git/config")),
            inside(PLAN, &["ConfigMap/web"]),
        ),
        (
            "links into git's directory",
            "of the whole",
            source(linked(PLAN, "../.git")),
            inside(PLAN, &["ConfigMap/web"]),
        ),
        (
            "links into git's directory",
            "rendered",
            helm(linked(TEMPLATE, "../.git/config")),
            inside(TEMPLATE, &[PROOF]),
        ),
        (
            "links into git's directory",
            "in Helm's voice",
            linked(&["helm", "template", "web", "web"], "../.git/config").refused(&[1], &["Error"]),
            inside(&["helm", "template", "web", "web"], &[PROOF]),
        ),
        (
            "links into git's directory",
            "from the root",
            helm(linked(TEMPLATE, "@ROOT@/.git/config")),
            inside(TEMPLATE, &[PROOF]),
        ),
        (
            "links into our directory",
            "planned",
            // What came along there is not ours, and is moved aside before anything is read.
            printing(PLAN)
                .link("web/leak", "../.landfall/kubeconfig")
                .file(".landfall/kubeconfig", "token: canary-of-checkout-3Vk96m")
                .refused(&[1, 2], &["LF0618", "web/leak"]),
            inside(PLAN, &["ConfigMap/web"]),
        ),
        (
            "links into our directory",
            "rendered",
            helm(
                printing(TEMPLATE)
                    .link("web/leak", "../.landfall/kubeconfig")
                    .file(".landfall/kubeconfig", "token: canary-of-checkout-3Vk96m")
                    .git(&["init", "-q"]),
            ),
            inside(TEMPLATE, &[PROOF]),
        ),
    ]
}

/// The same links, read from a commit.
fn committed() -> Vec<Pair> {
    let second = |act: &[&str], from: &str, target: &str| {
        printing(act)
            .file("web/leak", "x")
            .commit("first")
            .make(|ground| remove(ground, "web/leak"))
            .link(from, target)
            .commit("second")
    };
    let twin = |act: &[&str], words: &[&str]| {
        printing(act)
            .commit("first")
            .link("web/leak", "../shared/text")
            .file("shared/text", PROOF)
            .commit("second")
            .well(words)
    };
    vec![
        (
            "links of a commit",
            "out, rehearsed",
            second(REHEARSE, "web/leak", "@OUT@/secret.txt").refused(&[1, 2], &["out of the tree"]),
            twin(REHEARSE, &["ConfigMap/web"]),
        ),
        (
            "links of a commit",
            "out, previewed",
            second(PREVIEW, "web/leak", "../../outside/secret.txt").refused(&[1, 2], &["out of the tree"]),
            twin(PREVIEW, &["ConfigMap/web"]),
        ),
        (
            "links of a commit",
            "into git's directory",
            second(PREVIEW, "web/leak", "../.git/config").refused(&[1, 2], &["web/leak"]),
            twin(PREVIEW, &["ConfigMap/web"]),
        ),
        (
            "links of a commit",
            "over a directory",
            second(REHEARSE, "web/more", "../../outside").refused(&[1, 2], &["out of the tree"]),
            twin(REHEARSE, &["ConfigMap/web"]),
        ),
        (
            "links of a commit",
            "that is named",
            second(&["plan", "--ref", "HEAD"], "web/leak", "@OUT@/secret.txt").refused(&[1, 2], &["out of the tree"]),
            twin(&["plan", "--ref", "HEAD"], &["ConfigMap/web"]),
        ),
    ]
}

fn remove(ground: &Ground, path: &str) -> anyhow::Result<()> {
    Ok(std::fs::remove_file(ground.path(path))?)
}

/// Links in circles, links to what has no end, and files that are none.
fn turning() -> Vec<Pair> {
    let refused = |scene: Scene| scene.refused(&[1, 2], &["error"]);
    let planned = || inside(PLAN, &["ConfigMap/web"]);
    let rendered = || inside(TEMPLATE, &[PROOF]);
    vec![
        ("links in circles", "two", refused(shop(PLAN).link("web/a", "b").link("web/b", "a")), planned()),
        ("links in circles", "to the directory", refused(shop(PLAN).link("web/a", ".")), planned()),
        ("links in circles", "rendered", refused(shop(TEMPLATE).link("web/a", ".")), rendered()),
        (
            "links in circles",
            "committed",
            refused(shop(&["plan", "--ref", "HEAD"]).link("web/a", "b").link("web/b", "a").commit("first")),
            planned(),
        ),
        (
            "links to devices",
            "zero, planned",
            refused(shop(PLAN).commit("first").link("web/zero", "/dev/zero")),
            planned(),
        ),
        ("links to devices", "zero, rendered", refused(shop(TEMPLATE).link("web/zero", "/dev/zero")), rendered()),
        ("links to devices", "a terminal", refused(shop(PLAN).link("web/tty", "/dev/stdin")), planned()),
        ("files that are none", "a pipe, planned", shop(PLAN).make(pipe).says(&["web"]), planned()),
        ("files that are none", "a pipe, rendered", refused(shop(TEMPLATE).make(pipe)), rendered()),
        ("files that are none", "a socket", refused(shop(TEMPLATE).make(socket)), rendered()),
    ]
}

fn pipe(ground: &Ground) -> anyhow::Result<()> {
    let made = std::process::Command::new("mkfifo").arg(ground.path("web/pipe")).status()?;
    anyhow::ensure!(made.success(), "no pipe could be made");
    Ok(())
}

fn socket(ground: &Ground) -> anyhow::Result<()> {
    let _listener = std::os::unix::net::UnixListener::bind(ground.path("web/socket"))?;
    Ok(())
}

/// Trees with names that git refuses to check out (gix's CVE-2024-35186 and -35197), written as objects.
fn names() -> Vec<Pair> {
    let named = |make: fn(&Ground) -> anyhow::Result<()>| {
        shop(&["rehearse", "HEAD~..HEAD"]).commit("first").make(make).spares(&[
            "../evil",
            ".git/hooks/evil",
            "web/../../evil",
        ])
    };
    let twin = || {
        shop(&["rehearse", "HEAD~..HEAD"])
            .commit("first")
            .file("web/values.yaml", "greeting: other\n")
            .commit("second")
            .well(&["ConfigMap/web"])
    };
    vec![
        ("names of a tree's entries", "climbing", named(|ground| entry(ground, "..")).says(&["e"]), twin()),
        ("names of a tree's entries", "git's own", named(|ground| entry(ground, ".git")).says(&["e"]), twin()),
        ("names of a tree's entries", "with a slash", named(|ground| entry(ground, "../../evil")).says(&["e"]), twin()),
        (
            "names of a tree's entries",
            "from the root",
            named(|ground| entry(ground, "/etc/passwd")).says(&["e"]),
            twin(),
        ),
    ]
}

/// Commits a tree that holds a tree under a name that `git mktree` takes, and whose chart holds an entry under another.
fn entry(ground: &Ground, name: &str) -> anyhow::Result<()> {
    let output = |words: &[&str], input: &[u8]| ground.git_with(words, input);
    let blob = output(&["hash-object", "-w", "--stdin"], b"evil\n")?;
    let raw: Vec<u8> =
        (0..blob.len() / 2).filter_map(|at| u8::from_str_radix(&blob[2 * at..2 * at + 2], 16).ok()).collect();
    let chart = output(&["rev-parse", "HEAD:web"], b"")?;
    let mut tree = ground.git_bytes(&["cat-file", "tree", &chart])?;
    let mut evil = format!("100644 {name}\0").into_bytes();
    evil.extend(raw);
    // In order of names, as trees are: what begins with a dot or a slash comes before letters.
    tree.splice(0..0, evil);
    let chart = output(&["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &tree)?;
    let system = output(&["rev-parse", "HEAD:landfall.yaml"], b"")?;
    let listed = format!("100644 blob {system}\tlandfall.yaml\n040000 tree {chart}\tweb\n");
    let root = output(&["mktree"], listed.as_bytes())?;
    let commit = output(&["commit-tree", &root, "-p", "HEAD", "-m", "names"], b"")?;
    ground.git(["update-ref", "refs/heads/main", &commit])
}
