"""Tells what others changed from the echo of our own writes.

Each write comes back as an event of a watch. Whoever wrote has judged by the answer already, and to look at the object
once more for the echo alone would double the work of a cold start. So the answer goes into the store, and the event
that tells of the same version wakes nobody. Anything else is news, in whatever order answers and events arrive: whom an
event wakes that comes before the answer to a write is decided when the answer says whose it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rojak_operator.dependants import keys_to_wake, keys_to_wake_by_own_write
from rojak_operator.resources import Key, Resource
from rojak_operator.store import Store, make_stored

#: Seconds to wait for what comes together: the events of all the objects that were made for one owner, and the agents
#: of one pool, which is then rendered once.
GATHER = 0.2
_DELETED = "deleted"


class OwnWrites:
    """The writes of one operator. Of one object there is one at a time, as there is one who works on it.

    Args:
        wake: called with a key and a delay in seconds for each object that has to be looked at.
    """

    def __init__(self, store: Store, wake: Callable[[Key, float], None]) -> None:
        self._store = store
        self._wake = wake
        # Versions that events told of while a write waits for its answer.
        self._heard: dict[Key, list[str]] = {}
        # Versions that answers told of and events have not yet, the oldest first.
        self._awaited: dict[Key, list[str]] = {}

    async def do(
        self, resource: Resource, key: Key, request: Awaitable[dict[str, Any]], *, generation: int | None = None
    ) -> dict[str, Any]:
        """Write, and remember the answer as what there is now; the answer.

        Args:
            key: of what is written.
            generation: by which the writer judged. An answer of another one is not remembered: its event is news.

        Raises:
            ApiError: the request did.
        """
        heard = self._heard[key] = []
        version = ""
        try:
            answer = await request
            if generation in (None, answer["metadata"].get("generation")):
                version = answer["metadata"]["resourceVersion"]
            return answer
        finally:
            del self._heard[key]
            if any(other != version for other in heard):
                self.wake_for(key)
            elif version:
                if not heard:
                    _, stored, references = make_stored(resource, answer)
                    self._store.put(key, stored, references)
                    self._awaited.setdefault(key, []).append(version)
                for other in keys_to_wake_by_own_write(key, self._store):
                    self._wake(other, GATHER)

    def learn(self, resource: Resource, obj: dict[str, Any], *, is_listed: bool) -> None:
        """An event told of an object that is new or has changed, or a list that it is there."""
        metadata = obj["metadata"]
        key = Key(resource.kind, metadata.get("namespace", ""), metadata["name"])
        version = metadata["resourceVersion"]
        awaited = self._awaited.pop(key, [])
        if version in awaited and not is_listed:
            if later := awaited[awaited.index(version) + 1 :]:
                self._awaited[key] = later
            return
        # If it is from before the writes that were awaited, their events are news then, and put right what it says.
        known = self._store.get(key)
        if known is None or (known.resource_version, known.uid) != (version, metadata.get("uid", "")):
            _, stored, references = make_stored(resource, obj)
            self._store.put(key, stored, references)
        if key in self._heard:
            self._heard[key].append(version)
        else:
            self.wake_for(key)

    def forget(self, key: Key, uid: str) -> None:
        """The object with this uid is gone; a successor of the same name may be there already."""
        self._awaited.pop(key, None)
        if key in self._heard:
            self._heard[key].append(_DELETED)
        stored = self._store.get(key)
        if stored is not None and stored.uid == uid:
            self.wake_for(key)
            self._store.remove(key)
        self.wake_for(key)

    def wake_for(self, key: Key) -> None:
        """Have all looked at for which a change of this object matters."""
        for other in keys_to_wake(key, self._store):
            self._wake(other, 0.0 if other == key else GATHER)
