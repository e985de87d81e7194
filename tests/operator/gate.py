"""Before a real Temporal server: a door that speaks TLS and lets in who shows one API key."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

#: The name in its certificate.
NAME = "temporal.test"


def make_certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """A certificate that signs itself, for names such as ``DNS:localhost``, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=test", "-addext", f"subjectAltName={','.join(names)}"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True, timeout=60)
    return cert, key


class Gate(grpc.GenericRpcHandler):
    """Use it in an ``async with`` block.

    Args:
        address: of the server behind it.
        api_key: that is let in; it may be changed.

    Attributes:
        let_in: the keys of the calls that got through, in their order.
    """

    def __init__(self, address: str, cert: Path, key: Path, *, api_key: str) -> None:
        self.api_key = api_key
        self.let_in: list[str] = []
        self._address = address
        self._credentials = grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())])
        self.port = 0

    async def __aenter__(self) -> Gate:
        self._behind = grpc.aio.insecure_channel(self._address)
        self._server = grpc.aio.server(handlers=[self])
        self.port = self._server.add_secure_port("127.0.0.1:0", self._credentials)
        await self._server.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._server.stop(None)
        await self._behind.close()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(self._forwarder(handler_call_details.method))

    def _forwarder(self, method: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def forward(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            shown = dict(context.invocation_metadata() or ()).get("authorization", "")
            if shown != f"Bearer {self.api_key}":
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "this key is not known")
            try:
                answer: bytes = await self._behind.unary_unary(method)(request, timeout=20)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "", error.trailing_metadata())
            self.let_in.append(self.api_key)
            return answer

        return forward
