//! Programs that create Secrets or ConfigMaps while they run: certificate generators in hook jobs, operators with a
//! webhook, setup jobs, servers that publish what their clients trust.
//!
//! A chart says of them who may create which (a role, a binding, an account), and mostly of what name: it stands in the
//! role, on a command line, in a variable, or in a script that is mounted.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::pod_template_of;
use crate::{Object, ObjectKey};

/// A workload that may create or fill Secrets or ConfigMaps.
#[derive(Debug, Clone)]
pub struct Program {
    /// The workload.
    pub owner: ObjectKey,
    /// Where it may make Secrets.
    pub secrets: Rights,
    /// Where it may make ConfigMaps.
    pub config_maps: Rights,
    words: String,
    labels: Vec<(String, String)>,
    /// Whether it has containers that run before the others.
    has_first: bool,
}

/// Where a program may create or change objects of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// In all namespaces.
    pub everywhere: bool,
    /// In these namespaces.
    pub namespaces: BTreeSet<String>,
    /// Of these names alone; all names when empty.
    pub names: BTreeSet<String>,
    /// Whether they may make new ones: a right of certain names is never a right to create, because what is created has no name
    /// yet when it is asked for.
    pub create: bool,
}

/// What is missed of a Secret or ConfigMap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// It is not there.
    Object,
    /// It is there, without a key.
    Key,
}

/// How sure it is that a program makes a certain Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// It may, and belongs to the same application as who needs the Secret.
    Allowed,
    /// It may, and is told the Secret's name.
    Named,
}

/// Labels that tell one application from another.
const APPLICATION: &[&str] =
    &["helm.sh/chart", "chart", "app.kubernetes.io/name", "app.kubernetes.io/part-of", "app", "k8s-app"];

/// What programs make in every namespace without being told its name: the last part of their image's, and the object's.
const MAKE_UNTOLD: &[(&str, &str)] = &[
    // istio, pilot/pkg/serviceregistry/kube/controller/namespacecontroller.go
    ("pilot", "istio-ca-root-cert"),
];

impl Rights {
    /// Adds what a rule of a role gives for a resource (`secrets`), in one namespace or (`None`) in all.
    pub fn add(&mut self, rule: &Value, resource: &str, namespace: Option<&str>) {
        let has = |field: &str, wanted: &[&str]| {
            let list = rule.get(field).and_then(Value::as_array);
            list.is_some_and(|list| list.iter().filter_map(Value::as_str).any(|it| it == "*" || wanted.contains(&it)))
        };
        if !has("apiGroups", &[""]) || !has("resources", &[resource]) || !has("verbs", &["create", "update", "patch"]) {
            return;
        }
        self.create |= has("verbs", &["create"]);
        let names: Vec<&str> = rule
            .get("resourceNames")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let first = !self.everywhere && self.namespaces.is_empty();
        if names.is_empty() {
            self.names.clear();
        } else if first || !self.names.is_empty() {
            self.names.extend(names.into_iter().map(str::to_owned));
        }
        match namespace {
            Some(namespace) => drop(self.namespaces.insert(namespace.to_owned())),
            None => self.everywhere = true,
        }
    }

    /// Whether they reach into a namespace.
    pub fn reach(&self, namespace: Option<&str>) -> bool {
        self.everywhere || namespace.is_some_and(|namespace| self.namespaces.contains(namespace))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        !self.everywhere && self.namespaces.is_empty()
    }
}

impl Program {
    /// A workload (or pod) with its rights; `text_of` gives the texts of a ConfigMap in the workload's namespace.
    pub fn of(
        owner: &Object,
        [secrets, config_maps]: [Rights; 2],
        text_of: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let (metadata, spec) = pod_template_of(owner)?;
        let mut words = String::new();
        for container in ["initContainers", "containers"].into_iter().flat_map(|field| list(spec, field)) {
            let image = container["image"].as_str().unwrap_or_default();
            let program = image.rsplit('/').next().and_then(|image| image.split([':', '@']).next());
            for (_, made) in MAKE_UNTOLD.iter().filter(|(maker, _)| Some(*maker) == program) {
                let _ = writeln!(words, "{made}");
            }
            for word in ["command", "args"].into_iter().flat_map(|field| list(container, field)) {
                let _ = writeln!(words, "{}", word.as_str().unwrap_or_default());
            }
            for variable in list(container, "env") {
                let _ = writeln!(words, "{}", variable["value"].as_str().unwrap_or_default());
            }
            for source in list(container, "envFrom") {
                words.extend(source["configMapRef"]["name"].as_str().and_then(&text_of));
            }
        }
        for volume in list(spec, "volumes") {
            words.extend(volume["configMap"]["name"].as_str().and_then(&text_of));
        }
        let has_first = list(spec, "initContainers").next().is_some();
        Some(Program { owner: owner.key(), secrets, config_maps, words, labels: labels_of(owner, metadata), has_first })
    }

