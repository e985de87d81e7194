{{- define "rojak.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "rojak.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := include "rojak.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "rojak.operatorName" -}}
{{ include "rojak.fullname" . }}-operator
{{- end }}

{{- define "rojak.devTemporalName" -}}
{{ include "rojak.fullname" . }}-dev-temporal
{{- end }}

{{/* Labels of every object. They change with the version; selectors have their own. */}}
{{- define "rojak.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "rojak.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: rojak
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "rojak.operatorSelector" -}}
app.kubernetes.io/name: {{ include "rojak.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "rojak.devTemporalSelector" -}}
app.kubernetes.io/name: {{ include "rojak.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: dev-temporal
{{- end }}

{{- define "rojak.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "rojak.operatorName" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.create is false: name an account that exists in serviceAccount.name" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "rojak.image" -}}
{{- with .Values.image }}
{{- if not .repository }}
{{- fail "image.repository is not set, and there is no public image: build one with `make image`, push it where your cluster can fetch it, and give its name, such as image.repository=registry.example/rojak (see docs/install.md)" }}
{{- end }}
{{- $name := .repository }}
{{- if .registry }}{{ $name = printf "%s/%s" .registry .repository }}{{ end }}
{{- if .digest }}{{ printf "%s@%s" $name .digest }}{{ else }}{{ printf "%s:%s" $name (default $.Chart.AppVersion .tag) }}{{ end }}
{{- end }}
{{- end }}

{{- define "rojak.temporalAddress" -}}
{{- if .Values.temporal.address }}
{{- .Values.temporal.address }}
{{- else if .Values.devTemporal.enabled }}
{{- printf "%s.%s.svc:7233" (include "rojak.devTemporalName" .) .Release.Namespace }}
{{- else }}
{{- fail "temporal.address is not set: give host:port of your Temporal, or set devTemporal.enabled=true to try things out" }}
{{- end }}
{{- end }}

{{- define "rojak.workerPoolAccount" -}}
{{- with .Values.workerPool }}
{{- default (printf "%s-%s-pool" (include "rojak.fullname" $) .name) .serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The default pool, which the operator makes. */}}
{{- define "rojak.workerPool" -}}
{{- with .Values.workerPool }}
{{- $spec := .spec }}
{{- if and (or .serviceAccount.create .serviceAccount.name) (not .spec.serviceAccountName) }}
{{- $spec = merge (dict "serviceAccountName" (include "rojak.workerPoolAccount" $)) .spec }}
{{- end }}
apiVersion: rojak.dev/v1alpha1
kind: WorkerPool
metadata:
  name: {{ .name }}
  namespace: {{ default $.Release.Namespace .namespace }}
  labels:
    app.kubernetes.io/instance: {{ $.Release.Name }}
    app.kubernetes.io/managed-by: rojak-operator
    app.kubernetes.io/part-of: rojak
    {{- with $.Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- toYaml $spec | nindent 2 }}
{{- end }}
{{- end }}

{{/* What can be wrong with several values together; what is wrong with one of them is said by values.schema.json. */}}
{{- define "rojak.validate" -}}
{{- if and .Values.temporal.apiKeySecret.name .Values.temporal.clientCertSecret.name }}
{{- fail "temporal.apiKeySecret and temporal.clientCertSecret are both given: log in with one of them" }}
{{- end }}
{{- if and .Values.temporal.workers.apiKeySecret .Values.temporal.workers.clientCertSecret }}
{{- fail "temporal.workers.apiKeySecret and temporal.workers.clientCertSecret are both given: log in with one of them" }}
{{- end }}
{{- if and (gt (int .Values.operator.replicas) 1) (not .Values.operator.leaderElection.enabled) }}
{{- fail "operator.replicas is more than 1 without operator.leaderElection.enabled: two would work against each other" }}
{{- end }}
{{- if and .Values.devTemporal.enabled .Values.temporal.address }}
{{- fail "devTemporal.enabled and temporal.address are both given: use one Temporal" }}
{{- end }}
{{- $pool := default .Release.Namespace .Values.workerPool.namespace }}
{{- if and .Values.workerPool.create .Values.watchNamespaces (not (has $pool .Values.watchNamespaces)) }}
{{- fail (printf "workerPool.namespace %q is not one of watchNamespaces: nobody would run the pool" $pool) }}
{{- end }}
{{- end }}

{{- define "rojak.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "rojak.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
