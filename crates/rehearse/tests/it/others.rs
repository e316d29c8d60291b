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