    /// Whether it makes, or fills, a Secret or ConfigMap that a workload or pod needs.
    pub fn makes(
        &self,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        lack: Lack,
        needed_by: &Object,
    ) -> Option<Certainty> {
        let rights = match kind {
            "Secret" => &self.secrets,
            "ConfigMap" => &self.config_maps,
            _ => return None,
        };
        if !rights.reach(namespace) || self.owner.name == needed_by.name() && kind == "ConfigMap" {
            return None;
        }
        // Who may only write what is there fills it at most.
        if lack == Lack::Object && !rights.create {
            return None;
        }
        // It runs when its containers start, and they do not start without it.
        if !self.has_first && self.owner == needed_by.key() {
            return None;
        }
        if rights.names.contains(name) || (rights.names.is_empty() && names(&self.words, name)) {
            return Some(Certainty::Named);
        }
        // Leaders are elected with the right to ConfigMaps: alone it says nothing.
        if kind == "ConfigMap" {
            return None;
        }
        let metadata = pod_template_of(needed_by).map_or(&Value::Null, |(metadata, _)| metadata);
        let shares = labels_of(needed_by, metadata).iter().any(|label| self.labels.contains(label));
        (shares && rights.names.is_empty() && self.owner.name != needed_by.name()).then_some(Certainty::Allowed)
    }
}

/// The programs among objects that are delivered together.
pub fn programs<'a>(objects: impl Iterator<Item = &'a Object> + Clone) -> Vec<Program> {
    let is_rbac = |object: &&Object| object.group() == "rbac.authorization.k8s.io";
    let roles: Vec<&Object> =
        objects.clone().filter(is_rbac).filter(|it| matches!(it.kind(), "Role" | "ClusterRole")).collect();
    let bindings: Vec<&Object> = objects
        .clone()
        .filter(is_rbac)
        .filter(|it| matches!(it.kind(), "RoleBinding" | "ClusterRoleBinding"))
        .collect();
    if bindings.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for owner in objects.clone() {
        let Some((_, spec)) = pod_template_of(owner) else { continue };
        let rights = ["secrets", "configmaps"]
            .map(|resource| rights_of(resource, owner.namespace(), account(spec), &roles, &bindings));
        if rights.iter().all(Rights::is_empty) {
            continue;
        }
        let text_of = |name: &str| {
            let is_it = |it: &&Object| {
                it.group().is_empty()
                    && it.kind() == "ConfigMap"
                    && it.name() == name
                    && it.namespace() == owner.namespace()
            };
            objects.clone().find(is_it).map(texts)
        };
        found.extend(Program::of(owner, rights, text_of));
    }
    found
}

/// The account of a pod.
pub fn account(spec: &Value) -> &str {
    let named = |field: &str| spec.get(field).and_then(Value::as_str).filter(|name| !name.is_empty());
    named("serviceAccountName").or_else(|| named("serviceAccount")).unwrap_or("default")
}

/// All texts of a ConfigMap.
pub fn texts(object: &Object) -> String {
    let data = object.at("/data").and_then(Value::as_object);
    data.into_iter().flatten().filter_map(|(_, value)| value.as_str()).flat_map(|text| [text, "\n"]).collect()
}

fn rights_of(
    resource: &str,
    namespace: Option<&str>,
    account: &str,
    roles: &[&Object],
    bindings: &[&Object],
) -> Rights {
    let mut rights = Rights::default();
    for binding in bindings {
        let bound = binding.list_at("/subjects").iter().any(|subject| {
            let of = subject["namespace"].as_str().or(binding.namespace());
            subject["kind"] == "ServiceAccount" && subject["name"] == account && of == namespace
        });
        if !bound {
            continue;
        }
        let (kind, name) = (binding.str_at("/roleRef/kind"), binding.str_at("/roleRef/name").unwrap_or_default());
        let within = if binding.kind() == "RoleBinding" { binding.namespace() } else { None };
        if kind == Some("ClusterRole") && ["cluster-admin", "admin", "edit"].contains(&name) {
            let all = serde_json::json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
            rights.add(&all, resource, within);
        }
        let is_it = |role: &&&Object| {
            Some(role.kind()) == kind
                && role.name() == name
                && (role.kind() == "ClusterRole" || role.namespace() == binding.namespace())
        };
        for rule in roles.iter().filter(is_it).flat_map(|role| role.list_at("/rules")) {
            rights.add(rule, resource, within);
        }
    }
    rights
}

