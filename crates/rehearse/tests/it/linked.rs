//! What is switched on, chosen or given twice, and what then finds each other no more (LF285).

use landfall_diag::Severity;
use landfall_rules::RULES;

use crate::fixture::Scene;
use crate::steps::{files, scene, upgrade};

/// What is told of other settings of a chart.
fn told(values: &str, template: &str) -> Vec<(Severity, String)> {
    let chart = || files(values, &[("templates/it.yaml", template)]);
    let rehearsal = upgrade(chart(), chart());
    let findings = rehearsal.examination.findings.iter().chain(&rehearsal.known).filter(|it| it.rule == "LF285");
    findings.map(|it| (it.severity, it.message.clone())).collect()
}

#[track_caller]
fn is_told(values: &str, template: &str, severity: Severity, words: &str) {
    let all = told(values, template);
    assert!(all.iter().any(|it| it.0 == severity && it.1.contains(words)), "{words}: {all:#?}");
}

const PODS: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: \"{{ .Release.Name }}\"}\nspec:\n  selector: {matchLabels: {app: \"{{ .Release.Name }}\"}}\n  template:\n    metadata: {labels: {app: \"{{ .Release.Name }}\"}}\n    spec:\n      containers: [{name: it, image: \"example.com/it:1.0.0\", ports: [{name: http, containerPort: 80}]}]\n---\napiVersion: v1\nkind: Service\nmetadata: {name: \"{{ .Release.Name }}-read\"}\nspec: {selector: {app: \"{{ .Release.Name }}\"}, ports: [{name: http, port: 80}]}\n---\n";

fn ingress(of: &str, to: &str) -> String {
    format!(
        "{{{{- if .Values.ingress.{of} }}}}\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: \"{{{{ .Release.Name }}}}\"}}\nspec: {{rules: [{{host: {of}.example.com, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: \"{to}\", port: {{name: http}}}}}}}}]}}}}]}}\n{{{{- end }}}}\n---\n"
    )
}

#[test]
fn a_route_behind_a_switch_leads_to_a_service_that_is_there() {
    let of = |to: &str| PODS.to_owned() + &ingress("main", to);
    is_told(
        "ingress: {main: false}\n",
        &of("{{ .Release.Name }}"),
        Severity::Warning,
        "is neither delivered nor on the cluster",
    );
    assert_eq!(told("ingress: {main: false}\n", &of("{{ .Release.Name }}-read")), []);
    // What keeps its name in each release comes from elsewhere.
    assert_eq!(told("ingress: {main: false}\n", &of("redirects")), []);
}

#[test]
fn what_another_switch_brings_is_an_info() {
    let part = "{{- if .Values.ingress.part }}\napiVersion: v1\nkind: Service\nmetadata: {name: \"{{ .Release.Name }}-part\"}\nspec: {selector: {app: \"{{ .Release.Name }}\"}, ports: [{name: http, port: 80}]}\n{{- end }}\n";
    let template = PODS.to_owned() + &ingress("main", "{{ .Release.Name }}-part") + part;
    let all = told("ingress: {main: false, part: false}\n", &template);
    assert!(all.len() == 1 && all[0].0 == Severity::Info, "{all:#?}");
}

#[test]
fn two_switches_that_make_one_object_are_told_together() {
    let both =
        PODS.to_owned() + &ingress("api", "{{ .Release.Name }}-read") + &ingress("web", "{{ .Release.Name }}-read");
    is_told("ingress: {api: false, web: false}\n", &both, Severity::Warning, "is written twice in one release");
    // One that either of them makes is made once.
    let either = PODS.to_owned()
        + &ingress("api", "{{ .Release.Name }}-read")
            .replace("if .Values.ingress.api", "if or .Values.ingress.api .Values.ingress.web");
    assert_eq!(told("ingress: {api: false, web: false}\n", &either), []);
}

#[test]
fn replicas_that_stay_beside_an_autoscaler_that_is_switched_on_are_told() {
    let of = |replicas: &str| {
        PODS.replace("spec:\n  selector", &format!("spec:\n  {replicas}\n  selector"))
            .replace("image:", "resources: {requests: {cpu: 10m}}, image:")
            + "{{- if .Values.scaled }}\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: it}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: \"{{ .Release.Name }}\"}, maxReplicas: 3, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}\n{{- end }}\n"
    };
    is_told("scaled: false\n", &of("replicas: 2"), Severity::Warning, "declares replicas and is scaled automatically");
    assert_eq!(told("scaled: false\n", &of("{{ if not .Values.scaled }}replicas: 2{{ end }}")), []);
}

