//! A chart of any size, for what the examples are too small to show.

use std::path::Path;

/// Writes a chart with that many templates, each a workload as charts usually write it.
pub(crate) fn write(directory: &Path, templates: usize) -> std::io::Result<()> {
    std::fs::create_dir_all(directory.join("templates"))?;
    std::fs::write(directory.join("Chart.yaml"), "apiVersion: v2\nname: sized\nversion: 0.1.0\nappVersion: \"1\"\n")?;
    std::fs::write(directory.join("templates/_helpers.tpl"), HELPERS)?;
    let mut values = String::from("image: {registry: registry.example.com, tag: v1.2.3}\nworkloads:\n");
    for index in 0..templates {
        values.push_str(&format!(
            "  w{index}:\n    replicas: {}\n    env: {{LOG_LEVEL: info, INDEX: \"{index}\"}}\n    resources: {{requests: {{cpu: 100m, memory: 128Mi}}, limits: {{memory: 256Mi}}}}\n",
            index % 5 + 1
        ));
        std::fs::write(
            directory.join(format!("templates/w{index}.yaml")),
            TEMPLATE.replace("NAME", &format!("w{index}")),
        )?;
    }
    std::fs::write(directory.join("values.yaml"), values)
}

const HELPERS: &str = r#"{{- define "sized.labels" -}}
app.kubernetes.io/name: {{ .name | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}
"#;

const TEMPLATE: &str = r#"{{- $workload := index .Values.workloads "NAME" }}
{{- if $workload }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ printf "%s-NAME" .Release.Name | trunc 63 }}
  labels:
    {{- include "sized.labels" (dict "root" . "name" "NAME") | nindent 4 }}
spec:
  replicas: {{ $workload.replicas | default 1 }}
  selector:
    matchLabels:
      {{- include "sized.labels" (dict "root" . "name" "NAME") | nindent 6 }}
  template:
    metadata:
      annotations:
        checksum/values: {{ toYaml $workload | sha256sum }}
      labels:
        {{- include "sized.labels" (dict "root" . "name" "NAME") | nindent 8 }}
    spec:
      containers:
        - name: app
          image: {{ printf "%s/NAME:%s" .Values.image.registry .Values.image.tag | quote }}
          env:
            {{- range $key, $value := $workload.env }}
            - name: {{ $key }}
              value: {{ $value | quote }}
            {{- end }}
          {{- with $workload.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}-NAME
spec:
  selector:
    {{- include "sized.labels" (dict "root" . "name" "NAME") | nindent 4 }}
  ports:
    - port: 80
{{- end }}
"#;