fn labels_of(owner: &Object, metadata: &Value) -> Vec<(String, String)> {
    let template = metadata.get("labels").and_then(Value::as_object);
    let of = |labels: Option<&Map<String, Value>>| -> Vec<(String, String)> {
        let pair = |key: &&str| Some(((*key).to_owned(), labels?.get(*key)?.as_str()?.to_owned()));
        APPLICATION.iter().filter_map(pair).collect()
    };
    of(owner.labels()).into_iter().chain(of(template)).collect()
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a name stands in a text as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let is_part = |letter: Option<char>| letter.is_some_and(|it| it.is_ascii_alphanumeric() || it == '-' || it == '.');
    !name.is_empty()
        && text
            .match_indices(name)
            .any(|(at, _)| !is_part(text[..at].chars().next_back()) && !is_part(text[at + name.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    fn delivered(arguments: Value, verbs: Value) -> Vec<Object> {
        let metadata = |name: &str| json!({"name": name, "namespace": "n"});
        vec![
            object(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata("maker"),
                "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": verbs}]})),
            object(
                json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata("maker"),
                "roleRef": {"kind": "Role", "name": "maker"}, "subjects": [{"kind": "ServiceAccount", "name": "maker"}]}),
            ),
            object(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata("create"),
                "spec": {"template": {"metadata": {"labels": {"app": "web"}}, "spec": {"serviceAccountName": "maker",
                    "containers": [{"name": "c", "args": arguments}]}}}})),
        ]
    }

    fn consumer(app: &str) -> Object {
        object(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "n"},
            "spec": {"template": {"metadata": {"labels": {"app": app}}, "spec": {}}}}))
    }

    #[test]
    fn no_workload_makes_the_secret_without_which_it_does_not_start() {
        let mut objects = delivered(json!(["--trust", "web-ca"]), json!(["create"]));
        let makes = |objects: &[Object]| {
            let found = programs(objects.iter());
            [objects[2].clone(), consumer("web")]
                .map(|it| found[0].makes("Secret", Some("n"), "web-ca", Lack::Object, &it))
        };
        assert_eq!(makes(&objects), [None, Some(Certainty::Named)]);
        let first = json!([{"name": "certificates", "args": ["--make", "web-ca"]}]);
        objects[2].map_mut()["spec"]["template"]["spec"]["initContainers"] = first;
        assert_eq!(makes(&objects), [Some(Certainty::Named); 2], "its first containers run before the others");
    }

    #[test]
    fn a_job_that_may_create_secrets_makes_the_one_it_is_told() {
        let objects = delivered(json!(["create", "--secret-name=web-tls"]), json!(["get", "create"]));
        let found = programs(objects.iter());
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].makes("Secret", Some("n"), "web-tls", Lack::Object, &consumer("other")),
            Some(Certainty::Named)
        );
        assert_eq!(found[0].makes("Secret", Some("n"), "web-tl", Lack::Object, &consumer("other")), None);
        assert_eq!(
            found[0].makes("Secret", Some("n"), "else", Lack::Object, &consumer("web")),
            Some(Certainty::Allowed)
        );
        assert_eq!(found[0].makes("Secret", Some("m"), "web-tls", Lack::Object, &consumer("web")), None);
    }

    #[test]
    fn without_the_right_nothing_is_made() {
        let objects = delivered(json!(["create", "--secret-name=web-tls"]), json!(["get", "list"]));
        assert!(programs(objects.iter()).is_empty());
    }

    #[test]
    fn a_right_on_names_is_for_those() {
        let mut rights = Rights::default();
        let rule = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["patch"], "resourceNames": ["a"]});
        rights.add(&rule, "secrets", Some("n"));
        let program = Program::of(&consumer("web"), [rights, Rights::default()], |_| None).expect("a workload");
        let other = object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "n"}}));
        let makes = |name, lack, needed_by: &Object| program.makes("Secret", Some("n"), name, lack, needed_by);
        assert_eq!(makes("a", Lack::Key, &other), Some(Certainty::Named));
        assert_eq!(makes("a", Lack::Object, &other), None, "it may write what is there, and make nothing");
        assert_eq!(makes("a", Lack::Key, &consumer("x")), None, "it does not start without it");
        assert_eq!(makes("b", Lack::Key, &consumer("web")), None);
    }

    #[test]
    fn what_a_known_program_makes_untold_is_made_in_every_namespace() {
        let image = |image: &str| {
            let pod =
                object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "istiod", "namespace": "n"},
                "spec": {"containers": [{"name": "c", "image": image}]}}));
            let rights = Rights { everywhere: true, create: true, ..Rights::default() };
            let program = Program::of(&pod, [Rights::default(), rights], |_| None).expect("a pod");
            program.makes("ConfigMap", Some("shop"), "istio-ca-root-cert", Lack::Object, &consumer("web"))
        };
        assert_eq!(image("registry.example.com/istio/pilot:1.27.0"), Some(Certainty::Named));
        assert_eq!(image("example.com/autopilot:1"), None);
    }

    #[test]
    fn a_config_map_is_made_by_whom_its_name_is_given_to() {
        let role = |names: Value| {
            let mut objects = delivered(json!(["run"]), json!(["get"]));
            objects[0] = object(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": {"name": "maker", "namespace": "n"},
                "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create"],
                    "resourceNames": names}]}));
            let found = programs(objects.iter());
            let makes = |name| found[0].makes("ConfigMap", Some("n"), name, Lack::Object, &consumer("web"));
            (makes("bundle"), makes("else"))
        };
        assert_eq!(role(json!(["bundle"])), (Some(Certainty::Named), None));
        assert_eq!(role(json!([])), (None, None), "whoever elects a leader may, too");
    }
}
