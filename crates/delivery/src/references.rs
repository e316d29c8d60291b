use std::collections::BTreeMap;

use async_recursion::async_recursion as boxed;
use landfall_cluster::Cluster;
use landfall_diag::{Diagnostic, Place, code};
use landfall_object::references::{Certainty, Lack, Need, Reference, data_keys, programs, provides, references};
use landfall_object::{Object, ObjectKey};

/// A reference that resolves nowhere: neither in what is delivered nor on the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// What is missing: the object, or a key of it.
    pub missing: Missing,
    /// Who needs it.
    pub users: Vec<User>,
    /// What happens without it.
    pub need: Need,
}

/// What a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The kind of what is referred to.
    pub kind: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The key that is missing in it; `None` when the object itself is.
    pub key: Option<String>,
    /// The keys it has, when the object is there.
    pub known: Vec<String>,
}

/// An object that refers to something missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The object.
    pub object: ObjectKey,
    /// Its container, when a container refers.
    pub container: Option<String>,
    /// The field that refers.
    pub path: String,
}

/// Whether a pod names it to pull its images with. A node goes on without such a Secret, and is refused by the registry:
/// whoever names one says that the images are not public.
fn is_pull_secret(reference: &Reference) -> bool {
    reference.kind == "Secret" && reference.path.contains(".imagePullSecrets[")
}

/// Finds the references of objects that resolve nowhere.
///
/// What is delivered counts before what is live: a key that the delivery removes is missing. One missing thing is
/// one finding, however many refer to it.
///
/// # Errors
/// When the cluster cannot be asked.
#[boxed]
pub async fn unresolved(desired: &[Object], cluster: &Cluster) -> Result<Vec<Unresolved>, landfall_cluster::Error> {
    let index = Index::of(desired);
    let programs = programs(desired.iter());
    let mut live: BTreeMap<Id, Found> = BTreeMap::new();
    let mut found: BTreeMap<Missing, Unresolved> = BTreeMap::new();
    for object in desired {
        for reference in references(object) {
            if reference.need == Need::Optional || is_automatic(&reference) {
                continue;
            }
            let id =
                (reference.group.clone(), reference.kind.clone(), reference.namespace.clone(), reference.name.clone());
            let state = match index.find(&reference) {
                Some(state) => state,
                None => match live.get(&id) {
                    Some(state) => state.clone(),
                    None => {
                        let state = ask(cluster, &reference).await?;
                        live.insert(id, state.clone());
                        state
                    }
                },
            };
            let missing = match (state, &reference.key) {
                (Found::Unknown, _) | (Found::There(None), _) | (Found::There(Some(_)), None) => continue,
                (Found::There(Some(keys)), Some(key)) if keys.contains(key) => continue,
                (Found::There(Some(keys)), key) => missing(&reference, key.clone(), keys),
                (Found::Nowhere, _) => missing(&reference, None, Vec::new()),
            };
            // What a program of the delivery makes comes while it runs.
            let namespace = reference.namespace.as_deref();
            let lack = if missing.key.is_some() { Lack::Key } else { Lack::Object };
            let made =
                programs.iter().filter_map(|it| it.makes(&reference.kind, namespace, &reference.name, lack, object));
            let need = match made.max() {
                Some(Certainty::Named) => continue,
                Some(Certainty::Allowed) => Need::Later,
                None if is_pull_secret(&reference) => Need::Start,
                None => reference.need,
            };
            let entry = found.entry(missing.clone()).or_insert_with(|| Unresolved { missing, users: Vec::new(), need });
            entry.need = entry.need.max(need);
            entry.users.push(User {
                object: object.key(),
                container: container_of(object, &reference.path),
                path: reference.path.clone(),
            });
        }
    }
    Ok(found.into_values().collect())
}

impl Unresolved {
    /// The finding as a person reads it; refused when something cannot start without it.
    pub fn diagnostic(&self) -> Diagnostic {
        let what = match &self.missing.key {
            Some(key) => format!("{}[{key}]", self.missing.name),
            None => format!("{}/{}", self.missing.kind, self.missing.name),
        };
        let first = &self.users[0];
        let user = format!("{}/{}", first.object.gvk.kind, first.object.name);
        let more = match self.users.len() {
            1 => String::new(),
            2 => " and 1 more".to_owned(),
            count => format!(" and {} more", count - 1),
        };
        let message = format!("{user}{more} needs {what}, which is neither delivered nor on the cluster");
        let mut diagnostic = match self.need {
            Need::Start => Diagnostic::refused(code::MISSING_REFERENCE, message),
            _ => Diagnostic::warning(code::DANGLING_REFERENCE, message),
        };
        for user in &self.users {
            let container = user.container.as_deref().map(|name| format!(", container {name}")).unwrap_or_default();
            diagnostic =
                diagnostic.note(format!("{}/{}{container}: {}", user.object.gvk.kind, user.object.name, user.path));
        }
        if let (Some(key), false) = (&self.missing.key, self.missing.known.is_empty()) {
            let known = self.missing.known.iter().map(String::as_str);
            diagnostic = match landfall_diag::nearest(key, known.clone()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help(format!(
                    "add `{key}` to {}/{}; it has {}",
                    self.missing.kind,
                    self.missing.name,
                    known.collect::<Vec<_>>().join(", ")
                )),
            };
        } else if self.need == Need::Start {
            diagnostic = diagnostic.help(format!(
                "create {}/{}{} first, or let the chart render it",
                self.missing.kind,
                self.missing.name,
                self.missing.namespace.as_deref().map(|ns| format!(" in namespace {ns}")).unwrap_or_default()
            ));
        }
        diagnostic
    }

