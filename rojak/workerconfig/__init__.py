"""What a worker process has to know, as one file: rendered from manifests by the operator and by `rojak dev` alike.

Pure, except for `load`: an operator imports this without any client of Temporal.
"""

from rojak.workerconfig.model import (
    HTTP_PORT,
    AgentEntry,
    Certificate,
    FunctionsEntry,
    HttpEntry,
    MCPServerEntry,
    SecretEntry,
    TemporalEntry,
    TLSEntry,
    VersionEntry,
    WorkerConfig,
)
from rojak.workerconfig.render import Missing, RenderedWorker, render_worker_config
from rojak.workerconfig.secrets import secret_env_name

__all__ = [
    "HTTP_PORT",
    "AgentEntry",
    "Certificate",
    "FunctionsEntry",
    "HttpEntry",
    "MCPServerEntry",
    "Missing",
    "RenderedWorker",
    "SecretEntry",
    "TLSEntry",
    "TemporalEntry",
    "VersionEntry",
    "WorkerConfig",
    "render_worker_config",
    "secret_env_name",
]
