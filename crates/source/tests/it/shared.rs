//! What a server does with this room: many fetches at once, over few connections, on threads that others use, too.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use landfall_source::{
    Access, ChartUpload, Credentials, Network, Order, Reference, Registry, RemoteCharts, RemoteRef, Scheme, SourceTree,
    aside, fetch_archive, fetch_index, fetch_repository, find_in_repository, schema_document,
};

fn is_send<T: Send>(_: &T) {}

fn is_shared<T: Send + Sync>(_: &T) {}

/// Every operation that waits is written here; one whose future is not `Send` does not compile.
#[tokio::test]
async fn whatever_waits_may_be_waited_for_on_any_thread() {
    let network = Network::default();
    let client = network.client(Access::default());
    let registry = Registry::new(client.clone(), Credentials::default(), Scheme::Either);
    let (credentials, charts) = (Credentials::default(), RemoteCharts::default());
    let reference = Reference::parse("oci://h/a:1").expect("a reference");
    let remote = RemoteRef::parse("https://h/a.git").expect("an address");
    let (annotations, order) = (BTreeMap::new(), Order::new("git", ["version"]));
    let upload = ChartUpload { config: b"", chart: b"", provenance: None, annotations: &annotations };
    is_shared(&(&network, &client, &registry, &credentials, &charts, &order));
    let tree = SourceTree::open_directory(Path::new(".")).expect("a directory");
    is_shared(&(&tree, SourceTree::open_commit(Path::new("."), "HEAD")));
    is_send(&client.get("", "", 0));
    is_send(&client.send(Default::default(), "", Default::default(), Vec::new(), 0));
    is_send(&fetch_index("", &client));
    is_send(&find_in_repository("", "", "", &client));
    is_send(&fetch_archive("", "", "", &client));
    is_send(&charts.fetch("", "", ""));
    is_send(&registry.login(""));
    is_send(&registry.versions(&reference));
    is_send(&registry.choose(&reference, ""));
    is_send(&registry.pull(&reference));
    is_send(&registry.push(&reference, &upload));
    is_send(&registry.image(&reference));
    is_send(&credentials.find(""));
    is_send(&credentials.keep("", "", ""));
    is_send(&credentials.forget(""));
    is_send(&fetch_repository(&network, &remote, Path::new(""), None));
    is_send(&schema_document(&network, ""));
    is_send(&order.run());
    is_send(&order.said());
    is_send(&aside(|| SourceTree::open_directory(Path::new("."))));
}

/// A server that keeps connections and answers a little later; counts them, and how many requests it had at once.
struct Crowded {
    address: String,
    connections: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Crowded {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/", listener.local_addr().expect("an address"));
        let (connections, most, now) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (counted, high) = (Arc::clone(&connections), Arc::clone(&most));
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                counted.fetch_add(1, Ordering::SeqCst);
                let (high, now) = (Arc::clone(&high), Arc::clone(&now));
                std::thread::spawn(move || {
                    let mut request = [0; 4096];
                    while stream.read(&mut request).is_ok_and(|count| count > 0) {
                        high.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::park_timeout(Duration::from_millis(20));
                        now.fetch_sub(1, Ordering::SeqCst);
                        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole").is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Crowded { address, connections, most }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_fetches_use_few_connections_and_all_are_answered() {
    let (server, network) = (Crowded::start(), Network::default());
    let fetches = (0..64).map(|_| {
        let (client, url) = (network.client(Access::default()), server.address.clone());
        tokio::spawn(async move { client.get(&url, &url, 10).await })
    });
    for fetched in futures::future::join_all(fetches).await {
        assert_eq!(fetched.expect("it ran").expect("it was answered"), b"whole");
    }
    let (most, connections) = (server.most.load(Ordering::SeqCst), server.connections.load(Ordering::SeqCst));
    assert!((2..=8).contains(&most), "{most} at once");
    assert!(connections < 64, "{connections} connections for 64 requests");
    let before = connections;
    network.client(Access::default()).get(&server.address, &server.address, 10).await.expect("answered");
    assert_eq!(server.connections.load(Ordering::SeqCst), before, "a client of its own has no connections of its own");
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_ends_and_leaves_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let remote = RemoteRef::parse(&format!("http://{}/a.git", listener.local_addr().expect("an address")));
    let remote = remote.expect("an address");
    let (asked, mut hears) = tokio::sync::mpsc::channel(1);
    let (go, gone) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let _asked = stream.read(&mut [0; 1024]);
        asked.blocking_send(()).expect("it is listened to");
        // Until the other side has let go of it.
        let _dropped = gone.recv();
        drop(stream);
        asked.blocking_send(()).expect("it is listened to");
    });
    let directory = tempfile::tempdir().expect("a directory");
    let begun = || std::fs::read_dir(directory.path()).expect("read").count();
    let network = Network::default();
    tokio::select! {
        fetched = fetch_repository(&network, &remote, directory.path(), Some(Duration::from_secs(60))) => {
            unreachable!("nobody answered: {fetched:?}")
        }
        seen = async { hears.recv().await.map(|()| begun()) } => assert_eq!(seen, Some(2), "its place and the lock"),
    }
    go.send(()).expect("the server waits");
    hears.recv().await.expect("the connection has ended");
    // The thread that read from it removes what it has made.
    let emptied = async {
        while begun() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), emptied).await.expect("nothing is left");
}

#[test]
fn a_tree_is_read_by_any_thread() {
    let place = tempfile::tempdir().expect("a directory");
    crate::git(place.path(), &["init", "-qb", "main"]);
    for file in ["a", "b", "c", "d", "e", "f"] {
        crate::write(place.path(), file, file);
        crate::git(place.path(), &["add", "."]);
        crate::git(place.path(), &["commit", "-qm", file]);
    }
    // More than a thread keeps open at once.
    let trees: Vec<SourceTree> = ["HEAD~5", "HEAD~4", "HEAD~3", "HEAD~2", "HEAD~1", "HEAD"]
        .map(|revision| SourceTree::open_commit(place.path(), revision).expect("opened"))
        .into_iter()
        .chain([SourceTree::open_directory(place.path()).expect("opened")])
        .collect();
    let names = || -> Vec<usize> { trees.iter().map(|tree| tree.entries("").expect("read").len()).collect() };
    let read = || -> Vec<_> { trees.iter().map(|tree| tree.read("a").expect("read").expect("there")).collect() };
    assert_eq!(names(), [1, 2, 3, 4, 5, 6, 6]);
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..3).map(|_| scope.spawn(|| (names(), read()))).collect();
        for other in others {
            assert_eq!(other.join().expect("it ran"), (names(), vec![b"a".to_vec(); 7]));
        }
    });
    let (told, commit) = (trees[6].line_commit("a", 1), trees[0].revision().to_string());
    assert_eq!(told.expect("committed").sha, commit);
}
