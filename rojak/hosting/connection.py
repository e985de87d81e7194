"""The connection to Temporal that a configuration describes; what it leaves out comes from the environment."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile
from temporalio.runtime import Runtime
from temporalio.service import TLSConfig

from rojak.hosting.secrets import Secrets
from rojak.types.errors import ConfigurationError
from rojak.workerconfig.model import TemporalEntry, TLSEntry
from rojak.workflows.converter import derive_client

_WHO = "the connection to Temporal"


async def connect(entry: TemporalEntry, secrets: Secrets, *, identity: str, runtime: Runtime) -> Client:
    """A client for the workers.

    Args:
        entry: of the configuration.
        secrets: where keys and certificates are.
        identity: by which Temporal knows the process.
        runtime: whose metrics are served.

    Raises:
        ConfigurationError: a Secret is missing, or Temporal cannot be reached; says where it was looked for.
    """
    options: dict[str, Any] = dict(ClientConfigProfile.load().to_client_connect_config())
    if entry.address is not None:
        # A login that the environment has is for the address that the environment names.
        options = {"namespace": options.get("namespace"), "target_host": entry.address}
    if entry.namespace is not None:
        options["namespace"] = entry.namespace
    if entry.tls is not None:
        options["tls"] = _tls_config(entry.tls, secrets)
    if entry.api_key is not None:
        options["api_key"] = secrets.get(entry.api_key.secret_key_ref, _WHO)
        options.setdefault("tls", True)
    options = {name: value for name, value in options.items() if value is not None}
    options.setdefault("target_host", "localhost:7233")
    try:
        return derive_client(await Client.connect(**options, identity=identity, runtime=runtime))
    except RuntimeError as error:
        raise ConfigurationError(
            f"Temporal cannot be reached at {options['target_host']}: {error}; is it running, and are"
            " TEMPORAL_ADDRESS or `temporal.address` of the configuration right?"
        ) from None


def _tls_config(entry: TLSEntry, secrets: Secrets) -> TLSConfig | bool:
    fields: dict[str, Any] = {}
    if entry.server_name is not None:
        fields["domain"] = entry.server_name
    if entry.ca_cert is not None:
        pem = entry.ca_cert.pem
        if entry.ca_cert.secret_key_ref is not None:
            pem = secrets.get(entry.ca_cert.secret_key_ref, _WHO)
        fields["server_root_ca_cert"] = None if pem is None else pem.encode()
    for name, ref in (("client_cert", entry.client_cert), ("client_private_key", entry.client_key)):
        if ref is not None and (value := secrets.get(ref, _WHO)) is not None:
            fields[name] = value.encode()
    return TLSConfig(**fields) if fields else True
