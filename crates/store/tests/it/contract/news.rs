use landfall_store::{News, NewsItem, Pool};
use serde_json::json;

fn item(change: &str) -> NewsItem {
    NewsItem {
        change: change.to_owned(),
        at: "2026-01-01T00:00:00Z".to_owned(),
        kind: "failed".to_owned(),
        target: "argocd/shop".to_owned(),
        body: json!({"title": "shop has failed"}),
    }
}

pub(crate) async fn a_change_is_taken_once_and_each_post_of_it_ends_once(pool: &Pool) {
    let news = News::over(pool);
    let sinks = ["mail".to_owned(), "slack".to_owned()];
    assert!(news.add(&item("a"), &sinks).await.expect("written"));
    // Who posts them hears of it, through a clone as well.
    let posts = news.clone();
    tokio::time::timeout(std::time::Duration::from_secs(9), posts.written()).await.expect("told");
    assert!(!news.add(&item("a"), &sinks).await.expect("written"), "it stands there already");
    assert!(news.add(&item("b"), &sinks[1..]).await.expect("written"));
    assert!(news.add(&item("c"), &[]).await.expect("written"), "also what nobody is told");
    let due = |now: i64| {
        let news = news.clone();
        async move {
            let due = news.due(now, 9).await.expect("read");
            due.into_iter().map(|it| (it.row.number, it.sink, it.tries)).collect::<Vec<_>>()
        }
    };
    let (mail, slack) = (|tries| (1, "mail".to_owned(), tries), |number| (number, "slack".to_owned(), 0));
    assert_eq!(due(0).await, [mail(0), slack(1)], "the second about the same waits for the first");
    news.again(1, "mail", 500, "nobody answers").await.expect("written");
    assert_eq!(due(499).await, [slack(1)]);
    assert!(news.is_overtaken(1, "slack").await.expect("read") && !news.is_overtaken(1, "mail").await.expect("read"));
    news.end(1, "slack", "now", None).await.expect("written");
    assert_eq!(due(499).await, [slack(2)]);
    news.end(2, "slack", "now", Some("given up")).await.expect("written");
    assert_eq!(news.next_due().await.expect("read"), Some(500));
    assert_eq!(due(500).await, [mail(1)]);
    news.end(1, "mail", "now", None).await.expect("written");
    news.again(1, "mail", 0, "late").await.expect("nothing to write");
    assert_eq!((due(i64::MAX).await, news.next_due().await.expect("read")), (vec![], None));
    let newest = news.newest(Some("argocd/shop"), 2).await.expect("read");
    assert_eq!(newest.iter().map(|row| row.item.change.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    assert_eq!(newest[1].item, item("b"));
    assert!(news.newest(Some("argocd/other"), 2).await.expect("read").is_empty());
    assert_eq!(news.newest(None, 9).await.expect("read").len(), 3);
    // What somebody tells at once is told from here only where that one did not end it.
    assert_eq!(news.add_due(&item("d"), &sinks[..1], 700).await.expect("written"), Some(4));
    assert_eq!(news.add_due(&item("d"), &sinks[..1], 700).await.expect("written"), None);
    assert_eq!((due(699).await, due(700).await), (vec![], vec![(4, "mail".to_owned(), 0)]));
    // What waits for its next try is tried again with what comes behind it.
    news.again(4, "mail", 9000, "nobody answers").await.expect("written");
    assert!(news.add(&item("e"), &sinks[..1]).await.expect("written"));
    assert_eq!(due(1).await, [(4, "mail".to_owned(), 1)]);
    news.again(4, "mail", 9000, "nobody answers").await.expect("written");
    assert_eq!((due(1).await, news.next_due().await.expect("read")), (vec![], Some(9000)), "nobody overtakes it");
    let other = NewsItem { target: "argocd/other".to_owned(), ..item("f") };
    assert!(news.add(&other, &sinks[..1]).await.expect("written"));
    assert_eq!(due(1).await, [(6, "mail".to_owned(), 0)], "what is about another waits for nothing");
}
