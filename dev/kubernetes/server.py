"""etcd and kube-apiserver, started on free ports of this machine and ended again."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from dev.kubernetes.binaries import Binaries, find_binaries
from dev.kubernetes.credentials import (
    ADMIN_GROUP,
    User,
    service_account,
    write_kubeconfig,
    write_signing_key,
    write_tokens,
)
from rojak.dev.process import ChildProcess

#: Seconds within which each of the two has to answer.
START_TIMEOUT = 90.0
_HOST = "127.0.0.1"


class KubernetesStartError(Exception):
    """The API server or etcd did not start; the message ends with what it logged last."""


class KubernetesServer:
    """A Kubernetes API server while a ``with`` block runs.

    Authorization is RBAC; `kubeconfig` belongs to an administrator, `kubeconfig_for` makes others'. Data is in a
    temporary folder and goes with it. ``stop_apiserver`` and ``start_apiserver`` make bad days.

    Args:
        accounts: service accounts, as (namespace, name), that get a token. The set is fixed when the server starts.

    Raises:
        KubernetesStartError: on entering, it did not start.
        MissingBinaryError, BuildError: on entering, see `find_binaries`.
    """

    def __init__(self, accounts: Sequence[tuple[str, str]] = ()) -> None:
        self._admin = User("admin", (ADMIN_GROUP,))
        self._accounts = {pair: service_account(*pair) for pair in accounts}
        self._folder = Path()
        self._etcd: ChildProcess | None = None
        self._apiserver: ChildProcess | None = None
        self._etcd_port = self._etcd_peer_port = self._port = 0
        self._binaries: Binaries | None = None

    @property
    def url(self) -> str:
        """Of the API server, once it runs."""
        return f"https://{_HOST}:{self._port}"

    @property
    def ca_file(self) -> Path:
        """The certificate that the API server made for itself."""
        return self._folder / "certificates" / "apiserver.crt"

    @property
    def token(self) -> str:
        """The administrator's."""
        return self._admin.token

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self._folder / "kubeconfig"

    @property
    def kubectl_path(self) -> Path:
        """The program."""
        assert self._binaries is not None
        return self._binaries.kubectl

    def kubeconfig_for(self, namespace: str, name: str) -> Path:
        """The kubeconfig of one of the service accounts; what it may do, role bindings have to say."""
        path = self._folder / f"kubeconfig-{namespace}-{name}"
        write_kubeconfig(path, self.url, self.ca_file, self._accounts[namespace, name], namespace)
        return path

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> str:
        """What kubectl answers, as the administrator.

        Raises:
            subprocess.CalledProcessError: it failed; ``stderr`` says why.
        """
        command = [str(self.kubectl_path), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, timeout=timeout).stdout

    def start(self) -> Self:
        """Start both and wait until the API server is ready. ``with`` does it, and ends them too."""
        self._binaries = find_binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="rojak-kubernetes-"))
        try:
            self._etcd_port, self._etcd_peer_port, self._port = _free_ports(3)
            write_tokens(self._folder / "tokens.csv", [self._admin, *self._accounts.values()])
            write_signing_key(self._folder / "service-accounts.key")
            self.start_etcd()
            self.start_apiserver()
            write_kubeconfig(self.kubeconfig, self.url, self.ca_file, self._admin)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End both and remove the data."""
        self.stop_apiserver()
        self.stop_etcd()
        if self._folder != Path():
            shutil.rmtree(self._folder, ignore_errors=True)

    def start_etcd(self) -> None:
        """Start etcd with the data that it had."""
        assert self._binaries is not None
        clients, peers = (f"http://{_HOST}:{port}" for port in (self._etcd_port, self._etcd_peer_port))
        self._etcd = ChildProcess(
            [
                str(self._binaries.etcd),
                *("--name", "test", "--data-dir", str(self._folder / "etcd"), "--log-level", "warn"),
                *("--listen-client-urls", clients, "--advertise-client-urls", clients),
                *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
                *("--initial-cluster", f"test={peers}"),
                # Nothing here has to survive the machine.
                "--unsafe-no-fsync",
            ],
            self._folder / "etcd.log",
        )
        self._wait("etcd", self._etcd, f"{clients}/health")

    def stop_etcd(self) -> None:
        """End etcd; its data stays."""
        child, self._etcd = self._etcd, None
        if child is not None:
            child.stop()

    def start_apiserver(self) -> None:
        """Start the API server, on the port that it had."""
        assert self._binaries is not None
        signing_key = str(self._folder / "service-accounts.key")
        self._apiserver = ChildProcess(
            [
                str(self._binaries.apiserver),
                *("--etcd-servers", f"http://{_HOST}:{self._etcd_port}"),
                *("--bind-address", _HOST, "--advertise-address", _HOST, "--secure-port", str(self._port)),
                *("--cert-dir", str(self.ca_file.parent)),
                *("--token-auth-file", str(self._folder / "tokens.csv"), "--authorization-mode", "RBAC"),
                *("--service-account-key-file", signing_key, "--service-account-signing-key-file", signing_key),
                *("--service-account-issuer", "https://kubernetes.default.svc"),
                *("--service-cluster-ip-range", "10.0.0.0/24", "--allow-privileged"),
                # Nobody makes the default service account here, and pods could not be created without it.
                *("--disable-admission-plugins", "ServiceAccount"),
                # A loopback address as the endpoint of the service `kubernetes` is refused, and nobody needs it.
                *("--endpoint-reconciler-type", "none"),
                # The default keeps connections open for a minute when it ends.
                *("--shutdown-delay-duration", "0s", "--shutdown-send-retry-after"),
            ],
            self._folder / "apiserver.log",
        )
        self._wait("kube-apiserver", self._apiserver, f"{self.url}/readyz")

    def stop_apiserver(self) -> None:
        """End the API server; etcd keeps what it stored."""
        child, self._apiserver = self._apiserver, None
        if child is not None:
            child.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _wait(self, name: str, child: ChildProcess, url: str) -> None:
        give_up = time.monotonic() + START_TIMEOUT
        while not self._answers(url):
            code = child.exit_code()
            if code is not None or time.monotonic() > give_up:
                what = f"ended with exit code {code}" if code is not None else f"was not ready in {START_TIMEOUT:g} s"
                log = self._folder / ("etcd.log" if name == "etcd" else "apiserver.log")
                raise KubernetesStartError(f"{name} {what}\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def _answers(self, url: str) -> bool:
        context = None
        if url.startswith("https"):
            if not self.ca_file.exists():
                return False
            context = ssl.create_default_context(cafile=str(self.ca_file))
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})
        # Without proxies of the environment: this is a process on this machine.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if context is not None:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=5) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((_HOST, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
