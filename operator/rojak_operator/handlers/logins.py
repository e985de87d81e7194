"""From what a manifest says of a connection to a login, with the Secrets that it names.

The operator's own login is in files, which are read each time: a Secret that is mounted changes while the pod runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rojak.manifests.values import CertificateAuthority, SecretRef
from rojak.manifests.worker import TemporalConnection
from rojak_operator.desired.defaults import TemporalDefaults
from rojak_operator.desired.references import Reference, references_of
from rojak_operator.handlers.context import Context
from rojak_operator.temporal import Login, TemporalError
from rojak_operator.workqueue import RetryLater


async def make_login(context: Context, namespace: str, connection: TemporalConnection) -> Login:
    """The login.

    Raises:
        RetryLater: a Secret or ConfigMap is not there, or lacks the key.
        TemporalError: a file of the operator's own login cannot be read.
    """
    default = context.settings.defaults.temporal
    address = connection.address or default.address
    temporal_namespace = connection.namespace or default.namespace
    if connection.api_key is None and connection.tls is None and address == default.address:
        return operator_login(default, temporal_namespace)
    references = references_of(connection.to_wire())
    secrets = await context.secret_values(namespace, references)
    maps = await context.config_maps(namespace, references)
    tls = connection.tls
    login = Login(
        address=address,
        namespace=temporal_namespace,
        tls=tls is not None,
        server_name=tls.server_name if tls else None,
        ca=_authority(tls.ca_cert, secrets, maps) if tls and tls.ca_cert else None,
        cert=_part(tls.client_cert_secret_ref, "tls.crt", secrets) if tls and tls.client_cert_secret_ref else None,
        key=_part(tls.client_cert_secret_ref, "tls.key", secrets) if tls and tls.client_cert_secret_ref else None,
        api_key=None,
    )
    if connection.api_key is None:
        return login
    reference = connection.api_key.secret_key_ref
    value = _need(secrets, Reference("Secret", reference.name, reference.key)).strip()
    return Login(**{**vars(login), "api_key": value})


def operator_login(default: TemporalDefaults, namespace: str) -> Login:
    """The operator's own login, as its files are now.

    Raises:
        TemporalError: one of them cannot be read.
    """
    key = _read(default.api_key_path)
    return Login(
        address=default.address,
        namespace=namespace,
        tls=default.tls,
        server_name=default.tls_server_name,
        ca=_read(default.ca_path),
        cert=_read(default.cert_path),
        key=_read(default.key_path),
        api_key=key.decode(errors="replace").strip() if key is not None else default.api_key,
    )


def login_digest(default: TemporalDefaults) -> str:
    """Tells the operator's own login from the one that it had; empty while it cannot be read."""
    try:
        return operator_login(default, default.namespace).digest
    except TemporalError:
        return ""


def _read(path: str | None) -> bytes | None:
    try:
        return Path(path).read_bytes() if path else None
    except OSError as error:
        message = f"{path}, which the operator logs in to Temporal with, cannot be read: {error.strerror}"
        raise TemporalError(message, code="UNAVAILABLE", is_passing=True) from None


def _authority(
    authority: CertificateAuthority,
    secrets: Mapping[tuple[str, str], str],
    maps: Mapping[str, Mapping[str, str]],
) -> bytes:
    if authority.secret_key_ref is not None:
        reference = authority.secret_key_ref
        return _need(secrets, Reference("Secret", reference.name, reference.key)).encode()
    assert authority.config_map_key_ref is not None
    name, key = authority.config_map_key_ref.name, authority.config_map_key_ref.key
    if key not in maps.get(name, {}):
        raise RetryLater(f"ConfigMap {name!r} with key {key!r}, which the Temporal connection needs, is not there")
    return maps[name][key].encode()


def _part(secret: SecretRef, key: str, secrets: Mapping[tuple[str, str], str]) -> bytes:
    return _need(secrets, Reference("Secret", secret.name, key)).encode()


def _need(secrets: Mapping[tuple[str, str], str], reference: Reference) -> str:
    value = secrets.get((reference.name, reference.key or ""))
    if value is None:
        raise RetryLater(f"{reference}, which the Temporal connection needs, is not there")
    return value
