//! What is written outside of deliveries: by the server's controller of SealedSecrets, in a secret's declared life, for a database.

use std::collections::BTreeMap;
use std::future::Future;
use std::task::Poll;

use landfall_cluster::Patch;
use landfall_delivery::life::SecretWriter;
use landfall_object::{Gvk, ObjectKey};
use landfall_project::Secrets;
use landfall_secrets::{Declared, MANAGED, Masked};
use serde_json::json;

use super::super::ground::{KEY, NAME, Sequence, by_hand, told};
use super::{VALUES, sealed_secret};

/// Gives up what is done at a random point, as a process does that is killed: what it has asked for by then happens nevertheless.
async fn cut<F: Future>(sequence: &mut Sequence<'_>, work: F) -> Option<F::Output> {
    let mut left = if sequence.dice.percent(40) { 1 + sequence.dice.below(8) } else { usize::MAX };
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| {
        left -= 1;
        match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The server's controller deals with a SealedSecret, once or twice, perhaps killed meanwhile.
pub(super) async fn opened(sequence: &mut Sequence<'_>) -> String {
    if sequence.dice.percent(50) {
        let marked = json!({"metadata": {"annotations": {MANAGED: "true"}}});
        let _absent = sequence.patch_by_hand(&sequence.key(), marked).await;
    }
    let sealed = sealed_secret(sequence);
    let key = ObjectKey::new(Gvk::new("bitnami.com", "v1alpha1", "SealedSecret"), Some(&sequence.namespace), NAME);
    let cluster = sequence.ground.cluster.clone();
    let sealed = match cluster.patch(&key, &Patch::ForceApply(sealed), &by_hand()).await {
        Ok(sealed) => sealed,
        Err(error) => return format!("refused: {error}"),
    };
    let ground = sequence.ground;
    let keyring = &ground.keyring;
    let now = sequence.now();
    let mut said = Vec::new();
    for _ in 0..1 + sequence.dice.below(2) {
        let dealt = cut(sequence, landfall_server::open_sealed(&cluster, &sealed, keyring, now)).await;
        said.push(match dealt {
            None => "killed".to_owned(),
            Some(Ok(refusal)) => told(refusal.map(|refusal| refusal.said)),
            Some(Err(error)) => told(Some(error.to_string())),
        });
    }
    said.join(", again ")
}

/// `secrets set`, `rotate` and `pending --done` where no file holds the Secret; what was read may be older than what is there.
pub(super) async fn lived(sequence: &mut Sequence<'_>) -> String {
    let keys = json!({KEY: {"generate": {"random": 24}}, "OTHER": {"generate": {"random": 24}}});
    let declared = serde_json::from_value::<Secrets>(json!({"target": NAME, "keys": keys})).ok();
    let Some(Ok(declared)) = declared.map(|secrets| Declared::of(&secrets)) else {
        return "is not declared".to_owned();
    };
    let cluster = sequence.ground.cluster.clone();
    let namespace = sequence.namespace.clone();
    let live = if sequence.dice.percent(80) { sequence.secret().await } else { None };
    let writer = SecretWriter { cluster: &cluster, namespace: &namespace, declared: &declared };
    let which = if sequence.dice.percent(60) { KEY } else { "OTHER" };
    if sequence.dice.percent(30) {
        let dropped = cut(sequence, writer.drop_keys(live.as_ref(), &[which])).await;
        return dropped.map_or_else(
            || format!("drops {which}, killed"),
            |done| format!("drops {which} {}", told(done.err().map(|error| error.message))),
        );
    }
    let value = VALUES[sequence.dice.below(VALUES.len())];
    let values = BTreeMap::from([(which.to_owned(), Masked::from(value.as_bytes()))]);
    let written = cut(sequence, writer.write(live.as_ref(), &values)).await;
    written.map_or_else(
        || format!("sets {which}, killed"),
        |done| format!("sets {which} {}", told(done.err().map(|error| error.message))),
    )
}

/// A database that wants a password of its own making in the Secret.
pub(super) async fn database(sequence: &mut Sequence<'_>) -> String {
    let key = ObjectKey::new(Gvk::new("k8s.mariadb.com", "v1alpha1", "MariaDB"), Some(&sequence.namespace), "db");
    let mut database = json!({"apiVersion": "k8s.mariadb.com/v1alpha1", "kind": "MariaDB",
        "metadata": {"name": "db", "namespace": sequence.namespace}, "spec": {"storage": {"size": "1Gi"}}});
    let which = if sequence.dice.percent(50) { KEY } else { "root" };
    database["spec"]["rootPasswordSecretKeyRef"] = json!({"name": NAME, "key": which, "generate": true});
    let done = match sequence.dice.percent(60) {
        true => sequence.ground.cluster.patch(&key, &Patch::ForceApply(database), &by_hand()).await.map(drop),
        false => sequence.delete_by_hand(&key).await,
    };
    sequence.ground.settle();
    told(done.err().map(|error| error.to_string()))
}
