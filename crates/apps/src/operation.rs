//! What was asked for when a sync was: an Application's `operation`.

use landfall_object::{Object, ObjectKey};
use landfall_project::Span;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A sync that was asked for, by a person or by the Application's own policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Operation {
    /// One a source, as the source is to be read; none for what the Application's own revisions lead to.
    pub revisions: Vec<String>,
    /// Whether objects no longer wanted are deleted; the Application's own policy when absent.
    pub prune: Option<bool>,
    /// The objects that alone take part, without hooks; all of them when there are none.
    pub resources: Vec<ResourceName>,
    /// Whether hooks are left out (`syncStrategy.apply`).
    pub hooks: HookPart,
    /// Sync options on top of the Application's own.
    pub options: Vec<String>,
    /// Who asked for it.
    pub initiator: Initiator,
    /// How often drift was put right one time after the other, this time included.
    pub heal_attempts: u32,
    /// How often it is tried again when it fails.
    pub retry: Retry,
    /// Why it may deliver what may not run there, where somebody has said so (`info`, as Argo CD has it).
    pub break_glass: Option<String>,
}

/// The entry of an operation's `info` that says why it may deliver what may not run there.
pub const BREAK_GLASS_INFO: &str = "landfall.dev/break-glass";

/// Whether hooks take part in a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum HookPart {
    /// They run.
    #[default]
    Taken,
    /// They do not.
    LeftOut,
}

/// Who asked for a sync.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Initiator {
    /// The Application's policy.
    Automation,
    /// Somebody, by name where it was said.
    Person(String),
    /// A delivery from a command line.
    #[default]
    Delivery,
}

/// An object of an Application by what Argo CD names it by: without its version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceName {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace; any when empty.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ResourceName {
    /// Whether it names an object.
    pub fn names(&self, key: &ObjectKey) -> bool {
        self.group == key.gvk.group
            && self.kind == key.gvk.kind
            && self.name == key.name
            && (self.namespace.is_empty() || key.namespace.as_deref().is_none_or(|it| it == self.namespace))
    }
}

impl std::fmt::Display for ResourceName {
    /// As people name it: `GROUP:KIND:NAMESPACE/NAME`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ResourceName { group, kind, namespace, name } = self;
        let slash = if namespace.is_empty() { "" } else { "/" };
        write!(f, "{group}:{kind}:{namespace}{slash}{name}")
    }
}

impl From<&ObjectKey> for ResourceName {
    fn from(key: &ObjectKey) -> Self {
        ResourceName {
            group: key.gvk.group.clone(),
            kind: key.gvk.kind.clone(),
            namespace: key.namespace.clone().unwrap_or_default(),
            name: key.name.clone(),
        }
    }
}

/// How often a sync that failed is tried again, and how long lies between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retry {
    /// How often; without end when negative.
    pub limit: i64,
    /// Seconds before the first time.
    pub first: u64,
    /// By how much each wait is longer than the one before.
    pub factor: u64,
    /// The longest wait, in seconds.
    pub longest: u64,
    /// Whether a later try takes what the revision leads to by then.
    pub refresh: bool,
}

impl Default for Retry {
    /// Never; the waits are Argo CD's own (pkg/apis/application/v1alpha1, RetryStrategy).
    fn default() -> Self {
        Retry { limit: 0, first: 5, factor: 2, longest: 180, refresh: false }
    }
}

impl Retry {
    /// How often an automated sync is tried again where its Application does not say.
    pub const AUTOMATED: i64 = 5;

    /// Reads a `retry`; of what cannot be read the usual counts.
    pub fn parse(value: &Value) -> Self {
        let usual = Retry::default();
        let seconds = |field: &str, usual: u64| {
            let text = value["backoff"][field].as_str().filter(|text| !text.is_empty());
            text.and_then(|text| Span::parse(text).ok()).map_or(usual, |span| span.duration().as_secs().max(1))
        };
        Retry {
            limit: value["limit"].as_i64().unwrap_or(usual.limit),
            first: seconds("duration", usual.first),
            factor: value["backoff"]["factor"].as_u64().unwrap_or(usual.factor).max(1),
            longest: seconds("maxDuration", usual.longest),
            refresh: value["refresh"].as_bool().unwrap_or_default(),
        }
    }

