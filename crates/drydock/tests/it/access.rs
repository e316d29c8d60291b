use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::api::{Api, MAPS};

#[tokio::test]
async fn a_user_may_what_a_binding_allows() {
    let api = Api::open().await;
    let as_jane = [("impersonate-user", "jane")];
    api.send(Method::GET, MAPS, &as_jane, Bytes::new()).await.refused(
        403,
        "configmaps is forbidden: User \"jane\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\"",
    );
    let binding = json!({
        "metadata": {"name": "jane-views"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}],
    });
    api.post("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", binding).await.expect(201);
    api.send(Method::GET, MAPS, &as_jane, Bytes::new()).await.expect(200);
    assert_eq!(api.send(Method::GET, "/api/v1/configmaps", &as_jane, Bytes::new()).await.code, 403);
    let review =
        json!({"spec": {"resourceAttributes": {"verb": "list", "resource": "configmaps", "namespace": "default"}}});
    let headers = [("impersonate-user", "jane"), ("content-type", "application/json")];
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = api.send(Method::POST, path, &headers, review.to_string().into()).await.expect(201);
    assert_eq!(answer["status"]["allowed"], true);
    assert_eq!(
        answer["status"]["reason"],
        "RBAC: allowed by RoleBinding \"jane-views/default\" of ClusterRole \"view\" to User \"jane\""
    );
}

#[tokio::test]
async fn a_service_accounts_token_stands_for_it() {
    let api = Api::open().await;
    api.post("/api/v1/namespaces/default/serviceaccounts", json!({"metadata": {"name": "robot"}})).await.expect(201);
    let request = json!({"spec": {"expirationSeconds": 600}});
    let path = "/api/v1/namespaces/default/serviceaccounts/robot/token";
    let token = api.post(path, request).await.expect(201)["status"]["token"].as_str().expect("a token").to_owned();
    // Whoever checks it without asking finds the key by the name that the token gives it.
    let keys = api.get("/openid/v1/jwks").await.expect(200);
    assert_eq!(keys["keys"][0]["alg"], "ES256");
    let head = token.split('.').next().expect("a header");
    let head: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).expect("base64")).expect("JSON");
    assert_eq!(head, json!({"alg": "ES256", "kid": keys["keys"][0]["kid"]}));
    let review = json!({"spec": {"token": token}});
    let answer = api.post("/apis/authentication.k8s.io/v1/tokenreviews", review).await.expect(201);
    assert_eq!(answer["status"]["user"]["username"], "system:serviceaccount:default:robot");
    let bearer = format!("Bearer {token}");
    let refused = api.send(Method::GET, MAPS, &[("authorization", bearer.as_str())], Bytes::new()).await;
    assert_eq!(refused.code, 403);
    api.delete("/api/v1/namespaces/default/serviceaccounts/robot").await.expect(200);
    let gone = api.send(Method::GET, MAPS, &[("authorization", bearer.as_str())], Bytes::new()).await;
    assert_eq!(gone.code, 401);
}

#[tokio::test]
async fn requests_that_change_something_are_audited() {
    let api = Api::open().await;
    let made = api.post(MAPS, crate::api::map("a")).await.expect(201);
    let entries = api.0.audit();
    let last = entries.last().expect("one entry");
    assert_eq!((last.verb.as_str(), last.path.as_str(), last.code), ("create", MAPS, 201));
    let version = last.resource_version.expect("it is known in which order writes took effect");
    assert_eq!(made["metadata"]["resourceVersion"], version.to_string());
}

#[tokio::test]
async fn what_one_may_is_answered_and_nothing_else() {
    let api = Api::open().await;
    let review = json!({"spec": {"namespace": "default"}});
    let answer = api.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review).await.expect(201);
    assert_eq!((&answer["metadata"], &answer["spec"]), (&json!({}), &json!({})));
    assert!(answer["status"]["resourceRules"].is_array());
}
