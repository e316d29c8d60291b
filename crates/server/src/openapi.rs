//! The document that describes the API, made from its routes and its types.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::api::{
    Accepted, AuditLine, Changed, Credentials, DeleteWish, Detail, Diff, EventEntry, EvidenceLine, HistoryEntry,
    HoldLine, HoldWish, JobCredentials, JobToken, Kind, LedgerLine, Listing, LogEntry, NewPassword, PauseWish, PinWish,
    PolicyWish, Problem, PromotionLine, PromotionNote, RefreshWish, RollbackWish, SessionLine, SyncWish, VersionLine,
    Why,
};
use crate::routes::{Door, Entry, Inside, Open, Own, ROUTES, Route};

/// The document, OpenAPI 3.1.
pub(crate) fn document(root: &str) -> Value {
    let mut generator = generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter() {
        let described = operation(route, &mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = described;
    }
    add_fleet(crate::fleet::described(), &mut paths, &mut generator);
    let about = "Applications that are kept in sync with git. Fields are only ever added.";
    framed(about, root, (paths, generator))
}

/// The document of a server that is the fleet's alone.
pub(crate) fn document_of_fleet() -> Value {
    let (mut generator, mut paths) = (generator(), Map::new());
    add_fleet(crate::fleet::described_alone(), &mut paths, &mut generator);
    framed("Edges that are brought to releases. Fields are only ever added.", "", (paths, generator))
}

/// What a policy has to say for it.
fn roles_of(need: crate::actor::Need) -> String {
    let words: Vec<String> =
        need.permission.words().map(|(resource, action)| format!("{resource}, {action}")).collect();
    words.join(" or ")
}

fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    settings.into_generator()
}

fn add_fleet(
    routes: impl Iterator<Item = crate::fleet::Described>,
    paths: &mut Map<String, Value>,
    generator: &mut SchemaGenerator,
) {
    for (method, route, about, need) in routes {
        let path = paths.entry(route).or_insert_with(|| json!({}));
        path[method.to_lowercase()] = of_fleet((method, route, about), need, generator);
    }
}

