"""A Kubernetes API server for tests and for trying things out: the real one, without nodes.

There is no kubelet and no controller manager: objects are stored, validated, authorized and watched, and nothing acts
on them. `KubernetesServer` is the door.
"""

from dev.kubernetes.server import KubernetesServer, KubernetesStartError

__all__ = ["KubernetesServer", "KubernetesStartError"]
