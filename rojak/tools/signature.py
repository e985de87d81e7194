"""What a Python function says about itself: name, description, parameters with the types they mean.

Functions come in many forms (plain, bound methods, `functools.partial`, objects with ``__call__``,
decorated), and their annotations may be text. All of that is settled here, once, so that the rest sees plain
parameters.
"""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from rojak.tools.typed_dicts import translate_typed_dicts
from rojak.types.errors import ConfigurationError

#: The parameter that is filled with the session's context variables, and which the model never sees.
CONTEXT_PARAMETER = "context_variables"

#: Stands for "no annotation" and "no default".
EMPTY: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that the model fills, or the one for the context variables.

    Attributes:
        name: as in the function.
        annotation: the resolved annotation with its metadata; EMPTY if there is none.
        default: EMPTY if it must be given. A pydantic ``Field(...)`` as a default is metadata: it says itself
            whether it has a default.
        positional_only: whether it cannot be passed by name.
    """

    name: str
    annotation: Any
    default: Any
    positional_only: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """A function as seen from outside.

    Attributes:
        name: by which agents and models know it.
        location: ``module:line`` of its source.
        description: its docstring, dedented; empty if there is none.
        parameters: in order, the one for the context variables included.
        extra: annotation of its ``**kwargs`` (EMPTY if not annotated); None if it takes none.
        bound: parameters that a partial has given a value; the model neither sees nor sets them.
        is_async: whether calling it makes a coroutine.
    """

    name: str
    location: str
    description: str
    parameters: tuple[Parameter, ...]
    extra: Any
    bound: frozenset[str]
    is_async: bool


def read_signature(function: Callable[..., Any]) -> Signature:
    """Look at a function.

    Raises:
        ConfigurationError: it is no function that a model could call; the message says what to change.
    """
    name = name_of(function)
    location = location_of(function)
    where = f"function {name!r} ({location})"
    if inspect.isclass(function):
        raise ConfigurationError(f"{where} is a class; register a function that makes the object and returns text")
    if _is_generator(function):
        raise ConfigurationError(f"{where} is a generator; a tool gives one answer, so return the text instead")
    try:
        signature = _inspect_signature(function)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{where} has no signature to read ({error}); wrap it in a function") from error
    bound = frozenset(function.keywords) if isinstance(function, functools.partial) else frozenset[str]()
    parameters: list[Parameter] = []
    extra: Any = None
    for index, parameter in enumerate(signature.parameters.values()):
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            raise ConfigurationError(
                f"{where} takes *{parameter.name}, which a JSON object cannot fill; name the parameters, or take"
                " one list. If the function is decorated, let the decorator use functools.wraps"
            )
        if parameter.name in bound:
            continue
        if index == 0 and parameter.name in ("self", "cls"):
            raise ConfigurationError(f"{where} is a method without its object; register it bound: the_object.{name}")
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            extra = _resolve(parameter, function, where)
            continue
        is_context = parameter.name == CONTEXT_PARAMETER
        parameters.append(
            Parameter(
                name=parameter.name,
                annotation=EMPTY if is_context else _resolve(parameter, function, where),
                default=parameter.default,
                positional_only=parameter.kind is inspect.Parameter.POSITIONAL_ONLY,
            )
        )
    return Signature(
        name=name,
        location=location,
        description=_description_of(function),
        parameters=tuple(parameters),
        extra=extra,
        bound=bound,
        is_async=_is_async(function),
    )


def name_of(function: Callable[..., Any]) -> str:
    """The name; of a partial that of what it calls, of an object with ``__call__`` that of its class."""
    name = getattr(function, "__name__", None)
    if isinstance(name, str):
        return name
    if isinstance(function, functools.partial):
        return name_of(function.func)
    return type(function).__name__


def location_of(function: Callable[..., Any]) -> str:
    """``module:line`` where the function is defined; the module alone where there is no Python source."""
    inner = _innermost(function)
    module = str(getattr(inner, "__module__", None) or type(inner).__module__)
    code = getattr(inner, "__code__", None)
    return f"{module}:{code.co_firstlineno}" if code else module


def _innermost(function: Any) -> Any:
    """The plain function behind partials, methods, decorators and objects with ``__call__``."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif _is_callable_object(function):
            function = type(function).__call__
        else:
            return function


def _is_callable_object(function: Any) -> bool:
    return not (inspect.isroutine(function) or inspect.isclass(function) or isinstance(function, functools.partial))


def _is_async(function: Any) -> bool:
    # Not the innermost one: a sync decorator around an async function is sync, and returns an awaitable.
    return inspect.iscoroutinefunction(function) or (
        _is_callable_object(function) and inspect.iscoroutinefunction(type(function).__call__)
    )


def _is_generator(function: Any) -> bool:
    candidates = [function, type(function).__call__] if _is_callable_object(function) else [function]
    return any(inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one) for one in candidates)


def _description_of(function: Any) -> str:
    if isinstance(function, functools.partial):
        own = vars(function).get("__doc__")
        return inspect.cleandoc(own) if own else _description_of(function.func)
    if _is_callable_object(function) and not hasattr(function, "__wrapped__"):
        own = type(function).__call__.__doc__
        return inspect.cleandoc(own) if own else inspect.getdoc(type(function)) or ""
    return inspect.getdoc(function) or ""


def _inspect_signature(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        # Annotations are evaluated lazily there; what cannot be evaluated is to fail with the parameter's
        # name.
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.FORWARDREF)
    return inspect.signature(function)


def _resolve(parameter: inspect.Parameter, function: Callable[..., Any], where: str) -> Any:
    """The annotation with all names in it looked up: in the function's module, and in what it closes over."""
    if parameter.annotation is EMPTY:
        return EMPTY
    inner = _innermost(function)

    def probe() -> None: ...

    # One parameter at a time: nothing else, the return annotation for instance, can spoil it.
    probe.__annotations__ = {"it": parameter.annotation}
    try:
        hints = typing.get_type_hints(
            probe,
            globalns=getattr(inner, "__globals__", {}),
            localns=_local_names(inner),
            include_extras=True,
        )
        return translate_typed_dicts(hints["it"])
    except Exception as error:
        # An annotation is an expression, and evaluating it may raise anything.
        raise ConfigurationError(
            f"{where}: the annotation {parameter.annotation!r} of parameter {parameter.name!r} cannot be"
            f" resolved: {error}. Use names that the function's module has at run time (not only under"
            " TYPE_CHECKING, nor only inside another function)"
        ) from error


def _local_names(function: Any) -> dict[str, Any]:
    names = {parameter.__name__: parameter for parameter in getattr(function, "__type_params__", ())}
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    for name, cell in zip(code.co_freevars if code else (), cells or (), strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:
            # The enclosing function has not assigned it yet.
            continue
    return names


def describes_itself(default: Any) -> bool:
    """Whether a parameter's default is pydantic's ``Field(...)``: metadata rather than a value."""
    return isinstance(default, FieldInfo)
