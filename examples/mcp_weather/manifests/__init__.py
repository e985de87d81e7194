"""The agent and its MCP server as files: ``rojak dev -f examples/mcp_weather/manifests``."""
