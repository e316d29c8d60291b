//! Repositories that somebody else wrote: nothing they say is run, and nothing outside them is read.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use landfall_source::{Network, NetworkReach, RemoteCharts, SourceTree, fetch_repository};

use crate::{git, repository, write};

/// A configuration that runs `touch RAN` wherever git would ask one of its programs.
fn hostile_configuration(marker: &Path) -> String {
    let touch = format!("touch '{}' && cat", marker.display());
    format!(
        "[filter \"evil\"]\n\tclean = {touch}\n\tsmudge = {touch}\n\tprocess = {touch}\n\trequired = true\n[core]\n\tfsmonitor = {touch}\n\tsshCommand = {touch}\n\thooksPath = hooks\n\teditor = {touch}\n[diff \"evil\"]\n\ttextconv = {touch}\n[credential]\n\thelper = !{touch}\n"
    )
}

#[test]
fn filters_monitors_and_helpers_of_a_clones_own_configuration_do_not_run() {
    let dir = repository();
    let marker = dir.path().join("../landfall-ran").with_file_name(format!("ran-{}", std::process::id()));
    write(dir.path(), ".gitattributes", "* filter=evil diff=evil\n");
    git(dir.path(), &["add", "-A"]);
    git(dir.path(), &["commit", "-qm", "attributes"]);
    let config = dir.path().join(".git/config");
    let text = std::fs::read_to_string(&config).expect("there");
    std::fs::write(&config, format!("{text}{}", hostile_configuration(&marker))).expect("written");
    write(dir.path(), "chart/values.yaml", "changed: true\n");
    write(dir.path(), "chart/Chart.yaml", "name: wob\n");
    let tree = SourceTree::open_directory(dir.path()).expect("opened");
    assert!(tree.revision().is_dirty());
    assert_eq!(tree.directory("chart").expect("read").len(), 3);
    SourceTree::open_commit(dir.path(), "HEAD").expect("opened").directory("chart").expect("read");
    assert!(!marker.exists(), "a program of the repository's ran");
}

#[test]
fn a_directory_that_looks_like_a_bare_repository_is_not_taken_for_one() {
    let dir = repository();
    let marker = dir.path().join("ran");
    let lure = dir.path().join("chart");
    std::fs::create_dir_all(lure.join("objects")).expect("made");
    std::fs::create_dir_all(lure.join("refs")).expect("made");
    write(&lure, "HEAD", "ref: refs/heads/main\n");
    write(&lure, "config", &format!("[core]\n\tworktree = ..\n\tbare = false\n{}", hostile_configuration(&marker)));
    let tree = SourceTree::open_directory(&lure).expect("opened");
    assert_eq!(
        tree.directory_on_disk(),
        Some(dir.path().canonicalize().expect("there").as_path()),
        "the clone around it"
    );
    assert!(tree.revision().sha().is_some());
    assert!(!marker.exists());
}

#[test]
fn a_configured_working_tree_elsewhere_is_not_read() {
    let outside = tempfile::tempdir().expect("a directory");
    write(outside.path(), "chart/secret.yaml", "password: x\n");
    let dir = repository();
    git(dir.path(), &["config", "core.worktree", &outside.path().display().to_string()]);
    let tree = SourceTree::open_directory(dir.path()).expect("opened");
    assert_eq!(tree.directory_on_disk(), Some(dir.path().canonicalize().expect("there").as_path()));
    assert_eq!(tree.read("chart/secret.yaml").expect("looked for"), None);
}

#[tokio::test]
async fn an_ordinary_clone_has_its_origin_and_a_named_bare_repository_is_read() {
    let dir = repository();
    git(dir.path(), &["remote", "add", "origin", "https://git.example.com/shop/shop.git"]);
    let tree = SourceTree::open_directory(&dir.path().join("chart")).expect("opened");
    assert_eq!(tree.origin().as_deref(), Some("https://git.example.com/shop/shop.git"));
    let bare = tempfile::tempdir().expect("a directory");
    let at = bare.path().join("shop.git");
    git(dir.path(), &["clone", "-q", "--bare", ".", &at.display().to_string()]);
    assert!(SourceTree::open_commit(&at, "HEAD").expect("opened").is_directory("chart"));
    let remote = landfall_source::RemoteRef::parse(&format!("file://{}", at.display())).expect("an address");
    let below = bare.path().join("fetched");
    let fetched = fetch_repository(&Network::default(), &remote, &below, None).await.expect("fetched");
    assert!(SourceTree::open_fetched(fetched, "HEAD").expect("opened").is_directory("chart"));
}

