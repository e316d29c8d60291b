{{/* Every object is called after its release: `sens-platform-test-docs`; called with a dict of `root` and `component`. */}}
{{- define "sens.name" -}}
{{ printf "%s-%s" .root.Release.Name .component | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "sens.labels" -}}
{{ include "sens.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | quote }}
app.kubernetes.io/part-of: sens-platform
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* Labels that select a component's pods; they never change. */}}
{{- define "sens.selectorLabels" -}}
app.kubernetes.io/name: {{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "sens.image" -}}
{{ printf "%s/%s:%s" .root.Values.image.registry .component .root.Values.image.tag }}
{{- end }}

{{- define "sens.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "sens.authSecret" -}}
{{ required "timescaledb.authSecret: the Secret with the key postgres-password" .Values.timescaledb.authSecret }}
{{- end }}

{{/* What the platform's own processes know: their version, the database, the bus. */}}
{{- define "sens.env" -}}
- name: APP_VERSION
  value: {{ .Values.image.tag | quote }}
- name: DATABASE_HOST
  value: {{ include "sens.name" (dict "root" . "component" "timescaledb") }}
- name: DATABASE_PORT
  value: "5432"
- name: DATABASE_NAME
  value: {{ .Values.timescaledb.database }}
- name: DATABASE_USER
  value: {{ .Values.timescaledb.user }}
- name: DATABASE_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "sens.authSecret" . }}
      key: postgres-password
- name: NATS_URL
  value: nats://{{ include "sens.name" (dict "root" . "component" "nats") }}:4222
{{- end }}

{{/* A container that may do nothing but run; called with a dict of `uid`. */}}
{{- define "sens.containerSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .uid }}
runAsGroup: {{ .uid }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* One of the platform's own processes; called with a dict of `root`, `component`, `values` and for servers `http`. */}}
{{- define "sens.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "sens.name" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "sens.labels" . | nindent 4 }}
spec:
  replicas: {{ .values.replicas }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector:
    matchLabels:
      {{- include "sens.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "sens.selectorLabels" . | nindent 8 }}
    spec:
      {{- include "sens.pullSecrets" .root | nindent 6 }}
      automountServiceAccountToken: false
      containers:
        - name: {{ .component }}
          image: {{ include "sens.image" . }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          {{- if .http }}
          ports:
            - {name: http, containerPort: 8080}
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
          livenessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 15
          {{- end }}
          env:
            {{- if .env }}
            {{- .env | nindent 12 }}
            {{- else }}
            {{- include "sens.env" .root | nindent 12 }}
            {{- end }}
            {{- with .more }}
            {{- . | nindent 12 }}
            {{- end }}
          securityContext:
            {{- include "sens.containerSecurity" (dict "uid" 10001) | nindent 12 }}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: tmp
          emptyDir: {}
{{- end }}

{{/* A Service of one component; called with a dict of `root`, `component` and `ports`, each a dict of `name` and `port`. */}}
{{- define "sens.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "sens.name" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "sens.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "sens.selectorLabels" . | nindent 4 }}
  ports:
    {{- range .ports }}
    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .name }}}
    {{- end }}
{{- end }}

{{/* The public way to one Service; called with a dict of `root`, `component` and `host`. */}}
{{- define "sens.ingress" -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ include "sens.name" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "sens.labels" . | nindent 4 }}
  {{- with .root.Values.ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .root.Values.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with .root.Values.ingress.tls.secretPrefix }}
  tls:
    - hosts: [{{ $.host }}]
      secretName: {{ . }}-{{ $.component }}-tls
  {{- end }}
  rules:
    - host: {{ required (printf "ingress.hosts: where %s is reached" .component) .host }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ include "sens.name" . }}
                port: {name: http}
{{- end }}
