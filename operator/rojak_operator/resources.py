"""The kinds of objects that the operator reads or writes, and how they are named in the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

GROUP = "rojak.dev"
VERSION = "v1alpha1"
#: Says of an object that we made it; the label by which the watches of owned objects are limited.
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "rojak-operator"


@dataclass(frozen=True)
class Resource:
    """A kind of object, as URLs name it. ``owned``: only those that carry our label concern us."""

    group: str
    version: str
    plural: str
    kind: str
    owned: bool = False

    @property
    def api_version(self) -> str:
        """As it is written in manifests."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The path in the API server's URL."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


class Key(NamedTuple):
    """Which object: what the work queue holds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


AGENT = Resource(GROUP, VERSION, "agents", "Agent")
MCP_SERVER = Resource(GROUP, VERSION, "mcpservers", "MCPServer")
SCHEDULE = Resource(GROUP, VERSION, "schedules", "Schedule")
WORKER_POOL = Resource(GROUP, VERSION, "workerpools", "WorkerPool")

SECRET = Resource("", "v1", "secrets", "Secret")
CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
SERVICE = Resource("", "v1", "services", "Service", owned=True)

DEPLOYMENT = Resource("apps", "v1", "deployments", "Deployment", owned=True)
DISRUPTION_BUDGET = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", owned=True)
AUTOSCALER = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", owned=True)
SCALED_OBJECT = Resource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject", owned=True)
TRIGGER_AUTHENTICATION = Resource("keda.sh", "v1alpha1", "triggerauthentications", "TriggerAuthentication", owned=True)
EVENT = Resource("", "v1", "events", "Event")
LEASE = Resource("coordination.k8s.io", "v1", "leases", "Lease")

#: What users write.
MANIFESTS = (AGENT, MCP_SERVER, SCHEDULE, WORKER_POOL)
#: What manifests refer to by name.
REFERENCED = (SECRET, CONFIG_MAP)
#: What we make for them.
OWNED = (CONFIG_MAP, SERVICE, DEPLOYMENT, DISRUPTION_BUDGET, AUTOSCALER)
#: What we make where KEDA is installed.
KEDA = (SCALED_OBJECT, TRIGGER_AUTHENTICATION)

BY_KIND = {resource.kind: resource for resource in (*MANIFESTS, *REFERENCED, *OWNED, *KEDA, EVENT, LEASE)}


def key_of(obj: dict[str, Any]) -> Key:
    """The key of an object in the API's form."""
    metadata = obj["metadata"]
    return Key(obj["kind"], metadata.get("namespace", ""), metadata["name"])
