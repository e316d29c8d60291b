//! What kubeconfigs of an account may do in production, asked of the API that they lead to.

use landfall_cluster::{Cluster, WriteOptions};
use landfall_doctor::{FoundKubeconfig, Kubeconfigs, Machine, Observation, RightsAnswer};
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::json;

use super::Sick;
use super::outside::Production;

/// Asks for each context that says nothing of production what it may change in each namespace of production.
pub(super) async fn ask(sick: &Sick<'_>, machine: &Machine, production: &Production) -> Vec<Observation> {
    let names = production.names();
    let mut seen = Vec::new();
    for found in Kubeconfigs::of(machine).into_iter().flat_map(|all| all.found) {
        for context in found.silent_contexts(&names) {
            for namespace in &production.namespaces {
                let asking = rights(sick, &found, &context, namespace);
                // Connecting, looking and asking, each with its time.
                let answer = tokio::time::timeout(sick.patience * 3, asking)
                    .await
                    .unwrap_or_else(|_| RightsAnswer::NotAsked("its server did not answer in time".to_owned()));
                seen.push(found.rights(&context, namespace, &answer));
            }
        }
    }
    seen
}

async fn rights(sick: &Sick<'_>, found: &FoundKubeconfig, context: &str, namespace: &str) -> RightsAnswer {
    let client = match landfall_host::client_of(&found.config, context, sick.patience).await {
        Ok(client) => client,
        Err(why) => return RightsAnswer::NotAsked(why),
    };
    let cluster = Cluster::new(client);
    let place = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, namespace);
    match cluster.get(&place).await {
        Ok(None) => return RightsAnswer::NoNamespace,
        // Who may not look may be allowed to change all the same.
        Err(error) if error.code() != Some(403) => return RightsAnswer::NotAsked(error.to_string()),
        Ok(Some(_)) | Err(_) => {}
    }
    let review = Object::from_value(json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace},
    }));
    match review {
        Ok(review) => match cluster.create(&review, &WriteOptions::default()).await {
            Ok(answer) => RightsAnswer::Review(answer.into_value()),
            Err(error) => RightsAnswer::NotAsked(error.to_string()),
        },
        Err(error) => RightsAnswer::NotAsked(error.to_string()),
    }
}
