"""``python -m rojak.laptop.worker_process``: a worker that has imported everything before it knows whom it serves.

Importing takes most of a worker's start. So `rojak dev` keeps such a process in reserve: it reads one line of JSON from
its standard input, says what it is to do, and from then on is a worker like any other. The input stays open. Its end is
the end of `rojak dev`, however that came, and so of this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from rojak.hosting.logs import set_up_logs
from rojak.hosting.process import run_worker_process
from rojak.types.errors import RojakError
from rojak.workerconfig.load import load_worker_config

logger = logging.getLogger(__name__)

#: Seconds that it may take to end in good order when `rojak dev` is gone.
_GRACE: Final = 5.0
#: What workers import when they know whom they serve; not everybody has all of it.
_AHEAD: Final = ("openai", "anthropic", "mcp.client.session", "qdrant_client")


def main() -> int:
    """Wait for the line, and work."""
    # Ctrl-C is for `rojak dev`, which tells its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _AHEAD[:1]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    line = sys.stdin.readline()
    if not line:
        return 0
    return _work(json.loads(line))


def _work(order: dict[str, Any]) -> int:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(order["environ"])
    set_up_logs("info", "json")
    try:
        config = load_worker_config(Path(order["config"]))
        http = config.http.model_copy(update={"host": "127.0.0.1", "port": order["port"]})
        asyncio.run(run_worker_process(config.model_copy(update={"http": http})))
    except RojakError as error:
        logger.error("%s", error)
        logging.shutdown()
        return 1
    logging.shutdown()
    return 0


def _end_with_parent() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
