//! What a delivery is made of and what depends on what: objects, their waves, their references and calls.

use std::collections::BTreeMap;
use std::fmt::Write;

use landfall_object::ObjectKey;
use landfall_object::references::{Need, references};
use landfall_rules::calls::{Call, calls};
use landfall_rules::routes::routes;
use landfall_rules::{Desired, Door, Found, PodTemplate, Role, Subject, pod_template};
use serde::Serialize;

/// Objects and the edges between them.
#[derive(Debug, Default, Serialize)]
pub struct Graph {
    /// The objects, in the order of delivery.
    pub nodes: Vec<Node>,
    /// What depends on what.
    pub edges: Vec<Edge>,
}

/// An object.
#[derive(Debug, Serialize)]
pub struct Node {
    /// `shop/Deployment/web`; without a namespace for what has none.
    pub id: String,
    /// The release or Application.
    pub unit: String,
    /// The object.
    pub object: ObjectKey,
    /// When it is delivered: `wave -1`, `hook pre-upgrade (-5)`.
    pub when: String,
}

/// One object needs another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edge {
    /// Who needs.
    pub from: String,
    /// What is needed; its id where it is delivered.
    pub to: String,
    /// How: `refers`, `calls`, `selects`, `routes`.
    pub how: &'static str,
    /// The port that is called, or the key that is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Where it leads.
    pub leads: Leads,
}

/// Where an edge leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leads {
    /// To something that is delivered, or that a controller makes of it.
    Delivered,
    /// To something that the cluster must have: a class, an issuer.
    Cluster,
    /// Nowhere.
    Nowhere,
}

/// Kinds that a cluster has before anything is delivered.
const OF_CLUSTERS: &[&str] =
    &["StorageClass", "IngressClass", "PriorityClass", "RuntimeClass", "GatewayClass", "ClusterIssuer"];

impl Graph {
    /// The graph of what is delivered.
    pub fn of(subject: &Subject<'_>) -> Self {
        let mut graph = Graph::default();
        for desired in subject.objects() {
            graph.nodes.push(Node {
                id: id(&desired.key()),
                unit: desired.unit.clone(),
                object: desired.key(),
                when: when(subject, desired),
            });
            graph.edges.extend(edges(subject, desired));
        }
        graph.edges.sort();
        graph.edges.dedup();
        graph
    }

    /// Edges that lead nowhere.
    pub fn dangling(&self) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(|edge| edge.leads == Leads::Nowhere)
    }

    /// For Graphviz.
    pub fn dot(&self) -> String {
        let mut text = String::from("digraph landfall {\n  rankdir=LR;\n  node [shape=box];\n");
        for node in &self.nodes {
            let label = format!("{}\\n{}", quoted(&name(&node.object)), quoted(&node.when));
            let _ = writeln!(text, "  \"{}\" [label=\"{label}\"];", quoted(&node.id));
        }
        for edge in &self.edges {
            let style = if edge.leads == Leads::Nowhere { " style=dashed color=red" } else { "" };
            let label = label(edge);
            let _ = writeln!(
                text,
                "  \"{}\" -> \"{}\" [label=\"{}\"{style}];",
                quoted(&edge.from),
                quoted(&edge.to),
                quoted(&label)
            );
        }
        text.push_str("}\n");
        text
    }

    /// For Markdown pages.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("graph LR\n");
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut declared = String::new();
        let all = self.nodes.iter().map(|node| node.id.as_str());
        let all = all.chain(self.edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]));
        for one in all {
            let next = numbers.len();
            if let std::collections::btree_map::Entry::Vacant(entry) = numbers.entry(one) {
                entry.insert(next);
                let _ = writeln!(declared, "  n{next}[\"{}\"]", quoted(one));
            }
        }
        text.push_str(&declared);
        for edge in &self.edges {
            let arrow = if edge.leads == Leads::Nowhere { "-.->" } else { "-->" };
            let ends = (numbers[edge.from.as_str()], numbers[edge.to.as_str()]);
            let _ = writeln!(text, "  n{} {arrow}|\"{}\"| n{}", ends.0, quoted(&label(edge)), ends.1);
        }
        text
    }

    /// For people: each object with what it needs.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut unit = "";
        for node in &self.nodes {
            if node.unit != unit {
                unit = &node.unit;
                let _ = writeln!(text, "{unit}");
            }
            let _ = writeln!(text, "  {}  {}", name(&node.object), node.when);
            for edge in self.edges.iter().filter(|edge| edge.from == node.id) {
                let missing = match edge.leads {
                    Leads::Delivered => "",
                    Leads::Cluster => "   of the cluster",
                    Leads::Nowhere => "   ! not there",
                };
                let _ = writeln!(text, "    {} {}{missing}", label(edge), edge.to);
            }
        }
        let counted = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        let (objects, edges) = (counted(self.nodes.len(), "object"), counted(self.edges.len(), "edge"));
        let dangling = self.dangling().count();
        let lead = if dangling == 1 { "leads" } else { "lead" };
        let _ = writeln!(text, "{objects}, {edges}, {dangling} of them {lead} nowhere");
        text
    }
}

fn label(edge: &Edge) -> String {
    edge.detail.as_ref().map_or_else(|| edge.how.to_owned(), |detail| format!("{} {detail}", edge.how))
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "'")
}

