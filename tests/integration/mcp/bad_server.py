"""MCP servers that behave badly: ``python -m tests.integration.mcp.bad_server BEHAVIOUR``. Standard library alone."""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main(behaviour: str) -> None:
    if behaviour == "exits":
        print("ImportError: no module named nothing", file=sys.stderr)
        sys.exit(3)
    if behaviour == "garbage":
        for _ in range(1000):
            print("<html>this is no JSON</html>", flush=True)
        time.sleep(300)
    if behaviour == "hangs":
        # Not even the end of its input ends it.
        time.sleep(300)
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer(behaviour, message)}), flush=True)


def answer(behaviour: str, message: dict[str, Any]) -> dict[str, Any]:
    match message["method"]:
        case "initialize":
            info = {"name": "bad", "version": "1"}
            version = message["params"]["protocolVersion"]
            return {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}}
        case "tools/list":
            return {"result": {"tools": TOOLS[behaviour]}}
        case "tools/call":
            if behaviour == "stalls":
                time.sleep(300)
            return {"result": {"content": [{"type": "text", "text": "fine"}]}}
        case _:
            return {"error": {"code": -32601, "message": "no such method"}}


OBJECT = {"type": "object", "properties": {}}
FINE = {"name": "fine", "description": "Works.", "inputSchema": OBJECT}
TOOLS: dict[str, list[Any]] = {
    "schemas": [
        {"name": "no_schema"},
        {"name": "array", "inputSchema": {"type": "array"}},
        {"name": "nonsense", "inputSchema": {"type": "object", "properties": {"x": {"type": "colour"}}}},
        {"name": "remote", "inputSchema": {"type": "object", "properties": {"x": {"$ref": "http://127.0.0.1:9/x"}}}},
        {"name": "wrong_hints", "inputSchema": OBJECT, "annotations": {"readOnlyHint": "perhaps"}},
        "no tool",
        FINE,
    ],
    "many": [{"name": f"tool_{n}", "description": "d" * 100, "inputSchema": OBJECT} for n in range(500)],
    "huge": [{"name": f"tool_{n}", "description": "d" * 9000, "inputSchema": OBJECT} for n in range(20)],
    "names": [
        {"name": "files.read/all", "inputSchema": OBJECT},
        {"name": "files_read_all", "inputSchema": OBJECT},
        {"name": "x" * 80, "inputSchema": OBJECT},
    ],
    "stalls": [FINE],
    "named": [{"name": sys.argv[-1], "inputSchema": OBJECT}],
}

if __name__ == "__main__":
    main(sys.argv[1])
