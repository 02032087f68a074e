{{- define "meshd.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* At most 40 characters: what is added to it stays within the 63 of a label. */}}
{{- define "meshd.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "meshd.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "meshd.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "meshd.selector" -}}
app.kubernetes.io/name: {{ include "meshd.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "meshd.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "meshd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: x0tta6bl4
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "meshd.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "meshd.joinTokens" -}}
{{- .Values.joinTokens.secretName | default (printf "%s-join-tokens" (include "meshd.fullname" .)) }}
{{- end }}

{{/* The DNS address of the StatefulSet's pod number .ordinal. */}}
{{- define "meshd.issuerAddress" -}}
{{- $name := include "meshd.fullname" .root -}}
/dns4/{{ $name }}-issuer-{{ .ordinal }}.{{ $name }}-issuer.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}/tcp/4001
{{- end }}

{{/* meshd.yml for pod number .ordinal of the StatefulSet, or, without .ordinal, for the pods of the DaemonSet. */}}
{{- define "meshd.config" -}}
{{- $root := .root }}
{{- $ordinal := get . "ordinal" | default "node" | toString }}
{{- $announce := list }}
{{- $bootstrap := list }}
{{- range $other := until (int $root.Values.issuer.replicas) }}
{{- $address := include "meshd.issuerAddress" (dict "root" $root "ordinal" $other) }}
{{- if eq $ordinal (toString $other) }}{{ $announce = append $announce $address }}{{ else }}{{ $bootstrap = append $bootstrap $address }}{{ end }}
{{- end }}
{{- $mesh := dict "listen" (list "/ip4/0.0.0.0/tcp/4001") "announce" $announce "bootstrap" $bootstrap "mdns" false }}
{{- $wanted := deepCopy $root.Values.config }}
{{- $own := dict "state_dir" "/var/lib/meshd" "control" (dict "socket" "/run/meshd/control.sock") }}
{{- $metrics := dict "telemetry" (dict "metrics" (dict "listen" "0.0.0.0:9464")) }}
{{- toYaml (mergeOverwrite (dict "mesh" $mesh) $wanted $own $metrics) }}
{{- end }}
