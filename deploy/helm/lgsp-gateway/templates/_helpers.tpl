{{/* Listeners, in one place: the configuration, the container's ports, probes and services take them from here. */}}
{{- define "lgsp-gateway.ports" -}}
grpc: 8443
health: 8081
metrics: 9090
{{- end }}

{{/* The name of all objects: the release's. */}}
{{- define "lgsp-gateway.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "lgsp-gateway.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "lgsp-gateway.labels" -}}
{{ include "lgsp-gateway.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{/* The keys of a map as TOML: camelCase becomes snake_case; JSON strings, numbers and lists are TOML ones. A null says
what leaving the key out says. */}}
{{- define "lgsp-gateway.toml" -}}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{ regexReplaceAll "([A-Z])" $key "_${1}" | lower }} = {{ toRawJson $value }}
{{- end }}
{{- end }}
{{- end }}

{{- define "lgsp-gateway.config" -}}
{{- $ports := include "lgsp-gateway.ports" . | fromYaml -}}
[server]
listen = "0.0.0.0:{{ $ports.grpc }}"
tls_certificate = "/etc/lgsp-gateway/tls/tls.crt"
tls_key = "/etc/lgsp-gateway/tls/tls.key"
client_ca = "/etc/lgsp-gateway/tls/client-ca.crt"
{{- include "lgsp-gateway.toml" (omit .Values.server "tls" "clientCa") }}

[health]
listen = "0.0.0.0:{{ $ports.health }}"

[metrics]
listen = "0.0.0.0:{{ $ports.metrics }}"

[store]
{{- if .Values.postgres.secret }}
url_file = "/etc/lgsp-gateway/postgres/url"
{{- else }}
path = "/var/lib/lgsp-gateway/gateway.db"
{{- end }}

[blobs]
path = "/var/lib/lgsp-gateway/blobs"
{{- if .Values.blobs.bucket }}
secret_access_key_file = "/etc/lgsp-gateway/blobs/secret"
{{- if .Values.blobs.ca }}
ca_file = "/etc/lgsp-gateway/blobs/ca.crt"
{{- end }}
{{- end }}
{{- include "lgsp-gateway.toml" (omit .Values.blobs "secretAccessKey" "ca") }}

[log]
{{- include "lgsp-gateway.toml" .Values.log }}

[limits]
{{- include "lgsp-gateway.toml" .Values.limits }}

[signatures]
trust_dir = "/etc/lgsp-gateway/trust"
{{- include "lgsp-gateway.toml" (omit .Values.signatures "trust") }}

[delivery]
{{- include "lgsp-gateway.toml" (omit .Values.delivery "replicas") }}

[retention]
{{- include "lgsp-gateway.toml" .Values.retention }}
{{- range $name, $account := .Values.axis }}

[axis.{{ $name }}]
secret_file = "/etc/lgsp-gateway/axis/{{ $name }}/secret"
{{- if $account.ca }}
ca_file = "/etc/lgsp-gateway/axis/{{ $name }}/ca.crt"
{{- end }}
{{- include "lgsp-gateway.toml" (omit $account "secret" "ca") }}
{{- end }}
{{- range .Values.vendors }}

[[vendors]]
{{- include "lgsp-gateway.toml" . }}
{{- end }}
{{- end }}
