"""Which Temporal an Agent's workers use, and so its Schedules."""

from __future__ import annotations

from rojak.manifests import Agent, WorkerPool, WorkerSpec
from rojak.manifests.worker import TemporalConnection
from rojak_operator.desired.defaults import Defaults


def connection_of(agent: Agent, pool: WorkerPool | None, default: TemporalConnection) -> TemporalConnection:
    """The Temporal that an Agent's workers use; what they leave out is the default's, a login goes with its address."""
    return connection_of_workers(pool.spec if pool is not None else agent.spec.worker or WorkerSpec(), default)


def connection_of_workers(worker: WorkerSpec, default: TemporalConnection) -> TemporalConnection:
    """The same of workers, whoever they are for."""
    own = worker.temporal.to_wire() if worker.temporal is not None else {}
    fallback = default.to_wire()
    if own.get("address") not in (None, fallback.get("address")):
        fallback = {name: value for name, value in fallback.items() if name == "namespace"}
    if own.keys() & {"tls", "apiKey"}:
        fallback = {name: value for name, value in fallback.items() if name not in ("tls", "apiKey")}
    return TemporalConnection.model_validate(fallback | own)


def operator_connection(defaults: Defaults) -> TemporalConnection:
    """The operator's own connection, without its login, which no manifest names."""
    temporal = defaults.temporal
    return TemporalConnection.model_validate({"address": temporal.address, "namespace": temporal.namespace})
