"""An HTTPS server whose certificate no usual authority has signed."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rojak import Rojak
from rojak.agents import OpenAIAgentActivities
from rojak.hosting.mcp_servers import build_mcp_servers
from rojak.hosting.secrets import Secrets
from rojak.manifests.agent import AgentSpec
from rojak.types import MCPServerConfig
from rojak.workerconfig import MCPServerEntry, SecretEntry
from tests.integration.mcp.conftest import AGENT, free_port, http_server
from tests.integration.session.conftest import answer, task

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate"),
]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True, timeout=60)
    return cert, key


@pytest.fixture
async def url(certificate: tuple[Path, Path]) -> AsyncIterator[str]:
    port = free_port()
    async with http_server("https", port, *map(str, certificate)):
        yield f"https://127.0.0.1:{port}/mcp"


def config_of(url: str, tls: dict[str, object], environ: dict[str, str]) -> MCPServerConfig:
    """What a worker makes of the manifest's settings."""
    entry = MCPServerEntry.model_validate({"name": "safe", "url": url, "tls": tls})
    spec = AgentSpec.model_validate(
        {
            "instructions": "Help.",
            "model": {"provider": "openai", "name": "m"},
            "tools": [{"mcp": {"serverRef": {"name": "safe"}}}],
        }
    )
    secrets = Secrets([SecretEntry(name="ca", key="ca.crt", env="CA")], environ)
    return build_mcp_servers("Agent 'a'", spec, {"safe": entry}, secrets)["safe"]


@pytest.mark.parametrize("how", ["pem", "secret", "insecure"])
async def test_it_is_used_by_who_trusts_it(
    how: str,
    url: str,
    certificate: tuple[Path, Path],
    rojak: Rojak,
    activities: OpenAIAgentActivities,
    session_id: str,
) -> None:
    pem = certificate[0].read_text()
    tls: dict[str, dict[str, object]] = {
        "pem": {"caCert": {"pem": pem}},
        "secret": {"caCert": {"secretKeyRef": {"name": "ca", "key": "ca.crt"}}},
        "insecure": {"insecureSkipVerify": True},
    }
    config = config_of(url, tls[how], {"CA": pem})
    async with rojak.create_worker([activities], mcp_servers={"safe": config}):
        response = await rojak.run(id=session_id, task=task('call get_weather {"city": "Oslo"}', "echo", agent=AGENT))
    assert answer(response.result) == "22 degrees celsius in Oslo"


async def test_it_is_refused_by_who_does_not(
    url: str, rojak: Rojak, activities: OpenAIAgentActivities, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = "MCP server 'safe' is down: its certificate is not trusted (self-signed certificate); give the authority"
    async with rojak.create_worker([activities], mcp_servers={"safe": config_of(url, {}, {})}), asyncio.timeout(30):
        while wanted not in caplog.text:
            await asyncio.sleep(0.02)
    assert url not in caplog.text


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"type": "sse", "url": "https://x", "ca_cert": "/etc/ca.pem"}, "no certificate in PEM"),
        ({"type": "stdio", "command": "x", "verify": False}, "takes no verify"),
        ({"type": "stdio", "command": "x", "ca_cert": "x"}, "takes no ca_cert"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        MCPServerConfig.model_validate(fields)
