//! The names that a delivery gives, each kind of them gathered once: its texts may name thousands of hosts.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};

use crate::operated::is_operated_in;
use crate::siblings::{is_of, siblings};
use crate::subject::Subject;
use crate::texts::own_texts;

/// The names that a delivery gives, and looks for only when somebody asks.
pub(super) struct Names<'a> {
    pub(super) subject: Subject<'a>,
    services: OnceCell<Vec<Service<'a>>>,
    /// By unit and Service the file of the template that spells the name out.
    spelled: RefCell<HashMap<&'a str, HashMap<String, String>>>,
    otherwise: OnceCell<HashSet<&'a str>>,
    operated: RefCell<HashMap<String, bool>>,
    siblings: OnceCell<Vec<String>>,
}

/// A Service that is delivered.
struct Service<'a> {
    unit: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
}

impl<'a> Names<'a> {
    pub(super) fn new(subject: &Subject<'a>) -> Self {
        Names {
            subject: *subject,
            services: OnceCell::new(),
            spelled: RefCell::default(),
            otherwise: OnceCell::new(),
            operated: RefCell::default(),
            siblings: OnceCell::new(),
        }
    }

    /// The Services that a unit delivers into a namespace.
    pub(super) fn services(&self, unit: &str, namespace: &str) -> Vec<&'a str> {
        let own = self.all_services().iter().filter(|it| it.unit == unit && it.namespace == Some(namespace));
        own.map(|it| it.name).collect()
    }

    /// Whether a Service of the name is delivered, wherever that is.
    pub(super) fn is_service(&self, name: &str) -> bool {
        self.all_services().iter().any(|it| it.name == name)
    }

    fn all_services(&self) -> &[Service<'a>] {
        self.services.get_or_init(|| {
            let all = self.subject.of_kind("", "Service");
            all.map(|it| Service { unit: &it.unit, namespace: it.object.namespace(), name: it.object.name() }).collect()
        })
    }

    /// The file of a unit's template that makes a Service of the name, which stands there as it is.
    pub(super) fn spelled_out(&self, unit: &'a str, name: &str) -> Option<String> {
        let mut spelled = self.spelled.borrow_mut();
        let of_unit = spelled.entry(unit).or_insert_with(|| {
            let charts = self.subject.unit(unit).into_iter().flat_map(|it| &it.rendered.charts);
            let mut files = HashMap::new();
            for text in charts.flat_map(own_texts) {
                let file = text.path.rsplit('/').next().unwrap_or_default();
                for name in services_in(&text.text) {
                    files.entry(name.to_owned()).or_insert_with(|| file.to_owned());
                }
            }
            files
        });
        of_unit.get(name).cloned()
    }

    /// Whether something else answers to the name: a workload with a name of its own, an operator, the machine itself.
    pub(super) fn is_elsewhere(&self, name: &str, namespace: &str) -> bool {
        self.is_named_otherwise(name) || self.is_operated(namespace)
    }

    /// Whether a name is the machine's own, or made by what is delivered otherwise than as a Service.
    pub(super) fn is_named_otherwise(&self, name: &str) -> bool {
        let is_host = name == "localhost" || name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        is_host || self.otherwise.get_or_init(|| otherwise(&self.subject)).contains(name)
    }

    fn is_operated(&self, namespace: &str) -> bool {
        let mut known = self.operated.borrow_mut();
        *known.entry(namespace.to_owned()).or_insert_with(|| is_operated_in(&self.subject, namespace))
    }

    /// Whether another chart of the repository, which this delivery has no part of, gives its objects the name.
    pub(super) fn is_of_sibling(&self, name: &str) -> bool {
        is_of(self.siblings.get_or_init(|| siblings(&self.subject)), name)
    }
}

/// The names that are made otherwise than as a Service: by Endpoints, by a pod's `hostAliases`, by a server's own configuration.
fn otherwise<'a>(subject: &Subject<'a>) -> HashSet<&'a str> {
    let endpoints = subject.objects().filter(|it| it.object.kind() == "Endpoints").map(|it| it.object.name());
    let mut names: HashSet<&str> = endpoints.collect();
    for (_, template) in subject.pods() {
        let aliases = template.spec["hostAliases"].as_array().into_iter().flatten();
        names.extend(
            aliases.flat_map(|it| it["hostnames"].as_array().into_iter().flatten()).filter_map(|it| it.as_str()),
        );
    }
    for it in subject.of_kind("", "ConfigMap").chain(subject.of_kind("", "Secret")) {
        let tables = ["/data", "/stringData"].into_iter().filter_map(|field| it.object.at(field)?.as_object());
        names.extend(tables.flat_map(|it| it.values()).filter_map(|it| it.as_str()).flat_map(upstreams));
    }
    names
}

/// The servers that nginx is told of by names: `upstream relay { … }`.
fn upstreams(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("upstream ")?.trim_start();
        let name = &rest[..rest.find(|it: char| it.is_whitespace() || it == '{')?];
        rest[name.len()..].trim_start().starts_with('{').then_some(name)
    })
}

/// The names of the Services that a template's documents make, as they stand there.
fn services_in(text: &str) -> impl Iterator<Item = &str> {
    let is_service = |document: &&str| document.lines().any(|line| line.trim_end() == "kind: Service");
    text.split("\n---").filter(is_service).flat_map(|document| {
        let below_metadata = document.lines().skip_while(|line| line.trim_end() != "metadata:").skip(1);
        let metadata = below_metadata.take_while(|line| !line.starts_with(|it: char| it.is_ascii_alphabetic()));
        metadata.filter_map(|line| Some(line.strip_prefix("  name:")?.trim().trim_matches(['"', '\''])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_makes_a_service_whose_name_it_spells_out() {
        let text = "{{- if .Values.a }}\nkind: Service\nmetadata:\n  labels:\n    name: web\n  name: relay\n\
                    spec:\n  name: db\n{{- end }}";
        assert_eq!(services_in(text).collect::<Vec<_>>(), ["relay"]);
        let apart = "kind: Service\nmetadata:\n  name: 'a'\n---\nkind: Deployment\nmetadata:\n  name: b\n";
        assert_eq!(services_in(apart).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_server_is_told_of_others_by_names() {
        let text = "http {\n  upstream relay {\n  }\n  upstream  bell{\n  }\n  upstream door\n  # upstream x {\n}\n";
        assert_eq!(upstreams(text).collect::<Vec<_>>(), ["relay", "bell"]);
    }
}
