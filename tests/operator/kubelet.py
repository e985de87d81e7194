"""The part of a kubelet that tests need: runs the container of a Deployment as a process of this machine."""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from rojak.dev.process import ChildProcess
from rojak_operator.desired.worker import CONFIG_FOLDER
from tests.operator.cluster import Cluster


async def run_pod(cluster: Cluster, deployment: str, folder: Path) -> tuple[ChildProcess, int]:
    """The process, with the configuration mounted and the variables set; and the port of its probes."""
    live = await cluster.get("Deployment", deployment)
    assert live is not None
    template = live["spec"]["template"]["spec"]
    container = template["containers"][0]
    mounts: dict[str, Path] = {}
    for mount in container["volumeMounts"]:
        volume = next(volume for volume in template["volumes"] if volume["name"] == mount["name"])
        mounts[mount["mountPath"]] = folder / mount["name"]
        mounts[mount["mountPath"]].mkdir(parents=True, exist_ok=True)
        if source := volume.get("configMap"):
            config_map = await cluster.get("ConfigMap", source["name"])
            assert config_map is not None
            for name, text in config_map["data"].items():
                (mounts[mount["mountPath"]] / name).write_text(text)
    variables = [f"{v['name']}={await _value(cluster, v)}" for v in container.get("env", [])]
    for path, mounted in mounts.items():
        # A pod has the files where its configuration says; here they are elsewhere.
        for file in mounts[CONFIG_FOLDER].iterdir():
            file.write_text(file.read_text().replace(json.dumps(path), json.dumps(str(mounted))))
    arguments = [_on_this_machine(argument, mounts) for argument in container["args"]]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, "-m", "rojak.cli", *arguments, "--host", "127.0.0.1", "--port", str(port)]
    # Nothing of the test's environment but what programs need to run.
    kept = [f"{name}={os.environ[name]}" for name in ("PATH", "HOME") if name in os.environ]
    command = ["/usr/bin/env", "-i", *kept, *variables, *program]
    return ChildProcess(command, folder / "worker.log"), port


def _on_this_machine(argument: str, mounts: dict[str, Path]) -> str:
    for path, folder in mounts.items():
        if argument.startswith(f"{path}/"):
            return str(folder / argument.removeprefix(f"{path}/"))
    return argument


async def _value(cluster: Cluster, variable: dict[str, Any]) -> str:
    if "valueFrom" not in variable:
        return str(variable.get("value", ""))
    reference = variable["valueFrom"]["secretKeyRef"]
    secret = await cluster.get("Secret", reference["name"])
    assert secret is not None
    return base64.b64decode(secret["data"][reference["key"]]).decode()
