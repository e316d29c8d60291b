{{- /* What the library chart `common` offers to the charts that call it, as far as it is needed to look at them without it. */ -}}
{{- define "common.names.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- define "common.names.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- define "common.names.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $whole := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $whole .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- define "common.names.dependency.fullname" -}}
{{- $values := default (dict) .chartValues -}}
{{- $name := default .chartName $values.nameOverride -}}
{{- $release := .context.Release.Name -}}
{{- $whole := ternary $release (printf "%s-%s" $release $name) (contains $name $release) -}}
{{- default $whole $values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- define "common.names.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- define "common.names.fullname.namespace" -}}
{{- printf "%s-%s" (include "common.names.fullname" .) (include "common.names.namespace" .) -}}
{{- end -}}

{{- define "common.labels.matchLabels" -}}
{{- $root := ternary .context . (hasKey . "context") -}}
{{- $labels := dict "app.kubernetes.io/name" (include "common.names.name" $root) "app.kubernetes.io/instance" $root.Release.Name -}}
{{- if and (hasKey . "customLabels") .customLabels -}}
{{- $custom := include "common.tplvalues.render" (dict "value" .customLabels "context" $root) | fromYaml -}}
{{- $labels = merge (pick $custom "app.kubernetes.io/name" "app.kubernetes.io/instance") $labels -}}
{{- end -}}
{{ toYaml $labels }}
{{- end -}}
{{- define "common.labels.standard" -}}
{{- $root := ternary .context . (hasKey . "context") -}}
{{- $labels := include "common.labels.matchLabels" . | fromYaml -}}
{{- $labels = merge $labels (dict "helm.sh/chart" (include "common.names.chart" $root) "app.kubernetes.io/managed-by" $root.Release.Service) -}}
{{- if and (hasKey . "customLabels") .customLabels -}}
{{- $labels = merge (include "common.tplvalues.render" (dict "value" .customLabels "context" $root) | fromYaml) $labels -}}
{{- end -}}
{{ toYaml $labels }}
{{- end -}}

{{- define "common.tplvalues.render" -}}
{{- $text := ternary .value (toYaml .value) (kindIs "string" .value) -}}
{{- if contains "{{" $text -}}{{ tpl $text .context }}{{- else -}}{{ $text }}{{- end -}}
{{- end -}}
{{- define "common.tplvalues.merge" -}}
{{- $all := dict -}}
{{- range .values -}}
{{- $all = merge $all (include "common.tplvalues.render" (dict "value" . "context" $.context) | fromYaml) -}}
{{- end -}}
{{ toYaml $all }}
{{- end -}}
{{- define "common.tplvalues.merge-overwrite" -}}
{{- $all := dict -}}
{{- range .values -}}
{{- $all = mergeOverwrite $all (include "common.tplvalues.render" (dict "value" . "context" $.context) | fromYaml) -}}
{{- end -}}
{{ toYaml $all }}
{{- end -}}

{{- define "common.images.image" -}}
{{- $global := default (dict) .global -}}
{{- $registry := default .imageRoot.registry $global.imageRegistry -}}
{{- $tag := .imageRoot.tag -}}
{{- if and (not $tag) .chart -}}{{- $tag = .chart.AppVersion -}}{{- end -}}
{{- $end := ternary (printf "@%v" .imageRoot.digest) (printf ":%v" $tag) (not (empty .imageRoot.digest)) -}}
{{- if $registry -}}{{ $registry }}/{{- end -}}{{ .imageRoot.repository }}{{ $end }}
{{- end -}}
{{- define "common.images.version" -}}
{{- default .chart.AppVersion .imageRoot.tag -}}
{{- end -}}
{{- define "common.images.names-of-pull-secrets" -}}
{{- $names := list -}}
{{- range (default (list) (default (dict) .global).imagePullSecrets) -}}
{{- if kindIs "map" . -}}{{- $names = append $names .name -}}{{- else -}}{{- $names = append $names . -}}{{- end -}}
{{- end -}}
{{- range .images -}}
{{- range (default (list) .pullSecrets) -}}
{{- if kindIs "map" . -}}{{- $names = append $names .name -}}{{- else -}}{{- $names = append $names . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- with (uniq $names) -}}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- define "common.images.pullSecrets" -}}
{{ include "common.images.names-of-pull-secrets" . }}
{{- end -}}
{{- define "common.images.renderPullSecrets" -}}
{{ include "common.images.names-of-pull-secrets" (dict "images" .images "global" (default (dict) .context.Values.global)) }}
{{- end -}}

{{- define "common.capabilities.kubeVersion" -}}{{ .Capabilities.KubeVersion.Version }}{{- end -}}
{{- define "common.capabilities.deployment.apiVersion" -}}apps/v1{{- end -}}
{{- define "common.capabilities.statefulset.apiVersion" -}}apps/v1{{- end -}}
{{- define "common.capabilities.daemonset.apiVersion" -}}apps/v1{{- end -}}
{{- define "common.capabilities.job.apiVersion" -}}batch/v1{{- end -}}
{{- define "common.capabilities.cronjob.apiVersion" -}}batch/v1{{- end -}}
{{- define "common.capabilities.ingress.apiVersion" -}}networking.k8s.io/v1{{- end -}}
{{- define "common.capabilities.networkPolicy.apiVersion" -}}networking.k8s.io/v1{{- end -}}
{{- define "common.capabilities.rbac.apiVersion" -}}rbac.authorization.k8s.io/v1{{- end -}}
{{- define "common.capabilities.policy.apiVersion" -}}policy/v1{{- end -}}
{{- define "common.capabilities.hpa.apiVersion" -}}autoscaling/v2{{- end -}}
{{- define "common.capabilities.crd.apiVersion" -}}apiextensions.k8s.io/v1{{- end -}}
{{- define "common.capabilities.apiService.apiVersion" -}}apiregistration.k8s.io/v1{{- end -}}
{{- define "common.capabilities.supportsHelmVersion" -}}true{{- end -}}

{{- define "common.ingress.backend" -}}
service:
  name: {{ .serviceName }}
  port:
    {{ ternary "name" "number" (kindIs "string" .servicePort) }}: {{ .servicePort }}
{{- end -}}
{{- define "common.ingress.supportsPathType" -}}true{{- end -}}
{{- define "common.ingress.supportsIngressClassname" -}}true{{- end -}}
{{- define "common.ingress.certManagerRequest" -}}
{{- $annotations := default (dict) .annotations -}}
{{- if or (hasKey $annotations "cert-manager.io/cluster-issuer") (hasKey $annotations "cert-manager.io/issuer") (hasKey $annotations "kubernetes.io/tls-acme") -}}true{{- end -}}
{{- end -}}

{{- define "common.affinities.nodes" -}}{}{{- end -}}
{{- define "common.affinities.pods" -}}{}{{- end -}}
{{- define "common.resources.preset" -}}{}{{- end -}}
{{- define "common.compatibility.renderSecurityContext" -}}
{{ omit .secContext "enabled" | toYaml }}
{{- end -}}
{{- define "common.compatibility.isOpenshift" -}}{{- end -}}
{{- define "common.storage.class" -}}
{{- $global := default (dict) .global -}}
{{- with (default .persistence.storageClass (default $global.defaultStorageClass $global.storageClass)) -}}
storageClassName: {{ ternary "\"\"" . (eq . "-") }}
{{- end -}}
{{- end -}}

{{- define "common.secrets.name" -}}
{{- $default := include "common.names.fullname" .context -}}
{{- if .defaultNameSuffix -}}{{- $default = printf "%s-%s" $default .defaultNameSuffix | trunc 63 | trimSuffix "-" -}}{{- end -}}
{{- $existing := .existingSecret -}}
{{- if kindIs "map" $existing -}}{{- $existing = $existing.name -}}{{- end -}}
{{- if $existing -}}{{ tpl $existing .context }}{{- else -}}{{ $default }}{{- end -}}
{{- end -}}
{{- define "common.secrets.key" -}}
{{- $key := .key -}}
{{- if and .existingSecret (kindIs "map" .existingSecret) -}}{{- $key = default $key (get (default (dict) .existingSecret.keyMapping) .key) -}}{{- end -}}
{{ $key }}
{{- end -}}
{{- define "common.secrets.passwords.manage" -}}
{{- $given := "" -}}
{{- range (default (list) .providedValues) -}}
{{- $here := $.context.Values -}}
{{- range splitList "." . -}}{{- $here = ternary (get $here .) nil (kindIs "map" $here) -}}{{- end -}}
{{- if and $here (not $given) -}}{{- $given = toString $here -}}{{- end -}}
{{- end -}}
{{- default "not-at-hand" $given | b64enc | quote -}}
{{- end -}}
{{- define "common.secrets.lookup" -}}{{ default "" .defaultValue | toString | b64enc }}{{- end -}}
{{- define "common.secrets.exists" -}}{{- end -}}
{{- define "common.utils.checksumTemplate" -}}
{{ include (print .context.Template.BasePath .path) .context | sha256sum }}
{{- end -}}
{{- define "common.utils.getValueFromKey" -}}
{{- $here := .context.Values -}}
{{- range splitList "." .key -}}{{- $here = ternary (get $here .) nil (kindIs "map" $here) -}}{{- end -}}
{{- default "" $here -}}
{{- end -}}
{{- define "common.utils.getKeyFromList" -}}
{{- first .keys -}}
{{- end -}}

{{- /* Libraries that print all of a chart's objects: what is in those is not seen. */ -}}
{{- define "common.values.setup" -}}{{- end -}}
{{- define "common.all" -}}{{- end -}}
{{- define "bjw-s.common.values.init" -}}{{- end -}}
{{- define "bjw-s.common.loader.init" -}}{{- end -}}
{{- define "bjw-s.common.loader.generate" -}}{{- end -}}
{{- define "bjw-s.common.loader.all" -}}{{- end -}}
