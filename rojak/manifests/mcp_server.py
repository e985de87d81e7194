"""MCPServer: where tools come from."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rojak.manifests.base import Model
from rojak.manifests.resource import API_VERSION, MESSAGE_COLUMN, Column, Listing, Resource, Status, condition_column
from rojak.manifests.rules import Rule, exactly_one, is_given
from rojak.manifests.values import (
    AnyObject,
    CertificateAuthority,
    Duration,
    EnvSource,
    EnvVar,
    Header,
    HttpUrl,
    ObjectName,
    Resources,
    SecretRef,
    ToolFilter,
    env_list,
    header_list,
    tool_list,
)


class RemoteTLS(Model):
    """How the connection to the server is secured.

    Attributes:
        ca_cert: whom to trust; the usual authorities when left out.
        insecure_skip_verify: trust anyone. For trying things out.
    """

    ca_cert: CertificateAuthority | None = None
    insecure_skip_verify: bool = False


class RemoteServer(Model):
    """A server that runs somewhere.

    Attributes:
        url: of its endpoint.
        transport: which one it speaks.
        headers: sent with each request.
        tls: how the connection is secured.
    """

    rules = (
        Rule(
            cel="!has(self.tls) || self.url.startsWith('https://')",
            holds=lambda data: not is_given(data, "tls") or data["url"].startswith("https://"),
            message="there is no TLS at an http:// address; write https:// in url, or remove tls",
            at="tls",
        ),
    )

    url: HttpUrl
    transport: Literal["StreamableHTTP", "SSE"] = "StreamableHTTP"
    headers: Annotated[list[Header], Field(max_length=64), header_list] | None = None
    tls: RemoteTLS | None = None


class ManagedServer(Model):
    """A server that is run for you.

    Attributes:
        image: its container image; the operator's own, which has Python, when left out.
        image_pull_policy: when the image is fetched.
        image_pull_secrets: to fetch it with.
        command: the program; that of the image when left out.
        args: its arguments.
        env: environment variables.
        env_from: Secrets and ConfigMaps whose keys become environment variables.
        transport: what the program speaks. ``Stdio`` is bridged to streamable HTTP.
        port: that it listens at, unless it speaks Stdio.
        path: of its endpoint.
        replicas: how many there are.
        resources: what one of them gets.
        service_account_name: which service account its pods have.
        pod_template: merged into the pod template, for whatever else there is; the container's name is ``mcp``.
    """

    rules = (
        Rule(
            cel="self.transport == 'Stdio' || has(self.port)",
            holds=lambda data: data.get("transport", "Stdio") == "Stdio" or is_given(data, "port"),
            message="a server that speaks HTTP listens at a port; give port",
            at="transport",
        ),
        Rule(
            cel="self.transport != 'Stdio' || !has(self.port)",
            holds=lambda data: data.get("transport", "Stdio") != "Stdio" or not is_given(data, "port"),
            message="a server that speaks Stdio, the default, has no port; remove port, or set transport",
            at="port",
        ),
        Rule(
            cel="self.transport != 'Stdio' || has(self.command)",
            holds=lambda data: data.get("transport", "Stdio") != "Stdio" or is_given(data, "command"),
            message="a server that speaks Stdio is started by its bridge, which has to know how; give command",
        ),
        Rule(
            cel="self.transport != 'Stdio' || self.replicas <= 1",
            holds=lambda data: data.get("transport", "Stdio") != "Stdio" or data.get("replicas", 1) <= 1,
            message="a server that speaks Stdio keeps its state in one process; set replicas: 1",
            at="replicas",
        ),
    )

    image: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    image_pull_secrets: Annotated[list[SecretRef], Field(max_length=16)] | None = None
    command: Annotated[list[str], Field(min_length=1, max_length=64)] | None = None
    args: Annotated[list[str], Field(max_length=256)] | None = None
    env: Annotated[list[EnvVar], Field(max_length=256), env_list] | None = None
    env_from: Annotated[list[EnvSource], Field(max_length=64)] | None = None
    transport: Literal["Stdio", "StreamableHTTP", "SSE"] = "Stdio"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    path: Annotated[str, Field(min_length=1, max_length=1024)] = "/mcp"
    replicas: Annotated[int, Field(ge=0, le=100)] = 1
    resources: Resources | None = None
    service_account_name: ObjectName | None = None
    pod_template: AnyObject | None = None


class Discovery(Model):
    """Asking the server for its tools.

    Attributes:
        enabled: whether it is asked in advance; if not, a worker asks when it needs to know.
        interval: how often.
        timeout: of one attempt.
    """

    enabled: bool = True
    interval: Duration = "5m"
    timeout: Duration = "10s"


class MCPServerSpec(Model):
    """Where tools come from.

    Attributes:
        description: what the server is for, for people: ``kubectl get mcpservers -o wide`` shows it.
        remote: a server that runs somewhere.
        managed: a server that is run for you.
        discovery: asking it for its tools.
        tools: which of its tools there are, for all agents.
        timeout: of one call of a tool.
    """

    rules = (exactly_one("remote", "managed"),)

    description: Annotated[str, Field(max_length=4096)] | None = None
    remote: RemoteServer | None = None
    managed: ManagedServer | None = None
    discovery: Discovery = Discovery()
    tools: ToolFilter | None = None
    timeout: Duration = "30s"


class ToolHints(Model):
    """What the server says about a tool.

    Attributes:
        read_only: it changes nothing.
        destructive: it may destroy something.
        idempotent: a second call with the same arguments changes nothing more.
        open_world: it reaches out to the world.
    """

    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None


class DiscoveredTool(Model):
    """A tool of the server.

    Attributes:
        name: of the tool.
        description: its beginning.
        hints: what the server says about it.
    """

    name: str
    description: Annotated[str, Field(max_length=256)] | None = None
    hints: ToolHints | None = None


class ServerInfo(Model):
    """What the server says about itself.

    Attributes:
        name: of the server.
        version: of the server.
        protocol_version: of MCP.
    """

    name: str | None = None
    version: str | None = None
    protocol_version: str | None = None


class MCPServerStatus(Status):
    """State of an MCPServer.

    Attributes:
        url: where agents reach it.
        deployment: the Deployment of a managed server.
        replicas: how many there are.
        ready_replicas: how many of them are ready.
        selector: finds their pods.
        tool_count: how many tools it has, after the filter.
        tools: the first of them.
        truncated: whether there are more than are shown.
        tools_hash: of all of them and their schemas.
        server: what it says about itself.
        last_discovery_time: when the tools were last found.
        stale: whether a later attempt failed, so that they may not be up to date.
        revision: hash of the configuration that was rolled out.
    """

    url: str | None = None
    deployment: str | None = None
    replicas: int | None = None
    ready_replicas: int | None = None
    selector: str | None = None
    tool_count: int | None = None
    tools: Annotated[list[DiscoveredTool], Field(max_length=100), tool_list] | None = None
    truncated: bool | None = None
    tools_hash: str | None = None
    server: ServerInfo | None = None
    last_discovery_time: str | None = None
    stale: bool | None = None
    revision: str | None = None


class MCPServer(Resource):
    """A server of tools: one that runs somewhere, or one that is run for you.

    Attributes:
        api_version: of the schema.
        kind: of the object.
        metadata: name, namespace, labels, annotations.
        spec: where the tools come from.
        status: what the operator found.
    """

    listing: ClassVar[Listing] = Listing(
        plural="mcpservers",
        short_names=("rmcp",),
        columns=(
            Column("Tools", ".status.toolCount", "integer"),
            condition_column("Reachable"),
            condition_column("Ready"),
            Column("Description", ".spec.description", wide=True),
            Column("URL", ".status.url", wide=True),
            Column("Server", ".status.server.name", wide=True),
            Column("Discovered", ".status.lastDiscoveryTime", "date", wide=True),
            MESSAGE_COLUMN,
        ),
        replicas_path=".spec.managed.replicas",
    )

    api_version: Literal["rojak.dev/v1alpha1"] = API_VERSION
    kind: Literal["MCPServer"] = "MCPServer"
    spec: MCPServerSpec
    status: MCPServerStatus | None = None
