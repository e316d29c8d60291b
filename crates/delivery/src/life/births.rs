//! What would be born as another value than the one that git has the fingerprint of, or would lose one that lives.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::{Gvk, ONCE_ANNOTATION, Object, ObjectKey, kept_value, once_guard, once_keys};
use landfall_project::{Environment, Secrets};
use landfall_secrets::{Backup, Declared, Fingerprint, Keyring, PATCH, Permanence, PlainSecret, control, is_same};
use serde_json::Value;

use super::SealingController;
use super::former::{Former, carrying, initialising, of_print, place, readable};
use crate::session::Session;

/// What is done where another value is meant than the one that git has the fingerprint of.
const MEANT: &str = "where another one is meant, take the key's `fingerprint` out of landfall.yaml";

/// What is asked of a cluster for it, once.
#[derive(Default)]
struct Asked {
    keyring: Option<Keyring>,
    secrets: Option<Vec<Object>>,
}

impl Session {
    /// Refuses what would lose a value that was generated once, before anything of a delivery is begun: a Secret that would be born with
    /// another value, which would be the one that is guarded from then on; one that is not found any more, because it lives under another
    /// name or at another place; and what is sealed without a value that lives, or with another. Of what lives the controller would refuse
    /// that as well, where it is ours, but pods would have been rolled by then.
    ///
    /// `objects` are to be delivered, each with the namespace of its unit; `name` is the environment's.
    ///
    /// # Errors
    /// Such a value, or the cluster does not answer.
    pub(crate) async fn check_births(
        &self,
        environment: Option<&Environment>,
        name: Option<&str>,
        objects: &[(&Object, &str)],
    ) -> Result<(), Vec<Diagnostic>> {
        let mut asked = Asked::default();
        let mut refused: BTreeMap<(ObjectKey, String), Diagnostic> = BTreeMap::new();
        let all = || environment.iter().filter_map(|it| it.secrets.as_ref()).flat_map(Secrets::all);
        for (among, secrets) in all() {
            let prints = prints(secrets);
            for (object, namespace) in objects.iter().filter(|(object, _)| !prints.is_empty() && makes(object, secrets))
            {
                let namespace = object.namespace().unwrap_or(namespace);
                let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(namespace), &*secrets.target);
                let Some(live) = self.living(&key).await? else { continue };
                // A controller that is not ours lets what is sealed take the place of what lives, where it is marked for that.
                let is_sealed = object.kind() == "SealedSecret";
                let is_open = is_sealed && live.as_ref().is_some_and(|live| control::is_shared(live.value()));
                let plain = live.as_ref().and_then(|live| PlainSecret::read(live.value()).ok().flatten());
                let born = match is_sealed {
                    true => self.opened(object, namespace, &mut asked).await?,
                    false => Some((*object).clone()),
                };
                let values = born.as_ref().and_then(|born| PlainSecret::read(born.value()).ok().flatten());
                for (of, print) in &prints {
                    let lives =
                        plain.as_ref().and_then(|plain| plain.data.get(of)).filter(|it| !it.reveal().is_empty());
                    let value = values.as_ref().and_then(|values| values.data.get(of));
                    let value = value.filter(|value| !value.reveal().is_empty());
                    let is_other = value.is_some_and(|value| {
                        lives.is_none_or(|lives| !is_same(lives, value)) && print.is_of(value) == Ok(false)
                    });
                    let told = match (&live, &born) {
                        _ if is_other && (lives.is_none() || is_open) => another(of, &key),
                        // Where the Secret does not say itself that it never changes, git does.
                        (Some(live), Some(born)) if is_other && is_sealed => {
                            let declared = Sealed { environment: name, among, secrets };
                            let declared = Some(&declared).filter(|_| secrets.file.is_some());
                            lost(of, live, born, MEANT, declared)
                        }
                        _ if value.is_none() && lives.is_none() && is_sealed => {
                            let all = self.readable(&mut asked, namespace).await?;
                            let former = of_print(all, &key, of, print).map_err(|told| vec![told])?;
                            let Some(former) = former else { continue };
                            let secret = among.map(|_| &*secrets.target);
                            elsewhere(of, &key, &former, &carrying(name, secret, &former.place()))
                        }
                        _ => continue,
                    };
                    refused.insert((key.clone(), of.clone()), told);
                }
            }
        }
        for (object, namespace) in objects.iter().filter(|(object, _)| object.kind() == "SealedSecret") {
            let namespace = object.namespace().unwrap_or(namespace);
            let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(namespace), made(object));
            let Some(Some(live)) = self.living(&key).await? else { continue };
            if once_keys(&live).is_empty() {
                continue;
            }
            let opened = self.opened(object, namespace, &mut asked).await?;
            let next = after(&live, object, opened.as_ref());
            let Err(violation) = once_guard(Some(&live), Some(&next)) else { continue };
            let of_place = all().find(|(_, secrets)| makes(object, secrets) && secrets.file.is_some());
            let declared = of_place.map(|(among, secrets)| Sealed { environment: name, among, secrets });
            for one in &violation.keys {
                let told = || lost(one, &live, &next, &violation.giving_up(), declared.as_ref());
                refused.entry((key.clone(), one.clone())).or_insert_with(told);
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(refused.into_values().collect()) }
    }

    /// A Secret as it lives; nothing where one may not look.
    async fn living(&self, key: &ObjectKey) -> Result<Option<Option<Object>>, Vec<Diagnostic>> {
        match self.cluster.get(key).await {
            Ok(live) => Ok(Some(live)),
            Err(error) if error.code() == Some(403) => Ok(None),
            Err(error) => Err(vec![error.diagnose()]),
        }
    }

    /// What is sealed, as the cluster's keys open it; nothing where they do not.
    async fn opened(
        &self,
        object: &Object,
        namespace: &str,
        asked: &mut Asked,
    ) -> Result<Option<Object>, Vec<Diagnostic>> {
        if asked.keyring.is_none() {
            let read = SealingController::default().keyring(&self.cluster).await;
            asked.keyring = Some(read.map_err(|diagnostic| vec![diagnostic])?.0);
        }
        let mut sealed = object.clone();
        sealed.set_namespace(namespace);
        Ok(opened(&sealed, asked.keyring.as_ref()))
    }

    async fn readable<'a>(&self, asked: &'a mut Asked, namespace: &str) -> Result<&'a [Object], Vec<Diagnostic>> {
        if asked.secrets.is_none() {
            asked.secrets = Some(readable(&self.cluster, namespace).await.map_err(|told| vec![told])?);
        }
        Ok(asked.secrets.as_deref().unwrap_or_default())
    }
}

