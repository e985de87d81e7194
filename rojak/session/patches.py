"""Changes of context variables as data, so that tools that ran at the same time can both count.

A tool gets a copy of the context variables and may change it in place or return a new dictionary. What it changed is
worked out as a list of operations (set or delete at a path of keys), and the lists of all calls of a step are applied
in the order of the calls. Lists are values: a tool that appends to a list sets the whole list.
"""

from __future__ import annotations

from typing import Any

from rojak.types.activities import PatchOperation


def diff_context(before: dict[str, Any], after: dict[str, Any]) -> list[PatchOperation]:
    """The operations that turn ``before`` into ``after``."""
    operations: list[PatchOperation] = []
    _collect(before, after, [], operations)
    return operations


def _collect(before: dict[str, Any], after: dict[str, Any], path: list[str], into: list[PatchOperation]) -> None:
    into.extend(PatchOperation(path=[*path, key], op="delete") for key in before if key not in after)
    for key, value in after.items():
        here = [*path, key]
        if key not in before:
            if isinstance(value, dict) and value:
                # Key by key, so that two tools that both begin the same dictionary both count.
                _collect({}, value, here, into)
            else:
                into.append(PatchOperation(path=here, value=value))
            continue
        old = before[key]
        if isinstance(old, dict) and isinstance(value, dict):
            _collect(old, value, here, into)
        elif not _same(old, value):
            into.append(PatchOperation(path=here, value=value))


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same. Python's equality is not enough: it takes 1, 1.0 and True for one."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    return bool(one == other)


def apply_patch(context: dict[str, Any], operations: list[PatchOperation]) -> dict[str, Any]:
    """A copy of ``context`` with the operations applied in order; untouched parts are shared with the original.

    A path through something that is no dictionary (because another tool replaced it) makes it one again: the later
    call counts.
    """
    result = dict(context)
    for operation in operations:
        node = result
        *parents, last = operation.path
        for key in parents:
            child = node.get(key)
            child = dict(child) if isinstance(child, dict) else {}
            node[key] = child
            node = child
        if operation.op == "delete":
            node.pop(last, None)
        else:
            node[last] = operation.value
    return result
