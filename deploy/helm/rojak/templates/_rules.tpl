{{/*
What the operator may do, and no more; its tests run under these very rules. No wildcards, no pods, and of Secrets
nothing but reading: which ones manifests refer to is only known at run time, and pods are rolled when one changes.
*/}}
{{- define "rojak.operatorRules" -}}
- apiGroups: [rojak.dev]
  resources: [agents, mcpservers, schedules, workerpools]
  verbs: [list, watch]
# Finalizers are metadata, which only a change of the object itself can reach.
- apiGroups: [rojak.dev]
  resources: [schedules]
  verbs: [patch]
- apiGroups: [rojak.dev]
  resources: [agents/status, mcpservers/status, schedules/status, workerpools/status]
  verbs: [patch]
# Owner references that block the owner's deletion ask for this right.
- apiGroups: [rojak.dev]
  resources: [agents/finalizers, mcpservers/finalizers, schedules/finalizers, workerpools/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [keda.sh]
  resources: [scaledobjects, triggerauthentications]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}

{{/* In the operator's own namespace. A name cannot limit creation. */}}
{{- define "rojak.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "rojak.operatorName" . }}]
  verbs: [get, update]
{{- end }}

{{/* In the namespace of the default pool: that one, and no other. */}}
{{- define "rojak.poolRules" -}}
- apiGroups: [rojak.dev]
  resources: [workerpools]
  resourceNames: [{{ .Values.workerPool.name }}]
  verbs: [create, patch]
{{- end }}
