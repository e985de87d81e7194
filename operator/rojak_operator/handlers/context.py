"""What reconcilers work with."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from rojak.manifests import Agent, MCPServer, Resource
from rojak_operator.applier import Applier
from rojak_operator.desired.mcp_server import endpoint_of
from rojak_operator.desired.references import Reference
from rojak_operator.discovered import Discovered
from rojak_operator.handlers.wishes import Versions
from rojak_operator.kube import Kube
from rojak_operator.metrics import Metrics
from rojak_operator.own_writes import OwnWrites
from rojak_operator.reporter import Reporter, utc_now
from rojak_operator.resources import CONFIG_MAP, SECRET, Key
from rojak_operator.settings import OperatorSettings
from rojak_operator.store import Namespace, Store
from rojak_operator.temporal import Connections

R = TypeVar("R", bound=Resource)

#: ConfigMaps whose data is kept for the next reconciliation.
_CACHED_MAPS = 256


class InvalidManifestError(Exception):
    """An object that the API server accepted does not fit this operator's models; the message says where."""


@dataclass(frozen=True)
class Discovery:
    """What an MCP server said, and when: by our clock, and by the one that people read."""

    result: Discovered
    generation: int
    at: float
    told_at: str


@dataclass
class Context:
    """Shared by the reconcilers of one operator.

    Attributes:
        wake: look at an object in so many seconds.
        ask: ask an MCPServer for its tools.
        ask_versions: ask Temporal for the versions of an owner of workers.
        discoveries: what the servers said last.
        versions: what is wanted of versions, and how Temporal had them last.
        has_keda: whether the API server knows KEDA's kinds.
    """

    settings: OperatorSettings
    kube: Kube
    store: Store
    applier: Applier
    reporter: Reporter
    writes: OwnWrites
    metrics: Metrics
    temporal: Connections
    wake: Callable[[Key, float], None]
    ask: Callable[[Key], None]
    ask_versions: Callable[[Key], None]
    has_keda: bool = False
    discoveries: dict[Key, Discovery] = field(default_factory=dict)
    versions: Versions = field(default_factory=Versions)
    _maps: dict[tuple[Key, str], Mapping[str, str]] = field(default_factory=dict)

    def existing(self, namespace: str) -> Namespace:
        """What there is in a namespace."""
        return Namespace(self.store, namespace)

    def resync(self) -> float:
        """Seconds until the next look at an object that is settled; not the same for all."""
        return self.settings.resync * random.uniform(0.9, 1.1)

    def agents(self, namespace: str) -> list[Agent]:
        """The valid Agents of a namespace, without those that are being deleted."""
        return self._all(Agent, namespace)

    def mcp_servers(self, namespace: str) -> list[MCPServer]:
        """The valid MCPServers of a namespace, without those that are being deleted."""
        return self._all(MCPServer, namespace)

    def mcp_urls(self, namespace: str) -> dict[str, str]:
        """Where agents reach them."""
        return {s.name: url for s in self.mcp_servers(namespace) if (url := endpoint_of(s)) is not None}

    async def config_maps(self, namespace: str, references: list[Reference]) -> dict[str, Mapping[str, str]]:
        """Data of the ConfigMaps among the references that exist."""
        found: dict[str, Mapping[str, str]] = {}
        for name in {reference.name for reference in references if reference.kind == "ConfigMap"}:
            key = Key("ConfigMap", namespace, name)
            stored = self.store.get(key)
            if stored is None:
                continue
            cached = self._maps.get((key, stored.data_hash))
            if cached is None:
                obj = await self.kube.get(CONFIG_MAP, namespace, name)
                cached = (obj or {}).get("data") or {}
                if len(self._maps) >= _CACHED_MAPS:
                    self._maps.pop(next(iter(self._maps)))
                self._maps[key, stored.data_hash] = cached
            found[name] = cached
        return found

    async def secret_values(self, namespace: str, references: list[Reference]) -> dict[tuple[str, str], str]:
        """Values of the keys of Secrets among the references that exist. They are not kept."""
        found: dict[tuple[str, str], str] = {}
        for name in {reference.name for reference in references if reference.kind == "Secret"}:
            obj = await self.kube.get(SECRET, namespace, name)
            for key, value in ((obj or {}).get("data") or {}).items():
                found[name, key] = base64.b64decode(value).decode(errors="replace")
        return found

    def remember_discovery(self, key: Key, result: Discovered, generation: int) -> None:
        """Keep what an MCP server said, for a certain version of its manifest."""
        self.discoveries[key] = Discovery(result, generation, time.monotonic(), utc_now())

    def _all(self, cls: type[R], namespace: str) -> list[R]:
        found = []
        for name in self.store.names(cls.__name__, namespace):
            obj = self.store.read(Key(cls.__name__, namespace, name))
            if obj is None or obj["metadata"].get("deletionTimestamp"):
                continue
            try:
                found.append(parse(cls, obj))
            except InvalidManifestError:
                continue
        return found


def parse(cls: type[R], obj: Mapping[str, Any]) -> R:
    """The object as its kind's model.

    Raises:
        InvalidManifestError: it is not what the model wants; the CRD may be of another version than the operator.
    """
    try:
        return cls.parse({field_name: value for field_name, value in obj.items() if field_name != "status"})
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'spec'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)[:5]
        )
        raise InvalidManifestError(
            f"{problems}. If the API server accepted this, its custom resource definitions are of another version"
            " than this operator: bring both to the same version"
        ) from None
