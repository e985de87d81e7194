"""What all pods that we make have in common: they run as nobody, on a read-only disk, with secrets by reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rojak.manifests.values import EnvSource, EnvVar, Resources, SecretRef
from rojak_operator.desired.merge import strategic_merge

#: The restricted profile of the Pod Security Standards.
POD_SECURITY: Final = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
TMP_VOLUME: Final = {"name": "tmp", "emptyDir": {}}
TMP_MOUNT: Final = {"name": "tmp", "mountPath": "/tmp"}
#: A rollout that gets nowhere is called stuck after so many seconds.
PROGRESS_DEADLINE: Final = 300


def env_of(variables: Iterable[EnvVar] | None) -> list[dict[str, Any]]:
    """``env`` of a container."""
    rendered: list[dict[str, Any]] = []
    for variable in variables or ():
        if variable.value_from is None:
            rendered.append({"name": variable.name, "value": variable.value or ""})
        else:
            rendered.append({"name": variable.name, "valueFrom": variable.value_from.to_wire()})
    return rendered


def env_from_of(sources: Iterable[EnvSource] | None) -> list[dict[str, Any]]:
    """``envFrom`` of a container."""
    return [source.to_wire() for source in sources or ()]


def without_repeats(env: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The variables, where of two with one name the later one counts; a list with both would be refused."""
    return list({variable["name"]: variable for variable in env}.values())


def container(
    name: str,
    *,
    image: str,
    env: list[dict[str, Any]],
    env_from: list[dict[str, Any]],
    resources: Resources | None,
    pull_policy: str | None,
    mounts: list[dict[str, Any]],
    **more: Any,
) -> dict[str, Any]:
    """A container; what is empty is left out."""
    rendered: dict[str, Any] = {"name": name, "image": image, "securityContext": CONTAINER_SECURITY, **more}
    rendered["volumeMounts"] = [TMP_MOUNT, *mounts]
    rendered |= {"env": without_repeats(env)} if env else {}
    rendered |= {"envFrom": env_from} if env_from else {}
    rendered |= {"resources": resources.to_wire()} if resources else {}
    rendered |= {"imagePullPolicy": pull_policy} if pull_policy else {}
    return rendered


def pod_template(
    *,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    container: Mapping[str, Any],
    volumes: list[dict[str, Any]],
    grace_seconds: int,
    service_account: str | None,
    pull_secrets: Iterable[SecretRef] | None,
    over: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """A pod template with the user's own laid over it; what selects the pods stays ours."""
    spec: dict[str, Any] = {
        # Nothing in these pods talks to the API server.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": grace_seconds,
        "containers": [container],
        "volumes": [TMP_VOLUME, *volumes],
    }
    spec |= {"serviceAccountName": service_account} if service_account else {}
    secrets = [{"name": secret.name} for secret in pull_secrets or ()]
    spec |= {"imagePullSecrets": secrets} if secrets else {}
    template = strategic_merge({"metadata": {}, "spec": spec}, over or {})
    metadata = template["metadata"]
    metadata["labels"] = {**metadata.get("labels", {}), **labels}
    metadata["annotations"] = {**metadata.get("annotations", {}), **annotations}
    return template


def http_probe(path: str, *, period: int, failures: int, port: str = "http") -> dict[str, Any]:
    """A probe that asks over HTTP."""
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": period, "failureThreshold": failures}
