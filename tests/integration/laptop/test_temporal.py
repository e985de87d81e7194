"""Which Temporal `rojak dev` uses: one that it starts and whose data it keeps, or one that is named, with its login."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile
from temporalio.service import TLSConfig

from rojak.laptop.temporal import variables_of
from tests.integration.cli.commands import rojak
from tests.integration.laptop.dev_process import DevProcess
from tests.integration.laptop.project import Project, Talk
from tests.integration.laptop.test_mistakes import run


@pytest.mark.durability
@pytest.mark.timeout(240)
async def test_with_data_sessions_and_schedules_outlive_a_kill(project: Project, tmp_path: Path) -> None:
    flags = ("-f", project.folder, "-n", project.namespace, "--data", tmp_path / "data")
    with DevProcess(*flags) as first:
        address = _address(first)
        first.wait_for("ready: rojak chat two")
        client = await Client.connect(address)
        talk = Talk(client, project, "one")
        assert await talk.say() == "First. / hello"
        schedule = client.get_schedule_handle(f"{project.namespace}.daily")
        await schedule.pause(note="by hand")
        created = (await schedule.describe()).info.created_at
        first.process.kill()
        # At once: the Temporal before may need a moment to end, and its data are its own until then.
        with DevProcess(*flags) as second:
            address = _address(second)
            second.wait_for("ready: rojak chat two")
            client = await Client.connect(address)
            assert await talk.through(client).say() == "First. / hello"
            shown = await rojak(address, "sessions", "show", talk.id)
            assert shown.stdout.count("First. / hello") == 2, shown
            description = await client.get_schedule_handle(f"{project.namespace}.daily").describe()
            assert description.info.created_at == created
            assert description.schedule.state.paused
            # The data are those of one at a time.
            code, text = await asyncio.to_thread(run, *flags)
            assert code == 1
            assert "another Temporal server keeps its data in" in text
            assert second.interrupt() == 0


def _address(dev: DevProcess) -> str:
    return dev.wait_for(r"Temporal runs at ([\d.:]+)")[1]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost, and for who logs in there, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=test", "-addext", "subjectAltName=DNS:temporal.test"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True, timeout=60)
    return cert, key


@asynccontextmanager
async def door(address: str, cert: Path, key: Path) -> AsyncIterator[str]:
    """A way to the server for those who speak TLS and show the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(cert)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, back), pump(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.mark.timeout(180)
async def test_a_server_that_asks_for_a_certificate_is_used_with_the_flags_that_all_commands_have(
    project: Project, temporal_address: str, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    async with door(temporal_address, cert, key) as address:
        login = ["--address", address, "--tls-server-name", "temporal.test", "--tls-ca-path", str(cert)]
        login += ["--tls-cert-path", str(cert), "--tls-key-path", str(key)]
        with DevProcess("-f", project.folder, "-n", project.namespace, *login) as dev:
            said = await asyncio.to_thread(dev.wait_for, "ready: rojak chat two (.*)")
            assert said[1].split() == [*login, "-n", project.namespace]
            outcome = await rojak("", "run", "one", "Hi", *said[1].split())
            assert outcome.stdout == "First. / hello\n", outcome
            assert await asyncio.to_thread(dev.interrupt) == 0
            assert dev.family() == []


@pytest.mark.timeout(180)
async def test_a_profile_names_the_server(project: Project, temporal_address: str, tmp_path: Path) -> None:
    profiles = tmp_path / "temporal.toml"
    profiles.write_text(f'[profile.here]\naddress = "{temporal_address}"\n')
    flags = ("--profile", "here", "--config-file", str(profiles))
    with DevProcess("-f", project.folder, "-n", project.namespace, *flags) as dev:
        said = await asyncio.to_thread(dev.wait_for, "ready: rojak chat two (.*)")
        outcome = await rojak("", "run", "one", "Hi", *said[1].split())
        assert outcome.stdout == "First. / hello\n", outcome


@pytest.mark.parametrize(
    "connect",
    [
        {"target_host": "a:1"},
        {"target_host": "a:1", "namespace": "n", "api_key": "secret", "tls": TLSConfig()},
        {"target_host": "a:1", "api_key": "secret", "tls": False, "rpc_metadata": {"x-tenant": "t"}},
        {
            "target_host": "a:1",
            "tls": TLSConfig(
                domain="d", server_root_ca_cert=b"ca\n", client_cert=b"cert\n", client_private_key=b"key\n"
            ),
        },
    ],
)
def test_workers_get_the_same_connection_through_their_environment(connect: dict[str, Any]) -> None:
    read = ClientConfigProfile.load(override_env_vars=variables_of(connect)).to_client_connect_config()
    assert read == connect


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (("--api-key", "secret"), "--api-key is for a Temporal that runs already, and nothing says where"),
        (("--tls-server-name", "x"), "--tls-server-name is for a Temporal that runs already"),
        (("--address", "127.0.0.1:1", "--data", "there"), "--data is where a Temporal that is started keeps its data"),
        (("--profile", "nowhere"), "Temporal's profile cannot be read"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(project: Project, flags: tuple[str, ...], wanted: str) -> None:
    code, text = run("-f", project.folder, *flags)
    assert code == 2
    assert wanted in text
    assert "secret" not in text


@pytest.mark.timeout(120)
def test_a_server_that_does_not_speak_tls_is_named(project: Project, temporal_address: str) -> None:
    code, text = run("-f", project.folder, "--address", temporal_address, "--tls")
    assert code == 1
    assert f"no Temporal server answers at {temporal_address}" in text
    assert "Traceback" not in text
