//! Every route, and every kind of somebody who may ask for it. A route that the table does not name fails the test.

use std::sync::Arc;

use ::http::{HeaderMap, Method, header};
use landfall_engine::WallClock;
use landfall_store::{AccountRow, Location, Store, TokenRow};

use super::{Door, ROUTES};
use crate::accounts::{ADMIN, Accounts, Roles, Who};
use crate::fleet::routes as fleet;
use crate::gate::{COOKIE, Gate, OWN_PAGE, Token};

/// Two projects; one of them is the production of a small team.
const POLICY: &str = "p, role:nonprod, applications, get, */*, allow
p, role:nonprod, applications, sync, test/*, allow
p, role:nonprod, logs, get, test/*, allow
p, role:nonprod, promotions, witness, test/*, allow
p, role:promoter, promotions, create, prod/*, allow
p, role:owner, applications, *, */*, allow
p, role:owner, logs, get, */*, allow
p, role:owner, promotions, *, */*, allow
p, role:owner, edges, *, *, allow
g, deploy, role:nonprod
g, sebastian, role:owner
";

/// Who asks, in the order of the table's columns.
const SUBJECTS: [&str; 11] = [
    "nobody",
    "whoever runs it",
    "a token that reads",
    "a token that syncs one project",
    "a token for role:nonprod",
    "a token for role:promoter",
    "a token for no role that there is",
    "deploy, signed in",
    "sebastian, signed in",
    "admin, signed in",
    "admin with the first password",
];

/// `o` open to everybody, `s` signed by a forge, `y` let in, `4` 401, `3` 403.
const TABLE: &[(&str, &str, &str)] = &[
    ("GET", "/healthz", "ooooooooooo"),
    ("GET", "/readyz", "ooooooooooo"),
    ("GET", "/version", "ooooooooooo"),
    ("POST", "/api/webhook", "sssssssssss"),
    ("POST", "/api/v1/session", "ooooooooooo"),
    ("GET", "/api/v1/session/issuer", "ooooooooooo"),
    ("GET", "/api/v1/session/issuer/back", "ooooooooooo"),
    ("POST", "/api/v1/session/job", "ooooooooooo"),
    ("GET", "/api/v1/session", "4yyyyyyyyyy"),
    ("POST", "/api/v1/session/end", "4yyyyyyyyyy"),
    ("POST", "/api/v1/session/password", "4yyyyyyyyyy"),
    ("GET", "/metrics", "4yy333333y3"),
    ("GET", "/", "4yy3y33yyy3"),
    ("GET", "/api/v1/openapi.json", "4yy3y33yyy3"),
    ("GET", "/api/v1/stream", "4yy3y33yyy3"),
    ("GET", "/api/v1/audit", "4yy333333y3"),
    ("GET", "/api/v1/applications", "4yy3y33yyy3"),
    ("GET", "/api/v1/applications/{namespace}/{name}", "4yy3y33yyy3"),
    ("GET", "/api/v1/applications/{namespace}/{name}/diff", "4yy3y33yyy3"),
    ("GET", "/api/v1/applications/{namespace}/{name}/explain", "4yy3y33yyy3"),
    ("GET", "/api/v1/applications/{namespace}/{name}/events", "4yy3y33yyy3"),
    ("GET", "/api/v1/applications/{namespace}/{name}/history", "4yy3y33yyy3"),
    ("GET", "/api/v1/applications/{namespace}/{name}/logs", "4yy3y33yyy3"),
    ("POST", "/api/v1/applications/{namespace}/{name}/sync", "4y3yy33yyy3"),
    ("POST", "/api/v1/applications/{namespace}/{name}/rollback", "4y3yy33yyy3"),
    ("POST", "/api/v1/applications/{namespace}/{name}/refresh", "4y3yy33yyy3"),
    ("POST", "/api/v1/applications/{namespace}/{name}/terminate", "4y3yy33yyy3"),
    ("POST", "/api/v1/applications/{namespace}/{name}/pin", "4y3yy33yyy3"),
    ("POST", "/api/v1/applications/{namespace}/{name}/policy", "4y333333yy3"),
    ("POST", "/api/v1/applications/{namespace}/{name}/pause", "4y333333yy3"),
    ("POST", "/api/v1/applications/{namespace}/{name}/delete", "4y333333yy3"),
    ("GET", "/api/v1/ledger", "4yy3yy3yyy3"),
    ("GET", "/api/v1/evidence", "4yy3yy3yyy3"),
    ("GET", "/api/v1/holds", "4yy3yy3yyy3"),
    ("GET", "/api/v1/promotions", "4yy3yy3yyy3"),
    ("GET", "/api/v1/versions/check", "4yy3yy3yyy3"),
    ("GET", "/api/v1/versions/next", "4yy3yy3yyy3"),
    ("POST", "/api/v1/ledger", "4y3yyy3yyy3"),
    ("POST", "/api/v1/evidence", "4y3yy33yyy3"),
    ("POST", "/api/v1/holds", "4y3y3333yy3"),
    ("POST", "/api/v1/promotions", "4y3y3y33yy3"),
];

