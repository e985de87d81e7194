"""From what a function returned, raised or changed to the outcome that a session stores.

An outcome becomes part of a history and of a conversation, so nothing leaves here that is not plain JSON, or
that is too big for either.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from rojak.session.limits import AGENT_BYTES, CONTEXT_BYTES, size_of
from rojak.session.patches import diff_context
from rojak.types.activities import PatchOperation, ToolFailed, ToolReturned
from rojak.types.agent import Agent, AgentExecuteFnResult

#: Bytes of UTF-8 that an output may have. A longer one is cut: Temporal refuses payloads of 2 MiB, control
#: characters take six bytes each in JSON, and a model has little use for more.
MAX_OUTPUT_BYTES = 256 * 1024
#: Bytes that are left of an output that was too long.
PREVIEW_BYTES = 64 * 1024
#: Bytes of JSON that the changes of the context variables by one call may have. More is an error to the
#: model.
MAX_PATCH_BYTES = CONTEXT_BYTES
#: Bytes of UTF-8 that an error's text may have; it is cut to that.
MAX_ERROR_BYTES = 16 * 1024

_PATCH: TypeAdapter[list[PatchOperation]] = TypeAdapter(list[PatchOperation])


class ResultError(ValueError):
    """A result that no session can carry; the text says what of it, and why."""


def settle(result: Any, before: dict[str, Any], context: dict[str, Any] | None) -> ToolReturned | ToolFailed:
    """The outcome of a call that returned.

    Args:
        result: what the function returned: an answer, an agent to hand over to, or both in an
            AgentExecuteFnResult.
        before: the context variables before the call; not changed.
        context: the function's own copy, which it may have changed; None if it got none.
    """
    after = context
    output, agent = result, None
    if isinstance(result, AgentExecuteFnResult):
        output, agent = result.output, result.agent
        if result.context_variables is not None:
            after = result.context_variables
        if agent is not None and "output" not in result.model_fields_set:
            output = agent
    if isinstance(output, Agent):
        agent = agent or output
        output = json.dumps({"assistant": output.name}, ensure_ascii=False)
    try:
        if agent is not None:
            _check_agent(agent)
        fields: dict[str, Any] = {"output": cut_output(cast_output(output))}
        if after is not None and (patch := _patch(before, after)):
            fields["patch"] = patch
        if agent is not None:
            fields["agent"] = agent
        # What has its default is left out: the outcome stays in the history.
        return ToolReturned(**fields)
    except ResultError as error:
        return ToolFailed(error_type="ToolResultError", message=str(error))


def failure(error: BaseException) -> ToolFailed:
    """The outcome of a call that raised: ``ValueError: the text``, with what a group of exceptions holds."""
    message = clip(_without_surrogates(_describe(error)), MAX_ERROR_BYTES)
    return ToolFailed(error_type=type(error).__name__, message=message)


def _describe(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the text of a foreign exception is made by foreign code
        text = ""
    name = type(error).__name__
    told = f"{name}: {text}" if text else name
    if isinstance(error, BaseExceptionGroup):
        told += " (" + "; ".join(_describe(cause) for cause in error.exceptions) + ")"
    return told


def cast_output(output: Any) -> str:
    """A value as the text that a model reads.

    Text stays as it is. Models, dataclasses, dictionaries, lists, tuples and sets become JSON, and what JSON
    does not know inside of them becomes ``str()`` of it. Bytes are decoded as UTF-8. Everything else, None
    and numbers included, is ``str()`` of it.

    Raises:
        ResultError: it cannot be cast.
    """
    if isinstance(output, str):
        # The very text, also of a member of an enum that is a str.
        return str.__str__(output)
    if isinstance(output, bytes):
        return output.decode("utf-8", "replace")
    if inspect.isgenerator(output) or inspect.isasyncgen(output):
        raise ResultError(
            "The function returned a generator. A tool gives one answer: it has to return the text, a list"
            " for instance, instead of yielding it."
        )
    if isinstance(output, BaseModel | dict | list | tuple | set | frozenset) or (
        dataclasses.is_dataclass(output) and not isinstance(output, type)
    ):
        try:
            return to_json(output, fallback=str).decode()
        except Exception:  # noqa: BLE001 - objects inside may run code of their own
            # It contains itself, or what cannot be text: then as Python shows it.
            pass
    try:
        return str(output)
    except Exception as error:
        raise ResultError(
            f"The function returned a {type(output).__name__} that cannot be turned into text: {_describe(error)}"
        ) from error


def cut_output(text: str) -> str:
    """The text as a session can carry it: a long one is cut, with a note that says so."""
    if text.isascii():
        size = len(text)
    else:
        text = _without_surrogates(text)
        size = len(text.encode())
    if size <= MAX_OUTPUT_BYTES:
        return text
    preview = clip(text, PREVIEW_BYTES)
    return f"{preview}\n[cut: the output has {size} bytes; these are the first {PREVIEW_BYTES}]"


def clip(text: str, limit: int) -> str:
    """The beginning of the text: at most ``limit`` bytes of UTF-8, and no half characters."""
    # No character takes less than a byte, so more characters than that need not even be looked at.
    return text[:limit].encode()[:limit].decode("utf-8", "ignore")


def _without_surrogates(text: str) -> str:
    """Half characters, as `os.fsdecode` makes them, cannot be stored: they become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _check_agent(agent: Agent) -> None:
    try:
        size = size_of(agent)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise ResultError(f"The agent {agent.name!r} to hand over to cannot be sent as JSON: {error}") from error
    if size > AGENT_BYTES:
        raise ResultError(
            f"The agent {agent.name!r} to hand over to has {size} bytes of JSON; at most {AGENT_BYTES} fit into a"
            " session. Shorter instructions, or instructions from a function, make it smaller."
        )


