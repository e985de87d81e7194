"""The API server for tests: found in the promised order, enforces RBAC, keeps its data, never stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dev.kubernetes import KubernetesServer
from dev.kubernetes.binaries import NAMES, VERSION, MissingBinaryError, find_binaries
from dev.kubernetes.pytest_plugin import OPERATOR_ACCOUNT

pytestmark = pytest.mark.timeout(180)


def test_it_is_the_version_that_was_asked_for(kubernetes: KubernetesServer) -> None:
    said = json.loads(kubernetes.kubectl("version", "-o", "json"))
    assert said["serverVersion"]["gitVersion"] == f"v{VERSION}"


def test_an_account_may_do_what_a_binding_says_and_no_more(own_kubernetes: KubernetesServer) -> None:
    there = ("-n", "accounts")
    own_kubernetes.kubectl("create", "namespace", "accounts")
    own_kubernetes.kubectl("create", "role", "reader", *there, "--verb=get,list", "--resource=configmaps")
    account = ":".join(OPERATOR_ACCOUNT)
    own_kubernetes.kubectl("create", "rolebinding", "reader", *there, "--role=reader", f"--serviceaccount={account}")
    kubeconfig = own_kubernetes.kubeconfig_for(*OPERATOR_ACCOUNT)
    as_account = [str(own_kubernetes.kubectl_path), f"--kubeconfig={kubeconfig}", *there]
    subprocess.run([*as_account, "get", "configmaps"], check=True, capture_output=True)
    refused = subprocess.run([*as_account, "get", "secrets"], check=False, capture_output=True, text=True)
    assert "forbidden" in refused.stderr


@pytest.mark.durability
def test_its_data_survives_a_restart_of_the_api_server(own_kubernetes: KubernetesServer) -> None:
    own_kubernetes.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    url = own_kubernetes.url
    own_kubernetes.stop_apiserver()
    own_kubernetes.start_apiserver()
    assert own_kubernetes.url == url
    assert json.loads(own_kubernetes.kubectl("get", "configmap", "kept", "-o", "json"))["data"] == {"a": "b"}


def test_assets_that_lack_a_program_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingBinaryError, match=r"lacks kube-apiserver, etcd, kubectl; unset it"):
        find_binaries({"KUBEBUILDER_ASSETS": str(tmp_path)})


def test_assets_come_before_the_cache(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert find_binaries({"KUBEBUILDER_ASSETS": str(tmp_path)}).folder == tmp_path


@pytest.mark.durability
def test_python_m_starts_one_and_ends_all_of_it() -> None:
    with subprocess.Popen([sys.executable, "-m", "dev.kubernetes"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Kubernetes API server: https://127.0.0.1:")
            kubeconfig = Path(process.stdout.readline().strip().removeprefix("export KUBECONFIG="))
            assert kubeconfig.exists()
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            if process.poll() is None:
                process.kill()
    assert psutil.wait_procs(children, timeout=20)[1] == []
    assert not kubeconfig.exists()
    assert not os.path.exists(kubeconfig.parent)
