use landfall_store::{OrderRow, Orders, PolicyRow, Pool};

pub(crate) async fn an_order_is_open_until_it_is_done_and_a_policy_takes_the_place_of_the_one_before(pool: &Pool) {
    let orders = Orders::over(pool);
    let order = |id: &str| OrderRow {
        id: id.to_owned(),
        application: "argocd/shop".to_owned(),
        uid: "u".to_owned(),
        digest: "00ff".to_owned(),
        actor: "sebastian".to_owned(),
        at: "2026-01-01T00:00:00Z".to_owned(),
    };
    orders.place(&order("a")).await.expect("placed");
    orders.place(&order("b")).await.expect("placed");
    assert!(orders.place(&order("a")).await.is_err(), "there is one of that name");
    orders.done(&["a".to_owned()], "then").await.expect("done");
    assert_eq!(orders.open().await.expect("read"), [order("b")]);
    assert!(orders.place(&order("a")).await.is_err(), "what is done is not asked for again");
    let policy = |digest: &str| PolicyRow {
        application: "argocd/shop".to_owned(),
        uid: "u".to_owned(),
        digest: digest.to_owned(),
        actor: "sebastian".to_owned(),
        at: "2026-01-01T00:00:00Z".to_owned(),
    };
    orders.set_policy(&policy("one")).await.expect("kept");
    orders.set_policy(&policy("two")).await.expect("kept");
    assert_eq!(orders.policies().await.expect("read"), [policy("two")]);
}