/// Paths as a document, with all that they refer to.
fn framed(about: &str, root: &str, (paths, mut generator): (Map<String, Value>, SchemaGenerator)) -> Value {
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Landfall",
            "version": landfall_host::VERSION,
            "description": about,
        },
        "servers": [{"url": if root.is_empty() { "/" } else { root }}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "landfall token create NAME --scope read"},
                "session": {"type": "apiKey", "in": "cookie", "name": crate::gate::COOKIE},
                "edge": {"type": "http", "scheme": "bearer", "description": "an enrollment token, or an edge's credential"},
                "signature": {"type": "apiKey", "in": "header", "name": "X-Hub-Signature-256"},
            },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = ["namespace", "name"]
        .into_iter()
        .filter(|part| route.path.contains(&format!("{{{part}}}")))
        .map(|part| json!({"name": part, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    let (security, scope) = match route.door {
        Door::Open(_) | Door::Entry(_) => (json!([]), None),
        Door::Signed => (json!([{"signature": []}]), None),
        Door::Own(_) => (json!([{"token": []}, {"session": []}]), None),
        Door::Token(need, _) => (json!([{"token": []}, {"session": []}]), Some(need)),
    };
    let mut described = json!({"summary": route.about, "operationId": id(route), "security": security});
    if let Some(need) = scope {
        described["x-landfall-scope"] = need.permission.scope.word().into();
        described["x-landfall-role"] = roles_of(need).into();
    }
    let mut answers = Map::new();
    let answer = match route.door {
        Door::Open(Open::Version) => {
            let schema =
                json!({"type": "object", "properties": {"name": {"type": "string"}, "version": {"type": "string"}}});
            json!({"application/json": {"schema": schema}})
        }
        Door::Open(_) | Door::Signed => json!({"text/plain": {"schema": {"type": "string"}}}),
        Door::Entry(Entry::IssuerBegin | Entry::IssuerBack) => json!({"text/html": {"schema": {"type": "string"}}}),
        Door::Entry(Entry::SignIn) => {
            let body = schema::<Credentials>(generator);
            described["requestBody"] = json!({"content": {"application/json": {"schema": body}}});
            json!({"application/json": {"schema": schema::<SessionLine>(generator)}})
        }
        Door::Entry(Entry::Job) => {
            let body = schema::<JobCredentials>(generator);
            described["requestBody"] = json!({"content": {"application/json": {"schema": body}}});
            json!({"application/json": {"schema": schema::<JobToken>(generator)}})
        }
        Door::Own(own) => {
            if own == Own::Password {
                let body = schema::<NewPassword>(generator);
                described["requestBody"] = json!({"content": {"application/json": {"schema": body}}});
            }
            json!({"application/json": {"schema": schema::<SessionLine>(generator)}})
        }
        Door::Token(_, Inside::Metrics) => json!({"text/plain": {"schema": {"type": "string"}}}),
        Door::Token(_, Inside::Status) => json!({"text/html": {"schema": {"type": "string"}}}),
        Door::Token(_, Inside::OpenApi) => json!({"application/json": {"schema": {"type": "object"}}}),
        Door::Token(_, Inside::Stream) => {
            let header = json!({"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}});
            parameters.push(header);
            json!({"text/event-stream": {"schema": schema::<Changed>(generator)}})
        }
        Door::Token(_, Inside::Asked(kind)) => {
            parameters.extend(kind.query().iter().map(|(name, about)| {
                json!({"name": name, "in": "query", "description": about, "schema": {"type": "string"}})
            }));
            if let Some(body) = body(kind, generator) {
                described["requestBody"] = json!({"content": {"application/json": {"schema": body}}});
            }
            json!({"application/json": {"schema": answer(kind, generator)}})
        }
    };
    let status =
        if matches!(route.door, Door::Token(_, Inside::Asked(kind)) if kind.changes()) { "202" } else { "200" };
    answers.insert(status.to_owned(), json!({"description": "That is it.", "content": answer}));
    if !matches!(route.door, Door::Open(_) | Door::Signed) {
        let problem = json!({"application/json": {"schema": schema::<Problem>(generator)}});
        for (status, about) in [
            ("401", "Nobody is known: no token, password or session, or none that is good."),
            ("403", "It is not for whoever asks."),
            ("default", "It is not done, and why."),
        ] {
            answers.insert(status.to_owned(), json!({"description": about, "content": problem}));
        }
    }
    described["responses"] = Value::Object(answers);
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    described
}

/// A route of the edge's server.
fn of_fleet(
    (method, path, about): (&'static str, &'static str, &'static str),
    need: Option<crate::actor::Need>,
    generator: &mut SchemaGenerator,
) -> Value {
    let route = Route { method, path, door: Door::Signed, about };
    let security = match need {
        Some(_) => json!([{"token": []}, {"session": []}]),
        None => json!([{"edge": []}]),
    };
    let mut described = json!({"summary": about, "operationId": id(&route), "security": security});
    if let Some(need) = need {
        described["x-landfall-scope"] = need.permission.scope.word().into();
        described["x-landfall-role"] = roles_of(need).into();
    }
    let parameters: Vec<Value> = ["name", "action"]
        .into_iter()
        .filter(|part| path.contains(&format!("{{{part}}}")))
        .map(|part| json!({"name": part, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    let body = match (method, path) {
        ("POST", "/api/v1/edge/tokens") => Some(schema::<crate::fleet::NewToken>(generator)),
        ("POST", "/api/v1/edge/releases") => Some(schema::<crate::fleet::NewRelease>(generator)),
        ("POST", "/api/v1/edge/campaigns" | "/api/v1/edge/campaigns/preview") => {
            Some(schema::<crate::fleet::NewCampaign>(generator))
        }
        _ => None,
    };
    if let Some(body) = body {
        described["requestBody"] = json!({"content": {"application/json": {"schema": body}}});
    }
    let kind = match path {
        "/edges" => "text/html",
        "/metrics" => "text/plain",
        "/api/v1/edge/stream" => "text/event-stream",
        "/edge/v1/artifacts/{name}/{action}" => "application/octet-stream",
        "/api/v1/edge/artifacts/{name}" if method == "GET" => "application/octet-stream",
        _ => "application/json",
    };
    let well = if path.starts_with("/internal/") || path == "/edge/v1/enroll" { "201" } else { "200" };
    let mut answers = json!({well: {"description": "That is it.", "content": {kind: {"schema": {}}}}});
    if need.is_some() {
        let problem = json!({"application/json": {"schema": schema::<Problem>(generator)}});
        for (status, about) in [
            ("401", "Nobody is known: no token, password or session, or none that is good."),
            ("403", "It is not for whoever asks."),
            ("default", "It is not done, and why."),
        ] {
            answers[status] = json!({"description": about, "content": problem});
        }
    }
    described["responses"] = answers;
    described
}

fn id(route: &Route) -> String {
    let words = route.path.split(['/', '{', '}', '.', '-']).filter(|word| !word.is_empty());
    let path: Vec<&str> = words.filter(|word| !matches!(*word, "api" | "v1" | "namespace")).collect();
    format!("{}-{}", route.method.to_lowercase(), if path.is_empty() { "page".to_owned() } else { path.join("-") })
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn body(kind: Kind, generator: &mut SchemaGenerator) -> Option<Value> {
    Some(match kind {
        Kind::Sync => schema::<SyncWish>(generator),
        Kind::Rollback => schema::<RollbackWish>(generator),
        Kind::Refresh => schema::<RefreshWish>(generator),
        Kind::Pin => schema::<PinWish>(generator),
        Kind::Policy => schema::<PolicyWish>(generator),
        Kind::Pause => schema::<PauseWish>(generator),
        Kind::Delete => schema::<DeleteWish>(generator),
        Kind::Publish => schema::<Vec<LedgerLine>>(generator),
        Kind::Witness => schema::<Vec<EvidenceLine>>(generator),
        Kind::Hold => schema::<HoldWish>(generator),
        Kind::Promote => schema::<PromotionNote>(generator),
        _ => return None,
    })
}

fn answer(kind: Kind, generator: &mut SchemaGenerator) -> Value {
    match kind {
        Kind::List => schema::<Listing>(generator),
        Kind::Get => schema::<Detail>(generator),
        Kind::Diff => schema::<Diff>(generator),
        Kind::Explain => schema::<Why>(generator),
        Kind::Events => schema::<Vec<EventEntry>>(generator),
        Kind::History => schema::<Vec<HistoryEntry>>(generator),
        Kind::Logs => schema::<Vec<LogEntry>>(generator),
        Kind::Audit => schema::<Vec<AuditLine>>(generator),
        Kind::Ledger | Kind::Publish => schema::<Vec<LedgerLine>>(generator),
        Kind::Evidence => schema::<Vec<EvidenceLine>>(generator),
        Kind::Witness => schema::<usize>(generator),
        Kind::Holds => schema::<Vec<HoldLine>>(generator),
        Kind::Hold => schema::<HoldLine>(generator),
        Kind::Promotions => schema::<Vec<PromotionLine>>(generator),
        Kind::Promote => schema::<PromotionLine>(generator),
        Kind::VersionCheck | Kind::VersionNext => schema::<VersionLine>(generator),
        Kind::Sync
        | Kind::Rollback
        | Kind::Refresh
        | Kind::Terminate
        | Kind::Pin
        | Kind::Policy
        | Kind::Pause
        | Kind::Delete => schema::<Accepted>(generator),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|inner| references(inner, found));
            }
            Value::Array(list) => list.iter().for_each(|inner| references(inner, found)),
            _ => {}
        }
    }

    #[test]
    fn every_route_is_described_and_every_reference_leads_somewhere() {
        let document = document("");
        for route in ROUTES.iter() {
            let described = &document["paths"][route.path][route.method.to_lowercase()];
            assert!(described["responses"].is_object(), "{} {}", route.method, route.path);
            let ways = match route.door {
                Door::Open(_) | Door::Entry(_) => 0,
                Door::Signed => 1,
                Door::Own(_) | Door::Token(..) => 2,
            };
            assert_eq!(described["security"].as_array().map(Vec::len), Some(ways), "{}", route.path);
        }
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        let ids: std::collections::BTreeSet<String> = ROUTES.iter().map(id).collect();
        assert_eq!(ids.len(), ROUTES.len(), "{ids:?}");
    }

    #[test]
    fn the_document_has_the_types_fields() {
        let document = document("");
        let line = &document["components"]["schemas"]["Line"]["properties"];
        assert_eq!(line["target_revision"]["type"], "string", "{line:#}");
        let wish = &document["components"]["schemas"]["SyncWish"];
        assert_eq!(wish["additionalProperties"], false, "{wish:#}");
        let sync = &document["paths"]["/api/v1/applications/{namespace}/{name}/sync"]["post"];
        assert_eq!(sync["x-landfall-scope"], "sync");
    }
}
