"""What the operator is told by its environment: the one place that reads it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import ValidationError

from rojak.manifests import WorkerPool
from rojak.types.errors import ConfigurationError
from rojak_operator.desired.defaults import Defaults, KeyOfSecret, TemporalDefaults


@dataclass(frozen=True)
class OperatorSettings:
    """How the operator runs; each field comes from the environment variable in brackets.

    Attributes:
        namespace: where the operator is itself (ROJAK_OPERATOR_NAMESPACE).
        identity: which replica this is (POD_NAME).
        watch_namespaces: those whose manifests count; empty: all (ROJAK_WATCH_NAMESPACES, with commas).
        leader_election: whether replicas agree on one that works (ROJAK_LEADER_ELECTION, true).
        lease_name: of the Lease by which they do (ROJAK_LEASE_NAME).
        lease_seconds: after which a leader that is not heard of is replaced (ROJAK_LEASE_SECONDS, 15).
        port: of health and metrics (ROJAK_OPERATOR_PORT, 8080); 0: any free one.
        workers: objects that are worked on at the same time (ROJAK_WORKERS, 16).
        resync: seconds after which an object is looked at again though nothing happened (ROJAK_RESYNC, 600).
        audit: seconds between comparisons of what the watches brought with what there is (ROJAK_AUDIT, 120).
        requests_per_second: to the API server (ROJAK_KUBE_RPS, 200).
        temporal_requests_per_second: to each namespace of Temporal (ROJAK_TEMPORAL_RPS, 20).
        deletion_timeout: seconds that a deleted Schedule waits for Temporal before it goes without
            (ROJAK_DELETION_TIMEOUT, 600).
        cluster: tells this cluster from others that use the same Temporal namespace (ROJAK_CLUSTER).
        log_format: json or text (ROJAK_LOG_FORMAT).
        worker_pool: the manifest of a WorkerPool that there is to be (ROJAK_WORKER_POOL, as JSON).
        defaults: for what manifests leave out.
    """

    namespace: str = "rojak-system"
    identity: str = field(default_factory=socket.gethostname)
    watch_namespaces: tuple[str, ...] = ()
    leader_election: bool = True
    lease_name: str = "rojak-operator"
    lease_seconds: float = 15.0
    port: int = 8080
    workers: int = 16
    resync: float = 600.0
    audit: float = 120.0
    requests_per_second: float = 200.0
    temporal_requests_per_second: float = 20.0
    deletion_timeout: float = 600.0
    cluster: str = ""
    log_format: str = "json"
    worker_pool: Mapping[str, Any] | None = None
    defaults: Defaults = field(default_factory=Defaults)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read them.

        Raises:
            ConfigurationError: a variable has no sense, or two exclude each other; their names are in the message.
        """
        read = _Reader(environment)
        if environment.get("TEMPORAL_API_KEY") and environment.get("TEMPORAL_API_KEY_PATH"):
            raise ConfigurationError("TEMPORAL_API_KEY and TEMPORAL_API_KEY_PATH are both given; keep one of them")
        return cls(
            namespace=read.text("ROJAK_OPERATOR_NAMESPACE", "rojak-system"),
            identity=read.text("POD_NAME", socket.gethostname()),
            watch_namespaces=read.words("ROJAK_WATCH_NAMESPACES"),
            leader_election=read.truth("ROJAK_LEADER_ELECTION", True),
            lease_name=read.text("ROJAK_LEASE_NAME", "rojak-operator"),
            lease_seconds=read.number("ROJAK_LEASE_SECONDS", 15.0, least=3.0),
            port=int(read.number("ROJAK_OPERATOR_PORT", 8080, least=0)),
            workers=int(read.number("ROJAK_WORKERS", 16, least=1)),
            resync=read.number("ROJAK_RESYNC", 600.0, least=1.0),
            audit=read.number("ROJAK_AUDIT", 120.0, least=1.0),
            requests_per_second=read.number("ROJAK_KUBE_RPS", 200.0, least=1.0),
            temporal_requests_per_second=read.number("ROJAK_TEMPORAL_RPS", 20.0, least=0.1),
            deletion_timeout=read.number("ROJAK_DELETION_TIMEOUT", 600.0, least=0.0),
            cluster=read.text("ROJAK_CLUSTER", ""),
            log_format=read.choice("ROJAK_LOG_FORMAT", ("json", "text")),
            worker_pool=read.worker_pool("ROJAK_WORKER_POOL"),
            defaults=Defaults(
                image=read.text("ROJAK_IMAGE", Defaults.image),
                temporal=TemporalDefaults(
                    address=read.text("TEMPORAL_ADDRESS", "localhost:7233"),
                    namespace=read.text("TEMPORAL_NAMESPACE", "default"),
                    tls=read.truth("TEMPORAL_TLS", False),
                    tls_server_name=environment.get("TEMPORAL_TLS_SERVER_NAME"),
                    ca_path=environment.get("TEMPORAL_TLS_SERVER_CA_CERT_PATH"),
                    cert_path=environment.get("TEMPORAL_TLS_CLIENT_CERT_PATH"),
                    key_path=environment.get("TEMPORAL_TLS_CLIENT_KEY_PATH"),
                    api_key=environment.get("TEMPORAL_API_KEY"),
                    api_key_path=environment.get("TEMPORAL_API_KEY_PATH"),
                    worker_api_key=read.key_of_secret("ROJAK_WORKER_API_KEY_SECRET"),
                    worker_cert_secret=environment.get("ROJAK_WORKER_CLIENT_CERT_SECRET"),
                    worker_ca=read.key_of_secret("ROJAK_WORKER_CA_SECRET"),
                ),
            ),
        )


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        return self._environment.get(name) or default

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in self._environment.get(name, "").split(",") if word.strip())

    def truth(self, name: str, default: bool) -> bool:
        text = self._environment.get(name, "").lower()
        if text not in ("", "true", "false", "1", "0"):
            raise ConfigurationError(f"{name} is {text!r}; give true or false")
        return text in ("true", "1") if text else default

    def number(self, name: str, default: float, *, least: float) -> float:
        text = self._environment.get(name)
        try:
            number = float(text) if text else default
        except ValueError:
            raise ConfigurationError(f"{name} is {text!r}, which is no number") from None
        if number < least:
            raise ConfigurationError(f"{name} is {number:g}; {least:g} is the least")
        return number

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        text = self.text(name, choices[0])
        if text not in choices:
            raise ConfigurationError(f"{name} is {text!r}; choose from: {', '.join(choices)}")
        return text

    def key_of_secret(self, name: str) -> KeyOfSecret | None:
        text = self._environment.get(name)
        if not text:
            return None
        secret, _, key = text.partition("/")
        if not secret or not key:
            raise ConfigurationError(f"{name} is {text!r}; give <name of the Secret>/<key>")
        return KeyOfSecret(secret, key)

    def worker_pool(self, name: str) -> Mapping[str, Any] | None:
        text = self._environment.get(name)
        if not text:
            return None
        try:
            pool = WorkerPool.parse(json.loads(text))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "manifest"
            raise ConfigurationError(f"{name} is no WorkerPool: {where}: {first['msg']}") from None
        except ValueError:
            raise ConfigurationError(f"{name} is no JSON; give the manifest of a WorkerPool") from None
        # As it was given: what is left out is for the API server's defaults.
        return pool.to_wire() | {"apiVersion": pool.api_version, "kind": pool.kind}


def describe(settings: OperatorSettings) -> dict[str, Any]:
    """The settings for the log, without what is secret."""
    return {
        "namespace": settings.namespace,
        "watch_namespaces": list(settings.watch_namespaces) or "all",
        "leader_election": settings.leader_election,
        "temporal_address": settings.defaults.temporal.address,
        "temporal_namespace": settings.defaults.temporal.namespace,
        "image": settings.defaults.image,
        "worker_pool": settings.worker_pool["metadata"]["name"] if settings.worker_pool else None,
    }
