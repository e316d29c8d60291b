use serde_json::{Value, json};

use super::super::fields::{condition, text};
use super::Stage;

const SERVERS: &str = "mariadbs.k8s.mariadb.com";
const DATABASES: &str = "databases.k8s.mariadb.com";
const USERS: &str = "users.k8s.mariadb.com";
const GRANTS: &str = "grants.k8s.mariadb.com";

fn stage() -> Stage {
    let mut stage = Stage::plain();
    for definition in landfall_object::operators::definitions("k8s.mariadb.com") {
        stage.create("customresourcedefinitions.apiextensions.k8s.io", definition);
    }
    stage.rest();
    stage
}

fn server(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "image": "mariadb:11", "storage": {"size": "1Gi"},
        "rootPasswordSecretKeyRef": {"name": format!("{name}-root"), "key": "password", "generate": true}}})
}

fn statements(stage: &mut Stage, server: &str) {
    let on = json!({"name": server});
    stage.create(
        GRANTS,
        json!({"metadata": {"name": "app-all"}, "spec": {
        "mariaDbRef": on, "privileges": ["ALL PRIVILEGES"], "database": "shop", "table": "*", "username": "app"}}),
    );
    stage.create(
        USERS,
        json!({"metadata": {"name": "app"}, "spec": {
        "mariaDbRef": on, "passwordSecretKeyRef": {"name": "app-secrets", "key": "DB_PASSWORD"}, "host": "%"}}),
    );
    stage.create(DATABASES, json!({"metadata": {"name": "shop"}, "spec": {"mariaDbRef": on, "cleanupPolicy": "Skip"}}));
}

fn ready(stage: &Stage, resource: &str, name: &str) -> String {
    let object = stage.find(resource, name);
    condition(&object, "Ready").map_or_else(
        || "nothing".to_owned(),
        |c| format!("{} {}: {}", text(c, "/status"), text(c, "/reason"), text(c, "/message")),
    )
}

#[test]
fn ez_009_ez_040_a_server_gets_ready_then_its_database_user_and_grant_in_that_order() {
    let mut stage = stage();
    statements(&mut stage, "db");
    stage.rest();
    assert_eq!(ready(&stage, DATABASES, "shop"), "False Failed: MariaDB not found");
    stage.create(SERVERS, server("db"));
    stage.rest();
    assert_eq!(ready(&stage, SERVERS, "db"), "False StatefulSetNotReady: Not ready");
    stage.pass(60);
    assert_eq!(ready(&stage, SERVERS, "db"), "True StatefulSetReady: Running");
    assert_eq!(ready(&stage, DATABASES, "shop"), "True Created: Created");
    assert_eq!(
        ready(&stage, GRANTS, "app-all"),
        "False Failed: Error creating app-all: error granting privileges in MariaDB: Error 1133 (28000): Can't find \
         any matching row in the user table"
    );
    stage.create("secrets", json!({"metadata": {"name": "app-secrets"}, "data": {"DB_PASSWORD": "eA=="}}));
    stage.rest();
    assert_eq!(ready(&stage, USERS, "app"), "True Created: Created");
    assert_eq!(ready(&stage, GRANTS, "app-all"), "True Created: Created");
    let versions: Vec<u64> = [(DATABASES, "shop"), (USERS, "app"), (GRANTS, "app-all")]
        .map(|(resource, name)| stage.find(resource, name).version())
        .to_vec();
    assert!(versions.is_sorted(), "{versions:?}");
}

#[test]
fn ez_039_a_user_whose_secret_lacks_the_key_is_not_ready_and_says_which() {
    let mut stage = stage();
    stage.create(SERVERS, server("db"));
    statements(&mut stage, "db");
    stage.pass(60);
    let why = "False Failed: Error creating app: error reading user password secret: ";
    assert_eq!(ready(&stage, USERS, "app"), format!("{why}Secret \"app-secrets\" not found"));
    stage.create("secrets", json!({"metadata": {"name": "app-secrets"}, "data": {"OTHER": "eA=="}}));
    stage.rest();
    assert_eq!(ready(&stage, USERS, "app"), format!("{why}secret key \"DB_PASSWORD\" not found"));
    assert_eq!(stage.find(USERS, "app")["spec"]["maxUserConnections"], 10, "defaulted as by the operator");
}

#[test]
fn a_server_has_its_own_secret_services_and_volume() {
    let mut stage = stage();
    stage.create(SERVERS, server("db"));
    stage.pass(60);
    for (resource, names) in [
        ("secrets", &["db-root", "internal-db"][..]),
        ("services", &["db", "db-internal"]),
        ("statefulsets.apps", &["db"]),
        ("persistentvolumeclaims", &["storage-db-0"]),
        (USERS, &["db-mariadb-sys"]),
        (GRANTS, &["db-mariadb-sys-global-priv"]),
    ] {
        assert_eq!(stage.names(resource), names, "{resource}");
    }
    let status = stage.find(SERVERS, "db")["status"].clone();
    assert_eq!((status["currentPrimary"].as_str(), status["replicas"].as_i64()), (Some("db-0"), Some(1)));
    stage.change(SERVERS, "db", |db| db["spec"]["replicas"] = json!(2));
    stage.pass(60);
    assert_eq!(stage.find("statefulsets.apps", "db")["status"]["readyReplicas"], 2);
}

#[test]
fn a_root_password_that_nobody_made_keeps_the_server_from_starting() {
    let mut stage = stage();
    let mut written = server("db");
    written["spec"]["rootPasswordSecretKeyRef"]["generate"] = json!(false);
    stage.create(SERVERS, written);
    stage.pass(60);
    assert_eq!(
        ready(&stage, SERVERS, "db"),
        "False Failed: Error reconciling Secret: error reconciling password Secret: Secret \"db-root\" not found"
    );
    assert!(stage.names("statefulsets.apps").is_empty());
    stage.create("secrets", json!({"metadata": {"name": "db-root"}, "data": {"password": "eA=="}}));
    stage.pass(60);
    assert_eq!(ready(&stage, SERVERS, "db"), "True StatefulSetReady: Running");
}

#[test]
fn an_initial_database_has_its_user_and_grant() {
    let mut stage = stage();
    let mut written = server("db");
    written["spec"]["database"] = json!("shop");
    written["spec"]["username"] = json!("app");
    stage.create(SERVERS, written);
    stage.pass(60);
    assert_eq!(ready(&stage, DATABASES, "db-database"), "True Created: Created");
    assert_eq!(ready(&stage, GRANTS, "db-user-all"), "True Created: Created");
    assert!(stage.names("secrets").contains(&"db-password".to_owned()));
}

#[test]
fn what_is_deleted_is_dropped_unless_it_is_to_be_kept() {
    let mut stage = stage();
    stage.create(SERVERS, server("db"));
    statements(&mut stage, "db");
    stage.create("secrets", json!({"metadata": {"name": "app-secrets"}, "data": {"DB_PASSWORD": "eA=="}}));
    stage.pass(60);
    stage.delete(DATABASES, "shop", "shop");
    stage.delete(USERS, "shop", "app");
    stage.rest();
    assert!(stage.names(DATABASES).is_empty() && !stage.names(USERS).contains(&"app".to_owned()));
    let said = |about: &str| stage.events(about).iter().filter(|e| e.starts_with("CleanedUp")).cloned().collect();
    let (database, user): (Vec<String>, Vec<String>) = (said("shop"), said("app"));
    assert_eq!(database, [""; 0]);
    assert_eq!(user, ["CleanedUp user 'app'@'%' dropped (simulated)"]);
}
