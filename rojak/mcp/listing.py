"""From what a server lists to the tools that models are offered: chosen, checked, named."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.validators import validator_for
from mcp_types import Tool
from pydantic import ValidationError

from mcp import Client
from rojak.session.limits import OFFERED_TOOLS
from rojak.types.catalog import CatalogTool
from rojak.types.mcp import MCPServerConfig

logger = logging.getLogger(__name__)

#: What providers take as the name of a tool.
MAX_NAME = 64
#: Pages of tools that are read. A server that has more has no end.
_MAX_PAGES = 50
_FOREIGN_CHARACTERS = re.compile(r"[^a-zA-Z0-9_-]")


async def list_tools(client: Client) -> list[Tool]:
    """All that the server lists."""
    if client.server_capabilities.tools is None:
        return []
    tools: list[Tool] = []
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return tools


class ToolSieve:
    """Lets through the tools of a server that are wanted and can be used, and says once what it keeps back.

    Args:
        server: its name, for logs.
        config: says which tools are wanted.
        told: what was said already; sieves of one connection share it.
    """

    def __init__(self, server: str, config: MCPServerConfig, told: set[str] | None = None) -> None:
        self._server = server
        self._config = config
        self._told = set() if told is None else told

    def refuses(self, tool: Any) -> bool:
        """Whether an entry of a list, as it came over the wire, is no tool."""
        match tool:
            case {"name": str(name), "inputSchema": {"type": "object"}} if name:
                pass
            case {"name": str(name)}:
                self._tell(name, f"tool {name!r} has no input schema of type 'object'; it is left out")
                return True
            case _:
                self._tell("", "it lists something without a name as a tool; that is left out")
                return True
        if "outputSchema" in tool and not isinstance(tool["outputSchema"], dict):
            del tool["outputSchema"]
        try:
            Tool.model_validate(tool, by_name=False)
        except ValidationError as error:
            field = ".".join(str(part) for part in error.errors()[0]["loc"])
            self._tell(name, f"tool {name!r} is malformed ({field}); it is left out")
            return True
        return False

    def select(self, tools: Iterable[Tool]) -> list[Tool]:
        """Those that the configuration includes, whose schema is one, and that are not too many."""
        chosen: dict[str, Tool] = {}
        for tool in tools:
            if self._is_wanted(tool.name) and tool.name not in chosen and self._has_valid_schema(tool):
                chosen[tool.name] = tool
        if len(chosen) > OFFERED_TOOLS:
            self._tell(
                f"too many {self._config.include} {self._config.exclude}",
                f"it lists {len(chosen)} tools, and models take {OFFERED_TOOLS}: the others are left out. Choose with"
                " include=[...] or exclude=[...] of its MCPServerConfig",
            )
        return list(chosen.values())[:OFFERED_TOOLS]

    def _is_wanted(self, name: str) -> bool:
        include = self._config.include
        if include is not None and not any(fnmatchcase(name, pattern) for pattern in include):
            return False
        return not any(fnmatchcase(name, pattern) for pattern in self._config.exclude)

    def _has_valid_schema(self, tool: Tool) -> bool:
        try:
            validator_for(tool.input_schema, default=Draft202012Validator).check_schema(tool.input_schema)
        except (SchemaError, RecursionError) as error:
            reason = error.message if isinstance(error, SchemaError) else "it is nested too deeply"
            self._tell(tool.name, f"the input schema of tool {tool.name!r} is invalid ({reason[:200]}); it is left out")
            return False
        return True

    def _tell(self, key: str, text: str) -> None:
        if key not in self._told:
            self._told.add(key)
            logger.warning("MCP server %r: %s", self._server, text)


def describe_tools(server: str, config: MCPServerConfig, tools: Iterable[Tool]) -> list[CatalogTool]:
    """The tools as sessions know them. The same tools always get the same names, and each another one."""
    described: list[CatalogTool] = []
    taken: set[str] = set()
    # Names that need no change are given out first.
    for tool in sorted(tools, key=lambda tool: model_name(config.prefix + tool.name) != config.prefix + tool.name):
        wanted = config.prefix + tool.name
        name = model_name(wanted)
        if name in taken:
            name = _with_digest(name, wanted)
        taken.add(name)
        described.append(_describe(name, server, tool))
    return described


def _describe(name: str, server: str, tool: Tool) -> CatalogTool:
    # What has its default is left out: it is stored with each session.
    fields: dict[str, Any] = {}
    if text := tool.description or tool.title:
        fields["description"] = text
    hints = tool.annotations
    read_only = hints is not None and hints.read_only_hint is True
    if read_only:
        fields["read_only"] = True
    if read_only or (hints is not None and hints.destructive_hint is False):
        fields["destructive"] = False
    return CatalogTool(name=name, server=server, tool=tool.name, input_schema=tool.input_schema, **fields)


def model_name(name: str) -> str:
    """The name in the alphabet and the length that providers take."""
    valid = _FOREIGN_CHARACTERS.sub("_", name)
    return valid if len(valid) <= MAX_NAME else _with_digest(valid, name)


def _with_digest(name: str, original: str) -> str:
    digest = hashlib.blake2b(original.encode(), digest_size=4).hexdigest()
    return f"{name[: MAX_NAME - 9]}_{digest}"
