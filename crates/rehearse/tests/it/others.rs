//! Other settings of a chart, tried together and apart (LF285).

use landfall_diag::Severity;

use crate::steps::{files, upgrade};

/// What is told of other settings of a chart of one Deployment, in a template that may say more.
fn told(values: &str, template: &str) -> Vec<(Severity, String)> {
    let chart = || files(values, &[("templates/it.yaml", template)]);
    let rehearsal = upgrade(chart(), chart());
    let findings = rehearsal.examination.findings.iter().chain(&rehearsal.known).filter(|it| it.rule == "LF285");
    findings.map(|it| (it.severity, it.message.clone())).collect()
}

fn pod(rest: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: it}}\nspec:\n  containers:\n    - name: it\n      image: example.com/it:1.0.0\n{rest}"
    )
}

#[test]
fn what_a_switch_asks_for_is_given_so_that_what_stands_behind_it_is_seen() {
    let template = pod(
        "{{- if .Values.maps.enabled }}\n      env: [{name: ACCOUNT, value: {{ required \"an account\" .Values.maps.account | quote }}}]\n{{- end }}\n{{- if .Values.maps.enabled }}\n    resources: {}\n    - name: {{ .Values.maps.account }}\n{{- end }}\n",
    );
    let all = told("maps: {enabled: false, account: \"\"}\n", &template);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].1.contains("maps.enabled=true,maps.account=\"probe\""), "{all:?}");
}

#[test]
fn of_what_is_added_together_the_one_that_breaks_is_named() {
    let template = pod(
        "      env:\n        - {name: ALWAYS, value: \"1\"}\n        {{- with .Values.env }}\n        {{- toYaml . | nindent 8 }}\n        {{- end }}\n    {{- with .Values.sidecars }}\n    {{- toYaml . | nindent 2 }}\n    {{- end }}\n  {{- with .Values.tolerations }}\n  tolerations: {{- toYaml . | nindent 4 }}\n  {{- end }}\n",
    );
    let all = told("env: []\nsidecars: []\ntolerations: []\n", &template);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].1.contains("sidecars=") && !all[0].1.contains("tolerations="), "{all:?}");
}

#[test]
fn what_is_added_is_tried_behind_each_switch() {
    let template = pod(
        "{{- if .Values.init.enabled }}\n  initContainers:\n    - name: init\n      image: example.com/init:1.0.0\n      {{- with .Values.resources -}}\n      resources: {{- toYaml . | nindent 8 }}\n      {{- end }}\n{{- end }}\n",
    );
    let all = told("init: {enabled: false}\nresources: {}\ntolerations: []\n", &template);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].1.contains("init.enabled=true") && all[0].1.contains("resources="), "{all:?}");
}

#[test]
fn a_text_that_is_off_by_false_is_no_switch() {
    let template =
        pod("      {{- if .Values.snippet }}\n      command: [{{ trim .Values.snippet }}]\n      {{- end }}\n");
    assert_eq!(told("snippet: false\n", &template), []);
}

