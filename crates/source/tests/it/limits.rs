//! Trees, indexes and servers that have no end: each ends with a sentence, and its harmless twin is read.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use landfall_source::{Access, Index, Network, RemoteRef, SourceTree, fetch_repository};

use crate::{git, repository, write};

/// What git answers to a command that is given something to read.
fn told(directory: &Path, arguments: &[&str], input: &[u8]) -> String {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut git = git.spawn().expect("git runs");
    git.stdin.take().expect("a pipe").write_all(input).expect("taken");
    let output = git.wait_with_output().expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// A commit whose tree `chart` holds twice what lies below it, so many times over.
fn doubled(directory: &Path, levels: usize, leaf: &str) -> String {
    let mut tree = told(directory, &["mktree", "--missing"], leaf.as_bytes());
    for _ in 0..levels {
        let both = format!("040000 tree {tree}\ta\n040000 tree {tree}\tb\n");
        tree = told(directory, &["mktree"], both.as_bytes());
    }
    let root = told(directory, &["mktree"], format!("040000 tree {tree}\tchart\n").as_bytes());
    told(directory, &["commit-tree", &root, "-m", "doubled"], b"")
}

fn user(directory: &Path) {
    git(directory, &["config", "user.name", "a"]);
    git(directory, &["config", "user.email", "a@example.com"]);
}

#[test]
fn trees_that_double_at_every_level_are_not_read_to_their_end() {
    let dir = repository();
    user(dir.path());
    let blob = told(dir.path(), &["hash-object", "-w", "--stdin"], b"x");
    let leaf = format!("100644 blob {blob}\tx.yaml\n");
    let nothing = format!("160000 commit {}\tmodule\n", "1".repeat(40));
    for (levels, leaf) in [(30, leaf.as_str()), (40, ""), (50, nothing.as_str())] {
        let commit = doubled(dir.path(), levels, leaf);
        let tree = SourceTree::open_commit(dir.path(), &commit).expect("a commit");
        let refused = tree.directory("chart").expect_err("too much").to_string();
        assert!(refused.contains("more than"), "{refused}");
        let refused = tree.glob("chart/**/*.yaml").map_or_else(|error| error.to_string(), |found| format!("{found:?}"));
        assert!(refused.contains("more than"), "{refused}");
        // What it changed is not looked for either.
        let other = told(dir.path(), &["commit-tree", &format!("{commit}^{{tree}}"), "-p", "HEAD", "-m", "x"], b"");
        assert_eq!(tree.commit_changes(&other), None);
    }
    let twin = doubled(dir.path(), 6, &leaf);
    let tree = SourceTree::open_commit(dir.path(), &twin).expect("a commit");
    assert_eq!(tree.directory("chart").expect("read").len(), 64);
    assert_eq!(tree.glob("chart/**/*.yaml").expect("found").len(), 64);
}

#[test]
fn a_checkout_whose_commit_doubles_at_every_level_is_not_held_against_it() {
    let dir = repository();
    user(dir.path());
    let commit = doubled(dir.path(), 40, "");
    git(dir.path(), &["update-ref", "HEAD", &commit]);
    let refused = SourceTree::open_directory(dir.path()).expect_err("too much").to_string();
    assert!(refused.contains("steps"), "{refused}");
}

#[test]
fn changes_are_seen_whether_or_not_the_index_knows_its_tree() {
    let dir = repository();
    let dirty = || SourceTree::open_directory(dir.path()).expect("opened").revision().is_dirty();
    assert!(!dirty());
    write(dir.path(), "staged.yaml", "a: 1\n");
    git(dir.path(), &["add", "staged.yaml"]);
    assert!(dirty(), "staged");
    git(dir.path(), &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "staged"]);
    assert!(!dirty(), "committed");
    git(dir.path(), &["rm", "-q", "--cached", "staged.yaml"]);
    std::fs::remove_file(dir.path().join("staged.yaml")).expect("removed");
    assert!(dirty(), "taken out of the index");
    git(dir.path(), &["reset", "-q", "--hard"]);
    git(dir.path(), &["checkout", "-q", "HEAD~1"]);
    assert!(!dirty(), "an older commit");
    write(dir.path(), "new.yaml", "a: 1\n");
    assert!(dirty(), "untracked");
}

