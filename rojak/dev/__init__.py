"""What a developer needs besides the library: a Temporal server without set-up."""

from rojak.dev.server import TemporalServer

__all__ = ["TemporalServer"]
