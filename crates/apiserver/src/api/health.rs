//! `/version`, health, metrics, OpenAPI and what else lies outside the API groups.

use std::sync::Arc;

use serde_json::json;

use super::Call;
use super::answer::Answer;
use crate::openapi;
use crate::plane::Plane;
use crate::status::Status;

/// The checks that `?verbose` lists.
const CHECKS: [&str; 4] = ["ping", "log", "etcd", "informer-sync"];

pub(crate) fn other(plane: &Arc<Plane>, call: &Call, path: &str) -> Result<Answer, Status> {
    match path.trim_end_matches('/') {
        "/version" => Ok(version(plane)),
        "/healthz" | "/livez" | "/readyz" => Ok(health(call, path)),
        path if path.starts_with("/healthz/") || path.starts_with("/livez/") || path.starts_with("/readyz/") => {
            Ok(Answer::text(200, "ok"))
        }
        "/metrics" => Ok(metrics(plane)),
        "/openapi/v3" => Ok(openapi::index(plane, call)),
        "/openapi/v2" => openapi::v2(plane, call),
        path if path.starts_with("/openapi/v3/") => Ok(openapi::document(plane, call, &path["/openapi/v3/".len()..])),
        "/.well-known/openid-configuration" => Ok(Answer::json(
            200,
            &json!({
                "issuer": "https://kubernetes.default.svc",
                "jwks_uri": "https://kubernetes.default.svc/openid/v1/jwks",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            }),
        )),
        "/openid/v1/jwks" => {
            let keys = plane.credentials.verifying_keys().map_err(Status::internal)?;
            Ok(Answer { content_type: "application/jwk-set+json", ..Answer::json(200, &keys) })
        }
        "" => Ok(root(plane)),
        _ => Ok(Answer::text(404, "404 page not found\n")),
    }
}

/// All paths there are.
fn root(plane: &Plane) -> Answer {
    let registry = plane.world.lock().registry().clone();
    let fixed = [
        "/.well-known/openid-configuration",
        "/api",
        "/api/v1",
        "/apis",
        "/apis/",
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/openapi/v3/",
        "/openid/v1/jwks",
        "/readyz",
        "/version",
    ];
    let mut paths: Vec<String> = fixed.map(str::to_owned).to_vec();
    for group in registry.groups().iter().filter(|group| !group.is_empty()) {
        paths.push(format!("/apis/{group}"));
        paths.extend(registry.versions(group).iter().map(|version| format!("/apis/{group}/{version}")));
    }
    paths.sort();
    Answer::json(200, &json!({"paths": paths}))
}

fn version(plane: &Plane) -> Answer {
    let schemas = plane.schemas();
    let release = schemas.kubernetes_version();
    let mut numbers = release.split('.');
    let (major, minor) = (numbers.next().unwrap_or("1"), numbers.next().unwrap_or("0"));
    let before = minor.parse::<u32>().map_or_else(|_| minor.to_owned(), |minor| minor.saturating_sub(1).to_string());
    Answer::json(
        200,
        &json!({
            "major": major,
            "minor": minor,
            "emulationMajor": major,
            "emulationMinor": minor,
            "minCompatibilityMajor": major,
            "minCompatibilityMinor": before,
            "gitVersion": format!("v{release}+landfall"),
            "gitCommit": "",
            "gitTreeState": "",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "rustc",
            "platform": format!("{}/{}", std::env::consts::OS, architecture()),
        }),
    )
}

/// The architecture in Go's words.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn health(call: &Call, path: &str) -> Answer {
    if !call.query.has("verbose") {
        return Answer::text(200, "ok");
    }
    let mut text = String::new();
    for check in CHECKS {
        text.push_str(&format!("[+]{check} ok\n"));
    }
    text.push_str(&format!("{} check passed\n", path.trim_matches('/')));
    Answer::text(200, text)
}

fn metrics(plane: &Plane) -> Answer {
    let world = plane.world.lock();
    let mut text = String::from("# TYPE landfall_cluster_resource_version counter\n");
    text.push_str(&format!("landfall_cluster_resource_version {}\n", world.version()));
    text.push_str("# TYPE apiserver_storage_objects gauge\n");
    let ids: Vec<_> = world.registry().all_stored().map(|resource| resource.id.clone()).collect();
    for id in ids {
        text.push_str(&format!("apiserver_storage_objects{{resource=\"{id}\"}} {}\n", world.count(&id)));
    }
    text.push_str("# TYPE apiserver_request_total counter\n");
    text.push_str(&format!("apiserver_request_total {}\n", plane.activity.total()));
    let mut answer = Answer::text(200, text);
    answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    answer
}
