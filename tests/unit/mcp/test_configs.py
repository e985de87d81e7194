from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rojak.types import MCPServerConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "stdio"}, "needs a command"),
        ({"type": "sse"}, "needs a url"),
        ({"type": "streamable-http", "command": "x"}, "needs a url"),
        ({"type": "stdio", "command": "x", "url": "http://x"}, "takes no url"),
        ({"type": "sse", "url": "http://x", "env": {"A": "1"}}, "takes no env"),
        ({"type": "sse", "url": "localhost:1"}, "begins with http"),
        ({"type": "stdio", "command": "x", "timeout": 0}, "timeout"),
        ({"type": "stdio", "command": "x", "prefix": "a b"}, "prefix"),
        ({"type": "stdio", "command": "x", "tools": []}, "tools"),
    ],
)
def test_what_cannot_work_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MCPServerConfig(**fields)


def test_secrets_are_not_shown() -> None:
    config = MCPServerConfig(type="sse", url="http://x/sse?key=hidden", headers={"Authorization": "hidden"})
    assert "hidden" not in repr(config)
    assert "hidden" not in repr(MCPServerConfig(type="stdio", command="x", args=["--key=hidden"], env={"K": "hidden"}))