    /// Whether there is a try of that number, counted from 1 behind the first one.
    pub fn allows(&self, number: u32) -> bool {
        self.limit < 0 || i64::from(number) <= self.limit
    }

    /// Seconds before the try of that number.
    pub fn wait(&self, number: u32) -> u64 {
        let grown = self.factor.checked_pow(number.saturating_sub(1)).and_then(|by| self.first.checked_mul(by));
        grown.unwrap_or(self.longest).min(self.longest)
    }

    fn written(&self) -> Value {
        let [first, longest] = [self.first, self.longest].map(|seconds| format!("{seconds}s"));
        let backoff = json!({"duration": first, "factor": self.factor, "maxDuration": longest});
        let mut retry = json!({"limit": self.limit, "backoff": backoff});
        if self.refresh {
            retry["refresh"] = true.into();
        }
        retry
    }
}

/// Why an operation that an Application carries cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operation asks for {}, which is not acted on", asked.join(" and "))]
pub struct NotActedOn {
    /// The fields, as people write them.
    pub asked: Vec<&'static str>,
}

/// Fields of `operation` that change what would be synced, and that are not acted on.
const NOT_ACTED_ON: [(&str, &str); 5] = [
    ("/sync/dryRun", "sync.dryRun"),
    ("/sync/manifests", "sync.manifests"),
    ("/sync/source", "sync.source"),
    ("/sync/sources", "sync.sources"),
    ("/sync/syncStrategy/apply/force", "sync.syncStrategy.apply.force"),
];

impl Operation {
    /// A sync that the Application's own policy asks for.
    pub fn automated(retry: Retry) -> Self {
        Operation { initiator: Initiator::Automation, retry, ..Operation::default() }
    }

    /// Whether the Application's own policy asks for it.
    pub fn is_automated(&self) -> bool {
        self.initiator == Initiator::Automation
    }

    /// Whether somebody asked for this very sync, who wants its hooks run also where nothing differs.
    pub fn is_asked_for(&self) -> bool {
        matches!(self.initiator, Initiator::Person(_))
    }

    /// Whether only some of the objects take part.
    pub fn is_partial(&self) -> bool {
        !self.resources.is_empty()
    }

    /// Whether an object takes part.
    pub fn takes(&self, key: &ObjectKey) -> bool {
        self.resources.is_empty() || self.resources.iter().any(|name| name.names(key))
    }

    /// Whether hooks run: of a part of the objects never (controller/sync.go).
    pub fn runs_hooks(&self) -> bool {
        self.hooks == HookPart::Taken && !self.is_partial()
    }

