//! What a rehearsal shows of a delivery, and that it shows the same each time.

use landfall_rehearse::{FirstInstall, Rehearsal};
use landfall_rules::RULES;

use crate::fixture::{Files, Scene};

pub(crate) const WEB: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  strategy: {type: {{ .Values.strategy }}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "registry.example.com/web:{{ .Values.tag }}", readinessProbe: {httpGet: {path: /, port: 80}, initialDelaySeconds: 20}}
"#;

const JOB: &str = r#"apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: "pre-upgrade,post-install", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: migrate, image: "registry.example.com/migrate:1.0.0"}]}
"#;

const CLAIM: &str = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n";

pub(crate) fn files(values: &str, further: &[(&str, &str)]) -> Files {
    let fixed = [
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("values.yaml", values),
        ("templates/web.yaml", WEB),
        ("templates/job.yaml", JOB),
    ];
    fixed.iter().chain(further).map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// A bare chart in the namespace `shop`, on an empty cluster.
pub(crate) fn scene(files: Files) -> Scene {
    Scene {
        files,
        base: None,
        live: Vec::new(),
        protected: false,
        declares: serde_json::Value::Null,
        origin: None,
        environment: None,
        namespace: "shop".to_owned(),
        rehearsed: true,
        commits: Vec::new(),
    }
}

pub(crate) fn upgrade(base: Files, head: Files) -> Rehearsal {
    let scene = Scene { base: Some(base), ..scene(head) };
    scene.rehearsal(RULES).expect("it is rehearsed")
}

/// What a pipeline rehearses: the upgrade, and a first installation beside it.
pub(crate) fn upgrade_and_install(base: Files, head: Files) -> Rehearsal {
    let scene = Scene { base: Some(base), ..scene(head) };
    scene.rehearsal_with(RULES, FirstInstall::Tried).expect("it is rehearsed")
}

#[test]
fn the_same_rehearsal_takes_the_same_steps() {
    let rehearse = || {
        let base = files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[("templates/claim.yaml", CLAIM)]);
        let rehearsal = upgrade(base, files("tag: 1.1.0\nstrategy: RollingUpdate\n", &[]));
        serde_json::to_value(&rehearsal).expect("JSON")
    };
    assert_eq!(rehearse(), rehearse());
}

#[test]
fn restarts_hooks_waits_and_losses_are_told() {
    let base = files("tag: 1.0.0\nstrategy: Recreate\n", &[("templates/claim.yaml", CLAIM)]);
    let rehearsal = upgrade(base, files("tag: 1.1.0\nstrategy: Recreate\n", &[]));
    assert!(rehearsal.would_deliver);
    let trial = &rehearsal.trials[0];
    let actions: Vec<String> = trial
        .impact
        .changes
        .iter()
        .map(|it| format!("{} {}/{}", it.action.word(), it.object.gvk.kind, it.object.name))
        .collect();
    assert_eq!(actions, ["hook Job/migrate", "change Deployment/web", "delete PersistentVolumeClaim/data"]);
    let restart = &trial.impact.restarts[0];
    assert_eq!((restart.object.name.as_str(), restart.pods, restart.lowest_ready), ("web", 2, Some(0)));
    // The volume goes with its claim.
    let lost: Vec<&str> = trial.impact.losses.iter().map(|loss| loss.object.gvk.kind.as_str()).collect();
    assert_eq!(lost, ["PersistentVolume", "PersistentVolumeClaim"]);
    assert_eq!(trial.impact.losses[1].object.name, "data");
    let hook = trial.waits.iter().find(|wait| wait.is_hook).expect("the hook");
    assert_eq!(hook.phase, "pre-upgrade");
    let wait = trial.waits.iter().find(|wait| !wait.is_hook).expect("the rollout");
    assert!(wait.seconds >= 20 && wait.objects[0].name == "web", "{wait:?}");
}

#[test]
fn a_rolling_update_never_has_fewer_ready() {
    let base = files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[]);
    let rehearsal = upgrade(base, files("tag: 1.1.0\nstrategy: RollingUpdate\n", &[]));
    assert_eq!(rehearsal.trials[0].impact.restarts[0].lowest_ready, None);
}

pub(crate) fn install(templates: &[(&str, &str)]) -> Rehearsal {
    let chart = ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n");
    let files = std::iter::once(&chart).chain(templates).map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    scene(files.collect()).rehearsal(RULES).expect("it is rehearsed")
}

const CERTIFIER: &str = r#"apiVersion: v1
kind: ServiceAccount
metadata: {name: certifier, annotations: {helm.sh/hook: pre-install}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: certifier, annotations: {helm.sh/hook: pre-install}}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get, create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: certifier, annotations: {helm.sh/hook: pre-install}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: certifier}
subjects: [{kind: ServiceAccount, name: certifier, namespace: shop}]
---
apiVersion: batch/v1
kind: Job
metadata:
  name: certifier
  annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: "1", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
