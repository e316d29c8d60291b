//! The contract of `source` against repositories made by git itself.

mod it {
    mod forges;
    mod hostile_pusher;
    mod http_server;
    mod limits;
    mod registry_tags;
    mod shared;
    mod signed;
    mod strangers;
    mod tracked;
    mod written;
}

use std::path::Path;
use std::process::Command;

use landfall_source::{Network, RemoteRef, SourceError, SourceTree, fetch_repository};

fn git(dir: &Path, args: &[&str]) {
    let status = Command::new("git")
        .args(["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git runs");
    assert!(status.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&status.stderr));
}

fn write(dir: &Path, path: &str, content: &str) {
    let path = dir.join(path);
    std::fs::create_dir_all(path.parent().expect("has a parent")).expect("made");
    std::fs::write(path, content).expect("written");
}

fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), "chart/Chart.yaml", "name: web\n");
    write(dir.path(), "chart/templates/a.yaml", "a: 1\n");
    write(dir.path(), ".gitignore", "ignored.yaml\n*.tgz\n");
    git(dir.path(), &["init", "-q"]);
    git(dir.path(), &["add", "-A"]);
    git(dir.path(), &["commit", "-qm", "first"]);
    dir
}

#[test]
fn a_clean_working_tree_is_its_commit() {
    let dir = repository();
    let tree = SourceTree::open_directory(&dir.path().join("chart")).expect("opened");
    assert!(!tree.revision().is_dirty());
    assert_eq!(tree.revision().sha().map(str::len), Some(40));
    assert_eq!(tree.directory("chart").expect("read").len(), 2);
}

#[test]
fn changed_and_untracked_files_make_a_revision_dirty_and_the_same_content_the_same_revision() {
    let dir = repository();
    write(dir.path(), "chart/values.yaml", "b: 2\n");
    let first = SourceTree::open_directory(dir.path()).expect("opened").revision().to_string();
    assert!(first.contains("+dirty."), "{first}");
    assert_eq!(SourceTree::open_directory(dir.path()).expect("opened").revision().to_string(), first);
    write(dir.path(), "chart/values.yaml", "b: 3\n");
    assert_ne!(SourceTree::open_directory(dir.path()).expect("opened").revision().to_string(), first);
}

#[test]
fn ignored_files_are_not_delivered_but_vendored_dependencies_are() {
    let dir = repository();
    write(dir.path(), "chart/templates/ignored.yaml", "x: 1\n");
    write(dir.path(), "chart/charts/dep-1.0.0.tgz", "not really\n");
    let tree = SourceTree::open_directory(dir.path()).expect("opened");
    let chart = tree.directory("chart").expect("read");
    assert!(chart.get("templates/ignored.yaml").is_none());
    assert!(chart.get("charts/dep-1.0.0.tgz").is_some());
    assert!(!tree.revision().is_dirty(), "{}", tree.revision());
}

#[test]
fn a_commit_is_read_without_a_checkout() {
    let dir = repository();
    write(dir.path(), "chart/templates/a.yaml", "a: 2\n");
    git(dir.path(), &["commit", "-qam", "second"]);
    let tree = SourceTree::open_commit(dir.path(), "HEAD~1").expect("opened");
    assert_eq!(tree.read("chart/templates/a.yaml").expect("read").as_deref(), Some(&b"a: 1\n"[..]));
    assert_eq!(tree.directory("chart").expect("read").len(), 2);
    assert_eq!(tree.glob("chart/templates/*.yaml").expect("matched").len(), 1);
}

