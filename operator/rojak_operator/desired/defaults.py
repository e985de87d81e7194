"""What manifests may leave out, as the operator was told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class KeyOfSecret(NamedTuple):
    """A key of a Secret, looked for in the namespace of whoever needs it."""

    name: str
    key: str


@dataclass(frozen=True)
class TemporalDefaults:
    """The Temporal that is used where a manifest names none.

    Attributes:
        address: host:port.
        namespace: of Temporal.
        tls: whether the connection is encrypted; an API key or a certificate does so by itself.
        tls_server_name: that the server's certificate has.
        ca_path: file with whom the operator trusts.
        cert_path: file with the operator's certificate.
        key_path: file with its key.
        api_key: the operator's.
        api_key_path: file with it, where it may change.
        worker_api_key: where workers have theirs, in their own namespace.
        worker_cert_secret: a kubernetes.io/tls Secret with the workers' certificate, in their own namespace.
        worker_ca: where workers have whom they trust, in their own namespace.
    """

    address: str = "localhost:7233"
    namespace: str = "default"
    tls: bool = False
    tls_server_name: str | None = None
    ca_path: str | None = None
    cert_path: str | None = None
    key_path: str | None = None
    api_key: str | None = field(default=None, repr=False)
    api_key_path: str | None = None
    worker_api_key: KeyOfSecret | None = None
    worker_cert_secret: str | None = None
    worker_ca: KeyOfSecret | None = None


@dataclass(frozen=True)
class Defaults:
    """For everything that is rendered.

    Attributes:
        image: of workers and of bridges to MCP servers, where a manifest names none.
        temporal: the connection.
    """

    image: str = "rojak:latest"
    temporal: TemporalDefaults = field(default_factory=TemporalDefaults)
