use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::fields::text;
use super::Stage;

fn secret(account: &str) -> Value {
    json!({
        "metadata": {"name": "robot-token", "annotations": {"kubernetes.io/service-account.name": account}},
        "type": "kubernetes.io/service-account-token",
    })
}

#[test]
fn the_secret_of_an_account_gets_its_token_and_goes_with_the_account() {
    let mut stage = Stage::plain();
    let account = stage.create("serviceaccounts", json!({"metadata": {"name": "robot"}}));
    stage.create("secrets", secret("robot"));
    stage.rest();
    let found = stage.find("secrets", "robot-token");
    assert_eq!(found.annotation("kubernetes.io/service-account.uid"), Some(account.uid()));
    let decoded = |key: &str| STANDARD.decode(text(&found, &format!("/data/{key}"))).expect("base64");
    assert_eq!(decoded("namespace"), b"shop");
    assert_eq!(String::from_utf8_lossy(&decoded("token")).split('.').count(), 3);
    assert!(found.pointer("/data/ca.crt").is_some());
    stage.delete("serviceaccounts", "shop", "robot");
    stage.rest();
    assert!(stage.world.find("secrets", "shop", "robot-token").is_none());
}

#[test]
fn a_secret_of_an_account_that_is_not_there_goes() {
    let mut stage = Stage::plain();
    stage.create("secrets", secret("nobody"));
    stage.rest();
    assert!(stage.world.find("secrets", "shop", "robot-token").is_none());
}

#[test]
fn a_tokens_secret_keeps_a_key_generated_once() {
    let mut stage = Stage::plain();
    let mut kept = secret("nobody");
    kept["metadata"]["annotations"]["landfall.dev/once"] = "ca.crt".into();
    kept["data"] = json!({"ca.crt": "b25l"});
    stage.create("secrets", kept);
    stage.rest();
    stage.create("serviceaccounts", json!({"metadata": {"name": "nobody"}}));
    stage.rest();
    assert_eq!(text(&stage.find("secrets", "robot-token"), "/data/ca.crt"), "b25l");
}
