{{/* Labels of every object; called with a dict of `root` and `component`. */}}
{{- define "luckyplans.labels" -}}
{{ include "luckyplans.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: luckyplans
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Labels that select a component's pods; they never change. */}}
{{- define "luckyplans.selectorLabels" -}}
app.kubernetes.io/name: {{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* An own image: `owner/name:tag`, with the registry in front when there is one. */}}
{{- define "luckyplans.image" -}}
{{- $image := printf "%s/%s:%s" .root.Values.image.owner .image.name (.image.tag | default "latest") -}}
{{- with .root.Values.image.registry -}}
{{- $image = printf "%s/%s" . $image -}}
{{- end -}}
{{- $image -}}
{{- end }}

{{/* The Secret that pods read. */}}
{{- define "luckyplans.secretName" -}}
luckyplans-secrets
{{- end }}

{{/* One environment variable from the Secret; called with a dict of `name` and `key`. */}}
{{- define "luckyplans.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ include "luckyplans.secretName" . }}
      key: {{ .key | default .name }}
{{- end }}

{{/* Pods restart when what they read at start changes. */}}
{{- define "luckyplans.checksums" -}}
checksum/config: {{ include (print .Template.BasePath "/configmap.yaml") . | sha256sum }}
checksum/secrets: {{ include (print .Template.BasePath "/secret.yaml") . | sha256sum }}
{{- end }}

{{/* A container that may do nothing but run; called with a dict of `uid` and `readOnly`. */}}
{{- define "luckyplans.containerSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .uid }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: {{ .readOnly }}
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "luckyplans.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Public hosts in order, as a list of dicts of `name` and `host`; without hosts it is empty. */}}
{{- define "luckyplans.tlsHosts" -}}
{{- $hosts := list -}}
{{- range $name, $host := .Values.ingress.hosts -}}
{{- if and $host (or (ne $name "legacy") $.Values.legacyV0.enabled) -}}
{{- $hosts = append $hosts (dict "name" $name "host" $host) -}}
{{- end -}}
{{- end -}}
{{- $hosts | toJson -}}
{{- end }}
