use landfall_store::{ClusterBatch, ClusterEventRow, ClusterObjectRow, ClusterState, Pool};

pub(crate) async fn a_cluster_batch_is_written_whole_and_read_back(pool: &Pool) {
    let cluster = ClusterState::over(pool);
    let put: Vec<_> = (0..1000)
        .map(|n| ClusterObjectRow { key: format!("k{n:04}"), revision: n, body: format!("v{n}").into_bytes() })
        .collect();
    let events = (0..1000).map(|n| ClusterEventRow { revision: n, body: vec![1] }).collect();
    let meta = vec![("rv".to_owned(), "1000".to_owned())];
    cluster.write(&ClusterBatch { put, events, meta, ..Default::default() }).await.expect("writes");
    let batch = ClusterBatch {
        put: vec![ClusterObjectRow { key: "k0001".into(), revision: 1001, body: b"new".to_vec() }],
        delete: (0..500).map(|n| format!("k{:04}", n * 2)).collect(),
        forget_events_to: Some(989),
        ..Default::default()
    };
    cluster.write(&batch).await.expect("writes");
    let state = cluster.read().await.expect("reads");
    assert_eq!(state.objects.len(), 500);
    assert_eq!(state.objects[0].body, b"new");
    assert_eq!(state.events.len(), 10);
    assert_eq!(state.meta["rv"], "1000");
    cluster.clear().await.expect("clears");
    assert!(cluster.read().await.expect("reads").objects.is_empty());
}
