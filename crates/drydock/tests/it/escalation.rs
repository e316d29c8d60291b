//! Nobody gets more than they hold: by roles, by acting as others, by tokens, by certificates. The scripts `escalation`,
//! `impersonation`, `tokens` and `signing` compare the words with the real server's.

use base64::Engine as _;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::api::{Answer, Api, MAPS};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

impl Api {
    /// A POST as somebody else.
    async fn post_as(&self, user: &str, path: &str, body: Value) -> Answer {
        let headers = [("content-type", "application/json"), ("impersonate-user", user)];
        self.send(Method::POST, path, &headers, body.to_string().into()).await
    }

    /// Gives a user rules in the whole cluster.
    async fn give(&self, user: &str, rules: Value) {
        let role = json!({"metadata": {"name": user}, "rules": rules});
        self.post(&format!("{RBAC}/clusterroles"), role).await.expect(201);
        let binding = json!({
            "metadata": {"name": user}, "subjects": [{"kind": "User", "name": user}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
        });
        self.post(&format!("{RBAC}/clusterrolebindings"), binding).await.expect(201);
    }

    async fn token(&self, body: Value) -> String {
        let account = json!({"metadata": {"name": "robot"}});
        self.post("/api/v1/namespaces/default/serviceaccounts", account).await;
        let path = "/api/v1/namespaces/default/serviceaccounts/robot/token";
        self.post(path, body).await.expect(201)["status"]["token"].as_str().expect("a token").to_owned()
    }
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": groups, "resources": resources, "verbs": verbs})
}

#[tokio::test]
async fn a_role_grants_no_more_than_its_writer_holds() {
    let api = Api::open().await;
    let keeps = rule(&["rbac.authorization.k8s.io"], &["roles", "rolebindings"], &["create", "update", "patch"]);
    api.give("kim", json!([keeps, rule(&[""], &["configmaps"], &["get"])])).await;
    let roles = format!("{RBAC}/namespaces/default/roles");
    let role = |rules: Value| json!({"metadata": {"name": "r"}, "rules": rules});
    api.post_as("kim", &roles, role(json!([rule(&[""], &["secrets"], &["get", "list"])]))).await.refused(
        403,
        "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"kim\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}",
    );
    api.post_as("kim", &roles, role(json!([rule(&[""], &["configmaps"], &["get"])]))).await.expect(201);
    let binding = |role: &str| {
        json!({
            "metadata": {"name": "b"}, "subjects": [{"kind": "User", "name": "kim"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        })
    };
    let bindings = format!("{RBAC}/namespaces/default/rolebindings");
    assert_eq!(api.post_as("kim", &bindings, binding("cluster-admin")).await.code, 403);
    api.post_as("kim", &bindings, binding("kim")).await.expect(201);
}

#[tokio::test]
async fn a_role_that_gathers_others_does_not_hide_what_it_grants() {
    let api = Api::open().await;
    let gathers = json!({
        "metadata": {"name": "gathers"}, "rules": [],
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"for": "gathers"}}]},
    });
    api.post(&format!("{RBAC}/clusterroles"), gathers).await.expect(201);
    let gathered = json!({
        "metadata": {"name": "gathered", "labels": {"for": "gathers"}},
        "rules": [rule(&[""], &["secrets"], &["get"])],
    });
    api.post(&format!("{RBAC}/clusterroles"), gathered).await.expect(201);
    api.give(
        "kim",
        json!([rule(&["rbac.authorization.k8s.io"], &["clusterrolebindings", "clusterroles"], &["create"])]),
    )
    .await;
    let binding = json!({
        "metadata": {"name": "b"}, "subjects": [{"kind": "User", "name": "kim"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "gathers"},
    });
    assert_eq!(api.post_as("kim", &format!("{RBAC}/clusterrolebindings"), binding.clone()).await.code, 403);
    api.give("lee", json!([rule(&["*"], &["*"], &["*"])])).await;
    api.post_as("lee", &format!("{RBAC}/clusterrolebindings"), binding).await.expect(201);
}