    /// The operation that an Application carries.
    ///
    /// # Errors
    /// [`NotActedOn`].
    pub fn carried(application: &Object) -> Result<Option<Self>, NotActedOn> {
        let Some(operation) = application.at("/operation").filter(|it| it.get("sync").is_some_and(Value::is_object))
        else {
            return Ok(None);
        };
        let is_set = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(list) => !list.is_empty(),
            _ => true,
        };
        let asked: Vec<&str> = NOT_ACTED_ON
            .iter()
            .filter(|(pointer, _)| operation.pointer(pointer).is_some_and(is_set))
            .map(|(_, shown)| *shown)
            .collect();
        if asked.is_empty() { Ok(Some(Operation::parse(operation))) } else { Err(NotActedOn { asked }) }
    }

    /// Reads one as it is written, what is not acted on left out.
    pub fn parse(operation: &Value) -> Self {
        let sync = &operation["sync"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
        let mut revisions = texts(&sync["revisions"]);
        if let (true, Some(revision)) = (revisions.is_empty(), sync["revision"].as_str().filter(|it| !it.is_empty())) {
            revisions.push(revision.to_owned());
        }
        let names = |value: &Value| serde_json::from_value(value.clone()).unwrap_or_default();
        let by = &operation["initiatedBy"];
        let is_automated = by["automated"].as_bool().unwrap_or_default();
        let strategy = &sync["syncStrategy"];
        Operation {
            revisions,
            // A policy's own sync prunes as the policy says, somebody's only when it is said.
            prune: if is_automated { None } else { Some(sync["prune"].as_bool().unwrap_or_default()) },
            resources: sync["resources"].as_array().into_iter().flatten().map(names).collect(),
            hooks: if strategy["apply"].is_object() { HookPart::LeftOut } else { HookPart::Taken },
            options: texts(&sync["syncOptions"]),
            initiator: match is_automated {
                true => Initiator::Automation,
                false => Initiator::Person(text(&by["username"])),
            },
            heal_attempts: sync["autoHealAttemptsCount"].as_u64().and_then(|it| it.try_into().ok()).unwrap_or_default(),
            retry: Retry::parse(&operation["retry"]),
            break_glass: break_glass(operation),
        }
    }

    /// As it stands in `status.operationState.operation`.
    pub fn written(&self) -> Value {
        let mut sync = json!({});
        match self.revisions.as_slice() {
            [] => {}
            [one] => sync["revision"] = one.as_str().into(),
            all => sync["revisions"] = json!(all),
        }
        if let Some(prune) = self.prune {
            sync["prune"] = prune.into();
        }
        if !self.resources.is_empty() {
            sync["resources"] = json!(self.resources);
        }
        if self.hooks == HookPart::LeftOut {
            sync["syncStrategy"] = json!({"apply": {}});
        }
        if !self.options.is_empty() {
            sync["syncOptions"] = json!(self.options);
        }
        if self.heal_attempts > 0 {
            sync["autoHealAttemptsCount"] = self.heal_attempts.into();
        }
        let mut operation = json!({"sync": sync});
        match &self.initiator {
            Initiator::Automation => operation["initiatedBy"] = json!({"automated": true}),
            Initiator::Person(name) if !name.is_empty() => operation["initiatedBy"] = json!({"username": name}),
            Initiator::Person(_) | Initiator::Delivery => {}
        }
        if self.retry.limit != 0 {
            operation["retry"] = self.retry.written();
        }
        if let Some(reason) = &self.break_glass {
            operation["info"] = json!([{"name": BREAK_GLASS_INFO, "value": reason}]);
        }
        operation
    }
}

/// Why an operation may deliver what may not run there; an empty reason is none.
fn break_glass(operation: &Value) -> Option<String> {
    let mut info = operation["info"].as_array().into_iter().flatten();
    let reason = info.find(|it| it["name"] == BREAK_GLASS_INFO)?["value"].as_str()?.trim();
    (!reason.is_empty()).then(|| reason.to_owned())
}

#[cfg(test)]
mod tests {
    use landfall_object::Gvk;

    use super::*;

    fn application(operation: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"}, "operation": operation,
        }))
        .expect("a map")
    }

    #[test]
    fn what_is_written_of_an_operation_is_read_again_as_the_same() {
        let written = json!({
            "initiatedBy": {"username": "anna"},
            "retry": {"limit": 2, "backoff": {"duration": "3s", "factor": 3, "maxDuration": "60s"}},
            "info": [{"name": BREAK_GLASS_INFO, "value": "the shop is down"}],
            "sync": {"revision": "v1", "prune": true, "syncStrategy": {"apply": {}}, "syncOptions": ["Replace=true"],
                "resources": [{"group": "apps", "kind": "Deployment", "namespace": "", "name": "web"}]},
        });
        let read = Operation::carried(&application(written.clone())).expect("acted on").expect("there is one");
        assert_eq!(read.written(), written);
        assert_eq!(Operation::parse(&read.written()), read);
        let web = ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), "web");
        assert!(read.takes(&web) && !read.runs_hooks());
        assert!(!read.takes(&ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("shop"), "api")));
    }

    #[test]
    fn an_operation_that_asks_for_what_is_not_acted_on_is_refused_by_its_fields() {
        let asks = json!({"sync": {"dryRun": true, "manifests": ["{}"], "source": null}});
        let refused = Operation::carried(&application(asks)).expect_err("refused");
        assert_eq!(refused.to_string(), "the operation asks for sync.dryRun and sync.manifests, which is not acted on");
        assert_eq!(Operation::carried(&application(Value::Null)), Ok(None));
    }

    #[test]
    fn waits_between_tries_grow_to_their_longest() {
        let retry = Retry::parse(&json!({"limit": -1, "backoff": {"duration": "7", "maxDuration": "1m"}}));
        assert_eq!((1..6).map(|number| retry.wait(number)).collect::<Vec<_>>(), [7, 14, 28, 56, 60]);
        assert!(retry.allows(1_000_000) && !Retry::default().allows(1));
        assert_eq!(retry.wait(u32::MAX), 60);
    }
}
