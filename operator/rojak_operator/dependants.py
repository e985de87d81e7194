"""Which objects have to be looked at when one changes."""

from __future__ import annotations

from collections.abc import Iterable

from rojak_operator.resources import MANIFESTS, REFERENCED, Key
from rojak_operator.store import Store

_MANIFEST_KINDS = {resource.kind for resource in MANIFESTS}
_REFERENCED_KINDS = {resource.kind for resource in REFERENCED}


def keys_to_wake(changed: Key, store: Store) -> Iterable[Key]:
    """The manifests that look different when ``changed`` changes, comes or goes: each once."""
    woken: dict[Key, None] = {}
    if changed.kind in _MANIFEST_KINDS:
        woken[changed] = None
    stored = store.get(changed)
    if stored is not None and stored.owner is not None:
        woken[stored.owner] = None
    for referrer in store.referrers(changed):
        woken[referrer] = None
    for key in list(woken):
        woken |= dict.fromkeys(_further(key, store))
    if changed.kind in _REFERENCED_KINDS:
        # It may hold the login to Temporal, which Schedules have from their Agents.
        for key in [key for key in woken if key.kind == "Agent"]:
            woken |= dict.fromkeys(referrer for referrer in store.referrers(key) if referrer.kind == "Schedule")
    return list(woken)


def keys_to_wake_by_own_write(written: Key, store: Store) -> Iterable[Key]:
    """The same for what we wrote ourselves: a status, or an object for an owner of whom it is known already."""
    if written.kind not in _MANIFEST_KINDS:
        stored = store.get(written)
        return [key for key in keys_to_wake(written, store) if stored is None or key != stored.owner]
    if written.kind in ("MCPServer", "WorkerPool"):
        # Agents count the tools of their servers, and are as ready as their pool.
        return [key for key in store.referrers(written) if key.kind == "Agent"]
    return []


def _further(key: Key, store: Store) -> list[Key]:
    """An Agent is part of its pool's configuration, and shows how its pool is; MCP servers reach it through both."""
    if key.kind == "Agent":
        return [target for target in store.targets(key) if target.kind == "WorkerPool"]
    if key.kind == "WorkerPool":
        return [referrer for referrer in store.referrers(key) if referrer.kind == "Agent"]
    return []
