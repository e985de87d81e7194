"""Whether an object is as it should be, as far as that is ours to say.

The API server adds defaults and others add fields of their own; neither is drift. What we applied and is no longer so
is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from rojak_operator.desired.merge import merge_key_of

_SUFFIXES: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(10**3), "M": Decimal(10**6),
    "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18), "Ki": Decimal(2**10),
    "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip


def find_drift(desired: Any, live: Any, path: str = "") -> Iterator[str]:
    """Paths of what ``desired`` says and ``live`` does not."""
    if isinstance(desired, Mapping):
        if not isinstance(live, Mapping):
            # The API server leaves out what is empty.
            if desired:
                yield path
            return
        for field, value in desired.items():
            yield from _field_drift(field, value, live.get(field), f"{path}.{field}")
    elif isinstance(desired, list):
        yield from _list_drift(path.rpartition(".")[2], desired, live, path)
    elif not _equal(desired, live):
        yield path


def _field_drift(field: str, desired: Any, live: Any, path: str) -> Iterator[str]:
    if live is None and desired in (None, {}, [], "", False):
        return
    if field in ("requests", "limits") and isinstance(desired, Mapping) and isinstance(live, Mapping):
        for resource, quantity in desired.items():
            if quantity_of(quantity) != quantity_of(live.get(resource)):
                yield f"{path}.{resource}"
        return
    yield from find_drift(desired, live, path)


def _list_drift(field: str, desired: list[Any], live: Any, path: str) -> Iterator[str]:
    if not isinstance(live, list):
        if desired:
            yield path
        return
    keyed = {merge_key_of(field, item): item for item in live}
    if desired and all(merge_key_of(field, item) for item in desired):
        for item in desired:
            key = merge_key_of(field, item)
            assert key is not None
            if key not in keyed:
                yield f"{path}[{key[1]}]"
            else:
                yield from find_drift(item, keyed[key], f"{path}[{key[1]}]")
    elif len(desired) != len(live):
        yield path
    else:
        for index, (wanted, found) in enumerate(zip(desired, live, strict=True)):
            yield from find_drift(wanted, found, f"{path}[{index}]")


def quantity_of(value: Any) -> Decimal | None:
    """A quantity as a number: ``500m`` and ``0.5`` are the same; None if it is none."""
    text = str(value)
    for suffix in (text[-2:], text[-1:]):
        if suffix in _SUFFIXES:
            text, factor = text[: -len(suffix)], _SUFFIXES[suffix]
            break
    else:
        factor = Decimal(1)
    try:
        return Decimal(text) * factor
    except InvalidOperation:
        return None


def _equal(desired: Any, live: Any) -> bool:
    if isinstance(desired, bool) or isinstance(live, bool):
        return desired is live
    return bool(desired == live)
