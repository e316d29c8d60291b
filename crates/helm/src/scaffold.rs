//! The chart that `create` writes: the objects and knobs that users of `helm create` know, in our own words.
//!
//! `NAME` stands for the chart's name. With equal values it renders what Helm's scaffold renders.

/// The files, by path, in the order in which Helm writes them.
pub(super) const FILES: [(&str, &str); 12] = [
    ("Chart.yaml", CHART),
    ("values.yaml", VALUES),
    (".helmignore", IGNORE),
    ("templates/ingress.yaml", INGRESS),
    ("templates/httproute.yaml", ROUTE),
    ("templates/deployment.yaml", DEPLOYMENT),
    ("templates/service.yaml", SERVICE),
    ("templates/serviceaccount.yaml", SERVICE_ACCOUNT),
    ("templates/hpa.yaml", AUTOSCALER),
    ("templates/NOTES.txt", NOTES),
    ("templates/_helpers.tpl", HELPERS),
    ("templates/tests/test-connection.yaml", TEST),
];

const CHART: &str = r#"apiVersion: v2
name: NAME
description: A Helm chart for Kubernetes
# `application` is installed; `library` only lends its definitions to other charts.
type: application
# The chart's own version: raise it with every change to templates or defaults.
version: 0.1.0
# The version of what the chart installs, in quotes so that 1.10 stays 1.10.
appVersion: "1.16.0"
"#;

const VALUES: &str = r#"# How many pods; not used when autoscaling is on.
replicaCount: 1

image:
  repository: nginx
  pullPolicy: IfNotPresent
  # Empty means the chart's appVersion.
  tag: ""

# Secrets to pull the image with, as [{name: …}].
imagePullSecrets: []

# Other names for the objects.
nameOverride: ""
fullnameOverride: ""

serviceAccount:
  create: true
  # Whether pods get the account's token.
  automount: true
  annotations: {}
  # Empty means the objects' own name, or `default` when none is created.
  name: ""

podAnnotations: {}
podLabels: {}

# For the pod and for the container.
podSecurityContext: {}
securityContext: {}

service:
  type: ClusterIP
  port: 80

ingress:
  enabled: false
  className: ""
  annotations: {}
  hosts:
    - host: chart-example.local
      paths:
        - path: /
          pathType: ImplementationSpecific
  # As [{secretName: …, hosts: […]}].
  tls: []

# For the Gateway API, beside or in place of the Ingress.
httpRoute:
  enabled: false
  annotations: {}
  parentRefs:
    - name: gateway
      sectionName: http
  hostnames:
    - chart-example.local
  rules:
    - matches:
        - path:
            type: PathPrefix
            value: /headers

# Requests and limits; without them the pod takes what it finds.
resources: {}

livenessProbe:
  httpGet:
    path: /
    port: http
readinessProbe:
  httpGet:
    path: /
    port: http

autoscaling:
  enabled: false
  minReplicas: 1
  maxReplicas: 100
  targetCPUUtilizationPercentage: 80
  # targetMemoryUtilizationPercentage: 80

volumes: []
volumeMounts: []

# Where pods may run.
nodeSelector: {}
tolerations: []
affinity: {}
"#;

const IGNORE: &str = r"# What is not part of the chart, one pattern a line.
.git/
.gitignore
.hg/
.svn/
.bzr/
.idea/
.vscode/
.project
*.swp
*.bak
*.tmp
*.orig
*~
.DS_Store
";