    /// The same with the places of its first user in the chart.
    pub fn diagnostic_at(&self, places: impl Fn(&ObjectKey, &str) -> Vec<(Place, String)>) -> Diagnostic {
        let mut diagnostic = self.diagnostic();
        for (index, (place, text)) in places(&self.users[0].object, &self.users[0].path).into_iter().enumerate() {
            diagnostic = if index == 0 { diagnostic.primary(place, text) } else { diagnostic.label(place, text) };
        }
        diagnostic
    }
}

/// Whether a Secret's key is missing that the objects themselves seal, and seal as a whole: one that is merged into what is
/// there may have the key from elsewhere.
pub(crate) fn is_sealed_without(objects: &[Object], missing: &Missing) -> bool {
    if missing.kind != "Secret" || missing.key.is_none() {
        return false;
    }
    let merges = |object: &Object| {
        let template = object.at("/spec/template/metadata/annotations/sealedsecrets.bitnami.com~1patch");
        let own = object.annotation("sealedsecrets.bitnami.com/patch");
        template.and_then(serde_json::Value::as_str).or(own) == Some("true")
    };
    let makes = |object: &Object| {
        provides(object).iter().any(|it| it.name == missing.name && it.namespace == missing.namespace)
    };
    objects.iter().any(|it| it.group() == "bitnami.com" && it.kind() == "SealedSecret" && !merges(it) && makes(it))
}

#[derive(Debug, Clone)]
enum Found {
    /// There, with its keys when it has keys that are known.
    There(Option<Vec<String>>),
    /// Neither delivered nor live.
    Nowhere,
    /// The cluster does not know the kind: nothing can be said.
    Unknown,
}

/// Group, kind, namespace and name.
type Id = (String, String, Option<String>, String);

struct Index {
    objects: BTreeMap<Id, Option<Vec<String>>>,
}

impl Index {
    fn of(desired: &[Object]) -> Self {
        let mut objects = BTreeMap::new();
        for object in desired {
            let id = (
                object.group().to_owned(),
                object.kind().to_owned(),
                object.namespace().map(str::to_owned),
                object.name().to_owned(),
            );
            objects.insert(id, keys_of(object));
        }
        for object in desired {
            for provided in provides(object) {
                let id = (provided.group, provided.kind, provided.namespace, provided.name);
                objects.entry(id).or_insert(provided.keys);
            }
        }
        Index { objects }
    }

    fn find(&self, reference: &Reference) -> Option<Found> {
        let id = (reference.group.clone(), reference.kind.clone(), reference.namespace.clone(), reference.name.clone());
        self.objects.get(&id).map(|keys| Found::There(keys.clone()))
    }
}

/// The keys by which an object is referred to: of Secrets and ConfigMaps their data, of Services their ports.
fn keys_of(object: &Object) -> Option<Vec<String>> {
    match (object.group(), object.kind()) {
        ("", "Secret" | "ConfigMap") => data_keys(object).map(|keys| keys.into_iter().collect()),
        ("", "Service") if object.at("/spec/type").and_then(|kind| kind.as_str()) != Some("ExternalName") => {
            let mut keys = Vec::new();
            for port in object.list_at("/spec/ports") {
                keys.extend(port["port"].as_u64().map(|port| port.to_string()));
                keys.extend(port["name"].as_str().map(str::to_owned));
            }
            Some(keys)
        }
        _ => None,
    }
}

async fn ask(cluster: &Cluster, reference: &Reference) -> Result<Found, landfall_cluster::Error> {
    let Some(resource) = cluster.served(&reference.group, &reference.kind).await? else {
        return Ok(Found::Unknown);
    };
    let key = ObjectKey { gvk: resource.gvk, namespace: reference.namespace.clone(), name: reference.name.clone() };
    Ok(match cluster.get(&key).await? {
        Some(object) => Found::There(keys_of(&object)),
        None => Found::Nowhere,
    })
}

fn missing(reference: &Reference, key: Option<String>, known: Vec<String>) -> Missing {
    Missing {
        kind: reference.kind.clone(),
        namespace: reference.namespace.clone(),
        name: reference.name.clone(),
        key,
        known,
    }
}

/// What every namespace has by itself.
fn is_automatic(reference: &Reference) -> bool {
    matches!(
        (reference.kind.as_str(), reference.name.as_str()),
        ("ServiceAccount", "default") | ("ConfigMap", "kube-root-ca.crt")
    )
}

/// The container that a field path goes through: its name, from its place in the list.
fn container_of(object: &Object, path: &str) -> Option<String> {
    let (start, list) = ["initContainers[", "ephemeralContainers[", "containers["]
        .iter()
        .find_map(|list| path.find(list).map(|at| (at, *list)))?;
    let index: usize = path[start + list.len()..].split(']').next()?.parse().ok()?;
    let pointer = format!("/{}", path[..start + list.len() - 1].replace('.', "/"));
    object.list_at(&pointer).get(index)?["name"].as_str().map(str::to_owned)
}
