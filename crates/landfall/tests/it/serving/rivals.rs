//! Two servers of one cluster that share no database: one of them keeps its Applications.

use std::time::{Duration, Instant};

use landfall_cluster::Cluster;
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::Value;

use super::{AUTOMATED, Forge, SHOP, Server, application, is_synced};

fn lease() -> ObjectKey {
    ObjectKey::new(Gvk::new("coordination.k8s.io", "v1", "Lease"), Some("argocd"), "landfall-server")
}

fn holder(lease: &Object) -> String {
    lease.str_at("/spec/holderIdentity").unwrap_or_default().to_owned()
}

/// A server of the cluster that runs already, with a state of its own.
fn beside(forge: &Forge, state: &str, targets: &[&str]) -> Server {
    with_variables(forge, (state, targets), &[])
}

fn with_variables(forge: &Forge, (state, targets): (&str, &[&str]), variables: &[(&str, &str)]) -> Server {
    let place = ["--kubeconfig", ".landfall/kubeconfig", "--yes", "--state", state];
    forge.serve(&[targets, &place].concat(), SHOP, variables)
}

/// Waits until a server says whether it stands back.
#[track_caller]
fn stands_back(forge: &Forge, (server, state): (&Server, &str), wanted: bool) {
    let serving = std::fs::read_to_string(forge.sandbox.root().join(state).join("serve.json")).expect("it says where");
    let serving: Value = serde_json::from_str(&serving).expect("JSON");
    let bearer = format!("Bearer {}", serving["token"].as_str().expect("a token"));
    let deadline = Instant::now() + Duration::from_secs(30);
    let line = format!("landfall_stands_back {}", u8::from(wanted));
    loop {
        let (_, metrics) = server.ask("GET", "/metrics", &[("Authorization", &bearer)], "");
        if metrics.contains(&line) {
            return;
        }
        assert!(Instant::now() < deadline, "{metrics}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The commits that were delivered, one after the other.
fn delivered(server: &Server, cluster: &Cluster) -> Vec<String> {
    let application = server.get(cluster, &application("shop")).expect("there");
    let history = application.list_at("/status/history").iter();
    let mut all: Vec<String> = history.filter_map(|it| it["revision"].as_str().map(str::to_owned)).collect();
    all.dedup();
    all
}

/// Both had written: each its own commit over the other's, as it came to poll.
#[test]
fn of_two_servers_of_one_cluster_one_keeps_it_and_the_other_goes_on_when_that_ends_or_is_killed() {
    let forge = Forge::shop(AUTOMATED);
    let first = forge.push();
    forge.sandbox.run(&["cluster", "start"]).exits(0);
    let one = beside(&forge, "one", &["apps"]);
    let (cluster, key) = (one.cluster(), application("shop"));
    one.until(&cluster, &key, |it| is_synced(it, &first));
    let name = holder(&one.until(&cluster, &lease(), |it| !holder(it).is_empty()));
    let two = beside(&forge, "two", &[]);
    stands_back(&forge, (&two, "two"), true);
    let second = forge.change("chart/values.yaml", "replicas: 1", "replicas: 2");
    one.until(&cluster, &key, |it| is_synced(it, &second));
    assert_eq!(delivered(&one, &cluster), [first.clone(), second.clone()]);

    // It is killed, and was started again: with the same state it goes on at once.
    drop((one, cluster));
    let one = beside(&forge, "one", &[]);
    stands_back(&forge, (&one, "one"), false);
    let cluster = one.cluster();
    assert_eq!(one.get(&cluster, &lease()).map(|it| holder(&it)), Some(name.clone()));
    stands_back(&forge, (&two, "two"), true);

    // It is killed for good: the other one goes on when the lease has run out.
    drop((one, cluster));
    let cluster = two.cluster();
    let other = holder(&two.until(&cluster, &lease(), |it| !holder(it).is_empty() && holder(it) != name));
    stands_back(&forge, (&two, "two"), false);
    let third = forge.change("chart/values.yaml", "replicas: 2", "replicas: 3");
    two.until(&cluster, &key, |it| is_synced(it, &third));

    // It ends as it is told, and the lease is free at once.
    let one = beside(&forge, "one", &[]);
    stands_back(&forge, (&one, "one"), true);
    let began = Instant::now();
    drop(cluster);
    let (code, ..) = two.terminate();
    assert_eq!(code, Some(0));
    let cluster = one.cluster();
    one.until(&cluster, &lease(), |it| holder(it) == name && holder(it) != other);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    stands_back(&forge, (&one, "one"), false);
    let fourth = forge.change("chart/values.yaml", "replicas: 3", "replicas: 1");
    one.until(&cluster, &key, |it| is_synced(it, &fourth));
    assert_eq!(delivered(&one, &cluster), [first, second, third, fourth], "none is gone back from");
}

/// They did not know of each other: the one without a database delivered beside those that share one.
#[test]
#[ignore = "wants PostgreSQL: conformance database -- cargo test -- --ignored postgres"]
fn postgres_servers_that_share_a_database_and_one_that_does_not_stand_back_for_each_other() {
    let url = std::env::var("LANDFALL_TEST_DATABASE").expect("LANDFALL_TEST_DATABASE names a server of PostgreSQL");
    let forge = Forge::shop(AUTOMATED);
    let first = forge.push();
    forge.sandbox.run(&["cluster", "start"]).exits(0);
    let replica = |state: &str| with_variables(&forge, (state, &["apps"]), &[("LANDFALL_DATABASE", &url)]);
    let (one, two) = (replica("one"), replica("two"));
    let (cluster, key) = (one.cluster(), application("shop"));
    one.until(&cluster, &key, |it| is_synced(it, &first));
    let name = holder(&one.until(&cluster, &lease(), |it| !holder(it).is_empty()));
    let alone = beside(&forge, "alone", &[]);
    stands_back(&forge, (&alone, "alone"), true);
    stands_back(&forge, (&one, "one"), false);

    // One of them ends: the other one has it still.
    drop(cluster);
    assert_eq!(one.terminate().0, Some(0));
    let cluster = two.cluster();
    let second = forge.change("chart/values.yaml", "replicas: 1", "replicas: 2");
    two.until(&cluster, &key, |it| is_synced(it, &second));
    assert_eq!(two.get(&cluster, &lease()).map(|it| holder(&it)), Some(name.clone()));
    stands_back(&forge, (&alone, "alone"), true);

    // All of them are gone: the one without goes on, and whoever of them comes back looks on.
    drop((two, cluster));
    let cluster = alone.cluster();
    alone.until(&cluster, &lease(), |it| !holder(it).is_empty() && holder(it) != name);
    let third = forge.change("chart/values.yaml", "replicas: 2", "replicas: 3");
    alone.until(&cluster, &key, |it| is_synced(it, &third));
    let one = replica("one");
    stands_back(&forge, (&one, "one"), true);
    drop(cluster);
    assert_eq!(alone.terminate().0, Some(0));
    stands_back(&forge, (&one, "one"), false);
    let fourth = forge.change("chart/values.yaml", "replicas: 3", "replicas: 1");
    let cluster = one.cluster();
    one.until(&cluster, &key, |it| is_synced(it, &fourth));
    assert_eq!(delivered(&one, &cluster), [first, second, third, fourth], "none is gone back from");
}