spec:
  template:
    spec:
      restartPolicy: Never
      serviceAccountName: certifier
      containers: [{name: create, image: "registry.example.com/certgen:1.0.0", args: [create, --secret-name=webhook-tls]}]
"#;

const WEBHOOK: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: webhook}
spec:
  selector: {matchLabels: {app: webhook}}
  template:
    metadata: {labels: {app: webhook}}
    spec:
      volumes: [{name: tls, secret: {secretName: webhook-tls}}]
      containers: [{name: webhook, image: "registry.example.com/webhook:1.0.0", volumeMounts: [{name: tls, mountPath: /tls}]}]
"#;

#[test]
fn a_secret_that_a_job_of_the_delivery_makes_is_there_when_it_is_needed() {
    let rehearsal = install(&[("templates/certifier.yaml", CERTIFIER), ("templates/webhook.yaml", WEBHOOK)]);
    assert!(rehearsal.would_deliver, "{:#?}", rehearsal.trials);
    assert_eq!(rehearsal.examination.errors(), 0, "{:#?}", rehearsal.examination.findings);
    assert!(rehearsal.not_simulated.iter().any(|note| note.contains("webhook-tls")), "{:?}", rehearsal.not_simulated);
}

#[test]
fn a_job_without_the_right_makes_nothing() {
    let certifier = CERTIFIER.replace("verbs: [get, create]", "verbs: [get]");
    let rehearsal = install(&[("templates/certifier.yaml", &certifier), ("templates/webhook.yaml", WEBHOOK)]);
    assert_eq!(rehearsal.taken_as_there, ["Secret webhook-tls"]);
    assert!(rehearsal.examination.findings.iter().any(|it| it.rule == "LF103" && it.message.contains("webhook-tls")));
}

#[test]
fn an_api_service_is_waited_for_until_its_pods_are_ready_and_said_to_answer_nothing() {
    let service = r#"apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec: {group: metrics.k8s.io, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: {name: metrics, namespace: shop, port: 443}}
---
apiVersion: v1
kind: Service
metadata: {name: metrics}
spec: {selector: {app: metrics}, ports: [{port: 443, targetPort: 8443}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics}
spec:
  selector: {matchLabels: {app: metrics}}
  template:
    metadata: {labels: {app: metrics}}
    spec: {containers: [{name: metrics, image: "registry.example.com/metrics:1.0.0"}]}
"#;
    let rehearsal = install(&[("templates/all.yaml", service)]);
    assert!(rehearsal.would_deliver, "{:#?}", rehearsal.trials);
    assert!(rehearsal.trials[0].seconds < 60, "{}", rehearsal.trials[0].seconds);
    assert_eq!(rehearsal.examination.errors(), 0, "{:#?}", rehearsal.examination.findings);
    let told = "APIService v1beta1.metrics.k8s.io: its pods answer nothing, so nobody serves its group";
    assert!(rehearsal.not_simulated.iter().any(|note| note == told), "{:?}", rehearsal.not_simulated);
}

#[test]
fn a_chart_that_fails_only_on_what_it_reads_back_is_a_finding_and_no_usage_error() {
    let secret = "{{- $live := lookup \"v1\" \"Secret\" .Release.Namespace \"keys\" }}\napiVersion: v1\nkind: Secret\nmetadata: {name: keys}\n{{- if and $live (index $live.data \"B\") }}\nstringData: {B: \"1\"}\n{{- end }}\n";
    let files = |text: &str| -> Files {
        [("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"), ("templates/secret.yaml", text)]
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect()
    };
    let plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\n";
    let rehearsal = upgrade(files(plain), files(secret));
    assert!(!rehearsal.would_deliver);
    assert!(rehearsal.examination.findings.iter().any(|it| it.rule == "LF100"), "{:#?}", rehearsal.examination);
}

#[test]
fn kinds_of_operators_that_are_not_simulated_are_taken_as_served_and_said_so() {
    let policy = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec: {rules: []}\n";
    let rehearsal = install(&[("templates/policy.yaml", policy)]);
    assert!(rehearsal.would_deliver, "{:#?}", rehearsal.trials);
    assert!(rehearsal.not_simulated.iter().any(|note| note.contains("kyverno.io")), "{:?}", rehearsal.not_simulated);
}

#[test]
fn nodes_are_assumed_that_hold_what_is_delivered() {
    let heavy = r#"apiVersion: apps/v1
kind: StatefulSet
metadata: {name: search}
spec:
  replicas: 3
  serviceName: search
  selector: {matchLabels: {app: search}}
  template:
    metadata: {labels: {app: search}}
    spec:
      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: search}}}]}}
      containers: [{name: search, image: "registry.example.com/search:1.0.0", resources: {requests: {cpu: "3", memory: 6Gi}}}]