/// Refuses a backup with another value of a key than the one that was generated, as a delivery of it would be.
///
/// # Errors
/// Each such value.
pub fn check_restored(environment: &Environment, backup: &Backup) -> Result<(), Vec<Diagnostic>> {
    let refused: Vec<Diagnostic> = others_saved(environment, backup).iter().map(other_saved).collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// A value in a backup that is not the one that was generated.
#[derive(Debug, Clone)]
pub struct OtherSaved {
    /// Its Secret.
    pub secret: ObjectKey,
    /// Its key.
    pub key: String,
}

impl OtherSaved {
    /// Its Secret, as it is named in messages.
    pub fn place(&self) -> String {
        place(&self.secret)
    }

    /// What it is called among what a backup has.
    pub fn saved_name(&self) -> String {
        format!("once {}[{}]", self.place(), self.key)
    }
}

/// The values in a backup that are not those which an environment has the fingerprints of.
pub fn others_saved(environment: &Environment, backup: &Backup) -> Vec<OtherSaved> {
    let mut others = Vec::new();
    for (_, secrets) in environment.secrets.iter().flat_map(Secrets::all) {
        let prints = prints(secrets);
        if prints.is_empty() {
            continue;
        }
        for secret in backup.secrets().filter(|secret| declares(environment, secrets, secret)) {
            let Ok(Some(values)) = PlainSecret::read(secret.value()) else { continue };
            for (name, print) in &prints {
                let value = values.data.get(name).filter(|value| !value.reveal().is_empty());
                if value.is_some_and(|value| print.is_of(value) == Ok(false)) {
                    others.push(OtherSaved { secret: secret.key(), key: name.clone() });
                }
            }
        }
    }
    others
}

/// Whether an environment has the values of a Secret sealed in a file, from which a SealedSecret of its name is delivered.
pub(crate) fn is_sealed(environment: &Environment, secret: &Object) -> bool {
    let mut all = environment.secrets.iter().flat_map(Secrets::all).map(|(_, secrets)| secrets);
    all.any(|secrets| secrets.file.is_some() && declares(environment, secrets, secret))
}

/// Whether it is this Secret that is declared.
fn declares(environment: &Environment, secrets: &Secrets, secret: &Object) -> bool {
    let released = || environment.releases.iter().filter_map(|release| release.namespace.as_ref());
    let namespace = secret.namespace().unwrap_or_default();
    let is_there = match &secrets.namespace {
        Some(named) => **named == *namespace,
        // Where no release says where it goes, its name alone does.
        None => released().next().is_none() || released().any(|named| **named == *namespace),
    };
    secret.name() == &*secrets.target && is_there
}

/// The keys that git has the fingerprints of.
fn prints(secrets: &Secrets) -> BTreeMap<String, Fingerprint> {
    // A declaration that contradicts itself is told by whoever reads it for its own sake.
    let keys = Declared::of(secrets).map(|declared| declared.keys).unwrap_or_default();
    let once = keys.into_iter().filter(|(_, key)| key.permanence == Permanence::Once);
    once.filter_map(|(name, key)| Some((name, key.fingerprint?))).collect()
}

/// Whether an object is the declared Secret, or what it is made of.
fn makes(object: &Object, secrets: &Secrets) -> bool {
    matches!(object.kind(), "SealedSecret" | "Secret") && made(object) == &*secrets.target
}

/// What the Secret is called that an object is, or is to become.
fn made(object: &Object) -> &str {
    let named = object.str_at("/spec/template/metadata/name").filter(|_| object.kind() == "SealedSecret");
    named.filter(|name| !name.is_empty()).unwrap_or(object.name())
}

/// What a Secret would be after what is sealed was delivered: as far as it opens, and by the names of its keys where it does not.
fn after(live: &Object, sealed: &Object, opened: Option<&Object>) -> Object {
    let names = |pointer: &str| sealed.at(pointer).and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key);
    let named: BTreeSet<&String> = names("/spec/encryptedData").chain(names("/spec/template/data")).collect();
    let mut next = live.clone();
    let mut data = live.at("/data").and_then(Value::as_object).cloned().unwrap_or_default();
    if live.annotation(PATCH) != Some("true") {
        data.retain(|key, _| named.contains(key));
    }
    data.extend(opened.and_then(|opened| opened.at("/data")?.as_object()).cloned().unwrap_or_default());
    next.map_mut().insert("data".to_owned(), Value::Object(data));
    // What its template says is never to change is what the Secret says from then on.
    let annotations = sealed.at("/spec/template/metadata/annotations");
    if let Some(keys) = annotations.and_then(|all| all.get(ONCE_ANNOTATION)?.as_str()) {
        next.set_annotation(ONCE_ANNOTATION, keys);
    }
    next
}