#[test]
fn each_word_that_a_value_is_compared_with_is_tried() {
    let of = |field: &str| {
        PODS.to_owned()
            + &format!(
                "{{{{- if eq .Values.mode \"sidecar\" }}}}\napiVersion: v1\nkind: Pod\nmetadata: {{name: side}}\nspec: {{containers: [{{name: a, {field}: example.com/a:1.0.0}}]}}\n{{{{- end }}}}\n"
            )
    };
    is_told("mode: controller\n", &of("imagee"), Severity::Warning, "mode=\"sidecar\"");
    assert_eq!(told("mode: controller\n", &of("image")), []);
}

#[test]
fn a_table_and_a_list_are_tried_with_two() {
    let budget = |print: &str| {
        PODS.to_owned()
            + &format!(
                "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: it}}\nspec:\n  selector: {{matchLabels: {{app: \"{{{{ .Release.Name }}}}\"}}}}\n  {print}\n"
            )
    };
    is_told("spec: {minAvailable: 1}\n", &budget("{{ toYaml .Values.spec }}"), Severity::Warning, "falls out of it");
    assert_eq!(told("spec: {minAvailable: 1}\n", &budget("{{- toYaml .Values.spec | nindent 2 }}")), []);
    let service = |print: &str| {
        PODS.replace("-read\"}\nspec:", &format!("-read\"\n  {print}\n}}\nspec:"))
            .replace("metadata: {name: \"{{ .Release.Name }}-read\"", "metadata:\n  name: \"{{ .Release.Name }}-read\"")
            .replace("\n}\nspec:", "\nspec:")
    };
    let ranged = |value: &str| {
        service(&format!(
            "{{{{- with .Values.annotations }}}}\n  annotations:\n    {{{{- range $k, $v := . }}}}\n    {{{{ $k }}}}: {value}\n    {{{{- end }}}}\n  {{{{- end }}}}"
        ))
    };
    is_told("annotations: {}\n", &ranged("{{ $v }}"), Severity::Warning, "annotations=");
    assert_eq!(told("annotations: {}\n", &ranged("{{ $v | quote }}")), []);
}

#[test]
fn a_list_that_is_printed_without_its_key_is_told_though_another_brings_one() {
    let of = |second: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: it}}\nspec:\n  containers:\n    - name: it\n      image: example.com/it:1.0.0\n  {second}\n"
        )
    };
    let without = "{{- with .Values.a.extraVolumes }}\n  volumes:\n    {{- toYaml . | nindent 4 }}\n  {{- end }}\n  {{- with .Values.b.extraVolumes }}\n    {{- toYaml . | nindent 4 }}\n  {{- end }}";
    is_told("a: {extraVolumes: []}\nb: {extraVolumes: []}\n", &of(without), Severity::Warning, "b.extraVolumes");
    let with = "{{- with concat .Values.a.extraVolumes .Values.b.extraVolumes }}\n  volumes:\n    {{- toYaml . | nindent 4 }}\n  {{- end }}";
    let all = told("a: {extraVolumes: []}\nb: {extraVolumes: []}\n", &of(with));
    assert!(all.iter().all(|it| it.0 < Severity::Error), "{all:?}");
}

#[test]
fn what_is_off_by_false_and_names_something_is_no_switch() {
    let template = "apiVersion: v1\nkind: Pod\nmetadata: {name: it}\nspec:\n  containers: [{name: it, image: \"example.com/it:1.0.0\"}]\n  {{- if .Values.existingClaimName }}\n  volumes: [{name: data, persistentVolumeClaim: {claimName: {{ .Values.existingClaimName }}}}]\n  {{- end }}\n";
    assert_eq!(told("existingClaimName: false\n", template), []);
    is_told(
        "debug: false\n",
        &template.replace("existingClaimName", "debug"),
        Severity::Warning,
        "cannot unmarshal bool",
    );
}

