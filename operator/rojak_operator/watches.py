"""kopf's part: it watches, logs in and reconnects; what it hears goes into the store and wakes the work queue.

No handler here decides anything or writes anything. kopf's own handlers for creation, change and deletion would
annotate every object with a copy of its spec; `on.event` does not. Nor are its indices used: until the first listing is
complete, each object that arrives wakes the handlers of all that wait, which is millions of times in a large cluster.
The store is filled before kopf begins instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

import kopf
from kopf._cogs.clients.errors import APINotFoundError

from rojak_operator.own_writes import OwnWrites
from rojak_operator.resources import MANAGED_BY, MANAGED_BY_LABEL, Key, Resource

logger = logging.getLogger(__name__)


class KindGoneError(Exception):
    """A kind that is watched is not known to the API server any more: its definition was deleted."""


class Watches:
    """Watches a set of resources while `run` runs.

    Args:
        writes: remembers objects, and knows which of them are only what we wrote ourselves.
        heard: called with the plural of a resource for each event.
        started: called when kopf has begun, which takes over the handling of signals.
    """

    def __init__(
        self,
        resources: Iterable[Resource],
        *,
        writes: OwnWrites,
        heard: Callable[[str], None],
        namespaces: Iterable[str] = (),
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self._started = started
        self._resources = {resource.kind: resource for resource in resources}
        self._writes = writes
        self._heard = heard
        self._namespaces = tuple(namespaces)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set.

        Raises:
            KindGoneError: there is nothing to watch any more; what was deleted meanwhile is not told.
        """
        others = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=self._registry(),
            settings=_settings(self._resources.values()),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=stop,
        )
        # kopf has just put its own handlers of signals in place of ours.
        self._started()
        try:
            await kopf.run_tasks(tasks, ignored=others)
        except APINotFoundError as error:
            raise KindGoneError("definitions of kinds that are watched are gone, ours or KEDA's") from error

    def _registry(self) -> kopf.OperatorRegistry:
        # All handlers are asynchronous: kopf runs others in threads, and the store is for one.
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
            return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

        for resource in self._resources.values():
            self._watch(registry, resource)
        return registry

    def _watch(self, registry: kopf.OperatorRegistry, resource: Resource) -> None:
        name = resource.plural
        selector = (resource.group, resource.version, name) if resource.group else (resource.version, name)

        @kopf.on.event(*selector, id=f"event_{name}", registry=registry)
        async def notice(event: Any, body: kopf.Body, **_: Any) -> None:
            self._heard(name)
            obj = dict(body)
            if event.get("type") == "DELETED":
                metadata = obj["metadata"]
                key = Key(resource.kind, metadata.get("namespace", ""), metadata["name"])
                self._writes.forget(key, str(metadata.get("uid", "")))
            else:
                self._writes.learn(resource, obj, is_listed=event.get("type") is None)


class _NoMemory(kopf.DiffBaseStorage):
    """kopf is to compare nothing: by default it copies and strips each object that it hears of."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        return None


def _settings(resources: Iterable[Resource]) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    # Events are ours to post, and logs are no Events.
    settings.posting.enabled = False
    # No list of namespaces and no list of CRDs: fewer rights, fewer requests.
    settings.scanning.disabled = True
    settings.persistence.diffbase_storage = _NoMemory()
    settings.queueing.idle_timeout = 1.0
    # A large cluster comes in pieces: one answer with all of it would take much memory.
    settings.watching.chunk_size = 100
    settings.watching.inactivity_timeout = 90.0
    settings.watching.reconnect_backoff = 0.5
    for resource in resources:
        if resource.owned:
            selector = (resource.group, resource.version, resource.plural)
            settings.watching.label_selectors[selector] = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
    settings.process.ultimate_exiting_timeout = 30
    return settings
