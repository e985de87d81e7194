"""The file that a worker process is started with: the agents of one pool, and all that they need.

References are resolved in it: it holds the text of instructions, the addresses of MCP servers, the task queues. Secrets
are not: the file says which environment variable, or which mounted file, holds each of them.
"""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal

from pydantic import Field

from rojak.manifests.agent import AgentSpec
from rojak.manifests.base import Model
from rojak.manifests.mcp_server import Discovery
from rojak.manifests.rules import exactly_one
from rojak.manifests.values import (
    DataKey,
    Duration,
    EnvVar,
    Header,
    ObjectName,
    SecretKeyRef,
    SecretSource,
    ToolFilter,
)

#: Where workers serve health, readiness and metrics.
HTTP_PORT: Final = 8080


class SecretEntry(Model):
    """Where one key of a Secret is found.

    Attributes:
        name: of the Secret.
        key: in the Secret.
        env: the environment variable that holds it.
        file: the file that holds it.
        optional: whether it may be missing.
    """

    rules = (exactly_one("env", "file"),)

    name: ObjectName
    key: DataKey
    env: str | None = None
    file: str | None = None
    optional: bool = False


class Certificate(Model):
    """A certificate in PEM.

    Attributes:
        pem: the certificate itself.
        secret_key_ref: the key of a Secret that holds it.
    """

    rules = (exactly_one("pem", "secretKeyRef"),)

    pem: str | None = None
    secret_key_ref: SecretKeyRef | None = None


class TLSEntry(Model):
    """How a connection is secured.

    Attributes:
        server_name: the name that the server's certificate has, where it is not that of the address.
        ca_cert: whom to trust; the usual authorities when left out.
        client_cert: the certificate to log in with.
        client_key: its key.
        insecure_skip_verify: trust anyone.
    """

    server_name: str | None = None
    ca_cert: Certificate | None = None
    client_cert: SecretKeyRef | None = None
    client_key: SecretKeyRef | None = None
    insecure_skip_verify: bool = False


class TemporalEntry(Model):
    """Which Temporal the worker talks to. What is left out comes from the environment (``TEMPORAL_ADDRESS``, ...).

    Attributes:
        address: host and port.
        namespace: of Temporal.
        tls: given, even as ``{}``, it switches TLS on.
        api_key: to log in with; switches TLS on.
    """

    address: str | None = None
    namespace: str | None = None
    tls: TLSEntry | None = None
    api_key: SecretSource | None = None


class AgentEntry(Model):
    """An agent that the worker serves.

    Attributes:
        name: of the Agent; sessions, hand-offs and metrics know it by this.
        task_queue: where its calls are done.
        spec: what it is, as in its manifest, with references to ConfigMaps resolved.
    """

    name: str
    task_queue: str
    spec: AgentSpec


class MCPServerEntry(Model):
    """An MCP server that agents of the worker use: an endpoint, or a program that the worker starts.

    Attributes:
        name: of the MCPServer.
        url: of its endpoint.
        transport: which one it speaks there.
        headers: sent with each request.
        tls: how the connection is secured.
        command: the program that speaks over its standard streams.
        args: its arguments.
        env: its environment variables.
        discovery: asking it for its tools.
        tools: which of its tools there are.
        timeout: of one call of a tool.
    """

    rules = (exactly_one("url", "command"),)

    name: str
    url: str | None = None
    transport: Literal["StreamableHTTP", "SSE"] = "StreamableHTTP"
    headers: list[Header] = Field(default=[])
    tls: TLSEntry | None = None
    command: list[str] | None = None
    args: list[str] = Field(default=[])
    env: list[EnvVar] = Field(default=[])
    discovery: Discovery = Discovery()
    tools: ToolFilter | None = None
    timeout: Duration = "30s"


class FunctionsEntry(Model):
    """Where functions come from.

    Attributes:
        modules: modules whose functions are known under their names.
        folder: a folder of Python files; what they define is known too.
        python_path: folders where modules are looked for, besides where Python looks.
    """

    modules: list[str] = Field(default=[])
    folder: str | None = None
    python_path: list[str] = Field(default=[])


class VersionEntry(Model):
    """Which version of the code the worker is.

    Attributes:
        deployment: name of the Worker Deployment in Temporal; the same for all versions of a pool.
        build_id: names the version.
    """

    deployment: Annotated[str, Field(min_length=1)]
    build_id: Annotated[str, Field(min_length=1)]


class HttpEntry(Model):
    """Where health, readiness and metrics are served.

    Attributes:
        host: address to listen at.
        port: to listen at; 0 takes a free one.
    """

    host: str = "0.0.0.0"
    port: Annotated[int, Field(ge=0, le=65535)] = HTTP_PORT


class WorkerConfig(Model):
    """Everything that one worker process needs to know.

    Attributes:
        version: of this schema.
        name: of the pool.
        namespace: where the manifests are.
        temporal: which Temporal to talk to.
        agents: whom it serves.
        mcp_servers: the servers that they use.
        functions: where functions come from.
        secrets: where each Secret is found that is referred to.
        max_concurrent_calls: model and tool calls that are in progress at a time in this process, of all agents. Each
            agent can make one, whatever the others do.
        graceful_shutdown: how long calls that have begun may go on when the worker is asked to stop.
        http: where health, readiness and metrics are served.
        versioning: given, Temporal keeps the sessions of different versions apart.
    """

    version: Literal[1] = 1
    name: str
    namespace: str = "default"
    temporal: TemporalEntry = TemporalEntry()
    agents: list[AgentEntry] = Field(default=[])
    mcp_servers: list[MCPServerEntry] = Field(default=[])
    functions: FunctionsEntry = FunctionsEntry()
    secrets: list[SecretEntry] = Field(default=[])
    max_concurrent_calls: Annotated[int, Field(ge=1)] = 200
    graceful_shutdown: Duration = "30s"
    http: HttpEntry = HttpEntry()
    versioning: VersionEntry | None = None

    def to_text(self) -> str:
        """The file: the same configuration is the same text, so that its digest tells whether anything changed."""
        return json.dumps(self.to_wire(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