fn name(key: &ObjectKey) -> String {
    let namespace = key.namespace.as_deref().map(|namespace| format!(" ({namespace})")).unwrap_or_default();
    format!("{}/{}{namespace}", key.gvk.kind, key.name)
}

fn id(key: &ObjectKey) -> String {
    match &key.namespace {
        Some(namespace) => format!("{namespace}/{}/{}", key.gvk.kind, key.name),
        None => format!("{}/{}", key.gvk.kind, key.name),
    }
}

/// When an object is delivered.
fn when(subject: &Subject<'_>, desired: &Desired) -> String {
    let is_application = subject.unit(&desired.unit).is_some_and(|unit| matches!(unit.door, Door::Application(_)));
    match &desired.role {
        Role::Definition => "definition, before all".to_owned(),
        Role::Hook { events, weight } => {
            let words: Vec<String> = events.iter().map(|event| event.name().to_owned()).collect();
            format!("hook {} ({weight})", words.join(","))
        }
        Role::Manifest => match desired.object.annotation("argocd.argoproj.io/sync-wave").filter(|_| is_application) {
            Some(wave) => format!("wave {wave}"),
            None if is_application => "wave 0".to_owned(),
            None => "in install order".to_owned(),
        },
    }
}

fn edges(subject: &Subject<'_>, desired: &Desired) -> Vec<Edge> {
    let object = &desired.object;
    let from = id(&desired.key());
    let mut found = Vec::new();
    for reference in references(object).into_iter().filter(|reference| reference.need != Need::Optional) {
        let namespace = reference.namespace.as_deref();
        let target = subject.find(&reference.group, &reference.kind, namespace, &reference.name);
        let provided = target.is_none()
            && subject.objects().any(|it| {
                landfall_object::references::provides(&it.object).iter().any(|made| {
                    made.kind == reference.kind && made.name == reference.name && made.namespace == reference.namespace
                })
            });
        let automatic = matches!(
            (reference.kind.as_str(), reference.name.as_str()),
            ("ServiceAccount", "default") | ("ConfigMap", "kube-root-ca.crt")
        );
        let key = match &reference.namespace {
            Some(namespace) => format!("{namespace}/{}/{}", reference.kind, reference.name),
            None => format!("{}/{}", reference.kind, reference.name),
        };
        found.push(Edge {
            from: from.clone(),
            to: target.map_or(key, |found| id(&found.object().key())),
            how: if routes(object).is_empty() || reference.kind != "Service" { "refers" } else { "routes" },
            detail: reference.key.clone(),
            leads: match target.is_some() || provided || automatic {
                true => Leads::Delivered,
                false if OF_CLUSTERS.contains(&reference.kind.as_str()) => Leads::Cluster,
                false => Leads::Nowhere,
            },
        });
    }
    if let Some(template) = pod_template(object) {
        for call in calls_by(subject, desired, &template) {
            let service: Found<'_> = call.service;
            let selector = service.object().at("/spec/selector");
            // A server that knows its own name does not call itself.
            if service.object().namespace() == object.namespace()
                && selector.is_some_and(|selector| template.is_selected_by(selector))
            {
                continue;
            }
            found.push(Edge {
                from: from.clone(),
                to: id(&service.object().key()),
                how: "calls",
                detail: Some(call.port.to_string()),
                leads: Leads::Delivered,
            });
        }
        for claim in object.list_at("/spec/volumeClaimTemplates") {
            let name = claim.pointer("/metadata/name").and_then(|name| name.as_str()).unwrap_or_default();
            found.push(Edge {
                from: from.clone(),
                to: format!(
                    "{}/PersistentVolumeClaim/{name}-{}-*",
                    object.namespace().unwrap_or_default(),
                    object.name()
                ),
                how: "owns",
                detail: None,
                leads: Leads::Delivered,
            });
        }
    }
    if object.group().is_empty() && object.kind() == "Service" {
        let selector = object.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()));
        let behind = subject.pods().filter(|(it, template)| {
            it.object.namespace() == object.namespace()
                && selector.is_some_and(|selector| template.is_selected_by(selector))
        });
        found.extend(behind.map(|(it, _)| Edge {
            from: from.clone(),
            to: id(&it.key()),
            how: "selects",
            detail: None,
            leads: Leads::Delivered,
        }));
    }
    found
}

/// The calls of a workload: what its variables say, and of the ConfigMaps and Secrets that it takes those keys that it
/// takes.
fn calls_by<'a>(subject: &Subject<'a>, desired: &Desired, template: &PodTemplate<'_>) -> Vec<Call<'a>> {
    let mut found = calls(subject, &desired.object, Some(template));
    for reference in references(&desired.object).iter().filter(|it| matches!(it.kind.as_str(), "ConfigMap" | "Secret"))
    {
        let source = subject.desired("", &reference.kind, reference.namespace.as_deref(), &reference.name);
        let written = source.map(|source| calls(subject, &source.object, None)).unwrap_or_default();
        let taken =
            |call: &Call<'_>| reference.key.as_ref().is_none_or(|key| call.field.ends_with(&format!("[{key}]")));
        found.extend(written.into_iter().filter(taken));
    }
    found
}
