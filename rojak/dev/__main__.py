"""``python -m rojak.dev``: a Temporal server in the foreground."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from rojak.dev.server import TemporalServer
from rojak.types.errors import RojakError


def main() -> int:
    """Run the server until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m rojak.dev", description="A Temporal server for development.")
    parser.add_argument("--port", type=int, default=7233, help="of the gRPC service (default: %(default)s)")
    parser.add_argument("--ui-port", type=int, default=8233, help="of the web UI (default: %(default)s)")
    parser.add_argument("--db-filename", help="keep the data in this file (default: in memory)")
    parser.add_argument("--headless", action="store_true", help="without the web UI")
    parser.add_argument("--namespace", default="default", help="(default: %(default)s)")
    given = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = TemporalServer(
        port=given.port,
        ui_port=None if given.headless else given.ui_port,
        db_filename=given.db_filename,
        headless=given.headless,
        namespace=given.namespace,
    )
    try:
        with server:
            print(f"Temporal server: {server.address}", flush=True)
            if server.ui_url:
                print(f"Web UI:          {server.ui_url}", flush=True)
            while not stop.wait(1):
                pass
    except RojakError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