fn opened(sealed: &Object, keyring: Option<&Keyring>) -> Option<Object> {
    let secret = control::opened(sealed.value(), keyring?, Timestamp::now()).ok()?;
    Object::from_value(secret).ok()
}

fn other_saved(other: &OtherSaved) -> Diagnostic {
    let (name, place) = (&other.key, other.place());
    let text = format!("`{name}` of {place} never changes, and what was saved is not the value that was generated");
    Diagnostic::refused(code::ANOTHER_BORN, text)
        .note("landfall.yaml has the fingerprint of the one that was; once another one lives, it would be the one that is guarded")
        .note("nothing was written")
        .help("take the backup that has it")
        .help(MEANT)
}

fn another(name: &str, key: &ObjectKey) -> Diagnostic {
    let place = place(key);
    Diagnostic::refused(
        code::ANOTHER_BORN,
        format!("`{name}` of {place} never changes, and what would be delivered is not the value that was generated"),
    )
    .note(
        "landfall.yaml has the fingerprint of the one that was; what it has encrypted or signed would be lost with it",
    )
    .help("put back the sealed value that was generated (git has it), or restore it: landfall secrets restore FILE")
    .help(MEANT)
}

/// What is declared of a Secret whose values are sealed in a file.
struct Sealed<'a> {
    environment: Option<&'a str>,
    among: Option<usize>,
    secrets: &'a Secrets,
}

