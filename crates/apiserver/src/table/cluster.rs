//! Rows of namespaces, nodes, events, access and the rest.

use serde_json::{Value, json};

use super::age::since;
use super::{Printer, age, int, joined, list, name, number, str_of, text, wide};

pub(super) const NAME_CREATED: Printer = Printer {
    columns: &[text("Name"), super::Column { name: "Created At", kind: "date", wide: false }],
    row: |object, _| vec![name(object), object["metadata"]["creationTimestamp"].clone()],
};

pub(super) const NAME_AGE: Printer =
    Printer { columns: &[text("Name"), text("Age")], row: |object, now| vec![name(object), age(object, now)] };

pub(super) const NAMESPACE: Printer = Printer {
    columns: &[text("Name"), text("Status"), text("Age")],
    row: |object, now| vec![name(object), object["status"]["phase"].clone(), age(object, now)],
};

pub(super) const NODE: Printer = Printer {
    columns: &[
        text("Name"),
        text("Status"),
        text("Roles"),
        text("Age"),
        text("Version"),
        wide("Internal-IP"),
        wide("External-IP"),
        wide("OS-Image"),
        wide("Kernel-Version"),
        wide("Container-Runtime"),
    ],
    row: |object, now| {
        let status = &object["status"];
        let ready = list(&status["conditions"]).iter().find(|condition| condition["type"] == "Ready");
        let mut state = match ready {
            Some(condition) if condition["status"] == "True" => "Ready".to_owned(),
            Some(_) => "NotReady".to_owned(),
            None => "Unknown".to_owned(),
        };
        if object["spec"]["unschedulable"] == true {
            state.push_str(",SchedulingDisabled");
        }
        let roles: Vec<&str> = object["metadata"]["labels"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| {
                key.strip_prefix("node-role.kubernetes.io/")
                    .or_else(|| (key == "kubernetes.io/role").then(|| str_of(value)))
            })
            .filter(|role| !role.is_empty())
            .collect();
        let address = |kind: &str| {
            list(&status["addresses"])
                .iter()
                .find(|address| address["type"] == kind)
                .map_or("<none>", |address| str_of(&address["address"]))
        };
        let info =
            |field: &str| status["nodeInfo"][field].as_str().filter(|text| !text.is_empty()).unwrap_or("<unknown>");
        vec![
            name(object),
            json!(state),
            json!(if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") }),
            age(object, now),
            json!(str_of(&status["nodeInfo"]["kubeletVersion"])),
            json!(address("InternalIP")),
            json!(address("ExternalIP")),
            json!(info("osImage")),
            json!(info("kernelVersion")),
            json!(info("containerRuntimeVersion")),
        ]
    },
};

pub(super) const EVENT: Printer = Printer {
    columns: &[
        text("Last Seen"),
        text("Type"),
        text("Reason"),
        text("Object"),
        wide("Subobject"),
        wide("Source"),
        text("Message"),
        wide("First Seen"),
        super::Column { name: "Count", kind: "integer", wide: true },
        wide("Name"),
    ],
    row: |object, now| {
        let involved =
            if object["involvedObject"].is_object() { &object["involvedObject"] } else { &object["regarding"] };
        let first_text = |fields: &[&str]| {
            fields.iter().map(|field| &object[*field]).find(|value| value.is_string()).cloned().unwrap_or(Value::Null)
        };
        let first = first_text(&["firstTimestamp", "deprecatedFirstTimestamp", "eventTime"]);
        let last = match &object["series"]["lastObservedTime"] {
            Value::Null => first_text(&["lastTimestamp", "deprecatedLastTimestamp", "eventTime"]),
            seen => seen.clone(),
        };
        let source = match str_of(&object["source"]["component"]) {
            "" => str_of(&object["reportingComponent"]).to_owned(),
            component => match str_of(&object["source"]["host"]) {
                "" => component.to_owned(),
                host => format!("{component}, {host}"),
            },
        };
        let target = format!("{}/{}", str_of(&involved["kind"]).to_lowercase(), str_of(&involved["name"]));
        let count = object["series"]["count"].as_i64().or_else(|| object["count"].as_i64()).unwrap_or(1).max(1);
        let message = object["message"].as_str().unwrap_or_else(|| str_of(&object["note"]));
        vec![
            json!(since(&last, now)),
            object["type"].clone(),
            object["reason"].clone(),
            json!(target),
            json!(str_of(&involved["fieldPath"])),
            json!(source),
            json!(message.trim()),
            json!(since(&first, now)),
            json!(count),
            name(object),
        ]
    },
};

pub(super) const QUOTA: Printer = Printer {
    columns: &[text("Name"), text("Request"), text("Limit"), text("Age")],
    row: |object, now| {
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (resource, hard) in object["status"]["hard"].as_object().into_iter().flatten() {
            let used = object["status"]["used"][resource].as_str().unwrap_or("0");
            let shown = format!("{resource}: {used}/{}", super::int_or_string(hard));
            if resource.starts_with("limits.") { limits.push(shown) } else { requests.push(shown) }
        }
        vec![name(object), json!(requests.join(", ")), json!(limits.join(", ")), age(object, now)]
    },
};

pub(super) const PRIORITY_CLASS: Printer = Printer {
    columns: &[
        text("Name"),
        number("Value"),
        super::Column { name: "Global-Default", kind: "boolean", wide: false },
        text("Age"),
        text("PreemptionPolicy"),
    ],
    row: |object, now| {
        vec![
            name(object),
            int(&object["value"]),
            json!(object["globalDefault"] == true),
            age(object, now),
            json!(object["preemptionPolicy"].as_str().unwrap_or("PreemptLowerPriority")),
        ]
    },
};

pub(super) const BINDING: Printer = Printer {
    columns: &[text("Name"), text("Role"), text("Age"), wide("Users"), wide("Groups"), wide("ServiceAccounts")],
    row: |object, now| {
        let of = |kind: &str| {
            joined(
                list(&object["subjects"])
                    .iter()
                    .filter(|subject| subject["kind"] == kind)
                    .map(|subject| str_of(&subject["name"])),
            )
        };
        let accounts: Vec<String> = list(&object["subjects"])
            .iter()
            .filter(|subject| subject["kind"] == "ServiceAccount")
            .map(|subject| format!("{}/{}", str_of(&subject["namespace"]), str_of(&subject["name"])))
            .collect();
        let role = &object["roleRef"];
        vec![
            name(object),
            json!(format!("{}/{}", str_of(&role["kind"]), str_of(&role["name"]))),
            age(object, now),
            json!(of("User")),
            json!(of("Group")),
            json!(accounts.join(",")),
        ]
    },
};

pub(super) const LEASE: Printer = Printer {
    columns: &[text("Name"), text("Holder"), text("Age")],
    row: |object, now| vec![name(object), json!(str_of(&object["spec"]["holderIdentity"])), age(object, now)],
};

pub(super) const RUNTIME_CLASS: Printer = Printer {
    columns: &[text("Name"), text("Handler"), text("Age")],
    row: |object, now| vec![name(object), object["handler"].clone(), age(object, now)],
};

pub(super) const WEBHOOKS: Printer = Printer {
    columns: &[text("Name"), number("Webhooks"), text("Age")],
    row: |object, now| vec![name(object), json!(list(&object["webhooks"]).len()), age(object, now)],
};

pub(super) const SIGNING_REQUEST: Printer = Printer {
    columns: &[
        text("Name"),
        text("Age"),
        text("SignerName"),
        text("Requestor"),
        text("RequestedDuration"),
        text("Condition"),
    ],
    row: |object, now| {
        let conditions: Vec<&str> =
            list(&object["status"]["conditions"]).iter().map(|condition| str_of(&condition["type"])).collect();
        let mut state = if conditions.is_empty() { "Pending".to_owned() } else { conditions.join(",") };
        if !str_of(&object["status"]["certificate"]).is_empty() {
            state.push_str(",Issued");
        }
        vec![
            name(object),
            age(object, now),
            json!(object["spec"]["signerName"].as_str().unwrap_or("<none>")),
            json!(str_of(&object["spec"]["username"])),
            json!(
                object["spec"]["expirationSeconds"].as_i64().map_or_else(|| "<none>".to_owned(), |s| format!("{s}s"))
            ),
            json!(state),
        ]
    },
};

pub(super) const API_SERVICE: Printer = Printer {
    columns: &[text("Name"), text("Service"), text("Available"), text("Age")],
    row: |object, now| {
        let service = &object["spec"]["service"];
        let served = if service.is_object() {
            format!("{}/{}", str_of(&service["namespace"]), str_of(&service["name"]))
        } else {
            "Local".to_owned()
        };
        let available = list(&object["status"]["conditions"])
            .iter()
            .find(|condition| condition["type"] == "Available")
            .map_or("Unknown".to_owned(), |condition| match str_of(&condition["status"]) {
                "True" => "True".to_owned(),
                other => format!("{other} ({})", str_of(&condition["reason"])),
            });
        vec![name(object), json!(served), json!(available), age(object, now)]
    },
};