def _patch(before: dict[str, Any], after: dict[str, Any]) -> list[PatchOperation]:
    made = "The call was made, but its changes of the context variables were dropped"
    try:
        operations = diff_context(before, plain_json(after, ()))
    except RecursionError:
        raise ResultError(
            f"{made}: they are nested too deeply, or contain themselves. JSON values only can be kept."
        ) from None
    except ResultError as error:
        raise ResultError(f"{made}: {error}. JSON values only can be kept.") from error
    if operations and (size := len(_PATCH.dump_json(operations))) > MAX_PATCH_BYTES:
        raise ResultError(
            f"{made}: they have {size} bytes of JSON, and at most {MAX_PATCH_BYTES} can be kept. Large data"
            " belongs into a store of its own, with its key in the context variables."
        )
    return operations


def copy_json(value: Any) -> Any:
    """A deep copy of plain JSON data; a fifth of the time that `copy.deepcopy` takes."""
    if type(value) is dict:
        return {key: copy_json(child) for key, child in value.items()}
    if type(value) is list:
        return [copy_json(child) for child in value]
    return value


def plain_json(value: Any, path: tuple[str | int, ...]) -> Any:
    """A copy of the value as JSON knows it: models, dataclasses, dates, enums and sets are converted.

    Keys are not: a function that stores under 3 would look in vain for 3 in what it gets the next time.
    """
    kind = type(value)
    if kind is str:
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ResultError(f"{_show(path)} is text with half a character (a lone surrogate)") from None
        return value
    if value is None or kind is bool or kind is int:
        return value
    if kind is float:
        if not math.isfinite(value):
            raise ResultError(f"{_show(path)} is {value}, which JSON does not know")
        return value
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ResultError(
                    f"{_show(path)} has the key {key!r} of type {type(key).__name__}; keys must be strings"
                )
        return {plain_json(str.__str__(key), path): plain_json(child, (*path, key)) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(child, (*path, index)) for index, child in enumerate(value)]
    try:
        converted = to_jsonable_python(value)
    except (PydanticSerializationError, ValueError) as error:
        raise ResultError(f"{_show(path)} is a {kind.__name__}, which is no JSON value") from error
    return plain_json(converted, path)


def _show(path: tuple[str | int, ...]) -> str:
    return "context_variables" + "".join(f"[{key!r}]" for key in path)
