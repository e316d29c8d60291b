use landfall_drydock::{Cluster, Options, Storage};

use crate::api::{Api, MAPS, map, options};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let directory = tempfile::tempdir().expect("a directory");
    let open = || async {
        let storage = Storage::Sqlite(directory.path().join("cluster.db"));
        Api(Cluster::open(Options { storage, ..options() }).await.expect("opens"))
    };
    let api = open().await;
    let a = api.post(MAPS, map("a")).await.expect(201);
    api.post(MAPS, map("b")).await.expect(201);
    api.delete(&format!("{MAPS}/b")).await.expect(200);
    let (token, authority) = (api.0.token().to_owned(), api.0.authority().to_owned());
    let version = api.0.with_world(|world| world.version());
    api.0.stop();
    drop(api);

    let api = open().await;
    assert_eq!(api.get(&format!("{MAPS}/a")).await.expect(200), a);
    assert_eq!(api.get(&format!("{MAPS}/b")).await.code, 404);
    assert_eq!((api.0.token(), api.0.authority()), (token.as_str(), authority.as_str()));
    let next = api.post(MAPS, map("c")).await.expect(201);
    let next: u64 = next["metadata"]["resourceVersion"].as_str().expect("text").parse().expect("a number");
    assert_eq!(next, version + 1);
    // A watch goes on from before the restart.
    let events = api.0.with_world(|world| {
        let from = a["metadata"]["resourceVersion"].as_str().expect("text").parse().expect("a number");
        world.events_since(from).expect("kept").map(|event| event.object_ref.name.clone()).collect::<Vec<_>>()
    });
    assert_eq!(events, ["b", "b", "c"]);
}

#[tokio::test]
async fn a_fork_goes_its_own_way() {
    let api = Api::open().await;
    api.post(MAPS, map("a")).await.expect(201);
    let fork = Api(api.0.fork(landfall_drydock::ForkClock::Same));
    fork.delete(&format!("{MAPS}/a")).await.expect(200);
    fork.post(MAPS, map("b")).await.expect(201);
    api.get(&format!("{MAPS}/a")).await.expect(200);
    assert_eq!(api.get(&format!("{MAPS}/b")).await.code, 404);
}