const HELPERS: &str = r#"{{/* The chart's name, or what stands for it. */}}
{{- define "NAME.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The objects' name: the release's and the chart's, once when one holds the other. */}}
{{- define "NAME.fullname" -}}
{{- $chart := .Values.nameOverride | default .Chart.Name }}
{{- $both := contains $chart .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $chart) }}
{{- .Values.fullnameOverride | default $both | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What never changes about the pods, and so selects them. */}}
{{- define "NAME.selectorLabels" -}}
app.kubernetes.io/name: {{ include "NAME.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "NAME.labels" -}}
helm.sh/chart: {{ list .Chart.Name .Chart.Version | join "-" | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "NAME.selectorLabels" . }}
{{- with .Chart.AppVersion }}
app.kubernetes.io/version: {{ quote . }}
{{- end }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The account that pods run under. */}}
{{- define "NAME.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (ternary (include "NAME.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* The head of an object; takes the root as `root` and optional annotations. */}}
{{- define "NAME.metadata" -}}
metadata:
  name: {{ include "NAME.fullname" .root }}
  labels:
    {{- include "NAME.labels" .root | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
"#;

const SERVICE_ACCOUNT: &str = r#"{{- with .Values.serviceAccount }}
{{- if .create }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "NAME.serviceAccountName" $ }}
  labels:
    {{- include "NAME.labels" $ | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: {{ .automount }}
{{- end }}
{{- end }}
"#;

const SERVICE: &str = r#"apiVersion: v1
kind: Service
{{ include "NAME.metadata" (dict "root" .) }}
spec:
  type: {{ .Values.service.type }}
  ports:
    - port: {{ .Values.service.port }}
      targetPort: http
      protocol: TCP
      name: http
  selector:
    {{- include "NAME.selectorLabels" . | nindent 4 }}
"#;

const DEPLOYMENT: &str = r#"apiVersion: apps/v1
kind: Deployment
{{ include "NAME.metadata" (dict "root" .) }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicaCount }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "NAME.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      {{- with .Values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      labels:
        {{- include "NAME.labels" . | nindent 8 }}
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      serviceAccountName: {{ include "NAME.serviceAccountName" . }}
      {{- with .Values.podSecurityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .Chart.Name }}
          {{- with .Values.securityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          ports:
            - name: http
              containerPort: {{ .Values.service.port }}
              protocol: TCP
          {{- $values := .Values }}
          {{- range $field := list "livenessProbe" "readinessProbe" "resources" "volumeMounts" }}
          {{- with get $values $field }}
          {{ $field }}:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- end }}
      {{- range $field := list "volumes" "nodeSelector" "affinity" "tolerations" }}
      {{- with get $values $field }}
      {{ $field }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
"#;

const AUTOSCALER: &str = r#"{{- $scaling := .Values.autoscaling }}
{{- if $scaling.enabled }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
{{ include "NAME.metadata" (dict "root" .) }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "NAME.fullname" . }}
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
    {{- range $resource, $target := dict "cpu" $scaling.targetCPUUtilizationPercentage "memory" $scaling.targetMemoryUtilizationPercentage }}
    {{- if $target }}
    - type: Resource
      resource:
        name: {{ $resource }}
        target:
          type: Utilization
          averageUtilization: {{ $target }}
    {{- end }}
    {{- end }}
{{- end }}
"#;

const INGRESS: &str = r#"{{- if .Values.ingress.enabled }}
apiVersion: networking.k8s.io/v1
kind: Ingress
{{ include "NAME.metadata" (dict "root" . "annotations" .Values.ingress.annotations) }}
spec:
  {{- with .Values.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with .Values.ingress.tls }}
  tls:
    {{- range . }}
    - hosts:
        {{- range .hosts }}
        - {{ quote . }}
        {{- end }}
      secretName: {{ .secretName }}
    {{- end }}
  {{- end }}
  rules:
    {{- range .Values.ingress.hosts }}
    - host: {{ quote .host }}
      http:
        paths:
          {{- range .paths }}
          - path: {{ .path }}
            {{- with .pathType }}
            pathType: {{ . }}
            {{- end }}
            backend:
              service:
                name: {{ include "NAME.fullname" $ }}
                port:
                  number: {{ $.Values.service.port }}
          {{- end }}
    {{- end }}
{{- end }}
"#;

const ROUTE: &str = r#"{{- if .Values.httpRoute.enabled }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
{{ include "NAME.metadata" (dict "root" . "annotations" .Values.httpRoute.annotations) }}
spec:
  parentRefs:
    {{- toYaml .Values.httpRoute.parentRefs | nindent 4 }}
  {{- with .Values.httpRoute.hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    {{- range .Values.httpRoute.rules }}
    {{- with .matches }}
    - matches:
      {{- toYaml . | nindent 8 }}
    {{- end }}
    {{- with .filters }}
      filters:
      {{- toYaml . | nindent 8 }}
    {{- end }}
      backendRefs:
        - name: {{ include "NAME.fullname" $ }}
          port: {{ $.Values.service.port }}
          weight: 1
    {{- end }}
{{- end }}
"#;

const NOTES: &str = r#"{{ .Chart.Name }} {{ .Chart.AppVersion }} is in namespace {{ .Release.Namespace }} as {{ .Release.Name }}.
{{- $name := include "NAME.fullname" . }}
{{- if .Values.httpRoute.enabled }}
Its route answers for {{ join ", " .Values.httpRoute.hostnames }}.
{{- else if .Values.ingress.enabled }}
It answers at:
{{- range $host := .Values.ingress.hosts }}
{{- range .paths }}
  {{ ternary "https" "http" (not (empty $.Values.ingress.tls)) }}://{{ $host.host }}{{ .path }}
{{- end }}
{{- end }}
{{- else }}
To reach it from here:
  kubectl --namespace {{ .Release.Namespace }} port-forward service/{{ $name }} 8080:{{ .Values.service.port }}
and open http://127.0.0.1:8080.
{{- end }}
"#;

const TEST: &str = r#"apiVersion: v1
kind: Pod
metadata:
  name: {{ printf "%s-test-connection" (include "NAME.fullname" .) | quote }}
  labels:
    {{- include "NAME.labels" . | nindent 4 }}
  annotations:
    "helm.sh/hook": test
spec:
  containers:
    - name: wget
      image: busybox
      command: ['wget']
      args: ['{{ include "NAME.fullname" . }}:{{ .Values.service.port }}']
  restartPolicy: Never
"#;
