{{- define "dns-tls-proxy.selector" -}}
app.kubernetes.io/name: dns-tls-proxy
app.kubernetes.io/component: dns
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dns-tls-proxy.labels" -}}
{{ include "dns-tls-proxy.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "dns-tls-proxy.config" -}}
{{- $config := dict "listen" (list "0.0.0.0:8853" "[::]:8853") "workers" 2 "http" (dict "listen" "[::]:5000") "upstreams" .Values.upstreams -}}
{{- if .Values.routes }}{{- $_ := set $config "routes" .Values.routes }}{{- end -}}
{{ mergeOverwrite $config .Values.settings | toYaml }}
{{- end }}
