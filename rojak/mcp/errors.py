"""What a call of a server's tool raises. Importing this needs no MCP SDK."""

from __future__ import annotations


class MCPServerError(Exception):
    """A server cannot be used, or a call was lost. The text names the server and is written for the model.

    Attributes:
        error_type: what went wrong, for retry policies and the outcome of the call.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
