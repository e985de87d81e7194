"""kopf's part: it watches, logs in and reconnects; what it hears goes into the store and wakes the work queue.

No handler here decides anything or writes anything. kopf's own handlers for creation, change and deletion would
annotate every object with a copy of its spec; `on.event` and an index do not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

import kopf

from rojak_operator.dependants import keys_to_wake
from rojak_operator.resources import MANAGED_BY, MANAGED_BY_LABEL, Key, Resource
from rojak_operator.store import Store, make_stored

logger = logging.getLogger(__name__)

#: A pool of many agents is rendered once for many changes that come together; seconds.
POOL_DELAY = 0.2


class Watches:
    """Watches a set of resources while `run` runs.

    Args:
        store: where objects are remembered.
        wake: called with a key and a delay in seconds for each object that has to be looked at.
        heard: called with the plural of a resource for each event.
    """

    def __init__(
        self,
        resources: Iterable[Resource],
        *,
        store: Store,
        wake: Callable[[Key, float], None],
        heard: Callable[[str], None],
        namespaces: Iterable[str] = (),
    ) -> None:
        self._resources = {resource.kind: resource for resource in resources}
        self._store = store
        self._wake = wake
        self._heard = heard
        self._namespaces = tuple(namespaces)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop`` is set."""
        await kopf.operator(
            registry=self._registry(),
            settings=_settings(self._resources.values()),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=stop,
        )

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
            return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

        for resource in self._resources.values():
            self._watch(registry, resource)
        return registry

    def _watch(self, registry: kopf.OperatorRegistry, resource: Resource) -> None:
        name = resource.plural
        selector = (resource.group, resource.version, name) if resource.group else (resource.version, name)

        # An index handler sees every object of the first listing before any event handler runs, so that nobody
        # decides by half of the cluster. The index itself stays empty: the store knows more.
        @kopf.index(*selector, id=f"seen_{name}", registry=registry)
        def remember(body: kopf.Body, **_: Any) -> None:
            self._remember(resource, dict(body))

        @kopf.on.event(*selector, id=f"event_{name}", registry=registry)
        def notice(event: Any, body: kopf.Body, **_: Any) -> None:
            self._heard(name)
            obj = dict(body)
            metadata = obj["metadata"]
            key = Key(resource.kind, metadata.get("namespace", ""), metadata["name"])
            if event.get("type") == "DELETED":
                self._forget(key, str(metadata.get("uid", "")))
            else:
                self._remember(resource, obj)
                self._wake_for(key)

    def _remember(self, resource: Resource, obj: dict[str, Any]) -> None:
        key, stored, references = make_stored(resource, obj)
        self._store.put(key, stored, references)

    def _forget(self, key: Key, uid: str) -> None:
        stored = self._store.get(key)
        # A successor of the same name may be there already.
        if stored is not None and stored.uid == uid:
            self._wake_for(key)
            self._store.remove(key)
        self._wake_for(key)

    def _wake_for(self, key: Key) -> None:
        for other in keys_to_wake(key, self._store):
            self._wake(other, POOL_DELAY if other.kind == "WorkerPool" and key.kind == "Agent" else 0.0)

    def forget(self, key: Key) -> None:
        """It is gone, as somebody else found out."""
        stored = self._store.get(key)
        if stored is not None:
            self._forget(key, stored.uid)


def _settings(resources: Iterable[Resource]) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    # Events are ours to post, and logs are no Events.
    settings.posting.enabled = False
    # No list of namespaces and no list of CRDs: fewer rights, fewer requests.
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = 1.0
    settings.watching.inactivity_timeout = 90.0
    settings.watching.reconnect_backoff = 0.5
    for resource in resources:
        if resource.owned:
            selector = (resource.group, resource.version, resource.plural)
            settings.watching.label_selectors[selector] = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
    settings.process.ultimate_exiting_timeout = 30
    return settings
