{{- define "webhook.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of the objects: release and chart, once each. */}}
{{- define "webhook.fullname" -}}
{{- $name := include "webhook.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "webhook.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* The name of objects that no namespace keeps apart: two releases must not meet there. */}}
{{- define "webhook.clusterName" -}}
{{- printf "%s:%s" (include "webhook.namespace" .) (include "webhook.fullname" .) -}}
{{- end -}}

{{- define "webhook.serviceAccountName" -}}
{{- default (include "webhook.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "webhook.issuerNamespace" -}}
{{- default .Values.certManager.namespace .Values.certManager.clusterResourceNamespace -}}
{{- end -}}

{{- define "webhook.tlsSecretName" -}}
{{- if eq .Values.tls.mode "existingSecret" -}}
{{- required "tls.existingSecret.name is needed with tls.mode existingSecret" .Values.tls.existingSecret.name -}}
{{- else -}}
{{- include "webhook.fullname" . }}-tls
{{- end -}}
{{- end -}}

{{- define "webhook.selectorLabels" -}}
app.kubernetes.io/name: {{ include "webhook.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "webhook.labels" -}}
{{ include "webhook.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: webhook
app.kubernetes.io/part-of: cert-manager
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of every object: (dict "root" $ "labels" … "annotations" …). */}}
{{- define "webhook.meta" -}}
labels:
  {{- include "webhook.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with mergeOverwrite (dict) .root.Values.commonAnnotations (default (dict) .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The ServiceAccount, as the subject of a binding. */}}
{{- define "webhook.subject" -}}
- kind: ServiceAccount
  name: {{ include "webhook.serviceAccountName" . }}
  namespace: {{ include "webhook.namespace" . }}
{{- end -}}

{{- define "webhook.image" -}}
{{- $tag := printf ":%s" (default .Chart.AppVersion .Values.image.tag) -}}
{{- $version := ternary $tag (printf "@%s" .Values.image.digest) (empty .Values.image.digest) -}}
{{- with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}{{ $version -}}
{{- end -}}

{{/* What a monitor of the Prometheus operator looks at. */}}
{{- define "webhook.scrape" -}}
- port: metrics
  path: /metrics
  interval: {{ .interval }}
  scrapeTimeout: {{ .scrapeTimeout }}
  honorLabels: {{ .honorLabels }}
  {{- with .relabelings }}
  relabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
