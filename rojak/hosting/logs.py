"""Logs of a worker process, to standard error: lines for people, or JSON for those that collect them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from rojak.types.errors import ConfigurationError

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


class JsonFormatter(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def set_up_logs(level: str, form: str) -> None:
    """Log to standard error.

    Raises:
        ConfigurationError: there is no such level or format.
    """
    if level not in LEVELS:
        raise ConfigurationError(f"--log-level {level}: choose one of {', '.join(LEVELS)}")
    if form not in FORMATS:
        raise ConfigurationError(f"--log-format {form}: choose one of {', '.join(FORMATS)}")
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if form == "json" else text)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    if level != "debug":
        # Of each request and each poll; what matters of them is in the metrics.
        for name in ("httpx", "httpx2", "httpcore", "uvicorn", "mcp", "temporalio.worker._worker"):
            logging.getLogger(name).setLevel(logging.WARNING)