#[test]
fn one_large_blob_under_many_names_counts_as_often_as_it_is_named() {
    let dir = repository();
    user(dir.path());
    let blob = told(dir.path(), &["hash-object", "-w", "--stdin"], &vec![0; 60 << 20]);
    let commit = |names: usize| {
        let entries: String = (0..names).map(|at| format!("100644 blob {blob}\tf{at:03}\n")).collect();
        let chart = told(dir.path(), &["mktree"], entries.as_bytes());
        let root = told(dir.path(), &["mktree"], format!("040000 tree {chart}\tchart\n").as_bytes());
        told(dir.path(), &["commit-tree", &root, "-m", "large"], b"")
    };
    let read = |commit: &str| SourceTree::open_commit(dir.path(), commit).expect("a commit").directory("chart");
    let refused = read(&commit(200)).expect_err("too much").to_string();
    assert!(refused.contains("256 MiB"), "{refused}");
    assert_eq!(read(&commit(1)).expect("read").len(), 1);
    let larger = told(dir.path(), &["hash-object", "-w", "--stdin"], &vec![0; 101 << 20]);
    let chart = told(dir.path(), &["mktree"], format!("100644 blob {larger}\tf\n").as_bytes());
    let root = told(dir.path(), &["mktree"], format!("040000 tree {chart}\tchart\n").as_bytes());
    let commit = told(dir.path(), &["commit-tree", &root, "-m", "larger"], b"");
    assert!(read(&commit).expect_err("too much").to_string().contains("at most 104857600 are read"));
}

#[test]
fn links_that_double_at_every_level_are_not_followed_to_their_end() {
    let link = |directory: &Path, levels: usize| {
        let level = |at: usize| directory.join(format!("chart/l{at:02}"));
        for at in 0..levels {
            std::fs::create_dir_all(level(at)).expect("made");
            for name in ["a", "b"] {
                std::os::unix::fs::symlink(format!("../l{:02}", at + 1), level(at).join(name)).expect("linked");
            }
        }
        std::fs::create_dir_all(level(levels)).expect("made");
        write(&level(levels), "x.yaml", "a: 1\n");
    };
    for committed in [false, true] {
        let dir = repository();
        user(dir.path());
        link(dir.path(), 30);
        let tree = if committed {
            git(dir.path(), &["add", "-A"]);
            git(dir.path(), &["commit", "-qm", "links"]);
            SourceTree::open_commit(dir.path(), "HEAD").expect("a commit")
        } else {
            SourceTree::open_directory(dir.path()).expect("a clone")
        };
        let refused = tree.directory("chart").expect_err("too much").to_string();
        assert!(refused.contains("more than"), "{refused}");
        let refused = tree.glob("chart/**/*.yaml").map_or_else(|error| error.to_string(), |found| format!("{found:?}"));
        assert!(refused.contains("more than"), "{refused}");
        let twin = repository();
        link(twin.path(), 3);
        let tree = SourceTree::open_directory(twin.path()).expect("a clone");
        // Eight ways from the first level on, four from the second, two, one.
        assert_eq!(
            tree.directory("chart").expect("read").iter().filter(|(path, _)| path.ends_with("x.yaml")).count(),
            15
        );
    }
}

#[test]
fn a_link_to_what_has_no_end_is_not_read() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "chart/Chart.yaml", "name: web\n");
    let pipe = dir.path().join("chart/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    std::os::unix::fs::symlink("pipe", dir.path().join("chart/link")).expect("linked");
    let tree = SourceTree::open_directory(dir.path()).expect("opened");
    assert_eq!(tree.directory("chart").expect("read").len(), 1);
}