/// What is then still asked of an Application, one of `test` and one of `prod`: `y`, or `-` where it must not.
const APPLICATIONS: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/applications/{namespace}/{name}", "-yy-y--yyy-|-yy-y--yyy-"),
    ("GET", "/api/v1/applications/{namespace}/{name}/logs", "-yy-y--yyy-|-yy-----yy-"),
    ("POST", "/api/v1/applications/{namespace}/{name}/sync", "-y-yy--yyy-|-y------yy-"),
    ("POST", "/api/v1/applications/{namespace}/{name}/rollback", "-y-yy--yyy-|-y------yy-"),
    ("POST", "/api/v1/applications/{namespace}/{name}/refresh", "-y-yy--yyy-|-y--y--yyy-"),
    ("POST", "/api/v1/applications/{namespace}/{name}/terminate", "-y-yy--yyy-|-y------yy-"),
    ("POST", "/api/v1/applications/{namespace}/{name}/pin", "-y-yy--yyy-|-y------yy-"),
    ("POST", "/api/v1/applications/{namespace}/{name}/policy", "-y------yy-|-y------yy-"),
    ("POST", "/api/v1/applications/{namespace}/{name}/pause", "-y------yy-|-y------yy-"),
    ("POST", "/api/v1/applications/{namespace}/{name}/delete", "-y------yy-|-y------yy-"),
    // Of promotions the environment stands where the project does.
    ("POST", "/api/v1/evidence", "-y-yy--yyy-|-y------yy-"),
    ("POST", "/api/v1/promotions", "-y-y----yy-|-y---y--yy-"),
];

struct World {
    gate: Gate,
    /// What each of them sends along.
    sent: Vec<HeaderMap>,
}

async fn world() -> World {
    let store = Store::open(Location::Memory).await.expect("opened");
    let local = Token::random().expect("random");
    let accounts = Arc::new(Accounts::new(store.accounts.clone(), Arc::new(WallClock)));
    let roles = Arc::new(Roles::new(Some(POLICY.to_owned())).expect("a policy"));
    let gate = Gate::new(store.tokens.clone(), Arc::new(WallClock), (accounts, roles), (&local, "local"));
    let mut sent = vec![HeaderMap::new(), bearer(&local)];
    for (scopes, project, role) in [
        (&["read"][..], "*", ""),
        (&["sync"], "test", ""),
        (&["read", "sync"], "*", "role:nonprod"),
        (&["read", "sync"], "*", "role:promoter"),
        (&["read", "sync"], "*", "role:unheard-of"),
    ] {
        let token = Token::random().expect("random");
        let row = TokenRow {
            id: token.id().to_owned(),
            name: "ci".to_owned(),
            digest: token.digest(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            projects: vec![project.to_owned()],
            paths: Vec::new(),
            role: role.to_owned(),
            issued_at: String::new(),
            issued_by: String::new(),
            expires_at: None,
            revoked_at: None,
            used_at: None,
        };
        store.tokens.issue(&row).await.expect("issued");
        sent.push(bearer(&token));
    }
    for (name, roles, must_change) in [
        ("deploy", vec![], false),
        ("sebastian", vec![], false),
        ("admin", vec![ADMIN], false),
        ("new", vec![ADMIN], true),
    ] {
        let roles: Vec<String> = roles.into_iter().map(str::to_owned).collect();
        let row = AccountRow {
            name: name.to_owned(),
            password: String::new(),
            must_change,
            roles: roles.clone(),
            created_at: String::new(),
            created_by: String::new(),
            disabled_at: None,
            signed_in_at: None,
            failed: 0,
            closed_until: None,
        };
        assert!(store.accounts.create(&row).await.expect("made"));
        let who = Who {
            session: String::new(),
            name: name.to_owned(),
            issuer: String::new(),
            roles,
            groups: Vec::new(),
            must_change,
            ends_at: String::new(),
        };
        let signed = gate.accounts().begin(who).await.expect("begun");
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("{COOKIE}={}", signed.secret).parse().expect("a header"));
        headers.insert(OWN_PAGE, "1".parse().expect("a header"));
        sent.push(headers);
    }
    World { gate, sent }
}