#[test]
fn an_unknown_revision_suggests_the_nearest() {
    let dir = repository();
    match SourceTree::open_commit(dir.path(), "mian") {
        Err(SourceError::Revision { nearest, .. }) => assert_eq!(nearest.as_deref(), Some("main")),
        other => panic!("{other:?}"),
    }
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_tree_is_an_error_on_disk_and_in_a_commit() {
    let dir = repository();
    std::os::unix::fs::symlink("/etc/hostname", dir.path().join("chart/templates/out.yaml")).expect("linked");
    let on_disk = SourceTree::open_directory(dir.path()).expect("opened");
    assert!(matches!(on_disk.directory("chart"), Err(SourceError::Link { .. })));
    git(dir.path(), &["add", "-A"]);
    git(dir.path(), &["commit", "-qm", "link"]);
    let commit = SourceTree::open_commit(dir.path(), "HEAD").expect("opened");
    assert!(matches!(commit.directory("chart"), Err(SourceError::Link { .. })));
}

#[cfg(unix)]
#[test]
fn a_link_inside_the_tree_is_followed() {
    let dir = repository();
    std::os::unix::fs::symlink("../../chart/templates/a.yaml", dir.path().join("chart/templates/b.yaml"))
        .expect("linked");
    let chart = SourceTree::open_directory(dir.path()).expect("opened").directory("chart").expect("read");
    assert_eq!(chart.get("templates/b.yaml").map(|bytes| bytes.to_vec()), Some(b"a: 1\n".to_vec()));
}

#[test]
fn a_directory_without_git_has_a_revision_of_its_content() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), "with space/Chart.yaml", "name: x\n");
    let tree = SourceTree::open_directory(dir.path()).expect("opened");
    assert!(tree.revision().to_string().starts_with("none+"));
    assert_eq!(tree.directory("with space").expect("read").len(), 1);
}

#[tokio::test]
async fn a_repository_is_fetched_by_address_and_branch() {
    let origin = repository();
    git(origin.path(), &["checkout", "-qb", "next"]);
    write(origin.path(), "chart/templates/a.yaml", "a: 9\n");
    git(origin.path(), &["commit", "-qam", "next"]);
    git(origin.path(), &["checkout", "-q", "main"]);
    let into = tempfile::tempdir().expect("a temporary directory");
    let below = into.path().join("shop");
    let remote = RemoteRef::parse(&format!("file://{}#next", origin.path().display())).expect("an address");
    let fetched = fetch_repository(&Network::default(), &remote, &below, None).await.expect("fetched");
    let tree = SourceTree::open_fetched(fetched, "next").expect("opened");
    assert_eq!(tree.read("chart/templates/a.yaml").expect("read").as_deref(), Some(&b"a: 9\n"[..]));
    drop(tree);
    assert_eq!(std::fs::read_dir(&below).expect("read").count(), 0, "it goes with its tree");
}

#[tokio::test]
async fn one_repository_is_fetched_by_many_at_once_and_each_has_its_own() {
    let origin = repository();
    git(origin.path(), &["checkout", "-qb", "next"]);
    write(origin.path(), "chart/templates/a.yaml", "a: 9\n");
    git(origin.path(), &["commit", "-qam", "next"]);
    git(origin.path(), &["checkout", "-q", "main"]);
    let below = tempfile::tempdir().expect("a temporary directory");
    let network = Network::default();
    let fetch = |branch: &'static str| {
        let remote = RemoteRef::parse(&format!("file://{}#{branch}", origin.path().display())).expect("an address");
        let (network, below) = (network.clone(), below.path().to_owned());
        tokio::spawn(async move {
            let fetched = fetch_repository(&network, &remote, &below, None).await.expect("fetched");
            SourceTree::open_fetched(fetched, branch).expect("opened")
        })
    };
    let fetches: Vec<_> = ["main", "next", "main", "next", "main", "next"].map(fetch).into_iter().collect();
    let mut trees = Vec::new();
    for fetching in fetches {
        trees.push(fetching.await.expect("no panic"));
    }
    for (index, tree) in trees.iter().enumerate() {
        let read = tree.read("chart/templates/a.yaml").expect("read").expect("there");
        assert_eq!(read == b"a: 9\n", index % 2 == 1, "tree {index} is of its own branch");
    }
}

#[tokio::test]
async fn why_a_repository_cannot_be_fetched_is_said_to_the_root_and_without_its_password() {
    let into = tempfile::tempdir().expect("a temporary directory");
    // Nothing listens on this port.
    let remote = RemoteRef::parse("https://me:secret@127.0.0.1:1/a.git").expect("an address");
    let error = fetch_repository(&Network::default(), &remote, into.path(), None).await.expect_err("nobody there");
    let text = error.to_string();
    assert!(text.to_lowercase().contains("connection refused"), "{text}");
    assert!(text.contains("`https://127.0.0.1:1/a.git`") && !text.contains("secret"), "{text}");
}
