//! Who opens what SOPS has encrypted, project by project: a person who may write a repository of one project could otherwise have the
//! server open a file that was encrypted for another, and read it in an object of theirs.
//!
//! The identities of a project are in Secrets beside Argo CD's own, labelled [`LABEL`] and naming it; what the server itself was
//! started with opens files of the project `default` alone.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_object::Object;
use landfall_secrets::Masked;
use landfall_secrets::age::Identity;
use landfall_secrets::sops::SopsKeys;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The label of such a Secret, and what it says.
pub(crate) const LABEL: (&str, &str) = ("landfall.dev/secret-type", "sops");
/// How its entries with identities end, as Flux has them.
const ENTRY: &str = ".agekey";
/// The project whose files are opened with what the server was started with.
const USUAL: &str = "default";

/// The identities of one Secret.
#[derive(Clone)]
pub(crate) struct SopsSecret {
    name: String,
    project: String,
    identities: Result<Vec<Identity>, String>,
    /// Of all that was read: identities are not compared themselves.
    digest: [u8; 32],
}

impl PartialEq for SopsSecret {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.project, &self.digest) == (&other.name, &other.project, &other.digest)
    }
}

impl SopsSecret {
    /// What a Secret holds of identities; nothing where it does not bear the label.
    ///
    /// # Errors
    /// It names no project: nobody's files would be opened with it, or everybody's.
    pub(crate) fn of(secret: &Object) -> Option<Result<Self, String>> {
        if secret.label(LABEL.0)? != LABEL.1 {
            return None;
        }
        let name = format!("Secret {}", secret.name());
        let decoded = |value: &Value| STANDARD.decode(value.as_str()?.trim()).ok().map(Masked::new);
        let data = secret.at("/data").and_then(Value::as_object);
        let project = data.and_then(|data| decoded(data.get("project")?));
        let project = project.and_then(|it| String::from_utf8(it.reveal().to_vec()).ok()).unwrap_or_default();
        if project.trim().is_empty() {
            return Some(Err(format!("{name} holds identities for SOPS and names no project")));
        }
        let mut hash = Sha256::new();
        let mut identities = Ok(Vec::new());
        for (_, value) in data.into_iter().flatten().filter(|(entry, _)| entry.ends_with(ENTRY)) {
            let text = decoded(value).unwrap_or_default();
            hash.update((text.reveal().len() as u64).to_le_bytes());
            hash.update(text.reveal());
            let read = std::str::from_utf8(text.reveal()).ok().and_then(|text| Identity::parse_file(text).ok());
            identities = match (identities, read) {
                (Ok(known), Some(read)) => Ok([known, read].concat()),
                (Err(why), _) => Err(why),
                (Ok(_), None) => Err(format!("{name} has an entry that is no identity of age's")),
            };
        }
        Some(Ok(SopsSecret { name, project: project.trim().to_owned(), identities, digest: hash.finalize().into() }))
    }
}

/// The identities of all projects.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct SopsIdentities {
    by_project: BTreeMap<String, Vec<SopsSecret>>,
}

impl SopsIdentities {
    pub(crate) fn new<'s>(secrets: impl IntoIterator<Item = &'s SopsSecret>) -> Self {
        let mut by_project: BTreeMap<String, Vec<SopsSecret>> = BTreeMap::new();
        for secret in secrets {
            by_project.entry(secret.project.clone()).or_default().push(secret.clone());
        }
        SopsIdentities { by_project }
    }

    /// What opens the files of a project; `own` is what the server was started with.
    pub(crate) fn of_project(&self, project: &str, own: &SopsKeys) -> SopsKeys {
        let Some(secrets) = self.by_project.get(project) else {
            if project == USUAL {
                return own.clone();
            }
            return SopsKeys::unreadable(format!(
                "the project `{project}` has no identities of its own, and others' do not open its files: they are Secrets in the namespace argocd with the label {}: {}, `project: {project}` and an entry NAME{ENTRY}",
                LABEL.0, LABEL.1
            ));
        };
        let mut all = Vec::new();
        for secret in secrets {
            match &secret.identities {
                Ok(identities) => all.extend(identities.iter().cloned()),
                Err(why) => return SopsKeys::unreadable(why.clone()),
            }
        }
        if project == USUAL { own.with(all) } else { SopsKeys::new(all) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(name: &str, fields: &[(&str, &str)]) -> Object {
        let data: serde_json::Map<String, Value> =
            fields.iter().map(|(field, text)| ((*field).to_owned(), STANDARD.encode(text).into())).collect();
        let metadata = json!({"name": name, "namespace": "argocd", "labels": {LABEL.0: LABEL.1}});
        Object::from_value(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}))
            .expect("a map")
    }

    fn identity() -> String {
        let made = Identity::generate().expect("random");
        String::from_utf8(made.reveal().expect("a key").reveal().to_vec()).expect("text")
    }

    #[test]
    fn each_project_has_identities_of_its_own_and_those_of_the_server_are_for_the_usual_one() {
        let (team, own) = (identity(), identity());
        let read = |object: &Object| SopsSecret::of(object).expect("labelled");
        let secret_of_team = read(&secret("a", &[("project", "team"), ("x.agekey", &team), ("note", "no key")]));
        let known = SopsIdentities::new(&[secret_of_team.expect("read")]);
        let own = SopsKeys::new(Identity::parse_file(&own).expect("read"));
        let shown = |project: &str| format!("{:?}", known.of_project(project, &own));
        assert_eq!((shown("team").as_str(), shown("default").as_str()), ("SopsKeys(1)", "SopsKeys(1)"));
        let other = known.of_project("other", &own);
        assert_eq!(format!("{other:?}"), "SopsKeys(0)");
        assert!(other.problem().is_some_and(|why| why.contains("the project `other` has no identities of its own")));
        // What the server was started with stands beside what the usual project has.
        let usual = read(&secret("b", &[("project", "default"), ("y.agekey", &team)])).expect("read");
        let both = SopsIdentities::new(&[usual]).of_project("default", &own);
        assert_eq!(format!("{both:?}"), "SopsKeys(2)");
    }

    #[test]
    fn a_secret_without_a_project_is_nobodys_and_one_that_cannot_be_read_says_so_without_its_words() {
        let nameless = SopsSecret::of(&secret("a", &[("x.agekey", &identity())])).expect("labelled");
        assert!(nameless.is_err_and(|why| why.contains("names no project")));
        let broken = SopsSecret::of(&secret("a", &[("project", "team"), ("x.agekey", "canary")])).expect("labelled");
        let known = SopsIdentities::new(&[broken.expect("read")]);
        let keys = known.of_project("team", &SopsKeys::default());
        assert_eq!(keys.problem(), Some("Secret a has an entry that is no identity of age's"));
        let mut plain = secret("a", &[("project", "team")]);
        plain.metadata_mut().remove("labels");
        assert!(SopsSecret::of(&plain).is_none());
    }
}
