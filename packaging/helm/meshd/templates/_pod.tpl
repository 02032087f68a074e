{{/* What the pods of the StatefulSet and of the DaemonSet have in common. */}}

{{- define "meshd.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
# Changed in full, the modes would open the key files to the group, which meshd refuses.
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "meshd.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* The daemon: dict root, config (the file's name), name (an environment variable's source), resources. */}}
{{- define "meshd.daemon" -}}
name: meshd
image: {{ include "meshd.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: ["--config", "/etc/meshd/{{ .config }}"]
env:
  - name: POD_NAME
    valueFrom: { fieldRef: { fieldPath: metadata.name } }
ports:
  - { name: mesh, containerPort: 4001, protocol: TCP }
  - { name: metrics, containerPort: 9464, protocol: TCP }
# A probe starts meshctl, which costs about a tenth of a second of CPU; hence the long periods.
startupProbe:
  exec: { command: [meshctl, status, --check, live] }
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 30
livenessProbe:
  exec: { command: [meshctl, status, --check, live] }
  periodSeconds: 30
  timeoutSeconds: 10
  failureThreshold: 3
readinessProbe:
  exec: { command: [meshctl, status, --check, ready] }
  periodSeconds: 15
  timeoutSeconds: 10
  failureThreshold: 2
resources: {{- toYaml .resources | nindent 2 }}
securityContext: {{- include "meshd.containerSecurity" . | nindent 2 }}
volumeMounts:
  - { name: config, mountPath: /etc/meshd, readOnly: true }
  - { name: state, mountPath: /var/lib/meshd }
  - { name: run, mountPath: /run/meshd }
  - { name: tmp, mountPath: /tmp }
{{- end }}

{{/* The sidecar that brings the daemon into the mesh: dict root, command (for sh, with $NAME as the node's name), field. */}}
{{- define "meshd.enrol" -}}
name: enrol
image: {{ include "meshd.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: [/bin/sh, -c]
args:
  - {{ .command | quote }}
env:
  - name: NAME
    valueFrom: { fieldRef: { fieldPath: {{ .field }} } }
# Idle once the node is in its mesh; the memory is for the meshctl that it runs before.
resources:
  requests: { cpu: 5m, memory: 16Mi }
  limits: { memory: 192Mi }
securityContext: {{- include "meshd.containerSecurity" . | nindent 2 }}
volumeMounts:
  - { name: run, mountPath: /run/meshd }
  - { name: join-tokens, mountPath: /run/join-tokens, readOnly: true }
  - { name: tmp, mountPath: /tmp }
{{- end }}

{{- define "meshd.volumes" -}}
- name: config
  configMap: { name: {{ include "meshd.fullname" . }} }
- name: run
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
- name: tmp
  emptyDir: { medium: Memory, sizeLimit: 16Mi }
- name: join-tokens
  secret:
    secretName: {{ include "meshd.joinTokens" . }}
    optional: true
    defaultMode: 0440
{{- end }}

{{/* dict root, part (values of issuer or node) */}}
{{- define "meshd.placement" -}}
nodeSelector: {{- merge (dict "kubernetes.io/os" "linux") .part.nodeSelector | toYaml | nindent 2 }}
{{- with .part.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: 30
{{- end }}