#[test]
fn a_volume_that_is_switched_on_holds_the_data() {
    let of = |at: &str| {
        format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: db}}\nspec:\n  serviceName: db\n  selector: {{matchLabels: {{app: db}}}}\n  template:\n    metadata: {{labels: {{app: db}}}}\n    spec:\n      containers:\n        - name: db\n          image: postgres:14.5\n          {{{{- if .Values.kept }}}}\n          volumeMounts: [{{name: data, mountPath: {at}}}]\n          {{{{- end }}}}\n  {{{{- if .Values.kept }}}}\n  volumeClaimTemplates:\n    - metadata: {{name: data}}\n      spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}\n  {{{{- end }}}}\n"
        )
    };
    is_told("kept: false\n", &of("/var/lib/postgresql"), Severity::Warning, "does not hold");
    assert_eq!(told("kept: false\n", &of("/var/lib/postgresql/data")), []);
}

/// The Deployment with a variable out of a Secret.
fn asking(secret: &str, condition: &str) -> String {
    let variable = format!("env: [{{name: KEY, valueFrom: {{secretKeyRef: {{name: \"{secret}\", key: a}}}}}}], ");
    let variable =
        if condition.is_empty() { variable } else { format!("{{{{ if {condition} }}}}{variable}{{{{ end }}}}") };
    PODS.replace(
        "ports: [{name: http, containerPort: 80}]",
        &format!("{variable}ports: [{{name: http, containerPort: 80}}]"),
    )
}

fn secret(name: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: \"{name}\"}}\nstringData: {{a: longer-than-that}}\n")
}

#[test]
fn what_is_switched_off_and_still_asked_for_is_an_info() {
    let own = "{{ .Release.Name }}-own";
    let made = format!("{{{{- if .Values.own.enabled }}}}\n{}{{{{- end }}}}\n", secret(own));
    let values = "own: {enabled: true}\n";
    is_told(values, &(asking(own, "") + &made), Severity::Info, "is neither delivered nor on the cluster");
    assert_eq!(told(values, &(asking(own, ".Values.own.enabled") + &made)), []);
}

#[test]
fn what_stands_for_a_part_that_is_off_follows_the_release() {
    let asked = "{{ .Release.Name }}-{{ if .Values.own.enabled }}own{{ else }}other{{ end }}";
    let made = |other: &str| {
        let own = secret("{{ .Release.Name }}-own");
        asking(asked, "")
            + &format!("{{{{- if .Values.own.enabled }}}}\n{own}{{{{- else }}}}\n{}{{{{- end }}}}\n", secret(other))
    };
    let values = "own: {enabled: true}\n";
    is_told(values, &made("shop-other"), Severity::Warning, "with `--release probe --set-json own.enabled=false`");
    assert_eq!(told(values, &made("{{ .Release.Name }}-other")), []);
}

#[test]
fn a_namespace_that_is_written_down_is_not_that_of_every_release() {
    let told = |namespace: &str| -> Vec<(Severity, String)> {
        let rights = format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: it}}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: it}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}\nsubjects: [{{kind: ServiceAccount, name: it, namespace: {namespace}}}]\n"
        );
        let chart = || files("{}\n", &[("templates/it.yaml", rights.as_str())]);
        let scene = Scene { base: Some(chart()), namespace: "default".to_owned(), ..scene(chart()) };
        let rehearsal = scene.rehearsal(RULES).expect("it is rehearsed");
        let all = rehearsal.examination.findings.iter().chain(&rehearsal.known).filter(|it| it.rule == "LF285");
        all.map(|it| (it.severity, it.message.clone())).collect()
    };
    let all = told("default");
    assert!(
        all.iter()
            .any(|it| it.1.contains("with `--namespace probe`: ClusterRoleBinding `it` is for ServiceAccount `it`")),
        "{all:#?}"
    );
    assert_eq!(told("{{ .Release.Namespace }}"), []);
}

#[test]
fn what_a_template_writes_for_each_of_a_list_is_held_against_its_kind() {
    let of = |field: &str| {
        PODS.to_owned()
            + &format!(
                "{{{{- range .Values.namespaces }}}}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: it, namespace: {{{{ . }}}}}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view{field}}}\nsubjects: [{{kind: User, apiGroup: rbac.authorization.k8s.io, name: it}}]\n{{{{- end }}}}\n"
            )
    };
    is_told("namespaces: []\n", &of(", namespace: {{ . }}"), Severity::Warning, "has no field `roleRef.namespace`");
    assert_eq!(told("namespaces: []\n", &of("")), []);
}
