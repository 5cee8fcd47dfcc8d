{{/* Listeners, in one place: the configuration, the container's ports, probes and services take them from here. */}}
{{- define "lgsp-gateway.ports" -}}
grpc: 8443
health: 8081
metrics: 9090
{{- if .Values.door.enabled }}
door: 8444
{{- end }}
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

{{/* An account's keys, then its tables: {name, account}. Files are where the pod's volume `axis` has them. */}}
{{- define "lgsp-gateway.account" -}}
{{- $files := printf "/etc/lgsp-gateway/axis/%s" .name -}}
{{- $name := .name }}
{{- with .account -}}
[axis.{{ $name }}]
{{- range $value, $key := dict "secret" "secret_file" "token" "token_file" "password" "password_file" }}
{{- if index $.account $value }}
{{ $key }} = "{{ $files }}/{{ $value }}"
{{- end }}
{{- end }}
{{- if .ca }}
ca_file = "{{ $files }}/ca.crt"
{{- end }}
{{- if .clientTls }}
client_certificate = "{{ $files }}/client.crt"
client_key = "{{ $files }}/client.key"
{{- end }}
{{- if .signingTls }}
signing_certificate = "{{ $files }}/signing.crt"
signing_key = "{{ $files }}/signing.key"
{{- end }}
{{- if .wsdlFile }}
wsdl = "{{ $files }}/service.wsdl"
{{- end }}
{{- include "lgsp-gateway.toml" (omit . "secret" "token" "password" "ca" "clientTls" "signingTls" "wsdlFile" "platform" "usernameToken") }}
{{- with .usernameToken }}

[axis.{{ $name }}.username_token]
password_file = "{{ $files }}/username-token"
{{- include "lgsp-gateway.toml" (omit . "password") }}
{{- end }}
{{- with .platform }}

[axis.{{ $name }}.platform]
consumer_secret_file = "{{ $files }}/consumer-secret"
{{- include "lgsp-gateway.toml" (omit . "consumerSecret" "accessHeader") }}
{{- with .accessHeader }}

[axis.{{ $name }}.platform.access_header]
secret_key_file = "{{ $files }}/access-header"
{{- include "lgsp-gateway.toml" (omit . "secretKey") }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The secrets of an account as sources of the pod's volume `axis`: {name, account}. */}}
{{- define "lgsp-gateway.accountFiles" -}}
{{- $name := .name }}
{{- $platform := .account.platform | default dict }}
{{- $header := $platform.accessHeader | default dict }}
{{- $usernameToken := .account.usernameToken | default dict }}
{{- range $file, $secret := dict
  "secret" .account.secret "token" .account.token "password" .account.password
  "username-token" $usernameToken.password "consumer-secret" $platform.consumerSecret "access-header" $header.secretKey }}
{{- with $secret }}
- secret:
    name: {{ .name | quote }}
    items:
      - key: {{ .key | quote }}
        path: {{ $name }}/{{ $file }}
{{- end }}
{{- end }}
{{- range $file, $pair := dict "client" .account.clientTls "signing" .account.signingTls }}
{{- with $pair }}
- secret:
    name: {{ .secret | quote }}
    items:
      - {key: tls.crt, path: {{ $name }}/{{ $file }}.crt}
      - {key: tls.key, path: {{ $name }}/{{ $file }}.key}
{{- end }}
{{- end }}
{{- range $file, $map := dict "ca.crt" .account.ca "service.wsdl" .account.wsdlFile }}
{{- with $map }}
- configMap:
    name: {{ .configMap | quote }}
    items:
      - key: {{ .key | quote }}
        path: {{ $name }}/{{ $file }}
{{- end }}
{{- end }}
{{- end }}

{{/* Not empty where a vendor system comes through the door. */}}
{{- define "lgsp-gateway.doorSecrets" -}}
{{- range .Values.vendors }}{{ if .doorSecret }}{{ .id }} {{ end }}{{ end }}
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

[door]
{{- if .Values.door.enabled }}
listen = "0.0.0.0:{{ $ports.door }}"
{{- if .Values.door.tls }}
tls_certificate = "/etc/lgsp-gateway/tls/door.crt"
tls_key = "/etc/lgsp-gateway/tls/door.key"
{{- end }}
{{- end }}
{{- include "lgsp-gateway.toml" (omit .Values.door "enabled" "tls") }}
{{- range $name, $account := .Values.axis }}

{{ include "lgsp-gateway.account" (dict "name" $name "account" $account) }}
{{- end }}
{{- range .Values.routes }}

[[routes]]
{{- include "lgsp-gateway.toml" . }}
{{- end }}
{{- range .Values.vendors }}

[[vendors]]
{{- if .doorSecret }}
door_secret_file = "/etc/lgsp-gateway/vendors/{{ .id }}"
{{- end }}
{{- include "lgsp-gateway.toml" (omit . "doorSecret") }}
{{- end }}
{{- end }}
