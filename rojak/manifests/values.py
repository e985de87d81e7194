"""The small types that manifests are made of: names, durations, references."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from rojak.manifests.base import Model
from rojak.manifests.rules import exactly_one

_DURATION: Final = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$"
_DURATION_HINT: Final = "must be a duration longer than nothing, such as 30s, 5m or 1h30m (there is no unit for days)"
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
LABEL_HINT: Final = "must be at most 63 lower-case letters, digits and '-', and begin and end with a letter or a digit"
_SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_FUNCTION: Final = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*(:[A-Za-z_][A-Za-z0-9_]*)?$"
_QUANTITY: Final = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
_MODULE: Final = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"
_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$"


def seconds_of(duration: str) -> float:
    """Seconds of a duration as manifests write it: ``1h30m``, ``500ms``.

    Raises:
        ValueError: it is not one.
    """
    if not re.match(_DURATION, duration):
        raise ValueError(f"{duration!r} {_DURATION_HINT}")
    return sum(
        float(number) * _SECONDS[unit] for number, _, unit in re.findall(r"([0-9]+(\.[0-9]+)?)([a-z]+)", duration)
    )


def time_of(text: str) -> datetime:
    """The moment that a manifest names: ``2026-12-24T18:00:00Z``.

    Raises:
        ValueError: it is not one.
    """
    return datetime.fromisoformat(text)


def _matches(pattern: str) -> str:
    """CEL for text of the pattern."""
    escaped = pattern.replace("\\", "\\\\")
    return f"self.matches('{escaped}')"


#: CEL for a name that is a DNS label.
LABEL_CEL: Final = f"self.size() <= 63 && {_matches(_LABEL)}"


def _formatted(pattern: str, max_length: int, hint: str, *cel: str) -> Any:
    """Text of a form: checked by Python and, with the same message, by the API server."""
    compiled = re.compile(pattern)
    checks = [_matches(pattern), *cel]

    def check(value: Any) -> Any:
        # A number that would do as text is told so by its type's own error.
        text = str(value) if isinstance(value, int | float) else value
        if isinstance(text, str) and (len(text) > max_length or not compiled.match(text)):
            raise PydanticCustomError("format", "{message}", {"message": hint})
        return value

    schema = {
        "type": "string",
        "maxLength": max_length,
        "x-kubernetes-validations": [{"rule": " && ".join(checks), "message": hint}],
    }
    return BeforeValidator(check), WithJsonSchema(schema)


def int_or_string(pattern: str, hint: str) -> Any:
    """Annotations of a field that takes a whole number, or text of a form."""
    compiled = re.compile(pattern)

    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | str) or not compiled.match(str(value)):
            raise PydanticCustomError("format", "{message}", {"message": hint})
        return value

    rule = f"type(self) == int ? self >= 0 : {_matches(pattern)}"
    schema = {
        "x-kubernetes-int-or-string": True,
        "maxLength": 256,
        "x-kubernetes-validations": [{"rule": rule, "message": hint}],
    }
    return PlainValidator(check), WithJsonSchema(schema)


def _positive(value: str) -> str:
    if seconds_of(value) <= 0:
        raise PydanticCustomError("format", "{message}", {"message": _DURATION_HINT})
    return value


def _moment(value: str) -> str:
    try:
        if time_of(value).timestamp() <= 0:
            raise ValueError
    except ValueError:
        raise PydanticCustomError("format", "{message}", {"message": _TIME_HINT}) from None
    return value


_TIME_HINT: Final = "must be a time with its zone, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"
_FUNCTION_HINT: Final = "must be the name of a function, or where it is: module:name, for instance my_tools.weather:get"

#: A time span: ``30s``, ``1h30m``.
Duration = Annotated[
    str, *_formatted(_DURATION, 32, _DURATION_HINT, "duration(self) > duration('0s')"), AfterValidator(_positive)
]
#: A moment with its time zone (RFC 3339).
Time = Annotated[
    str,
    *_formatted(_TIME, 40, _TIME_HINT, "timestamp(self) > timestamp('1970-01-01T00:00:00Z')"),
    AfterValidator(_moment),
]
#: The name of an object of ours.
Label = Annotated[str, *_formatted(_LABEL, 63, LABEL_HINT)]
#: The name of a Secret, a ConfigMap or a service account.
ObjectName = Annotated[
    str,
    *_formatted(_SUBDOMAIN, 253, "must be the name of a Kubernetes object: lower-case letters, digits, '-' and '.'"),
]
#: Key of a Secret or a ConfigMap.
DataKey = Annotated[
    str, *_formatted(r"^[-._a-zA-Z0-9]+$", 253, "must be a key: letters, digits, '-', '_' and '.', not empty")
]
#: A registered function, or ``module:name``.
FunctionName = Annotated[str, *_formatted(_FUNCTION, 253, _FUNCTION_HINT)]
#: A Python module.
ModuleName = Annotated[
    str, *_formatted(_MODULE, 253, "must be the name of a Python module, for instance my_tools.weather")
]
#: What a model calls a tool.
ToolName = Annotated[
    str, *_formatted(r"^[a-zA-Z_][a-zA-Z0-9_-]*$", 64, "must be letters, digits, '_' and '-', and begin with a letter")
]
#: Address of an HTTP endpoint.
HttpUrl = Annotated[
    str,
    *_formatted(r"^https?://[^/\s?#]+([/?#]\S*)?$", 2048, "must be an address that begins with http:// or https://"),
]
#: Host and port.
HostPort = Annotated[
    str,
    *_formatted(r"^[^\s:/]+:[0-9]{1,5}$", 253, "must be host:port, for instance temporal.example:7233"),
]
#: Text that must not be empty.
Text = Annotated[str, Field(min_length=1, max_length=4096)]
#: What a container's resources are measured in: ``500m``, ``1Gi``, ``2``.
Quantity = Annotated[int | str, *int_or_string(_QUANTITY, "must be a quantity, such as 500m, 2 or 1Gi")]
#: Data without a schema.
AnyObject = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})]


class AgentRef(Model):
    """An Agent in the same namespace.

    Attributes:
        name: of the Agent.
    """

    name: Label


class MCPServerRef(Model):
    """An MCPServer in the same namespace.

    Attributes:
        name: of the MCPServer.
    """

    name: Label


class WorkerPoolRef(Model):
    """A WorkerPool in the same namespace.

    Attributes:
        name: of the WorkerPool.
    """

    name: Label


class SecretRef(Model):
    """A Secret in the same namespace.

    Attributes:
        name: of the Secret.
    """

    name: ObjectName


class ConfigMapRef(Model):
    """A ConfigMap in the same namespace.

    Attributes:
        name: of the ConfigMap.
    """

    name: ObjectName


class SecretKeyRef(Model):
    """One key of a Secret in the same namespace.

    Attributes:
        name: of the Secret.
        key: in the Secret.
        optional: whether it may be missing.
    """

    name: ObjectName
    key: DataKey
    optional: bool = False


class ConfigMapKeyRef(Model):
    """One key of a ConfigMap in the same namespace.

    Attributes:
        name: of the ConfigMap.
        key: in the ConfigMap.
        optional: whether it may be missing.
    """

    name: ObjectName
    key: DataKey
    optional: bool = False


class SecretSource(Model):
    """Where a secret comes from. Secrets are never written into a manifest.

    Attributes:
        secret_key_ref: the key of a Secret that holds it.
    """

    secret_key_ref: SecretKeyRef


class ValueSource(Model):
    """Where a value comes from.

    Attributes:
        secret_key_ref: the key of a Secret that holds it.
        config_map_key_ref: the key of a ConfigMap that holds it.
    """

    rules = (exactly_one("secretKeyRef", "configMapKeyRef"),)

    secret_key_ref: SecretKeyRef | None = None
    config_map_key_ref: ConfigMapKeyRef | None = None


class Header(Model):
    """An HTTP header.

    Attributes:
        name: of the header.
        value: as plain text; not for secrets.
        value_from: where the value comes from instead.
    """

    rules = (exactly_one("value", "valueFrom"),)

    name: Annotated[
        str, *_formatted(r"^[-!#$%&'*+.^_`|~0-9A-Za-z]+$".replace("'", ""), 253, "must be the name of an HTTP header")
    ]
    value: Annotated[str, Field(max_length=8192)] | None = None
    value_from: ValueSource | None = None


class EnvVar(Model):
    """An environment variable.

    Attributes:
        name: of the variable.
        value: as plain text; not for secrets.
        value_from: where the value comes from instead.
    """

    rules = (exactly_one("value", "valueFrom"),)

    name: Annotated[
        str,
        *_formatted(
            r"^[-._a-zA-Z][-._a-zA-Z0-9]*$",
            253,
            "must be the name of a variable: letters, digits, '_'; no digit first",
        ),
    ]
    value: Annotated[str, Field(max_length=32768)] | None = None
    value_from: ValueSource | None = None


class EnvSource(Model):
    """All keys of a Secret or a ConfigMap as environment variables.

    Attributes:
        secret_ref: the Secret.
        config_map_ref: the ConfigMap.
        prefix: put before each name.
    """

    rules = (exactly_one("secretRef", "configMapRef"),)

    secret_ref: SecretRef | None = None
    config_map_ref: ConfigMapRef | None = None
    prefix: Annotated[str, Field(max_length=253)] | None = None


def _map_by_name() -> Any:
    return Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]})


#: Says of a list that its items are told by their names, which may come once.
env_list = header_list = tool_list = _map_by_name()


class Resources(Model):
    """What a container gets.

    Attributes:
        requests: what is set aside for it, for instance ``{cpu: 100m, memory: 256Mi}``.
        limits: what it may not exceed.
    """

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] | None = None
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] | None = None


class CertificateAuthority(Model):
    """Whom to trust: a certificate in PEM.

    Attributes:
        secret_key_ref: the key of a Secret that holds it.
        config_map_key_ref: the key of a ConfigMap that holds it.
    """

    rules = (exactly_one("secretKeyRef", "configMapKeyRef"),)

    secret_key_ref: SecretKeyRef | None = None
    config_map_key_ref: ConfigMapKeyRef | None = None


class ToolFilter(Model):
    """Which tools of an MCP server there are.

    Attributes:
        include: only these; all when left out. ``*`` stands for any characters.
        exclude: not these. ``*`` stands for any characters.
    """

    include: Annotated[list[Text], Field(max_length=256)] | None = None
    exclude: Annotated[list[Text], Field(max_length=256)] | None = None


class Condition(Model):
    """One aspect of an object's state, as Kubernetes reports it.

    Attributes:
        type: which aspect.
        status: whether it is so.
        observed_generation: the generation of the object that this was found for.
        last_transition_time: when the status changed.
        reason: why, in one word that is documented.
        message: why, for a person.
    """

    type: Annotated[str, Field(max_length=316)]
    status: Literal["True", "False", "Unknown"]
    # Without a default: 0 would be an older generation to `kubectl wait`, and it would wait for ever.
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    last_transition_time: Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    message: Annotated[str, Field(max_length=32768)] = ""


#: At most one condition of a type; several writers may each own one.
Conditions = Annotated[
    list[Condition],
    Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]
