"""Where commands look for Temporal: flags, then the environment, then the profile file; with TLS and with a key."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.service import TLSConfig

from rojak.cli.connection import Connection
from rojak.cli.errors import CommandError
from tests.integration.cli.commands import rojak

PROFILES = """
[profile.default]
address = "laptop:7233"

[profile.cloud]
address = "us-east-1.aws.api.temporal.io:7233"
namespace = "shop.a1b2c"
api_key = "secret"
"""
NOTHING: dict[str, str] = {"TEMPORAL_CONFIG_FILE": "/nowhere/temporal.toml"}


@pytest.fixture
def file(profile_file: Path) -> Path:
    profile_file.write_text(PROFILES)
    return profile_file


def test_without_anything_it_is_the_laptop() -> None:
    assert Connection().resolve(NOTHING) == {"target_host": "localhost:7233"}


def test_the_profile_is_below_the_environment_and_the_environment_below_flags(file: Path) -> None:
    environ = {"TEMPORAL_CONFIG_FILE": str(file)}
    assert Connection().resolve(environ)["target_host"] == "laptop:7233"
    environ["TEMPORAL_ADDRESS"] = "cluster:7233"
    environ["TEMPORAL_NAMESPACE"] = "shop"
    assert Connection().resolve(environ) == {"target_host": "cluster:7233", "namespace": "shop"}
    flags = Connection(address="other:7233", temporal_namespace="mine")
    assert flags.resolve(environ) == {"target_host": "other:7233", "namespace": "mine"}


def test_a_profile_brings_its_key_and_tls(file: Path) -> None:
    options = Connection(profile="cloud", config_file=file).resolve({})
    assert options["api_key"] == "secret"
    assert options["tls"]
    assert options["namespace"] == "shop.a1b2c"
    regional = Connection(profile="cloud", config_file=file, address="other.api.temporal.io:7233").resolve({})
    assert (regional["api_key"], regional["target_host"]) == ("secret", "other.api.temporal.io:7233")


def test_a_key_of_the_environment_is_not_sent_to_another_address() -> None:
    environ = {**NOTHING, "TEMPORAL_ADDRESS": "cloud:7233", "TEMPORAL_API_KEY": "secret", "TEMPORAL_TLS": "true"}
    assert Connection().resolve(environ)["api_key"] == "secret"
    assert Connection(address="cloud:7233").resolve(environ)["api_key"] == "secret"
    assert Connection(address="localhost:7233").resolve(environ) == {"target_host": "localhost:7233"}
    own = Connection(address="localhost:7233", api_key="mine").resolve(environ)
    assert own == {"target_host": "localhost:7233", "api_key": "mine", "tls": True}


def test_certificates_are_read_from_files(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(name)
    flags = Connection(
        tls_ca_path=tmp_path / "ca", tls_cert_path=tmp_path / "cert", tls_key_path=tmp_path / "key", tls_server_name="x"
    )
    tls = flags.resolve(NOTHING)["tls"]
    expected = TLSConfig(domain="x", server_root_ca_cert=b"ca", client_cert=b"cert", client_private_key=b"key")
    assert tls == expected
    assert Connection(tls=True).resolve(NOTHING)["tls"] is True
    assert Connection(tls=False, tls_server_name="x").resolve(NOTHING)["tls"] is False


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[profile")
    with pytest.raises(CommandError, match="profile cannot be read"):
        Connection(config_file=tmp_path / "bad.toml").resolve({})
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pem"):
        Connection(tls_ca_path=tmp_path / "nowhere.pem").resolve(NOTHING)


def test_what_a_person_is_told_to_type_has_the_flags_and_no_key() -> None:
    flags = Connection(address="a:1", api_key="secret", tls=False, profile="p").flags()
    assert flags == ["--address", "a:1", "--no-tls", "--profile", "p"]


@pytest.fixture
def here(temporal_address: str, profile_file: Path) -> Path:
    profile_file.write_text(f'[profile.here]\naddress = "{temporal_address}"\n')
    return profile_file


async def test_a_profile_file_leads_to_a_real_server(here: Path) -> None:
    outcome = await rojak("", "sessions", "list", "-n", "nowhere", "--profile", "here", "--config-file", str(here))
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "no sessions\n")


async def test_a_server_without_tls_is_not_spoken_to_with_tls(temporal_address: str) -> None:
    outcome = await rojak(temporal_address, "sessions", "list", "--tls")
    assert outcome.code == 6
    assert outcome.stderr.startswith(f"error: Temporal cannot be reached at {temporal_address}: ")
    assert outcome.stderr.count("\n") == 1
