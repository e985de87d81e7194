"""An MCP server that knows the weather, for any client: ``python mcp_weather_server.py``.

It speaks MCP over its standard streams, so it is started by its client and ends with it.
"""

from __future__ import annotations

from mcp_types import ToolAnnotations
from pydantic import BaseModel

from mcp.server import MCPServer

OBSERVED = {
    "san francisco": (16, "foggy"),
    "paris": (19, "sunny"),
    "singapore": (31, "thundery"),
    "oslo": (4, "snowy"),
}

server = MCPServer("weather", log_level="WARNING")


class Weather(BaseModel):
    """What is observed at a place."""

    location: str
    degrees_celsius: int
    sky: str


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def get_weather(location: str) -> Weather:
    """The weather at a place right now."""
    if location.lower() not in OBSERVED:
        raise LookupError(f"nobody observes the weather in {location}; ask for {', '.join(OBSERVED)}")
    degrees, sky = OBSERVED[location.lower()]
    return Weather(location=location, degrees_celsius=degrees, sky=sky)


if __name__ == "__main__":
    server.run("stdio")
