"""The Temporal that agents of a laptop talk to: the one that was named, or one that is started for them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from temporalio.client import Client
from temporalio.service import RPCError, TLSConfig

from rojak.dev import TemporalServer
from rojak.dev.server import ServerStartError, is_free
from rojak.laptop.board import Board
from rojak.laptop.options import Options
from rojak.worker import register_search_attributes
from rojak.workflows.contracts import STATUS_ATTRIBUTE

PORT: Final = 7233
UI_PORT: Final = 8233
#: Seconds within which a server that was named has to answer.
CONNECT_TIMEOUT: Final = 10.0


@dataclass(frozen=True)
class Temporal:
    """A Temporal that answers.

    Attributes:
        client: connected to it.
        environ: variables that lead workers to it, with the login.
        has_attributes: whether it knows our search attributes.
        flags: with which `rojak chat` and the other commands find it.
    """

    client: Client
    environ: Mapping[str, str] = field(repr=False)
    has_attributes: bool
    flags: tuple[str, ...]


@contextlib.asynccontextmanager
async def open_temporal(options: Options, folder: Path, board: Board) -> AsyncIterator[Temporal]:
    """The Temporal, which ends with the block if it was started for it.

    Args:
        options: say which.
        folder: for what a started server prints.
        board: what is shown.

    Raises:
        ServerStartError: the one that was named does not answer, or none could be started.
    """
    if options.temporal is not None:
        connect = options.temporal
        client = await _connect(connect)
        board.temporal = str(connect["target_host"])
        board.good(f"Temporal is the one at {board.temporal}; it is left as it is at the end")
        yield Temporal(client, variables_of(connect), await _has_attributes(client), options.flags)
        return
    async with _server(options, folder, board) as server:
        board.temporal, board.ui = server.address, server.ui_url
        board.good(f"Temporal runs at {server.address}" + (f", its UI at {server.ui_url}" if server.ui_url else ""))
        connect = {"target_host": server.address, "namespace": options.temporal_namespace}
        client = await Client.connect(**connect)
        flags = options.flags if server.address.endswith(f":{PORT}") else ("--address", server.address, *options.flags)
        yield Temporal(client, variables_of(connect), await _has_attributes(client), flags)


def variables_of(connect: Mapping[str, Any]) -> dict[str, str]:
    """Environment variables from which every Temporal tool reads the same connection.

    Args:
        connect: arguments of `Client.connect`.
    """
    # Else a profile of the file would add its own login.
    found = {"TEMPORAL_CONFIG_FILE": os.devnull, "TEMPORAL_ADDRESS": str(connect["target_host"])}
    if (namespace := connect.get("namespace")) is not None:
        found["TEMPORAL_NAMESPACE"] = namespace
    if (key := connect.get("api_key")) is not None:
        found["TEMPORAL_API_KEY"] = key
    if (tls := connect.get("tls")) is not None:
        found["TEMPORAL_TLS"] = "true" if tls else "false"
    if isinstance(tls, TLSConfig):
        if tls.domain is not None:
            found["TEMPORAL_TLS_SERVER_NAME"] = tls.domain
        for name, pem in (
            ("SERVER_CA_CERT", tls.server_root_ca_cert),
            ("CLIENT_CERT", tls.client_cert),
            ("CLIENT_KEY", tls.client_private_key),
        ):
            if pem is not None:
                found[f"TEMPORAL_TLS_{name}_DATA"] = pem.decode()
    for name, value in (connect.get("rpc_metadata") or {}).items():
        found[f"TEMPORAL_GRPC_META_{name.upper().replace('-', '_')}"] = value
    return found


async def _connect(connect: Mapping[str, Any]) -> Client:
    reason = f"nothing was said within {CONNECT_TIMEOUT:g} s"
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            client = await Client.connect(**connect)
            await client.count_workflows()
            return client
    except TimeoutError:
        pass
    except RPCError as error:
        reason = error.message
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).removeprefix("Failed client connect: ").split())
    raise ServerStartError(
        f"no Temporal server answers at {connect['target_host']}: {reason}; without an address `rojak dev` starts one"
    )


def _server(options: Options, folder: Path, board: Board) -> TemporalServer:
    port = PORT if is_free(PORT) else None
    if port is None:
        board.warn(f"port {PORT} is taken, so that Temporal gets another one; commands find it with --address")
    data = None
    if options.data is not None:
        options.data.mkdir(parents=True, exist_ok=True)
        data = options.data / "temporal.db"
    return TemporalServer(
        port=port,
        db_filename=data,
        ui_port=UI_PORT if is_free(UI_PORT) else None,
        namespace=options.temporal_namespace,
        log_file=folder / "temporal.log",
    )


async def _has_attributes(client: Client) -> bool:
    """Whether Temporal knows our search attributes; they are added where that is allowed."""
    await register_search_attributes(client)
    try:
        await client.count_workflows(f'{STATUS_ATTRIBUTE.name} = "active"')
    except RPCError:
        return False
    return True
