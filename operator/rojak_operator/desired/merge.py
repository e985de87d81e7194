"""Strategic merge of a pod template: what ``kubectl patch`` does with it, for ``spec.podTemplate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: List field -> the fields by one of which its items are told apart; other lists are replaced as a whole.
MERGE_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "ports": ("containerPort", "port"),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "ownerReferences": ("uid",),
}
_DIRECTIVE: Final = "$patch"


def strategic_merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``patch`` laid over it: objects deeply, named lists item by item, null removes.

    ``$patch: replace`` in an object replaces it, ``$patch: delete`` in a named item removes the item.
    """
    if patch.get(_DIRECTIVE) == "replace":
        return {field: value for field, value in patch.items() if field != _DIRECTIVE}
    result = dict(base)
    for field, value in patch.items():
        if field == _DIRECTIVE:
            continue
        if value is None:
            result.pop(field, None)
        elif isinstance(value, Mapping):
            under = result.get(field)
            result[field] = strategic_merge(under if isinstance(under, Mapping) else {}, value)
        elif isinstance(value, list) and field in MERGE_KEYS and isinstance(result.get(field, []), list):
            result[field] = _merge_list(result.get(field, []), value, MERGE_KEYS[field])
        else:
            result[field] = value
    return result


def merge_key_of(field: str, item: Any) -> tuple[str, Any] | None:
    """By which field an item of the list ``field`` is told from the others, and its value there."""
    if isinstance(item, Mapping):
        for key in MERGE_KEYS.get(field, ()):
            if key in item:
                return key, item[key]
    return None


def _merge_list(base: list[Any], patch: list[Any], keys: tuple[str, ...]) -> list[Any]:
    result = list(base)
    for item in patch:
        name = next((item[key] for key in keys if isinstance(item, Mapping) and key in item), None)
        at = next(
            (i for i, old in enumerate(result) if name is not None and any(old.get(key) == name for key in keys)), None
        )
        if isinstance(item, Mapping) and item.get(_DIRECTIVE) == "delete":
            if at is not None:
                del result[at]
        elif at is None:
            result.append(item)
        else:
            result[at] = strategic_merge(result[at], item)
    return result