#[test]
fn of_switches_that_are_turned_together_the_one_that_breaks_is_named() {
    // So many objects that switches of four parts are turned on together; what each part prints is seen under both of its switches.
    let template = "\
{{- range $i := until 60 }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: map-{{ $i }}}
{{- end }}
{{- range $name := list \"a\" \"b\" \"c\" \"d\" }}
{{- $part := index $.Values $name }}
{{- if $part.enabled }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: part-{{ $name }}}
{{- if and $part.loud (eq $name \"c\") }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: Part_{{ $name }}}
{{- end }}
{{- end }}
{{- end }}
";
    let off = "{enabled: false, loud: false}";
    let all = told(&format!("a: {off}\nb: {off}\nc: {off}\nd: {off}\n"), template);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].1.contains("c.enabled=true,c.loud=true") && !all[0].1.contains("d."), "{all:?}");
}

#[test]
fn variables_are_written_as_the_chart_reads_them() {
    let by_name = pod(
        "      env:\n        {{- range $name, $it := .Values.extraEnv }}\n        - name: {{ $name }}\n          {{- toYaml $it | nindent 10 }}\n        {{- end }}\n",
    );
    for values in ["extraEnv: {}\n", "extraEnv:\n"] {
        assert_eq!(told(values, &by_name), [], "{values}");
    }
    let undeclared = by_name.replace("extraEnv", "job.env");
    assert_eq!(told("job: {name: it}\n", &undeclared), []);
    // What else is wrong behind the same switch is told of that.
    let behind = by_name.replace(".Values.extraEnv }}", ".Values.job.env }}");
    let behind = format!(
        "{{{{- if .Values.job.enabled }}}}\n{behind}      resources: {{{{ toYaml .Values.job.limits }}}}\n{{{{- end }}}}\n"
    );
    let all = told("job: {enabled: false, env: {}}\n", &behind);
    assert!(!all.is_empty() && all.iter().all(|it| !it.1.contains("job.env=")), "{all:?}");
    // What is indented too little is so however it is written.
    let broken = by_name.replace("nindent 10", "nindent 6");
    let all = told("extraEnv: {}\n", &broken);
    assert!(all.len() == 1 && all[0].1.contains("extraEnv="), "{all:?}");
    // And a table where a text is printed is no way of writing it.
    let raw = pod(
        "      env:\n        {{- range $name, $it := .Values.extraEnv }}\n        - name: {{ $name }}\n          value: {{ $it }}: {{ $it }}\n        {{- end }}\n",
    );
    assert_eq!(told("extraEnv: {}\n", &raw).len(), 1);
}

#[test]
fn what_a_chart_writes_in_a_form_of_its_own_is_given_no_other() {
    let own = pod(
        "      envFrom:\n        {{- range .Values.envFrom }}\n        - {{ .type }}Ref: {name: {{ .name }}}\n        {{- end }}\n",
    );
    assert_eq!(told("envFrom: []\n", &own), []);
    let usual = pod(
        "      {{- with .Values.envFrom }}\n      envFrom:\n      {{- range . }}\n        - configMapReff: {{ toJson .configMapRef }}\n      {{- end }}\n      {{- end }}\n",
    );
    let all = told("envFrom: []\n", &usual);
    assert!(all.iter().any(|it| it.1.contains("configMapReff")), "{all:?}");
}

#[test]
fn a_word_is_chosen_for_the_value_that_is_compared_with_it() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: it}\nspec:\n  type: {{ .Values.service.type }}\n  ports:\n    - port: 80\n{{- with .Values.service }}\n{{- if and (eq .type \"NodePort\") .inner }}\n      nodePort: {{ .inner }}\n{{- end }}\n{{- end }}\n";
    assert_eq!(told("service: {type: NodePort, inner: null}\n", service), []);
}

#[test]
fn what_a_release_has_under_its_own_name_is_not_told_again_under_another() {
    let misspelt = "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Values.nameOverride | default \"it\" }}}\nspec: {selector: {app: it}, sesionAffinity: ClientIP, ports: [{port: 0}], type: {{ .Values.service.type | default \"ClusterIP\" }}}\n";
    assert_eq!(told("nameOverride: \"\"\nservice: {type: \"\"}\n", misspelt), []);
    let long = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.nameOverride | default \"it\" }}}\n{{- if .Values.nameOverride }}\nimutable: true\n{{- end }}\n";
    assert_eq!(told("nameOverride: \"\"\n", long).len(), 1);
}

#[test]
fn what_is_for_another_kind_of_the_same_is_an_info() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: it}\nspec:\n  ports: [{port: 80}]\n  {{- with .Values.loadBalancerSourceRanges }}\n  loadBalancerSourceRanges: {{- toYaml . | nindent 4 }}\n  {{- end }}\n";
    let all = told("loadBalancerSourceRanges: []\n", service);
    assert!(all.iter().all(|it| it.0 == Severity::Info), "{all:?}");
}

#[test]
fn what_an_operators_kind_lacks_behind_a_switch_is_an_info_and_what_it_does_not_know_is_told() {
    let monitor = |field: &str| {
        format!(
            "{{{{- if .Values.monitor.enabled }}}}\napiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {{name: it}}\nspec:\n  selector: {{matchLabels: {{app: it}}}}\n  endpoints: [{{port: http, {field}: 30s}}]\n{{{{- end }}}}\n"
        )
    };
    let all = told("monitor: {enabled: false}\n", &monitor("intervall"));
    let is_it = |it: &&(Severity, String)| it.1.contains("ServiceMonitor has no field `spec.endpoints[0].intervall`");
    assert_eq!(all.iter().find(is_it).map(|it| it.0), Some(Severity::Warning), "{all:?}");
    let all = told("monitor: {enabled: false}\n", &monitor("interval"));
    assert!(all.iter().all(|it| !it.1.contains("ServiceMonitor has no field")), "{all:?}");
    let rules = "{{- if .Values.rule.enabled }}\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: it}\nspec:\n  {{- with .Values.rule.groups }}\n  groups: {{- toYaml . | nindent 4 }}\n  {{- end }}\n{{- end }}\n";
    let all = told("rule: {enabled: false, groups: []}\n", rules);
    assert!(all.iter().any(|it| it.1.contains("spec: Required value")), "{all:?}");
    assert!(all.iter().all(|it| it.0 == Severity::Info), "{all:?}");
}

#[test]
fn which_families_of_addresses_a_cluster_has_is_nothing_of_the_charts() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: it}\nspec:\n  ports: [{port: 80}]\n  {{- if .Values.dual }}\n  ipFamilies: [IPv6, IPv4]\n  ipFamilyPolicy: PreferDualStack\n  {{- end }}\n";
    assert_eq!(told("dual: false\n", service), []);
}

