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
{{- with .Values.sharedCache }}{{- if .address }}
{{- $shared := dict "address" (include "dns-tls-proxy.storeAddress" .) "secret_file" "/etc/dns-tls-proxy-fleet/fleet.secret" -}}
{{- if .user }}{{- $_ := set $shared "user" .user }}{{- $_ := set $shared "password_file" "/etc/dns-tls-proxy-fleet/store.password" }}{{- end -}}
{{- if .tlsName }}{{- $_ := set $shared "tls_name" .tlsName }}{{- end -}}
{{- $_ := set $config "shared_cache" $shared }}
{{- end }}{{- end -}}
{{ mergeOverwrite $config .Values.settings | toYaml }}
{{- end }}

{{- define "dns-tls-proxy.storeAddress" -}}
{{ ternary (printf "[%s]" .address) .address (contains ":" .address) }}:{{ .port }}
{{- end }}

{{- define "dns-tls-proxy.storeSelector" -}}
app.kubernetes.io/name: dns-tls-proxy-store
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
