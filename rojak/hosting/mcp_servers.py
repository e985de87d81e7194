"""The MCP servers that an agent uses, as the agent's worker connects to them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from rojak.hosting.secrets import MissingSecretError, Secrets
from rojak.manifests import seconds_of
from rojak.manifests.agent import AgentSpec
from rojak.manifests.tools import MCPTool, Tool
from rojak.types.mcp import MCPServerConfig
from rojak.workerconfig.model import MCPServerEntry

logger = logging.getLogger(__name__)

_TRANSPORTS = {"StreamableHTTP": "streamable-http", "SSE": "sse"}


def named_mcp_tools(spec: AgentSpec) -> Iterator[tuple[str, Tool, MCPTool]]:
    """The agent's MCP tools, each under a name of its own: an agent may name a server twice, with other tools of it."""
    seen: dict[str, int] = {}
    for tool in spec.tools:
        if tool.mcp is not None:
            server = tool.mcp.server_ref.name
            seen[server] = seen.get(server, 0) + 1
            yield (server if seen[server] == 1 else f"{server}#{seen[server]}"), tool, tool.mcp


def build_mcp_servers(
    who: str, spec: AgentSpec, entries: Mapping[str, MCPServerEntry], secrets: Secrets
) -> dict[str, MCPServerConfig]:
    """The servers by name. One that cannot be used is left out and logged: the agent works without its tools."""
    servers = {}
    for name, _, tool in named_mcp_tools(spec):
        entry = entries.get(tool.server_ref.name)
        if entry is None:
            logger.error("%s uses MCP server %r, which is not there; it works without", who, tool.server_ref.name)
            continue
        try:
            servers[name] = _build(entry, tool, secrets)
        except MissingSecretError as error:
            logger.error("%s; %s works without the server", error, who)
    return servers


def _build(entry: MCPServerEntry, tool: MCPTool, secrets: Secrets) -> MCPServerConfig:
    used_by = f"MCPServer {entry.name!r}"
    filters = [given for given in (entry.tools, tool) if given is not None]
    fields: dict[str, Any] = {
        "timeout": seconds_of(entry.timeout),
        "include": _both([given.include for given in filters if given.include is not None]),
        "exclude": [pattern for given in filters for pattern in given.exclude or []],
        "prefix": tool.prefix or "",
    }
    if entry.command is not None:
        program, *arguments = entry.command
        env = secrets.fill(entry.env, used_by) or None
        return MCPServerConfig(type="stdio", command=program, args=[*arguments, *entry.args], env=env, **fields)
    fields |= _tls_fields(entry, secrets, used_by)
    headers = secrets.fill(entry.headers, used_by) or None
    return MCPServerConfig.model_validate(
        {"type": _TRANSPORTS[entry.transport], "url": entry.url, "headers": headers, **fields}
    )


def _tls_fields(entry: MCPServerEntry, secrets: Secrets, used_by: str) -> dict[str, Any]:
    tls = entry.tls
    if tls is None:
        return {}
    pem = tls.ca_cert.pem if tls.ca_cert is not None else None
    if tls.ca_cert is not None and tls.ca_cert.secret_key_ref is not None:
        pem = secrets.get(tls.ca_cert.secret_key_ref, used_by)
    return {"ca_cert": pem, "verify": not tls.insecure_skip_verify}


def _both(includes: Sequence[Sequence[str]]) -> list[str] | None:
    """Patterns for what the server's and the agent's patterns both let through; None lets through all.

    Of two patterns that overlap the narrower one is taken.
    """
    if not includes:
        return None
    result = list(includes[0])
    for other in includes[1:]:
        narrower = [one for one in result if any(fnmatchcase(one, wide) for wide in other)]
        narrower += [one for one in other if one not in narrower and any(fnmatchcase(one, wide) for wide in result)]
        result = narrower
    return result