fn bearer(token: &Token) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, format!("Bearer {}", token.revealed()).parse().expect("a header"));
    headers
}

fn method(word: &str) -> Method {
    word.parse().expect("a method")
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let World { gate, sent } = world().await;
    assert_eq!(sent.len(), SUBJECTS.len());
    for route in ROUTES.iter() {
        let told = format!("{} {}", route.method, route.path);
        let row = TABLE.iter().find(|(method, path, _)| (*method, *path) == (route.method, route.path));
        let (.., expected) = row.unwrap_or_else(|| panic!("{told} is not in the table: who may come through it?"));
        let expected: Vec<char> = expected.chars().collect();
        assert_eq!(expected.len(), SUBJECTS.len(), "{told}");
        for ((headers, expected), subject) in sent.iter().zip(expected).zip(SUBJECTS) {
            let found = match route.door {
                Door::Open(_) | Door::Entry(_) => 'o',
                Door::Signed => 's',
                Door::Own(_) => letter(gate.known(&method(route.method), headers).await.map(drop)),
                Door::Token(need, _) => letter(gate.admit(&method(route.method), headers, need).await.map(drop)),
            };
            assert_eq!(found, expected, "{told}: {subject}");
        }
    }
    for (method, path, _) in TABLE {
        assert!(
            ROUTES.iter().any(|route| (route.method, route.path) == (*method, *path)),
            "{method} {path} is no route"
        );
    }
}

/// Of the fleet's: what devices ask, by credentials of their own, stands apart; all else looks or changes, for whoever may do so
/// with every edge.
#[tokio::test]
async fn every_route_of_the_fleet_lets_in_whom_it_should_and_nobody_else() {
    let World { gate, sent } = world().await;
    for route in &fleet::ROUTES {
        let told = format!("{} {}", route.method, route.path);
        let fleet::Door::Operator(need, _) = route.door else {
            assert!(
                ["/internal/edges/", "/edge/v1/"].iter().any(|front| route.path.starts_with(front)),
                "{told} is open"
            );
            continue;
        };
        let expected = if route.method == "GET" { "4yy33333yy3" } else { "4y333333yy3" };
        for ((headers, expected), subject) in sent.iter().zip(expected.chars()).zip(SUBJECTS) {
            let found = letter(gate.admit(&method(route.method), headers, need).await.map(drop));
            assert_eq!(found, expected, "{told}: {subject}");
        }
    }
}

fn letter(answer: Result<(), crate::gate::Refused>) -> char {
    match answer.map_err(|refused| refused.status.as_u16()) {
        Ok(()) => 'y',
        Err(401) => '4',
        Err(403) => '3',
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn se_44_of_an_application_everybody_may_what_their_roles_say_and_no_more() {
    let World { gate, sent } = world().await;
    for (verb, path, expected) in APPLICATIONS {
        let route = ROUTES.iter().find(|route| (route.method, route.path) == (*verb, *path)).expect("a route");
        let Door::Token(need, _) = route.door else { panic!("{verb} {path} is open") };
        let (test, prod) = expected.split_once('|').expect("two projects");
        for (project, expected) in [("test", test), ("prod", prod)] {
            assert_eq!(expected.len(), SUBJECTS.len(), "{verb} {path}");
            for ((headers, expected), subject) in sent.iter().zip(expected.chars()).zip(SUBJECTS) {
                let admitted = gate.admit(&method(verb), headers, need).await;
                let may = admitted.is_ok_and(|actor| actor.may(actor.asks(), (project, "argocd", "web")));
                assert_eq!(may, expected == 'y', "{verb} {path} of {project}: {subject}");
            }
        }
    }
}
