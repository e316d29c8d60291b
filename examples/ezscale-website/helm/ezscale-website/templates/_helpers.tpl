{{/* What all objects are called after: `ezscale-website`, whatever the release's name. */}}
{{- define "ezscale.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* The name of a part of it; called with a dict of `root` and `component`. */}}
{{- define "ezscale.component" -}}
{{ include "ezscale.name" .root }}-{{ .component }}
{{- end }}

{{- define "ezscale.labels" -}}
{{ include "ezscale.selectorLabels" . }}
app.kubernetes.io/version: {{ include "ezscale.version" .root | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* Labels that select a part's pods; they never change. */}}
{{- define "ezscale.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ezscale.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "ezscale.version" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The image of a role, `repository:role-version`; called with a dict of `root` and `role`. */}}
{{- define "ezscale.image" -}}
{{ printf "%s:%s-%s" .root.Values.image.repository .role (include "ezscale.version" .root) }}
{{- end }}

{{- define "ezscale.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The MariaDB that database, user and grant belong to. */}}
{{- define "ezscale.mariadb" -}}
{{- if .Values.mariadb.enabled -}}
{{ include "ezscale.component" (dict "root" . "component" "mariadb") }}
{{- else -}}
{{ .Values.database.mariaDbRef }}
{{- end -}}
{{- end }}

{{/* Every role has the same configuration. */}}
{{- define "ezscale.envFrom" -}}
- configMapRef:
    name: {{ include "ezscale.component" (dict "root" . "component" "config") }}
{{- end }}

{{/* The Secret's keys that are variables. The two key files are not: their names could not be variables everywhere. */}}
{{- define "ezscale.secretKeys" -}}
{{- $keys := list "APP_KEY" "DB_PASSWORD" "STRIPE_SECRET" -}}
{{- if eq .Values.filesystem.disk "s3" -}}
{{- $keys = concat $keys (list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY") -}}
{{- end -}}
{{- if .Values.valkey.auth -}}
{{- $keys = append $keys "REDIS_PASSWORD" -}}
{{- end -}}
{{- $keys | toJson -}}
{{- end }}

{{- define "ezscale.env" -}}
{{- range $key := include "ezscale.secretKeys" . | fromJsonArray }}
- name: {{ $key }}
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.secret.name }}
      key: {{ $key }}
{{- end }}
{{- end }}

{{/* Pods restart when what they read at start changes. */}}
{{- define "ezscale.checksums" -}}
checksum/config: {{ include (print .Template.BasePath "/configmap.yaml") . | sha256sum }}
checksum/secret: {{ include (print .Template.BasePath "/secret.yaml") . | sha256sum }}
{{- end }}

{{/* The two key files, which the images' entrypoint copies to where the application looks for them. */}}
{{- define "ezscale.keyVolume" -}}
- name: oauth-keys
  secret:
    secretName: {{ .Values.secret.name }}
    items:
      - {key: oauth-private.key, path: oauth-private.key, mode: 0440}
      - {key: oauth-public.key, path: oauth-public.key, mode: 0444}
{{- end }}

{{- define "ezscale.keyMount" -}}
- name: oauth-keys
  mountPath: /run/secrets/oauth
  readOnly: true
{{- end }}

{{- define "ezscale.podSecurity" -}}
runAsNonRoot: true
fsGroup: 33
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* A container that may do nothing but run; called with a dict of `uid`. */}}
{{- define "ezscale.containerSecurity" -}}
runAsUser: {{ .uid }}
runAsGroup: {{ .uid }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
