"""What the operator may do, and no more: the rules of its roles. The chart's are compared with these.

No wildcards, no pods, and of Secrets nothing but reading: which Secrets are referred to is only known at run time.
"""

from __future__ import annotations

from typing import Any, Final

from rojak_operator.resources import GROUP, MANIFESTS

_READ: Final = ["get", "list", "watch"]
_OWN: Final = ["get", "list", "watch", "create", "patch", "delete"]

#: For each namespace whose manifests count, or for the whole cluster.
RULES: Final[list[dict[str, Any]]] = [
    {"apiGroups": [GROUP], "resources": [r.plural for r in MANIFESTS], "verbs": _READ},
    # Finalizers are metadata, which only a change of the object itself can reach.
    {"apiGroups": [GROUP], "resources": ["schedules"], "verbs": ["patch"]},
    {"apiGroups": [GROUP], "resources": [f"{r.plural}/status" for r in MANIFESTS], "verbs": ["patch"]},
    # Owner references that block the owner's deletion ask for this right.
    {"apiGroups": [GROUP], "resources": [f"{r.plural}/finalizers" for r in MANIFESTS], "verbs": ["update"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": _READ},
    {"apiGroups": [""], "resources": ["configmaps", "services"], "verbs": _OWN},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": _OWN},
    {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": _OWN},
    {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": _OWN},
    {"apiGroups": ["keda.sh"], "resources": ["scaledobjects", "triggerauthentications"], "verbs": _OWN},
]

#: In the operator's own namespace.
LEASE_RULES: Final[list[dict[str, Any]]] = [
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": ["rojak-operator"],
        "verbs": ["get", "update"],
    },
]
