use landfall_store::{AccountRow, Accounts, Pool, SessionRow};

fn account(name: &str) -> AccountRow {
    AccountRow {
        name: name.to_owned(),
        password: "slow".to_owned(),
        must_change: true,
        roles: vec!["role:owner".to_owned()],
        created_at: "2026-01-01T00:00:00Z".to_owned(),
        created_by: "anna".to_owned(),
        disabled_at: None,
        signed_in_at: None,
        failed: 0,
        closed_until: None,
    }
}

fn session(digest: &str, account: &str, ends_at: &str) -> SessionRow {
    SessionRow {
        digest: digest.to_owned(),
        account: account.to_owned(),
        issuer: String::new(),
        roles: vec!["team".to_owned()],
        began_at: "2026-01-01T00:00:00Z".to_owned(),
        ends_at: ends_at.to_owned(),
        used_at: "2026-01-01T00:00:00Z".to_owned(),
    }
}

pub(crate) async fn an_account_is_made_once_and_a_new_password_signs_everybody_out(pool: &Pool) {
    let accounts = Accounts::over(pool);
    assert!(accounts.create(&account("sebastian")).await.expect("made"));
    assert!(!accounts.create(&account("sebastian")).await.expect("looked"), "there is one");
    assert_eq!(accounts.find("sebastian").await.expect("read"), Some(account("sebastian")));
    assert!(accounts.create(&account("deploy")).await.expect("made"));
    assert_eq!(accounts.find("nobody").await.expect("read"), None);
    for (digest, of) in [("a", "sebastian"), ("b", "deploy")] {
        accounts.begin(&session(digest, of, "2026-01-02T00:00:00Z")).await.expect("begun");
    }
    let elsewhere = SessionRow { issuer: "https://id".to_owned(), ..session("c", "sebastian", "2026-01-02T00:00:00Z") };
    accounts.begin(&elsewhere).await.expect("begun");
    assert!(accounts.set_password("sebastian", "new", false).await.expect("set"));
    assert!(!accounts.set_password("nobody", "new", false).await.expect("looked"));
    assert_eq!(accounts.session("a").await.expect("read"), None, "signed in with the old one");
    assert!(accounts.session("b").await.expect("read").is_some(), "somebody else");
    assert!(accounts.session("c").await.expect("read").is_some(), "of an issuer that has its own passwords");
    assert!(accounts.disable("deploy", Some("then")).await.expect("disabled"));
    assert_eq!(accounts.session("b").await.expect("read"), None);
    assert!(!accounts.disable("nobody", None).await.expect("looked"));
    let kept = accounts.all().await.expect("read");
    let disabled = AccountRow { disabled_at: Some("then".to_owned()), ..account("deploy") };
    assert_eq!(kept, [disabled, AccountRow { password: "new".to_owned(), must_change: false, ..account("sebastian") }]);
}

pub(crate) async fn tries_are_counted_one_by_one_and_forgotten_when_one_succeeds(pool: &Pool) {
    let accounts = Accounts::over(pool);
    accounts.create(&account("sebastian")).await.expect("made");
    assert!(accounts.count_try("sebastian", 0, None).await.expect("counted"));
    assert!(!accounts.count_try("sebastian", 0, None).await.expect("looked"), "two at once are not one");
    assert!(accounts.count_try("sebastian", 1, Some("later")).await.expect("counted"));
    let row = accounts.find("sebastian").await.expect("read").expect("there");
    assert_eq!((row.failed, row.closed_until.as_deref()), (2, Some("later")));
    accounts.signed_in("sebastian", "now").await.expect("noted");
    let row = accounts.find("sebastian").await.expect("read").expect("there");
    assert_eq!((row.failed, row.closed_until, row.signed_in_at.as_deref()), (0, None, Some("now")));
}

pub(crate) async fn a_session_is_there_until_it_ends(pool: &Pool) {
    let accounts = Accounts::over(pool);
    accounts.begin(&session("old", "anna", "2025-12-31T00:00:00Z")).await.expect("begun");
    let good = session("good", "anna", "2026-01-02T00:00:00Z");
    accounts.begin(&good).await.expect("begun");
    assert_eq!(accounts.session("old").await.expect("read"), None, "it had ended");
    accounts.used("good", "2026-01-01T10:00:00Z").await.expect("noted");
    let used = SessionRow { used_at: "2026-01-01T10:00:00Z".to_owned(), ..good };
    assert_eq!(accounts.session("good").await.expect("read"), Some(used));
    accounts.end("good").await.expect("ended");
    assert_eq!(accounts.session("good").await.expect("read"), None);
}
