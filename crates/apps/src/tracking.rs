use landfall_object::{Object, ObjectKey};

use crate::Application;

/// The annotation by which an object names the Application that it belongs to.
pub const TRACKING_ANNOTATION: &str = "argocd.argoproj.io/tracking-id";

/// `<app>:<group>/<kind>:<namespace>/<name>`
pub fn tracking_id(application: &Application, key: &ObjectKey) -> String {
    let namespace = key.namespace.as_deref().unwrap_or(&application.destination.namespace);
    format!("{}:{}/{}:{namespace}/{}", application.name, key.gvk.group, key.gvk.kind, key.name)
}

/// The Application that a live object says it belongs to; an annotation copied from another object does not count.
pub fn owner(live: &Object) -> Option<&str> {
    let mut parts = live.annotation(TRACKING_ANNOTATION)?.splitn(3, ':');
    let (application, kind, place) = (parts.next()?, parts.next()?, parts.next()?);
    let (group, kind) = kind.split_once('/')?;
    let (namespace, name) = place.split_once('/')?;
    let same_place = live.namespace().is_none_or(|own| own == namespace);
    (group == live.group() && kind == live.kind() && name == live.name() && same_place).then_some(application)
}
