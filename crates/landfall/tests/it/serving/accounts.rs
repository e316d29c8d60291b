//! Accounts, roles and what gets past neither, from outside: signed in over HTTP, written with a kubeconfig.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use landfall_cluster::WriteOptions;
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};

use super::told::{http, listen, until};
use super::{Forge, SHOP, Server, application, is_synced, serve, web};
use crate::it::sandbox::Sandbox;

/// SENS's three users, on a small system.
const POLICY: &str = "p, role:nonprod, applications, get, */*, allow
p, role:nonprod, applications, sync, test/*, allow
p, role:nonprod, logs, get, test/*, allow
p, role:owner, applications, *, */*, allow
p, role:owner, logs, get, */*, allow
g, deploy, role:nonprod
g, sebastian, role:owner
";

/// An answer with its head.
pub(super) struct Told {
    pub(super) status: u16,
    cookie: Option<String>,
    pub(super) head: String,
    pub(super) body: Value,
}

impl Server {
    pub(super) fn tell(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Told {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let more: String = headers.iter().map(|(name, text)| format!("{name}: {text}\r\n")).collect();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{more}Content-Length: {length}\r\n\r\n{body}"
        )
        .expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let line = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = line.and_then(|line| line.split(';').next()).map(str::to_owned);
        let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
        Told { status, cookie, head: head.to_owned(), body }
    }

    fn sign_in(&self, name: &str, password: &str) -> Told {
        let wish = json!({"name": name, "password": password});
        self.tell("POST", "/api/v1/session", &[("X-Landfall-Request", "1")], &wish)
    }

    /// As a browser does it: with its cookie, from the server's own page.
    fn as_browser(&self, cookie: &str, method: &str, path: &str, body: &Value) -> Told {
        self.tell(method, path, &[("Cookie", cookie), ("X-Landfall-Request", "1")], body)
    }

    pub(super) fn audit(&self) -> Vec<Value> {
        let (name, token) = self.own_token();
        let (_, log) = self.ask("GET", "/api/v1/audit?limit=500", &[(name, &token)], "");
        serde_json::from_str(&log).expect("a list")
    }

    pub(crate) fn puts(&self, value: Value) {
        let object = Object::from_value(value).expect("a map");
        let options = WriteOptions::default();
        self.runtime.block_on(self.cluster().create(&object, &options)).expect("created");
    }
}

pub(super) fn has(log: &[Value], actor: &str, action: &str, outcome: &str) -> bool {
    let is = |it: &Value, field: &str, text: &str| it[field].as_str().is_some_and(|it| it.starts_with(text));
    log.iter().any(|it| is(it, "actor", actor) && is(it, "action", action) && is(it, "outcome", outcome))
}

/// A forge whose Application is of a project, and that project.
fn forge(project: &str, policy: &str, spec: &str) -> Forge {
    let forge = Forge::shop(policy);
    forge.sandbox.edit("apps/shop.yaml", "project: default", &format!("project: {project}"));
    forge.sandbox.write("apps/project.yaml", &declared(project, "", spec));
    forge.sandbox.write("policy.csv", POLICY);
    forge.sandbox.commit("of a project");
    forge.push();
    forge
}

const ANYWHERE: &str = "sourceRepos: [\"*\"], destinations: [{server: \"*\", namespace: \"*\"}], clusterResourceWhitelist: [{group: \"*\", kind: \"*\"}]";

pub(super) fn declared(name: &str, annotations: &str, spec: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: {name}, namespace: argocd, annotations: {{{annotations}}}}}\nspec: {{{ANYWHERE}{spec}}}\n"
    )
}

pub(super) fn first_password(forge: &Forge, words: &[&str]) -> String {
    let ran = forge.sandbox.run(&[&["account", "create"], words, &["-o", "name"]].concat()).exits(0);
    ran.stdout.trim().to_owned()
}

#[test]
fn lp_109_se_053_se_054_se_064_se_093_who_signs_in_changes_the_first_password_and_may_what_the_policy_says() {
    let forge = forge("test", "{syncOptions: [CreateNamespace=true]}", "");
    forge.sandbox.write(
        "apps/prod.yaml",
        &forge
            .sandbox
            .read("apps/shop.yaml")
            .replace("name: shop", "name: prod")
            .replace("project: test", "project: prod")
            .replace("namespace: shop}", "namespace: prod}"),
    );
    forge.sandbox.write("apps/prod-project.yaml", &declared("prod", "", ""));
    let [deploy, sebastian, admin] = ["deploy", "sebastian", "admin"].map(|name| first_password(&forge, &[name]));
    let firsts = [deploy.clone(), sebastian.clone(), admin.clone()];
    let (slack, told) = listen(http, 0);
    let hook = format!("http://127.0.0.1:{slack}/");
    let heard = [("LANDFALL_NEWS_SLACK", hook.as_str())];
    let server = forge.serve(&["apps", "--policy", "policy.csv"], SHOP, &heard);
    let cluster = server.cluster();
    server.until(&cluster, &application("prod"), |it| it.str_at("/status/sync/status").is_some());

    // From a page of somebody else's nobody is signed in, and a wrong password says no more than a wrong name.
    let wish = json!({"name": "deploy", "password": deploy});
    assert_eq!(server.tell("POST", "/api/v1/session", &[], &wish).body["code"], "LF0748");
    let (wrong, nobody) = (server.sign_in("deploy", "x"), server.sign_in("nobody", "x"));
    assert_eq!((wrong.status, &wrong.body), (401, &nobody.body));
    let bad = server.tell(
        "POST",
        "/api/v1/session",
        &[("X-Landfall-Request", "1")],
        &json!({"name": "deploy", "password": {"a": "hunter2"}}),
    );
    assert!(bad.status == 400 && !bad.body.to_string().contains("hunter2"), "{}", bad.body);

    // The first password opens nothing but another one.
    let first = server.sign_in("deploy", &deploy);
    assert_eq!((first.status, &first.body["must_change"]), (200, &json!(true)), "{}", first.body);
    for needed in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(first.head.contains(needed), "{}", first.head);
    }
    assert!(!first.head.contains("Secure"), "{}", first.head);
    let cookie = first.cookie.expect("a cookie");
    for (method, path) in [
        ("GET", "/api/v1/applications"),
        ("GET", "/api/v1/applications/argocd/shop"),
        ("GET", "/api/v1/applications/argocd/shop/logs"),
        ("GET", "/api/v1/audit"),
        ("POST", "/api/v1/applications/argocd/shop/sync"),
    ] {
        let body = if method == "POST" { json!({}) } else { Value::Null };
        let refused = server.as_browser(&cookie, method, path, &body);
        assert_eq!((refused.status, &refused.body["code"]), (403, &json!("LF0741")), "{method} {path}");
    }
    let change = |cookie: &str, old: &str, new: &str| {
        server.as_browser(cookie, "POST", "/api/v1/session/password", &json!({"old": old, "new": new}))
    };
    assert_eq!(change(&cookie, &deploy, "short").body["code"], "LF0742");
    assert_eq!(change(&cookie, "wrong wrong wrong", "four words of mine").status, 401);
    let changed = change(&cookie, &deploy, "four words of mine");
    assert_eq!((changed.status, &changed.body["must_change"]), (200, &json!(false)), "{}", changed.body);
    let old = server.as_browser(&cookie, "GET", "/api/v1/session", &Value::Null);
    assert_eq!(old.status, 401, "the session of the first password is over");
    assert_eq!(server.sign_in("deploy", &deploy).status, 401, "the first password is good once");
    let deploy = changed.cookie.expect("a cookie");

    // Three users, two projects: what each may.
    let owner = server.sign_in("sebastian", &sebastian).cookie.expect("a cookie");
    let owner = change(&owner, &sebastian, "four words of his").cookie.expect("a cookie");
    let of = |cookie: &str, method: &str, name: &str, verb: &str| {
        let body = if method == "POST" { json!({}) } else { Value::Null };
        server.as_browser(cookie, method, &format!("/api/v1/applications/argocd/{name}{verb}"), &body)
    };
    assert_eq!(of(&deploy, "GET", "prod", "").status, 200);
    let refused = of(&deploy, "POST", "prod", "/sync");
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!("LF0745")), "{}", refused.body);
    assert_eq!(of(&deploy, "GET", "prod", "/logs").body["code"], "LF0745");
    assert_eq!(of(&deploy, "POST", "shop", "/sync").status, 202);
    let synced = server.until(&cluster, &application("shop"), |it| it.str_at("/status/sync/status") == Some("Synced"));
    assert_eq!(synced.str_at("/status/history/0/initiatedBy/username"), Some("deploy"));
    assert_eq!(of(&owner, "POST", "prod", "/sync").status, 202);
    assert!(matches!(of(&owner, "POST", "shop", "/sync").status, 202 | 409));
    assert_eq!(server.as_browser(&deploy, "GET", "/api/v1/audit", &Value::Null).body["code"], "LF0745");
    let lone = server.tell("POST", "/api/v1/applications/argocd/shop/sync", &[("Cookie", &deploy)], &json!({}));
    assert_eq!(lone.body["code"], "LF0748", "a page of another site sends no such header");

    // An administrator is heard, on the page too.
    let signed = server.sign_in("admin", &admin);
    assert_eq!((signed.status, &signed.body["must_change"]), (200, &json!(true)));
    let refused = of(signed.cookie.as_deref().expect("a cookie"), "POST", "prod", "/sync");
    assert_eq!(refused.body["code"], "LF0741");
    let changed = change(signed.cookie.as_deref().expect("a cookie"), &admin, "four words of theirs");
    let broken = changed.cookie.expect("a cookie");
    for name in ["shop", "prod"] {
        assert!(matches!(of(&broken, "POST", name, "/sync").status, 202 | 409), "{name}");
    }
    assert_eq!(server.sign_in("admin", &admin).status, 401, "the first password is good once");
    let signed_in = Instant::now();
    until(&told, "admin has signed in as an administrator");
    assert!(signed_in.elapsed() < Duration::from_secs(30), "it is heard when somebody looks, and not at once");
    // It is for people alone.
    forge.sandbox.run(&["token", "create", "ci", "--role", "role:admin"]).exits(2).says("people");
    let (name, token) = server.own_token();
    let (_, page) = server.ask("GET", "/", &[(name, &token)], "");
    assert!(page.contains("admin has signed in as an administrator"), "{page}");

    // A role of its own and a token for it: its rights are the policy's at that moment.
    let issued = forge.sandbox.run(&["token", "create", "ci", "--role", "role:nonprod", "-o", "name"]).exits(0);
    let bearer = format!("Bearer {}", issued.stdout.trim());
    let by = |name: &str| {
        server.tell(
            "POST",
            &format!("/api/v1/applications/argocd/{name}/sync"),
            &[("Authorization", &bearer)],
            &json!({}),
        )
    };
    assert_eq!(by("prod").status, 403);
    assert!(matches!(by("shop").status, 202 | 409));

    // Restarted, everybody is still signed in; disabled, nobody is.
    let port = server.address.clone();
    // From then on the cluster's own policy counts.
    server.puts(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-rbac-cm", "namespace": "argocd"},
        "data": {"policy.csv": POLICY},
    }));
    let (code, ..) = server.terminate();
    assert_eq!(code, Some(0));
    let server = forge.serve(&["apps"], SHOP, &[]);
    assert_ne!(server.address, port, "another process");
    let sync = |name: &str| {
        server.as_browser(&deploy, "POST", &format!("/api/v1/applications/argocd/{name}/sync"), &json!({})).status
    };
    let deadline = Instant::now() + Duration::from_secs(90);
    while !matches!(sync("shop"), 202 | 409) {
        assert!(Instant::now() < deadline, "argocd-rbac-cm lets nobody in: {}", sync("shop"));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(sync("prod"), 403);
    let who = server.as_browser(&deploy, "GET", "/api/v1/session", &Value::Null);
    assert_eq!((who.status, &who.body["name"]), (200, &json!("deploy")));
    forge.sandbox.run(&["account", "disable", "deploy"]).exits(0);
    assert_eq!(server.as_browser(&deploy, "GET", "/api/v1/session", &Value::Null).status, 401);
    let out = server.as_browser(&owner, "POST", "/api/v1/session/end", &json!({}));
    assert!(out.status == 200 && out.head.contains("Max-Age=0"), "{}", out.head);
    assert_eq!(server.as_browser(&owner, "GET", "/api/v1/session", &Value::Null).status, 401);
    forge.sandbox.run(&["account", "list"]).exits(0).says("disabled").says("role:admin");

    // Who did what stands there, and no secret does.
    let log = server.audit();
    assert!(has(&log, "deploy", "application.sync", "accepted"), "{log:#?}");
    assert!(has(&log, "deploy", "application.sync", "refused"), "{log:#?}");
    assert!(has(&log, "sebastian", "account.password", "done"), "{log:#?}");
    assert!(has(&log, "admin", "session.begin", "done, announced"), "{log:#?}");
    assert!(has(&log, "local", "account.disable", "done"), "{log:#?}");
    let told = format!("{log:?}");
    let said = std::fs::read_to_string(forge.sandbox.root().join("../serve.log")).expect("read");
    for secret in firsts.iter().map(String::as_str).chain(["four words", deploy.split('=').nth(1).expect("a secret")]) {
        assert!(!told.contains(secret) && !said.contains(secret), "{secret}");
        let store = std::fs::read(forge.sandbox.root().join(".landfall/store.db")).expect("read");
        assert!(!store.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret} is in the store");
    }
}

#[test]
fn what_is_written_into_a_protected_application_past_its_owners_does_not_count_and_is_heard() {
    let forge = forge("prod", "{syncOptions: [CreateNamespace=true]}", "");
    forge.sandbox.write("apps/project.yaml", &declared("prod", "landfall.dev/protected: \"true\"", ""));
    forge.sandbox.write("apps/test-project.yaml", &declared("test", "", ""));
    forge.sandbox.commit("protected");
    let revision = forge.push();
    let server = forge.serve(&["apps", "--policy", "policy.csv"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/sync/status") == Some("OutOfSync"));

    // An operation that nobody asked for through the API.
    let wish = json!({"operation": {"initiatedBy": {"username": "sebastian"}, "sync": {"revision": "main"}}});
    server.patch(&cluster, &application("shop"), wish.clone());
    let refused = server.until(&cluster, &application("shop"), |it| {
        it.str_at("/status/operationState/message").is_some_and(|text| text.contains("the project is protected"))
    });
    assert_eq!(refused.str_at("/status/operationState/phase"), Some("Error"));
    assert!(refused.at("/operation").is_none_or(Value::is_null), "{:#}", refused.value());

    // A way to sync by itself that nobody said; and another source with it.
    let policy = json!({"spec": {"syncPolicy": {"automated": {"prune": true, "selfHeal": true}}}});
    server.patch(&cluster, &application("shop"), policy);
    let held = server.until(&cluster, &application("shop"), |it| {
        it.list_at("/status/conditions").iter().any(|it| it["type"] == "SideDoorWarning")
    });
    assert_eq!(held.str_at("/status/sync/status"), Some("OutOfSync"));
    assert!(server.get(&cluster, &web()).is_none(), "nothing was delivered");

    // Through the API it is asked for, and done; a copy of that operation is none.
    server.patch(&cluster, &application("shop"), json!({"spec": {"syncPolicy": {"automated": null}}}));
    server.until(&cluster, &application("shop"), |it| {
        it.list_at("/status/conditions").iter().all(|it| it["type"] != "SideDoorWarning")
    });
    forge.sandbox.run(&["app", "sync", "shop"]).exits(0);
    let synced = server.until(&cluster, &application("shop"), |it| is_synced(it, &revision));
    let operation = synced.at("/status/operationState/operation").cloned().expect("it was carried out");
    let mut again = json!({"initiatedBy": operation["initiatedBy"], "sync": {"revision": "main"}});
    again["info"] = operation["info"].clone();
    server.patch(&cluster, &application("shop"), json!({"operation": again}));
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/operationState/phase") == Some("Error"));

    // An owner says that it syncs by itself: from then on it does, until somebody writes something else.
    forge.sandbox.run(&["app", "policy", "shop", "--automated", "--self-heal"]).exits(0);
    let second = forge.change("chart/values.yaml", "replicas: 1", "replicas: 2");
    server.until(&cluster, &application("shop"), |it| is_synced(it, &second));
    server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(2));
    server.patch(&cluster, &application("shop"), json!({"spec": {"syncPolicy": {"automated": {"prune": true}}}}));
    server.until(&cluster, &application("shop"), |it| {
        it.list_at("/status/conditions").iter().any(|it| it["type"] == "SideDoorWarning")
    });
    forge.change("chart/values.yaml", "replicas: 2", "replicas: 3");
    forge.sandbox.run(&["app", "refresh", "shop"]).exits(0);
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/sync/status") == Some("OutOfSync"));
    assert_eq!(server.get(&cluster, &web()).and_then(|it| it.i64_at("/spec/replicas")), Some(2));
    forge.sandbox.run(&["app", "policy", "shop", "--accept"]).exits(0);
    server.until(&cluster, &web(), |it| it.i64_at("/spec/replicas") == Some(3));

    // A chart of a test project that renders either is refused as a whole.
    let child = |name: &str, more: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nspec:\n  project: prod\n  source: {{repoURL: \"{SHOP}\", targetRevision: main, path: chart}}\n  destination: {{server: \"https://kubernetes.default.svc\", namespace: shop}}\n{more}"
        )
    };
    forge.sandbox.write("evil/child.yaml", &child("child", "  syncPolicy: {automated: {}}\n"));
    forge.sandbox.write("worse/child.yaml", &child("worse-child", "operation: {sync: {}}\n"));
    forge.sandbox.write("root/child.yaml", &child("good-child", "  syncPolicy: {automated: {}}\n"));
    forge.sandbox.commit("children");
    forge.push();
    let parent = |name: &str, project: &str, path: &str| {
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": name, "namespace": "argocd"},
            "spec": {
                "project": project, "source": {"repoURL": SHOP, "targetRevision": "main", "path": path},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "argocd"},
                "syncPolicy": {"automated": {}},
            },
        })
    };
    for (name, path) in [("evil", "evil"), ("worse", "worse")] {
        server.puts(parent(name, "test", path));
        let refused = server.until(&cluster, &application(name), |it| {
            it.list_at("/status/conditions").iter().any(|it| it["type"] == "ComparisonError")
        });
        assert!(refused.value().to_string().contains("whose project prod is protected"), "{:#}", refused.value());
    }
    assert!(server.get(&cluster, &application("child")).is_none());
    assert!(server.get(&cluster, &application("worse-child")).is_none());

    // What the base branch says by way of a parent that an owner has accepted counts.
    server.puts(parent("root", "prod", "root"));
    server.until(&cluster, &application("root"), |it| {
        it.list_at("/status/conditions").iter().any(|it| it["type"] == "SideDoorWarning")
    });
    forge.sandbox.run(&["app", "policy", "root", "--accept"]).exits(0);
    server.until(&cluster, &application("good-child"), |it| it.str_at("/status/sync/status") == Some("Synced"));
    server.patch(&cluster, &application("good-child"), json!({"spec": {"source": {"path": "worse"}}}));
    server.until(&cluster, &application("good-child"), |it| {
        it.list_at("/status/conditions").iter().any(|it| it["type"] == "SideDoorWarning")
    });

    let log = server.audit();
    assert!(has(&log, "unknown", "application.operation", "refused, announced"), "{log:#?}");
    assert!(has(&log, "unknown", "application.policy", "refused, announced"), "{log:#?}");
    assert!(has(&log, "argocd/evil", "application.render", "refused, announced"), "{log:#?}");
    assert!(has(&log, "local", "application.policy", "accepted"), "{log:#?}");
}

#[test]
fn a_project_is_delivered_as_its_service_account_which_its_hooks_and_lookups_are_too() {
    let accounts = ", destinationServiceAccounts: [{server: \"https://kubernetes.default.svc\", namespace: shop, defaultServiceAccount: deployer}]";
    let forge = forge("prod", "{automated: {}}", accounts);
    let server = forge.serve(&["apps"], SHOP, &[]);
    let cluster = server.cluster();
    server.puts(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    server.puts(
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer", "namespace": "shop"}}),
    );
    // It has no rights yet: nothing is delivered, and it is the cluster that says so.
    server.until(&cluster, &application("shop"), |it| {
        it.value().to_string().contains("system:serviceaccount:shop:deployer")
    });
    assert!(server.get(&cluster, &web()).is_none());
    let rule =
        |groups: &[&str], resources: &[&str]| json!({"apiGroups": groups, "resources": resources, "verbs": ["*"]});
    server.puts(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "deployer", "namespace": "shop"},
        "rules": [rule(&["apps", ""], &["deployments", "services", "configmaps", "serviceaccounts"])],
    }));
    server.puts(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "deployer", "namespace": "shop"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer"},
        "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": "shop"}],
    }));
    forge.sandbox.run(&["app", "sync", "shop"]).exits(0);
    server.until(&cluster, &web(), |it| it.str_at("/metadata/name") == Some("shop"));
    // A lookup finds nothing, as with Argo CD; what a hook of it would need, that account would have to be allowed.
    let seen = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\ndata: {secrets: {{ if lookup \"v1\" \"Secret\" \"argocd\" \"\" }}some{{ else }}none{{ end }}}\n";
    forge.sandbox.write("chart/templates/seen.yaml", seen);
    forge.sandbox.commit("looks around");
    let second = forge.push();
    server.until(&cluster, &application("shop"), |it| is_synced(it, &second));
    let key = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some("shop"), "seen");
    assert_eq!(server.get(&cluster, &key).as_ref().and_then(|it| it.str_at("/data/secrets")), Some("none"));
    let hook = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: before, annotations: {argocd.argoproj.io/hook: PreSync}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: \"example/app:1.0.0\"}]}}}\n";
    forge.sandbox.write("chart/templates/hook.yaml", hook);
    forge.change("chart/values.yaml", "replicas: 1", "replicas: 2");
    let told = server.until(&cluster, &application("shop"), |it| {
        it.value().to_string().contains("cannot get resource \\\"jobs\\\"")
    });
    assert!(told.value().to_string().contains("system:serviceaccount:shop:deployer"), "{:#}", told.value());
    assert_eq!(server.get(&cluster, &web()).and_then(|it| it.i64_at("/spec/replicas")), Some(1));
}

#[test]
fn se_058_se_062_se_063_who_may_do_what_is_one_table_and_who_must_not_touch_production_is_proved_or_found() {
    let forge = forge("prod", "{syncOptions: [CreateNamespace=true]}", "");
    forge.sandbox.write("apps/project.yaml", &declared("prod", "landfall.dev/protected: \"true\"", ""));
    forge.sandbox.write("apps/test-project.yaml", &declared("test", "", ""));
    first_password(&forge, &["sebastian"]);
    let server = forge.serve(&["apps", "--policy", "policy.csv"], SHOP, &[]);
    let cluster = server.cluster();
    server.until(&cluster, &application("shop"), |it| it.str_at("/status/sync/status") == Some("OutOfSync"));
    forge.sandbox.run(&["app", "sync", "shop"]).exits(0);
    let sandbox = &forge.sandbox;
    let matrix = sandbox.run(&["access", "matrix", "--policy", "policy.csv", "-o", "json"]).exits(0).json();
    let may = |subject: &str, project: &str| {
        let rows = matrix["data"].as_array().expect("rows");
        let row = rows.iter().find(|it| it["subject"] == subject && it["project"] == project);
        row.unwrap_or_else(|| panic!("{subject} {project}: {matrix:#}"))["may"].clone()
    };
    assert_eq!(may("deploy", "prod"), json!(["get"]));
    assert_eq!(may("deploy", "test"), json!(["get", "sync", "logs"]));
    assert_eq!(may("sebastian", "prod"), json!(["get", "create", "update", "delete", "sync", "override", "logs"]));
    sandbox.run(&["access", "matrix", "--policy", "policy.csv"]).exits(0).says("prod (protected)");

    // The policy: proved, and found where it is too wide.
    sandbox
        .run(&["access", "prove", "--as", "deploy", "--policy", "policy.csv"])
        .exits(0)
        .says("deploy cannot change prod");
    let owner = sandbox.run(&["access", "prove", "--as", "sebastian", "--policy", "policy.csv"]).exits(5);
    owner.says("sebastian can change prod").says("applications, sync");
    // The server that runs here has its policy from that file: it counts without being named. An account has its own roles.
    sandbox.run(&["access", "prove", "--as", "sebastian"]).exits(5).says("sebastian can change prod");
    sandbox.run(&["access", "prove", "--as", "eve"]).exits(0).says("the policy does not speak of eve");
    sandbox.run(&["token", "create", "eve", "--role", "role:owner"]).exits(0);
    sandbox.run(&["access", "prove", "--as", "eve"]).exits(5).says("eve has role:owner by its account or token here");

    // The cluster: a service account that is not there proves nothing, one with rights in test proves it, one too many finds it.
    let prove =
        ["access", "prove", "--as", "deploy", "--policy", "policy.csv", "--service-account", "test/deploy-test"];
    sandbox.run(&prove).exits(2).says("nothing is proved");
    server.puts(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "test"}}));
    server.puts(
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deploy-test", "namespace": "test"}}),
    );
    let binding = |namespace: &str, role: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "deploy-test", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "deploy-test", "namespace": "test"}],
        })
    };
    server.puts(binding("test", "edit"));
    let proved = sandbox.run(&prove).exits(0).says("cluster: ").says("tried: 1 asked, 0 allowed");
    assert!(proved.stdout.contains("cannot change prod"), "{}", proved.stdout);
    // The same of the account by its own name: every verb of every kind, and all are denied.
    let named = ["access", "prove", "--as", "deploy-test", "--service-account", "test/deploy-test", "-o", "json"];
    let proof = sandbox.run(&named).exits(0).json()["data"].clone();
    let cells = proof["cells"].as_array().expect("cells");
    assert!(cells.len() > 50 && cells.iter().all(|cell| cell["allowed"] == false), "{proof:#}");
    assert_eq!((&proof["allowed"], &proof["asked"]), (&json!(0), &json!(cells.len())));
    for verb in ["create", "update", "patch", "delete"] {
        for kind in ["deployments.apps", "secrets", "configmaps", "services"] {
            let wanted = format!("{verb} {kind}");
            let found = cells.iter().any(|cell| cell["what"] == wanted.as_str() && cell["on"] == "namespace shop");
            assert!(found, "{wanted} is not asked: {proof:#}");
        }
    }
    let config = sandbox.run(&["access", "kubeconfig", "--service-account", "test/deploy-test"]).exits(0);
    sandbox.write("restricted", &config.stdout);
    let subject = {
        use base64::Engine as _;
        let token = config.stdout.split("token").nth(1).and_then(|rest| rest.split('.').nth(1)).expect("a token");
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).expect("its claims");
        serde_json::from_slice::<Value>(&claims).expect("JSON")["sub"].clone()
    };
    assert_eq!(subject, "system:serviceaccount:test:deploy-test");
    let reaches = |namespace: &str| {
        let config = kube::config::Kubeconfig::read_from(sandbox.root().join("restricted")).expect("a kubeconfig");
        server.runtime.block_on(async {
            let config = kube::Config::from_custom_kubeconfig(config, &Default::default()).await.expect("read");
            let cluster = landfall_cluster::Cluster::new(kube::Client::try_from(config).expect("a client"));
            let object =
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": namespace}});
            let object = Object::from_value(object).expect("a map");
            cluster.create(&object, &WriteOptions::default()).await.map(drop).map_err(|error| error.code())
        })
    };
    assert_eq!(reaches("test"), Ok(()));
    assert_eq!(reaches("shop"), Err(Some(403)));
    server.puts(binding("shop", "edit"));
    sandbox.run(&prove).exits(5).says("tried: 1 asked, 1 allowed").says("can change prod");
}

/// SENS's Applications and projects as the example has them, with a policy and what its people and pipelines have.
fn sens() -> (Sandbox, Server) {
    let sandbox = Sandbox::example("sens-platform");
    let (product, infra) = (Sandbox::example("sens-platform/product"), Sandbox::example("sens-platform/infra"));
    let stands_in = |url: &str, from: &Sandbox| format!("{url}={}", from.root().join(".git").display());
    let repositories = [
        stands_in("https://git.example.com/sens/sens-platform.git", &product),
        stands_in("https://git.example.com/sens/sens-platform-infra.git", &infra),
    ];
    let rbac = landfall_yaml::to_json(&sandbox.read("infra/argocd/access/argocd-rbac-cm.yaml")).expect("YAML");
    sandbox.write("policy.csv", rbac["data"]["policy.csv"].as_str().expect("a policy"));
    let words = [
        "infra/argocd/sens-test",
        "infra/argocd/sens-production",
        "--policy",
        "policy.csv",
        "--repo",
        &repositories[0],
        "--repo",
        &repositories[1],
    ];
    let server = serve(&sandbox, &words, &[]);
    (sandbox, server)
}

#[test]
fn se_100_who_may_do_what_in_each_environment_is_one_matrix_that_equals_the_rules_of_sens() {
    let (sandbox, server) = sens();
    let cluster = server.cluster();
    for name in ["sens-platform-test", "sens-platform-production"] {
        server.until(&cluster, &application(name), |it| it.str_at("/spec/project").is_some());
    }
    for name in ["deploy", "sebastian"] {
        sandbox.run(&["account", "create", name]).exits(0);
    }
    sandbox.run(&["account", "create", "admin"]).exits(0);
    let token = ["token", "create", "ci", "--role", "role:deploy", "--scope", "sync", "--project", "sens-test"];
    sandbox.run(&token).exits(0);
    for name in ["sens-test", "sens-production"] {
        if server.get(&cluster, &ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, name)).is_none() {
            server.puts(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        }
    }
    let metadata = json!({"name": "deploy-test", "namespace": "sens-test"});
    server.puts(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}));
    server.puts(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
        "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch", "patch"]}],
    }));
    server.puts(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deploy-test"},
        "subjects": [{"kind": "ServiceAccount", "name": "deploy-test", "namespace": "sens-test"}],
    }));
    let words = ["access", "matrix", "--policy", "policy.csv", "--service-account", "sens-test/deploy-test"];
    let matrix = sandbox.run(&[&words[..], &["-o", "json"]].concat()).exits(0).json();
    let rows = matrix["data"].as_array().expect("rows");
    let may = |from: &str, subject: &str, project: &str| {
        let is = |it: &&Value| it["from"] == from && it["subject"] == subject && it["project"] == project;
        let row = rows.iter().find(is).unwrap_or_else(|| panic!("{from} {subject} {project}: {matrix:#}"));
        let words = row["may"].as_array().expect("words").iter().filter_map(Value::as_str);
        words.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    // Everything in test and nothing but looking in production; production by its owner; to break glass.
    for (from, subject, test, production) in [
        ("account", "deploy", "get sync logs", "get logs"),
        ("account", "sebastian", "get sync logs", "get sync logs"),
        ("token", "ci", "sync", ""),
        ("service-account", "sens-test/deploy-test", "patch deployments.apps", ""),
    ] {
        let seen = (may(from, subject, "sens-test"), may(from, subject, "sens-production"));
        assert_eq!(seen, (test.to_owned(), production.to_owned()), "{subject}: {matrix:#}");
    }
    for project in ["sens-test", "sens-production"] {
        let admin = may("account", "admin", project);
        assert!(["get", "create", "delete", "sync", "override"].iter().all(|it| admin.contains(it)), "{admin}");
    }
    sandbox.run(&words).exits(0).says("sens-test/deploy-test").says("patch deployments.apps");
}

#[test]
fn se_077_the_logs_of_both_environments_are_shown_to_whom_the_policy_shows_them() {
    let forge = forge("test", "{automated: {}, syncOptions: [CreateNamespace=true]}", "");
    let app = forge.sandbox.read("apps/shop.yaml");
    let app = app.replace("name: shop", "name: prod").replace("project: test", "project: prod");
    forge.sandbox.write("apps/prod.yaml", &app.replace("namespace: shop}", "namespace: prod}"));
    forge.sandbox.write("apps/prod-project.yaml", &declared("prod", "", ""));
    let server = forge.serve(&["apps", "--policy", "policy.csv"], SHOP, &[]);
    let cluster = server.cluster();
    for name in ["shop", "prod"] {
        server.until(&cluster, &application(name), |it| it.str_at("/status/health/status") == Some("Healthy"));
    }
    let token = |role: &str| {
        let name = role.replace(':', "-");
        let words = ["token", "create", &name, "--role", role, "--scope", "read", "-o", "name"];
        forge.sandbox.run(&words).exits(0).stdout.trim().to_owned()
    };
    let url = format!("http://{}", server.address);
    let logs = |token: &str, name: &str| {
        let mut command = forge.sandbox.command(&["app", "logs", name, "--server", &url]);
        super::super::sandbox::ran(command.env("LANDFALL_TOKEN", token).output().expect("the binary runs"))
    };
    let (nonprod, owner) = (token("role:nonprod"), token("role:owner"));
    for name in ["shop", "prod"] {
        logs(&owner, name).exits(0).says("container app is simulated");
        forge.sandbox.run(&["app", "logs", name]).exits(0).says("container app is simulated");
    }
    logs(&nonprod, "shop").exits(0).says("container app is simulated");
    let refused = logs(&nonprod, "prod").says("LF0745");
    assert!(refused.code != 0 && !refused.all().contains("container app is simulated"), "{}", refused.all());
}
