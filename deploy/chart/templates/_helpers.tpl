{{- define "landfall.name" -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "landfall.labels" -}}
app.kubernetes.io/name: landfall
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "landfall.selector" -}}
app.kubernetes.io/name: landfall
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "landfall.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "landfall.replicas" -}}
{{- $several := or (gt (int .Values.replicas) 1) (gt (int .Values.shards) 1) -}}
{{- if and $several (not .Values.database.secret) -}}
{{- fail "replicas and shards beyond 1 need a database that they share: set database.secret to the Secret with its address" -}}
{{- end -}}
{{- .Values.replicas -}}
{{- end -}}

{{- define "landfall.root" -}}
{{- trimSuffix "/" .Values.rootPath -}}
{{- end -}}