impl Sealed<'_> {
    /// What puts a key into the file that lives.
    fn filling(&self, key: &str) -> String {
        let secret = self.among.map(|_| &*self.secrets.target);
        initialising(Some(key), (self.environment, secret), None)
    }
}

/// `key` of a Secret lives, and would be another or gone.
fn lost(key: &str, live: &Object, next: &Object, giving_up: &str, declared: Option<&Sealed<'_>>) -> Diagnostic {
    let at = place(&live.key());
    let file = declared.and_then(|it| it.secrets.file.as_ref()).map(ToString::to_string).unwrap_or_default();
    let pods = "nothing was rolled: pods that ask for what does not come do not start";
    let destroyed = "data made with it could never be read again";
    let marked = next.annotation(ONCE_ANNOTATION).unwrap_or_default();
    let is_marked = marked.split(',').any(|name| name.trim() == key) || !once_keys(live).iter().any(|once| once == key);
    let marks = [marked, key].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(",");
    let marking = format!("leave it in the annotation of the SealedSecret's template: `{ONCE_ANNOTATION}: {marks}`");
    let (text, help) = if kept_value(next, key).is_some() && kept_value(next, key) == kept_value(live, key) {
        (format!("`{key}` of {at} lives and was generated once, and would lose its protection"), marking.clone())
    } else if kept_value(next, key).is_none() {
        let text = format!("`{key}` of {at} lives and was generated once, and is not in what would be delivered");
        let help = match declared {
            Some(it) if it.secrets.keys.contains_key(key) => {
                format!("`{}` puts the value that lives into {file}", it.filling(key))
            }
            Some(it) => format!(
                "keep it beside what is new: put its line back under `keys:` in landfall.yaml (git has it), and `{}` puts the value that lives into {file}; another name may follow from it, `NAME: {{template: \"{{{{ .{key} }}}}\"}}`",
                it.filling(key)
            ),
            None => "leave it in the SealedSecret: git has its sealed value".to_owned(),
        };
        (text, help)
    } else {
        let text = format!(
            "`{key}` of {at} lives and was generated once, and what would be delivered has another value of it"
        );
        let print = declared.and_then(|it| prints(it.secrets).remove(key));
        let fits = |secret: &Object| {
            let values = PlainSecret::read(secret.value()).ok().flatten()?;
            Some(print.as_ref()?.is_of(values.data.get(key)?) == Ok(true))
        };
        let help = match (declared, fits(live), fits(next)) {
            (Some(it), Some(true), _) => format!("`{}` puts the value that lives into {file}", it.filling(key)),
            (_, Some(false), Some(true)) => {
                "landfall.yaml has the fingerprint of the one that would be delivered: the one that lives is another"
                    .to_owned()
            }
            (Some(it), None, _) => format!(
                "where the one that lives is right, take its line out of {file}, and `{}` puts that one there",
                it.filling(key)
            ),
            _ => "put the sealed value back that was generated: git has it".to_owned(),
        };
        (text, help)
    };
    let refused = Diagnostic::refused(code::ONCE, text).note(destroyed).note(pods).help(help.clone());
    // Else the next refusal would say it.
    let refused = if is_marked || help == marking { refused } else { refused.help(format!("and {marking}")) };
    refused.help(giving_up)
}

/// A key lives, and is not where it is declared.
fn elsewhere(name: &str, key: &ObjectKey, former: &Former, way: &str) -> Diagnostic {
    let text = format!("`{name}` of {} was generated once and lives in {}", place(key), former.shown(name));
    Diagnostic::refused(code::LIVES_ELSEWHERE, text)
        .note("where it is declared now nothing would be found: what is sealed opens for the name and namespace that it was sealed for")
        .note("nothing was rolled, and nothing is lost")
        .help(format!("take it over from there: {way}"))
}