#[tokio::test]
async fn rules_that_spell_out_too_much_are_not_compared() {
    let api = Api::open().await;
    api.give("kim", json!([rule(&["rbac.authorization.k8s.io"], &["roles"], &["create"])])).await;
    let many: Vec<String> = (0..1000).map(|number| format!("r{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let role = json!({"metadata": {"name": "r"}, "rules": [rule(&many, &many, &many)]});
    api.post_as("kim", &format!("{RBAC}/namespaces/default/roles"), role).await.refused(
        403,
        "roles.rbac.authorization.k8s.io \"r\" is forbidden: its rules spell out 1000000000 rights, and at most 100000 are compared with those held",
    );
}

#[tokio::test]
async fn every_part_of_whom_one_acts_as_is_checked() {
    let api = Api::open().await;
    let bearer = format!("Bearer {}", api.token(json!({"spec": {"expirationSeconds": 600}})).await);
    let robot = "system:serviceaccount:default:robot";
    let named = |group: &str, resource: &str, name: &str| json!({"apiGroups": [group], "resources": [resource], "resourceNames": [name], "verbs": ["impersonate"]});
    let role = json!({"metadata": {"name": "mimic"}, "rules": [
        named("", "users", "jane"),
        named("", "groups", "dev"),
        named("authentication.k8s.io", "uids", "42"),
        named("authentication.k8s.io", "userextras/scopes", "view"),
    ]});
    api.post(&format!("{RBAC}/clusterroles"), role).await.expect(201);
    let binding = json!({
        "metadata": {"name": "mimic"}, "subjects": [{"kind": "User", "name": robot}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "mimic"},
    });
    api.post(&format!("{RBAC}/clusterrolebindings"), binding).await.expect(201);
    let whoami = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let own = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("impersonate-user", "jane")];
    for (name, value, code) in [
        ("impersonate-group", "dev", 201),
        ("impersonate-group", "ops", 403),
        ("impersonate-group", "system:masters", 403),
        ("impersonate-group", "system:serviceaccounts:kube-system", 403),
        ("impersonate-uid", "42", 201),
        ("impersonate-uid", "43", 403),
        ("impersonate-extra-scopes", "view", 201),
        ("impersonate-extra-scopes", "edit", 403),
        ("impersonate-extra-other", "view", 403),
    ] {
        let headers: Vec<_> = own.into_iter().chain([(name, value)]).collect();
        let answer = api.send(Method::POST, whoami, &headers, Bytes::from_static(b"{}")).await;
        assert_eq!(answer.code, code, "{name}: {value}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_token_for_somebody_else_opens_nothing() {
    let api = Api::open().await;
    for (audiences, code, whose) in [
        (json!(["vault"]), 401, Value::Null),
        (json!([]), 200, json!(["https://kubernetes.default.svc"])),
        (json!(["vault", "https://kubernetes.default.svc"]), 200, json!(["https://kubernetes.default.svc"])),
    ] {
        let token = api.token(json!({"spec": {"audiences": audiences, "expirationSeconds": 600}})).await;
        let bearer = format!("Bearer {token}");
        let answer = api.send(Method::GET, "/version", &[("authorization", &bearer)], Bytes::new()).await;
        assert_eq!(answer.code, code, "{audiences}: {}", answer.text);
        let review = |audiences: Value| json!({"spec": {"token": token, "audiences": audiences}});
        let reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
        let answer = api.post(reviews, review(json!([]))).await.expect(201);
        assert_eq!(answer["status"]["audiences"], whose);
        let vaults = audiences.as_array().expect("a list").contains(&json!("vault"));
        let answer = api.post(reviews, review(json!(["vault"]))).await.expect(201);
        assert_eq!(answer["status"]["authenticated"] == true, vaults);
    }
}

#[tokio::test]
async fn a_token_dies_with_what_it_is_bound_to() {
    let api = Api::open().await;
    let secrets = "/api/v1/namespaces/default/secrets";
    api.post(secrets, json!({"metadata": {"name": "anchor"}})).await.expect(201);
    let bound = json!({"apiVersion": "v1", "kind": "Secret", "name": "anchor"});
    let token = api.token(json!({"spec": {"boundObjectRef": bound, "expirationSeconds": 600}})).await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let version = || api.send(Method::GET, "/version", &headers, Bytes::new());
    version().await.expect(200);
    api.delete(&format!("{secrets}/anchor")).await.expect(200);
    assert_eq!(version().await.code, 401);
    // One of the same name is another.
    api.post(secrets, json!({"metadata": {"name": "anchor"}})).await.expect(201);
    assert_eq!(version().await.code, 401);
}

#[tokio::test]
async fn nobody_signs_or_approves_by_writing_alone() {
    let api = Api::open().await;
    let key = rcgen::KeyPair::generate().expect("a key");
    let request = |groups: &[&str]| {
        let mut asked = rcgen::CertificateParams::default();
        asked.distinguished_name.push(rcgen::DnType::CommonName, "jane");
        for group in groups {
            asked.distinguished_name.push(rcgen::DnType::OrganizationName, *group);
        }
        let request = asked.serialize_request(&key).expect("a request").pem().expect("text");
        json!({"metadata": {"name": "jane"}, "spec": {
            "request": base64::engine::general_purpose::STANDARD.encode(request),
            "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"],
        }})
    };
    let requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    api.post(requests, request(&["system:masters"])).await.refused(
        403,
        "certificatesigningrequests.certificates.k8s.io \"jane\" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
    );
    api.post(requests, request(&["dev"])).await.expect(201);
    let parts =
        ["certificatesigningrequests", "certificatesigningrequests/approval", "certificatesigningrequests/status"];
    api.give("kim", json!([rule(&["certificates.k8s.io"], &parts, &["update", "patch"])])).await;
    let headers = [("content-type", "application/merge-patch+json"), ("impersonate-user", "kim")];
    let approved = json!({"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Test"}]}});
    let approve = || {
        api.send(
            Method::PATCH,
            "/apis/certificates.k8s.io/v1/certificatesigningrequests/jane/approval",
            &headers,
            approved.to_string().into(),
        )
    };
    assert_eq!(approve().await.code, 403);
    let failed = json!({"status": {"conditions": [{"type": "Failed", "status": "True", "reason": "Test"}]}});
    let signed = api.send(Method::PATCH, &format!("{requests}/jane/status"), &headers, failed.to_string().into()).await;
    assert_eq!(signed.code, 403);
    let signers = json!({"apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": ["kubernetes.io/*"], "verbs": ["approve"]});
    api.patch(
        "json-patch+json",
        &format!("{RBAC}/clusterroles/kim"),
        json!([{"op": "add", "path": "/rules/-", "value": signers}]),
    )
    .await
    .expect(200);
    let answer = approve().await.expect(200);
    assert!(answer["status"]["conditions"][0]["lastUpdateTime"].is_string());
    // What was asked for stays, whoever writes.
    let other = json!({"spec": {"username": "system:admin", "signerName": "example.com/own"}});
    for part in ["", "/approval", "/status"] {
        let answer = api.patch("merge-patch+json", &format!("{requests}/jane{part}"), other.clone()).await.expect(200);
        assert_eq!(answer["spec"]["username"], "landfall-admin");
        assert_eq!(answer["spec"]["signerName"], "kubernetes.io/kube-apiserver-client");
    }
    api.get(MAPS).await.expect(200);
}