---
apiVersion: v1
kind: Service
metadata: {name: search}
spec: {clusterIP: None, selector: {app: search}, ports: [{port: 9200}]}
"#;
    let rehearsal = install(&[("templates/search.yaml", heavy)]);
    assert!(rehearsal.would_deliver, "{:#?}", rehearsal.trials);
    let told = rehearsal.examination.findings.iter().find(|it| it.rule == "LF127").expect("what they ask for is said");
    assert!(told.message.contains("9 cores and 18432 MiB") && told.message.contains("3 nodes"), "{}", told.message);
}

#[test]
fn what_pods_ask_of_nodes_and_classes_is_taken_as_there_and_said_so() {
    let choosy = r#"apiVersion: apps/v1
kind: StatefulSet
metadata: {name: search}
spec:
  replicas: 2
  serviceName: search
  selector: {matchLabels: {app: search}}
  template:
    metadata: {labels: {app: search}}
    spec:
      nodeSelector: {pool: data}
      priorityClassName: urgent
      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: topology.kubernetes.io/zone, labelSelector: {matchLabels: {app: search}}}]}}
      containers: [{name: search, image: "registry.example.com/search:1.0.0", volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], storageClassName: fast-ssd, resources: {requests: {storage: 1Gi}}}}]
---
apiVersion: v1
kind: Service
metadata: {name: search}
spec: {clusterIP: None, selector: {app: search}, ports: [{port: 9200}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: jobs}
spec:
  selector: {matchLabels: {app: jobs}}
  template:
    metadata: {labels: {app: jobs}}
    spec:
      schedulerName: batch-scheduler
      nodeSelector: {pool: jobs}
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: jobs}}}]
      containers: [{name: jobs, image: "registry.example.com/jobs:1.0.0"}]
"#;
    let rehearsal = install(&[("templates/search.yaml", choosy)]);
    assert!(rehearsal.would_deliver, "{:#?}", rehearsal.trials);
    let labels = "pool=data, pool=jobs, topology.kubernetes.io/zone";
    for taken in [labels, "scheduler batch-scheduler", "StorageClass fast-ssd", "PriorityClass urgent"] {
        let is_told =
            rehearsal.not_simulated.iter().any(|note| note.contains(taken) && note.contains("taken as there"));
        assert!(is_told, "{taken}: {:?}", rehearsal.not_simulated);
    }
    assert_eq!(rehearsal.examination.errors(), 0, "{:#?}", rehearsal.examination.findings);
}

#[test]
fn a_base_that_does_not_install_on_an_empty_cluster_runs_all_the_same() {
    let needy = WEB.replace("registry.example.com/web", "registry.example.com/OF-OLD");
    let base = files("tag: 1.0.0\nstrategy: RollingUpdate\n", &[("templates/claim.yaml", CLAIM)]);
    let with = |mut files: Files, web: &str| {
        files.insert("templates/web.yaml".to_owned(), web.to_owned());
        files
    };
    let head = with(files("tag: 1.1.0\nstrategy: RollingUpdate\n", &[("templates/claim.yaml", CLAIM)]), WEB);
    let rehearsal = upgrade(with(base, &needy), head);
    assert!(rehearsal.would_deliver, "{:#?}", rehearsal.trials);
    let changes = &rehearsal.trials[0].impact.changes;
    let actions: Vec<String> =
        changes.iter().map(|it| format!("{} {}/{}", it.action.word(), it.object.gvk.kind, it.object.name)).collect();
    assert_eq!(actions, ["hook Job/migrate", "change Deployment/web"]);
    assert!(
        rehearsal.not_simulated.iter().any(|note| note.contains("does not install")),
        "{:?}",
        rehearsal.not_simulated
    );
}

#[test]
fn a_finished_job_that_is_kept_for_an_hour_is_gone_at_the_next_delivery() {
    let smoke = |ttl: &str, text: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: smoke}}\nspec:\n  {ttl}\n  template:\n    spec: {{restartPolicy: Never, containers: [{{name: smoke, image: \"registry.example.com/curl:1.0.0\", args: [\"{text}\"]}}]}}\n"
        )
    };
    let rehearse = |ttl: &str| {
        let base = files("tag: 1.0.0\nstrategy: Recreate\n", &[("templates/smoke.yaml", &smoke(ttl, "one"))]);
        upgrade(base, files("tag: 1.0.0\nstrategy: Recreate\n", &[("templates/smoke.yaml", &smoke(ttl, "two"))]))
    };
    let kept = rehearse("backoffLimit: 0");
    assert!(!kept.would_deliver && kept.examination.findings.iter().any(|it| it.rule == "LF112"));
    let gone = rehearse("ttlSecondsAfterFinished: 3600");
    assert!(gone.would_deliver, "{:#?}", gone.trials);
    assert!(gone.examination.findings.iter().all(|it| it.rule != "LF112"), "{:#?}", gone.examination);
}
