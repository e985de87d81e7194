"""The operator that Helm installed, as its pod would run it: there are no nodes here."""

from __future__ import annotations

import json
from pathlib import Path

from dev.kubernetes import KubernetesServer
from dev.kubernetes.credentials import User, write_kubeconfig
from tests.operator.cluster import OperatorProcess, wait_for_definitions

NAMESPACE = "rojak-system"


def operator_as_installed(server: KubernetesServer, folder: Path) -> OperatorProcess:
    """With the token of the account that the chart made, and the environment of its Deployment; not started."""
    wait_for_definitions(server)
    token = server.kubectl("create", "token", "rojak-operator", "-n", NAMESPACE).strip()
    kubeconfig = folder / "kubeconfig"
    write_kubeconfig(kubeconfig, server.url, server.ca_file, User("rojak-operator", token=token))
    pod = json.loads(server.kubectl("get", "deployment", "rojak-operator", "-n", NAMESPACE, "-o", "json"))
    env = pod["spec"]["template"]["spec"]["containers"][0]["env"]
    # As its pod would have it; what the kubelet fills in is filled in here.
    environment = {variable["name"]: variable["value"] for variable in env if "value" in variable}
    environment |= {"KUBECONFIG": str(kubeconfig), "ROJAK_OPERATOR_PORT": "0", "POD_NAME": "rojak-operator-0"}
    environment |= {"ROJAK_OPERATOR_NAMESPACE": NAMESPACE, "ROJAK_RESYNC": "3", "ROJAK_AUDIT": "3"}
    return OperatorProcess(server, folder / "operator.log", **environment)