#[test]
fn a_sample_that_a_kind_of_an_operator_takes_otherwise_is_not_told() {
    let monitor = "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: it}\nspec:\n  selector: {}\n  endpoints: [{port: metrics}]\n  {{- with .Values.targetLabels }}\n  targetLabels: {{- toYaml . | nindent 4 }}\n  {{- end }}\n";
    let all = told("targetLabels: {}\n", monitor);
    assert!(all.iter().all(|(_, words)| !words.contains("must be of type")), "{all:?}");
}

#[test]
fn a_port_that_is_printed_raw_where_texts_belong_is_told() {
    let secret = |port: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: it}}\nstringData:\n  A: b\n  {{{{- if .Values.store.port }}}}\n  PORT: {port}\n  {{{{- end }}}}\n"
        )
    };
    let all = told("store: {port: null}\n", &secret("{{ .Values.store.port }}"));
    assert!(all.iter().any(|(_, words)| words.contains("with `store.port=8080`")), "{all:?}");
    assert_eq!(told("store: {port: null}\n", &secret("{{ .Values.store.port | quote }}")), []);
}

#[test]
fn what_is_made_of_a_table_is_there_where_it_is_mounted() {
    let of = |condition: &str| {
        format!(
            "{{{{- if {condition} }}}}\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: \"{{{{ .Release.Name }}}}-own\"}}\ndata: {{{{ toYaml .Values.mail.more | nindent 2 }}}}\n{{{{- end }}}}\n---\n{}",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: web, image: \"a.example/b:1.0.0\"}]\n      {{- if .Values.mail.more }}\n      volumes: [{name: o, configMap: {name: \"{{ .Release.Name }}-own\"}}]\n      {{- end }}\n"
        )
    };
    let all = told("mail: {more: {}}\n", &of("and .Values.mail.more .Values.mail.enabled"));
    assert!(all.iter().any(|(_, words)| words.contains("is neither delivered nor on the cluster")), "{all:?}");
    assert_eq!(told("mail: {more: {}}\n", &of(".Values.mail.more")), []);
}

fn words(told: &[(Severity, String)]) -> String {
    told.iter().map(|it| &*it.1).collect::<Vec<_>>().join("\n")
}

