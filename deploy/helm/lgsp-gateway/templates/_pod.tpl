{{/* The pod of a role: {root, role}; its volume `data` is the caller's where the store is embedded. */}}
{{- define "lgsp-gateway.pod" -}}
{{- $role := .role }}
{{- $values := .root.Values }}
{{- $ports := include "lgsp-gateway.ports" .root | fromYaml }}
{{- with .root }}
metadata:
  labels:
    {{- include "lgsp-gateway.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/component: {{ $role }}
  annotations:
    checksum/config: {{ include "lgsp-gateway.config" . | sha256sum }}
spec:
  serviceAccountName: {{ include "lgsp-gateway.name" . }}
  automountServiceAccountToken: false
  # Services' variables such as LGSP_GATEWAY_PORT would mix with the gateway's own LGSP_... overrides.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add (ceil .Values.server.drainSeconds) 15 }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: gateway
      image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: ["serve", "--config", "/etc/lgsp-gateway/config/gateway.toml"{{ if ne $role "all" }}, "--role", "{{ $role }}"{{ end }}]
      ports:
        {{- range $name, $port := $ports }}
        - name: {{ $name }}
          containerPort: {{ $port }}
        {{- end }}
      # The health listener answers for two services: "liveness" while the process works, "" while it is ready too.
      # Opening a large store after a crash may take a while.
      startupProbe:
        grpc:
          port: {{ $ports.health }}
          service: liveness
        periodSeconds: 2
        failureThreshold: 90
      livenessProbe:
        grpc:
          port: {{ $ports.health }}
          service: liveness
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        grpc:
          port: {{ $ports.health }}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: data
          mountPath: /var/lib/lgsp-gateway
        - name: config
          mountPath: /etc/lgsp-gateway/config
          readOnly: true
        - name: tls
          mountPath: /etc/lgsp-gateway/tls
          readOnly: true
        - name: axis
          mountPath: /etc/lgsp-gateway/axis
          readOnly: true
        - name: trust
          mountPath: /etc/lgsp-gateway/trust
          readOnly: true
        {{- if include "lgsp-gateway.doorSecrets" . }}
        - name: vendors
          mountPath: /etc/lgsp-gateway/vendors
          readOnly: true
        {{- end }}
        {{- if .Values.postgres.secret }}
        - name: postgres
          mountPath: /etc/lgsp-gateway/postgres
          readOnly: true
        {{- end }}
        {{- if .Values.blobs.bucket }}
        - name: blobs
          mountPath: /etc/lgsp-gateway/blobs
          readOnly: true
        {{- end }}
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: config
      configMap:
        name: {{ include "lgsp-gateway.name" . }}
    - name: tls
      projected:
        defaultMode: 0440
        sources:
          - secret:
              name: {{ .Values.server.tls.secret | quote }}
              items:
                - {key: tls.crt, path: tls.crt}
                - {key: tls.key, path: tls.key}
          - secret:
              name: {{ .Values.server.clientCa.secret | quote }}
              items:
                - key: {{ .Values.server.clientCa.key | quote }}
                  path: client-ca.crt
          {{- if .Values.door.enabled }}
          {{- with .Values.door.tls }}
          - secret:
              name: {{ .secret | quote }}
              items:
                - {key: tls.crt, path: door.crt}
                - {key: tls.key, path: door.key}
          {{- end }}
          {{- end }}
    - name: axis
      projected:
        defaultMode: 0440
        sources:
          {{- range $name, $account := .Values.axis }}
          {{- include "lgsp-gateway.accountFiles" (dict "name" $name "account" $account) | nindent 10 }}
          {{- end }}
    {{- if include "lgsp-gateway.doorSecrets" . }}
    - name: vendors
      projected:
        defaultMode: 0440
        sources:
          {{- range .Values.vendors }}
          {{- $id := .id }}
          {{- with .doorSecret }}
          - secret:
              name: {{ .name | quote }}
              items:
                - key: {{ .key | quote }}
                  path: {{ $id }}
          {{- end }}
          {{- end }}
    {{- end }}
    - name: trust
      {{- with .Values.signatures.trust.configMap }}
      configMap:
        name: {{ . | quote }}
      {{- end }}
      {{- with .Values.signatures.trust.secret }}
      secret:
        secretName: {{ . | quote }}
        defaultMode: 0440
      {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 256Mi
    {{- with .Values.postgres.secret }}
    - name: postgres
      secret:
        secretName: {{ . | quote }}
        defaultMode: 0440
        items:
          - key: {{ $values.postgres.key | quote }}
            path: url
    - name: data
      emptyDir:
        sizeLimit: {{ $values.persistence.temporary | quote }}
    {{- end }}
    {{- if .Values.blobs.bucket }}
    - name: blobs
      projected:
        defaultMode: 0440
        sources:
          - secret:
              name: {{ .Values.blobs.secretAccessKey.name | quote }}
              items:
                - key: {{ .Values.blobs.secretAccessKey.key | quote }}
                  path: secret
          {{- with .Values.blobs.ca }}
          - configMap:
              name: {{ .configMap | quote }}
              items:
                - key: {{ .key | quote }}
                  path: ca.crt
          {{- end }}
    {{- end }}
{{- end }}
{{- end }}
