{{/* The program's arguments: what a value says, and never its default twice. */}}
{{- define "webhook.args" -}}
- serve
- --group-name={{ .Values.groupName }}
- --solver-name={{ .Values.solverName }}
- --secure-port={{ .Values.securePort }}
- --metrics-bind-address=:{{ .Values.metricsPort }}
- --tls-cert-file=/etc/webhook/tls/tls.crt
- --tls-private-key-file=/etc/webhook/tls/tls.key
- --tls-min-version={{ .Values.tls.minVersion }}
- --shutdown-delay-duration={{ .Values.shutdownDelay }}
- --request-deadline={{ .Values.requestDeadline }}
- --propagation-check={{ .Values.propagation.check }}
- --propagation-settle={{ .Values.propagation.settle }}
- --propagation-timeout={{ .Values.propagation.timeout }}
{{- with .Values.propagation.dohServers }}
- --propagation-doh-servers={{ join "," . }}
{{- end }}
{{- with .Values.dns01RecursiveNameservers }}
- --dns01-recursive-nameservers={{ join "," . }}
{{- end }}
{{- if .Values.dns01RecursiveNameserversOnly }}
- --dns01-recursive-nameservers-only
{{- end }}
{{- with .Values.ownerId }}
- --owner-id={{ . }}
{{- end }}
{{- if .Values.apiToken.existingSecret }}
- --api-token-file=/etc/webhook/api-token/token
{{- end }}
{{- if .Values.cloudflare.caConfigMap }}
- --cloudflare-ca-file=/etc/webhook/cloudflare-ca/ca.crt
{{- end }}
- --log-level={{ .Values.logging.level }}
- --log-format={{ .Values.logging.format }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "webhook.env" -}}
{{- with .Values.httpsProxy }}
- name: HTTPS_PROXY
  value: {{ . | quote }}
{{- end }}
{{- with .Values.noProxy }}
- name: NO_PROXY
  value: {{ . | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
