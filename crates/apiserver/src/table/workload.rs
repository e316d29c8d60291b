//! Rows of workloads.

use serde_json::{Value, json};

use super::age::{between, since};
use super::{Printer, age, containers, int, int_or_string, labels, list, name, number, selector, str_of, text, wide};

pub(super) const POD_TEMPLATE: Printer = Printer {
    columns: &[text("Name"), text("Containers"), text("Images"), text("Pod Labels")],
    row: |object, _| {
        let [names, images] = containers(&object["template"]["spec"]);
        vec![name(object), names, images, json!(labels(&object["template"]["metadata"]["labels"]))]
    },
};

pub(super) const SCALE: Printer = Printer {
    columns: &[text("Name"), number("Desired"), number("Available"), text("Age")],
    row: |object, now| {
        vec![name(object), int(&object["spec"]["replicas"]), int(&object["status"]["replicas"]), age(object, now)]
    },
};

pub(super) const DEPLOYMENT: Printer = Printer {
    columns: &[
        text("Name"),
        text("Ready"),
        text("Up-to-date"),
        text("Available"),
        text("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    row: |object, now| {
        let status = &object["status"];
        let [names, images] = containers(&object["spec"]["template"]["spec"]);
        let desired = object["spec"]["replicas"].as_i64().unwrap_or(0);
        vec![
            name(object),
            json!(format!("{}/{desired}", status["readyReplicas"].as_i64().unwrap_or(0))),
            int(&status["updatedReplicas"]),
            int(&status["availableReplicas"]),
            age(object, now),
            names,
            images,
            selector(&object["spec"]["selector"]),
        ]
    },
};

pub(super) const REPLICA_SET: Printer = Printer {
    columns: &[
        text("Name"),
        number("Desired"),
        number("Current"),
        number("Ready"),
        text("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    row: |object, now| {
        let status = &object["status"];
        let [names, images] = containers(&object["spec"]["template"]["spec"]);
        let selected = match object["kind"].as_str() {
            Some("ReplicationController") => json!(labels(&object["spec"]["selector"])),
            _ => selector(&object["spec"]["selector"]),
        };
        vec![
            name(object),
            int(&object["spec"]["replicas"]),
            int(&status["replicas"]),
            int(&status["readyReplicas"]),
            age(object, now),
            names,
            images,
            selected,
        ]
    },
};

pub(super) const STATEFUL_SET: Printer = Printer {
    columns: &[text("Name"), text("Ready"), text("Age"), wide("Containers"), wide("Images")],
    row: |object, now| {
        let [names, images] = containers(&object["spec"]["template"]["spec"]);
        let ready = object["status"]["readyReplicas"].as_i64().unwrap_or(0);
        let desired = object["spec"]["replicas"].as_i64().unwrap_or(0);
        vec![name(object), json!(format!("{ready}/{desired}")), age(object, now), names, images]
    },
};

pub(super) const DAEMON_SET: Printer = Printer {
    columns: &[
        text("Name"),
        number("Desired"),
        number("Current"),
        number("Ready"),
        number("Up-to-date"),
        number("Available"),
        text("Node Selector"),
        text("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    row: |object, now| {
        let status = &object["status"];
        let [names, images] = containers(&object["spec"]["template"]["spec"]);
        vec![
            name(object),
            int(&status["desiredNumberScheduled"]),
            int(&status["currentNumberScheduled"]),
            int(&status["numberReady"]),
            int(&status["updatedNumberScheduled"]),
            int(&status["numberAvailable"]),
            json!(labels(&object["spec"]["template"]["spec"]["nodeSelector"])),
            age(object, now),
            names,
            images,
            selector(&object["spec"]["selector"]),
        ]
    },
};

pub(super) const JOB: Printer = Printer {
    columns: &[
        text("Name"),
        text("Status"),
        text("Completions"),
        text("Duration"),
        text("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    row: |object, now| {
        let (spec, status) = (&object["spec"], &object["status"]);
        let [names, images] = containers(&spec["template"]["spec"]);
        let succeeded = status["succeeded"].as_i64().unwrap_or(0);
        let completions = match (spec["completions"].as_i64(), spec["parallelism"].as_i64()) {
            (Some(completions), _) => format!("{succeeded}/{completions}"),
            (None, Some(parallelism)) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
            _ => format!("{succeeded}/1"),
        };
        let duration = if status["startTime"].is_string() {
            between(&status["startTime"], &status["completionTime"]).unwrap_or_else(|| since(&status["startTime"], now))
        } else {
            String::new()
        };
        vec![
            name(object),
            json!(job_status(object)),
            json!(completions),
            json!(duration),
            age(object, now),
            names,
            images,
            selector(&spec["selector"]),
        ]
    },
};

fn job_status(job: &Value) -> &'static str {
    let holds = |kind: &str| {
        list(&job["status"]["conditions"])
            .iter()
            .any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    if holds("Complete") {
        "Complete"
    } else if holds("Failed") {
        "Failed"
    } else if job["metadata"]["deletionTimestamp"].is_string() {
        "Terminating"
    } else if holds("Suspended") {
        "Suspended"
    } else if holds("FailureTarget") {
        "FailureTarget"
    } else if holds("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

pub(super) const CRON_JOB: Printer = Printer {
    columns: &[
        text("Name"),
        text("Schedule"),
        text("Timezone"),
        super::Column { name: "Suspend", kind: "boolean", wide: false },
        number("Active"),
        text("Last Schedule"),
        text("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    row: |object, now| {
        let (spec, status) = (&object["spec"], &object["status"]);
        let template = &spec["jobTemplate"]["spec"];
        let [names, images] = containers(&template["template"]["spec"]);
        let last = &status["lastScheduleTime"];
        vec![
            name(object),
            spec["schedule"].clone(),
            json!(spec["timeZone"].as_str().unwrap_or("<none>")),
            json!(if spec["suspend"] == true { "True" } else { "False" }),
            json!(list(&status["active"]).len()),
            json!(if last.is_string() { since(last, now) } else { "<none>".to_owned() }),
            age(object, now),
            names,
            images,
            selector(&template["selector"]),
        ]
    },
};

pub(super) const AUTOSCALER: Printer = Printer {
    columns: &[
        text("Name"),
        text("Reference"),
        text("Targets"),
        text("MinPods"),
        text("MaxPods"),
        text("Replicas"),
        text("Age"),
    ],
    row: |object, now| {
        let spec = &object["spec"];
        let target = &spec["scaleTargetRef"];
        vec![
            name(object),
            json!(format!("{}/{}", str_of(&target["kind"]), str_of(&target["name"]))),
            json!(targets(object)),
            json!(spec["minReplicas"].as_i64().map_or_else(|| "<unset>".to_owned(), |min| min.to_string())),
            json!(spec["maxReplicas"].as_i64().unwrap_or(0)),
            int(&object["status"]["currentReplicas"]),
            age(object, now),
        ]
    },
};

fn targets(autoscaler: &Value) -> String {
    let metrics = list(&autoscaler["spec"]["metrics"]);
    if metrics.is_empty() {
        return match autoscaler["spec"]["targetCPUUtilizationPercentage"].as_i64() {
            Some(target) => format!("cpu: <unknown>/{target}%"),
            None => "<none>".to_owned(),
        };
    }
    let shown = metrics.iter().enumerate().take(2).map(|(index, metric)| {
        let current = &autoscaler["status"]["currentMetrics"][index];
        let resource = &metric["resource"];
        match str_of(&metric["type"]) {
            "Resource" => {
                let named = str_of(&resource["name"]);
                if let Some(target) = resource["target"]["averageUtilization"].as_i64() {
                    let now = current["resource"]["current"]["averageUtilization"]
                        .as_i64()
                        .map_or_else(|| "<unknown>".to_owned(), |value| format!("{value}%"));
                    format!("{named}: {now}/{target}%")
                } else {
                    let now = current["resource"]["current"]["averageValue"].as_str().unwrap_or("<unknown>");
                    format!("{named}: {now}/{}", str_of(&resource["target"]["averageValue"]))
                }
            }
            _ => "<unknown type>".to_owned(),
        }
    });
    let text = shown.collect::<Vec<_>>().join(", ");
    if metrics.len() > 2 { format!("{text} + {} more...", metrics.len() - 2) } else { text }
}

pub(super) const DISRUPTION_BUDGET: Printer = Printer {
    columns: &[
        text("Name"),
        text("Min Available"),
        text("Max Unavailable"),
        number("Allowed Disruptions"),
        text("Age"),
    ],
    row: |object, now| {
        let limit = |field: &str| match &object["spec"][field] {
            Value::Null => json!("N/A"),
            value => json!(int_or_string(value)),
        };
        vec![
            name(object),
            limit("minAvailable"),
            limit("maxUnavailable"),
            int(&object["status"]["disruptionsAllowed"]),
            age(object, now),
        ]
    },
};

pub(super) const CONTROLLER_REVISION: Printer = Printer {
    columns: &[text("Name"), text("Controller"), number("Revision"), text("Age")],
    row: |object, now| {
        let owner = list(&object["metadata"]["ownerReferences"]).iter().find(|owner| owner["controller"] == true);
        let controller = owner.map_or_else(
            || "<none>".to_owned(),
            |owner| {
                let group = str_of(&owner["apiVersion"]).split_once('/').map_or("", |(group, _)| group);
                let kind = str_of(&owner["kind"]).to_lowercase();
                let kind = if group.is_empty() { kind } else { format!("{kind}.{group}") };
                format!("{kind}/{}", str_of(&owner["name"]))
            },
        );
        vec![name(object), json!(controller), int(&object["revision"]), age(object, now)]
    },
};
