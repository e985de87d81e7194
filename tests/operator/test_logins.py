"""How the operator logs in to Temporal, and that it notices when that changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from dev.kubernetes import KubernetesServer
from tests.operator.cluster import Cluster, condition
from tests.operator.conftest import Start
from tests.operator.gate import NAME, Gate, make_certificate
from tests.operator.test_schedules import describe

pytestmark = [pytest.mark.timeout(240)]

AGENT: dict[str, Any] = {"instructions": "You help.", "model": {"provider": "openai", "name": "gpt-x"}}
SCHEDULE: dict[str, Any] = {"agentRef": {"name": "triage"}, "message": "Anything new?", "cron": "0 * * * *"}


def mount(folder: Path, version: int, key: str) -> None:
    """A new version of a Secret's volume, as the kubelet brings it: a link to its folder is replaced."""
    (folder / f"..{version}").mkdir()
    (folder / f"..{version}" / "api-key").write_text(f"{key}\n")
    (folder / "..new").symlink_to(f"..{version}")
    (folder / "..new").rename(folder / "..data")
    if version == 1:
        (folder / "api-key").symlink_to("..data/api-key")


async def test_a_changed_api_key_is_used_without_a_restart(
    alone: KubernetesServer,
    quiet: Cluster,
    start: Start,
    temporal_address: str,
    temporal_client: Client,
    tmp_path: Path,
) -> None:
    cert, key = make_certificate(tmp_path, f"DNS:{NAME}")
    secret = tmp_path / "secret"
    secret.mkdir()
    mount(secret, 1, "first")
    async with Gate(temporal_address, cert, key, api_key="first") as gate:
        operator = start(
            alone,
            quiet,
            TEMPORAL_ADDRESS=f"127.0.0.1:{gate.port}",
            TEMPORAL_TLS_SERVER_NAME=NAME,
            TEMPORAL_TLS_SERVER_CA_CERT_PATH=str(cert),
            TEMPORAL_API_KEY_PATH=str(secret / "api-key"),
            # What is seen is not a look at everything.
            ROJAK_RESYNC="3600",
        )
        await quiet.apply("Agent", "triage", AGENT)
        await quiet.apply("Schedule", "news", SCHEDULE)
        await quiet.until_condition("Schedule", "news", "Synced", "True")
        assert set(gate.let_in) == {"first"}

        gate.api_key = "second"
        await quiet.apply("Schedule", "news", SCHEDULE | {"cron": "5 * * * *"})
        await quiet.until(
            "Schedule", "news", lambda obj: "this key is not known" in condition(obj, "Synced").get("message", "")
        )
        mount(secret, 2, "second")
        await quiet.until_condition("Schedule", "news", "Synced", "True")
        assert gate.let_in[-1] == "second"
        assert await describe(temporal_client, f"{quiet.namespace}.news") is not None
        assert operator.exit_code() is None
        assert not [line for line in operator.lines() if "first" in str(line) or "second" in str(line)]

        # A Secret that is gone is said, with the file.
        (secret / "api-key").rename(secret / "elsewhere")
        said = f"{secret / 'api-key'}, which the operator logs in to Temporal with, cannot be read"
        await quiet.until("Schedule", "news", lambda obj: said in condition(obj, "Synced").get("message", ""))
        (secret / "elsewhere").rename(secret / "api-key")
        await quiet.until_condition("Schedule", "news", "Synced", "True")
