//! Services whose name a template has as a default, in the same words for each release, and the pods that call them.

use super::{is_after_release, is_in_loop_of, is_made, is_shared};
use crate::calls::{WEBHOOKS, hosts, is_asked_by_the_api, service};
use crate::pods::pod_template;
use crate::subject::{Desired, DesiredUnit, Subject};

/// The Services of a unit that have such a name, each with a workload that calls it and is itself called after the release.
pub(super) fn called_by_pods<'u>(subject: &Subject<'_>, unit: &'u DesiredUnit) -> Vec<(&'u Desired, &'u Desired)> {
    if unit.objects.iter().all(|it| pod_template(&it.object).is_none()) {
        return Vec::new();
    }
    let services = unit.objects.iter().filter(|it| it.object.group().is_empty() && it.object.kind() == "Service");
    services
        .filter(|it| is_made(subject, it) && is_default(unit, it))
        .filter(|it| !is_shared(unit, it) && !is_in_loop_of(unit, it) && !is_for_the_api(subject, it))
        .filter_map(|it| Some((it, caller(subject, unit, it)?)))
        .collect()
}

/// Whether an object is called as a template says where no value is set: `{{ default "relay" .Values.host }}`.
fn is_default(unit: &DesiredUnit, desired: &Desired) -> bool {
    let origin = unit.rendered.origin(&desired.key(), "metadata.name");
    let own = origin.filter(|it| it.data.is_empty() && it.keys.is_empty() && it.built_in.is_empty());
    let line = own.and_then(|it| it.template).and_then(|place| place.source);
    line.is_some_and(|line| line.contains(&format!("default \"{}\"", desired.object.name())))
}

/// Whether the API's server asks a Service, which whoever has registered there names.
fn is_for_the_api(subject: &Subject<'_>, desired: &Desired) -> bool {
    is_asked_by_the_api(subject, &[WEBHOOKS[0], WEBHOOKS[1], "APIService"], desired.object.name())
}

/// The workload that calls a Service by its address, or in a variable for a host, and is called after the release.
fn caller<'u>(subject: &Subject<'_>, unit: &'u DesiredUnit, desired: &Desired) -> Option<&'u Desired> {
    let calls = |workload: &Desired| {
        let Some(template) = pod_template(&workload.object) else { return false };
        let is_it = |host: &str| {
            let found = service(subject, workload.object.namespace(), host);
            found.is_some_and(|it| it.object().is_at(&desired.key()))
        };
        let in_a_variable = || {
            let containers = template.containers();
            let mut set = containers.iter().flat_map(|it| it.env());
            set.any(|(_, name, variable)| name.contains("HOST") && variable["value"].as_str().is_some_and(is_it))
        };
        hosts(&workload.object, Some(&template)).iter().any(|it| is_it(&it.name)) || in_a_variable()
    };
    unit.objects.iter().find(|it| calls(it) && is_after_release(unit, it) && is_made(subject, it))
}
