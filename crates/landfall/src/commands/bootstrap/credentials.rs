//! The forge's token, where the server looks for it: a Secret in the form that Argo CD gives repositories.

use std::io::Read as _;

use landfall_cluster::{Cluster, WriteOptions};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::{Failure, Hosting, Place};
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::json;

use crate::context::Context;

/// Where Applications, and so their repositories' Secrets, live.
const NAMESPACE: &str = "argocd";
/// How long a token may be.
const LONGEST: u64 = 64 * 1024;

/// The token, of standard input: an argument could be read by everybody on the machine.
///
/// # Errors
/// Nothing comes, or too much.
pub(super) fn token_of_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST).read_to_string(&mut text);
    let token = text.trim();
    match read {
        Ok(_) if !token.is_empty() && token.lines().count() == 1 => Ok(token.to_owned()),
        _ => Err(Failure::usage(
            Diagnostic::error(code::NOT_GIVEN, "--token-stdin: standard input holds no token")
                .note("nothing was begun"),
        )),
    }
}

/// Writes a Secret for each repository.
///
/// # Errors
/// What the cluster refuses with.
pub(super) async fn written(
    context: &Context,
    place: &Place,
    repositories: &[String],
    user: &str,
    token: &str,
) -> Result<(), Failure> {
    let hosting = if context.host.env.is_ci() { Hosting::InProcess } else { Hosting::Background };
    let mut connection = context.host.connect(place, hosting, &[]).await?;
    let mut outcome = Ok(());
    for repository in repositories {
        outcome = put(&connection.cluster, repository, user, token).await.map_err(Failure::from);
        if outcome.is_err() {
            break;
        }
        context.ui.status(&format!("  the server may read {}", landfall_diag::without_passwords(repository)));
    }
    connection.close().await;
    outcome
}

async fn put(cluster: &Cluster, repository: &str, user: &str, token: &str) -> Result<(), Diagnostic> {
    let options = WriteOptions { field_manager: Some("landfall".to_owned()), ..WriteOptions::default() };
    let namespace = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, NAMESPACE);
    if cluster.get(&namespace).await.map_err(|error| error.diagnose())?.is_none() {
        match cluster.create(&Object::new(&namespace), &options).await {
            Ok(_) => {}
            Err(error) if error.is_already_exists() => {}
            Err(error) => return Err(error.diagnose()),
        }
    }
    let name = format!("landfall-repository-{}", landfall_delivery::slug(repository));
    let name: String = name.chars().take(63).collect();
    let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(NAMESPACE), name.trim_end_matches(['-', '.']));
    let found = cluster.get(&key).await.map_err(|error| error.diagnose())?;
    let mut object = found.clone().unwrap_or_else(|| Object::new(&key));
    object.map_mut().insert("type".to_owned(), json!("Opaque"));
    object.map_mut().insert(
        "stringData".to_owned(),
        json!({"type": "git", "url": repository, "username": user, "password": token}),
    );
    object.metadata_mut().insert("labels".to_owned(), json!({"argocd.argoproj.io/secret-type": "repository"}));
    let written = match found {
        Some(_) => cluster.replace(&object, &options).await,
        None => cluster.create(&object, &options).await,
    };
    written.map(drop).map_err(|error| error.diagnose())
}