/// A server that answers every request with the beginning of an answer, and then with a byte now and then.
fn dripping(beginning: &'static [u8], drop: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut request = [0; 1024];
                let _asked = stream.read(&mut request);
                let _gone = stream.write_all(beginning);
                while stream.write_all(drop).is_ok() {
                    std::thread::park_timeout(Duration::from_millis(20));
                }
            });
        }
    });
    format!("http://{address}/index.yaml")
}

#[tokio::test]
async fn a_server_that_drips_is_given_up() {
    let client = Network::default().client(Access { patience: Some(Duration::from_millis(300)), ..Access::default() });
    for (beginning, drop) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"[..], &b"a"[..]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", b"a"),
    ] {
        let url = dripping(beginning, drop);
        let refused = client.get(&url, &url, 1 << 30).await.expect_err("given up").to_string();
        assert!(refused.contains("context deadline exceeded"), "{refused}");
    }
    let url = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole", b"");
    assert_eq!(client.get(&url, &url, 1 << 30).await.expect("all of it"), b"whole");
}

#[test]
fn an_index_of_many_charts_is_read() {
    use std::fmt::Write as _;
    let mut text = String::from("apiVersion: v1\nentries:\n");
    for chart in 0..200 {
        let _infallible = writeln!(text, "  chart-{chart}:");
        for version in 0..50 {
            let _infallible = writeln!(
                text,
                "  - apiVersion: v2\n    created: \"2026-01-01T00:00:00Z\"\n    description: A chart\n    name: chart-{chart}\n    urls:\n    - https://charts.example/chart-{chart}-1.{version}.0.tgz\n    version: 1.{version}.0"
            );
        }
    }
    let index = Index::parse(text.as_bytes()).expect("an index");
    assert_eq!(index.names().count(), 200);
    assert_eq!(index.find("chart-7", "~1.4").expect("found").version, "1.4.0");
    assert!(index.has_url("https://charts.example/chart-199-1.49.0.tgz"));
}

#[test]
fn a_git_server_that_drips_is_given_up_and_leaves_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let patience = Some(Duration::from_millis(400));
    for (beginning, drop) in [
        (&b""[..], &b""[..]),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\
              Content-Length: 100000000\r\n\r\nff00",
            b"0",
        ),
    ] {
        let url = dripping(beginning, drop).replace("/index.yaml", "/shop.git");
        let remote = RemoteRef::parse(&url).expect("an address");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let network = Network::default();
        let fetched = runtime.block_on(fetch_repository(&network, &remote, directory.path(), patience));
        let refused = fetched.expect_err("given up").to_string();
        assert!(refused.contains("nothing came for"), "{refused}");
        assert_eq!(std::fs::read_dir(directory.path()).expect("read").count(), 0);
    }
    // Nobody waits for threads that the servers hold.
    runtime.shutdown_background();
}

#[tokio::test]
async fn an_object_that_is_too_large_is_not_fetched() {
    let origin = tempfile::tempdir().expect("a temporary directory");
    git(origin.path(), &["init", "-qb", "main"]);
    // It packs to a thousandth of its size.
    std::fs::write(origin.path().join("zeros"), vec![0; (100 << 20) + 1]).expect("written");
    git(origin.path(), &["add", "."]);
    git(origin.path(), &["commit", "-qm", "zeros"]);
    let into = tempfile::tempdir().expect("a temporary directory");
    let remote = RemoteRef::parse(&format!("file://{}", origin.path().display())).expect("an address");
    let fetched = fetch_repository(&Network::default(), &remote, into.path(), None)
        .await
        .and_then(|fetched| SourceTree::open_fetched(fetched, "main"))
        .and_then(|tree| tree.read("zeros"));
    let refused = fetched.expect_err("it is too large").to_string();
    assert!(
        refused.contains("zeros") || refused.to_lowercase().contains("alloc") || refused.contains("large"),
        "{refused}"
    );
}
