use landfall_store::{Pool, TokenRow, Tokens};

pub(crate) fn token(id: &str) -> TokenRow {
    TokenRow {
        id: id.to_owned(),
        name: "ci".to_owned(),
        digest: "00ff".to_owned(),
        scopes: vec!["read".to_owned(), "sync".to_owned()],
        projects: vec!["shop-*".to_owned()],
        paths: vec!["envs/test".to_owned()],
        role: "role:deployer".to_owned(),
        issued_at: format!("2026-01-01T00:00:0{id}Z"),
        issued_by: "anna".to_owned(),
        expires_at: Some("2027-01-01T00:00:00Z".to_owned()),
        revoked_at: None,
        used_at: None,
    }
}

pub(crate) async fn a_token_is_issued_once_and_revoked_once(pool: &Pool) {
    let tokens = Tokens::over(pool);
    tokens.issue(&token("1")).await.expect("issued");
    assert!(tokens.issue(&token("1")).await.is_err(), "its public half is its name");
    tokens.issue(&token("2")).await.expect("issued");
    assert_eq!(tokens.find("1").await.expect("read"), Some(token("1")));
    assert_eq!(tokens.find("3").await.expect("read"), None);
    assert!(tokens.revoke("1", "then").await.expect("revoked"));
    assert!(!tokens.revoke("1", "later").await.expect("read"), "it was before");
    assert!(!tokens.revoke("3", "later").await.expect("read"), "there is none");
    tokens.used("2", "now").await.expect("noted");
    let revoked = TokenRow { revoked_at: Some("then".to_owned()), ..token("1") };
    let used = TokenRow { used_at: Some("now".to_owned()), ..token("2") };
    assert_eq!(tokens.all().await.expect("read"), [revoked, used]);
}