#[cfg(unix)]
#[test]
fn what_git_keeps_for_itself_is_no_file_of_the_tree_by_any_way() {
    let dir = repository();
    std::os::unix::fs::symlink("../.git/config", dir.path().join("chart/leak")).expect("linked");
    let tree = SourceTree::open_directory(dir.path()).expect("opened");
    let told = tree.directory("chart").expect_err("refused").to_string();
    assert!(told.contains(".git/config"), "{told}");
    assert!(tree.read("chart/leak").is_err() && tree.read(".git/config").is_err());
    std::fs::remove_file(dir.path().join("chart/leak")).expect("removed");
    // A link to a file of the tree is followed.
    write(dir.path(), "shared/values.yaml", "a: 1\n");
    std::os::unix::fs::symlink("../shared/values.yaml", dir.path().join("chart/values.yaml")).expect("linked");
    let tree = SourceTree::open_directory(dir.path()).expect("opened");
    assert_eq!(tree.directory("chart").expect("read").get("values.yaml").map(|bytes| &bytes[..]), Some(&b"a: 1\n"[..]));
}

/// Where this process may give files away, a clone of another user's is read like one's own.
#[cfg(unix)]
#[test]
fn it_does_not_matter_who_owns_a_clone() {
    let dir = repository();
    let mut files = vec![dir.path().to_owned()];
    while let Some(path) = files.pop() {
        if std::os::unix::fs::chown(&path, Some(12345), Some(12345)).is_err() {
            return;
        }
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).expect("listed").map(|entry| entry.expect("an entry").path()));
        }
    }
    let tree = SourceTree::open_directory(dir.path()).expect("opened");
    assert!(!tree.revision().is_dirty() && tree.revision().sha().is_some());
}

#[test]
fn an_address_whose_host_would_be_an_option_is_none() {
    for address in
        ["ssh://-oProxyCommand=x/a.git", "-oProxyCommand=x@host:a", "git@-oProxyCommand=x:a", "ssh://git@-x/a"]
    {
        assert!(landfall_source::RemoteRef::parse(address).is_none(), "{address}");
    }
}

/// A server that gives an index of the chart `web` at these addresses; counts how often it is asked for something else.
fn index_of(listener: TcpListener, urls: &str) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let (counted, index) = (
        Arc::clone(&asked),
        format!("apiVersion: v1\nentries:\n  web: [{{name: web, version: 0.1.0, urls: [\"{urls}\"]}}]\n"),
    );
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or_default();
            let body = match String::from_utf8_lossy(&request[..read]).contains("/index.yaml") {
                true => index.as_str(),
                false => {
                    counted.fetch_add(1, Ordering::SeqCst);
                    "no archive"
                }
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _gone = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    asked
}

#[tokio::test]
async fn an_index_leads_no_further_than_somebody_may_whom_nobody_declared() {
    let listener = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("bound"));
    let inner = listener();
    let inside = address(&inner);
    let behind = index_of(inner, "web.tgz");
    let public = RemoteCharts { named_by_charts: NetworkReach::public(|_| false), ..RemoteCharts::default() };
    let ask = async |charts: &RemoteCharts, urls: &str| {
        let outer = listener();
        let repository = address(&outer);
        let own = index_of(outer, &urls.replace("OWN", &repository));
        let refused = charts.fetch(&repository, "web", "0.1.0").await.err().map(|error| error.to_string());
        (own.load(Ordering::SeqCst), refused.unwrap_or_default())
    };
    let away = format!("{inside}/secret.tgz");
    let (_, refused) = ask(&public, &away).await;
    assert!(behind.load(Ordering::SeqCst) == 0 && refused.contains("127.0.0.1"), "{refused}");
    let registry = format!("oci://{}/web:0.1.0", inside.trim_start_matches("http://"));
    ask(&public, &registry).await;
    assert_eq!(behind.load(Ordering::SeqCst), 0, "nor into a registry there");
    assert_eq!(ask(&public, "web.tgz").await.0, 1, "its own server is asked");
    assert_eq!(ask(&public, "OWN/web.tgz").await.0, 1);
    ask(&RemoteCharts::default(), &away).await;
    assert_eq!(behind.load(Ordering::SeqCst), 1, "somebody who types it may");
}
