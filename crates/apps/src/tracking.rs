use landfall_object::{Object, ObjectKey};

use crate::{Application, Project};

/// The annotation by which an object names the Application that it belongs to.
pub const TRACKING_ANNOTATION: &str = "argocd.argoproj.io/tracking-id";

/// The annotation by which an object says which of several installations of Argo CD it belongs to (`installationID`).
const INSTALLATION: &str = "argocd.argoproj.io/installation-id";

/// By what name objects know an Application: its own in Argo CD's namespace, elsewhere with its namespace before it, so that two of one
/// name are two (argo-cd, util/argo, `AppInstanceName`).
pub fn instance_name(namespace: &str, name: &str) -> String {
    if namespace.is_empty() || namespace == Project::HOME { name.to_owned() } else { format!("{namespace}_{name}") }
}

impl Application {
    /// By what name its objects know it.
    pub fn instance(&self) -> String {
        instance_name(&self.namespace, &self.name)
    }

    /// Whether a live object says that it belongs to it.
    pub(crate) fn owns(&self, live: &Object) -> bool {
        owner(live).is_some_and(|named| named == self.instance())
    }
}

/// Whether an object says that it belongs to another installation: an Application of the same name there is not ours.
pub(crate) fn is_elsewhere(live: &Object) -> bool {
    live.annotation(INSTALLATION).is_some_and(|named| !named.is_empty())
}

/// `<app>:<group>/<kind>:<namespace>/<name>`, with the Application's [`instance_name`].
pub fn tracking_id(application: &Application, key: &ObjectKey) -> String {
    let namespace = key.namespace.as_deref().unwrap_or(&application.destination.namespace);
    format!("{}:{}/{}:{namespace}/{}", application.instance(), key.gvk.group, key.gvk.kind, key.name)
}

/// The Application that a live object says it belongs to, by its [`instance_name`]; an annotation copied from another object does not count.
pub fn owner(live: &Object) -> Option<&str> {
    let mut parts = live.annotation(TRACKING_ANNOTATION)?.splitn(3, ':');
    let (application, kind, place) = (parts.next()?, parts.next()?, parts.next()?);
    let (group, kind) = kind.split_once('/')?;
    let (namespace, name) = place.split_once('/')?;
    let same_place = live.namespace().is_none_or(|own| own == namespace);
    (group == live.group() && kind == live.kind() && name == live.name() && same_place).then_some(application)
}