/// A workload of a kind with what stands in its specification, and nothing else wrong with it.
fn workload(kind: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: it}}\nspec:\n  selector: {{matchLabels: {{app: it}}}}\n{spec}\n  template:\n    metadata: {{labels: {{app: it}}}}\n    spec:\n      containers: [{{name: it, image: \"example.com/it:1.0.0\"}}]\n"
    )
}

/// `Recreate` is a Deployment's word.
#[test]
fn only_a_deployment_is_recreated() {
    let values = "updateStrategy: RollingUpdate\n";
    let of = |kind, field| workload(kind, &format!("  {field}: {{type: {{{{ .Values.updateStrategy }}}}}}"));
    let said = |kind, field| words(&told(values, &of(kind, field)));
    assert_eq!(said("StatefulSet", "serviceName: it\n  updateStrategy"), "");
    assert_eq!(said("DaemonSet", "updateStrategy"), "");
    let mixed = of("Deployment", "strategy").replace("type: {{", "rollingUpdate: {maxSurge: 1}, type: {{");
    assert!(words(&told(values, &mixed)).contains("Recreate"));
}

/// A chart that says nothing of a kind has not meant it.
#[test]
fn a_kind_that_the_chart_names_nowhere_is_not_chosen() {
    let of = |more: &str| {
        let spec = "{{- if eq .Values.kind \"StatefulSet\" }}\n  serviceName: it\n{{- end }}\n  replicas: 2";
        workload("{{ .Values.kind }}", spec) + more
    };
    assert_eq!(words(&told("kind: StatefulSet\n", &of(""))), "");
    assert!(words(&told("kind: StatefulSet\n", &of("# or a DaemonSet\n"))).contains("DaemonSet"));
}

/// Secrets to pull with are a list of objects, a list of names, or one name.
#[test]
fn secrets_to_pull_with_are_named_in_the_chart_s_own_way() {
    let of = |list: &str| workload("Deployment", "").replace("      containers", &format!("{list}\n      containers"));
    let names = "{{- if .Values.imagePullSecrets }}\n      imagePullSecrets:\n{{- range .Values.imagePullSecrets }}\n      - name: {{ . }}\n{{- end }}\n{{- end }}";
    assert_eq!(words(&told("imagePullSecrets: []\n", &of(names))), "");
    let one = "{{- if .Values.imagePullSecrets }}\n      imagePullSecrets:\n      - name: {{ .Values.imagePullSecrets }}\n{{- end }}";
    assert_eq!(words(&told("imagePullSecrets:\n", &of(one))), "");
    let wrong = "{{- if .Values.imagePullSecrets }}\n      imagePullSecrets:\n{{ toYaml .Values.imagePullSecrets }}\n{{- end }}";
    assert!(words(&told("imagePullSecrets: []\n", &of(wrong))).contains("imagePullSecrets"));
}

/// Ports of a node are the cluster's business, and so is a version of an API that an old one serves.
#[test]
fn ports_of_nodes_and_versions_of_old_clusters_are_not_made_up() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: it}\nspec:\n  type: NodePort\n  ports: [{port: 80{{ with .Values.httpNodePort }}, nodePort: {{ . }}{{ end }}}]\n  selector: {app: it}\n";
    assert!(!words(&told("httpNodePort: \"\"\n", service)).contains("NodePort="));
    let ingress = "{{- $new := ne .Values.ingress.apiVersion \"extensions/v1beta1\" }}\napiVersion: {{ if $new }}networking.k8s.io/v1{{ else }}extensions/v1beta1{{ end }}\nkind: Ingress\nmetadata: {name: it}\nspec: {defaultBackend: {resource: {apiGroup: example.com, kind: It, name: it}}}\n";
    assert!(!words(&told("ingress: {apiVersion: \"\"}\n", ingress)).contains("extensions/v1beta1"));
}

#[test]
fn what_was_not_tried_because_templates_work_for_long_is_said() {
    let values: String = (0..20).map(|at| format!("part{at}: {{enabled: false}}\n")).collect();
    let asks: String = (0..20).map(|at| format!("{{{{ if .Values.part{at}.enabled }}}}{{{{ end }}}}")).collect();
    let notes = |times: usize| {
        let works = format!(
            "{asks}{{{{ $s := repeat 30000000 \"x\" }}}}{{{{ range until {times} }}}}{{{{ $_ := contains \"y\" $s }}}}{{{{ end }}}}\n"
        );
        let chart = || files(&format!("tag: 1.0.0\n{values}"), &[("templates/works.yaml", &works)]);
        upgrade(chart(), chart()).not_simulated
    };
    let is_told = |note: &String| note.starts_with("all other settings of shop (LF285)");
    let long = notes(20);
    assert!(long.iter().any(is_told), "{long:?}");
    let short = notes(0);
    assert!(!short.iter().any(is_told), "{short:?}");
}
