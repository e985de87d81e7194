"""Why a server cannot be reached, in words for a log, without anything that is secret."""

from __future__ import annotations

from collections.abc import Mapping

import mcp_types
from mcp.shared.exceptions import MCPError

from rojak.mcp.errors import MCPServerError
from rojak.types.mcp import MCPServerConfig

#: Characters of a reason that are told; the rest of a foreign text helps nobody.
_MAX_REASON = 300


def explain(error: BaseException, config: MCPServerConfig) -> str:
    """Why a connection failed, without anything that is secret; empty if it just ended."""
    error = _innermost(error)
    match error:
        case FileNotFoundError() if config.cwd is not None and error.filename == config.cwd:
            return f"there is no directory {config.cwd!r} to start it in (cwd)"
        case FileNotFoundError():
            return f"the command {config.command!r} was not found; install it, or give its full path"
        case PermissionError():
            return f"the command {config.command!r} may not be executed"
        case MCPServerError() | MCPError(code=mcp_types.CONNECTION_CLOSED):
            return str(error) if isinstance(error, MCPServerError) else ""
        case _:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if isinstance(status, int):
                return f"it answered with HTTP status {status}"
            text = str(error) or type(error).__name__
            if type(error).__name__ in ("ConnectError", "ConnectTimeout"):
                if "CERTIFICATE_VERIFY_FAILED" in text:
                    why = text.rpartition("certificate verify failed: ")[2].partition(" (_ssl.c")[0]
                    return f"its certificate is not trusted ({why}); give the authority that signed it (ca_cert)"
                text = f"nothing answers there ({text})"
            return redact(text, config)


def redact(text: str, config: MCPServerConfig) -> str:
    """The text, not too long, without the values that the configuration keeps secret."""
    secrets: list[str] = []
    for values in (config.env, config.headers):
        secrets += _values(values)
    if config.url:
        secrets.append(config.url)
    for secret in secrets:
        text = text.replace(secret, "***")
    return text if len(text) <= _MAX_REASON else text[:_MAX_REASON] + "..."


def _values(values: Mapping[str, str] | None) -> list[str]:
    # Very short values are no secrets, and would be found in any text.
    return [value for value in (values or {}).values() if len(value) >= 4]


def _innermost(error: BaseException) -> BaseException:
    """The first cause in groups of exceptions, as task groups raise them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
