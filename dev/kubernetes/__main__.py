"""``python -m dev.kubernetes``: an API server in the foreground, to try kubectl and the operator against."""

from __future__ import annotations

import signal
import sys
import threading

from dev.kubernetes.binaries import MissingBinaryError
from dev.kubernetes.build import BuildError
from dev.kubernetes.server import KubernetesServer, KubernetesStartError


def main() -> int:
    """Run until Ctrl-C or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with KubernetesServer() as server:
            print(f"Kubernetes API server: {server.url}", flush=True)
            print(f"export KUBECONFIG={server.kubeconfig}", flush=True)
            print(f"alias kubectl={server.kubectl_path}", flush=True)
            while not stop.wait(1):
                pass
    except (KubernetesStartError, MissingBinaryError, BuildError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
